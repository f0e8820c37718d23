"""The evaluation stops and goes on: a seat that cannot be filled seals it, a vote of too little time extends it.

EXP-18 (87-49): if a seat cannot be filled at once, everything stops and all files are sealed until a new committee
stands, before whom nothing counts that was said. EXP-19 (招标投标法实施条例 48): more than a third of the members.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.evaluation import queries, store
from trading.evaluation.model import of_procedure
from trading.evaluation.service.members import require_agency, require_seat, require_sitting, require_unreported
from trading.evaluation.service.sitting import lawful_committee
from trading.experts import queries as experts
from trading.experts import store as seats
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

_REASON_LIMIT: Final = 1_000


def seal(ledger: Ledger, actor: Actor, reference: str, reason: str) -> Recorded:
    """Stop an evaluation whose empty seat cannot be filled at once, and seal its files (EXP-18).

    Raises:
        NotFound, NotPermitted: Not agency or buyer of the procedure.
        RuleBroken: ``evaluation.not_started``, ``evaluation.reported``, ``evaluation.sealed``: it is already;
            ``evaluation.not_short`` (EXP-18): no seat stands empty; ``evaluation.seal_reason`` (EXP-18).
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_agency(row, actor)
        sitting = require_sitting(uow.connection, row.id)
        require_unreported(sitting)
        seats.lock_committee(uow, row.id)  # nobody signs in meanwhile
        committee = experts.committee_of(uow.connection, row.id)
        present = {each.seat for each in committee.members if each.state == "present"} if committee else set()
        empty = sorted(set(sitting.seats) - present)
        if not empty:
            raise RuleBroken("evaluation.not_short", "EXP-18")
        words = reason.strip()
        if not 0 < len(words) <= _REASON_LIMIT:
            raise RuleBroken("evaluation.seal_reason", "EXP-18", limit=_REASON_LIMIT)
        recorded = uow.record(of_procedure("evaluation.sealed", reference, row.id, reason=words, seats=empty))
        store.set_sitting(uow, recorded, row.id, sealed_at=recorded.at, report_number=0, reported_at=None)
    return recorded


def resume(ledger: Ledger, actor: Actor, reference: str) -> Recorded:
    """Go on with a new lawful committee; whatever the former one said is void, and nothing of it is deleted (EXP-18).

    Raises:
        NotFound, NotPermitted: Not agency or buyer of the procedure.
        RuleBroken: ``evaluation.not_started``, ``evaluation.not_sealed`` (EXP-18); ``committee.…`` with the rule that
            the new committee breaks.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_agency(row, actor)
        sitting = require_sitting(uow.connection, row.id, sealed=True)
        if sitting.sealed_at is None:
            raise RuleBroken("evaluation.not_sealed", "EXP-18")
        committee = lawful_committee(uow.connection, row, uow.at)
        fresh = sorted(member.seat for member in committee.sitting)
        recorded = uow.record(of_procedure("evaluation.resumed", reference, row.id, seats=fresh))
        for seat in sitting.seats:
            store.void_member(uow, recorded, row.id, seat)
        values = {"report_number": 0, "reported_at": None, "sealed_at": None}
        store.set_sitting(uow, recorded, row.id, seats=fresh, **values)
    return recorded


def ask_for_time(ledger: Ledger, actor: Actor, reference: str) -> Recorded:
    """Say as a member that the time is too short; when more than the share of the law says so, it is extended (EXP-19).

    Every extension begins another round of the vote.

    Raises:
        NotFound: No member who sits.
        RuleBroken: ``evaluation.reported``, ``evaluation.sealed``; ``time.asked`` (EXP-19): in this round already.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        before = queries.time_votes(uow.connection, row.id, sitting.extensions)
        if seat in before:
            raise RuleBroken("time.asked", "EXP-19")
        recorded = uow.record(of_procedure("time.asked", reference, row.id, round=sitting.extensions, seat=seat))
        store.add_time_vote(uow, recorded, row.id, sitting.extensions, seat)
        asking = len({*before, seat} & set(sitting.seats))
        if is_enough(asking, len(sitting.seats), procedures.edition_of(uow.connection, row, uow.at), row):
            body = {"asking": asking, "members": len(sitting.seats), "round": sitting.extensions}
            extended = uow.record(of_procedure("evaluation.extended", reference, row.id, **body))
            store.set_sitting(uow, extended, row.id, extensions=sitting.extensions + 1)
    return recorded


def is_enough(asking: int, members: int, edition: Edition, row: ProcedureRow) -> bool:
    """Say whether so many of the members extend the evaluation (EXP-19: more than the share, not at it)."""
    return edition.allows(Key.MORE_TIME_SHARE, Regime(row.regime), Fraction(asking, members))
