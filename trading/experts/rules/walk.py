"""The walk: calls and dispositions in ticket order, under the frontier rule (ED1 D10).

A walk is replayed from the log entries of one attempt. Every step is either forced (``next_step``) or an answer to a
pending call, so nobody chooses which stratum advances or who comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from trading.audit.rules.tree import tree_root
from trading.experts.rules import fields as ed1
from trading.experts.rules.pool import Entrant, Stratum
from trading.experts.rules.spec import PERSON, UNIT, Spec
from trading.experts.rules.tickets import calls
from trading.kernel import fields
from trading.kernel.digests import ED1_DISPOSITION, tuple_hash
from trading.kernel.errors import InvalidInput, RuleBroken

CALLED: Final = "draw.called"
DISPOSED: Final = "draw.disposed"
_RULE: Final = "ED1 D10"


class State(StrEnum):
    """What was recorded about an index."""

    EXCLUDED = "EXCLUDED"
    LIMIT = "LIMIT"
    SELECTED = "SELECTED"
    REFUSED = "REFUSED"
    RECUSED = "RECUSED"
    UNREACHABLE = "UNREACHABLE"
    REPLACED = "REPLACED"


#: States that follow from the pool and the walk so far, without a call.
FORCED: Final = frozenset({State.EXCLUDED, State.LIMIT})
#: States whose reason is committed to.
WITH_REASON: Final = frozenset({State.REFUSED, State.RECUSED, State.REPLACED})
#: Why a selected expert may be replaced, and nothing else (实施条例 art. 46, 48).
REPLACEMENT_REASONS: Final = ("absent", "conflict", "ill", "unable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A call (``state`` is None) or a forced disposition."""

    index: int
    stratum: str
    state: State | None = None

    @property
    def kind(self) -> str:
        """Return the kind of its record."""
        return CALLED if self.state is None else DISPOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record of the trail: ``at`` in ms as recorded, ``reason_commit`` as in the record."""

    index: int
    stratum: str
    at: int
    state: State | None = None
    reason_commit: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A selected index."""

    index: int
    stratum: str

    def to_json(self) -> dict[str, Any]:
        """Return the row of ``selected``."""
        return {"index": self.index, "stratum": self.stratum}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the pool says about an index: whether it is excluded, and who stands there."""

    excluded: Callable[[int], bool]
    entrant: Callable[[int], Entrant]


_CALL: Final = fields.record({"index": ed1.pool_index, "stratum": ed1.stratum_id})
_DISPOSITION: Final = fields.record(
    {
        "index": ed1.pool_index,
        "reason_commit": fields.nullable(ed1.bytes32),
        "state": fields.one_of(*State),
        "stratum": ed1.stratum_id,
    }
)


def read_entry(kind: str, body: Mapping[str, Any], at: int) -> Entry:
    """Read the body of a ``draw.called`` or ``draw.disposed`` record, without ``attempt`` and ``draw``.

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    try:
        if kind == CALLED:
            return Entry(at=at, **_CALL(dict(body)))
        content = _DISPOSITION(dict(body))
    except ValueError as error:
        raise InvalidInput("doc.bad_field", f"{kind}: {error}") from error
    return Entry(at=at, **{**content, "state": State(content["state"])})


def reason_commit(salt: bytes, reason: str) -> bytes:
    """Return the commitment to the reason of a disposition; the salt is 32 fresh random bytes."""
    return tuple_hash(ED1_DISPOSITION, salt, reason.encode("ascii"))


def trail_root(hashes: Iterable[bytes]) -> bytes:
    """Return ``trail_root`` over the h (32 bytes) of all call and disposition entries of the attempt, in log order."""
    return tree_root(list(hashes))


@dataclass(slots=True)
class _Front:
    """The walk within one stratum: what is untouched, in calling order."""

    stratum: Stratum
    untouched: Iterator[int]
    head: int | None = None
    pending: set[int] = field(default_factory=set)
    selected: set[int] = field(default_factory=set)

    def advance(self) -> None:
        self.head = next(self.untouched, None)

    @property
    def open(self) -> bool:
        return self.head is not None and len(self.pending) + len(self.selected) < self.stratum.need


class Walk:
    """The state of one attempt's walk. ``apply`` admits exactly the entries that the rules allow, in log order."""

    def __init__(self, spec: Spec, seed: bytes, facts: Facts) -> None:
        """Begin before the first call."""
        self.spec = spec
        self._facts = facts
        self._fronts = {
            item.id: _Front(item, calls(seed, item.id, item.a, item.b)) for item in spec.strata
        }  # sorted by id, as the spec is
        for front in self._fronts.values():
            front.advance()
        self._called_at: dict[int, int] = {}
        self._persons: dict[str, int] = {}
        self._units: dict[str, int] = {}

    @classmethod
    def replay(cls, spec: Spec, seed: bytes, facts: Facts, trail: Iterable[Entry]) -> Walk:
        """Return the state after a trail.

        Raises:
            RuleBroken: As ``apply``.
        """
        walk = cls(spec, seed, facts)
        for entry in trail:
            walk.apply(entry)
        return walk

    @property
    def pending(self) -> tuple[int, ...]:
        """Return the called indices without disposition, ascending."""
        return tuple(sorted(index for front in self._fronts.values() for index in front.pending))

    @property
    def selected(self) -> tuple[Seat, ...]:
        """Return the selected indices by stratum, then index, as the result lists them."""
        return tuple(
            Seat(index=index, stratum=front.stratum.id)
            for front in self._fronts.values()
            for index in sorted(front.selected)
        )

    @property
    def complete(self) -> bool:
        """Return whether every stratum has what it needs; a finished walk without it ran out of experts."""
        return all(len(front.selected) == front.stratum.need for front in self._fronts.values())

    @property
    def finished(self) -> bool:
        """Return whether a result may be signed: no stratum is open and nobody is pending."""
        return not any(front.open or front.pending for front in self._fronts.values())

    def called_at(self, index: int) -> int | None:
        """Return when an index was called, in ms; None if it never was."""
        return self._called_at.get(index)

    def next_step(self) -> Step | None:
        """Return the one step that the frontier rule allows; None while no stratum is open."""
        front = next((item for item in self._fronts.values() if item.open), None)
        if front is None or front.head is None:
            return None
        index, stratum = front.head, front.stratum.id
        if self._facts.excluded(index):
            return Step(index=index, stratum=stratum, state=State.EXCLUDED)
        if self._limited(self._facts.entrant(index)):
            return Step(index=index, stratum=stratum, state=State.LIMIT)
        return Step(index=index, stratum=stratum)

    def _limited(self, entrant: Entrant) -> bool:
        return bool(
            (PERSON in self.spec.limits and self._persons.get(entrant.id))
            or (UNIT in self.spec.limits and entrant.unit and self._units.get(entrant.unit))
        )

    def apply(self, entry: Entry) -> None:
        """Admit the next entry of the trail.

        Raises:
            RuleBroken: ``draw.out_of_order`` (not the step of the frontier rule), ``draw.not_pending`` (an answer of
                somebody who is not waited for), ``draw.not_selected`` (a replacement of somebody without seat),
                ``draw.too_early`` (unreachable before ``call_ms``), ``draw.answer_late`` (an answer after it),
                ``draw.reason`` (a reason committed where none belongs, or none where one does).
        """
        if (entry.reason_commit is not None) != (entry.state in WITH_REASON):
            raise RuleBroken("draw.reason", _RULE, index=entry.index)
        if entry.state is None or entry.state in FORCED:
            self._step(entry)
        elif entry.state is State.REPLACED:
            self._replace(entry)
        else:
            self._answer(entry)

    def _step(self, entry: Entry) -> None:
        if Step(index=entry.index, stratum=entry.stratum, state=entry.state) != self.next_step():
            raise RuleBroken("draw.out_of_order", _RULE, index=entry.index, stratum=entry.stratum)
        front = self._fronts[entry.stratum]
        front.advance()
        if entry.state is None:
            front.pending.add(entry.index)
            self._called_at[entry.index] = entry.at
            self._count(entry.index, 1)

    def _answer(self, entry: Entry) -> None:
        front = self._fronts.get(entry.stratum)
        if front is None or entry.index not in front.pending:
            raise RuleBroken("draw.not_pending", _RULE, index=entry.index)
        waited = entry.at - self._called_at[entry.index]
        if entry.state is State.UNREACHABLE and waited < self.spec.call_ms:
            raise RuleBroken("draw.too_early", _RULE, index=entry.index, waited=waited, call_ms=self.spec.call_ms)
        if entry.state is not State.UNREACHABLE and waited > self.spec.call_ms:
            raise RuleBroken("draw.answer_late", _RULE, index=entry.index, waited=waited, call_ms=self.spec.call_ms)
        front.pending.remove(entry.index)
        if entry.state is State.SELECTED:
            front.selected.add(entry.index)
        else:
            self._count(entry.index, -1)

    def _replace(self, entry: Entry) -> None:
        front = self._fronts.get(entry.stratum)
        if front is None or entry.index not in front.selected:
            raise RuleBroken("draw.not_selected", _RULE, index=entry.index)
        front.selected.remove(entry.index)
        self._count(entry.index, -1)

    def _count(self, index: int, by: int) -> None:
        entrant = self._facts.entrant(index)
        self._persons[entrant.id] = self._persons.get(entrant.id, 0) + by
        self._units[entrant.unit] = self._units.get(entrant.unit, 0) + by
