"""One procedure as its records tell it up to one published entry, and the questions that a release asks of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.notices.rules.documents import OFFERING

_OFFERS: Final = frozenset({"tender.changed", "tender.published"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One record: kind, instant of the act in ms, commitment in hex, body."""

    kind: str
    at: int
    h: str
    body: Mapping[str, Any]

    @property
    def is_derived(self) -> bool:
        """Whether it moved a deadline by rule: the notice that it names was published before (TE1 T6)."""
        return bool(self.body.get("evidence"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One organisation; ``code`` is its unified social credit code."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a release is made of.

    Attributes:
        reference: Of the procedure.
        prefix: Of the open contracting id, as registered for the publisher.
        base_url: Of the public pages, without a final slash.
        facts: The records up to the published entry, which is the last, in the order of the log.
        notices: Bodies of the notices that they name, by SHA-256.
        schedules: Bodies of the schedules that they name, by SHA-256.
        bidders: Organisation of each bid of an opened lot, by bid id.
        names: Organisations by code.
    """

    reference: str
    prefix: str
    base_url: str
    facts: Sequence[Fact]
    notices: Mapping[str, Mapping[str, Any]]
    schedules: Mapping[str, Mapping[str, Any]]
    bidders: Mapping[str, str]
    names: Mapping[str, Named]

    @property
    def published(self) -> Fact:
        """Return the entry that the release publishes."""
        return self.facts[-1]

    def of_kind(self, *kinds: str, lot: str | None = None) -> list[Fact]:
        """Return the records of these kinds, of one lot if it is named, in the order of the log."""
        found = [fact for fact in self.facts if fact.kind in kinds]
        return found if lot is None else [fact for fact in found if fact.body.get("lot") == lot]

    def newest(self, *kinds: str, lot: str | None = None) -> Fact | None:
        """Return the last record of these kinds, or None."""
        found = self.of_kind(*kinds, lot=lot)
        return found[-1] if found else None

    @property
    def offer(self) -> Mapping[str, Any]:
        """Return what is bought: head of the newest notice, text of the first, each lot as it was last offered.

        A correction may name some of the lots, and its text says why it was made.
        """
        named = [notice for _digest, _fact, notice in self.named_notices() if is_offer(notice)]
        lots = {lot["lot"]: lot for notice in named for lot in notice["lots"]}
        texts = {name: named[0][name] for name in ("text_en", "text_zh")}
        return {**named[-1], **texts, "lots": [lots[number] for number in sorted(lots, key=_by_number)]}

    def named_notices(self) -> Iterator[tuple[str, Fact, Mapping[str, Any]]]:
        """Yield (SHA-256, the last record that published it, body) of every notice so far, oldest first."""
        published = [fact for fact in self.facts if "notice_sha256" in fact.body and not fact.is_derived]
        last = {str(fact.body["notice_sha256"]): fact for fact in published}
        for digest, fact in last.items():
            yield digest, fact, self.notices[digest]

    def closing_of(self, lot: str) -> int:
        """Return the deadline of a lot in ms, as its newest schedule says."""
        return next(
            int(self.schedules[fact.body["schedule_sha256"]]["close"])
            for fact in reversed(self.of_kind(*_OFFERS, lot=lot))
        )

    def is_opened(self, lot: str) -> bool:
        """Whether the opening of the lot is complete; only then is anything told of its bids."""
        return self.newest("opening.completed", lot=lot) is not None

    def name_of(self, code: str) -> Named:
        """Return an organisation; an unregistered one is called by its code."""
        return self.names.get(code) or Named(code=code, name_zh=code, name_en=code)

    def url(self, *parts: str) -> str:
        """Return the address of a public page of the procedure."""
        return "/".join((self.base_url, "procedures", self.reference, *parts))


def _by_number(lot: str) -> tuple[int, str]:
    return len(lot), lot


def is_offer(notice: Mapping[str, Any]) -> bool:
    """Whether a notice says what is bought."""
    return notice["kind"] in OFFERING
