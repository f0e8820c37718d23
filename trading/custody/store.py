"""Rows of custodian keys, and the jobs that wait for agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, literal, select
from sqlalchemy.dialects.postgresql import insert

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.custody.queries import KeyRow, key_of
from trading.custody.tables import custodian_job, custodian_key, custodian_nonce
from trading.kernel.canonical import dumps
from trading.kernel.ids import new_row_id, random_name


def add_key(uow: UnitOfWork, recorded: Recorded, key: KeyRow) -> None:
    """Insert a share key that has been challenged and not proved yet."""
    uow.connection.execute(
        custodian_key.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=key.procedure_id,
            lot=key.lot,
            stage=key.stage,
            kid=key.kid,
            name=key.name,
            role=key.role,
            doc_sha256=bytes.fromhex(key.doc_sha256),
            challenge_sha256=bytes.fromhex(key.challenge_sha256),
            state="challenged",
        )
    )


def lock_key(uow: UnitOfWork, doc_sha256: str) -> KeyRow | None:
    """Take the row of a custodian-key document ``FOR UPDATE``."""
    query = select(custodian_key).where(custodian_key.c.doc_sha256 == bytes.fromhex(doc_sha256)).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else key_of(row)


def mark_proved(uow: UnitOfWork, recorded: Recorded, key: KeyRow) -> None:
    """Mark a key whose possession is proved."""
    uow.connection.execute(
        custodian_key.update()
        .where(custodian_key.c.doc_sha256 == bytes.fromhex(key.doc_sha256))
        .values(entry_id=recorded.entry_id, state="proved")
    )


def add_job(
    conn: Connection,
    *,
    kid: str,
    kind: str,
    procedure_id: int,
    lot: str,
    stage: str,
    custodian: int,
    request: Mapping[str, Any],
) -> str:
    """Insert a job for one institution and return its id; an unanswered equal one is not asked twice."""
    content = dumps(dict(request))
    equal = select(custodian_job.c.id).where(
        custodian_job.c.kid == kid,
        custodian_job.c.kind == kind,
        custodian_job.c.procedure_id == procedure_id,
        custodian_job.c.request == content,
    )
    row = {
        "id": f"j-{random_name(16)}",
        "kid": kid,
        "kind": kind,
        "procedure_id": procedure_id,
        "lot": lot,
        "stage": stage,
        "custodian": custodian,
        "request": content,
    }
    values = select(*(literal(value, custodian_job.c[name].type) for name, value in row.items()))
    asked = custodian_job.insert().from_select(list(row), values.where(~equal.exists()))
    made: str | None = conn.execute(asked.returning(custodian_job.c.id)).scalar_one_or_none()
    return made or conn.execute(equal).scalars().one()


def mark_answered(conn: Connection, job_id: str, at: int, answer_sha256: str) -> None:
    """Take a job off the list of its agent, and remember which answer it was."""
    values = {"answered_at": at, "answer_sha256": bytes.fromhex(answer_sha256)}
    conn.execute(custodian_job.update().where(custodian_job.c.id == job_id).values(**values))


def mark_refused(conn: Connection, job_id: str, at: int, code: str) -> None:
    """Remember why the agent did not do a job for now; the job stays on its list."""
    waits = (custodian_job.c.id == job_id) & custodian_job.c.answered_at.is_(None)
    conn.execute(custodian_job.update().where(waits).values(refused_at=at, refusal=code))


def add_nonce(conn: Connection, kid: str, nonce: bytes, created: int, *, forget_before: int) -> bool:
    """Keep the nonce of a poll, and forget those too old to be accepted again; False if it was used before."""
    conn.execute(custodian_nonce.delete().where(custodian_nonce.c.created < forget_before))
    row = insert(custodian_nonce).values(kid=kid, nonce=nonce, created=created).on_conflict_do_nothing()
    return conn.execute(row.returning(custodian_nonce.c.kid)).scalar_one_or_none() is not None
