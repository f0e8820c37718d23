"""Stored documents are their hashes, and every document that a record names is stored (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.documents.tables import document
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

REPLAYED: Final[tuple[Replayed, ...]] = ()

# Kind to the body field that names a document of its procedure; notices and versions of bids have tables of their own.
_NAMED: Final = {
    "custodian.challenged": "custodian_key_sha256",
    "custodian.key_destroyed": "destroyed_sha256",
    "policy.fixed": "policy_sha256",
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
    "bids.ranked": "edition_sha256",
    "scores.opened": "sheets",
    "report.drafted": "report_sha256",
    "contract.signed": "contract_sha256",
}


def _names(field: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        named = record["body"][field]
        state.facts.setdefault("documents", set()).update(named if isinstance(named, list) else [named])

    return fold


FOLDS: Final[Mapping[str, Fold]] = {kind: _names(field) for kind, field in _NAMED.items()}


def content_of(doc: bytes, digest: bytes) -> dict[str, Any] | None:
    """Return what a stored document says; None if its bytes were changed, which ``compare_documents`` reports."""
    return loads_object(doc) if sha256(doc) == digest else None


def signer_of(doc: bytes, sigs: bytes) -> str | None:
    """Return the key id of the one signature of a stored document; None if there is not exactly one."""
    try:
        signed = SignedDocument.from_parts(doc, sigs)
    except InvalidInput:
        return None
    return signed.sigs[0]["kid"] if len(signed.sigs) == 1 else None


def compare_documents(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield documents whose bytes do not have their hash or are of another type, and named ones that are missing."""
    missing = set(state.facts.get("documents", ()))
    query = select(document.c.id, document.c.sha256, document.c.typ, document.c.bytes)
    for row in conn.execute(query.where(document.c.procedure_id.is_not_distinct_from(state.procedure_id))):
        expected = bytes(row.sha256).hex()
        missing.discard(expected)
        content = content_of(bytes(row.bytes), bytes(row.sha256))
        if content is None:
            yield Mismatch(table="document", id=row.id, column="bytes", stored="other bytes", expected=expected)
        elif row.typ != content["typ"]:
            yield Mismatch(table="document", id=row.id, column="typ", stored=row.typ, expected=content["typ"])
    for digest in sorted(missing):
        yield Mismatch(table="document", id=None, column="*", stored=None, expected=digest)


COMPARE: Final[tuple[Compare, ...]] = (compare_documents,)
