"""What is said in the feed about a published entry, and on which page it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.notices.rules.feed import Item, item_id
from trading.notices.rules.ocds.case import Case, Fact
from trading.notices.rules.ocds.terms import date_time

# Kind of record: title in Chinese and English.
_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "answer.published": ("答疑公告", "Answer to a question"),
    "contract.published": ("合同公告", "Contract notice"),
    "failure.published": ("流标公告", "Failure notice"),
    "lot.failed": ("流标", "Lot failed"),
    "opening.completed": ("开标记录", "Opening record"),
    "procedure.cancelled": ("终止公告", "Cancellation notice"),
    "result.published": ("结果公告", "Result notice"),
    "tender.changed": ("更正公告", "Correction notice"),
    "tender.published": ("招标公告", "Tender notice"),
}
_DERIVED: Final = ("截止时间按规则顺延", "Deadline moved by rule")


def page_of(case: Case) -> str:
    """Return the address of the page that shows the published entry."""
    fact = case.published
    notice = notice_of(case, fact)
    if notice is not None:
        return case.url("notices", str(notice["number"]))
    if fact.kind == "opening.completed":
        return case.url("lots", fact.body["lot"], "opening")
    return case.url("questions") if fact.kind == "answer.published" else case.url()


def notice_of(case: Case, fact: Fact) -> Mapping[str, Any] | None:
    """Return the notice that a record publishes, or None."""
    if fact.is_derived:
        return None
    return case.notices.get(fact.body.get("notice_sha256", ""))


def item(case: Case, origin: str) -> Item:
    """Return the feed's item of the published entry."""
    fact, offer = case.published, case.offer
    zh, en = _DERIVED if fact.is_derived else _TITLES[fact.kind]
    lots = [lot["lot"] for lot in (notice_of(case, fact) or fact.body).get("lots", ())] or [fact.body.get("lot")]
    named = [lot for lot in offer["lots"] if lot["lot"] in lots]
    return Item(
        id=item_id(origin, fact.at, fact.h),
        category=fact.kind,
        published=fact.at,
        title_zh=f"{zh}：{offer['title_zh'] or offer['title_en']}",
        title_en=f"{en}: {offer['title_en'] or offer['title_zh']}",
        summary_zh=_summary(case, named, english=False),
        summary_en=_summary(case, named, english=True),
        url=page_of(case),
    )


def _summary(case: Case, lots: list[Mapping[str, Any]], *, english: bool) -> str:
    """Return buyer, lots and, while bids may be submitted, the deadline in the time of China."""
    buyer, one, other = case.offer["buyer"], "en" if english else "zh", "zh" if english else "en"
    said = [f"{case.reference}", buyer[f"name_{one}"] or buyer[f"name_{other}"]]
    said += [f"{lot['lot']} {lot[f'title_{one}'] or lot[f'title_{other}']}" for lot in lots]
    if case.published.kind in {"tender.changed", "tender.published"}:
        close = date_time(max(case.closing_of(lot["lot"]) for lot in lots))
        said.append(f"deadline {close}" if english else f"投标截止 {close}")
    return "; ".join(said) if english else "；".join(said)
