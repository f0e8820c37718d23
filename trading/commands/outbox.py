"""``mingbiao outbox``: what waits to be done or published, what fails, and how to try it again.

The log is the outbox (architecture 5): the relay turns entries into errands. Exit 0 when nothing is in trouble, else 1.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

import click

from trading.assembly import ERRANDS, SUBSCRIPTIONS
from trading.audit import errands, relay
from trading.audit.errands import Backlog
from trading.audit.queries import relay_cursors, size
from trading.audit.runtime import Runtime
from trading.commands.context import runtime, telling

_SECOND_MS: Final = 1_000


@click.group("outbox")
def outbox() -> None:
    """See and work off what waits."""


@outbox.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@telling
def show(*, as_json: bool) -> None:
    """Show what waits, how old it is, what fails, and how far each subscriber has come in the log."""
    with runtime() as opened, opened.ledger.read() as conn:
        waiting = errands.backlog(conn, errands.platform_ms(conn))
        behind = {name: size(conn) - n for name, n in relay_cursors(conn).items()}
    click.echo(_as_json(waiting, behind) if as_json else _as_text(waiting, behind))
    raise SystemExit(1 if waiting.troubles else 0)


def _as_json(waiting: Backlog, behind: dict[str, int]) -> str:
    return json.dumps({**asdict(waiting), "entries_behind": behind}, ensure_ascii=False)


def _as_text(waiting: Backlog, behind: dict[str, int]) -> str:
    lines = [
        f"到期 / due: {waiting.due}, {waiting.oldest_ms // _SECOND_MS} s · 以后 / later: {waiting.later}",
        *(f"{name}: {entries} 条未转发 / entries behind" for name, entries in behind.items()),
    ]
    for each in waiting.troubles:
        state = "已停 / parked" if each.parked else "重试中 / trying again"
        lines.append(f"FAIL {each.id} {each.name} ({each.entry_id}): {state}, {each.attempts} × {each.last_error}")
    return "\n".join(lines)


@outbox.command("drain")
@telling
def drain() -> None:
    """Relay the log and run everything that is due, here and now, as a worker does."""
    done = 0
    with runtime() as opened:
        relay.relay(opened, SUBSCRIPTIONS)
        for each in _due(opened):
            try:
                done += errands.run(opened, ERRANDS, each.id)
            except Exception as error:  # noqa: BLE001 - the errand keeps its error; the others are still run
                click.echo(f"FAIL {each.id} {each.name}: {error!r}", err=True)
    click.echo(f"已完成 / done: {done}")


def _due(opened: Runtime) -> list[errands.Errand]:
    with opened.ledger.read() as conn:
        return errands.due(conn, errands.platform_ms(conn))


@outbox.command("retry")
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="Every parked errand.")
@telling
def retry(*, ids: tuple[int, ...], every: bool) -> None:
    """Make parked errands due again, with all their attempts."""
    if bool(ids) == every:
        raise click.UsageError("Name errands, or say --all.")
    with runtime() as opened:
        click.echo(f"重新到期 / due again: {errands.unpark(opened, None if every else ids)}")
