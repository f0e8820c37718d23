"""The committee begins, and a member is replaced (EXP-03, EXP-17, EXP-18)."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.evaluation import store
from trading.evaluation.model import of_procedure
from trading.evaluation.queries import sitting_of
from trading.evaluation.service.masking import commit_masks
from trading.evaluation.service.members import require_agency, require_sitting, require_unreported
from trading.evaluation.service.state import LotState, load_lots
from trading.experts import queries as experts
from trading.experts.rules.composition import Committee, require_declared, require_lawful, require_present
from trading.experts.service.committees import basis_of
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow, lots_of
from trading.procedures.rules.lifecycle import LotPhase

_UNDER_WAY = frozenset({LotPhase.OPEN, LotPhase.CLOSED, LotPhase.OPENING})


def start(ledger: Ledger, actor: Actor, reference: str) -> Recorded:
    """Begin the sitting: every lot is opened and qualified, the committee is lawful and present.

    Raises:
        NotFound, NotPermitted: Not agency or buyer of the procedure.
        RuleBroken: ``evaluation.begun``, ``evaluation.no_lot``, ``evaluation.lot_not_opened`` (B4.1),
            ``evaluation.unqualified`` and ``evaluation.lot_fails`` (EVL-05), ``evaluation.no_committee`` (EXP-03),
            ``committee.…`` with the rule that the committee breaks (EXP-03, EXP-04, EXP-10, EXP-18).
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_agency(row, actor)
        if sitting_of(uow.connection, row.id) is not None:
            raise RuleBroken("evaluation.begun", "B4.1")
        states = _ready_lots(uow.connection, row, uow.at)
        committee = lawful_committee(uow.connection, row, uow.at)
        seats = sorted(member.seat for member in committee.sitting)
        lots = [{"lot": state.place.lot, "stage": state.place.stage} for state in states]
        recorded = uow.record(of_procedure("evaluation.started", reference, row.id, lots=lots, seats=seats))
        store.add_sitting(uow, recorded, row.id, seats)
        for state in states:
            commit_masks(uow, state)
    return recorded


def _ready_lots(conn: Connection, row: ProcedureRow, at: int) -> list[LotState]:
    waiting = [lot.number for lot in lots_of(conn, row.id) if LotPhase(lot.phase) in _UNDER_WAY]
    if waiting:
        raise RuleBroken("evaluation.lot_not_opened", "B4.1", lot=waiting[0])
    states = load_lots(conn, row, at)
    if not states:
        raise RuleBroken("evaluation.no_lot", "B4.1")
    for state in states:
        if state.unqualified:
            raise RuleBroken("evaluation.unqualified", "EVL-05", lot=state.place.lot, bids=len(state.unqualified))
        if state.fails:
            raise RuleBroken("evaluation.lot_fails", "EVL-05", lot=state.place.lot)
    return states


def lawful_committee(conn: Connection, row: ProcedureRow, at: int) -> Committee:
    """Return the committee of a procedure, lawful, present and free of interests, or refuse with the rule it breaks.

    Raises:
        RuleBroken: ``evaluation.no_committee`` (EXP-03), ``committee.…``.
    """
    committee = experts.committee_of(conn, row.id)
    if committee is None:
        raise RuleBroken("evaluation.no_committee", "EXP-03")
    edition = procedures.edition_of(conn, row, at)
    require_lawful(committee, edition, basis_of(row, committee, edition))
    require_present(committee)
    require_declared(committee)
    return committee


def replace_member(ledger: Ledger, actor: Actor, reference: str, seat: str, by: str, reason: str) -> Recorded:
    """Exchange a member who left: what he or she said is void, the new member does it all again (EXP-17).

    Raises:
        NotFound, NotPermitted: Not agency or buyer of the procedure.
        RuleBroken: ``evaluation.not_started``, ``evaluation.reported``, ``member.not_left`` or ``member.not_present``
            (EXP-17: the committee itself does not know the exchange), ``member.reason_missing``; ``committee.…`` if the
            committee would break its composition.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_agency(row, actor)
        sitting = require_sitting(uow.connection, row.id)
        require_unreported(sitting)
        committee = lawful_committee(uow.connection, row, uow.at)
        members = {member.seat: member.state for member in committee.members}
        if seat not in sitting.seats or members.get(seat) not in {"recused", "replaced"}:
            raise RuleBroken("member.not_left", "EXP-17", seat=seat)
        if by in sitting.seats or members.get(by) != "present":
            raise RuleBroken("member.not_present", "EXP-17", seat=by)
        if not reason.strip():
            raise RuleBroken("member.reason_missing", "EXP-17")
        body = {"by": by, "reason": reason.strip(), "seat": seat}
        recorded = uow.record(of_procedure("member.replaced", reference, row.id, **body))
        store.void_member(uow, recorded, row.id, seat)
        seats = sorted({*sitting.seats, by} - {seat})
        store.set_sitting(uow, recorded, row.id, seats=seats, report_number=0, reported_at=None)
    return recorded
