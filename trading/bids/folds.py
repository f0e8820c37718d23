"""What records say of bids and their versions (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State, differences
from trading.audit.tables import audit_entry
from trading.bids.tables import bid, bid_version
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256

REPLAYED: Final = (
    Replayed(table=bid.name, key=("reference",)),
    Replayed(table=bid_version.name, key=("doc_sha256",)),
)


def _started(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("bid", body["bid"]).update(
        bidder_code=body["bidder"],
        lot=body["lot"],
        stage=body["stage"],
        seq=0,
        head_kind="none",
        head_sha256=None,
        received_at=None,
    )


def _version(kind: str, digest_name: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        body = record["body"]
        digest = bytes.fromhex(body[digest_name])
        row = state.row("bid_version", digest)
        row.update(seq=body["seq"], kind=kind, received_at=body["received_at"], queue_ms=body["queue_ms"])
        state.row("bid", body["bid"]).update(
            seq=body["seq"], head_kind=kind, head_sha256=digest, received_at=body["received_at"]
        )

    return fold


FOLDS: Final[Mapping[str, Fold]] = {
    "bid.started": _started,
    "bid.received": _version("envelope", "envelope_sha256"),
    "bid.withdrawn": _version("withdrawal", "withdrawal_sha256"),
}


def compare_versions(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield versions whose bid, bytes, signature or commitment are not those that the record names."""
    entry = (audit_entry.c.h.label("entry_h"), audit_entry.c.record)
    query = (
        select(bid_version, bid.c.reference, *entry)
        .join(audit_entry, audit_entry.c.id == bid_version.c.entry_id)
        .outerjoin(bid, bid.c.id == bid_version.c.bid_id)
    )
    for row in conn.execute(query.where(bid_version.c.procedure_id == state.procedure_id)):
        body = loads_object(bytes(row.record))["body"]
        told = {
            "bid_id": (row.reference, body.get("bid")),
            "bytes": (sha256(bytes(row.bytes)), bytes(row.doc_sha256)),
            "sigs": (_sig_sha256(bytes(row.sigs)), body.get("sig_sha256")),
            "h": (bytes(row.h), bytes(row.entry_h)),
        }
        for column, (stored, expected) in told.items():
            if stored != expected:
                yield Mismatch(table="bid_version", id=row.id, column=column, stored=stored, expected=expected)


def _sig_sha256(sigs: bytes) -> str | None:
    # The stored array has exactly one signature object: its canonical bytes stand between the brackets.
    return sha256(sigs[1:-1]).hex() if (sigs[:1], sigs[-1:]) == (b"[", b"]") else None


def compare_heads(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield heads whose commitment or policy is not that of the version they point at, or that point at none."""
    version = (bid_version.c.h, bid_version.c.bytes, bid_version.c.doc_sha256)
    query = select(bid.c.id, bid.c.head_h, bid.c.policy_sha256, *version).outerjoin(
        bid_version, (bid_version.c.doc_sha256 == bid.c.head_sha256) & (bid_version.c.bid_id == bid.c.id)
    )
    columns = query.add_columns(bid.c.entry_id)
    for row in conn.execute(columns.where(bid.c.procedure_id == state.procedure_id)).mappings():
        if row["bytes"] is None:
            yield from differences("bid", row, {"head_h": None, "policy_sha256": None})
        elif sha256(bytes(row["bytes"])) == bytes(row["doc_sha256"]):  # else found as a version
            policy = bytes.fromhex(loads_object(bytes(row["bytes"]))["policy_sha256"])
            yield from differences("bid", row, {"head_h": row["h"], "policy_sha256": policy})


COMPARE: Final[tuple[Compare, ...]] = (compare_versions, compare_heads)
