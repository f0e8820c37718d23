"""``mingbiao contributor key | trust | list | commit | reveal | confirm | serve`` (ED1 D1).

Results are one line of JSON on standard output; what a person reads goes to standard error. Exit codes: 0 done,
1 refused or a check failed, 2 wrong usage, or not possible yet: try again.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Any, Final

import click

from agents import passphrases
from agents.contributor import acts, serving
from agents.contributor.desk import VAULT_FILE, Desk, create_desk, open_desk
from agents.contributor.package import read_package
from agents.contributor.platform import Platform
from agents.http import Refused, Unreachable, require_base
from agents.pinning import pin_trust
from agents.signing import load_signer, read_document
from agents.words import Stopped, Unfinished, demo_banner, reporting, warn, words
from trading.crypto.vault import is_encrypted
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import Clock, ShiftedClock, SystemClock
from trading.kernel.errors import InvalidInput, MingbiaoError
from trading.kernel.signed import SignedDocument

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT: Final = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)
_NOT_YET: Final = frozenset({"draw.not_logged", "draw.not_witnessed", "trust.missing"})
_VARIABLE: Final = passphrases.KEY_VARIABLE
_MAX_PACKAGE: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Options of the group: where the contributor lives and which clock it has."""

    directory: Path
    passphrase_file: Path | None
    shift_file: Path | None

    def open(self) -> Desk:
        """Open the contributor, asking for its passphrase if it has one."""
        clock: Clock = SystemClock() if self.shift_file is None else ShiftedClock(self.shift_file)
        phrase = None
        if is_encrypted(self.directory / VAULT_FILE):
            phrase = passphrases.existing(self.passphrase_file, _VARIABLE, "参与方", "the contributor")
        desk = open_desk(self.directory, phrase, clock)
        pinned = desk.pinned.current()
        if pinned is not None and pinned.demo:
            demo_banner()
        elif pinned is not None and self.shift_file is not None:
            raise InvalidInput("clock.shifted", "only a contributor of a demo log takes a shifted clock (P13)")
        return desk


_pass_where = click.make_pass_decorator(Where)
_draw = click.option("--draw", required=True, help="Id of the draw, D-….")
_attempt = click.option("--attempt", type=click.IntRange(1), default=1, show_default=True)
_yes = click.option("--yes", is_flag=True, help="Do not ask; what is signed is still read out.")
_out = click.option(
    "--out", type=_OUT, help="Write the signed document here and send nothing: it is handed in otherwise."
)


@click.group("contributor")
@click.option("--state", "directory", required=True, type=_DIRECTORY, help="State directory, mode 0700.")
@click.option("--passphrase-file", type=_FILE, help=f"First line, mode 0600; or {_VARIABLE}; or the prompt.")
@click.option("--shift-file", type=_OUT, help="Demonstration only: file with the shift of the clock in ms.")
@click.pass_context
def main(ctx: click.Context, directory: Path, passphrase_file: Path | None, shift_file: Path | None) -> None:
    """抽取参与方: give one random number to a draw of experts, sealed first and revealed after everybody's is in."""
    # A crash must not write keys or numbers to disk (P10).
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctx.obj = Where(directory=directory, passphrase_file=passphrase_file, shift_file=shift_file)


@contextmanager
def _working() -> Iterator[None]:
    """Turn what the platform or the rules refuse into a message and an exit code."""
    kept_zh, kept_en = "已签署的文件都在", "what was signed is kept"
    with reporting(kept_zh, kept_en):
        try:
            yield
        except Refused as error:
            again = error.status in {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS} or error.status >= 500  # noqa: PLR2004
            kind = Unfinished if again else Stopped
            raise kind(f"平台：{error}；{kept_zh}", f"Platform: {error}; {kept_en}") from error
        except Unreachable as error:
            raise Unfinished(f"平台没有答复：{error}；{kept_zh}", f"No answer: {error}; {kept_en}") from error
        except MingbiaoError as error:
            if error.code in _NOT_YET:
                raise Unfinished(f"{error}；{kept_zh}", f"{error}; {kept_en}") from error
            raise


def _show(value: Mapping[str, Any]) -> None:
    click.echo(dumps(dict(value)).decode())


def _confirm(*, yes: bool) -> acts.Confirm:
    def ask(text: str) -> None:
        click.echo(text, err=True)
        if not yes and not click.confirm(words("签署？", "Sign?"), err=True):
            raise Stopped("没有签署", "Nothing was signed")

    return ask


@main.command("key")
@click.option("--api", required=True, help="Address of the platform: https, or http on this machine.")
@click.option("--name", required=True, help="Name of the organisation, exactly as in the trust file.")
@click.option(
    "--key", "key_file", type=_FILE, help="An existing key of role contributor; by default a new one is made."
)
@click.option("--trust", "trust_file", type=_FILE, help="Trust file, wire form or bare document (P8).")
@click.option("--no-passphrase", is_flag=True, help="Demo mode only: the key lies in clear.")
@_pass_where
def key(
    where: Where, api: str, name: str, key_file: Path | None, trust_file: Path | None, *, no_passphrase: bool
) -> None:
    """Make the state directory and the key of role contributor; prints the key id to enrol."""
    with _working():
        phrase = None
        if no_passphrase:
            warn("密钥未加密，只可用于演示", "The key is not encrypted; for demonstrations only")
        else:
            phrase = passphrases.new(where.passphrase_file, _VARIABLE, "参与方", "the contributor")
        existing = None if key_file is None else load_signer(key_file, None)
        kid = create_desk(where.directory, api=require_base(api), name=name, passphrase=phrase, key=existing)
        if trust_file is not None:
            pin_trust(where.directory, read_document(trust_file))
        _show({"kid": kid, "name": name, "role": "contributor"})


@main.command("trust")
@click.option("--file", "trust_file", required=True, type=_FILE, help="A later one is signed by the supervisor.")
@_pass_where
def trust(where: Where, trust_file: Path) -> None:
    """Pin a trust file, or a later one that the supervisor of the pinned one has signed (P8)."""
    with _working():
        pinned = pin_trust(where.directory, read_document(trust_file))
        _show({"origin": pinned.origin, "seq": pinned.seq, "trust_sha256": pinned.sha256})


@main.command("list")
@_pass_where
def listed(where: Where) -> None:
    """List the draws that name this key."""
    with _working():
        _show({"draws": Platform(where.open()).draws()})


@main.command("commit")
@_draw
@_attempt
@click.option(
    "--package", "package_file", type=_FILE, help="Package of the attempt from a file, not from the platform."
)
@click.option("--again", is_flag=True, help="Draw another number; the last accepted contribution counts.")
@_out
@_yes
@_pass_where
def commit(
    where: Where, draw: str, attempt: int, package_file: Path | None, out: Path | None, *, again: bool, yes: bool
) -> None:
    """Check the spec and commit a fresh random number to it; the number stays on this machine."""
    with _working():
        desk = where.open()
        body = (
            Platform(desk).package(draw, attempt)
            if package_file is None
            else loads_object(package_file.read_bytes(), _MAX_PACKAGE)
        )
        package = read_package(desk, body)
        if (package.spec.draw, package.spec.attempt) != (draw, attempt):
            raise InvalidInput("draw.other_spec", "the package is of another draw or attempt")
        signed = acts.contribute(desk, package, _confirm(yes=yes), again=again)
        told = {"contribution_sha256": signed.sha256, "party": package.party.id, "spec_sha256": package.spec.sha256}
        _show({**told, **_hand_in(desk, draw, attempt, signed, out)})


def _hand_in(desk: Desk, draw: str, attempt: int, signed: SignedDocument, out: Path | None) -> dict[str, Any]:
    if out is not None:
        out.write_bytes(signed.wire_bytes())
        return {"file": str(out), "state": "written"}
    return serving.send(desk, Platform(desk), draw, attempt, signed)


@main.command("reveal")
@_draw
@_attempt
@click.option("--seal", "seal_file", type=_FILE, help="Receipt of draw.sealed from a file, not from the platform.")
@_out
@_pass_where
def reveal(where: Where, draw: str, attempt: int, seal_file: Path | None, out: Path | None) -> None:
    """Reveal the number, once the list that contains it is sealed and witnessed; one seal per attempt is answered."""
    with _working():
        desk = where.open()
        proof = seal_file.read_bytes() if seal_file is not None else serving.fetch_seal(Platform(desk), draw, attempt)
        signed = acts.reveal(desk, draw, attempt, proof)
        _show({"reveal_sha256": signed.sha256, **_hand_in(desk, draw, attempt, signed, out)})


@main.command("confirm")
@_draw
@_attempt
@click.option("--outcome", "outcome_file", type=_FILE, help="Outcome from a file, not from the platform.")
@_pass_where
def confirm(where: Where, draw: str, attempt: int, outcome_file: Path | None) -> None:
    """Compare the published seal and final document with the one answered; a second seal ends with exit code 1."""
    with _working():
        desk = where.open()
        outcome = (
            Platform(desk).outcome(draw, attempt)
            if outcome_file is None
            else loads_object(outcome_file.read_bytes(), _MAX_PACKAGE)
        )
        found = acts.confirm(desk, draw, attempt, outcome)
        told = {"counted": found.counted, "seed": found.seed, "void": list(found.void)}
        _show({**told, "attempt": attempt, "draw": draw, "sealed_h": found.sealed_h})


@main.command("evidence")
@_draw
@_attempt
@click.option("--out", required=True, type=_DIRECTORY, help="Directory.")
@_pass_where
def evidence(where: Where, draw: str, attempt: int, out: Path) -> None:
    """Write what proves how a draw was run: own contributions, the seal answered, other seals and specs shown."""
    with _working():
        files = acts.evidence(where.open(), draw, attempt)
        out.mkdir(exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
        _show({"files": sorted(files), "out": str(out)})


@main.command("serve")
@click.option("--interval", type=click.FloatRange(0.05, 3600), default=5.0, show_default=True, help="Seconds.")
@click.option("--auto-commit", is_flag=True, help="Commit without a person; otherwise only reveals are automatic.")
@_pass_where
def serve(where: Where, interval: float, *, auto_commit: bool) -> None:
    """Watch the platform until SIGTERM: reveal and confirm what was committed, by itself and in time."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _working():
        server = serving.Server(desk=where.open(), auto_commit=auto_commit, say=_show)
        require_base(server.desk.api)
    warn(f"参与方 {server.desk.name} 已启动", f"Contributor {server.desk.name} is running")
    said = ""
    while not stop.wait(interval):
        told = _trouble(server.round)
        if told and told != said:
            warn(f"平台：{told}", f"Platform: {told}")
        said = told


def _trouble(act: Callable[[], None]) -> str:
    """Return what went wrong, or an empty text; the next round tries again."""
    try:
        act()
    except MingbiaoError as error:
        return str(error)
    return ""
