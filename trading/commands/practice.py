"""``mingbiao practice``: the platform plays everybody but the bidder, so that bidders can practise (ADR 0061).

It needs the worker's settings, a folder of its own for the keys of practice, and the public address. Without it nobody
is offered to practise; nothing else depends on it.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import click
from sqlalchemy.exc import DBAPIError

from trading.commands.context import actor, runtime, telling
from trading.kernel.errors import MingbiaoError
from trading.practice.crew import Crew
from trading.practice.parties import set_up

_FOLDER = click.Path(file_okay=False, path_type=Path)
_state = click.option("--state", "folder", required=True, type=_FOLDER, help="Folder for the keys of practice.")


@click.command("set-up")
@_state
@click.option("--by", "logins", required=True, multiple=True, help="Login of a person of the desk; two of them.")
@telling
def practice_set_up(folder: Path, logins: tuple[str, ...]) -> None:
    """Register the organisations of practice with their keys, which two people of the desk approve."""
    if len(set(logins)) != 2:  # noqa: PLR2004 - P6.2
        raise click.UsageError("--by names two people")
    with runtime() as opened:
        set_up(opened, folder, (actor(opened, logins[0]), actor(opened, logins[1])))
    click.echo("模拟已就绪 / Practice is set up")


@click.command("run")
@_state
@click.option("--url", required=True, help="The public address of the platform.")
@click.option("--every", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="Seconds between rounds.")
@telling
def practice_run(folder: Path, url: str, every: float) -> None:
    """Play agency, supervisor, custodians and station in every practice tender, until stopped."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with runtime() as opened:
        crew = Crew(runtime=opened, folder=folder, url=url)
        while not stopped.is_set():
            _round(crew)
            stopped.wait(every)


def _round(crew: Crew) -> None:
    """Run a round; while the database is away there is nothing to do."""
    try:
        crew.round()
    except (DBAPIError, MingbiaoError) as error:
        logging.getLogger("mingbiao.practice").warning("a round failed: %s", error)
