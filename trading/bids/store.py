"""Rows of bids. The order of locks is the caller's: procedure, key, head (AL1 L4.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.bids.model import BidHead, Received
from trading.bids.queries import HEAD_COLUMNS, head_of, head_query
from trading.bids.rules.uploads import MOST_OF_BID, Upload
from trading.bids.tables import bid, bid_fingerprint, copied, part, upload, upload_piece
from trading.db import to_ms
from trading.kernel.errors import Conflict, NotFound, RuleBroken
from trading.kernel.ids import new_row_id
from trading.procedures.tables import lot

# What every submission runs is built once. Fingerprints go as two arrays, so that nine rows are planned like one.
_LOCK_HEAD: Final = (
    head_query(*HEAD_COLUMNS, lot.c.policy_sha256.label("lot_policy"))
    .where(bid.c.id == bindparam("bid_id"))
    .with_for_update(of=bid)
)
_ADD_FINGERPRINTS: Final = (
    "INSERT INTO desk.bid_fingerprint (procedure_id, lot, stage, kind, sha256)"
    " SELECT %s, %s, %s, f.kind, f.sha256 FROM unnest(%s::text[], %s::bytea[]) AS f(kind, sha256)"
)
_ADD_VERSION: Final = """
    WITH version AS (
        INSERT INTO record.bid_version (id, entry_id, procedure_id, bid_id, seq, kind, doc_sha256, bytes, sigs,
                                        received_at, queue_ms, h)
        VALUES (%(id)s, %(entry_id)s, %(procedure_id)s, %(bid_id)s, %(seq)s, %(kind)s, %(doc_sha256)s, %(doc)s,
                %(sigs)s, %(received_at)s, %(queue_ms)s, %(h)s))
    UPDATE record.bid
       SET entry_id = %(entry_id)s, seq = %(seq)s, head_kind = %(kind)s, head_sha256 = %(doc_sha256)s, head_h = %(h)s,
           policy_sha256 = %(policy_sha256)s, received_at = %(received_at)s
     WHERE id = %(bid_id)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedHead:
    """A head row held ``FOR UPDATE``, with the policy that is current for its lot."""

    head: BidHead
    current_policy: str | None


def add_head(
    uow: UnitOfWork, recorded: Recorded, *, procedure_id: int, lot_number: str, stage: str, reference: str, bidder: str
) -> None:
    """Insert the head row of a new bid id.

    Raises:
        Conflict: The bidder got an id for this lot and stage in another transaction at the same time.
    """
    row = bid.insert().values(
        id=new_row_id(),
        entry_id=recorded.entry_id,
        procedure_id=procedure_id,
        lot=lot_number,
        stage=stage,
        reference=reference,
        bidder_code=bidder,
        seq=0,
        head_kind="none",
    )
    try:
        uow.connection.execute(row)
    except IntegrityError as error:
        raise Conflict(f"{bidder} has a bid for this lot already") from error


def lock_head(uow: UnitOfWork, bid_id: int) -> LockedHead:
    """Take the head row ``FOR UPDATE``."""
    row: Row[*tuple[Any, ...]] | None = uow.connection.execute(_LOCK_HEAD, {"bid_id": bid_id}).one_or_none()
    if row is None:
        raise NotFound("bid")
    policy = row._mapping["lot_policy"]
    return LockedHead(head=head_of(row), current_policy=None if policy is None else bytes(policy).hex())


def add_fingerprints(uow: UnitOfWork, head: BidHead, fingerprints: tuple[tuple[str, bytes], ...]) -> None:
    """Insert (kind, sha256) rows under the unique key of S7.3 step 5; a conflict is a copy."""
    if not fingerprints:
        return
    kinds, digests = [kind for kind, _ in fingerprints], [digest for _, digest in fingerprints]
    try:
        uow.connection.exec_driver_sql(_ADD_FINGERPRINTS, (head.procedure_id, head.lot, head.stage, kinds, digests))
    except IntegrityError as error:
        raise RuleBroken("bid.copied", "SB1 S7.3") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What a bidder sent: envelope or withdrawal, its document and signatures, the policy it was made under (hex)."""

    kind: str
    doc: bytes
    sigs: bytes
    policy_sha256: str


def add_version(uow: UnitOfWork, recorded: Recorded, head: BidHead, received: Received, version: NewVersion) -> None:
    """Insert the version row and point the head row at it."""
    row = {
        "id": new_row_id(),
        "entry_id": recorded.entry_id,
        "procedure_id": head.procedure_id,
        "bid_id": head.id,
        "seq": received.seq,
        "kind": version.kind,
        "doc_sha256": bytes.fromhex(received.doc_sha256),
        "doc": version.doc,
        "sigs": version.sigs,
        "received_at": received.received_at,
        "queue_ms": received.queue_ms,
        "h": recorded.h,
        "policy_sha256": bytes.fromhex(version.policy_sha256),
    }
    uow.connection.exec_driver_sql(_ADD_VERSION, row)


def add_part(conn: Connection, reference: str, digest: str, size: int) -> None:
    """Remember that a part is stored for a bid, now; technical, any number of times."""
    row = insert(part).values(bid_reference=reference, sha256=bytes.fromhex(digest), size=size, stored_at=_now(conn))
    conn.execute(
        row.on_conflict_do_update(
            index_elements=[part.c.bid_reference, part.c.sha256], set_={"stored_at": row.excluded.stored_at}
        )
    )


def forget_part(conn: Connection, digest: str) -> None:
    """Forget a part that was thrown away, of whatever bid, and that it was copied."""
    for table in (part, copied):
        conn.execute(table.delete().where(table.c.sha256 == bytes.fromhex(digest)))


def forget_fingerprints(conn: Connection, procedure_id: int, fingerprints: Collection[tuple[str, bytes]]) -> None:
    """Forget what envelopes of a procedure might not repeat, as (kind, SHA-256)."""
    key = tuple_(bid_fingerprint.c.kind, bid_fingerprint.c.sha256)
    gone = bid_fingerprint.c.procedure_id == procedure_id, key.in_(sorted(fingerprints))
    conn.execute(bid_fingerprint.delete().where(*gone))


def mark_tried(conn: Connection, digest: str, *, is_copied: bool) -> None:
    """Remember that a part was tried, now, and whether the second store has it; technical, any number of times."""
    now = _now(conn)
    row = insert(copied).values(sha256=bytes.fromhex(digest), tried_at=now, copied_at=now if is_copied else None)
    changed = {"tried_at": row.excluded.tried_at, "copied_at": row.excluded.copied_at}
    conn.execute(
        row.on_conflict_do_update(index_elements=[copied.c.sha256], set_=changed, where=copied.c.copied_at.is_(None))
    )


def add_copied(uow: UnitOfWork, envelope_sha256: str) -> None:
    """Remember that an envelope is recorded as copied, in the transaction of that record.

    Raises:
        Conflict: It is recorded already, by another run at the same time.
    """
    row = copied.insert().values(sha256=bytes.fromhex(envelope_sha256), tried_at=uow.at, copied_at=uow.at)
    try:
        uow.connection.execute(row)
    except IntegrityError as error:
        raise Conflict(f"{envelope_sha256} is recorded as copied already") from error


def add_upload(conn: Connection, new: Upload) -> list[str]:
    """Insert an upload unless there is one of this part; return the ids of those of the bid that gave way to it."""
    row = insert(upload).values(
        id=new.id,
        bid_reference=new.bid,
        name=new.name,
        sha256=bytes.fromhex(new.sha256),
        length=new.length,
        touched_at=_now(conn),
    )
    conn.execute(row.on_conflict_do_nothing(index_elements=[upload.c.bid_reference, upload.c.sha256]))
    own = select(upload.c.id).where(upload.c.bid_reference == new.bid, upload.c.sha256 != bytes.fromhex(new.sha256))
    others = own.order_by(upload.c.touched_at.desc(), upload.c.id).offset(MOST_OF_BID - 1)
    return list(conn.execute(upload.delete().where(upload.c.id.in_(others)).returning(upload.c.id)).scalars())


def touch_upload(conn: Connection, upload_id: str) -> None:
    """Keep an upload from being swept, and hold its row until the end of the transaction.

    Raises:
        NotFound: It is gone.
    """
    changed = upload.update().where(upload.c.id == upload_id).values(touched_at=_now(conn))
    if not conn.execute(changed).rowcount:
        raise NotFound("upload")


def add_piece(conn: Connection, upload_id: str, start: int, size: int, name: str) -> None:
    """Count a piece; the caller holds the row of the upload and has seen that it ends at ``start``."""
    conn.execute(upload_piece.insert().values(upload_id=upload_id, start=start, size=size, name=name))


def remove_upload(conn: Connection, upload_id: str, *, untouched_since: int | None = None) -> bool:
    """Delete an upload with the names of its pieces; return whether it was there, and untouched since an instant."""
    gone = upload.delete().where(upload.c.id == upload_id)
    if untouched_since is not None:
        gone = gone.where(upload.c.touched_at <= untouched_since)
    return bool(conn.execute(gone).rowcount)


def _now(conn: Connection) -> int:
    return to_ms(conn.exec_driver_sql("SELECT log.platform_time()").scalar_one())
