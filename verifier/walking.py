"""The walk of a draw replayed: ticket order, frontier rule, answers and replacements (ED1 D10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verifier.draw import Attempt, Settled
from verifier.drawing import Calls, Entrant

FORCED_STATES = ("EXCLUDED", "LIMIT")
REASONED_STATES = ("RECUSED", "REFUSED", "REPLACED")


@dataclass
class Front:
    """One stratum of the walk: position in its ticket order, who is waited for, who sits."""

    id: str
    need: int
    calls: Calls
    position: int = 0
    pending: dict[int, int] = field(default_factory=dict)  # index -> instant of the call, ms
    selected: set[int] = field(default_factory=set)

    @property
    def head(self) -> int | None:
        """Return the next untouched index."""
        return self.calls.at(self.position)

    @property
    def open(self) -> bool:
        """Return whether the stratum still wants somebody and has somebody left."""
        return len(self.pending) + len(self.selected) < self.need and self.head is not None


class Trail:
    """Replays calls and dispositions; ``take`` returns what is wrong with an entry, empty if nothing is.

    With ``pool`` and ``excluded`` (auditor) the reasons of steps are recomputed, too; without them a disposition
    ``EXCLUDED`` or ``LIMIT`` is taken as recorded.
    """

    def __init__(self, spec: dict[str, Any], seed: bytes) -> None:
        self.spec = spec
        self.fronts = [
            Front(row["id"], row["need"], Calls(seed, row["id"], row["a"], row["b"])) for row in spec["strata"]
        ]
        self.pool: list[Entrant] | None = None
        self.excluded: dict[int, str] | None = None

    @property
    def finished(self) -> bool:
        """Return whether no stratum is open and nobody is waited for."""
        return not any(front.open or front.pending for front in self.fronts)

    @property
    def selected(self) -> list[dict[str, Any]]:
        """Return the rows of ``selected`` of a result."""
        return [{"index": index, "stratum": front.id} for front in self.fronts for index in sorted(front.selected)]

    def take(self, body: dict[str, Any], at: int) -> list[str]:
        """Apply the body of a ``draw.called`` (no ``state``) or ``draw.disposed`` record; ``at`` in ms."""
        index, state = body["index"], body.get("state")
        front = next((item for item in self.fronts if item.id == body["stratum"]), None)
        if front is None:
            return [f"index {index}: there is no stratum {body['stratum']}"]
        faults = []
        if state is not None and (body["reason_commit"] is None) == (state in REASONED_STATES):
            faults.append(f"index {index}: {state} with the wrong kind of reason_commit")
        if state is None or state in FORCED_STATES:
            return faults + self._step(front, index, state, at)
        if state == "REPLACED":
            return faults + self._leave(front, index)
        return faults + self._answer(front, index, state, at)

    def _step(self, front: Front, index: int, state: str | None, at: int) -> list[str]:
        wanted = next((item for item in self.fronts if item.open), None)
        if wanted is None or (wanted.id, wanted.head) != (front.id, index):
            head = "nobody" if wanted is None else f"index {wanted.head} of {wanted.id}"
            return [f"TRAIL_BROKEN: index {index} of {front.id} where {head} is next"]
        faults = self._reason_faults(front, index, state)
        front.position += 1
        if state is None:
            front.pending[index] = at
        return faults

    def _reason_faults(self, front: Front, index: int, state: str | None) -> list[str]:
        if self.excluded is None or self.pool is None:
            return []
        wanted = "EXCLUDED" if index in self.excluded else "LIMIT" if self._limited(index) else None
        if wanted == state:
            return []
        verdict = "EXCLUSION_IGNORED" if wanted == "EXCLUDED" else "LIMIT_BROKEN" if wanted else "TRAIL_BROKEN"
        return [f"{verdict}: index {index} of {front.id} is {state or 'called'} instead of {wanted or 'called'}"]

    def _limited(self, index: int) -> bool:
        if self.pool is None or index >= len(self.pool):
            return False
        _, name, unit = self.pool[index]
        taken = [self.pool[other] for front in self.fronts for other in (*front.pending, *front.selected)]
        same_person = "person" in self.spec["limits"] and any(name == other[1] for other in taken)
        return same_person or (
            "unit" in self.spec["limits"] and unit != "" and any(unit == other[2] for other in taken)
        )

    def _answer(self, front: Front, index: int, state: str, at: int) -> list[str]:
        called_at = front.pending.pop(index, None)
        if called_at is None:
            return [f"TRAIL_BROKEN: index {index} of {front.id} is {state} without a call"]
        waited = at - called_at
        if state == "SELECTED":
            front.selected.add(index)
        if state == "UNREACHABLE" and waited < self.spec["call_ms"]:
            return [f"TRAIL_BROKEN: index {index} is UNREACHABLE after {waited} ms"]
        if state != "UNREACHABLE" and waited > self.spec["call_ms"]:
            return [f"TRAIL_BROKEN: index {index} is {state} after {waited} ms, later than an answer counts"]
        return []

    def _leave(self, front: Front, index: int) -> list[str]:
        if index not in front.selected:
            return [f"TRAIL_BROKEN: index {index} of {front.id} is REPLACED without a seat"]
        front.selected.remove(index)
        return []


def recomputed(attempt: Attempt, first: int = 12) -> dict[str, Any] | None:
    """Return an attempt as this verifier recomputes it, for people to read; ``None`` without a spec.

    Args:
        attempt: The attempt.
        first: How many indices of each order are shown.
    """
    if attempt.spec is None:
        return None
    spec, seed = attempt.spec.value, attempt.seed if attempt.walkable else None
    settled = {found.party: found for found in attempt.settled()}
    trail = None if seed is None else Trail(spec, seed)
    steps = []
    for logged in attempt.records:
        if trail is not None and logged.kind in ("draw.called", "draw.disposed"):
            wrong = "; ".join(trail.take(logged.body, logged.at))
            told = f"{logged.n}: {logged.body.get('state', 'called')} {logged.body['index']} ({logged.body['stratum']})"
            steps.append(f"{told}  {wrong}".rstrip())
    return {
        "attempt": attempt.number,
        "draw": attempt.draw,
        "parties": [
            {"number": _number_of(settled.get(row["id"]), attempt.size[0]), "party": row["id"]}
            for row in spec["parties"]
        ],
        "seed": None if seed is None else seed.hex(),
        "selected": [] if trail is None else trail.selected,
        "spec_sha256": attempt.spec.sha256,
        "steps": steps,
        "strata": [_stratum_of(row, seed, first) for row in spec["strata"]],
    }


def _stratum_of(row: dict[str, Any], seed: bytes | None, first: int) -> dict[str, Any]:
    size = row["b"] - row["a"]
    calls = None if seed is None else Calls(seed, row["id"], row["a"], row["b"])
    order = [] if calls is None else [calls.at(position) for position in range(min(first, size))]
    return {"id": row["id"], "need": row["need"], "order": order, "size": size}


def _number_of(found: Settled | None, k: int) -> str:
    if found is None:
        return "not listed"
    if found.r is None:
        return "neither revealed nor recovered"
    how = "revealed" if found.revealed else f"recovered from custodians {found.good[:k]}"
    return how if found.valid else f"{how}, void"
