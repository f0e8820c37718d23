"""Rows of working drafts and of their files; desk rows, so the newest state is all there is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from trading.agency.rules.content import Content
from trading.agency.tables import draft_document, working_draft
from trading.kernel.canonical import dumps
from trading.kernel.errors import Conflict
from trading.kernel.roles import Actor
from trading.procedures.rules.spec import DocumentSpec


def add_draft(
    conn: Connection,
    draft_id: str,
    actor: Actor,
    content: Content,
    *,
    at: int,
    purpose: str,
    reference: str | None = None,
) -> None:
    """Insert an empty draft of the actor's organisation."""
    conn.execute(
        working_draft.insert().values(
            id=draft_id,
            purpose=purpose,
            org_code=actor.organisation,
            reference=reference,
            state="editing",
            content=dumps(content),
            author=actor.account,
            updated_by=actor.account,
            updated_at=at,
            version=1,
        )
    )


def save_draft(conn: Connection, draft_id: str, version: int, *, by: str, at: int, **values: Any) -> int:  # noqa: ANN401 - columns
    """Update a draft that nobody changed since ``version``; return the new version.

    Raises:
        Conflict: Somebody did.
    """
    if "content" in values:
        values["content"] = dumps(values["content"])
    result = conn.execute(
        working_draft.update()
        .where(working_draft.c.id == draft_id, working_draft.c.version == version)
        .values(updated_by=by, updated_at=at, version=version + 1, **values)
    )
    if result.rowcount != 1:
        raise Conflict(f"draft {draft_id} was changed by another person")
    return version + 1


def put_document(conn: Connection, draft_id: str, document: DocumentSpec, *, by: str, at: int) -> None:
    """Attach a file; one of the same name is replaced."""
    drop_document(conn, draft_id, document.name)
    conn.execute(
        draft_document.insert().values(
            draft_id=draft_id,
            name=document.name,
            sha256=bytes.fromhex(document.sha256),
            size=document.size,
            media=document.media,
            added_by=by,
            added_at=at,
        )
    )


def drop_document(conn: Connection, draft_id: str, name: str) -> None:
    """Detach a file; its bytes stay in the store, where nothing is deleted."""
    conn.execute(draft_document.delete().where(draft_document.c.draft_id == draft_id, draft_document.c.name == name))


def drop_draft(conn: Connection, draft_id: str) -> None:
    """Delete a draft that was never submitted, with its list of files."""
    conn.execute(draft_document.delete().where(draft_document.c.draft_id == draft_id))
    conn.execute(working_draft.delete().where(working_draft.c.id == draft_id))
