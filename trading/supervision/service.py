"""The supervisor's desk: every lamp of its procedures, by the edition of each and by the working-day calendar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role
from trading.procedures import service as procedures
from trading.rulebook.keys import Regime
from trading.supervision import queries
from trading.supervision.queries import Scope, Watched
from trading.supervision.rules.lamps import Colour, Lamp, LotTimes, State, lamps, worst

_ENDED = frozenset({"failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """One procedure with its lamps, the most urgent first."""

    watched: Watched
    lamps: tuple[Lamp, ...]

    @property
    def running(self) -> tuple[Lamp, ...]:
        """Return the lamps whose act is still awaited."""
        return tuple(lamp for lamp in self.lamps if lamp.running)

    @property
    def worst(self) -> State | None:
        """Return the state of the most urgent one; None if nothing is awaited."""
        return worst(self.lamps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything that a watcher sees at one instant (ms)."""

    procedures: tuple[Supervised, ...]
    now: int

    def queue(self, colour: Colour | None = None) -> list[tuple[Supervised, Lamp]]:
        """Return the running lamps of all procedures, the most urgent first; of one colour if asked."""
        order = list(State)
        rows = [(each, lamp) for each in self.procedures for lamp in each.running]
        rows.sort(key=lambda row: (order.index(row[1].state), row[1].due_at or 0, row[0].watched.row.reference))
        return [row for row in rows if colour is None or row[1].colour is colour]

    def count(self, colour: Colour) -> int:
        """Return how many running lamps have a colour."""
        return len(self.queue(colour))


def scope_of(actor: Actor) -> Scope:
    """Return whose procedures somebody watches: a supervisor its own, auditor and centre all of them (security 9.2)."""
    if actor.roles & {Role.AUDITOR, Role.CENTRE}:
        return Scope(supervisor=None)
    return Scope(supervisor=actor.organisation or "")


def board(conn: Connection, scope: Scope, now: int) -> Board:
    """Return the procedures of a scope with their lamps."""
    found = queries.watched(conn, scope)
    return Board(procedures=tuple(_supervised(conn, found, now)), now=now)


def one(conn: Connection, scope: Scope, reference: str, now: int) -> Supervised:
    """Return one procedure of a scope.

    Raises:
        NotFound: It is not published, or of others.
    """
    found = list(_supervised(conn, queries.watched(conn, scope, reference), now))
    if not found:
        raise NotFound(reference)
    return found[0]


def _supervised(conn: Connection, found: Iterable[Watched], now: int) -> Iterable[Supervised]:
    calendar = procedures.work_calendar(conn)
    for each in found:
        edition = procedures.edition_of(conn, each.row, now)
        lots = [LotTimes(number=lot.number, close_at=lot.close_at, going=lot.phase not in _ENDED) for lot in each.lots]
        yield Supervised(
            watched=each, lamps=tuple(lamps(each.acts, lots, edition, Regime(each.row.regime), calendar, now))
        )
