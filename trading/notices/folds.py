"""What records say of notices and publications (AL1 L11.3): a notice is named by its hash, by one act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State, differences
from trading.documents.folds import EDITION, content_of
from trading.documents.tables import document
from trading.kernel.digests import sha256
from trading.notices.rules.channels import Channel
from trading.notices.tables import notice, publication
from trading.parties.folds import faults_of_signatures
from trading.procedures.tables import procedure

REPLAYED: Final = (
    Replayed(table=notice.name, key=("sha256",)),
    Replayed(table=publication.name, key=("entry_h", "channel")),
)


def _named(state: State, record: Mapping[str, Any]) -> None:
    digest = bytes.fromhex(record["body"]["notice_sha256"])
    if state.known("notice", digest) is None:  # an act about several lots names its notice in each record
        state.row("notice", digest).update(published_at=record["at"])
        state.facts.setdefault("first_published", state.entry_id)


_KINDS: Final = (
    "tender.published",
    "tender.changed",
    "procedure.cancelled",
    "result.published",
    "failure.published",
    "contract.published",
)


def _published(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("publication", bytes.fromhex(body["entry_h"]), body["channel"]).update(
        number=body["number"], sha256=bytes.fromhex(body["sha256"]), url=body["url"], published_at=record["at"]
    )


FOLDS: Final[Mapping[str, Fold]] = {**dict.fromkeys(_KINDS, _named), "notice.publication": _published}


def compare_notices(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every notice whose bytes, signature or columns are not those of its hash and its content."""
    if state.procedure_id is None:
        return
    rows = conn.execute(select(notice).where(notice.c.procedure_id == state.procedure_id)).all()
    faults = faults_of_signatures(conn, {row.id: (bytes(row.bytes), bytes(row.sigs)) for row in rows})
    for row in rows:
        content = content_of(bytes(row.bytes), bytes(row.sha256))
        if content is None:
            expected = bytes(row.sha256).hex()
            yield Mismatch(table="notice", id=row.id, column="bytes", stored="other bytes", expected=expected)
            continue
        told = {"kind": (row.kind, content["kind"]), "number": (row.number, content["number"])}
        told["sigs"] = (faults.get(row.id), None)
        for column, (stored, expected) in told.items():
            if stored != expected:
                yield Mismatch(table="notice", id=row.id, column=column, stored=stored, expected=expected)


def compare_publications(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every publication whose content is not that of its digest; the digest itself stands in the record."""
    query = select(publication).where(publication.c.procedure_id == state.procedure_id)
    for row in conn.execute(query) if state.procedure_id is not None else ():
        stored = None if row.content is None else sha256(bytes(row.content))
        expected = None if row.channel == Channel.PAGE else bytes(row.sha256)  # pages are made from the record
        if stored != expected:
            yield Mismatch(table="publication", id=row.id, column="content", stored=stored, expected=expected)


def compare_edition(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield a procedure whose regime or edition is not that of its first notice."""
    columns = (procedure.c.id, procedure.c.regime, procedure.c.edition_id, procedure.c.edition_sha256)
    query = select(*columns, notice.c.sha256, notice.c.bytes, document.c.bytes.label("edition"))
    joined = query.join(notice, (notice.c.procedure_id == procedure.c.id) & (notice.c.number == 1)).outerjoin(
        document, (document.c.procedure_id == procedure.c.id) & (document.c.sha256 == procedure.c.edition_sha256)
    )
    for row in conn.execute(joined.where(procedure.c.id == state.procedure_id)):
        content = content_of(bytes(row.bytes), bytes(row.sha256))
        if content is None:
            continue
        told = {
            "regime": (row.regime, content["regime"]),
            "edition_sha256": (bytes(row.edition_sha256).hex(), content["edition_sha256"]),
        }
        edition = None if row.edition is None else content_of(bytes(row.edition), bytes(row.edition_sha256))
        if edition is not None:
            told["edition_id"] = (row.edition_id, edition["id"])
        for column, (stored, expected) in told.items():
            if stored != expected:
                yield Mismatch(table="procedure", id=row.id, column=column, stored=stored, expected=expected)


def compare_editions(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield editions that are stored otherwise than once, under the first notice, which names one by its hash."""
    first = select(notice.c.sha256, notice.c.bytes).where(notice.c.number == 1)
    found = conn.execute(first.where(notice.c.procedure_id == state.procedure_id)).first()
    content = None if found is None else content_of(bytes(found.bytes), bytes(found.sha256))
    if found is not None and content is None:
        return  # found as a notice
    missing = {} if content is None else {content["edition_sha256"]: state.facts.get("first_published")}
    mine = (document.c.procedure_id == state.procedure_id) & (document.c.typ == EDITION)
    for row in conn.execute(select(document).where(mine)).mappings():
        digest, entry_id = bytes(row["sha256"]).hex(), row["entry_id"]
        if digest in missing:
            yield from differences("document", row, {"entry_id": missing.pop(digest)})
        else:
            yield Mismatch(table="document", id=row["id"], column="*", stored=digest, expected=None, entry_id=entry_id)
    for digest, entry_id in missing.items():
        yield Mismatch(table="document", id=None, column="*", stored=None, expected=digest, entry_id=entry_id)


COMPARE: Final[tuple[Compare, ...]] = (compare_notices, compare_publications, compare_edition, compare_editions)
