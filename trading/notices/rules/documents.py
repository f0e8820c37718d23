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
    MAX_TEXT,
    Reader,
    Table,
    array,
    decimal,
    digest,
    flag,
    instant,
    integer,
    matching,
    nullable,
    one_of,
    record,
    sorted_by,
    text,
)

KINDS: Final = ("cancellation", "contract", "correction", "failed", "result", "tender")
OFFERING: Final = frozenset({"correction", "tender"})  # kinds whose lots describe what is bought

_PARTY: Final = record({"code": text, "name_en": text, "name_zh": text})
_ITEM: Final = record({"code": text, "name_en": text, "name_zh": text, "quantity": decimal, "unit": text})
_DOCUMENT: Final = record({"media": text, "name": text, "sha256": digest, "size": integer(1)})
_BAND: Final = record({"from": decimal, "points": decimal, "text_en": text, "text_zh": text, "to": nullable(decimal)})
_CRITERION: Final = record(
    {
        "bands": array(_BAND),
        "id": text,
        "kind": one_of("objective", "price", "subjective"),
        "max": decimal,
        "step": decimal,
        "text_en": text,
        "text_zh": text,
        "title_en": text,
        "title_zh": text,
    }
)
# What the documents choose of the method's formula; which of these it takes is asked by procedures.rules.formula_terms.
_FORMULA_FIELDS: Final[Mapping[str, Reader]] = {
    **dict.fromkeys(("above", "band", "below", "elimination", "floor"), decimal),
    **dict.fromkeys(("ceiling_reduction", "ceiling_weight", "reduction"), array(decimal)),
    **dict.fromkeys(("benchmarks", "technical", "ties"), array(text)),
    "factors": array(record({"id": text, "title_en": text, "title_zh": text, "unit": text, "value": decimal})),
    "instruments": flag,
    "trim": array(record({"highest": integer(0), "lowest": integer(0), "quotes": integer(0)})),
}
_FORMULA: Final = record(_FORMULA_FIELDS, optional=frozenset(_FORMULA_FIELDS))
_DEDUCTIONS: Final = record(
    dict.fromkeys(("consortium", "domestic", "small_micro"), decimal), optional=frozenset({"domestic"})
)
_OFFERED: Final = record(
    {
        "budget": nullable(integer(1)),
        "abnormal": record(dict.fromkeys(("ceiling", "mean", "second_lowest"), decimal)),
        "category": one_of("goods", "services", "works"),
        "ceiling": nullable(integer(1)),
        "criteria": nullable(array(_CRITERION, least=1)),
        "currency": matching(r"[A-Z]{3}"),
        "formula": _FORMULA,
        "items": array(_ITEM),
        "lot": text,
        "masked": flag,
        "method": text,
        "policy_sha256": nullable(digest),
        "preference": nullable(_DEDUCTIONS),
        "schedule_sha256": nullable(digest),
        "stage": text,
        "tie_rule": text,
        "title_en": text,
        "title_zh": text,
    },
    optional=frozenset({"abnormal", "budget", "category", "criteria", "formula", "masked", "preference"}),
)
# What NOT-09 asks of a result beside the award itself; older notices say less.
_AWARD: Final = record(
    {
        "bid": text,
        "bidder": text,
        "evaluated_price": integer(0),
        "price": integer(0),
        "score": nullable(decimal),
        "sme": nullable(text),
        "winner": _PARTY,
    },
    optional=frozenset({"evaluated_price", "score", "sme", "winner"}),
)
_CONCLUDED: Final = record(
    {"award": nullable(_AWARD), "lot": text, "ranked_h": nullable(digest), "reason": nullable(text), "stage": text}
)
_CONTRACTED: Final = record(
    {
        "contract_sha256": digest,
        "currency": matching(r"[A-Z]{3}"),
        "lot": text,
        "price": integer(0),
        "signed_at": instant,
        "stage": text,
        "supplier": _PARTY,
    }
)
_VALUE: Final = matching(rf"[\s\S]{{0,{MAX_TEXT}}}")  # empty: the field had, or has, no value
_HEAD: Final[dict[str, Reader]] = {
    "agency": _PARTY,
    "buyer": _PARTY,
    "changes": array(record({"field": text, "new": _VALUE, "old": _VALUE})),
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


def _name(document: Mapping[str, Any]) -> str:
    return str(document["name"])


# Files that belong to the notice (DOC-02, NOT-09), by name; and what the documents say of time (NOT-04, DOC-07).
_FILES: Final[dict[str, Reader]] = {"documents": sorted_by(_name, _DOCUMENT)}
_TIMES: Final[dict[str, Reader]] = {
    "bid_validity_days": nullable(integer(1)),
    "questions_until": nullable(instant),
    "supply_ends_at": nullable(instant),
}
_EXPERTS: Final[dict[str, Reader]] = {"experts": array(text)}

_OFFER: Final = Table(
    "mb.notice",
    {**_HEAD, **_FILES, **_TIMES, "kind": one_of(*sorted(OFFERING)), "lots": sorted_by(_place, _OFFERED)},
    optional=frozenset({*_FILES, *_TIMES}),
)
_CONTRACT: Final = Table("mb.notice", {**_HEAD, "kind": one_of("contract"), "lots": sorted_by(_place, _CONTRACTED)})
_ENDING: Final = ("cancellation", "failed", "result")
_END: Final = Table(
    "mb.notice",
    {**_HEAD, **_FILES, **_EXPERTS, "kind": one_of(*_ENDING), "lots": sorted_by(_place, _CONCLUDED)},
    optional=frozenset({*_FILES, *_EXPERTS}),
)


def _table_of(kind: object) -> Table:
    if kind in OFFERING:
        return _OFFER
    return _CONTRACT if kind == "contract" else _END


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
    documents: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()

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
    fields = _table_of(canonical.loads_object(raw).get("kind")).read(raw)
    return Notice(
        raw=raw,
        kind=fields["kind"],
        number=fields["number"],
        tender=fields["tender"],
        published_at=fields["published_at"],
        supersedes=fields["supersedes"],
        edition_sha256=fields["edition_sha256"],
        lots=fields["lots"],
        documents=fields.get("documents", ()),
        changes=list(fields["changes"]),
    )


def build_notice(fields: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a notice; they parse, or it is a bug."""
    raw = canonical.dumps({**fields, "typ": "mb.notice", "v": 1})
    parse_notice(raw)
    return raw
