"""The unsigned contract of a lot, made from its award: parties, price and limit are given, terms are written."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from trading.awards.queries import award_of
from trading.contracts import service
from trading.contracts.rules.documents import build_contract
from trading.kernel.errors import NotFound
from trading.parties.queries import Organisation, organisations
from trading.procedures import queries as procedures
from trading.procedures.service import edition_of, work_calendar
from trading.rulebook.keys import Key, Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the agency writes: a number of the contract and its terms in both languages."""

    number: str
    terms_zh: str
    terms_en: str


def contract_draft(conn: Connection, reference: str, place: tuple[str, str], *, at: int, terms: Terms) -> bytes:
    """Return the contract of a lot whose result is published (CON-01).

    Args:
        conn: Where to read.
        reference: The procedure.
        place: Lot and stage.
        at: Instant of the draft (ms).
        terms: What the agency writes.

    Raises:
        NotFound: No such lot, or no award.
        RuleBroken: ``act.wrong_phase``: the result is not published yet.
    """
    row = procedures.find(conn, reference)
    lot = procedures.find_lot(conn, row.id, *place)
    award = award_of(conn, row.id, *place)
    if award is None:
        raise NotFound(f"award of lot {lot.number}")
    within = edition_of(conn, row, at).days(Key.CONTRACT_SIGN_WITHIN, Regime(row.regime))
    sign_before = work_calendar(conn).end_of_period(service.concluded_at(conn, row, lot), within)
    known = organisations(conn, (row.buyer_code, row.agency_code, award.bidder))
    return build_contract(
        {
            "agency": _party(known, row.agency_code),
            "award_h": award.h,
            "bid": award.bid,
            "buyer": _party(known, row.buyer_code),
            "created": at,
            "currency": lot.currency,
            "lot": lot.number,
            "number": terms.number,
            "price": award.price,
            "sign_before": sign_before,
            "stage": lot.stage,
            "supplier": _party(known, award.bidder),
            "tender": row.reference,
            "terms_en": terms.terms_en,
            "terms_zh": terms.terms_zh,
            "title_en": lot.title_en,
            "title_zh": lot.title_zh,
        }
    )


def _party(known: dict[str, Organisation], code: str) -> dict[str, str]:
    if code not in known:
        raise NotFound(f"organisation {code}")
    return {"code": code, "name_en": known[code].name_en, "name_zh": known[code].name_zh}
