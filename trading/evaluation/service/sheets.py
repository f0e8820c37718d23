"""Blind score sheets: signed by their digest, handed in when all have signed, opened together (EXP-22; ADR 0070).

What a member types stays on his or her machine. The platform is told the salted digest of the sheet, which is what is
signed; not before every member who sits has signed does it take the sheets themselves, and only those.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.documents import store as documents
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.queries import SignatureRow, SittingRow
from trading.evaluation.rules.commitment import (
    Heading,
    read_sheet,
    require_committed,
    require_digest,
    require_lawful,
)
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.holding import require_echo
from trading.evaluation.rules.recheck import require_correctable, require_kept
from trading.evaluation.service.holding import challenge, require_all_there, scored_lot, signed_lot
from trading.evaluation.service.masking import reveal_masks
from trading.evaluation.service.members import require_seat, require_unreported
from trading.evaluation.service.reporting import draft_if_ready
from trading.evaluation.service.state import LotState, open_sheets
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings.model import Place
from trading.procedures import store as rows


def sign_sheet(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, *, commit: str, version: int
) -> Recorded:
    """Sign a sheet by its salted digest ``commit`` (hex), which is all that is told; ``version`` is the one it names.

    Until all have signed, another digest may be signed in its place: a new version, whose sheet gives the reason.

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.digest_wrong``, ``sheet.all_signed``, ``sheet.version``, ``sheet.unchanged``,
            ``recheck.elsewhere`` (a sheet that was open before has nothing left to score), ``evaluation.reported``,
            ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = scored_lot(uow, row, lot, stage)
        signed = queries.signatures_of(uow.connection, state.place)
        if set(signed) >= set(sitting.seats):
            raise RuleBroken("sheet.all_signed", "EXP-22")
        following = queries.last_version(uow.connection, state.place, seat) + 1
        if version != following:
            raise RuleBroken("sheet.version", "EXP-22", version=following)
        own = signed.get(seat)
        if own is not None and own.sheet_commit == require_digest(commit):
            raise RuleBroken("sheet.unchanged", "B10.6")
        _require_left_to_score(uow.connection, state, seat)
        recorded = uow.record(_signature(state, seat, require_digest(commit), version))
        store.add_signature(uow, recorded, state.place)
    return recorded


def _signature(state: LotState, seat: str, commit: str, version: int) -> Any:  # noqa: ANN401 - an event
    body = {"bids": sorted(bid.bid for bid in state.conforming), "second_factor": True, "seat": seat}
    return of_lot("sheet.signed", state.place, sheet_commit=commit, version=version, **body)


def _require_left_to_score(conn: Connection, state: LotState, seat: str) -> None:
    """Refuse to score again what has been open, before a replacement closed the scores (EXP-17, EXP-22)."""
    own = queries.signatures_of(conn, state.place).get(seat)
    if own is None or not queries.was_opened(conn, state.place, own.sheet_commit):
        return
    document = own_newest(conn, state.place, seat)
    if document is not None and {bid.bid for bid in state.conforming} <= state.scores_in(document).points.keys():
        raise RuleBroken("recheck.elsewhere", "B10.6")


def own_newest(conn: Connection, place: Place, seat: str) -> dict[str, Any] | None:
    """Return the newest sheet that a seat has handed in, as far as this transaction may see it."""
    raw = queries.newest_sheet(conn, place, seat)
    return None if raw is None else SHEET.read(raw)


def hand_in(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, raw: bytes) -> Recorded:
    """Hand in the sheet whose digest was signed, once all have signed; with the last one all sheets open at once.

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.too_early`` (EXP-22) while somebody has not signed, ``sheet.not_held`` while a signed sheet
            was not shown to be there; ``sheet.other_document``, ``sheet.echo_wrong``,
            ``sheet.no_document``, ``sheet.invalid``, ``sheet.reason_missing``, ``recheck.elsewhere``;
            ``sheet.handed_in``: it is already; ``evaluation.reported``, ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        at = signed_lot(uow, actor, reference, lot, stage)
        sitting, state, seat, own = at.sitting, at.state, at.seat, at.own
        if own.handed_in:
            raise RuleBroken("sheet.handed_in", "EXP-22")
        require_committed(raw, own.sheet_commit)
        require_all_there(uow.connection, state, sitting)
        _require_echo(uow.connection, state, sitting, own, raw)
        document = read_sheet(raw)
        _require_lawful(state, document, seat, own.version, changes=own.changes)
        _require_blind(uow.connection, state, seat, document)
        recorded = _record_sheet(uow, state, raw, document)
        if _open_if_complete(uow, state, sitting):
            draft_if_ready(uow, at.row)
    return recorded


def _require_echo(conn: Connection, state: LotState, sitting: SittingRow, own: SignatureRow, raw: bytes) -> None:
    """Refuse a sheet whose machine has told another echo; it may be told again (ADR 0078)."""
    asked = challenge(conn, state.place, sitting)
    if own.echo is not None and asked is not None:
        require_echo(own.echo, asked, raw)


def _require_lawful(state: LotState, document: dict[str, Any], seat: str, version: int, *, changes: bool) -> None:
    place = state.place
    reason = "of a change" if changes else None
    heading = Heading(
        tender=place.procedure, lot=place.lot, stage=place.stage, seat=seat, version=version, reason=reason
    )
    require_lawful(document, heading, state.rules.criteria, [state.sheet_name(bid.bid) for bid in state.conforming])


def _require_blind(conn: Connection, state: LotState, seat: str, document: dict[str, Any]) -> None:
    """Let whoever has seen the scores of a former committee repeat the own ones only (EXP-17, EXP-18, EXP-22)."""
    own = queries.opened_sheet(conn, state.place, seat)
    if own is not None:
        require_kept(state.scores_in(SHEET.read(own)), state.scores_in(document))


def _record_sheet(uow: UnitOfWork, state: LotState, raw: bytes, document: dict[str, Any]) -> Recorded:
    body = {name: document[name] for name in ("reason", "seat", "version")}
    recorded = uow.record(of_lot("sheet.handed_in", state.place, sheet_commit=sha256_hex(raw), **body))
    store.add_sheet(uow, recorded, state.place, raw)
    return recorded


def correct_sheet(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, raw: bytes) -> Recorded:
    """Sign and hand in a changed sheet after the scores are open: only what the re-check points at (87-64, ux C53).

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.not_open``, ``sheet.no_document``, ``sheet.invalid``, ``sheet.reason_missing``,
            ``sheet.unchanged``, ``recheck.elsewhere``, ``evaluation.reported``, ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = scored_lot(uow, row, lot, stage)
        before = own_newest(uow.connection, state.place, seat)
        if queries.scoring_of(uow.connection, state.place) is None or before is None:
            raise RuleBroken("sheet.not_open", "B10.6")
        document = read_sheet(raw)
        version = queries.last_version(uow.connection, state.place, seat) + 1
        _require_lawful(state, document, seat, version, changes=True)
        if before["items"] == document["items"]:
            raise RuleBroken("sheet.unchanged", "B10.6")
        doubts = state.doubts(open_sheets(uow.connection, state.place))
        require_correctable(doubts, state.scores_in(before), state.scores_in(document))
        signed = uow.record(_signature(state, seat, sha256_hex(raw), version))
        store.add_signature(uow, signed, state.place)
        recorded = _record_sheet(uow, state, raw, document)
        if _open_if_complete(uow, state, sitting):
            draft_if_ready(uow, row)
    return recorded


def _open_if_complete(uow: UnitOfWork, state: LotState, sitting: SittingRow) -> bool:
    signed = queries.signatures_of(uow.connection, state.place)
    if set(signed) != set(sitting.seats) or not all(each.handed_in for each in signed.values()):
        return False
    sheets = sorted(each.sheet_commit for each in signed.values())
    recorded = uow.record(of_lot("scores.opened", state.place, sheets=sheets))
    store.open_scores(uow, recorded, state.place, sheets)
    for _, _, raw in queries.sheet_documents(uow.connection, state.place):
        if sha256_hex(raw) in sheets:
            documents.add(uow, recorded, state.row.id, SignedDocument(raw))
    reveal_masks(uow, state)
    return True
