"""The index of the ceremony's documents: type, its parser, and which roles must have signed it (P4.4, SB1 S9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trading.openings.rules import answers, approvals, decisions, factors, orders, transcripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type: ``parse`` admits its bytes; ``signers`` are roles of P6.2, empty for self-authenticating documents."""

    parse: Callable[[bytes], object]
    signers: frozenset[str]


_BOTH: Final = frozenset({"agency", "supervisor"})
_CUSTODIAN: Final = frozenset({"custodian"})
_SUPERVISOR: Final = frozenset({"supervisor"})
# sb1.factor-ack is signed by a supervisor or a custodian: either one is enough, so the caller decides.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "sb1.adjudication": Kind(parse=decisions.parse_adjudication, signers=_SUPERVISOR),
        "sb1.factor": Kind(parse=factors.parse_factor, signers=frozenset()),
        "sb1.factor-list": Kind(parse=factors.parse_factor_list, signers=_BOTH),
        "sb1.key-disclosure": Kind(parse=answers.parse_disclosure, signers=_CUSTODIAN),
        "sb1.objection-decision": Kind(parse=decisions.parse_objection_decision, signers=_SUPERVISOR),
        "sb1.open-order": Kind(parse=orders.parse_order, signers=_BOTH),
        "sb1.release-approval": Kind(parse=approvals.parse_approval, signers=frozenset()),  # of people, not of roles
        "sb1.release": Kind(parse=answers.parse_release, signers=_CUSTODIAN),
        "sb1.rescue": Kind(parse=factors.parse_rescue, signers=frozenset()),
        "sb1.share-check": Kind(parse=answers.parse_share_check, signers=_CUSTODIAN),
        "sb1.transcript": Kind(
            parse=transcripts.parse_transcript, signers=frozenset({"station-operator", "supervisor"})
        ),
    }
)
