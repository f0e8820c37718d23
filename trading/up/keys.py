"""Generated keys of demo mode: all on this machine, which is why a demonstration proves nothing (P13)."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from trading.audit.rules.note import ED25519, VerifierKey
from trading.config.demo import generate_secret
from trading.crypto.authority import new_authority, roots_in
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import load_note_seed, new_note_seed, save_es256
from trading.crypto.keys import SEED_BYTES
from trading.crypto.notes import ed25519_public
from trading.crypto.signatures import Es256Signer
from trading.up.programs import AUTHORITIES, ROOT, WITNESSES, base_environment, command_line

_LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 10_000
_PORTS = 22_000  # below 32,768, where Linux begins with outgoing connections


def make_keys(data_dir: Path) -> str:
    """Make the origin and the keys of the platform's processes unless they exist; return the log's verifier key."""
    keys = data_dir / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    origin = keys / "origin"
    if not origin.exists():
        # Every demonstration is a log of its own: a witness that saw one must never meet another of the same name.
        origin.write_text(f"demo.mingbiao/{secrets.token_hex(4)}")
    generate_secret(keys / "cookie.secret")
    if not (keys / "ack.key").exists():
        save_es256(keys / "ack.key", Es256Signer.generate(), None)
    if not (keys / "contact.key").exists():
        write_secret(keys / "contact.key", secrets.token_bytes(SEED_BYTES))
    if not (keys / "log.key").exists():
        new_note_seed(keys / "log.key")
    public_key = ed25519_public(load_note_seed(keys / "log.key"))
    return VerifierKey(name=origin.read_text().strip(), kind=ED25519, public_key=public_key).vkey


def make_witnesses(data_dir: Path, log_key: str) -> dict[str, str]:
    """Make three local witnesses unless they exist, and the policy that names them; return their addresses.

    A port that another program took meanwhile is replaced, and the policy written anew; the keys stay.
    """
    note = data_dir / "witnesses" / "witnesses.json"
    known: dict[str, dict[str, str]] = json.loads(note.read_text()) if note.exists() else {}
    for name in WITNESSES:
        if name not in known:
            known[name] = {"key": _new_witness(data_dir, name), "address": ""}
        if not _is_free(known[name]["address"]):
            known[name]["address"] = free_address()
        note.write_text(json.dumps(known, indent=1))
    lines = [f"log {log_key}"]
    lines += [f"witness {name} {known[name]['key']} http://{known[name]['address']}" for name in WITNESSES]
    lines += [f"group mb 2 {' '.join(WITNESSES)}", "quorum mb"]
    (data_dir / "witness-policy").write_text("\n".join(lines) + "\n")
    return {name: known[name]["address"] for name in WITNESSES}


def make_authorities(data_dir: Path, at_ms: int) -> dict[str, str]:
    """Make two local time-stamping authorities unless they exist, and the setting that names them (TE1 T8).

    Return their addresses, which are new at every start.
    """
    folder = data_dir / "authorities"
    for name in AUTHORITIES:
        if name not in roots_in(folder):
            shutil.rmtree(folder / name, ignore_errors=True)  # a start that died half way
            new_authority(folder / name, name, at_ms)
    addresses = {name: free_address() for name in AUTHORITIES}
    words = [f"{name}=http://{address}/" for name, address in addresses.items()]
    (data_dir / "time-stamps").write_text(" ".join(words))
    return addresses


def free_address() -> str:
    """Return a loopback address on which nothing listens at this moment.

    Its port is below those that the system gives to outgoing connections, one of which could take it until it is used.
    """
    while True:
        address = f"{_LOOPBACK}:{_LOWEST_PORT + secrets.randbelow(_PORTS)}"
        if _is_free(address):
            return address


def _is_free(address: str) -> bool:
    host, _, port = address.partition(":")
    if not port:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def _new_witness(data_dir: Path, name: str) -> str:
    """Let the witness's own program make its key, as another organisation would; return the public key it prints."""
    state = data_dir / "witnesses" / name
    if (state / "witness.key").exists():  # a start that died before it could write its note
        command = command_line("witness", "show", "--state", str(state))
    else:
        key_name = f"demo.{name}.mingbiao/{secrets.token_hex(4)}"
        command = command_line("witness", "new", "--state", str(state), "--name", key_name)
    done = subprocess.run(  # noqa: S603
        command,
        cwd=ROOT,
        env=base_environment(data_dir),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[0]
