"""When a record of a public kind becomes public, said by the log itself (AL1 L2 column P, L9; NOT-36, OPN-04).

Most of them are public as soon as they are logged. Some wait for a later record of their lot: what was closed is told
with the order to open it, and what opened, or did not, with the end of the opening, for all bids together. So the entry
that discloses a record has a position too, and a feed in the order of those positions never changes behind a reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

#: Public as soon as they are logged. Those of the ceremony exist only after the order of their lot.
AT_ONCE: Final = frozenset({
    "answer.published", "award.determined", "bids.ranked", "contract.filed", "contract.published", "contract.signed",
    "factor.closed", "factor.opened", "failure.published", "lot.failed", "notice.publication", "open.ordered",
    "opendata.published", "opening.completed", "opening.refused", "policy.fixed", "procedure.cancelled",
    "release.closed", "result.published", "share.checked", "share.released", "statistics.published", "tender.changed",
    "tender.published",
})  # fmt: skip
#: Kind → the kind of record that discloses it, of the same lot and stage.
WAITING: Final[Mapping[str, str]] = {
    "bid.opened": "opening.completed",
    "bid.verdict": "opening.completed",
    "opening.combined": "opening.completed",
    "tender.closed": "open.ordered",
}
DISCLOSING: Final = frozenset(WAITING.values())
#: What ``disclosures`` has to read of a procedure.
READ: Final = frozenset(WAITING) | DISCLOSING
_LISTS_BIDS: Final = "opening.combined"

_Place: TypeAlias = tuple[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A record as far as it says when what becomes public: its position, kind and body."""

    n: int
    kind: str
    body: Mapping[str, Any]


def disclosures(marks: Iterable[Mark]) -> dict[int, int]:
    """Return, for each record that waited and was disclosed, its position and that of the record which disclosed it.

    Args:
        marks: The records of one procedure of the kinds ``READ``, in log order, from its first on.

    A record of one bid names no lot; ``opening.combined``, which always precedes it, says of which lot the bid is. One
    whose lot nobody named waits for ever: what is not understood is not told.
    """
    waiting: dict[tuple[str, _Place], list[int]] = defaultdict(list)
    lots: dict[Any, _Place] = {}
    found: dict[int, int] = {}
    for mark in marks:
        place = _place(mark, lots)
        if mark.kind == _LISTS_BIDS:
            lots.update({item["bid"]: place for item in mark.body["items"]})
        if mark.kind in WAITING and place is not None:
            waiting[WAITING[mark.kind], place].append(mark.n)
        elif mark.kind in DISCLOSING and place is not None:
            found.update(dict.fromkeys(waiting.pop((mark.kind, place), ()), mark.n))
    return found


def _place(mark: Mark, lots: Mapping[Any, _Place]) -> _Place | None:
    if "lot" in mark.body:
        return (mark.body["lot"], mark.body.get("stage"))
    return lots.get(mark.body.get("bid"))
