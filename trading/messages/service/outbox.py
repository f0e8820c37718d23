"""The outbox: mail is sealed before it is stored, and only the contact service opens it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from trading.crypto.contact import ContactKey
from trading.crypto.keys import hpke_seal
from trading.kernel.digests import MESSAGES_MAIL
from trading.kernel.ids import new_row_id
from trading.messages.rules.mail import Mail
from trading.messages.tables import contact_mail

_FIRST_DELAY_MS: Final = 2_000
_LONGEST_DELAY_MS: Final = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One mail that is due; ``id`` is also its Message-ID, so that a repeated delivery is recognised."""

    id: int
    sealed: bytes
    attempts: int


def _info(mail_id: int) -> bytes:
    return MESSAGES_MAIL.encode() + b"\0" + str(mail_id).encode()


def put(conn: Connection, contact_public: bytes, kind: str, mail: Mail, at: int) -> int:
    """Seal a mail to the contact service and put it into the outbox, in the caller's transaction; return its id."""
    mail_id = new_row_id()
    conn.execute(
        contact_mail.insert().values(
            id=mail_id,
            kind=kind,
            sealed=hpke_seal(contact_public, _info(mail_id), mail.encode()),
            created_at=at,
            attempts=0,
            due_at=at,
        )
    )
    return mail_id


def opened(key: ContactKey, waiting: Waiting) -> Mail:
    """Open a mail; the contact service alone can."""
    return Mail.decode(key.open(_info(waiting.id), waiting.sealed))


def due(conn: Connection, at: int, limit: int = 50) -> list[Waiting]:
    """Return unsent mails whose time has come, the longest due first."""
    query = (
        select(contact_mail.c.id, contact_mail.c.sealed, contact_mail.c.attempts)
        .where(contact_mail.c.sent_at.is_(None), contact_mail.c.due_at <= at)
        .order_by(contact_mail.c.due_at)
        .limit(limit)
    )
    return [Waiting(id=row.id, sealed=bytes(row.sealed), attempts=row.attempts) for row in conn.execute(query)]


def sent(conn: Connection, mail_id: int, at: int) -> None:
    """Note a delivery, and forget the content: nobody needs it any more."""
    row = contact_mail.update().where(contact_mail.c.id == mail_id, contact_mail.c.sent_at.is_(None))
    conn.execute(row.values(sent_at=at, attempts=contact_mail.c.attempts + 1, sealed=b"", last_error=None))


def failed(conn: Connection, waiting: Waiting, at: int, error: str) -> None:
    """Note a failure and try again later, each time twice as long."""
    delay = min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS << min(waiting.attempts, 16))
    row = contact_mail.update().where(contact_mail.c.id == waiting.id, contact_mail.c.sent_at.is_(None))
    conn.execute(row.values(attempts=waiting.attempts + 1, due_at=at + delay, last_error=error))
