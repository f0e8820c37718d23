"""Read side of the desk: working drafts with their files, own procedures, custodians and what they answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, any_, func, literal, or_, select

from trading.agency.rules.content import Content
from trading.agency.tables import draft_document, working_draft
from trading.audit.tables import audit_entry
from trading.custody.rules.jobs import JobKind
from trading.custody.tables import custodian_job, custodian_key
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.parties.tables import organisation, signing_key
from trading.procedures.queries import LotRow, ProcedureRow, find, lots_of, procedure_of
from trading.procedures.rules.spec import DocumentSpec
from trading.procedures.tables import procedure

TENDER, AMENDMENT = "tender", "amendment"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDraft:
    """One working draft; ``content`` is what was typed, ``state`` editing, submitted or closed."""

    id: str
    purpose: str
    org_code: str
    reference: str | None
    state: str
    content: Content
    returned_spec: bytes | None
    returned_reason: str | None
    author: str
    updated_by: str
    updated_at: int
    version: int

    @property
    def editable(self) -> bool:
        """Whether it may be changed: not while the second person reads it, and not after its publication."""
        return self.state == "editing"


def _draft(row: Row[*tuple[Any, ...]]) -> WorkingDraft:
    values = dict(row._mapping)
    returned = values["returned_spec"]
    values["returned_spec"] = None if returned is None else bytes(returned)
    return WorkingDraft(**{**values, "content": json.loads(bytes(row.content))})


def own_draft(conn: Connection, draft_id: str, org_code: str | None) -> WorkingDraft:
    """Return a working draft of an organisation.

    Raises:
        NotFound: There is none, or it is another's: the two look the same.
    """
    query = select(working_draft).where(working_draft.c.id == draft_id, working_draft.c.org_code == org_code)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(draft_id)
    return _draft(row)


def draft_of(conn: Connection, reference: str, purpose: str) -> WorkingDraft | None:
    """Return the newest draft for a procedure that is not closed, or None."""
    query = (
        select(working_draft)
        .where(
            working_draft.c.reference == reference,
            working_draft.c.purpose == purpose,
            working_draft.c.state != "closed",
        )
        .order_by(working_draft.c.updated_at.desc())
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _draft(row)


def drafts_of(conn: Connection, org_code: str | None) -> list[WorkingDraft]:
    """Return the drafts of an organisation that were never submitted, newest first."""
    query = select(working_draft).where(working_draft.c.org_code == org_code, working_draft.c.reference.is_(None))
    return [_draft(row) for row in conn.execute(query.order_by(working_draft.c.updated_at.desc()))]


def documents_of(conn: Connection, draft_id: str) -> list[DocumentSpec]:
    """Return the files of a draft, by name."""
    query = select(draft_document).where(draft_document.c.draft_id == draft_id).order_by(draft_document.c.name)
    return [
        DocumentSpec(name=row.name, sha256=bytes(row.sha256).hex(), size=row.size, media=row.media)
        for row in conn.execute(query)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An organisation to choose: code and names."""

    code: str
    name_zh: str
    name_en: str


def organisations_as(conn: Connection, role: str) -> list[Choice]:
    """Return the organisations of the register that have a role, by name."""
    query = (
        select(organisation.c.code, organisation.c.name_zh, organisation.c.name_en)
        .where(literal(role) == any_(organisation.c.roles))
        .order_by(organisation.c.name_zh, organisation.c.code)
    )
    return [Choice(code=code, name_zh=zh, name_en=en) for code, zh, en in conn.execute(query)]


def own_procedure(conn: Connection, reference: str, org_code: str | None) -> ProcedureRow:
    """Return a procedure of an organisation as agency or buyer; ``NotFound`` for another's."""
    row = find(conn, reference)
    if org_code is None or org_code not in {row.agency_code, row.buyer_code}:
        raise NotFound(reference)
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One procedure of an organisation with its lots and the records that its next tasks are counted from."""

    row: ProcedureRow
    lots: tuple[LotRow, ...]
    acts: tuple[dict[str, Any], ...]


_TIMED = (
    "procedure.submitted",
    "procedure.returned",
    "bids.ranked",
    "award.determined",
    "result.published",
    "failure.published",
    "contract.signed",
    "contract.published",
    "contract.filed",
)


def own_procedures(conn: Connection, org_code: str | None) -> list[Own]:
    """Return the procedures of an organisation as agency or buyer, those with the newest act first."""
    newest = select(func.max(audit_entry.c.id)).where(audit_entry.c.procedure_id == procedure.c.id).scalar_subquery()
    mine = or_(procedure.c.agency_code == org_code, procedure.c.buyer_code == org_code)
    rows = [procedure_of(row) for row in conn.execute(select(procedure).where(mine).order_by(newest.desc()))]
    return [own_of(conn, row) for row in rows]


def own_of(conn: Connection, row: ProcedureRow) -> Own:
    """Return one procedure with its lots and timed records."""
    query = (
        select(audit_entry.c.record)
        .where(audit_entry.c.procedure_id == row.id, audit_entry.c.kind.in_(_TIMED))
        .order_by(audit_entry.c.id)
    )
    acts = tuple(loads_object(bytes(raw)) for raw in conn.execute(query).scalars())
    return Own(row=row, lots=tuple(lots_of(conn, row.id)), acts=acts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """One institution that may keep a share of the opening keys, and its answer for one procedure.

    ``answer``: None before it was asked; else ``asked``, ``challenged`` or ``proved``, the least of its lots.
    """

    kid: str
    code: str
    name_zh: str
    name_en: str
    answer: str | None


_PROGRESS = ("asked", "challenged", "proved")


def keepers(conn: Connection, row: ProcedureRow) -> list[Keeper]:
    """Return every institution with an active custodian key, and how far it is with all lots of a procedure."""
    lots = lots_of(conn, row.id)
    asked = _asked(conn, row.id)
    given = {
        (key.kid, key.lot, key.stage): key.state
        for key in conn.execute(select(custodian_key).where(custodian_key.c.procedure_id == row.id))
    }
    query = (
        select(signing_key.c.kid, organisation.c.code, organisation.c.name_zh, organisation.c.name_en)
        .join(organisation, organisation.c.code == signing_key.c.org_code)
        .where(signing_key.c.role == "custodian", signing_key.c.status == "active")
        .order_by(organisation.c.name_zh, signing_key.c.kid)
    )
    found = []
    for kid, code, zh, en in conn.execute(query):
        places = [(kid, lot.number, lot.stage) for lot in lots]
        states = [given.get(place, "asked" if place in asked else None) for place in places]
        answer = None if None in states or not states else min((str(each) for each in states), key=_PROGRESS.index)
        found.append(Keeper(kid=kid, code=code, name_zh=zh, name_en=en, answer=answer))
    return found


def unasked(conn: Connection, row: ProcedureRow, kids: list[str]) -> list[tuple[str, LotRow]]:
    """Return the institutions and lots that have not been asked for a key yet."""
    asked = _asked(conn, row.id)
    lots = lots_of(conn, row.id)
    return [(kid, lot) for lot in lots for kid in kids if (kid, lot.number, lot.stage) not in asked]


def _asked(conn: Connection, procedure_id: int) -> set[tuple[str, str, str]]:
    query = select(custodian_job.c.kid, custodian_job.c.lot, custodian_job.c.stage).where(
        custodian_job.c.procedure_id == procedure_id, custodian_job.c.kind == JobKind.KEY.value
    )
    return {(kid, lot, stage) for kid, lot, stage in conn.execute(query)}
