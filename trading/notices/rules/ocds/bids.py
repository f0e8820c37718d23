"""The section ``bids``: nothing before the opening of a lot is complete; ranks once its result is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trading.notices.rules.ocds.case import Case, Fact
from trading.notices.rules.ocds.terms import reference_to, value
from trading.openings.rules.verdicts import CONSEQUENCES, Code, Effect

# Of the codelist bidStatus, by the legal effect of the verdict (SB1 S10).
_STATUS: Final[Mapping[Effect, str]] = {
    Effect.OPENED: "pending",
    Effect.PENDING: "pending",
    Effect.REJECTED: "disqualified",
    Effect.REVOKED: "withdrawn",
    Effect.WITHDRAWN_WITH_COMPENSATION: "withdrawn",
}


def bids(case: Case) -> dict[str, Any]:
    """Return the section ``bids`` of the opened lots; an empty object before."""
    lots = [lot["lot"] for lot in case.offer["lots"] if case.is_opened(lot["lot"])]
    if not lots:
        return {}
    found = [(lot, bid) for lot in lots for bid in _bids_of(case, lot)]
    statistics = [each for lot in lots for each in _statistics(lot, [bid for place, bid in found if place == lot])]
    details = [bid for _lot, bid in found]
    return {"bids": {"statistics": statistics} | ({"details": details} if details else {})}


def bidders_of(case: Case) -> list[str]:
    """Return the codes of everybody whose bid was in an opened lot, in the order of the bids' ids."""
    listed = [bid for lot in case.offer["lots"] if case.is_opened(lot["lot"]) for bid in _listed(case, lot["lot"])]
    return list(dict.fromkeys(case.bidders[bid] for bid in sorted(listed)))


def _listed(case: Case, lot: str) -> list[str]:
    combined = case.newest("opening.combined", lot=lot)
    return [] if combined is None else [item["bid"] for item in combined.body["items"]]


def _bids_of(case: Case, lot: str) -> Iterator[dict[str, Any]]:
    opened = {fact.body["bid"]: fact for fact in case.of_kind("bid.opened")}
    verdicts = {fact.body["bid"]: fact for fact in case.of_kind("bid.verdict")}
    ranked = _ranked(case, lot)
    for bid in sorted(_listed(case, lot)):
        yield {
            "id": bid,
            "status": _status(opened.get(bid), verdicts.get(bid), ranked.get(bid)),
            "tenderers": [reference_to(case.name_of(case.bidders[bid]))],
            **_price(opened.get(bid)),
            "relatedLots": [lot],
            **_rank(ranked.get(bid)),
            **_reason(verdicts.get(bid), ranked.get(bid)),
        }


def _ranked(case: Case, lot: str) -> dict[str, Mapping[str, Any]]:
    """Return the ranking by bid, once the result of the lot is published."""
    ranking = case.newest("bids.ranked", lot=lot)
    if ranking is None or case.newest("result.published", lot=lot) is None:
        return {}
    return {item["bid"]: item for item in ranking.body["items"]}


def _status(opened: Fact | None, verdict: Fact | None, ranked: Mapping[str, Any] | None) -> str:
    if opened is not None:
        return "pending" if ranked is None else "valid" if ranked["rank"] is not None else "disqualified"
    code = Code.PENDING if verdict is None else Code(verdict.body["verdict"])
    return _STATUS[CONSEQUENCES[code][1]]


def _price(opened: Fact | None) -> dict[str, Any]:
    price = None if opened is None else opened.body["price"]
    return {} if price is None else {"value": value(price["total"], price["currency"])}


def _rank(ranked: Mapping[str, Any] | None) -> dict[str, Any]:
    if ranked is None:
        return {}
    return {"hasRank": ranked["rank"] is not None} | ({} if ranked["rank"] is None else {"rank": ranked["rank"]})


def _reason(verdict: Fact | None, ranked: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the code of the verdict, or why the bid has no rank; what they mean is on the page of the codes."""
    code = ranked["reason"] if ranked is not None else None if verdict is None else verdict.body["verdict"]
    return {} if code in {None, Code.OK.value} else {"description": str(code)}


def _statistics(lot: str, found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"id": f"{lot}-bids", "measure": "bids", "value": len(found), "relatedLot": lot}
    if any(bid["status"] == "valid" for bid in found):
        valid = [bid for bid in found if bid["status"] == "valid"]
        yield {"id": f"{lot}-validBids", "measure": "validBids", "value": len(valid), "relatedLot": lot}
