"""How a lot ended, as its last notice says it (NOT-09, NOT-10)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection

from trading.evaluation.queries import RankingRow, ranking_of
from trading.kernel.errors import NotFound
from trading.parties.queries import Organisation, organisations
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.criteria import decimal_of

_AWARDED: Final = frozenset({"determined", "concluded", "contracted", "contract_published"})


def outcome(conn: Connection, row: ProcedureRow, lot: LotRow) -> dict[str, Any]:
    """Return a lot's line of a last notice: the award as the ranking has it, or why there is none."""
    ranking = ranking_of(conn, row.id, lot.number, lot.stage)
    award = None if ranking is None or lot.phase not in _AWARDED else _award(conn, ranking)
    return {
        "award": award,
        "lot": lot.number,
        "ranked_h": None if ranking is None else ranking.h,
        "reason": None if award is not None else lot.phase,
        "stage": lot.stage,
    }


def _award(conn: Connection, ranking: RankingRow) -> dict[str, Any]:
    """Return the award with what NOT-09 asks: winner, price, and by which number it won."""
    first = ranking.first
    known = organisations(conn, (first["bidder"],))
    award = {name: first[name] for name in ("bid", "bidder", "evaluated_price", "price")}
    # Documents write decimals without superfluous zeros (P3 rule 3); the ranking writes all places of a score.
    more = {} if first.get("score") is None else {"score": decimal_of(Fraction(first["score"]))}
    # The deduction that was granted is the declaration of a small enterprise that NOT-09 wants published.
    return {**award, **more, "sme": first.get("preference"), "winner": party(known, first["bidder"])}


def party(known: dict[str, Organisation], code: str) -> dict[str, str]:
    """Return an organisation as notices name it; ``NotFound`` if the register does not have it."""
    if code not in known:
        raise NotFound(f"organisation {code}")
    return {"code": code, "name_en": known[code].name_en, "name_zh": known[code].name_zh}
