"""What a ranking starts from: the bids as opened, and the rules that stood in the notice before the first bid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from trading.procedures.rules.abnormal_shares import AbnormalShares
from trading.procedures.rules.criteria import Criterion, Preference
from trading.procedures.rules.formula_terms import FormulaTerms
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Regime
from trading.rulebook.model import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedBid:
    """One bid that opened with verdict OK. ``price`` is the quote read out, in minor units of ``currency`` (OPN-16).

    In a negotiation, a request for quotation or a consultation it is the final quote. ``deviations`` are the units of
    each quantified deviation that the committee found (MET-05).
    """

    bid: str
    bidder: str
    currency: str
    price: int
    identity_price: str  # age identity that opens the price part, as in the transcript
    deviations: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRules:
    """How this lot is ranked: all of it stood in the notice before the first bid. ``ceiling`` in minor units."""

    lot: str
    stage: str
    currency: str
    method: Method
    tie_rule: TieRule
    ceiling: int | None
    regime: Regime
    edition: Edition
    criteria: tuple[Criterion, ...] = ()
    preference: Preference | None = None
    terms: FormulaTerms | None = None
    shares: AbnormalShares | None = None  # from which a price must be explained, where the documents raise them
