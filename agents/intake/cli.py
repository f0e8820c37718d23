"""``mingbiao intake new | serve | list``: the supervisor's intake, a program of its own on the supervisor's machine.

It needs the trust file, its own two keys (of its log, and in the role supervisor for its lists) and the witnesses, and
nothing of the platform. A shifted clock serves a demonstration alone (P13).
"""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

import click

from agents.intake.log import IntakeLog
from agents.intake.office import Office
from agents.intake.server import IntakeServer
from agents.intake.state import IntakeState
from agents.logkeys import log_vkey
from agents.signing import load_signer, read_document
from agents.words import Stopped, reporting, say
from trading.audit.rules.note import check_key_name
from trading.audit.rules.policy import parse_policy
from trading.audit.sequencer.writer import LogSigner
from trading.bids.rules.intake import MAX_ANSWER, Obtained
from trading.bids.rules.policy import parse_policy as parse_opening_policy
from trading.bids.rules.schedule import Intake
from trading.bids.rules.trust import parse_trust
from trading.crypto.files import read_secret
from trading.crypto.keyfiles import load_note_seed, new_note_seed
from trading.kernel.canonical import dumps
from trading.kernel.clock import Clock, ShiftedClock, SystemClock
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.durable import replace_file
from trading.storage.intake import IntakeAddress, IntakeAway, IntakeLacks
from trading.storage.local import LocalStore
from trading.storage.streams import expecting

LOG_KEY: Final = "log.key"
_LEAST_TOKEN: Final = 32
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_STATE = click.option("--state", "directory", required=True, type=_FOLDER, help="The folder of this intake.")
_TOKEN = click.option("--token-file", required=True, type=_FILE, help="The platform's token, mode 0600.")


@click.group("intake")
def main() -> None:
    """监管接收点: take sealed bids that the platform refuses or that cannot reach it, before their deadline."""


@main.command("new")
@_STATE
@click.option("--origin", required=True, help="Name of its log: a schema-less URL of the supervisor's.")
def new(directory: Path, origin: str) -> None:
    """Make an intake: the key of its log and its memory belong together for ever. Prints the vkey."""
    with reporting():
        check_key_name(origin)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        vkey = log_vkey(origin, new_note_seed(directory / LOG_KEY))
        IntakeState.create(directory, vkey)
    click.echo(vkey)


def open_office(
    directory: Path, trust_file: Path, key: Path, passphrase_file: Path | None, shift_file: Path | None
) -> Office:
    """Load keys, memory, log and parts of an intake, and see that they belong together.

    Raises:
        IntegrityFailure: They do not.
        InvalidInput: ``key.other_role``: the trust file does not know the key that signs lists as the supervisor's.
    """
    trust = parse_trust(read_document(trust_file).doc)
    state, signer = IntakeState(directory), load_signer(key, passphrase_file)
    origin, _, _ = state.vkey.partition("+")
    seed = load_note_seed(directory / LOG_KEY)
    if log_vkey(origin, seed) != state.vkey:
        raise IntegrityFailure(f"{directory / LOG_KEY} is not the key whose memory stands beside it")
    institution = trust.institution(signer.kid)
    if institution is None or institution.role != "supervisor":
        raise InvalidInput("key.other_role", f"{key} is not a supervisor's key by the trust file")
    if shift_file is not None and not trust.demo:
        raise InvalidInput("intake.bad_clock", "a shifted clock serves a demonstration alone")
    clock: Clock = SystemClock() if shift_file is None else ShiftedClock(shift_file)
    log = IntakeLog(directory, LogSigner(origin, seed), state, parse_policy(trust.log_policy), clock)
    own = Intake(origin=origin, vkey=state.vkey)
    parts = LocalStore(directory / "parts")
    return Office(own=own, trust=trust, signer=signer, state=state, log=log, parts=parts, clock=clock)


def _token(path: Path) -> str:
    token = read_secret(path).decode().strip()
    if len(token) < _LEAST_TOKEN:
        raise InvalidInput("intake.weak_token", f"{path} has less than {_LEAST_TOKEN} characters")
    return token


@main.command("serve")
@_STATE
@click.option("--trust", "trust_file", required=True, type=_FILE, help="The trust file (mb.trust).")
@click.option("--key", required=True, type=_FILE, help="Document key in the role supervisor; it signs lists.")
@click.option("--passphrase-file", type=_FILE)
@_TOKEN
@click.option("--listen", default="127.0.0.1:7501", show_default=True, help="Address and port; TLS is a proxy's work.")
@click.option(
    "--shift-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Demonstration only: file with the shift of the clock in ms.",
)
def serve(
    directory: Path,
    trust_file: Path,
    key: Path,
    passphrase_file: Path | None,
    token_file: Path,
    listen: str,
    shift_file: Path | None,
) -> None:
    """Take envelopes and parts, and tell the platform what was taken, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    address = urlsplit(f"//{listen}")
    if address.hostname is None or address.port is None:
        raise click.UsageError("--listen is HOST:PORT")
    with reporting():
        token = _token(token_file)
        office = open_office(directory, trust_file, key, passphrase_file, shift_file)
    try:
        with IntakeServer((address.hostname, address.port), office, token) as server:
            for number in (signal.SIGTERM, signal.SIGINT):
                # shutdown waits for the serving loop, which runs in this very thread, so another one must call it.
                signal.signal(number, lambda *_: Thread(target=server.shutdown).start())
            click.echo(f"{office.own.origin} listens on {server.server_address[0]!s}:{server.server_address[1]}")
            server.serve_forever(poll_interval=0.2)
    finally:
        office.close()


@main.command("list")
@click.option(
    "--url", required=True, help="Address of this intake, on this machine or inside the supervisor's network."
)
@_TOKEN
@click.option("--policy", required=True, type=_FILE, help="Opening policy of the lot (sb1.policy).")
@click.option(
    "--schedule", "schedules", required=True, multiple=True, type=_FILE, help="Every schedule, the first first."
)
@click.option("--out", required=True, type=_FOLDER, help="Folder to carry to the platform (INTAKE_URL=file:///…).")
def listed(url: str, token_file: Path, policy: Path, schedules: tuple[Path, ...], out: Path) -> None:
    """Write the signed list of a lot, with every envelope and part, for a platform that this network does not reach."""
    with reporting("没有写出任何文件", "nothing was written"):
        opening = parse_opening_policy(read_document(policy).doc)
        question = {
            "lot": opening.lot,
            "policy_sha256": opening.sha256,
            "schedules": [read_document(path).wire() for path in schedules],
            "stage": opening.stage,
        }
        carrier = IntakeAddress(url=url, token=_token(token_file))
        try:
            answer = carrier.list_of(opening.sha256, dumps(question), MAX_ANSWER)
            count = _write(carrier, Obtained.read(answer), opening.sha256, out)
        except IntakeAway as error:
            raise Stopped(f"接收点没有给出清单：{error}", f"The intake gave no list: {error}") from error
    say(f"清单已写出：{out}，{count} 份投标信封", f"List written: {out}, {count} envelopes")


def _write(carrier: IntakeAddress, obtained: Obtained, policy_sha256: str, out: Path) -> int:
    """Write parts first and the list last: a platform that sees the list finds everything on it."""
    (out / "parts").mkdir(mode=0o700, parents=True, exist_ok=True)
    for handed in obtained.handed:
        for part in handed.envelope.parts:
            target = out / "parts" / f"{part.sha256}.age"
            try:
                with carrier.part(part.sha256) as source, target.open("wb") as file:
                    stream = expecting(source, part.sha256)
                    while chunk := stream.read(1024 * 1024):
                        file.write(chunk)
            except IntakeLacks:
                continue  # the platform has it: its bidder said so
    replace_file(out / f"{policy_sha256}.json", dumps(obtained.wire()), durable=True)
    return len(obtained.handed)
