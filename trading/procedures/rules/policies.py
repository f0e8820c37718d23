"""Where kinds of procedure differ in behaviour, not in numbers: how offers come in, how many it takes, who comes first.

Each policy will become a union when a second class of its sort is written; whoever handles it matches exhaustively.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.rulebook.keys import Key


class Method(StrEnum):
    """Method of evaluation, as notices and records name it."""

    LOWEST_EVALUATED_PRICE = "lowest_evaluated_price"  # MET-01
    COMPREHENSIVE_SCORING = "comprehensive_scoring"  # MET-02
    CONSULTATION_SCORING = "consultation_scoring"  # MET-03
    LOWEST_FINAL_QUOTE = "lowest_final_quote"  # MET-04
    LOWEST_PRICE_EVALUATED_TL = "lowest_price_evaluated_tl"  # MET-05
    COMPREHENSIVE_EVALUATION_TL = "comprehensive_evaluation_tl"  # MET-06
    PRICE_FIRST = "price_first"  # MET-07
    QUALITY_FIRST = "quality_first"  # MET-07

    @property
    def scored(self) -> bool:
        """Whether members fill score sheets."""
        return self in _SCORED

    @property
    def rule(self) -> str:
        """Return the id of the rule that defines the method, which is the id of its formula."""
        return _RULES[self]


_SCORED: Final = frozenset(
    {
        Method.COMPREHENSIVE_SCORING,
        Method.CONSULTATION_SCORING,
        Method.COMPREHENSIVE_EVALUATION_TL,
        Method.QUALITY_FIRST,
    }
)
_RULES: Final[Mapping[Method, str]] = {
    Method.LOWEST_EVALUATED_PRICE: "MET-01",
    Method.COMPREHENSIVE_SCORING: "MET-02",
    Method.CONSULTATION_SCORING: "MET-03",
    Method.LOWEST_FINAL_QUOTE: "MET-04",
    Method.LOWEST_PRICE_EVALUATED_TL: "MET-05",
    Method.COMPREHENSIVE_EVALUATION_TL: "MET-06",
    Method.PRICE_FIRST: "MET-07",
    Method.QUALITY_FIRST: "MET-07",
}


class TieRule(StrEnum):
    """How bids that are equal at the top are put in order (AWD-10); fixed in the documents before any bid."""

    PRICE_IDENTITY_LOTTERY = "price_identity_lottery"


class Category(StrEnum):
    """What a lot buys; the least weight of the price depends on it (87-55)."""

    GOODS = "goods"
    SERVICES = "services"
    WORKS = "works"


class PanelBody(StrEnum):
    """Who evaluates: the committee of a tender, or the group of another method (EXP-01, EXP-03, EXP-05)."""

    TENDER = "tender"  # 评标委员会
    NEGOTIATION = "negotiation"  # 谈判小组
    INQUIRY = "inquiry"  # 询价小组
    CONSULTATION = "consultation"  # 磋商小组


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBidding:
    """Bids stay sealed until the opening (SB1). ``stages`` are opened in this order, each under its own policy."""

    stages: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumOfBids:
    """A lot with fewer bids than ``minimum`` fails; ``recount``: bids are counted again after the opening."""

    minimum: Key
    recount: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the documents may choose from: methods and what is bought, and how ties are put in order."""

    methods: tuple[Method, ...]
    categories: tuple[Category, ...]
    tie_rules: tuple[TieRule, ...] = (TieRule.PRICE_IDENTITY_LOTTERY,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Where the law's times before the deadline stand in an edition, each with the rule that a refusal names.

    Attributes:
        preparation: Least time from the documents to the deadline.
        supply: Least time in which the documents are supplied.
        answer: Longest time to answer what is asked about the documents.
        lead: Least time from a change that may affect bids to the deadline (NOT-05).
    """

    preparation: Key
    preparation_rule: str
    supply: Key
    supply_rule: str
    answer: Key
    answer_rule: str
    lead: Key


OPEN_TENDER_PERIODS: Final = Periods(
    preparation=Key.BID_PREPARATION_MIN,
    preparation_rule="DOC-04",
    supply=Key.DOCUMENTS_SUPPLY_MIN,
    supply_rule="DOC-02",
    answer=Key.ENQUIRY_ANSWER_WITHIN,
    answer_rule="OBJ-09",
    lead=Key.CLARIFICATION_LEAD,
)
WORKS_TENDER_PERIODS: Final = Periods(
    preparation=Key.BID_PREPARATION_MIN,
    preparation_rule="DOC-04",
    supply=Key.DOCUMENTS_SUPPLY_MIN_TL,
    supply_rule="DOC-01",
    answer=Key.OBJECTION_ANSWER_TL,
    answer_rule="OBJ-02",
    lead=Key.CLARIFICATION_LEAD,
)
CONSULTATION_PERIODS: Final = Periods(
    preparation=Key.CONSULTATION_RESPONSE_MIN,
    preparation_rule="DOC-22",
    supply=Key.DOCUMENTS_SUPPLY_MIN,
    supply_rule="DOC-22",
    answer=Key.ENQUIRY_ANSWER_WITHIN,
    answer_rule="OBJ-09",
    lead=Key.CONSULTATION_LEAD,
)
RFQ_PERIODS: Final = Periods(
    preparation=Key.RFQ_RESPONSE_MIN,
    preparation_rule="DOC-22",
    supply=Key.RESPONSE_NOTICE_PERIOD,
    supply_rule="NOT-25",
    answer=Key.ENQUIRY_ANSWER_WITHIN,
    answer_rule="OBJ-09",
    lead=Key.RFQ_LEAD,
)
