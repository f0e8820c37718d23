"""The list of procedures and the counts of the home page (ux 4.1 pages 1 and 2). Two queries at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
)

from trading.notices.queries import AnyRow
from trading.notices.rules.progress import Stage
from trading.notices.tables import notice
from trading.openings.tables import opening
from trading.parties.tables import organisation
from trading.procedures.tables import lot, procedure

PAGE_SIZE: Final = 50
PUBLIC_PHASES: Final = ("published", "cancelled")
DAY_MS: Final = 24 * 3600 * 1000
WEEK_DAYS: Final = 7
_RANK: Final = {Stage.OPEN: 1, Stage.OPENING: 2, Stage.RESULT: 3, Stage.ENDED: 4}
_STAGE: Final = {rank: stage for stage, rank in _RANK.items()}
NOW: Final = bindparam("now", type_=lot.c.close_at.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the reader asked for; the whole state of the page, all of it in its address. Pages count from 1."""

    stage: Stage | None = None
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One row of the list. ``close_at`` (ms) is the next deadline of an open lot, else the last that passed."""

    reference: str
    title_zh: str
    title_en: str
    buyer_zh: str
    buyer_en: str
    kind: str
    regime: str
    published_at: int
    close_at: int | None
    lots: int
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One page of the list; ``without_stage`` is how many the text alone finds, asked only when nothing was found."""

    filter: Filter
    total: int
    rows: tuple[Found, ...]
    without_stage: int = 0

    @property
    def pages(self) -> int:
        """Return how many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The four counts of the home page. None of them depends on bids."""

    open_now: int = 0
    closing_today: int = 0
    opened_today: int = 0
    awarded_this_week: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DueOpening:
    """One lot whose deadline, and therefore opening, falls on this day; ``close_at`` in ms."""

    reference: str
    lot: str
    title_zh: str
    title_en: str
    close_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Everything the home page tells."""

    counts: Counts
    openings: tuple[DueOpening, ...]
    newest: tuple[Found, ...]


def _lot_rank() -> ColumnElement[int]:
    """SQL twin of ``STAGE_OF[lot_state(phase, close_at, now)]``; a test holds the two equal."""
    in_time = or_(lot.c.close_at.is_(None), lot.c.close_at > NOW)
    return case(
        (lot.c.phase.in_(("cancelled", "failed")), _RANK[Stage.ENDED]),
        (lot.c.phase.in_(("determined", "concluded", "contracted", "contract_published")), _RANK[Stage.RESULT]),
        (and_(lot.c.phase.in_(("draft", "open")), in_time), _RANK[Stage.OPEN]),
        else_=_RANK[Stage.OPENING],
    )


def _stages() -> CTE:
    """One row a public procedure: its most active stage, its next and last deadline, its number of lots."""
    rank = _lot_rank()
    is_open = rank == _RANK[Stage.OPEN]
    return (
        select(
            procedure.c.id,
            func.min(rank).label("rank"),
            func.min(lot.c.close_at).filter(is_open).label("next_close"),
            func.max(lot.c.close_at).label("last_close"),
            cast(func.count(), Integer).label("lots"),
        )
        .join(lot, lot.c.procedure_id == procedure.c.id)
        .where(procedure.c.phase.in_(PUBLIC_PHASES))
        .group_by(procedure.c.id)
        .cte("stages")
    )


def _found(stages: CTE) -> Select[AnyRow]:
    return (
        select(
            procedure.c.reference,
            procedure.c.title_zh,
            procedure.c.title_en,
            func.coalesce(organisation.c.name_zh, procedure.c.buyer_code).label("buyer_zh"),
            func.coalesce(organisation.c.name_en, procedure.c.buyer_code).label("buyer_en"),
            procedure.c.kind,
            procedure.c.regime,
            func.coalesce(procedure.c.published_at, 0).label("published_at"),
            func.coalesce(stages.c.next_close, stages.c.last_close).label("close_at"),
            stages.c.lots,
            stages.c.rank,
            func.count().over().label("total"),
        )
        .join(stages, stages.c.id == procedure.c.id)
        .outerjoin(organisation, organisation.c.code == procedure.c.buyer_code)
    )


STAGES: Final = _stages()
FOUND: Final = _found(STAGES)
NEXT_FIRST: Final = FOUND.order_by(
    STAGES.c.rank, STAGES.c.next_close, procedure.c.published_at.desc(), procedure.c.reference
)
NEWEST: Final = FOUND.order_by(procedure.c.published_at.desc(), procedure.c.reference).limit(bindparam("most"))


def _matches(text: str) -> list[ColumnElement[bool]]:
    """Every word of the text in a title, the reference or the buyer's name; letters of either case."""
    columns = (
        procedure.c.reference,
        procedure.c.title_zh,
        procedure.c.title_en,
        organisation.c.name_zh,
        organisation.c.name_en,
    )
    return [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in text.split()]


def search(conn: Connection, wish: Filter, now: int, page_size: int = PAGE_SIZE) -> Results:
    """Return one page of what the reader asked for: next deadlines first, then the newest publication."""
    query = NEXT_FIRST.where(*_matches(wish.text))
    if wish.stage is not None:
        query = query.where(STAGES.c.rank == _RANK[wish.stage])
    rows = conn.execute(query.limit(page_size).offset((wish.page - 1) * page_size), {"now": now}).all()
    if rows:
        return Results(filter=wish, total=rows[0].total, rows=tuple(_row(row) for row in rows))
    if wish.page > 1:  # a page that is no more: the list has become shorter since its address was noted
        return search(conn, replace(wish, page=1), now, page_size)
    without = 0
    if wish.stage is not None:
        anywhere = select(func.count()).select_from(FOUND.where(*_matches(wish.text)).subquery())
        without = conn.execute(anywhere, {"now": now}).scalar_one()
    return Results(filter=wish, total=0, rows=(), without_stage=without)


def _row(row: AnyRow) -> Found:
    return Found(
        reference=row.reference,
        title_zh=row.title_zh,
        title_en=row.title_en,
        buyer_zh=row.buyer_zh,
        buyer_en=row.buyer_en,
        kind=row.kind,
        regime=row.regime,
        published_at=row.published_at,
        close_at=row.close_at,
        lots=row.lots,
        stage=_STAGE[row.rank],
    )


def _counts() -> Select[AnyRow]:
    lots = select(func.count()).select_from(lot.join(procedure, procedure.c.id == lot.c.procedure_id))
    is_open = and_(procedure.c.phase == "published", lot.c.phase == "open", lot.c.close_at > NOW)
    ordered = select(func.count()).select_from(opening).where(opening.c.first_ordered_at >= bindparam("day"))
    results = (
        select(func.count())
        .select_from(notice)
        .where(notice.c.kind == "result", notice.c.published_at >= bindparam("week"))
    )
    return select(
        lots.where(is_open).scalar_subquery().label("open_now"),
        lots.where(is_open, lot.c.close_at < bindparam("tomorrow")).scalar_subquery().label("closing_today"),
        ordered.scalar_subquery().label("opened_today"),
        results.scalar_subquery().label("awarded_this_week"),
    )


COUNTS: Final = _counts()
DUE: Final = (
    select(procedure.c.reference, lot.c.number, lot.c.title_zh, lot.c.title_en, lot.c.close_at)
    .join(procedure, procedure.c.id == lot.c.procedure_id)
    .where(
        procedure.c.phase == "published",
        lot.c.close_at >= bindparam("day"),
        lot.c.close_at < bindparam("tomorrow"),
    )
    .order_by(lot.c.close_at, procedure.c.reference, lot.c.number)
    .limit(20)
)


def home(conn: Connection, now: int, day_start: int, newest: int = 5) -> Home:
    """Return the counts of this civil day (it began at ``day_start``, ms), its openings, and the newest notices."""
    day = {"day": day_start, "tomorrow": day_start + DAY_MS}
    week = {"week": day_start - (WEEK_DAYS - 1) * DAY_MS, "now": now}
    counts = conn.execute(COUNTS, day | week).one()
    return Home(
        counts=Counts(**counts._mapping),
        openings=tuple(
            DueOpening(reference=row[0], lot=row[1], title_zh=row[2], title_en=row[3], close_at=row[4])
            for row in conn.execute(DUE, day)
        ),
        newest=tuple(_row(row) for row in conn.execute(NEWEST, {"now": now, "most": newest})),
    )
