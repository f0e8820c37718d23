"""What a verdict means in law (SB1 S10): 撤销 or 撤回, what becomes of the bid security, and by which rules.

电子招标投标办法 art. 31 decides by whose reason a bid was not decrypted (OPN-05, OPN-06); the security follows from it
(SUB-08, SUB-09). How many days a refund may take stands in the procedure's edition: here is only which row says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from trading.openings.rules.verdicts import CONSEQUENCES, AtFault, Code, Effect
from trading.rulebook.keys import Key


class Security(StrEnum):
    """What becomes of the bid security, where the tender asked for one."""

    KEPT = "kept"  # as of every bid that takes part: until award and contract
    REFUNDED = "refunded"  # 退还, as for a withdrawal
    FORFEITABLE = "forfeitable"  # 可以不予退还: its holder decides, with the ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What follows from one verdict; ``refund`` names the row of an edition with the time that a refund may take."""

    at_fault: AtFault
    effect: Effect
    security: Security
    rules: tuple[str, ...]
    refund: Key | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as interfaces tell it."""
        return {
            "at_fault": self.at_fault.value,
            "effect": self.effect.value,
            "rules": list(self.rules),
            "security": self.security.value,
        }


_BY_EFFECT: Final[Mapping[Effect, tuple[Security, tuple[str, ...], Key | None]]] = MappingProxyType(
    {
        Effect.OPENED: (Security.KEPT, ("OPN-04",), None),
        Effect.PENDING: (Security.KEPT, ("OPN-07",), None),
        Effect.WITHDRAWN_WITH_COMPENSATION: (
            Security.REFUNDED,
            ("OPN-06", "SUB-08", "SEC-06"),
            Key.BID_SECURITY_REFUND_WITHDRAWN,
        ),
        Effect.REVOKED: (Security.FORFEITABLE, ("OPN-05", "SUB-09"), None),
        Effect.REJECTED: (Security.REFUNDED, ("EVL-02", "SEC-05"), Key.BID_SECURITY_REFUND_LOSERS),
    }
)


def consequence(code: Code) -> Consequence:
    """Return who answers for a verdict, its effect, what becomes of the security, and the rules that say so."""
    at_fault, effect = CONSEQUENCES[code]
    security, rules, refund = _BY_EFFECT[effect]
    return Consequence(at_fault=at_fault, effect=effect, security=security, rules=rules, refund=refund)
