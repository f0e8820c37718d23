"""``mb.committee-plan``: how many experts of which strata, with how many representatives, when and where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.experts.rules import fields as ed1
from trading.experts.rules.requirements import Trait
from trading.experts.rules.strata import is_legal
from trading.kernel import fields
from trading.kernel.errors import InvalidInput

_MOST: Final = 15  # no committee of this law is larger; a typing error is


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Experts wanted of one stratum; ``site`` is where they sit, None at the plan's own place."""

    id: str
    need: int
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A further place at which members sit in the same session (远程异地评标); ``id`` is a number as text."""

    id: str
    place_en: str
    place_zh: str


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
    traits: frozenset[Trait] = frozenset()
    sites: tuple[Site, ...] = ()

    @property
    def experts(self) -> int:
        """Return how many experts are drawn."""
        return sum(item.need for item in self.strata)

    @property
    def size(self) -> int:
        """Return the number of members."""
        return self.experts + self.representatives

    @property
    def remote(self) -> bool:
        """Return whether some members sit at another site than the others."""
        return bool(self.sites)

    @property
    def legal(self) -> int:
        """Return how many experts in law are drawn."""
        return sum(item.need for item in self.strata if is_legal(item.id))

    @property
    def meeting(self) -> dict[str, Any]:
        """Return time and places; of a seat see ``meeting_of``."""
        sites = {"sites": self.sites} if self.sites else {}
        return {"at": self.evaluation_at, "place_en": self.place_en, "place_zh": self.place_zh, **sites}

    def site_of(self, stratum: str | None) -> str | None:
        """Return at which further site the members of a stratum sit; None at the plan's own place."""
        return next((item.site for item in self.strata if item.id == stratum), None)

    def meeting_of(self, stratum: str) -> dict[str, Any]:
        """Return all that an expert of a stratum is told before he accepts: time and his place, never the procedure."""
        site = next((each for each in self.sites if each.id == self.site_of(stratum)), None)
        place = self if site is None else site
        return {"at": self.evaluation_at, "place_en": place.place_en, "place_zh": place.place_zh}


_SITE: Final = fields.matching(r"[1-9][0-9]?")
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
            fields.record(
                {"id": ed1.stratum_id, "need": fields.integer(1, _MOST), "site": _SITE},
                Need,
                optional=frozenset({"site"}),
            ),
            least=1,
        ),
        "tender": fields.text,
        "traits": fields.sorted_by(fields.itself, fields.one_of(*Trait), least=1),
        "sites": fields.sorted_by(
            lambda item: item.id,
            fields.record({"id": _SITE, "place_en": fields.text, "place_zh": fields.text}, Site),
            least=1,
        ),
    },
    optional=frozenset({"sites", "traits"}),
)


def parse_plan(raw: bytes) -> Plan:
    """Parse a plan.

    Raises:
        InvalidInput: ``doc.…``; ``doc.bad_field`` also for a stratum at a site that the plan does not list.
    """
    body = PLAN.read(raw)
    sites = {site.id for site in body.get("sites", ())}
    if sites != {item.site for item in body["strata"] if item.site is not None}:
        raise InvalidInput("doc.bad_field", "strata sit at the sites of the plan, and at each of them some")
    return Plan(raw=raw, **{**body, "traits": frozenset(map(Trait, body.get("traits", ())))})


def write_plan(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a plan.

    Raises:
        ValueError: The body does not fit the table. A bug.
    """
    return PLAN.write(body)
