"""``mingbiao clock-state``: tells the log what chrony says of this host's clock, every minute (TE1 T3).

It runs on the host whose clock it reports, beside chrony. When it is silent for two minutes about the database, the
platform puts that clock on hold: no lot is closed and no window is ended until it speaks again.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import click

from trading.audit import chrony, clocks
from trading.audit.ledger import Ledger
from trading.audit.rules.clocks import DATABASE_HOST, HOSTS
from trading.commands.context import runtime, telling
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Actor

EVERY_S: Final = 60.0
_ACTOR: Final = Actor.system("clock")
_log = logging.getLogger("mingbiao.clock-state")


@click.command("clock-state")
@click.option("--host", type=click.Choice(HOSTS), default=DATABASE_HOST, help="Whose clock this is.")
@click.option("--chronyc", default="chronyc", help="The program, with words that say where its daemon listens.")
@click.option("--once", is_flag=True, help="Report once; exit 1 if chrony gives no answer.")
@telling
def clock_state(host: str, chronyc: str, *, once: bool) -> None:
    """Record the state of this host's clock, until stopped."""
    logging.basicConfig(level=logging.INFO)
    with runtime() as opened:
        if opened.demo:
            raise InvalidInput("clock.is_demo", "a demonstration moves its time on; its clock tells nothing")
        while not report(opened.ledger, host, chronyc.split()) or not once:
            if once:
                raise SystemExit(1)
            time.sleep(EVERY_S)


def report(ledger: Ledger, host: str, command: list[str]) -> bool:
    """Report once; return whether chrony answered and the report is recorded."""
    try:
        clocks.report(ledger, _ACTOR, host, chrony.ask(command))
    except (chrony.ChronyUnavailable, RuleBroken) as error:  # the platform notices the silence by itself
        _log.error("no clock state: %s", error)
        return False
    return True
