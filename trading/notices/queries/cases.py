"""One procedure as its records told it at one entry: what announcements and releases are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.queries import EntryRow, LoggedRecord, records_of
from trading.audit.runtime import Runtime
from trading.documents.tables import document
from trading.kernel.errors import IntegrityFailure
from trading.notices.rules.ocds import Case, Fact, Named
from trading.notices.tables import notice
from trading.parties.queries import organisations

# Kinds that a release reads; everything else of a procedure is never loaded into it.
_TOLD: Final = frozenset(
    {
        "answer.published",
        "award.determined",
        "bid.opened",
        "bid.verdict",
        "bids.ranked",
        "contract.published",
        "failure.published",
        "lot.failed",
        "open.ordered",
        "opening.combined",
        "opening.completed",
        "procedure.cancelled",
        "result.published",
        "tender.changed",
        "tender.published",
    }
)


def case_at(conn: Connection, runtime: Runtime, entry: EntryRow) -> Case:
    """Return the procedure of ``entry`` as it stood in the log at that very entry.

    Raises:
        IntegrityFailure: The entry is not in the log, or a document that its records name is missing.
    """
    if entry.procedure_id is None or entry.position is None:
        raise IntegrityFailure(f"entry {entry.id} cannot be published: no procedure, or not in the log")
    logged = records_of(conn, entry.procedure_id, _TOLD)
    records = [(each, each.data) for each in logged if each.n <= entry.position.n]
    facts = tuple(_fact(each, data) for each, data in records)
    notices = _named(_notices(conn, entry.procedure_id), (fact.body.get("notice_sha256") for fact in facts))
    documents = dict(_documents(conn, entry.procedure_id))
    schedules = _named(documents, (fact.body.get("schedule_sha256") for fact in facts))
    orders = _named(documents, (fact.body.get("order_sha256") for fact in facts))
    bidders = {bid["bid"]: bid["bidder"] for order in orders.values() for bid in order["bids"]}
    return Case(
        reference=str(records[-1][1]["procedure"]),
        prefix=runtime.ocid_prefix,
        base_url=runtime.public_url,
        facts=facts,
        notices=notices,
        schedules=schedules,
        bidders=bidders,
        names=_names(conn, notices, bidders),
    )


def _fact(logged: LoggedRecord, record: Mapping[str, Any]) -> Fact:
    return Fact(kind=logged.kind, at=record["at"], h=logged.h.hex(), body=record["body"])


def _named(stored: Mapping[str, dict[str, Any]], digests: Iterable[str | None]) -> dict[str, Mapping[str, Any]]:
    """Return the documents that the records name; one that was stored later is not among them."""
    wanted = {digest for digest in digests if digest is not None}
    if not wanted <= stored.keys():
        raise IntegrityFailure(f"documents {sorted(wanted - stored.keys())} are missing")
    return {digest: stored[digest] for digest in wanted}


def _notices(conn: Connection, procedure_id: int) -> dict[str, dict[str, Any]]:
    query = select(notice.c.sha256, notice.c.bytes).where(notice.c.procedure_id == procedure_id)
    return {bytes(row.sha256).hex(): json.loads(row.bytes) for row in conn.execute(query)}


def _documents(conn: Connection, procedure_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield schedules and opening orders; admission found their bytes canonical."""
    kinds = ("mb.schedule", "sb1.open-order")
    query = select(document.c.sha256, document.c.bytes).where(
        document.c.procedure_id == procedure_id, document.c.typ.in_(kinds)
    )
    for row in conn.execute(query):
        yield bytes(row.sha256).hex(), json.loads(row.bytes)


def _names(conn: Connection, notices: Mapping[str, Mapping[str, Any]], bidders: Mapping[str, str]) -> dict[str, Named]:
    """Return the names of everybody: of buyer and agency as the notices say, of the others from the register."""
    heads: Sequence[Mapping[str, Any]] = tuple(notices.values())
    codes = {*bidders.values(), *(head["supervisor"] for head in heads)}
    known = organisations(conn, tuple(sorted(codes)))
    names = {code: Named(code=code, name_zh=each.name_zh, name_en=each.name_en) for code, each in known.items()}
    for head in heads:
        for party in (head["buyer"], head["agency"]):
            names[party["code"]] = Named(code=party["code"], name_zh=party["name_zh"], name_en=party["name_en"])
    return names
