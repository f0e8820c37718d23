"""The deadline that moves by rule: found by the closer, derived from records, logged before any close (TE1 T5, T6).

An outage that is over moves it at once, at the recovery; everything else is looked at when the deadline has passed.

Everything is one unit of work: the derived schedule, its ``tender.changed``, the lot's new deadline and the errand of
its closer. Nobody signs; the agency's consent stands in the schedule before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.queries import clock_holds
from trading.audit.runtime import Runtime
from trading.bids import probing, queries
from trading.bids.rules.derivation import Decision, Trigger, Verdict, by_clock, by_refusal, decide, successor
from trading.bids.rules.outages import by_probes, is_unknown
from trading.bids.rules.probing import PATIENCE_MS
from trading.bids.rules.refusals import Deadline, caused_by_platform, settled_until
from trading.bids.rules.schedule import DRAIN_MS, Schedule
from trading.documents import store as documents
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.extension import LONGEST_MS, MEASURED, ExtensionRule, usual_rule
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.rulebook.keys import Regime

_CLOSER: Final = Actor.system("worker")
_WAITING: Final = Decision(verdict=Verdict.WAIT)
_AGAIN_MS: Final = 250
_OUTAGE: Final = "outage"


def settle(ledger: Ledger, reference: str, number: str, stage: str) -> Verdict:
    """Do what the evidence demands for a deadline whose drain is over: move it, or record that its close is blocked.

    Safe to run twice: under the lock everything is looked at anew.

    Returns:
        ``CLOSE`` if nothing stands against the close; ``EXTEND`` once the deadline has moved.
    """
    with ledger.read() as conn:
        row = procedure_queries.find(conn, reference)
        lot = procedure_queries.find_lot(conn, row.id, number, stage)
        found = decision(conn, row, lot, ledger.platform_time(conn))
    if found.trigger is None:
        return found.verdict
    with ledger.begin(_CLOSER, patient=True) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = next(lot for lot in rows.lots(uow, row.id) if (lot.number, lot.stage) == (number, stage))
        if lot.phase != LotPhase.OPEN or lot.close_at is None or uow.at < lot.close_at + DRAIN_MS:
            return Verdict.WAIT
        found = decision(uow.connection, row, lot, uow.at)
        if found.trigger is not None and found.verdict is Verdict.EXTEND:
            _extend(uow, row, lot, found.trigger, found.close)
        if found.trigger is not None and found.verdict is Verdict.BLOCK:
            block(uow, row, lot, found.trigger.cause)
    return found.verdict


def recover(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Move every deadline to come that an outage moves which is over; return when to look again (ms), or None.

    So bidders hear of it at the recovery, not at the deadline (TE1 T6).
    """
    del arg
    with runtime.ledger.read() as conn:
        now = runtime.ledger.platform_time(conn)
        ahead = procedure_queries.open_until(conn, now, now + LONGEST_MS)
    waiting = [_move_early(runtime.ledger, *place) for place in ahead]
    return now + _AGAIN_MS if True in waiting else None


def _move_early(ledger: Ledger, reference: str, number: str, stage: str) -> bool:
    """Move a deadline that has not passed, if an outage moves it; return whether its evidence waits for the log."""
    with ledger.read() as conn:
        row = procedure_queries.find(conn, reference)
        lot = procedure_queries.find_lot(conn, row.id, number, stage)
        found = _early(conn, row, lot, ledger.platform_time(conn))
    if found.trigger is None:
        return found is _WAITING
    with ledger.begin(_CLOSER, patient=True) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = next(lot for lot in rows.lots(uow, row.id) if (lot.number, lot.stage) == (number, stage))
        found = _early(uow.connection, row, lot, uow.at)
        if found.trigger is not None and found.verdict is Verdict.EXTEND:
            _extend(uow, row, lot, found.trigger, found.close)
    return False


def _early(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> Decision:
    """Return what the outages so far make of a deadline that has not passed; where one goes on, nothing yet."""
    if lot.phase != LotPhase.OPEN or lot.close_at is None or at >= lot.close_at:
        return Decision(verdict=Verdict.CLOSE)  # the closer's affair
    case = _Case.of(conn, row, lot, at)
    trigger = by_probes(case.told, case.rule, case.close, case.settled)
    if trigger is None or trigger.until is None:
        return Decision(verdict=Verdict.CLOSE)
    return case.decide([trigger], case.told, at)


def decision(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> Decision:
    """Return what the records make of the deadline of an open lot at ``at`` (ms), which is after its drain.

    While nobody can know yet how it was at the deadline, because the vantage points are silent or an outage goes on,
    the close waits; after an hour agency and supervisor may decide (T5).
    """
    case = _Case.of(conn, row, lot, at)
    holds, refused = list(clock_holds(conn)), queries.refusals(conn, lot)
    found = (
        by_clock(holds, case.close),
        by_probes(case.told, case.rule, case.close, case.settled),
        by_refusal(caused_by_platform(refused, case.deadlines), case.rule, case.close, case.settled),
    )
    confirmed = queries.confirmed_for(conn, row.id, lot.number, lot.stage, case.close)
    triggers = [each for each in found if each is not None and each.cause not in confirmed]
    open_end = [each for each in triggers if each.cause == _OUTAGE and each.until is None]
    if _OUTAGE not in confirmed and (open_end or is_unknown(case.told, case.rule, case.close, case.settled)):
        if at < case.close + PATIENCE_MS:
            return _WAITING
        return Decision(verdict=Verdict.BLOCK, trigger=Trigger(cause=_OUTAGE, until=None, evidence=()))
    return case.decide(triggers, (*holds, *case.told, *refused), at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What every decision about one deadline starts from.

    Attributes:
        chain: The schedules, the one in force first.
        usual: The rule that decides where there is no consent.
        deadlines: Since when each has been in force.
        told: What the probes told around the deadline, in log order.
    """

    chain: list[Schedule]
    usual: ExtensionRule
    deadlines: list[Deadline]
    told: list[dict[str, Any]]

    @classmethod
    def of(cls, conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> _Case:
        """Read the case of a lot."""
        chain = queries.schedule_chain(conn, lot)
        usual = usual_rule(procedures.edition_of(conn, row, at), Regime(row.regime), MEASURED)
        look_back_ms = (chain[0].extension_rule or usual).look_back_ms
        return cls(
            chain=chain,
            usual=usual,
            deadlines=queries.deadlines(conn, lot, chain),
            told=probing.probes(conn, chain[0].close - look_back_ms),
        )

    @property
    def close(self) -> int:
        """Return the deadline in force."""
        return self.chain[0].close

    @property
    def rule(self) -> ExtensionRule:
        """Return whose parameters count."""
        return self.chain[0].extension_rule or self.usual

    @property
    def settled(self) -> int:
        """Return before when no failure counts any more."""
        return settled_until(self.deadlines)

    def decide(self, triggers: Sequence[Trigger], records: Iterable[Mapping[str, Any]], at: int) -> Decision:
        """Return what the triggers make of the deadline once all their evidence is in the log, in whose order it is."""
        unlogged = {record["h"] for record in records if record["n"] is None}
        if any(unlogged.intersection(each.evidence) for each in triggers):
            return _WAITING  # evidence is named in log order (T2)
        derived = sum(each.cause is not None for each in self.chain)
        return decide(self.chain[0], triggers, usual=self.usual, derived=derived, at=at)


def _extend(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, trigger: Trigger, close: int) -> None:
    """Log the derived schedule (T2); the notice in force stays, because the rule says nothing new."""
    procedures.step(uow.connection, row, Act.EXTEND, _CLOSER, at=uow.at, lot=lot, new_close_at=close)
    before = queries.schedule_chain(uow.connection, lot)[0]
    document = SignedDocument(successor(before, trigger, close))
    body = {
        "cause": trigger.cause,
        "evidence": list(trigger.evidence),
        "lot": lot.number,
        "notice_sha256": queries.notice_in_force(uow.connection, row.id, lot.number, lot.stage),
        "schedule_sha256": document.sha256,
        "stage": lot.stage,
    }
    recorded = uow.record(_event("tender.changed", row, lot, body))
    documents.add(uow, recorded, row.id, document)
    rows.move_lot(uow, recorded, lot, close_at=close, schedule_sha256=bytes.fromhex(document.sha256))
    uow.wake("bids.close", {"tender": row.reference, "lot": lot.number, "stage": lot.stage}, close)


def block(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, reason: str) -> None:
    """Record once per deadline and reason that the close waits for a decision (T5)."""
    if reason not in queries.blocked_for(uow.connection, row.id, lot.number, lot.stage, lot.close_at or 0):
        uow.record(_event("closing.blocked", row, lot, {"lot": lot.number, "reason": reason, "stage": lot.stage}))


def _event(kind: str, row: ProcedureRow, lot: LotRow, body: Mapping[str, object]) -> Event:
    return Event(
        kind=kind,
        subject=f"lot:{lot.number}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article="招标投标法 34",
    )
