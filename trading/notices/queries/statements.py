"""The statements behind the page of one procedure, built once: making them anew cost more than running them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, case, func, select

from trading.documents.tables import document
from trading.notices.tables import notice
from trading.openings.tables import opening
from trading.parties.tables import organisation
from trading.procedures.tables import lot, procedure

PUBLIC_PHASES: Final = ("published", "cancelled")
# Documents anyone may have from publication on, and those that follow the completed opening (SB1 S11).
FROM_PUBLICATION: Final = (
    "mb.contract",
    "mb.edition",
    "mb.schedule",
    "mb.closing-confirmation",
    "sb1.custodian-key",
    "sb1.policy",
)
AFTER_OPENING: Final = (
    "sb1.adjudication",
    "sb1.factor-list",
    "sb1.objection-decision",
    "sb1.open-order",
    "sb1.release",
    "sb1.share-check",
    "sb1.transcript",
)


def _head(*phases: str) -> Select[Any]:
    buyer, agency, supervisor = (organisation.alias(name) for name in ("buyer", "agency", "supervisor"))
    names = [
        column
        for alias, name in ((buyer, "buyer"), (agency, "agency"), (supervisor, "supervisor"))
        for column in (alias.c.name_zh.label(f"{name}_zh"), alias.c.name_en.label(f"{name}_en"))
    ]
    return (
        select(
            procedure.c.id,
            procedure.c.reference,
            procedure.c.kind,
            procedure.c.regime,
            procedure.c.jurisdiction,
            procedure.c.edition_id,
            procedure.c.edition_sha256,
            procedure.c.phase,
            procedure.c.title_zh,
            procedure.c.title_en,
            procedure.c.published_at,
            procedure.c.buyer_code,
            procedure.c.agency_code,
            procedure.c.supervisor_code,
            *names,
        )
        .outerjoin(buyer, buyer.c.code == procedure.c.buyer_code)
        .outerjoin(agency, agency.c.code == procedure.c.agency_code)
        .outerjoin(supervisor, supervisor.c.code == procedure.c.supervisor_code)
        .where(procedure.c.reference == bindparam("reference"), procedure.c.phase.in_(phases))
    )


def of_lot(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row of ``table`` belongs to the lot."""
    return and_(
        table.c.procedure_id == lot.c.procedure_id,
        table.c.lot == lot.c.number,
        table.c.stage == lot.c.stage,
    )


def _documents() -> Select[Any]:
    tier = func.strpos(func.convert_from(document.c.bytes, "UTF8"), '"tier":"bidders"')
    public_tier = case((document.c.typ == "sb1.transcript", tier > 0), else_=True)
    of_procedure = and_(
        document.c.procedure_id == bindparam("procedure"),
        document.c.typ.in_(bindparam("types", expanding=True)),
        public_tier,
    )
    wanted = document.c.sha256.in_(bindparam("wanted", expanding=True))
    return (
        select(
            document.c.sha256,
            document.c.typ,
            func.octet_length(document.c.bytes).label("size"),
            (document.c.sigs != b"[]").label("signed"),
            case((wanted, document.c.bytes)).label("body"),
        )
        .where(of_procedure)
        .order_by(document.c.typ, document.c.id)
    )


HEAD: Final = _head(*PUBLIC_PHASES)
PRACTICE_HEAD: Final = _head("draft")
LOTS: Final = (
    select(
        lot.c.procedure_id,
        lot.c.number,
        lot.c.stage,
        lot.c.phase,
        lot.c.close_at,
        lot.c.policy_sha256,
        lot.c.schedule_sha256,
        lot.c.ceiling,
        lot.c.currency,
        lot.c.title_zh,
        lot.c.title_en,
        opening.c.step,
    )
    .outerjoin(opening, of_lot(opening))
    .where(lot.c.procedure_id == bindparam("procedure"))
    .order_by(func.length(lot.c.number), lot.c.number, lot.c.stage)
)
NOTICES: Final = (
    select(notice.c.number, notice.c.kind, notice.c.sha256, notice.c.bytes, notice.c.published_at)
    .where(notice.c.procedure_id == bindparam("procedure"))
    .order_by(notice.c.number)
)
DOCUMENTS: Final = _documents()
