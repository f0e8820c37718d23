"""Publishing an entry in one channel: one effect, whatever is killed when (NOT-31, NOT-32).

The errand, the record, the row and what the channel shows are one transaction. ``(entry, channel)`` is unique in the
database, so that a second run finds it done. What is shown is made from the records up to the entry alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.relay import React
from trading.audit.runtime import Runtime
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.kernel.events import Event
from trading.kernel.ids import is_practice
from trading.notices import store
from trading.notices.queries import publications
from trading.notices.queries.cases import case_at
from trading.notices.rules import exact_json
from trading.notices.rules.announcement import item, notice_of, page_of
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import Case, ocid, release, release_id

# One publication of a channel at a time: numbers follow the commits, so that a reader with a cursor misses none (G11).
_LOCKS: Final = {Channel.PAGE: 32_001, Channel.ATOM: 32_002, Channel.OCDS: 32_003}


def announce(runtime: Runtime, uow: UnitOfWork, entry: EntryRow, channel: Channel) -> None:
    """Publish ``entry`` in ``channel`` unless that has been done. Nothing of a practice tender is published (ADR 0061).

    Raises:
        IntegrityFailure: Its procedure cannot be read from the record.
    """
    if is_practice(loads_object(entry.record)["procedure"] or ""):
        return
    uow.connection.execute(select(func.pg_advisory_xact_lock(_LOCKS[channel])))
    if publications.is_published(uow.connection, entry.h, channel):
        return
    if not publications.is_last_of_act(uow.connection, entry):
        return
    case = case_at(uow.connection, runtime, entry)
    shown = _SHOWN[channel](runtime, case)
    number = publications.next_number(uow.connection, channel)
    body = {
        "channel": channel.value,
        "entry_h": entry.h.hex(),
        "number": number,
        "sha256": shown.sha256.hex(),
        "url": shown.url,
    }
    event = Event(
        kind="notice.publication",
        subject=f"procedure:{case.reference}",
        body=body,
        procedure=case.reference,
        procedure_id=entry.procedure_id,
        article="政府采购信息发布管理办法 8",
    )
    store.add_publication(uow, uow.record(event), entry, shown.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a channel shows of an entry, and where; ``content`` is None where the page is made from the record."""

    url: str
    sha256: bytes
    content: bytes | None


def _page(_runtime: Runtime, case: Case) -> Shown:
    """A page shows the signed notice, named by its SHA-256; without one, the record, named by its commitment."""
    fact = case.published
    digest = fact.h if notice_of(case, fact) is None else str(fact.body["notice_sha256"])
    return Shown(url=page_of(case), sha256=bytes.fromhex(digest), content=None)


def _atom(runtime: Runtime, case: Case) -> Shown:
    content = item(case, runtime.origin).document()
    return Shown(url=f"{runtime.public_url}/feed.atom", sha256=sha256(content), content=content)


def _ocds(runtime: Runtime, case: Case) -> Shown:
    content = exact_json.dumps(release(case))
    own = release_id(ocid(case.prefix, case.reference), case.published.h)
    return Shown(url=f"{runtime.public_url}/api/v1/ocds/releases/{own}", sha256=sha256(content), content=content)


_SHOWN: Final = {Channel.PAGE: _page, Channel.ATOM: _atom, Channel.OCDS: _ocds}


def announcer(channel: Channel) -> React:
    """Return the reaction that publishes entries in a channel."""

    def react(runtime: Runtime, uow: UnitOfWork, entry: EntryRow) -> None:
        announce(runtime, uow, entry, channel)

    return react
