"""Read side of custody: share keys of a lot and waiting jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from trading.bids.rules.policy import Policy, PolicyPackage, parse_custodian_key, parse_policy
from trading.custody.tables import custodian_job, custodian_key
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.kernel.signed import SignedDocument
from trading.procedures.queries import LotRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One share key of a lot and stage; ``kid`` is that of the institution's signing key."""

    procedure_id: int
    lot: str
    stage: str
    kid: str
    name: str
    role: str
    doc_sha256: str
    challenge_sha256: str
    state: str


def key_of(row: Row[*tuple[Any, ...]]) -> KeyRow:
    """Return a full row as a value."""
    return KeyRow(
        procedure_id=row.procedure_id,
        lot=row.lot,
        stage=row.stage,
        kid=row.kid,
        name=row.name,
        role=row.role,
        doc_sha256=bytes(row.doc_sha256).hex(),
        challenge_sha256=bytes(row.challenge_sha256).hex(),
        state=row.state,
    )


def keys_of_lot(conn: Connection, procedure_id: int, lot: str, stage: str) -> list[KeyRow]:
    """Return the share keys of a lot and stage, by role and name."""
    query = (
        select(custodian_key)
        .where(
            custodian_key.c.procedure_id == procedure_id,
            custodian_key.c.lot == lot,
            custodian_key.c.stage == stage,
        )
        .order_by(custodian_key.c.role, custodian_key.c.name)
    )
    return [key_of(row) for row in conn.execute(query)]


def signed_keys(conn: Connection, policy: Policy, procedure_id: int) -> list[SignedDocument]:
    """Return the signed ``sb1.custodian-key`` documents of a policy, in index order (S3.3).

    Raises:
        IntegrityFailure: One of them is not stored.
    """
    offered = {}
    for key in keys_of_lot(conn, procedure_id, policy.lot, policy.stage):
        signed = _document(conn, key.doc_sha256)
        offered[parse_custodian_key(signed.doc).hpke_pk] = signed
    missing = [row.i for row in policy.custodians if row.hpke_pk not in offered]
    if missing:
        raise IntegrityFailure(f"the key document of custodian {missing[0]} is missing")
    return [offered[row.hpke_pk] for row in policy.custodians]


def package(conn: Connection, lot: LotRow) -> PolicyPackage:
    """Return what bidders of a published lot receive: policy, custodian keys, current schedule (S3.3).

    Raises:
        NotFound: The lot is not published.
    """
    if lot.policy_sha256 is None or lot.schedule_sha256 is None:
        raise NotFound(f"lot {lot.number}")
    policy = _document(conn, lot.policy_sha256)
    keys = signed_keys(conn, parse_policy(policy.doc), lot.procedure_id)
    schedule = _document(conn, lot.schedule_sha256)
    return PolicyPackage(policy=policy, custodian_keys=tuple(keys), schedule=schedule)


def _document(conn: Connection, sha256: str) -> SignedDocument:
    found = documents.get(conn, bytes.fromhex(sha256))
    if found is None:
        raise IntegrityFailure(f"document {sha256} is missing")
    return SignedDocument.from_parts(found.doc, found.sigs)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """One job of an institution; ``request`` is what the agent is asked."""

    cursor: int
    id: str
    kid: str
    kind: str
    procedure_id: int
    lot: str
    stage: str
    custodian: int
    request: dict[str, Any]
    answered_at: int | None
    answer_sha256: str | None


def waiting(conn: Connection, kid: str, after: int, limit: int = 50) -> list[WaitingJob]:
    """Return the unanswered jobs of an institution after a cursor, oldest first."""
    query = (
        select(custodian_job)
        .where(custodian_job.c.kid == kid, custodian_job.c.cursor > after, custodian_job.c.answered_at.is_(None))
        .order_by(custodian_job.c.cursor)
        .limit(limit)
    )
    return [_job(row) for row in conn.execute(query)]


def job(conn: Connection, job_id: str) -> WaitingJob | None:
    """Return one job, answered or not."""
    row = conn.execute(select(custodian_job).where(custodian_job.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def _job(row: Row[*tuple[Any, ...]]) -> WaitingJob:
    return WaitingJob(
        cursor=row.cursor,
        id=row.id,
        kid=row.kid,
        kind=row.kind,
        procedure_id=row.procedure_id,
        lot=row.lot,
        stage=row.stage,
        custodian=row.custodian,
        request=loads_object(bytes(row.request)),
        answered_at=row.answered_at,
        answer_sha256=None if row.answer_sha256 is None else bytes(row.answer_sha256).hex(),
    )
