"""The sections ``awards`` and ``contracts``: from the published result notice and the published contract on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trading.notices.rules.ocds.case import Case, Fact
from trading.notices.rules.ocds.tender import items
from trading.notices.rules.ocds.terms import date_time, notice_document, reference_to, value


def award_id(case: Case, lot: str) -> str:
    """Return the id of the award of a lot; a lot has one."""
    return f"{case.reference}-award-{lot}"


def awards(case: Case) -> dict[str, Any]:
    """Return the section ``awards`` of the lots with a published result or a failure; an empty object before."""
    found = list(_awards(case))
    return {"awards": found} if found else {}


def contracts(case: Case) -> dict[str, Any]:
    """Return the section ``contracts`` of the published contracts; an empty object before."""
    found = []
    for lot in case.offer["lots"]:
        fact = case.newest("contract.published", lot=lot["lot"])
        if fact is None:
            continue
        notice = case.notices[fact.body["notice_sha256"]]
        signed = next(each for each in notice["lots"] if each["lot"] == lot["lot"])
        found.append(
            {
                "id": f"{case.reference}-contract-{lot['lot']}",
                "awardID": award_id(case, lot["lot"]),
                "status": "active",
                "value": value(signed["price"], signed["currency"]),
                "dateSigned": date_time(signed["signed_at"]),
                "items": items(lot),
                "documents": [notice_document(case, notice, fact.at, "contractNotice")],
            }
        )
    return {"contracts": found} if found else {}


def suppliers_of(case: Case) -> list[str]:
    """Return the codes of the winners of the published results."""
    return [award["bidder"] for _lot, _fact, _notice, award in _results(case)]


def _awards(case: Case) -> Iterator[dict[str, Any]]:
    for lot, fact, notice, award in _results(case):
        yield {
            "id": award_id(case, lot["lot"]),
            "status": "active",
            "date": date_time(_decided(case, lot["lot"], fact)),
            "value": value(award["price"], lot["currency"]),
            "suppliers": [reference_to(case.name_of(award["bidder"]))],
            "items": items(lot),
            "relatedLots": [lot["lot"]],
            "relatedBids": [award["bid"]],
            "documents": [notice_document(case, notice, fact.at, "awardNotice")],
        }
    for lot in case.offer["lots"]:
        failed = case.newest("lot.failed", lot=lot["lot"])
        if failed is not None:
            yield {
                "id": award_id(case, lot["lot"]),
                "status": "unsuccessful",
                "date": date_time(failed.at),
                "description": str(failed.body["reason"]),
                "relatedLots": [lot["lot"]],
            }


def _results(case: Case) -> Iterator[tuple[Mapping[str, Any], Fact, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield (lot of the offer, record, notice, award) of every lot whose newest result notice awards it."""
    for lot in case.offer["lots"]:
        fact = case.newest("result.published", lot=lot["lot"])
        if fact is None:
            continue
        notice = case.notices[fact.body["notice_sha256"]]
        award = next((each["award"] for each in notice["lots"] if each["lot"] == lot["lot"]), None)
        if award is not None:
            yield lot, fact, notice, award


def _decided(case: Case, lot: str, published: Fact) -> int:
    decided = case.newest("award.determined", lot=lot)
    return published.at if decided is None else decided.at
