"""Rows of questions, of who asked them, and of answers."""

from __future__ import annotations

from typing import Any

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.clarifications.model import Asker
from trading.clarifications.rules.answering import Content
from trading.clarifications.tables import answer, question, question_asker
from trading.kernel.errors import Conflict
from trading.kernel.ids import new_row_id


def add_question(
    uow: UnitOfWork, recorded: Recorded, procedure_id: int, asker: Asker, *, lot: str | None, text: str
) -> None:
    """Insert a question, and apart from it who asked."""
    uow.connection.execute(
        question.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            reference=asker.question,
            lot=lot,
            text=text,
            asked_at=recorded.at,
        )
    )
    uow.connection.execute(
        question_asker.insert().values(
            question=asker.question, account_id=asker.account, org_code=asker.organisation, salt=asker.salt
        )
    )


def add_draft(uow: UnitOfWork, recorded: Recorded, procedure_id: int, reference: str, content: Content) -> None:
    """Insert the first version of an answer."""
    row = {"id": new_row_id(), "procedure_id": procedure_id, "question": reference}
    uow.connection.execute(answer.insert().values(**row, **_drafted(uow, recorded, content, 1)))


def change_draft(uow: UnitOfWork, recorded: Recorded, reference: str, content: Content, *, version: int) -> None:
    """Replace an unpublished answer by its next version.

    Raises:
        Conflict: It was changed or published by another act.
    """
    where = (answer.c.question == reference, answer.c.version == version - 1, answer.c.number.is_(None))
    found = uow.connection.execute(
        answer.update().where(*where).values(**_drafted(uow, recorded, content, version))
    ).rowcount
    if found != 1:
        raise Conflict(f"answer to {reference} was moved by another act")


def _drafted(uow: UnitOfWork, recorded: Recorded, content: Content, version: int) -> dict[str, Any]:
    return {
        **content.to_json(),
        "entry_id": recorded.entry_id,
        "version": version,
        "drafted_by": uow.actor.account,
    }


def publish(uow: UnitOfWork, recorded: Recorded, reference: str, *, number: int) -> None:
    """Give an answer its number: from now on it never changes."""
    uow.connection.execute(
        answer.update()
        .where(answer.c.question == reference)
        .values(entry_id=recorded.entry_id, number=number, published_at=recorded.at, h=recorded.h)
    )
