"""Rows of draws. The draw row is the first lock of every step of a draw (AL1 L4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.tables import errand
from trading.experts.queries import CallRow, DrawRow, PaperRow, ShareKeyRow, draw_of, paper_of, share_key_of
from trading.experts.tables import (
    draw,
    draw_answer,
    draw_call,
    draw_key,
    draw_paper,
    draw_reason,
    draw_share_key,
    draw_step,
    draw_told,
)
from trading.kernel.errors import NotFound
from trading.kernel.ids import new_row_id
from trading.kernel.signed import SignedDocument


def lock_draw(uow: UnitOfWork, name: str, attempt: int | None = None) -> DrawRow:
    """Take the row of an attempt ``FOR UPDATE``, the newest one by default.

    Raises:
        NotFound: There is none.
    """
    query = select(draw).where(draw.c.draw == name).order_by(draw.c.attempt.desc()).limit(1).with_for_update()
    if attempt is not None:
        query = query.where(draw.c.attempt == attempt)
    row = uow.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(name)
    return draw_of(row)


def add_draw(uow: UnitOfWork, recorded: Recorded, **values: Any) -> None:  # noqa: ANN401 - column values
    """Insert an attempt."""
    uow.connection.execute(draw.insert().values(id=new_row_id(), entry_id=recorded.entry_id, result_seq=0, **values))


def move_draw(uow: UnitOfWork, recorded: Recorded, row: DrawRow, **values: Any) -> None:  # noqa: ANN401 - column values
    """Update an attempt under ``recorded``."""
    uow.connection.execute(draw.update().where(draw.c.id == row.id).values(entry_id=recorded.entry_id, **values))


def add_answer(
    uow: UnitOfWork,
    recorded: Recorded,
    row: DrawRow,
    kind: str,
    digest: str,
    *,
    party: str = "",
    custodian: int = 0,
    via: str = "platform",
) -> None:
    """Insert what somebody gave in an attempt."""
    uow.connection.execute(
        draw_answer.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            draw=row.draw,
            attempt=row.attempt,
            kind=kind,
            party=party,
            custodian=custodian,
            sha256=bytes.fromhex(digest),
            via=via,
        )
    )


def add_step(uow: UnitOfWork, recorded: Recorded, row: DrawRow, state: str) -> None:
    """Insert one record of the trail."""
    body = recorded.body
    commit = body.get("reason_commit")
    uow.connection.execute(
        draw_step.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            draw=row.draw,
            attempt=row.attempt,
            index_no=body["index"],
            stratum=body["stratum"],
            state=state,
            reason_commit=None if commit is None else bytes.fromhex(commit),
            at=recorded.at,
            h=recorded.h,
        )
    )


def add_reason(conn: Connection, row: DrawRow, index: int, state: str, salt: bytes, reason: str) -> None:
    """Keep what opens the commitment to a reason, for auditors."""
    conn.execute(
        draw_reason.insert().values(
            draw=row.draw, attempt=row.attempt, index_no=index, state=state, salt=salt, reason=reason
        )
    )


def add_share_key(uow: UnitOfWork, recorded: Recorded, key: ShareKeyRow) -> None:
    """Insert a share key that has been challenged and not proved yet."""
    uow.connection.execute(
        draw_share_key.insert().values(
            id=key.id,
            entry_id=recorded.entry_id,
            draw=key.draw,
            kid=key.kid,
            name=key.name,
            role=key.role,
            doc_sha256=bytes.fromhex(key.doc_sha256),
            challenge_sha256=bytes.fromhex(key.challenge_sha256),
            state=key.state,
        )
    )


def lock_share_key(uow: UnitOfWork, digest: str) -> ShareKeyRow | None:
    """Take the row of an ``ed1.custodian-key`` ``FOR UPDATE``."""
    query = select(draw_share_key).where(draw_share_key.c.doc_sha256 == bytes.fromhex(digest)).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else share_key_of(row)


def mark_proved(uow: UnitOfWork, recorded: Recorded, key: ShareKeyRow) -> None:
    """Mark a share key whose possession is proved."""
    row = draw_share_key.update().where(draw_share_key.c.id == key.id)
    uow.connection.execute(row.values(entry_id=recorded.entry_id, state="proved"))


def lock_paper(uow: UnitOfWork, digest: str) -> PaperRow | None:
    """Take a document that waits for signatures ``FOR UPDATE``."""
    query = select(draw_paper).where(draw_paper.c.sha256 == bytes.fromhex(digest)).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else paper_of(row)


def add_paper(conn: Connection, name: str, attempt: int, typ: str, signed: SignedDocument, at: int) -> None:
    """Put a document before its signers; the same one twice is one."""
    known = select(draw_paper.c.sha256).where(draw_paper.c.sha256 == bytes.fromhex(signed.sha256))
    if conn.execute(known).one_or_none() is not None:
        return
    conn.execute(
        draw_paper.insert().values(
            sha256=bytes.fromhex(signed.sha256),
            draw=name,
            attempt=attempt,
            typ=typ,
            bytes=signed.doc,
            sigs=signed.sigs_bytes,
            created_at=at,
        )
    )


def sign_paper(conn: Connection, signed: SignedDocument, h: bytes | None) -> None:
    """Keep the signatures collected so far, and the commitment of the record once none is missing."""
    row = draw_paper.update().where(draw_paper.c.sha256 == bytes.fromhex(signed.sha256))
    conn.execute(row.values(sigs=signed.sigs_bytes, h=h))


def drop_papers(conn: Connection, name: str, attempt: int, typs: Iterable[str]) -> None:
    """Withdraw documents that were never recorded, because another of their kind takes their place."""
    conn.execute(
        draw_paper.delete().where(
            draw_paper.c.draw == name,
            draw_paper.c.attempt == attempt,
            draw_paper.c.typ.in_(list(typs)),
            draw_paper.c.h.is_(None),
        )
    )


def put_key(conn: Connection, name: str, attempt: int, sealed: bytes) -> None:
    """Keep the keys of an attempt, sealed to the contact service."""
    conn.execute(draw_key.delete().where(draw_key.c.draw == name, draw_key.c.attempt == attempt))
    conn.execute(draw_key.insert().values(draw=name, attempt=attempt, sealed=sealed))


def key_of(conn: Connection, name: str, attempt: int) -> bytes:
    """Return the sealed keys of an attempt.

    Raises:
        NotFound: There are none.
    """
    query = select(draw_key.c.sealed).where(draw_key.c.draw == name, draw_key.c.attempt == attempt)
    found = conn.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound(name)
    return bytes(found)


def add_call(conn: Connection, code: bytes, call: CallRow) -> None:
    """Open a call under the hash of its code."""
    conn.execute(
        draw_call.insert().values(
            code_sha256=code,
            draw=call.draw,
            attempt=call.attempt,
            index_no=call.index,
            stratum=call.stratum,
            seat=call.seat,
            called_at=call.called_at,
            ends_at=call.ends_at,
            meeting=call.meeting,
        )
    )


def add_told(conn: Connection, h: bytes, code: bytes) -> bool:
    """Note that a step's person is told, with the hash of the code for contesting; False if it was noted before."""
    query = insert(draw_told).values(h=h, code_sha256=code).on_conflict_do_nothing(index_elements=[draw_told.c.h])
    return conn.execute(query.returning(draw_told.c.h)).scalar_one_or_none() is not None


def told(conn: Connection, hs: Iterable[bytes]) -> set[bytes]:
    """Return those of these steps whose person has been told."""
    return {bytes(h) for h in conn.execute(select(draw_told.c.h).where(draw_told.c.h.in_(list(hs)))).scalars()}


def has_errand(conn: Connection, name: str) -> bool:
    """Say whether an errand of this name is open."""
    query = select(errand.c.id).where(errand.c.name == name, errand.c.done_at.is_(None)).limit(1)
    return conn.execute(query).scalar() is not None
