"""Lamps of legal time limits: red when overdue, yellow when little is left, green otherwise (ux page 17).

Every limit is a row of the edition under which the procedure was published, counted by the working-day calendar; its
article stands beside the lamp. A lamp is computed from recorded acts and one instant, never stored. Nothing here looks
at bids.

* A period lasts until the end of its last day (TIM-04): an act is in time iff ``at < due_at``.
* Yellow: at most ``YELLOW_DAYS`` working days are left, the last day included and today not, or at most a fifth of the
  whole time. Both bounds include the number (TIM-02).
* A year without a published calendar makes the lamp dark, never green (TIM-07).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from trading.kernel.calendar import Days, WorkCalendar, earliest_deadline
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

YELLOW_DAYS: Final = 2  # working days; what the platform warns of, not a legal number
YELLOW_SHARE: Final = 5  # one part in five of the whole time
GRACE_MS: Final = 1_800_000  # an opening begins with its deadline (OPN-01); this long the lamp waits for its order


class State(StrEnum):
    """How a lamp stands, the most urgent first."""

    OVERDUE = "overdue"  # red: the limit has passed and the act has not happened
    DARK = "dark"  # the calendar of a needed year is not published: nothing is guessed
    SOON = "soon"  # yellow
    RUNNING = "running"  # green
    LATE = "late"  # it happened after the limit
    KEPT = "kept"  # it happened in time


class Colour(StrEnum):
    """What the eye sees; word and sign say the same."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    GREY = "grey"


COLOURS: Final = {
    State.OVERDUE: Colour.RED,
    State.DARK: Colour.GREY,
    State.SOON: Colour.YELLOW,
    State.RUNNING: Colour.GREEN,
    State.LATE: Colour.RED,
    State.KEPT: Colour.GREEN,
}
RUNNING: Final = frozenset({State.OVERDUE, State.DARK, State.SOON, State.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One limit that is watched: the row that gives it, which records start it and which one ends it.

    ``starts`` are alternatives: the newest of them counts, so that a report after the ranking starts the period anew.
    ``by`` names the body field that pairs start and end where there are many in one lot (a question and its answer).
    """

    name: str
    key: Key
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    by: str = "lot"


TRACKS: Final = (
    Track(
        name="answer", key=Key.ENQUIRY_ANSWER_WITHIN, starts=("question.asked",), ends=("answer.published",),
        by="question",
    ),
    Track(
        name="award", key=Key.AWARD_DECIDE_WITHIN, starts=("bids.ranked", "evaluation.reported"),
        ends=("award.determined", "lot.failed"),
    ),
    Track(name="result", key=Key.RESULT_NOTICE_WITHIN, starts=("award.determined",), ends=("result.published",)),
    Track(name="contract", key=Key.CONTRACT_SIGN_WITHIN, starts=("result.published",), ends=("contract.signed",)),
    Track(
        name="contract_notice", key=Key.CONTRACT_PUBLISH_WITHIN, starts=("contract.signed",),
        ends=("contract.published",),
    ),
    Track(name="filing", key=Key.CONTRACT_FILE_WITHIN, starts=("contract.signed",), ends=("contract.filed",)),
)  # fmt: skip
#: Whatever ends the procedure or the lot puts out every lamp that still runs.
STOPS: Final = frozenset({"procedure.cancelled", "lot.failed"})
OPENING: Final = "opening"
PREPARATION: Final = "preparation"
OPENING_RULE: Final = "OPN-01"
WATCHED: Final = frozenset(
    {"open.ordered", "tender.published", *STOPS, *(kind for track in TRACKS for kind in (*track.starts, *track.ends))}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One recorded act: its kind, lot (None for the whole procedure), what it is about, instant (ms), commitment."""

    kind: str
    lot: str | None
    at: int
    h: str
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotTimes:
    """The instants of a lot that are no act: its deadline (ms), and whether it still goes on."""

    number: str
    close_at: int | None
    going: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """One limit of one lot. ``due_at`` (ms) is the first instant that is too late; None while it cannot be counted."""

    track: str
    lot: str | None
    state: State
    started_at: int
    due_at: int | None
    done_at: int | None
    key: Key | None
    rule_id: str
    source: str
    h: str | None = None  # of the record that started it

    @property
    def colour(self) -> Colour:
        """Return what the eye sees."""
        return COLOURS[self.state]

    @property
    def running(self) -> bool:
        """Whether the act is still awaited."""
        return self.state in RUNNING


def state_of(started_at: int, due_at: int, done_at: int | None, now: int, calendar: WorkCalendar) -> State:
    """Return how a limit stands at ``now``; instants in ms."""
    if done_at is not None:
        return State.KEPT if done_at < due_at else State.LATE
    if now >= due_at:
        return State.OVERDUE
    if (due_at - now) * YELLOW_SHARE <= due_at - started_at:
        return State.SOON
    return State.SOON if _few_days_left(now, due_at, calendar) else State.RUNNING


def _few_days_left(now: int, due_at: int, calendar: WorkCalendar) -> bool:
    """Whether the last day is at most the second working day after today."""
    day, last, left = calendar.date_of(now), calendar.date_of(due_at - 1), 0
    while day < last and left <= YELLOW_DAYS:
        day += timedelta(days=1)
        left += calendar.is_workday(day)
    return left <= YELLOW_DAYS


def lamps(
    acts: Sequence[Act], lots: Sequence[LotTimes], edition: Edition, regime: Regime, calendar: WorkCalendar, now: int
) -> list[Lamp]:
    """Return every lamp of a published procedure, the most urgent first.

    Args:
        acts: Its recorded acts of the kinds ``WATCHED``, oldest first.
        lots: Its lots.
        edition: Of its publication; a track that it has no row for is not watched.
        regime: Of the procedure.
        calendar: Working days.
        now: ms.
    """
    found = [
        *_preparation(acts, lots, edition, regime, calendar),
        *_openings(acts, lots, now),
        *(lamp for track in TRACKS for lamp in _of_track(track, acts, lots, edition, regime, calendar, now)),
    ]
    order = list(State)
    return sorted(found, key=lambda lamp: (order.index(lamp.state), lamp.due_at or 0, lamp.lot or "", lamp.track))


def _preparation(
    acts: Sequence[Act], lots: Sequence[LotTimes], edition: Edition, regime: Regime, calendar: WorkCalendar
) -> Iterator[Lamp]:
    """Yield whether each deadline leaves bidders the time that the law gives them (DOC-04)."""
    published = next((act for act in acts if act.kind == "tender.published"), None)
    if published is None or not edition.has(Key.BID_PREPARATION_MIN, regime):
        return
    row = edition.row(Key.BID_PREPARATION_MIN, regime)
    for lot in lots:
        if lot.close_at is None:
            continue
        try:
            first = earliest_deadline(published.at, edition.days(Key.BID_PREPARATION_MIN, regime), calendar)
        except RuleBroken:
            state = State.DARK
        else:
            state = State.KEPT if lot.close_at >= first else State.LATE
        yield Lamp(
            track=PREPARATION, lot=lot.number, state=state, started_at=published.at, due_at=lot.close_at,
            done_at=lot.close_at, key=row.key, rule_id=row.rule[0], source=row.source, h=published.h,
        )  # fmt: skip


def _openings(acts: Sequence[Act], lots: Sequence[LotTimes], now: int) -> Iterator[Lamp]:
    """Yield whether each opening began with its deadline (OPN-01); before the deadline there is nothing to watch."""
    for lot in lots:
        if lot.close_at is None or now < lot.close_at:
            continue
        ended = _first(acts, {"open.ordered", *STOPS}, lot.number, since=lot.close_at)
        if ended is None and not lot.going:
            continue
        due_at, done_at = lot.close_at + GRACE_MS, None if ended is None else ended.at
        if done_at is not None:
            state = State.KEPT if done_at < due_at else State.LATE
        else:
            state = State.SOON if now < due_at else State.OVERDUE
        yield Lamp(
            track=OPENING, lot=lot.number, state=state, started_at=lot.close_at, due_at=due_at, done_at=done_at,
            key=None, rule_id=OPENING_RULE, source="", h=None if ended is None else ended.h,
        )  # fmt: skip


def _of_track(
    track: Track, acts: Sequence[Act], lots: Sequence[LotTimes], edition: Edition, regime: Regime,
    calendar: WorkCalendar, now: int,
) -> Iterator[Lamp]:  # fmt: skip
    """Yield the lamps of one track: one for each lot, or for each thing that its records name."""
    if not edition.has(track.key, regime):
        return
    row, period = edition.row(track.key, regime), edition.days(track.key, regime)
    going = {lot.number for lot in lots if lot.going}
    for start, end in _periods(track, acts):
        if end is None and start.lot is not None and start.lot not in going:
            continue
        done_at = None if end is None else end.at
        due_at, state = _due(start.at, period, done_at, now, calendar)
        yield Lamp(
            track=track.name, lot=start.lot, state=state, started_at=start.at, due_at=due_at, done_at=done_at,
            key=row.key, rule_id=row.rule[0], source=row.source, h=start.h,
        )  # fmt: skip


def _due(
    started_at: int, period: Days, done_at: int | None, now: int, calendar: WorkCalendar
) -> tuple[int | None, State]:
    try:
        due_at = calendar.end_of_period(started_at, period)
        return due_at, state_of(started_at, due_at, done_at, now, calendar)
    except RuleBroken:
        return None, State.DARK


def _periods(track: Track, acts: Sequence[Act]) -> list[tuple[Act, Act | None]]:
    """Return each period with the act that ended it; a start while one runs takes its place, one after its end adds."""
    found: dict[str | None, list[tuple[Act, Act | None]]] = {}
    for act in acts:
        thing = act.lot if track.by == "lot" else act.about
        if act.kind in track.starts:
            periods = found.setdefault(thing, [])
            if periods and periods[-1][1] is None:
                periods.pop()
            periods.append((act, None))
        elif act.kind in track.ends:
            for periods in found.values() if thing is None else [found.get(thing, [])]:
                if periods and periods[-1][1] is None:
                    periods[-1] = (periods[-1][0], act)
    return [period for periods in found.values() for period in periods]


def _first(acts: Sequence[Act], kinds: set[str], lot: str, *, since: int) -> Act | None:
    return next((act for act in acts if act.kind in kinds and act.lot in {lot, None} and act.at >= since), None)


def worst(found: Sequence[Lamp]) -> State | None:
    """Return the state of the most urgent lamp that still runs; None if none does."""
    running = [lamp.state for lamp in found if lamp.running]
    return min(running, key=list(State).index, default=None)
