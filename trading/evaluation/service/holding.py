"""Between signing and handing in: sheets are shown to be there, and sheets about other bids are void (ADR 0078).

A signature can be made void without harm as long as nobody's sheet lies in the database. So no sheet is taken before
every member who sits has shown that the signed one is there; after that, nothing is lost any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.queries import SignatureRow, SittingRow
from trading.evaluation.rules.commitment import require_digest
from trading.evaluation.rules.holding import challenge_of, is_outdated
from trading.evaluation.service.members import require_seat, require_unreported
from trading.evaluation.service.state import LotState, load_opened
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.openings.model import Place
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow


def scored_lot(uow: UnitOfWork, row: ProcedureRow, number: str, stage: str) -> LotState:
    """Return a lot whose bids are scored now.

    Raises:
        NotFound: It is not scored.
        RuleBroken: ``act.wrong_phase`` (B4.1), ``scoring.not_yet`` (B10.6).
    """
    state = load_opened(uow.connection, row, number, stage, uow.at)
    if not state.scored:
        raise NotFound(f"lot {number} is not scored")
    if not state.examined_fully:
        raise RuleBroken("scoring.not_yet", "B10.6")
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A lot all of whose sheets are signed, as one member who sits acts on the own one; ``signed`` by seat."""

    row: ProcedureRow
    sitting: SittingRow
    state: LotState
    seat: str
    signed: Mapping[str, SignatureRow]

    @property
    def own(self) -> SignatureRow:
        """The member's newest signature."""
        return self.signed[self.seat]


def signed_lot(uow: UnitOfWork, actor: Actor, reference: str, lot: str, stage: str) -> Signed:
    """Lock the procedure and return a lot whose members have all signed: nobody acts on a signed sheet before.

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.too_early`` (EXP-22); ``evaluation.reported``, ``scoring.not_yet``.
    """
    row = rows.lock_for_update(uow, reference)
    sitting, seat = require_seat(uow.connection, row.id, actor)
    require_unreported(sitting)
    state = scored_lot(uow, row, lot, stage)
    signed = queries.signatures_of(uow.connection, state.place)
    require_all_signed(signed, sitting)
    return Signed(row=row, sitting=sitting, state=state, seat=seat, signed=signed)


def require_all_signed(signed: Mapping[str, SignatureRow], sitting: SittingRow) -> None:
    """Refuse to act on any signed sheet while a member has not signed.

    Raises:
        RuleBroken: ``sheet.too_early`` (EXP-22).
    """
    missing = set(sitting.seats) - set(signed)
    if missing:
        raise RuleBroken("sheet.too_early", "EXP-22", missing=len(missing))


def require_all_there(conn: Connection, state: LotState, sitting: SittingRow) -> None:
    """Refuse to take the contents of any sheet while a signed one was not shown to be there.

    Raises:
        RuleBroken: ``sheet.not_held`` (EXP-22).
    """
    signed = queries.signatures_of(conn, state.place)
    missing = sum(not signed[seat].is_there for seat in sitting.seats)
    if missing:
        raise RuleBroken("sheet.not_held", "EXP-22", missing=missing)


def challenge(conn: Connection, place: Place, sitting: SittingRow) -> bytes | None:
    """Return what an echo answers now, None while somebody has not signed."""
    signed = queries.signatures_of(conn, place)
    if not set(sitting.seats) <= set(signed):
        return None
    return challenge_of(signed[seat].sheet_commit for seat in sitting.seats)


def hold_sheet(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, *, version: int, echo: str
) -> Recorded:
    """Record that the sheet that a member has signed is there: its ``echo`` (hex) of the challenge of all signatures.

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.too_early``, ``sheet.version``, ``sheet.digest_wrong``, ``sheet.handed_in``,
            ``sheet.held``: it was told already; ``evaluation.reported``, ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        at = signed_lot(uow, actor, reference, lot, stage)
        state, seat, own = at.state, at.seat, at.own
        if own.handed_in:
            raise RuleBroken("sheet.handed_in", "EXP-22")
        if version != own.version:
            raise RuleBroken("sheet.version", "EXP-22", version=own.version)
        if require_digest(echo) == own.echo:
            raise RuleBroken("sheet.held", "EXP-22")
        recorded = uow.record(of_lot("sheet.held", state.place, echo=echo, seat=seat, version=version))
        store.hold_sheet(uow, recorded, state.place)
    return recorded


def outdate_sheets(uow: UnitOfWork, state: LotState) -> Recorded | None:
    """Make void what members signed for other bids than those that conform, once all is examined (EXP-17, 87-49).

    It happens when a member was replaced and the new majority finds otherwise. The members then sign anew; whoever has
    seen scores of the others keeps the own ones and scores the bids that came in.
    """
    if not state.scored or not state.examined_fully:
        return None
    conforming = frozenset(bid.bid for bid in state.conforming)
    signed = queries.signatures_of(uow.connection, state.place)
    old = [
        {"seat": seat, "version": each.version}
        for seat, each in sorted(signed.items())
        if is_outdated(each.bids, conforming, handed_in=each.handed_in)
    ]
    if not old:
        return None
    recorded = uow.record(of_lot("sheets.outdated", state.place, bids=sorted(conforming), sheets=old))
    store.outdate_sheets(uow, recorded, state.place)
    return recorded
