"""The result of one lot: ranking, prices, reasons, award (ux 4.1 page 4). Every number comes from a logged record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, and_, select

from trading.audit.tables import audit_entry
from trading.awards.tables import award
from trading.evaluation.rules.ranking import OTHER_CURRENCY
from trading.evaluation.tables import ranking
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.kernel.money import Rounding, round_exact
from trading.notices.queries import AnyRow
from trading.notices.queries.ceremony import ceremony
from trading.notices.queries.opening import BidRow, Ceremony
from trading.notices.tables import notice
from trading.procedures.rules.criteria import Criterion
from trading.procedures.rules.spec import parse_spec
from trading.procedures.tables import lot, procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One opened bid in the ranking. Money in minor units; ``reason`` is the code why it has no rank.

    ``score`` is the total as ranked; ``means`` holds the members' mean of each criterion, to two decimals for the eye.
    """

    bid: BidRow
    price: int
    evaluated_price: int
    rank: int | None
    reason: str | None
    awarded: bool
    preference: str | None = None
    score: str | None = None
    means: Mapping[str, str] = field(default_factory=dict)

    price_points: str | None = None  # where they are rounded on their own (MET-06)

    @property
    def is_comparable(self) -> bool:
        """Whether the amounts are in the currency of the lot; others mean nothing beside them."""
        return self.reason != OTHER_CURRENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """How equal prices were put in order: the rule, the bids, and the seed anyone can recompute (AWD-10)."""

    rule: str
    seed: str
    bids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result page. ``rows`` by rank, then the bids without one; ``unopened`` are those that did not open.

    ``members`` whose sheets were averaged over ``criteria``; None and empty for a ranking by price.
    """

    ceremony: Ceremony
    currency: str
    ceiling: int | None
    method: str
    edition_id: str
    ranked_h: str
    rows: tuple[Ranked, ...]
    unopened: tuple[BidRow, ...]
    tie: Tie | None
    award_price: int | None
    notice_number: int | None
    published_at: int | None
    members: int | None = None
    criteria: tuple[Criterion, ...] = ()
    workings: Mapping[str, Any] | None = None  # benchmark, coefficients and seed of their draw (MET-06)

    @property
    def quotes(self) -> tuple[Ranked, ...]:
        """The rows whose amounts can be compared."""
        return tuple(row for row in self.rows if row.is_comparable)

    @property
    def awarded(self) -> Ranked | None:
        """Return the row of the award, if it is determined."""
        return next((row for row in self.rows if row.awarded), None)


def result(conn: Connection, reference: str, lot_number: str, stage: str = "all") -> Result:
    """Return the result of one lot.

    Raises:
        NotFound: No such lot, or nothing is ranked yet.
    """
    opened = ceremony(conn, reference, lot_number, stage, acts=False)
    row = _stored(conn, reference, lot_number, stage)
    if row is None or not opened.read_out:
        raise NotFound(f"result of {reference} lot {lot_number}")
    bids = {bid.reference: bid for bid in opened.bids}
    items: Sequence[Mapping[str, Any]] = json.loads(bytes(row.ranked))
    tie = json.loads(bytes(row.tie))
    # Only the record says how many members' sheets a ranking averages, and what was drawn; an older one does not.
    body = loads_object(bytes(row.record))["body"]
    members: int | None = body.get("members")
    rows = sorted(
        (_ranked(each, bids, row, members) for each in items),
        key=lambda each: (each.rank is None, each.rank or 0, each.price),
    )
    return Result(
        ceremony=opened,
        currency=row.currency,
        ceiling=row.ceiling,
        method=row.method,
        edition_id=row.edition_id,
        ranked_h=bytes(row.h).hex(),
        rows=tuple(rows),
        unopened=tuple(bid for bid in opened.bids if bid.reference not in {each["bid"] for each in items}),
        tie=None if tie is None else Tie(rule=tie["rule"], seed=tie["seed"], bids=tuple(tie["bids"])),
        award_price=row.award_price,
        notice_number=row.number,
        published_at=row.published_at,
        members=members,
        criteria=_criteria(row, lot_number) if members else (),
        workings=body.get("workings"),
    )


def _criteria(row: AnyRow, number: str) -> tuple[Criterion, ...]:
    lots = parse_spec(loads_object(bytes(row.spec))).lots
    return next((each.criteria or () for each in lots if each.lot == number), ())


def _means(item: Mapping[str, Any], members: int | None) -> dict[str, str]:
    if not members:
        return {}
    hundredths = {
        line["criterion"]: round_exact(Fraction(line["sum"]) * 100 / members, Rounding.HALF_UP)
        for line in item.get("scores") or ()
    }
    return {name: f"{value // 100}.{value % 100:02d}" for name, value in hundredths.items()}


def _ranked(item: Mapping[str, Any], bids: Mapping[str, BidRow], row: AnyRow, members: int | None) -> Ranked:
    return Ranked(
        bid=bids[item["bid"]],
        price=item["price"],
        evaluated_price=item["evaluated_price"],
        rank=item["rank"],
        reason=item["reason"],
        awarded=row.award_bid == item["bid"],
        preference=item.get("preference"),
        score=item.get("score"),
        means=_means(item, members),
        price_points=item.get("price_points"),
    )


def _stored(conn: Connection, reference: str, lot_number: str, stage: str) -> AnyRow | None:
    of_lot = and_(lot.c.procedure_id == procedure.c.id, lot.c.number == lot_number, lot.c.stage == stage)
    of_award = and_(award.c.procedure_id == procedure.c.id, award.c.lot == lot_number, award.c.stage == stage)
    of_notice = and_(notice.c.procedure_id == procedure.c.id, notice.c.kind == "result")
    query = (
        select(
            ranking.c.method,
            ranking.c["items"].label("ranked"),
            ranking.c.tie,
            ranking.c.h,
            audit_entry.c.record,
            lot.c.currency,
            lot.c.ceiling,
            procedure.c.edition_id,
            procedure.c.spec,
            award.c.bid_reference.label("award_bid"),
            award.c.price.label("award_price"),
            notice.c.number,
            notice.c.published_at,
        )
        .select_from(procedure)
        .join(lot, of_lot)
        .join(
            ranking,
            and_(ranking.c.procedure_id == procedure.c.id, ranking.c.lot == lot_number, ranking.c.stage == stage),
        )
        .join(audit_entry, audit_entry.c.id == ranking.c.entry_id)
        .outerjoin(award, of_award)
        .outerjoin(notice, of_notice)
        .where(procedure.c.reference == reference)
        .order_by(notice.c.number.desc())
        .limit(1)
    )
    return conn.execute(query).one_or_none()
