"""After the award: which procedure a draw served, its trail, and the members' names (ED1 D11, EXP-14)."""

from __future__ import annotations

from typing import Final

from trading.audit.ledger import Ledger
from trading.experts import queries, store
from trading.experts.model import draw_event
from trading.experts.service.custodians import attempt_of
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures import queries as procedures

_DECIDED: Final = frozenset({"determined", "concluded", "contracted", "contract_published", "failed", "cancelled"})


def disclose_names(ledger: Ledger, actor: Actor, reference: str) -> int:
    """Disclose every attempt of a procedure's draws, cancelled ones too; the contact service then publishes the names.

    Args:
        ledger: Where to record.
        actor: Agency, centre or the platform.
        reference: The procedure.

    Returns:
        How many attempts were disclosed now; 0 when all of them were before.

    Raises:
        NotPermitted: Somebody else.
        RuleBroken: ``panel.secret`` (EXP-14): a lot is still being evaluated.
    """
    if not actor.roles & {Role.AGENCY, Role.REVIEWER, Role.CENTRE, Role.SYSTEM}:
        raise NotPermitted("names are published by the agency or the platform")
    with ledger.begin(actor) as uow:
        procedure = procedures.find(uow.connection, reference)
        phases = [lot.phase for lot in procedures.lots_of(uow.connection, procedure.id)]
        if not set(phases) <= _DECIDED:
            raise RuleBroken("panel.secret", "EXP-14")
        rows = [
            store.lock_draw(uow, row.draw, row.attempt)
            for row in queries.draws_of(uow.connection, procedure.id)
            if row.state != "disclosed"
        ]
        for row in rows:
            event = draw_event("disclosed", attempt_of(row), procedure=reference, salt=row.salt.hex())
            store.move_draw(uow, uow.record(event), row, state="disclosed")
    return len(rows)
