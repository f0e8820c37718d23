"""Publishing the tender notice: every lot opens for bids under its policy and schedule (NOT-04)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.policy import Policy
from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.custody import service as custody
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.rules.documents import Notice, parse_notice
from trading.notices.service.checks import errand_arg, require_agency, require_files, require_notice, tender_event
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import Act
from trading.procedures.rules.spec import parse_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class LotDocuments:
    """The signed policy and schedule of one lot and stage."""

    policy: SignedDocument
    schedule: SignedDocument


def publish_tender(
    ledger: Ledger,
    actor: Actor,
    reference: str,
    signed: SignedDocument,
    lots: Mapping[tuple[str, str], LotDocuments],
    *,
    demo: bool,
) -> Recorded:
    """Publish the tender notice: every lot opens for bids under its policy and schedule.

    Raises:
        RuleBroken: A guard of the kind refuses, with its rule; a policy is not ready; a signature is missing.
        InvalidInput: A document is malformed or does not fit the procedure.
    """
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        all_lots = rows.lots(uow, row.id)
        require_notice(uow, row, notice, signed, kind="tender")
        edition = procedures.edition_of(uow.connection, row, uow.at)
        if notice.edition_sha256 != edition.digest.hex():
            raise InvalidInput("doc.bad_field", "edition_sha256 is not that of the edition in force")
        move = procedures.step(uow.connection, row, Act.PUBLISH, actor, at=uow.at)
        prepared = [_prepare(uow, row, lot, notice, lots, demo=demo) for lot in all_lots]
        opened = [_open_lot(uow, row, one, signed, lots[one.place]) for one in prepared]
        if not opened:
            raise InvalidInput("doc.bad_field", "the procedure has no lot")
        first = opened[0]
        store.add(uow, first, row.id, notice, signed)
        procedures.store_edition(uow, first, row, edition)
        rows.move_procedure(
            uow,
            first,
            row,
            phase=move.target.value,
            published_at=uow.at,
            edition_id=edition.id,
            edition_sha256=edition.digest,
        )
    return first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """One lot whose documents were checked; ``target`` is its phase after publication."""

    lot: LotRow
    policy: Policy
    schedule: Schedule
    target: str

    @property
    def place(self) -> tuple[str, str]:
        """Return lot and stage."""
        return self.lot.number, self.lot.stage


def _open_lot(
    uow: UnitOfWork, row: ProcedureRow, one: _Prepared, notice: SignedDocument, lot_documents: LotDocuments
) -> Recorded:
    """Fix the policy, record the publication and open one lot for bids until its deadline."""
    schedule = lot_documents.schedule
    custody.fix_policy(uow, row.id, one.policy, lot_documents.policy, schedule.sha256)
    recorded = uow.record(tender_event("tender.published", row, one.lot, notice, schedule))
    documents.add(uow, recorded, row.id, schedule)
    rows.move_lot(
        uow,
        recorded,
        one.lot,
        phase=one.target,
        close_at=one.schedule.close,
        policy_sha256=bytes.fromhex(lot_documents.policy.sha256),
        schedule_sha256=bytes.fromhex(schedule.sha256),
    )
    uow.wake("bids.close", errand_arg(row, one.lot), one.schedule.close)
    return recorded


def _prepare(
    uow: UnitOfWork,
    row: ProcedureRow,
    lot: LotRow,
    notice: Notice,
    lots: Mapping[tuple[str, str], LotDocuments],
    *,
    demo: bool,
) -> _Prepared:
    """Check one lot's documents against the notice and the law; locks are taken here, entries come later (rule L)."""
    place = (lot.number, lot.stage)
    if place not in lots:
        raise InvalidInput("doc.bad_field", f"no policy and schedule for lot {lot.number}")
    require_agency(uow, row, lots[place].policy)
    require_agency(uow, row, lots[place].schedule)
    policy = custody.require_policy_ready(uow, row.id, lots[place].policy, agency=row.agency_code, demo=demo)
    schedule = parse_schedule(lots[place].schedule.doc)
    offered = notice.lot(*place)
    told = (offered["policy_sha256"], offered["schedule_sha256"], offered["ceiling"], offered["currency"])
    if told != (lots[place].policy.sha256, lots[place].schedule.sha256, lot.ceiling, lot.currency):
        raise InvalidInput("doc.bad_field", f"notice and documents of lot {lot.number} differ")
    if schedule.place != (row.reference, *place) or policy.place != (row.reference, *place) or schedule.seq != 1:
        raise InvalidInput("doc.bad_field", f"policy or schedule name another lot than {lot.number}")
    spec = parse_spec(loads_object(row.spec))
    require_files(notice, spec)
    move = procedures.step(
        uow.connection,
        row,
        Act.OPEN,
        uow.actor,
        at=uow.at,
        lot=lot,
        close_at=schedule.close,
        supply_ends_at=spec.supply_ends_at,
        questions_until=spec.questions_until,
        policy_fixed=True,
    )
    return _Prepared(lot=lot, policy=policy, schedule=schedule, target=move.target.value)
