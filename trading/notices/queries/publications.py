"""What was published where and when (NOT-32), and what each channel shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, Select, func, select

from trading.audit.queries import EntryRow
from trading.audit.tables import audit_entry, log_position
from trading.notices.rules.channels import Channel
from trading.notices.tables import notice, publication
from trading.procedures.tables import procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One publication: ``number`` in the order of its channel's commits, ``published_at`` in ms.

    ``entry_h`` is the commitment of what was published, ``h`` that of the record that proves it; ``content`` is what
    the channel shows, except on pages.
    """

    channel: Channel
    number: int
    entry_h: str
    h: str
    sha256: str
    url: str
    published_at: int
    content: bytes | None

    @property
    def path(self) -> str:
        """Return the address on this very platform, under whatever name it is reached."""
        return urlsplit(self.url).path


_COLUMNS: Final = (
    publication.c.channel,
    publication.c.number,
    publication.c.entry_h,
    publication.c.sha256,
    publication.c.url,
    publication.c.published_at,
    publication.c.content,
    audit_entry.c.h,
)
_SELECT: Final = select(*_COLUMNS).join(audit_entry, audit_entry.c.id == publication.c.entry_id)


def next_number(conn: Connection, channel: Channel) -> int:
    """Return the number of the channel's next publication; whoever asks holds the channel's lock."""
    newest = conn.execute(select(func.max(publication.c.number)).where(publication.c.channel == channel)).scalar_one()
    return int(newest or 0) + 1


def is_published(conn: Connection, entry_h: bytes, channel: Channel) -> bool:
    """Whether the entry has its publication in the channel."""
    query = select(publication.c.id).where(publication.c.entry_h == entry_h, publication.c.channel == channel)
    return conn.execute(query).scalar_one_or_none() is not None


def is_last_of_act(conn: Connection, entry: EntryRow) -> bool:
    """Whether no later entry publishes the same notice.

    An act about several lots names its notice in an entry for each: the last one is published, which knows of all.
    """
    named = _notice_named(entry.record)
    later = (
        (audit_entry.c.procedure_id == entry.procedure_id)
        & (audit_entry.c.kind == entry.kind)
        & (audit_entry.c.id > entry.id)
    )
    rows = conn.execute(select(audit_entry.c.record).where(later)).scalars() if named is not None else ()
    return all(_notice_named(bytes(record)) != named for record in rows)


def _notice_named(record: bytes) -> str | None:
    body = json.loads(record)["body"]
    named: str | None = body.get("notice_sha256")
    return None if body.get("evidence") else named  # a deadline that moved by rule publishes no notice (TE1 T6)


def after(conn: Connection, channel: Channel, number: int, limit: int) -> list[Publication]:
    """Return the publications of a channel that follow ``number``, in the order of their commits."""
    query = _SELECT.where(publication.c.channel == channel, publication.c.number > number)
    return _read(conn, query.order_by(publication.c.number).limit(limit))


def before(conn: Connection, channel: Channel, number: int | None, limit: int) -> list[Publication]:
    """Return the publications of a channel before ``number``, or the newest ones, newest first."""
    query = _SELECT.where(publication.c.channel == channel)
    if number is not None:
        query = query.where(publication.c.number < number)
    return _read(conn, query.order_by(publication.c.number.desc()).limit(limit))


def of_procedure(conn: Connection, reference: str, channel: Channel) -> list[Publication]:
    """Return what a channel shows of a procedure, in the order of the published entries in the log."""
    published = audit_entry.alias("published")
    query = (
        _SELECT.join(procedure, procedure.c.id == publication.c.procedure_id)
        .join(published, published.c.h == publication.c.entry_h)
        .join(log_position, log_position.c.entry_id == published.c.id)
        .where(procedure.c.reference == reference, publication.c.channel == channel)
    )
    return _read(conn, query.order_by(log_position.c.n))


def of_notice(conn: Connection, reference: str, number: int) -> list[Publication]:
    """Return where and when a notice was published, the first channel first: its period counts from there (NOT-32)."""
    page = publication.alias("page")  # its publication names the notice by its digest
    shown = (
        select(page.c.entry_h)
        .join(notice, notice.c.sha256 == page.c.sha256)
        .join(procedure, procedure.c.id == notice.c.procedure_id)
        .where(page.c.channel == Channel.PAGE, procedure.c.reference == reference, notice.c.number == number)
    )
    query = _SELECT.where(publication.c.entry_h.in_(shown))
    return _read(conn, query.order_by(publication.c.published_at, publication.c.channel))


def _read(conn: Connection, query: Select[*tuple[Any, ...]]) -> list[Publication]:
    return [_publication(row) for row in conn.execute(query)]


def _publication(row: Row[*tuple[Any, ...]]) -> Publication:
    return Publication(
        channel=Channel(row.channel),
        number=row.number,
        entry_h=bytes(row.entry_h).hex(),
        h=bytes(row.h).hex(),
        sha256=bytes(row.sha256).hex(),
        url=row.url,
        published_at=row.published_at,
        content=None if row.content is None else bytes(row.content),
    )
