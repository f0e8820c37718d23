"""Who of a pool may not be called, and why: fixed rules, computed before the spec is signed (ED1 D4, EXP-06, 15, 16).

Rules that depend on the bidders are applied only when the opening has been ordered: before it even the counts would
hint at them (招标投标法 art. 22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from trading.experts.rules.pool import Entrant

#: Version of strata, exclusion, limit and committee rules that specs name.
RULE_VERSION: Final = "mb-experts-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the rules look at.

    Attributes:
        buyer: Organisation code of the buyer.
        agency: Organisation code of the agency.
        supervisor: Organisation code of the supervising department, whose staff never evaluate.
        bidders: Organisation codes of the bidders; empty before the opening is ordered.
        suspended: Suspended experts.
        worked: Experts who have evaluated for the agency more often than the rules allow.
        conflicts: Experts who declared in their file what binds them to the buyer, the agency or a known bidder:
            an employer of the last three years, or an organisation that a near relative heads.
        unavailable: Experts who said that they cannot be called, or that they are away on the day of the evaluation.
        seated: Experts seated by an earlier attempt or a former committee of the procedure.
        seated_units: Their employers.
    """

    buyer: str
    agency: str
    supervisor: str
    bidders: frozenset[str] = field(default_factory=frozenset)
    suspended: frozenset[str] = field(default_factory=frozenset)
    worked: frozenset[str] = field(default_factory=frozenset)
    conflicts: frozenset[str] = field(default_factory=frozenset)
    unavailable: frozenset[str] = field(default_factory=frozenset)
    seated: frozenset[str] = field(default_factory=frozenset)
    seated_units: frozenset[str] = field(default_factory=frozenset)


#: Registered reason codes in the order in which they are asked; the first that applies is the reason (D4).
REASONS: Final = (
    "suspended",
    "seated",
    "buyer_staff",
    "agency_staff",
    "supervisor_staff",
    "employer",
    "conflict",
    "worked_for_agency",
    "unavailable",
)


def reason_of(entrant: Entrant, grounds: Grounds) -> str:
    """Return the registered reason for which an entrant is excluded, or an empty text."""
    unit = entrant.unit
    found = {
        "suspended": entrant.id in grounds.suspended,
        "seated": entrant.id in grounds.seated or (bool(unit) and unit in grounds.seated_units),
        "buyer_staff": unit == grounds.buyer,
        "agency_staff": unit == grounds.agency,
        "supervisor_staff": unit == grounds.supervisor,
        "employer": unit in grounds.bidders,
        "conflict": entrant.id in grounds.conflicts,
        "worked_for_agency": entrant.id in grounds.worked,
        "unavailable": entrant.id in grounds.unavailable,
    }
    return next((reason for reason in REASONS if found[reason]), "")


def reasons(entrants: Sequence[Entrant], grounds: Grounds) -> Mapping[int, str]:
    """Return the reason of every excluded index of a pool in order."""
    ids = grounds.suspended | grounds.seated | grounds.conflicts | grounds.worked | grounds.unavailable
    units = grounds.seated_units | grounds.bidders | {grounds.buyer, grounds.agency, grounds.supervisor}
    # Whoever is named nowhere has no reason: of a million experts only a few are asked for theirs.
    named = ((index, each) for index, each in enumerate(entrants) if each.id in ids or each.unit in units)
    asked = ((index, reason_of(entrant, grounds)) for index, entrant in named)
    return {index: reason for index, reason in asked if reason}
