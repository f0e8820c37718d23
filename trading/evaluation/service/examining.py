"""Examination: qualification by the agency, conformity and explained prices by the committee (B10.1, EXP-21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.queries import sitting_of
from trading.evaluation.rules.examination import (
    Decision,
    Deviations,
    Outcome,
    Step,
    check_deviations,
    deviations_json,
    majority,
)
from trading.evaluation.rules.ranking import OpenedBid
from trading.evaluation.service.holding import outdate_sheets
from trading.evaluation.service.members import require_agency, require_seat, require_unreported
from trading.evaluation.service.reporting import draft_if_ready
from trading.evaluation.service.state import LotState, load_lot, load_opened
from trading.kernel.canonical import dumps
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures import store as rows
from trading.rulebook.keys import Key

# The ground on which a step excludes a bid, as the record names it.
_RULES: Final[Mapping[Step, str]] = {
    Step.QUALIFICATION: "EVL-05",
    Step.CONFORMITY: "EVL-02",
    Step.PRICE: "B10.3",
}
_TEXT_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What somebody found about one bid; an invalid one has its reason. ``grants`` answers the bidder's claim."""

    bid: str
    outcome: Outcome
    reason: str = ""
    grants: bool = False
    deviations: Mapping[str, str] = field(default_factory=dict)  # units as typed, by deviation (MET-05)


def qualify(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, opinion: Opinion) -> Recorded:
    """Record whether a bidder is qualified; until the committee sits, the agency may find otherwise (87-44).

    Raises:
        NotFound, NotPermitted: Not agency or buyer of the procedure; no such bid to examine.
        RuleBroken: ``act.wrong_phase``, ``evaluation.begun``, ``examination.reason_missing``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_agency(row, actor)
        if sitting_of(uow.connection, row.id) is not None:
            raise RuleBroken("evaluation.begun", "B4.1")
        state = load_opened(uow.connection, row, lot, stage, uow.at)
        bid = _bid(state.quoted, opinion.bid)
        _require_reason(opinion)
        reason = opinion.reason.strip() or None
        decision = Decision(outcome=opinion.outcome, grants=False, reason=reason or "")
        return _record_finding(uow, state, bid, Step.QUALIFICATION, decision)


def _bid(among: tuple[OpenedBid, ...], reference: str) -> OpenedBid:
    for bid in among:
        if bid.bid == reference:
            return bid
    raise NotFound(reference)


def _require_reason(opinion: Opinion) -> None:
    if opinion.outcome is Outcome.INVALID and not opinion.reason.strip():
        raise RuleBroken("examination.reason_missing", "EVL-02")
    if len(opinion.reason) > _TEXT_LIMIT:
        raise RuleBroken("examination.reason_long", None, limit=_TEXT_LIMIT)


def _record_finding(uow: UnitOfWork, state: LotState, bid: OpenedBid, step: Step, found: Decision) -> Recorded:
    granted = state.claimed(bid.bid) if found.grants else None
    values = {"outcome": found.outcome.value, "preference": granted, "reason": found.reason or None}
    rest = {"bid": bid.bid, "bidder": bid.bidder, "rule": _RULES[step], "step": step.value}
    told, stored = _quantified(state, step, found.deviations)
    recorded = uow.record(of_lot("bid.examined", state.place, **values, **rest, **told))
    store.put_finding(uow, recorded, state.place, (bid.bid, step.value), **values, deviations=stored)
    return recorded


def _quantified(state: LotState, step: Step, found: Deviations) -> tuple[dict[str, Any], bytes | None]:
    """Return deviations as a body and a row have them; nothing of them where the documents quantify none."""
    if step is not Step.CONFORMITY or not state.factors:
        return {}, None
    body = deviations_json(found)
    return {"deviations": body}, dumps(body)


def vote(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, step: Step, opinion: Opinion) -> Recorded:
    """Record a member's vote; the last one decides the step by majority, and what follows from it (EXP-21).

    A vote may change until the step is decided. When conformity is decided for every bid, prices that are abnormally
    low must be explained (B10.3); when nothing is left to examine, a lot without sheets is ready for its report.

    Raises:
        NotFound: No member who sits; no such bid to vote on.
        RuleBroken: ``examination.decided``, ``examination.reason_missing``, ``explanation.pending`` (B10.3),
            ``deviation.…`` (MET-05).
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = load_opened(uow.connection, row, lot, stage, uow.at)
        bid = _votable(state, step, opinion.bid, uow.at)
        _require_reason(opinion)
        grants = opinion.grants and step is Step.CONFORMITY and state.claimed(bid.bid) is not None
        values = {"outcome": opinion.outcome.value, "grants": grants, "reason": opinion.reason.strip() or None}
        told, stored = _quantified(state, step, check_deviations(opinion.deviations, state.factors))
        body = {**values, **told, "bid": bid.bid, "seat": seat, "step": step.value}
        recorded = uow.record(of_lot("bid.voted", state.place, **body))
        store.put_vote(uow, recorded, state.place, (bid.bid, step.value, seat), **values, deviations=stored)
        votes = queries.votes_of(uow.connection, state.place, step)[bid.bid]
        decision = majority(list(votes.values()), sitting.seats)
        if decision is not None:
            _record_finding(uow, state, bid, step, decision)
            now = load_lot(uow.connection, row, state.lot, uow.at)
            _after_decision(uow, now, step)
            outdate_sheets(uow, load_lot(uow.connection, row, state.lot, uow.at))
            draft_if_ready(uow, row)
    return recorded


def _votable(state: LotState, step: Step, reference: str, at: int) -> OpenedBid:
    if step is Step.QUALIFICATION:
        raise NotFound(reference)
    bid = _bid(state.qualified, reference)
    if reference in state.found(step):
        raise RuleBroken("examination.decided", "EXP-21")
    if step is Step.PRICE:
        asked = state.explanations.get(reference)
        if asked is None or state.hidden:  # prices were read out with names
            raise NotFound(reference)
        if asked.text is None and at < asked.due_at:
            raise RuleBroken("explanation.pending", "B10.3", due_at=asked.due_at)
    return bid


def _after_decision(uow: UnitOfWork, state: LotState, step: Step) -> None:
    """Ask for explanations as soon as it is known which bids conform; quotes are compared as submitted (B10.3)."""
    if step is not Step.CONFORMITY or state.pending(Step.CONFORMITY):
        return
    for bid, why in state.doubted().items():
        if bid in state.explanations:
            continue
        due_at = uow.at + state.rules.edition.duration_ms(Key.ABNORMAL_LOW_EXPLANATION, state.rules.regime)
        triggers = [trigger.value for trigger in why]
        recorded = uow.record(of_lot("explanation.asked", state.place, bid=bid, due_at=due_at, triggers=triggers))
        store.add_explanation(uow, recorded, state.place, bid, triggers=triggers, due_at=due_at)


def explain_price(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, bid: str, words: str) -> Recorded:
    """Record a bidder's explanation: by the bidder itself, or by the agency that received it in writing (EVL-04).

    Raises:
        NotFound: Nobody was asked, or the bid is somebody else's.
        RuleBroken: ``explanation.empty``, ``explanation.given``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        state = load_opened(uow.connection, row, lot, stage, uow.at)
        own = {each.bid: each.bidder for each in state.opened}.get(bid) == actor.organisation
        if not (own and Role.BIDDER in actor.roles):
            require_agency(row, actor)
        asked = state.explanations.get(bid)
        if asked is None:
            raise NotFound(bid)
        if asked.text is not None:
            raise RuleBroken("explanation.given", "EVL-04")
        text = words.strip()
        if not text or len(text) > _TEXT_LIMIT:
            raise RuleBroken("explanation.empty", "B10.3", limit=_TEXT_LIMIT)
        recorded = uow.record(of_lot("explanation.given", state.place, bid=bid, text=text))
        store.set_explanation(uow, recorded, state.place, bid, text)
    return recorded
