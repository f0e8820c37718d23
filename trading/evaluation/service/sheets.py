"""Blind score sheets: typed, checked, signed, and opened together when the last member has signed (EXP-22, B10.6)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.documents import store as documents
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.queries import SittingRow
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.recheck import Doubt, recheck, require_correctable, require_kept
from trading.evaluation.rules.scoring import Sheet
from trading.evaluation.rules.sheets import Score, check_sheet, scored, sheet_of
from trading.evaluation.service.masking import reveal_masks
from trading.evaluation.service.members import require_seat, require_unreported
from trading.evaluation.service.reporting import draft_if_ready
from trading.evaluation.service.state import LotState, load_opened, open_sheets
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow
from trading.rulebook.keys import Key

_SALT_BYTES: Final = 32
_REASON_LIMIT: Final = 1_000
_TYPED_POINTS: Final = 20


def save_draft(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, bid: str, cells: Mapping[str, Score]
) -> None:
    """Keep what a member has typed about one bid, right or wrong: nothing typed is lost. No evidence.

    Raises:
        NotFound: No member who sits; no such bid to score.
        RuleBroken: ``evaluation.reported``, ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_share(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = _scored_lot(uow, row, lot, stage)
        if bid not in {each.bid for each in state.conforming}:
            raise NotFound(bid)
        known = {criterion.id for criterion in scored(state.rules.criteria)}
        kept = {
            name: Score(points=cell.points[:_TYPED_POINTS], comment=cell.comment)
            for name, cell in cells.items()
            if name in known
        }
        store.save_draft(uow, state.place, seat, bid, kept, at=uow.at)


def _scored_lot(uow: UnitOfWork, row: ProcedureRow, number: str, stage: str) -> LotState:
    state = load_opened(uow.connection, row, number, stage, uow.at)
    if not state.scored:
        raise NotFound(f"lot {number} is not scored")
    if not state.examined_fully:
        raise RuleBroken("scoring.not_yet", "B10.6")
    return state


def sign_sheet(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, *, reason: str = "") -> Recorded:
    """Sign what the member has typed for one lot. When all have signed, all sheets open at once.

    A change after signing is a new version with its reason (ux C53). After the sheets are open only what the re-check
    points at may change (87-64).

    Raises:
        NotFound: No member who sits; the lot is not scored.
        RuleBroken: ``sheet.incomplete``, ``sheet.reason_missing``, ``sheet.unchanged``, ``score.…``,
            ``recheck.elsewhere``, ``evaluation.reported``, ``scoring.not_yet``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = _scored_lot(uow, row, lot, stage)
        before = _own_newest(uow.connection, state, seat)
        # What a former committee signed is void (EXP-18): whoever sits again begins anew, under the next version.
        holds = before if seat in queries.signatures_of(uow.connection, state.place) else None
        document = _document(uow.connection, state, seat, holds, reason.strip())
        document["version"] = 1 if before is None else before["version"] + 1
        _require_change(uow.connection, state, holds, document)
        if holds is None and before is not None:
            _require_blind(uow.connection, state, before, document)
        body = {name: document[name] for name in ("reason", "seat", "version")}
        raw = SHEET.write(document)
        commit = sha256_hex(raw)
        recorded = uow.record(of_lot("sheet.signed", state.place, second_factor=True, sheet_commit=commit, **body))
        store.add_sheet(uow, recorded, state.place, raw)
        if _open_if_complete(uow, state, sitting):
            draft_if_ready(uow, row)
    return recorded


def _own_newest(conn: Connection, state: LotState, seat: str) -> dict[str, Any] | None:
    own = [raw for name, _, raw in queries.sheet_documents(conn, state.place) if name == seat]
    return SHEET.read(own[-1]) if own else None


def _document(
    conn: Connection, state: LotState, seat: str, before: dict[str, Any] | None, reason: str
) -> dict[str, Any]:
    if before is not None and not reason:
        raise RuleBroken("sheet.reason_missing", "B10.6")
    if len(reason) > _REASON_LIMIT:
        raise RuleBroken("examination.reason_long", None, limit=_REASON_LIMIT)
    bids = [bid.bid for bid in state.conforming]
    items = check_sheet(state.rules.criteria, bids, queries.drafts_of(conn, state.place, seat))
    return {
        "items": items,
        "lot": state.place.lot,
        "reason": reason or None,
        "salt": secrets.token_hex(_SALT_BYTES),
        "seat": seat,
        "stage": state.place.stage,
        "tender": state.place.procedure,
        "version": 1 if before is None else before["version"] + 1,
    }


def _require_change(conn: Connection, state: LotState, before: dict[str, Any] | None, document: dict[str, Any]) -> None:
    if before is None:
        return
    old, new = sheet_of(before), sheet_of(document)
    if _contents(before) == _contents(document):
        raise RuleBroken("sheet.unchanged", "B10.6")
    if queries.scoring_of(conn, state.place) is not None:
        require_correctable(doubts_of(state, open_sheets(conn, state.place)), old, new)
    elif queries.was_opened(conn, state.place, queries.signatures_of(conn, state.place)[old.seat].sheet_commit):
        require_kept(old, new)


def _require_blind(conn: Connection, state: LotState, before: dict[str, Any], document: dict[str, Any]) -> None:
    """Let whoever has seen the scores of a former committee repeat the own ones only (EXP-18, EXP-22)."""
    own = [raw for seat, _, raw in queries.sheet_documents(conn, state.place) if seat == before["seat"]]
    if queries.was_opened(conn, state.place, sha256_hex(own[-1])):
        require_kept(sheet_of(before), sheet_of(document))


def _contents(document: dict[str, Any]) -> list[Any]:
    return [[item["bid"], [dict(row) for row in item["scores"]]] for item in document["items"]]


def _open_if_complete(uow: UnitOfWork, state: LotState, sitting: SittingRow) -> bool:
    signed = queries.signatures_of(uow.connection, state.place)
    if set(signed) != set(sitting.seats):
        return False
    sheets = sorted(each.sheet_commit for each in signed.values())
    recorded = uow.record(of_lot("scores.opened", state.place, sheets=sheets))
    store.open_scores(uow, recorded, state.place, sheets)
    for _, _, raw in queries.sheet_documents(uow.connection, state.place):
        if sha256_hex(raw) in sheets:
            documents.add(uow, recorded, state.row.id, SignedDocument(raw))
    reveal_masks(uow, state)
    return True


def doubts_of(state: LotState, sheets: tuple[Sheet, ...]) -> list[Doubt]:
    """Return what the re-check points at in the open sheets of a lot (B10.6)."""
    share = state.rules.edition.fraction(Key.OUTLIER_SHARE, state.rules.regime)
    return recheck(state.rules.criteria, sheets, share)


def explain_score(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, place: tuple[str, str], words: str
) -> Recorded:
    """Record why a member stands by an unusual score: ``place`` is (bid, criterion) (B10.6 item 4).

    Raises:
        NotFound: No member who sits, or no such doubt about an own score.
        RuleBroken: ``explanation.empty``, ``evaluation.reported``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = _scored_lot(uow, row, lot, stage)
        found = doubts_of(state, open_sheets(uow.connection, state.place))
        bid, criterion = place
        if (bid, criterion, seat) not in {(each.bid, each.criterion, each.seat) for each in found}:
            raise NotFound(bid)
        text = words.strip()
        if not text or len(text) > _REASON_LIMIT:
            raise RuleBroken("explanation.empty", "B10.6", limit=_REASON_LIMIT)
        body = {"bid": bid, "criterion": criterion, "reason": text, "seat": seat}
        recorded = uow.record(of_lot("recheck.explained", state.place, **body))
        store.add_recheck_explanation(uow, recorded, state.place, (bid, criterion, seat), text)
        draft_if_ready(uow, row)
    return recorded
