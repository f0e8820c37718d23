"""A sheet as its member makes it: a document with a random salt, signed by its digest alone (EXP-22; ADR 0070).

The platform is told the digest. The document stays with the member until all have signed, and is then handed in:
the very bytes that were signed. ``static/desk/commitment.js`` makes the same bytes; both are held to
``tests/vectors/sheets.json``. Whoever has the digest without the salt cannot try out scores until one fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.sheets import Score, check_sheet
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.procedures.rules.criteria import Criterion

SALT_BYTES: Final = 32
REASON_LIMIT: Final = 1_000
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """Which sheet it is: of whom about what, and the how-manieth; ``reason`` of a change, None for a first one."""

    tender: str
    lot: str
    stage: str
    seat: str
    version: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSheet:
    """The bytes that stay with the member, and the digest (hex) that is signed."""

    raw: bytes
    commit: str


def make_sheet(heading: Heading, items: Sequence[Mapping[str, Any]], salt: bytes) -> MadeSheet:
    """Return a sheet of checked ``items`` (``check_sheet``) with a fresh random salt of ``SALT_BYTES``.

    Raises:
        ValueError: The salt has another length, or the items are no items of a sheet. A bug.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    fields = {name: getattr(heading, name) for name in Heading.__slots__}
    raw = SHEET.write({**fields, "items": [dict(each) for each in items], "salt": salt.hex()})
    return MadeSheet(raw=raw, commit=sha256_hex(raw))


def require_digest(commit: str) -> str:
    """Return a commitment, which is 64 hexadecimal digits and nothing else: scores do not fit into it.

    Raises:
        RuleBroken: ``sheet.digest_wrong`` (EXP-22).
    """
    if not _DIGEST.match(commit):
        raise RuleBroken("sheet.digest_wrong", "EXP-22")
    return commit


def read_sheet(raw: bytes) -> dict[str, Any]:
    """Return the fields of a document that came as a sheet.

    Raises:
        RuleBroken: ``sheet.no_document`` (EXP-22): it is none.
    """
    try:
        return SHEET.read(raw)
    except InvalidInput as error:
        raise RuleBroken("sheet.no_document", "EXP-22") from error


def require_committed(raw: bytes, commit: str) -> None:
    """Refuse any other bytes than those that were signed.

    Raises:
        RuleBroken: ``sheet.other_document`` (EXP-22).
    """
    if sha256_hex(raw) != commit:
        raise RuleBroken("sheet.other_document", "EXP-22")


def require_lawful(
    document: Mapping[str, Any], heading: Heading, criteria: Sequence[Criterion], bids: Sequence[str]
) -> None:
    """Check a whole sheet by the criteria: every bid and criterion once, in range and in words (DOC-15, B10.6).

    The refusal says that something is wrong, never which score: it may be read before the scores are open.

    Raises:
        RuleBroken: ``sheet.invalid`` (B10.6) with the code of what is wrong; ``sheet.reason_missing``.
    """
    named = {name: document[name] for name in ("tender", "lot", "stage", "seat", "version")}
    if named != {name: getattr(heading, name) for name in named}:
        raise RuleBroken("sheet.invalid", "B10.6", fault="sheet.other_place")
    try:
        items = check_sheet(criteria, bids, cells_of_document(document))
    except RuleBroken as broken:
        raise RuleBroken("sheet.invalid", "B10.6", fault=broken.code) from broken
    if _points(items) != _points(document["items"]):
        raise RuleBroken("sheet.invalid", "B10.6", fault="sheet.incomplete")
    reason = document["reason"]
    if heading.reason is not None and not (reason or "").strip():
        raise RuleBroken("sheet.reason_missing", "B10.6")
    if len(reason or "") > REASON_LIMIT:
        raise RuleBroken("examination.reason_long", None, limit=REASON_LIMIT)


def cells_of_document(document: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    """Return the cells of a sheet: bid → criterion → score."""
    return {
        item["bid"]: {row["criterion"]: Score(points=row["points"], comment=row["comment"]) for row in item["scores"]}
        for item in document["items"]
    }


def _points(items: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [[item["bid"], [(row["criterion"], row["points"]) for row in item["scores"]]] for item in items]
