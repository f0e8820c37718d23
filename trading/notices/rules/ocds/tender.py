"""The sections ``tender`` and ``tender.lots``: what is bought, until when, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from trading.notices.rules.changes import Change
from trading.notices.rules.ocds.bids import bidders_of
from trading.notices.rules.ocds.case import Case, Fact, is_offer
from trading.notices.rules.ocds.terms import (
    both,
    date_time,
    notice_document,
    ocid,
    reference_to,
    release_id,
    value,
)
from trading.procedures.rules import catalogue

# Method of a lot: code of the codelist awardCriteria, and its name in Chinese and English.
_METHODS: Final = {
    "lowest_evaluated_price": ("priceOnly", "最低评标价法", "lowest evaluated price"),
    "comprehensive_scoring": ("ratedCriteria", "综合评分法", "comprehensive scoring"),
    "consultation_scoring": ("ratedCriteria", "综合评分法（磋商）", "scoring after consultation"),
    "lowest_final_quote": ("priceOnly", "最低最后报价法", "lowest final quote"),
    "lowest_price_evaluated_tl": ("priceOnly", "经评审的最低投标价法", "evaluated lowest price"),
    "comprehensive_evaluation_tl": ("ratedCriteria", "综合评估法", "comprehensive evaluation"),
}
_TITLES: Final = {kind.code: kind.title_zh for kind in catalogue.KINDS}
_CATEGORIES: Final = frozenset({"goods", "services", "works"})
_CLASSIFICATION: Final = "CN-GPC"  # 政府采购品目分类目录
_OPENING: Final = "在线公开开标，投标截止时间即开标时间；任何人可在本页查看开标过程和结果。"


def tender(case: Case) -> dict[str, Any]:
    """Return the section as it stands at the published entry."""
    offer = case.offer
    lots = [_lot(case, lot) for lot in offer["lots"]]
    closes = [case.closing_of(lot["lot"]) for lot in offer["lots"]]
    first = case.of_kind("tender.published")[0]
    return {
        "id": case.reference,
        **both("title", offer["title_zh"], offer["title_en"]),
        **both("description", offer["text_zh"], offer["text_en"]),
        "status": _status([lot["status"] for lot in lots]),
        "procuringEntity": reference_to(case.name_of(offer["agency"]["code"])),
        "procurementMethod": "open",
        "procurementMethodDetails": _TITLES.get(offer["procedure_kind"], offer["procedure_kind"]),
        **_categories(offer),
        **_criteria(offer),
        **_total(offer),
        "submissionMethod": ["electronicSubmission"],
        "submissionMethodDetails": case.url(),
        "tenderPeriod": {"startDate": date_time(first.at), "endDate": date_time(max(closes))},
        **_enquiries(case),
        **_tenderers(case),
        "items": [item for lot in offer["lots"] for item in items(lot)],
        "lots": lots,
        "bidOpening": _opening(case.url(), min(closes)),
        "documents": list(_documents(case)),
        **_amendments(case),
    }


def _lot(case: Case, lot: Mapping[str, Any]) -> dict[str, Any]:
    number = lot["lot"]
    close = case.closing_of(number)
    first = case.of_kind("tender.published", lot=number)[0]
    ceiling = {} if lot["ceiling"] is None else {"value": value(lot["ceiling"], lot["currency"])}
    return {
        "id": number,
        "title": lot["title_zh"] or lot["title_en"],
        "description": lot["title_en"] or lot["title_zh"],  # the extension has no texts in a second language
        "status": lot_status(case, number),
        **ceiling,
        "tenderPeriod": {"startDate": date_time(first.at), "endDate": date_time(close)},
        "bidOpening": _opening(case.url("lots", number, "opening"), close),
    }


def lot_status(case: Case, lot: str) -> str:
    """Return the code of a lot; what was concluded before a cancellation stays so."""
    if case.newest("result.published", lot=lot) is not None:
        return "complete"
    if case.newest("lot.failed", lot=lot) is not None:
        return "unsuccessful"
    return "active" if case.newest("procedure.cancelled") is None else "cancelled"


def _status(lots: list[str]) -> str:
    if "active" in lots:
        return "active"
    return next(code for code in ("complete", "cancelled", "unsuccessful") if code in lots)


def _opening(url: str, close: int) -> dict[str, Any]:
    return {"date": date_time(close), "address": {"countryName": "中国"}, "description": f"{_OPENING}{url}"}


def _categories(offer: Mapping[str, Any]) -> dict[str, Any]:
    found = [lot["category"] for lot in offer["lots"] if lot.get("category") in _CATEGORIES]
    return {"mainProcurementCategory": found[0]} if found else {}


def _criteria(offer: Mapping[str, Any]) -> dict[str, Any]:
    methods = dict.fromkeys(lot["method"] for lot in offer["lots"])
    known = [_METHODS[method] for method in methods if method in _METHODS]
    if not known:
        return {}
    code = known[0][0] if len(known) == 1 else "ratedCriteria"
    return {
        "awardCriteria": code,
        **both("awardCriteriaDetails", "、".join(each[1] for each in known), ", ".join(each[2] for each in known)),
    }


def _total(offer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sum of the ceilings, where every lot has one in the same currency."""
    ceilings = [lot["ceiling"] for lot in offer["lots"]]
    currencies = {lot["currency"] for lot in offer["lots"]}
    if None in ceilings or len(currencies) != 1:
        return {}
    return {"value": value(sum(ceilings), currencies.pop())}


def _enquiries(case: Case) -> dict[str, Any]:
    """Return whether questions were answered, and until when they may be asked (DOC-18)."""
    until = case.offer.get("questions_until")
    period = {} if until is None else {"enquiryPeriod": {"endDate": date_time(until)}}
    return {"hasEnquiries": case.newest("answer.published") is not None, **period}


def _tenderers(case: Case) -> dict[str, Any]:
    """Return who took part, once every lot that still stands is opened: one opened lot does not tell of the others."""
    standing = [lot["lot"] for lot in case.offer["lots"] if lot_status(case, lot["lot"]) in {"active", "complete"}]
    if not standing or not all(case.is_opened(lot) for lot in standing):
        return {}
    found = bidders_of(case)
    return {"numberOfTenderers": len(found), "tenderers": [reference_to(case.name_of(code)) for code in found]}


def items(lot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a lot; ids are unique in the procedure."""
    return [
        {
            "id": f"{lot['lot']}-{item['code']}",
            **both("description", item["name_zh"], item["name_en"]),
            "classification": {"scheme": _CLASSIFICATION, "id": item["code"], "description": item["name_zh"]},
            "quantity": Decimal(item["quantity"]),
            "unit": {"name": item["unit"]},
            "relatedLot": lot["lot"],
        }
        for item in lot["items"]
    ]


def _documents(case: Case) -> Iterator[dict[str, Any]]:
    """Yield notices of the tender; those of results and contracts stand with awards and contracts."""
    for _digest, fact, notice in case.named_notices():
        if is_offer(notice):
            yield notice_document(case, notice, fact.at, "tenderNotice")
            yield from _files(case, notice, fact.at)
        elif notice["kind"] in {"cancellation", "failed"}:
            yield notice_document(case, notice, fact.at, "cancellationDetails")
    for fact in case.of_kind("answer.published"):
        yield {
            "id": f"answer-{fact.body['number']}",
            "documentType": "clarifications",
            **both("title", f"答疑（{fact.body['number']}）", f"Answer {fact.body['number']}"),
            "url": case.url("questions"),
            "datePublished": date_time(fact.at),
            "format": "text/html",
            "language": "zh",
        }
    for fact in case.of_kind("opening.completed"):
        yield {
            "id": f"opening-{fact.body['lot']}",
            "documentType": "x_openingRecord",
            **both("title", "开标记录", "Opening record"),
            "url": case.url("lots", fact.body["lot"], "opening"),
            "datePublished": date_time(fact.at),
            "format": "text/html",
            "language": "zh",
            "relatedLots": [fact.body["lot"]],
        }


def _files(case: Case, notice: Mapping[str, Any], at: int) -> Iterator[dict[str, Any]]:
    """Yield the files of a notice: the tender documents (DOC-02). The page of the notice hands them out."""
    for file in notice.get("documents", ()):
        yield {
            "id": file["sha256"],
            "documentType": "biddingDocuments",
            "title": file["name"],
            "url": case.url("notices", str(notice["number"])),
            "datePublished": date_time(at),
            "format": file["media"],
            "language": "zh",
        }


def _amendments(case: Case) -> dict[str, Any]:
    """Return what changed the offer, and the releases before and after it: corrections (NOT-05), and rules (MB-03)."""
    own, found = ocid(case.prefix, case.reference), []
    offers = {fact.h: notice for _digest, fact, notice in case.named_notices() if is_offer(notice)}
    steps = [fact for fact in case.facts if fact.h in offers or fact.is_derived]
    for before, fact in pairwise(steps):
        amendment = {
            **(_extension(case, fact) if fact.is_derived else _correction(offers[fact.h])),
            "date": date_time(fact.at),
            "amendsReleaseID": release_id(own, before.h),
            "releaseID": release_id(own, fact.h),
        }
        found.append({name: item for name, item in amendment.items() if item})
    return {"amendments": found} if found else {}


def _correction(notice: Mapping[str, Any]) -> dict[str, Any]:
    changes = [Change(field=each["field"], old=each["old"], new=each["new"]) for each in notice["changes"]]
    return {
        "id": f"notice-{notice['number']}",
        "rationale": notice["text_zh"] or notice["text_en"],
        "description": "；".join(map(_change, changes)),
    }


def _extension(case: Case, fact: Fact) -> dict[str, Any]:
    """Return a deadline that moved by rule, with the schedule before it (TE1 T6)."""
    schedule = case.schedules[fact.body["schedule_sha256"]]
    old, new = (str(each["close"]) for each in (case.schedules[schedule["supersedes"]], schedule))
    field = f"lot {fact.body['lot']} close"
    return {
        "id": f"schedule-{fact.body['lot']}-{schedule['seq']}",
        "rationale": f"按规则顺延（{fact.body['cause']}）",
        "description": _change(Change(field=field, old=old, new=new)),
    }


def _change(change: Change) -> str:
    old, new = (_shown(change, text) for text in (change.old, change.new))
    return f"{change.field}: {old} → {new}"


def _shown(change: Change, text: str) -> str:
    moment = change.value(text) if change.kind == "instant" else None
    return text if moment is None else date_time(moment)
