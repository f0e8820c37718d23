"""Releases as the platform keeps them once they are published: rows under one entry, numbered in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from tests.build.records import ACTOR, HASH, Records, sha
from trading.audit.ledger import Ledger
from trading.kernel.events import Event
from trading.notices.queries.publications import next_number
from trading.notices.rules.channels import Channel
from trading.notices.tables import publication
from trading.procedures.tables import procedure
from trading.statistics.rules.facts import read


def publish(ledger: Ledger, lines: Sequence[bytes], reference: str = "T-2026-releases") -> None:
    """Add releases, each published at the instant of its date; they lie with one procedure."""
    with ledger.read() as conn:
        known = conn.execute(select(procedure.c.id).where(procedure.c.reference == reference)).scalar_one_or_none()
    if known is None:
        records = Records(ledger=ledger, reference=reference)
        records.publish({"1": ("open", 1)})
        known = records.id
    with ledger.begin(ACTOR) as uow:
        body = {"channel": "ocds", "entry_h": HASH, "number": 1, "sha256": HASH, "url": "https://example.org/"}
        subject = f"procedure:{reference}"
        event = Event(kind="notice.publication", subject=subject, body=body, procedure_id=known, procedure=reference)
        entry, first = uow.record(event).entry_id, next_number(uow.connection, Channel.OCDS)
        rows = [
            {
                "id": number,
                "entry_id": entry,
                "procedure_id": known,
                "channel": Channel.OCDS,
                "number": number,
                "entry_h": sha(b"entry %d" % number),
                "sha256": sha(raw),
                "url": f"https://example.org/{number}",
                "content": raw,
                "published_at": read(raw).place[0],
            }
            for number, raw in enumerate(lines, first)
        ]
        uow.connection.execute(insert(publication), rows)
