"""The indicators: what each counts, over what, what it leaves out and why. Everything is exact.

An indicator looks at one procedure and yields what it counts, each with the instant that says in which month it stands:
a numerator and a denominator, or the reason why something is left out. Figures of any selection are sums of these, so
the months of a year add up to the year. A denominator of nought has no value; it is never taken for nought.

Definitions follow the European Court of Auditors (special report 28/2023) where it has one: share of procedures with a
single bid, bidders per procedure, days to award, direct awards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from trading.statistics.rules.facts import Lot, Tender

DAY_MS: Final = 86_400_000
_CURRENCY: Final = "CNY"

Unit: TypeAlias = Literal["count", "ratio", "share", "days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Something counted at ``at`` (ms), or left out for a reason: then both numbers are nought."""

    at: int
    numerator: int = 0
    denominator: int = 0
    reason: str | None = None


Counting: TypeAlias = Callable[[Tender], Iterator[Counted]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator with its definition in both languages; ``month`` says by what a month is chosen."""

    code: str
    unit: Unit
    counting: Counting
    title: tuple[str, str]
    numerator: tuple[str, str]
    denominator: tuple[str, str]
    month: tuple[str, str]

    def value(self, numerator: int, denominator: int) -> Fraction | None:
        """Return the exact value; None where nothing stands below the line. Days are days, shares parts of one."""
        if self.unit == "count":
            return Fraction(numerator)
        if denominator == 0:
            return None
        return Fraction(numerator, denominator * (DAY_MS if self.unit == "days" else 1))


def tenders(tender: Tender) -> Iterator[Counted]:
    """Count each published procedure once."""
    if tender.published_at is not None:
        yield Counted(at=tender.published_at, numerator=1, denominator=1)


def bidders(tender: Tender) -> Iterator[Counted]:
    """Count the bids of each opened lot."""
    for lot, at, bids in _opened(tender):
        yield _uncounted(lot, at) if bids is None else Counted(at=at, numerator=bids, denominator=1)


def single_bid(tender: Tender) -> Iterator[Counted]:
    """Count opened lots with exactly one bid among those with at least one."""
    for lot, at, bids in _opened(tender):
        if bids is None:
            yield _uncounted(lot, at)
        elif bids == 0:
            yield Counted(at=at, reason="no_bid")
        else:
            yield Counted(at=at, numerator=int(bids == 1), denominator=1)


def days_to_award(tender: Tender) -> Iterator[Counted]:
    """Add up the time from the first publication to the award of each awarded lot, in ms."""
    for lot in tender.lots:
        if lot.status != "complete" or lot.ended_at is None:
            continue
        if tender.published_at is None or lot.ended_at < tender.published_at:
            yield Counted(at=lot.ended_at, reason="no_publication")
        else:
            yield Counted(at=lot.ended_at, numerator=lot.ended_at - tender.published_at, denominator=1)


def savings(tender: Tender) -> Iterator[Counted]:
    """Add up ceiling less price over ceiling, in minor units of CNY."""
    for lot in tender.lots:
        if lot.status != "complete" or lot.ended_at is None:
            continue
        if lot.ceiling is None or lot.ceiling <= 0:
            yield Counted(at=lot.ended_at, reason="no_ceiling")
        elif lot.price is None:
            yield Counted(at=lot.ended_at, reason="no_price")
        elif lot.currency != _CURRENCY:
            yield Counted(at=lot.ended_at, reason="other_currency")
        else:
            yield Counted(at=lot.ended_at, numerator=lot.ceiling - lot.price, denominator=lot.ceiling)


def complaints(tender: Tender) -> Iterator[Counted]:
    """Count the complaints about each published procedure whose releases tell of complaints at all."""
    if tender.published_at is None:
        return
    if tender.complaints is None:
        yield Counted(at=tender.published_at, reason="not_told")
    else:
        yield Counted(at=tender.published_at, numerator=tender.complaints, denominator=1)


def failed(tender: Tender) -> Iterator[Counted]:
    """Count failed lots among those that ended with an award or a failure."""
    for lot in tender.lots:
        if lot.status in {"complete", "unsuccessful"} and lot.ended_at is not None:
            yield Counted(at=lot.ended_at, numerator=int(lot.status == "unsuccessful"), denominator=1)
        elif lot.status == "cancelled" and tender.published_at is not None:
            yield Counted(at=tender.published_at, reason="cancelled")


def direct(tender: Tender) -> Iterator[Counted]:
    """Count procedures awarded without a call among all that were published."""
    if tender.published_at is not None:
        yield Counted(at=tender.published_at, numerator=int(tender.is_direct), denominator=1)


def _opened(tender: Tender) -> Iterator[tuple[Lot, int, int | None]]:
    """Yield lots whose opening is complete: before it nobody knows of bids, and nothing is counted (NOT-36)."""
    for lot in tender.lots:
        if lot.opened_at is not None:
            yield lot, lot.opened_at, lot.bids


def _uncounted(_lot: Lot, at: int) -> Counted:
    return Counted(at=at, reason="no_count")


_PUBLISHED: Final = ("首次发布采购公告的时间", "first publication of the tender notice")
_OPENING: Final = ("开标完成的时间", "completion of the opening")
_DECIDED: Final = ("定标或流标的时间", "award or failure of the lot")
_LOTS_AWARDED: Final = ("已定标的标段（包）", "awarded lots")

INDICATORS: Final = (
    Indicator(
        code="tenders",
        unit="count",
        counting=tenders,
        title=("发布项目数", "Tenders published"),
        numerator=("发布过采购公告的项目，每个项目计一次", "procedures with a published tender notice, each once"),
        denominator=("无", "none"),
        month=_PUBLISHED,
    ),
    Indicator(
        code="bidders",
        unit="ratio",
        counting=bidders,
        title=("平均投标人数", "Bidders per lot"),
        numerator=("已开标标段（包）的投标份数", "bids of opened lots"),
        denominator=("已开标的标段（包）", "opened lots"),
        month=_OPENING,
    ),
    Indicator(
        code="single_bid",
        unit="share",
        counting=single_bid,
        title=("单一投标占比", "Share with a single bid"),
        numerator=("恰有一份投标的已开标标段（包）", "opened lots with exactly one bid"),
        denominator=("至少有一份投标的已开标标段（包）", "opened lots with at least one bid"),
        month=_OPENING,
    ),
    Indicator(
        code="days_to_award",
        unit="days",
        counting=days_to_award,
        title=("从公告到定标的平均天数", "Days from notice to award"),
        numerator=("每个已定标标段（包）从首次公告到定标的时间之和，毫秒", "time from notice to award, summed, ms"),
        denominator=_LOTS_AWARDED,
        month=_DECIDED,
    ),
    Indicator(
        code="savings",
        unit="share",
        counting=savings,
        title=("节约率", "Savings against the ceiling"),
        numerator=("最高限价减成交价，合计，分", "price ceiling less price, summed, in fen"),
        denominator=("这些标段（包）的最高限价合计，分", "price ceilings of these lots, summed, in fen"),
        month=_DECIDED,
    ),
    Indicator(
        code="failed",
        unit="share",
        counting=failed,
        title=("流标占比", "Share of failed lots"),
        numerator=("流标的标段（包）", "failed lots"),
        denominator=("已定标和流标的标段（包）", "awarded and failed lots"),
        month=_DECIDED,
    ),
    Indicator(
        code="direct",
        unit="share",
        counting=direct,
        title=("不经公开征集的占比", "Share awarded without a call"),
        numerator=("采用直接采购方式的项目", "procedures of the method “direct”"),
        denominator=("发布的项目", "tenders published"),
        month=_PUBLISHED,
    ),
    Indicator(
        code="complaints",
        unit="ratio",
        counting=complaints,
        title=("每个项目的投诉数", "Complaints per tender"),
        numerator=("这些项目已公开的投诉", "published complaints about these procedures"),
        denominator=("公开数据载有投诉信息的项目", "procedures whose releases tell of complaints"),
        month=_PUBLISHED,
    ),
)

#: Why something is left out, in Chinese and English.
REASONS: Final = {
    "cancelled": ("采购人终止的标段（包），计入公告月份", "lots cancelled by the buyer, in the month of the notice"),
    "no_bid": ("没有投标的标段（包）", "lots without any bid"),
    "no_ceiling": ("没有公布最高限价的标段（包）", "lots without a published ceiling"),
    "no_count": ("未公布投标份数的标段（包）", "lots whose number of bids was not published"),
    "no_price": ("没有公布成交价或币种不同的标段（包）", "lots without a price in the currency of the ceiling"),
    "no_publication": ("没有公告时间或时间矛盾的标段（包）", "lots without an instant of the notice before the award"),
    "not_told": ("公开数据不载投诉信息的项目", "procedures whose releases do not tell of complaints"),
    "other_currency": ("非人民币计价的标段（包）", "lots in another currency than CNY"),
}
