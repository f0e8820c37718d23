"""A signed sheet that cannot be handed in, lost with its machine or not lawful: asked, made void, scored again.

The digest that was signed binds its member, so only the supervisor releases from it, for a reason that stays in the
record, as long as no sheet of another member was taken since (EXP-22; ADR 0070, 0078). Then the member signs a new
version, blind as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.queries import SignatureRow
from trading.evaluation.service.holding import scored_lot, signed_lot
from trading.evaluation.service.members import require_sitting, require_unreported
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow

_REASON_LIMIT: Final = 1_000


def ask_renewal(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, reason: str) -> Recorded:
    """Ask as a member to score again, because the signed sheet cannot be handed in.

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.too_early``: until all have signed another sheet can simply be signed;
            ``renewal.not_needed`` (EXP-22): nothing is signed, or it is handed in; ``renewal.too_late`` (EXP-22): it
            was shown to be there, and others have handed in; ``renewal.asked``: already;
            ``renewal.reason_missing``; ``evaluation.reported``.
    """
    with ledger.begin(actor) as uow:
        at = signed_lot(uow, actor, reference, lot, stage)
        state, seat, own = at.state, at.seat, at.own
        if own.handed_in:
            raise RuleBroken("renewal.not_needed", "EXP-22")
        require_nothing_out(at.signed, seat)
        if any(
            (each.seat, each.version) == (seat, own.version)
            for each in queries.renewals_of(uow.connection, state.place)
        ):
            raise RuleBroken("renewal.asked", "EXP-22")
        body = {"reason": _words(reason), "seat": seat, "version": own.version}
        recorded = uow.record(of_lot("renewal.asked", state.place, **body))
        store.add_renewal(uow, recorded, state.place)
    return recorded


def void_sheet(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, *, seat: str, reason: str
) -> Recorded:
    """Make a signed sheet void as the supervisor of the procedure, as its member has asked for.

    Raises:
        NotFound: The procedure is another supervisor's; the member has not asked, or it is void already.
        NotPermitted: No supervisor.
        RuleBroken: ``renewal.not_needed``: it was handed in meanwhile; ``renewal.too_late``: somebody else's sheet was;
            ``renewal.reason_missing``;
            ``evaluation.reported``, ``evaluation.sealed``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        _require_supervisor(row, actor)
        require_unreported(require_sitting(uow.connection, row.id))
        state = scored_lot(uow, row, lot, stage)
        asked = [
            each
            for each in queries.renewals_of(uow.connection, state.place)
            if each.seat == seat and each.answer is None
        ]
        signed = queries.signatures_of(uow.connection, state.place)
        own = signed.get(seat)
        if not asked or own is None or own.version != asked[-1].version:
            raise NotFound(seat)
        if own.handed_in:
            raise RuleBroken("renewal.not_needed", "EXP-22")
        require_nothing_out(signed, seat)
        body = {"reason": _words(reason), "seat": seat, "version": own.version}
        recorded = uow.record(of_lot("sheet.voided", state.place, **body))
        store.void_sheet(uow, recorded, state.place)
    return recorded


def is_too_late(signed: Mapping[str, SignatureRow], seat: str) -> bool:
    """Whether sheets of others may lie in the database since this member has scored."""
    others = any(each.handed_in for name, each in signed.items() if name != seat)
    return others and signed[seat].is_there


def require_nothing_out(signed: Mapping[str, SignatureRow], seat: str) -> None:
    """Refuse to let a member score again once sheets of others may lie in the database since he or she has scored.

    That is so when the own sheet was shown to be there and another one is handed in: before that none was taken. What
    is left then is a replacement of the member (EXP-17).

    Raises:
        RuleBroken: ``renewal.too_late`` (EXP-22).
    """
    if is_too_late(signed, seat):
        raise RuleBroken("renewal.too_late", "EXP-22")


def _require_supervisor(row: ProcedureRow, actor: Actor) -> None:
    if Role.SUPERVISOR not in actor.roles:
        raise NotPermitted("a signed sheet is made void by the supervisor")
    if actor.organisation != row.supervisor_code:
        raise NotFound(row.reference)


def _words(reason: str) -> str:
    words = reason.strip()
    if not 0 < len(words) <= _REASON_LIMIT:
        raise RuleBroken("renewal.reason_missing", "EXP-22", limit=_REASON_LIMIT)
    return words
