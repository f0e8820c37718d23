"""The register of experts: a fold of changes signed by the regulator, never by the keeper of the pool (ED1 D3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.bids.rules.fields import Document
from trading.experts.rules import fields as ed1
from trading.experts.rules.pool import Entrant
from trading.experts.rules.strata import wanted_of
from trading.kernel import fields
from trading.kernel.errors import InvalidInput, RuleBroken


class Act(StrEnum):
    """What a change does; also the second part of its record kind ``expert.<act>``."""

    ADMITTED = "admitted"
    CHANGED = "changed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An expert as he stands after a change: strata in which he is qualified, and his employer's code or empty."""

    id: str
    strata: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterChange(Document):
    """``ed1.register-change``."""

    act: str
    created: int
    items: tuple[Item, ...]
    seq: int
    supersedes: str | None


_ITEM: Final = fields.record(
    {"id": ed1.expert_id, "strata": fields.sorted_by(fields.itself, ed1.stratum_id), "unit": ed1.unit_code}, Item
)
REGISTER_CHANGE: Final = fields.Table(
    "ed1.register-change",
    {
        "act": fields.one_of(*Act),
        "created": fields.instant,
        "items": fields.sorted_by(lambda item: item.id, _ITEM, least=1),
        "seq": fields.integer(1),
        "supersedes": fields.nullable(fields.digest),
    },
)


def parse_register_change(raw: bytes) -> RegisterChange:
    """Admit a change of the register; raises ``InvalidInput`` with a code of P11."""
    change = RegisterChange(raw=raw, **REGISTER_CHANGE.read(raw))
    if (change.supersedes is None) != (change.seq == 1):
        raise InvalidInput("doc.bad_field", "ed1.register-change: supersedes is null exactly for seq 1")
    return change


def make_register_change(
    act: Act, items: Iterable[Mapping[str, Any]], *, created: int, before: RegisterChange | None = None
) -> bytes:
    """Return a change that follows another; ``items`` as ``{id, strata, unit}`` in any order."""
    return REGISTER_CHANGE.write(
        {
            "act": act.value,
            "created": created,
            "items": sorted(
                ({**item, "strata": sorted(item["strata"])} for item in items), key=lambda item: str(item["id"])
            ),
            "seq": 1 if before is None else before.seq + 1,
            "supersedes": None if before is None else before.sha256,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """The register after some changes. Suspended experts stay in it and are excluded from each draw (D4)."""

    experts: Mapping[str, Item]
    suspended: frozenset[str] = frozenset()
    last: RegisterChange | None = None

    def apply(self, change: RegisterChange) -> Register:
        """Return the register after the next change.

        Raises:
            RuleBroken: ``register.chain`` (not the next one), ``register.known`` (admitted twice),
                ``register.unknown`` (any other act about somebody who is not in it), ``register.not_suspended``.
        """
        experts, suspended = dict(self.experts), set(self.suspended)
        _enter(change, self.last, experts, suspended)
        return Register(experts=experts, suspended=frozenset(suspended), last=change)

    def require(self, act: Act, ids: Collection[str]) -> None:
        """Refuse an act that does not fit the standing of these people; raises as ``apply``."""
        wanted = set(ids)
        _require(act, wanted, self.experts.keys() & wanted, self.suspended)

    def entrants(self, strata: Collection[str] | None = None, *, exact: bool = False) -> tuple[Entrant, ...]:
        """Return every (expert, stratum) of the named strata, or of all for the nightly snapshot.

        ``exact``: a named stratum is met by itself alone, as under the first rule version.
        """
        kept: dict[tuple[str, ...], Collection[str]] = {}  # most experts share their strata with many others

        def standing(item: Item) -> Collection[str]:
            if strata is None:
                return item.strata
            if item.strata not in kept:
                kept[item.strata] = wanted_of(item.strata, strata, exact=exact)
            return kept[item.strata]

        return tuple(
            Entrant(item.id, stratum, item.unit) for item in self.experts.values() for stratum in standing(item)
        )


def fold(changes: Sequence[RegisterChange]) -> Register:
    """Return the register after the changes whose records have an index below a log size, in log order.

    Raises:
        RuleBroken: As ``Register.apply``.
    """
    experts: dict[str, Item] = {}
    suspended: set[str] = set()
    last: RegisterChange | None = None
    for change in changes:  # in place: a copy for each of a thousand changes of a million experts would never end
        _enter(change, last, experts, suspended)
        last = change
    return Register(experts=experts, suspended=frozenset(suspended), last=last)


def _enter(change: RegisterChange, last: RegisterChange | None, experts: dict[str, Item], suspended: set[str]) -> None:
    """Enter the next change, or refuse it and change nothing."""
    before = (0, None) if last is None else (last.seq, last.sha256)
    if (change.seq - 1, change.supersedes) != before:
        raise RuleBroken("register.chain", "ED1 D3", seq=change.seq)
    ids = {item.id for item in change.items}
    _require(Act(change.act), ids, experts.keys() & ids, suspended)
    experts.update((item.id, item) for item in change.items)
    if change.act == Act.REMOVED:
        for name in ids:
            del experts[name]
    if change.act == Act.SUSPENDED:
        suspended |= ids
    elif change.act in {Act.RESUMED, Act.REMOVED}:
        suspended -= ids


def _require(act: Act, ids: AbstractSet[str], known: AbstractSet[str], suspended: AbstractSet[str]) -> None:
    if act is Act.ADMITTED and known:
        raise RuleBroken("register.known", "ED1 D3", ids=sorted(known))
    if act is not Act.ADMITTED and len(known) < len(ids):
        raise RuleBroken("register.unknown", "ED1 D3", ids=sorted(ids - known))
    if act is Act.RESUMED and not ids <= suspended:
        raise RuleBroken("register.not_suspended", "ED1 D3", ids=sorted(ids - suspended))
