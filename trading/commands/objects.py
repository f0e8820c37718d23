"""``mingbiao fsck --objects``: every object of the object store, or of both of them, read and hashed again.

What the two stores have in common is repaired from the one that is right, and only when the operator asks for it:
wrong bytes are set aside, as evidence, and never thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from trading.audit.model import Report
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound
from trading.storage.objects import ObjectStore, OneStore
from trading.storage.pair import FIRST, SECOND, PairedStore, State, copy_object, state_of

CHECK: Final = "object"
ON_ITS_WAY_MS: Final = 7_200_000  # two rounds that compare both stores


def check_objects(report: Report, store: ObjectStore, wanted: Iterable[str], *, what: str = "") -> None:
    """Read every object of the only store; ``wanted`` are the digests that must be there.

    ``what`` calls objects that lie in a folder of their own.
    """
    try:
        for digest in sorted({*store.walk(), *wanted}):
            _told_state(report, _named(what, "", digest), state_of(store, digest))
    except OSError as error:
        report.skip(CHECK, f"{what} object store".strip(), str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bad:
    """A copy that is missing or wrong in the store ``target``, called ``name``; ``source`` has the right bytes."""

    source: OneStore
    target: OneStore
    name: str
    state: State


class PairCheck:
    """One run over two stores that should have the same objects."""

    def __init__(self, report: Report, pair: PairedStore, *, now: int, repair: bool, what: str = "") -> None:
        """Report to ``report``; ``now`` (ms) tells what may still be on its way; ``repair`` makes bad copies anew.

        ``what`` calls objects that lie in folders of their own.
        """
        self._report, self._pair = report, pair
        self._now, self._repair, self._what = now, repair, what

    def run(self, wanted: Iterable[str]) -> None:
        """Compare both stores; ``wanted`` are the digests of which at least one must have the bytes."""
        try:
            digests: Collection[str] = {*self._pair.walk(), *wanted}
        except OSError as error:
            self._report.skip(CHECK, f"{self._what} object stores".strip(), str(error))
            return
        for digest in sorted(digests):
            try:
                self._compare(digest)
            except OSError as error:
                self._report.skip(CHECK, _named(self._what, "", digest), str(error))

    def _compare(self, digest: str) -> None:
        pair = self._pair
        first, second = state_of(pair.first, digest), state_of(pair.second, digest)
        if first is State.GOOD and second is State.MISSING and self._is_on_its_way(digest):
            self._report.count("objects on their way to the second store")
            return
        _told_state(self._report, _named(self._what, FIRST, digest), first)
        _told_state(self._report, _named(self._what, SECOND, digest), second)
        if self._repair and first is State.GOOD is not second:
            self._make_again(digest, _Bad(source=pair.first, target=pair.second, name=SECOND, state=second))
        elif self._repair and second is State.GOOD is not first:
            self._make_again(digest, _Bad(source=pair.second, target=pair.first, name=FIRST, state=first))

    def _is_on_its_way(self, digest: str) -> bool:
        since = self._pair.first.since(digest)
        return since is not None and self._now - since < ON_ITS_WAY_MS

    def _make_again(self, digest: str, bad: _Bad) -> None:
        try:
            if bad.state is State.WRONG:
                bad.target.set_aside(digest)
            copy_object(bad.source, bad.target, digest)
        except (NotFound, IntegrityFailure, InvalidInput) as error:
            self._report.skip(CHECK, _named(self._what, bad.name, digest), f"not repaired: {error}")
        else:
            self._report.count("objects repaired")


def _told_state(report: Report, place: str, state: State) -> None:
    match state:
        case State.GOOD:
            pass
        case State.MISSING:
            report.fault(CHECK, place, "is missing")
        case State.WRONG:
            report.fault(CHECK, place, "has other bytes than its name says")
    report.count("objects")


def _named(what: str, store: str, digest: str) -> str:
    return " ".join(filter(None, (what, store and f"{store} store", digest)))
