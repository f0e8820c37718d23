"""``mb.committee-plan``: how many experts of which strata, with how many representatives, when and where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.experts.rules import fields as ed1
from trading.kernel import fields

_MOST: Final = 15  # no committee of this law is larger; a typing error is


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Experts wanted of one stratum."""

    id: str
    need: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A committee before its draw; ``evaluation_at`` in ms. ``large`` as the buyer declares it (EXP-04)."""

    raw: bytes
    created: int
    evaluation_at: int
    large: bool
    place_en: str
    place_zh: str
    representatives: int
    strata: tuple[Need, ...]
    tender: str

    @property
    def experts(self) -> int:
        """Return how many experts are drawn."""
        return sum(item.need for item in self.strata)

    @property
    def size(self) -> int:
        """Return the number of members."""
        return self.experts + self.representatives

    @property
    def meeting(self) -> dict[str, Any]:
        """Return all that an expert is told before he accepts: never the procedure."""
        return {"at": self.evaluation_at, "place_en": self.place_en, "place_zh": self.place_zh}


PLAN: Final = fields.Table(
    "mb.committee-plan",
    {
        "created": fields.instant,
        "evaluation_at": fields.instant,
        "large": fields.flag,
        "place_en": fields.text,
        "place_zh": fields.text,
        "representatives": fields.integer(0, _MOST),
        "strata": fields.sorted_by(
            lambda item: item.id,
            fields.record({"id": ed1.stratum_id, "need": fields.integer(1, _MOST)}, Need),
            least=1,
        ),
        "tender": fields.text,
    },
)


def parse_plan(raw: bytes) -> Plan:
    """Parse a plan; raises ``InvalidInput`` ``doc.…``."""
    return Plan(raw=raw, **PLAN.read(raw))


def write_plan(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a plan.

    Raises:
        ValueError: The body does not fit the table. A bug.
    """
    return PLAN.write(body)
