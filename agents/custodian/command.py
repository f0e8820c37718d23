"""``mingbiao custodian``: the group, its options, and what its commands share.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong usage or something needed is missing.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from agents import passphrases
from agents.custodian import words as spoken
from agents.custodian.agent import Agent, open_agent
from agents.words import Stopped, Unfinished, demo_banner, reporting, say, words
from trading.crypto.vault import is_encrypted
from trading.kernel.canonical import dumps
from trading.kernel.clock import Clock, ShiftedClock, SystemClock
from trading.kernel.errors import InvalidInput, MingbiaoError

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)
_MISSING: Final = frozenset({"job.incomplete", "job.stale", "trust.missing", "busy"})
VARIABLE: Final = passphrases.KEY_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Options of the group: where the agent lives and which clock it has."""

    directory: Path
    passphrase_file: Path | None
    shift_file: Path | None

    def clock(self) -> Clock:
        """Return the host's clock, or the shifted one of demo mode."""
        return SystemClock() if self.shift_file is None else ShiftedClock(self.shift_file)

    def open(self) -> Agent:
        """Open the agent, asking for its passphrase if it has one."""
        phrase = None
        if is_encrypted(self.directory / "vault"):
            phrase = passphrases.existing(self.passphrase_file, VARIABLE, "保管方", "the custodian agent")
        agent = open_agent(self.directory, phrase, self.clock())
        pinned = agent.pinned.current()
        if pinned is not None and pinned.demo:
            demo_banner()
        elif pinned is not None and self.shift_file is not None:
            raise InvalidInput("clock.shifted", "only an agent of a demo log takes a shifted clock (P13)")
        return agent


pass_where = click.make_pass_decorator(Where)
out_option = click.option("--out", required=True, type=OUT_FILE, help="Answer file: {doc, sigs}.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask; what is signed is still read out.")


@click.group("custodian")
@click.option("--state", "directory", required=True, type=_DIRECTORY, help="State directory of the agent, mode 0700.")
@click.option("--passphrase-file", type=FILE, help=f"First line, mode 0600; or {VARIABLE}; or the prompt.")
@click.option(
    "--shift-file",
    "--demo-shift",
    "shift_file",
    type=OUT_FILE,
    help="Demonstration only: file with the shift of the clock in ms.",
)
@click.pass_context
def main(ctx: click.Context, directory: Path, passphrase_file: Path | None, shift_file: Path | None) -> None:
    """开标密钥保管方: keep one share key per lot, answer only after the deadline, once, for all bids."""
    # A crash must not write keys to disk (P10).
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctx.obj = Where(directory=directory, passphrase_file=passphrase_file, shift_file=shift_file)


def confirm(*, yes: bool) -> spoken.Confirm:
    """Return what reads out and asks; a "no" stops before anything is signed."""

    def ask(text: str) -> None:
        click.echo(text)
        if not yes and not click.confirm(words("签署？", "Sign?")):
            raise Stopped("没有签署", "Nothing was signed")

    return ask


def perform(act: Callable[[], None]) -> None:
    """Run a command's work; what is missing ends with exit code 2, a refusal with 1."""
    with reporting("没有签署任何文件", "nothing was signed"):
        try:
            act()
        except MingbiaoError as error:
            if error.code in _MISSING:
                raise Unfinished(f"{error}；没有签署任何文件", f"{error}; nothing was signed") from error
            raise


def write(path: Path, content: dict[str, Any]) -> None:
    """Write an answer file."""
    path.write_bytes(dumps(content))
    say(f"答复文件：{path}", f"Answer: {path}")
