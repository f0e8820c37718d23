"""Stored documents are their hashes; each is named by a record, and each that a record names is stored (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State, differences
from trading.documents.tables import document
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

REPLAYED: Final[tuple[Replayed, ...]] = ()
EDITION: Final = "mb.edition"

# Kind to the body field that names a document of its procedure; notices and versions of bids have tables of their own.
_NAMED: Final = {
    "custodian.challenged": "custodian_key_sha256",
    "custodian.key_destroyed": "destroyed_sha256",
    "policy.fixed": "policy_sha256",
    "practice.opened": "schedule_sha256",
    "tender.published": "schedule_sha256",
    "tender.changed": "schedule_sha256",
    "closing.confirmed": "doc_sha256",
    "open.ordered": "order_sha256",
    "objection.decided": "decision_sha256",
    "share.checked": "check_sha256",
    "share.adjudicated": "adjudication_sha256",
    "share.released": "release_sha256",
    "factor.closed": "factor_list_sha256",
    "opening.completed": "transcript_sha256s",
    "scores.opened": "sheets",
    "report.drafted": "report_sha256",
    "contract.signed": "contract_sha256",
}


def _names(field: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        found = record["body"][field]
        for digest in found if isinstance(found, list) else [found]:
            named(state, digest)

    return fold


def _probe_opened(state: State, record: Mapping[str, Any]) -> None:
    """Nobody signs the documents of a hidden lot (ADR 0054)."""
    for field in ("policy_sha256", "schedule_sha256"):
        named(state, record["body"][field])
        state.facts.setdefault("unsigned", set()).add(record["body"][field])


def named(state: State, digest: str) -> None:
    """Remember that this record names a document: the first that does is the one under which it is stored."""
    state.facts.setdefault("documents", {}).setdefault(digest, state.entry_id)


FOLDS: Final[Mapping[str, Fold]] = {
    **{kind: _names(field) for kind, field in _NAMED.items()},
    "probe.opened": _probe_opened,
}


def content_of(doc: bytes, digest: bytes) -> dict[str, Any] | None:
    """Return what a stored document says; None if its bytes were changed, which ``compare_documents`` reports."""
    if sha256(doc) != digest:
        return None
    try:
        return loads_object(doc)
    except InvalidInput:
        return None  # no document at all, which no record names


def signer_of(doc: bytes, sigs: bytes) -> str | None:
    """Return the key id of the one signature of a stored document; None if there is not exactly one."""
    try:
        signed = SignedDocument.from_parts(doc, sigs)
    except InvalidInput:
        return None
    return signed.sigs[0]["kid"] if len(signed.sigs) == 1 else None


def compare_documents(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield documents that no record names, named ones that are missing, and whatever is not as it was stored.

    An edition is named by the notice and not by a record: ``notices`` compares it.
    """
    missing: dict[str, int] = dict(state.facts.get("documents", {}))
    query = select(document).where(document.c.procedure_id.is_not_distinct_from(state.procedure_id))
    for row in conn.execute(query).mappings():
        digest = bytes(row["sha256"]).hex()
        entry_id = missing.pop(digest, None)
        content = content_of(bytes(row["bytes"]), bytes(row["sha256"]))
        if entry_id is not None:
            yield from differences("document", row, {"entry_id": entry_id})
        elif content is None or content.get("typ") != EDITION:
            stored = row["entry_id"]
            yield Mismatch(table="document", id=row["id"], column="*", stored=digest, expected=None, entry_id=stored)
        yield from _changes(row, content, entry_id)
    for digest, entry_id in missing.items():
        yield Mismatch(table="document", id=None, column="*", stored=None, expected=digest, entry_id=entry_id)


def _changes(row: RowMapping, content: Mapping[str, Any] | None, entry_id: int | None) -> Iterator[Mismatch]:
    stored, expected = sha256(bytes(row["bytes"])), bytes(row["sha256"])
    if stored != expected:
        place = entry_id or row["entry_id"]
        yield Mismatch(table="document", id=row["id"], column="bytes", stored=stored, expected=expected, entry_id=place)
    elif content is not None:
        yield from differences("document", row, {"typ": content.get("typ")}, entry_id)


COMPARE: Final[tuple[Compare, ...]] = (compare_documents,)
