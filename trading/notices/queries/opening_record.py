"""The opening record for programs: what the page says, with the commitment of every act, so each can be checked.

A page and a printed sheet say the same of the same value.
"""

from __future__ import annotations

from typing import Any, Final

from trading.kernel.errors import NotFound
from trading.notices.queries.opening import BidRow, Ceremony, KeyHolder
from trading.openings.queries import Spoken

FORMAT: Final = "mingbiao.opening-record"
VERSION: Final = 1


def opening_record(c: Ceremony) -> dict[str, Any]:
    """Return the record of an opening; instants in ms UTC, money in minor units, digests and commitments in hex.

    Bids stand in the order of the opening order. ``completed`` is null until the record is signed and logged.

    Raises:
        NotFound: Not everything is read out yet (OPN-04).
    """
    if not c.read_out:
        raise NotFound("opening record")
    return {
        "acts": [{"at": act.at, "custodian": act.custodian, "h": act.h, "kind": act.kind} for act in c.journal],
        "bids": [_bid(number, each) for number, each in enumerate(c.bids, 1)],
        "ceiling": None if c.ceiling is None else {"currency": c.currency, "minor": c.ceiling},
        "closing": None
        if c.closing is None
        else {"bids_root": c.closing.bids_root, "closed_at": c.closing.closed_at, "count": c.closing.count},
        "completed": None if c.completed is None else {"at": c.completed.at, "h": c.completed.h, "n": c.completed.n},
        "custodians": [_holder(c, each) for each in c.holders],
        "format": FORMAT,
        "k": c.k,
        "lot": {"number": c.lot, "title_en": c.lot_en, "title_zh": c.lot_zh},
        "objections": [_objection(each) for each in c.spoken],
        "order": {"at": c.ordered_at, "seq": c.order_seq, "sha256": c.order_sha256},
        "procedure": {"reference": c.reference, "title_en": c.title_en, "title_zh": c.title_zh},
        "v": VERSION,
    }


def _bid(number: int, bid: BidRow) -> dict[str, Any]:
    return {
        "bid": bid.reference,
        "bidder": bid.bidder_code,
        "delivery_days": bid.delivery_days,
        "envelope_sha256": bid.envelope_sha256,
        "faults": [{"code": each.code, "custodian": each.custodian} for each in bid.faults],
        "name_en": bid.bidder_en,
        "name_zh": bid.bidder_zh,
        "number": number,
        "price": None if bid.price is None else {"currency": bid.currency, "minor": bid.price},
        "price_sha256": bid.price_sha256,
        "sme": bid.sme,
        "verdict": bid.verdict,
    }


def _holder(c: Ceremony, holder: KeyHolder) -> dict[str, Any]:
    index = holder.custodian.index
    return {
        "checked_at": c.acted_at("share.checked", index),
        "i": index,
        "key_destroyed_at": c.acted_at("custodian.key_destroyed", index),
        "name": holder.custodian.name,
        "released_at": c.acted_at("share.released", index),
        "role": holder.custodian.role,
    }


def _objection(spoken: Spoken) -> dict[str, Any]:
    answer = spoken.answer
    return {
        "answer": None if answer is None else {"at": answer.at, "h": answer.h, "text": answer.text},
        "at": spoken.at,
        "bidder": spoken.bidder,
        "h": spoken.h,
        "text": spoken.text,
    }
