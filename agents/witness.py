"""``mingbiao witness new | serve | show``: an independent organisation's witness of the log (AL1 L7).

A witness hosted by the operator of the log is worth nothing. The monitoring address shows true sizes; a reverse proxy
opens it to the log and to auditors only (AL1 L6).
"""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import click

from agents.witness_server import Witness, WitnessServer, require_log_keys
from agents.witness_state import RefusedNote, WitnessState
from trading.audit.rules.note import COSIGNATURE_V1, ML_DSA_44, VerifierKey, check_key_name, parse_vkey
from trading.crypto.keyfiles import load_note_seed, new_note_seed
from trading.crypto.notes import ed25519_public, mldsa44_public
from trading.kernel.clock import Clock, ShiftedClock, SystemClock
from trading.kernel.encoding import b64
from trading.kernel.errors import IntegrityFailure, MingbiaoError

KEY_FILE = "witness.key"
_STATE = click.option(
    "--state", "directory", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory of state."
)


@click.group("witness")
def main() -> None:
    """日志见证方: witness a log, cosign its growth, refuse everything else."""


def _key_of(name: str, kind: int, seed: bytes) -> VerifierKey:
    public_key = mldsa44_public(seed) if kind == ML_DSA_44 else ed25519_public(seed)
    return VerifierKey(name=name, kind=kind, public_key=public_key)


@main.command("new")
@_STATE
@click.option("--name", required=True, help="Name of the key: a schema-less URL of yours, e.g. witness.example/w1.")
@click.option("--ml-dsa", is_flag=True, help="Make an ML-DSA-44 key instead of an Ed25519 key.")
def new(directory: Path, name: str, *, ml_dsa: bool) -> None:
    """Make a witness: key and memory belong together for ever. Prints the vkey for the policy."""
    try:
        check_key_name(name)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = new_note_seed(directory / KEY_FILE)
        key = _key_of(name, ML_DSA_44 if ml_dsa else COSIGNATURE_V1, seed)
        WitnessState.create(directory, key).close()
    except MingbiaoError as error:
        raise click.ClickException(str(error)) from error
    click.echo(key.vkey)


def open_witness(directory: Path, logs: tuple[str, ...], shift_file: Path | None) -> Witness:
    """Load key and memory, check that they belong together, and return the witness.

    Raises:
        IntegrityFailure: The memory is missing or belongs to another key.
        InvalidInput: A vkey is malformed or the log must not be served.
    """
    log_keys = [parse_vkey(text) for text in logs]
    require_log_keys(log_keys, demo=shift_file is not None)
    state = WitnessState(directory)
    seed = load_note_seed(directory / KEY_FILE)
    if _key_of(state.key.name, state.key.kind, seed) != state.key:
        raise IntegrityFailure(f"{directory / KEY_FILE} is not the key whose memory stands beside it")
    clock: Clock = SystemClock() if shift_file is None else ShiftedClock(shift_file)
    return Witness(seed, state, log_keys, clock)


@main.command("serve")
@_STATE
@click.option("--listen", default="127.0.0.1:7301", show_default=True, help="Address and port; TLS is a proxy's work.")
@click.option("--log", "logs", required=True, multiple=True, metavar="VKEY", help="Key of a log to witness.")
@click.option("--prefix", default="", help="Path before /add-checkpoint, e.g. /w1.")
@click.option(
    "--shift-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Demonstration only: file with the shift of the clock in ms.",
)
def serve(directory: Path, listen: str, logs: tuple[str, ...], prefix: str, shift_file: Path | None) -> None:
    """Serve POST PREFIX/add-checkpoint and GET PREFIX/<sha256 of origin>/checkpoint until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    address = urlsplit(f"//{listen}")
    if address.hostname is None or address.port is None:
        raise click.UsageError("--listen is HOST:PORT")
    try:
        witness = open_witness(directory, logs, shift_file)
    except (MingbiaoError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    with WitnessServer((address.hostname, address.port), witness, prefix=prefix) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown waits for the serving loop, which runs in this very thread, so another one must call it.
            signal.signal(number, lambda *_: Thread(target=server.shutdown).start())
        click.echo(f"{witness.key.name} listens on {server.server_address[0]!s}:{server.server_address[1]}")
        server.serve_forever(poll_interval=0.2)


@main.command("show")
@_STATE
@click.option("--evidence", is_flag=True, help="Print every refused note with the note that was known then.")
def show(directory: Path, *, evidence: bool) -> None:
    """Show the key, the last cosigned checkpoint of each log, and what was refused."""
    try:
        state = WitnessState(directory)
    except MingbiaoError as error:
        raise click.ClickException(str(error)) from error
    click.echo(state.key.vkey)
    logs, refused = state.logs(), state.refused()
    state.close()
    for log in logs:
        click.echo(f"log {log.origin} size {log.seen.size} root {b64(log.seen.root)}")
    click.echo(f"refused {len(refused)} notes, {sum(note.fraud for note in refused)} of them prove fraud")
    for note in refused if evidence else ():
        click.echo(_describe(note))


def _describe(refused: RefusedNote) -> str:
    head = f"at {refused.at_ms} {refused.origin} {refused.status} {refused.reason}{' FRAUD' if refused.fraud else ''}"
    known = "none" if refused.known_note is None else refused.known_note.decode()
    return f"\n{head}\nrefused:\n{refused.note.decode()}known (size {refused.known_size}):\n{known}"
