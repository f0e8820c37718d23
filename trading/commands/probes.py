"""``mingbiao probe open``: opens the hidden lot of a vantage point (TE1 T6, ADR 0054).

Its organisation, account and key come about like those of every bidder: registered and approved by two people of the
desk (P6.2). Whoever keeps the vantage point keeps the key; what this writes is carried there.
"""

from __future__ import annotations

from pathlib import Path

import click

from agents.probe.state import Identity, ProbeState
from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.bids import probing
from trading.bids.rules.outages import VANTAGES
from trading.commands.context import actor, runtime, telling

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SCOPES = ("write:bids", "read:own")


@click.command("open")
@click.option("--vantage", required=True, type=click.Choice(VANTAGES))
@click.option(
    "--as", "login", required=True, help="Login of the synthetic bidder, whose organisation bids for nothing."
)
@click.option(
    "--state", "directory", required=True, type=_FOLDER, help="Gets probe.json and token; bidder.key is added."
)
@telling
def open_probe(vantage: str, login: str, directory: Path) -> None:
    """Open the hidden lot of a vantage point; ``mingbiao probe run`` then measures from there."""
    with runtime() as opened:
        identity, token = open_for(opened, vantage, login)
    ProbeState.create(directory, identity, token)
    click.echo(f"自测标段已设立 / The probe's lot is open: {vantage} {identity.tender}")


def open_for(opened: Runtime, vantage: str, login: str) -> tuple[Identity, str]:
    """Return who the synthetic bidder is that has this login, and a new bearer token; its lot is open from now on.

    Raises:
        Conflict: Another organisation has the vantage point, or this one another.
        NotFound: No such account.
    """
    lot = probing.open_lot(opened.ledger, actor(opened, login), vantage)
    identity = Identity(**lot.told(), origin=opened.origin, log_policy=opened.witness_policy)
    return identity, accounts.issue_token(opened.ledger, login, SCOPES)
