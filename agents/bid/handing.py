"""``mingbiao bid hand-over``: the sealed version goes to the supervisor's intake (SB1 S7.6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from agents import passphrases
from agents.bid import intake, shown
from agents.bid.platform import Refused, Unreachable
from agents.bid.workdir import WorkDir
from agents.signing import load_signer
from agents.words import Stopped, Unfinished, reporting
from trading.kernel.errors import NotFound

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("hand-over")
@click.option("--dir", "directory", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--key", "key_file", required=True, type=_FILE, help="The bidder's signing key.")
@click.option("--passphrase-file", type=_FILE, help=f"Of the key; or {passphrases.KEY_VARIABLE}.")
@click.option("--intake", "address", help="Address of the intake; by default https:// and its name in the schedule.")
@click.option("--held", multiple=True, type=click.Choice(["main", "price"]), help="Part that the platform has stored.")
def hand_over(
    directory: Path, key_file: Path, passphrase_file: Path | None, address: str | None, held: tuple[str, ...]
) -> None:
    """Hand the sealed version to the supervisor's intake before the deadline, if the platform refuses or is away."""
    with reporting("密封的版本仍在，可再次递交", "the sealed version is kept; hand it over again"), _refusals():
        work = WorkDir(directory)
        shown.demo(work.trust)
        with work.locked():
            version = work.pending() or work.refused() or work.handed_over()
            if version is None:
                raise NotFound("nothing is waiting to be handed over; run: mingbiao bid seal")
            shown.deadline_passed(work)
            named, signer = intake.intake_of(work), load_signer(key_file, passphrase_file)
            result = intake.hand_over(work, version, signer, intake.address_of(named, address), held)
            shown.handed_over(result, named.origin)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise Stopped(
            f"接收点拒收（{error.code}）；密封的版本仍在",
            f"The intake refuses ({error.code}); the sealed version is kept",
        ) from error
    except Unreachable as error:
        raise Unfinished(f"接收点没有答复：{error}", f"The intake does not answer: {error}") from error
