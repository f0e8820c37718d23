"""``mb.notice``: what is published, signed by the agency; a new version is a new document, never an edit (NOT-35).

Fields and their reason: docs/adr/0025. A result or failure notice has its own shape of ``lots``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel import canonical
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import (
    Reader,
    Table,
    array,
    decimal,
    digest,
    instant,
    integer,
    matching,
    nullable,
    one_of,
    record,
    sorted_by,
    text,
)

KINDS: Final = ("cancellation", "correction", "failed", "result", "tender")
OFFERING: Final = frozenset({"correction", "tender"})  # kinds whose lots describe what is bought

_PARTY: Final = record({"code": text, "name_en": text, "name_zh": text})
_ITEM: Final = record({"code": text, "name_en": text, "name_zh": text, "quantity": decimal, "unit": text})
_OFFERED: Final = record(
    {
        "ceiling": nullable(integer(1)),
        "currency": matching(r"[A-Z]{3}"),
        "items": array(_ITEM),
        "lot": text,
        "method": text,
        "policy_sha256": nullable(digest),
        "schedule_sha256": nullable(digest),
        "stage": text,
        "tie_rule": text,
        "title_en": text,
        "title_zh": text,
    }
)
_AWARD: Final = record({"bid": text, "bidder": text, "price": integer(0)})
_CONCLUDED: Final = record(
    {"award": nullable(_AWARD), "lot": text, "ranked_h": nullable(digest), "reason": nullable(text), "stage": text}
)
_HEAD: Final[dict[str, Reader]] = {
    "agency": _PARTY,
    "buyer": _PARTY,
    "changes": array(record({"field": text, "new": text, "old": text})),
    "edition_sha256": digest,
    "number": integer(1),
    "procedure_kind": text,
    "published_at": instant,
    "regime": text,
    "supersedes": nullable(digest),
    "supervisor": text,
    "tender": text,
    "text_en": text,
    "text_zh": text,
    "title_en": text,
    "title_zh": text,
}


def _place(lot: Mapping[str, Any]) -> tuple[str, str]:
    return lot["lot"], lot["stage"]


_OFFER: Final = Table("mb.notice", {**_HEAD, "kind": one_of(*sorted(OFFERING)), "lots": sorted_by(_place, _OFFERED)})
_END: Final = Table(
    "mb.notice",
    {**_HEAD, "kind": one_of(*sorted(set(KINDS) - OFFERING)), "lots": sorted_by(_place, _CONCLUDED)},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A parsed notice with its exact bytes; ``published_at`` in ms, amounts in minor units."""

    raw: bytes
    kind: str
    number: int
    tender: str
    published_at: int
    supersedes: str | None
    edition_sha256: str
    lots: Sequence[Mapping[str, Any]]

    def lot(self, number: str, stage: str) -> Mapping[str, Any]:
        """Return one lot of the notice.

        Raises:
            InvalidInput: ``doc.bad_field``: the notice does not have it.
        """
        for lot in self.lots:
            if _place(lot) == (number, stage):
                return lot
        raise InvalidInput("doc.bad_field", f"the notice has no lot {number} ({stage})")


def parse_notice(raw: bytes) -> Notice:
    """Parse a notice.

    Raises:
        InvalidInput: ``doc.…``.
    """
    kind = canonical.loads_object(raw).get("kind")
    fields = (_OFFER if kind in OFFERING else _END).read(raw)
    return Notice(
        raw=raw,
        kind=fields["kind"],
        number=fields["number"],
        tender=fields["tender"],
        published_at=fields["published_at"],
        supersedes=fields["supersedes"],
        edition_sha256=fields["edition_sha256"],
        lots=fields["lots"],
    )


def build_notice(fields: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a notice; they parse, or it is a bug."""
    raw = canonical.dumps({**fields, "typ": "mb.notice", "v": 1})
    parse_notice(raw)
    return raw
