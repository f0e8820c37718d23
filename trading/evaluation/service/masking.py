"""Letters of masked bidders: committed to when the sitting begins, disclosed with the scores (暗标, ADR 0072)."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.rules.masks import SEED_BYTES, commitment, draw, names_bidder
from trading.evaluation.service.state import LotState
from trading.inspection.findings import Verdict
from trading.parties.queries import organisations


def commit_masks(uow: UnitOfWork, state: LotState) -> None:
    """Draw the letters of a lot whose documents want masked bidders, and record a commitment to them."""
    if not state.masked:
        return
    seed, bids = secrets.token_bytes(SEED_BYTES), sorted(each.bid for each in state.opened)
    commit = commitment(seed, state.place)
    recorded = uow.record(of_lot("masks.committed", state.place, bids=bids, commit=commit))
    store.add_masking(uow, recorded, state.place, commit, bids, seed)


def reveal_masks(uow: UnitOfWork, state: LotState) -> None:
    """Disclose seed and letters with the scores, and which masked parts named their bidder; once for a lot."""
    kept = store.masking_of(uow.connection, state.place)
    if kept is None or kept.revealed is not None:
        return
    drawn = draw(kept.seed, state.place, kept.bids)
    masks = [{"bid": bid, "mask": drawn[bid]} for bid in sorted(drawn)]
    named = [bid for bid in sorted(drawn) if naming_places(uow.connection, state, bid)]
    body = {"masks": masks, "named": named, "seed": kept.seed.hex()}
    recorded = uow.record(of_lot("masks.revealed", state.place, **body))
    store.reveal_masks(uow, recorded, state.place, masks)


def naming_places(conn: Connection, state: LotState, bid: str) -> tuple[tuple[str, int], ...]:
    """Return (file, page) wherever a masked part names its bidder, by name or credit code; page 0 for a file's text.

    Names of files are not looked at, because no member sees them. The committee is told what is found; what follows
    from it by the documents is for the committee to decide.
    """
    code = next(each.bidder for each in state.opened if each.bid == bid)
    known = organisations(conn, (code,)).get(code)
    names = [code] if known is None else [code, known.name_zh, known.name_en]
    files = [each for each in queries.files_of(conn, bid) or () if each.verdict is not Verdict.QUARANTINED]
    found = {(each.sha256, 0) for each in files if names_bidder(each.preview, names)}
    for name in names:
        found |= {
            (sha256, number)
            for sha256, number, text in queries.pages_with(conn, bid, name, 1_000)
            if names_bidder(text, names)
        }
    return tuple(sorted(found))
