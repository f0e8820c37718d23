"""The evaluation as recorded events: sitting, findings, votes, sheets, report, ranking.

Members act as ``expert:<seat>``; no record before the result names a person (EXP-14). Only the ranking is published at
once; everything else is shown with it and not before (87-66; ``disclosure.rules.tiers``).
"""

from __future__ import annotations

from typing import Any, Final

from trading.kernel.events import Event, EventKind
from trading.openings.model import Place

_LOT: Final = "lot stage"


def _kind(name: str, fields: str, zh: str, en: str, *, of_lot: bool = True, optional: str = "") -> EventKind:
    return EventKind.named(name, f"{fields} {_LOT}" if of_lot else fields, zh, en, optional=optional)


_DEVIATIONS: Final = "deviations"  # of lots whose documents quantify them (MET-05)


EVENTS: Final = (
    _kind("evaluation.started", "lots seats", "评审开始", "Evaluation started", of_lot=False),
    _kind("member.replaced", "by reason seat", "更换评委", "Member replaced", of_lot=False),
    _kind("evaluation.sealed", "reason seats", "停止评标并封存文件", "Evaluation stopped and sealed", of_lot=False),
    _kind("evaluation.resumed", "seats", "重新组建后恢复评标", "Evaluation resumed by a new committee", of_lot=False),
    _kind("time.asked", "round seat", "评委认为时间不够", "Member finds the time too short", of_lot=False),
    _kind("evaluation.extended", "asking members round", "评标时间延长", "Evaluation extended", of_lot=False),
    _kind(
        *("bid.examined", "bid bidder outcome preference reason rule step", "审查结论", "Bid examined"),
        optional=_DEVIATIONS,
    ),
    _kind(
        *("bid.voted", "bid grants outcome reason seat step", "评委审查意见", "Member's vote on a bid"),
        optional=_DEVIATIONS,
    ),
    _kind("explanation.asked", "bid due_at triggers", "要求说明报价", "Explanation of a price asked for"),
    _kind("explanation.given", "bid text", "报价说明", "Explanation of a price"),
    _kind(
        *("sheet.signed", "seat second_factor sheet_commit version", "评分表签署", "Score sheet signed"),
        optional="bids",
    ),
    _kind("sheet.held", "echo seat version", "确认持有已签评分表", "Signed sheet shown to be there"),
    _kind("sheets.outdated", "bids sheets", "合格投标变化，评分表签署失效", "Sheets signed for other bids made void"),
    _kind("sheet.handed_in", "reason seat sheet_commit version", "评分表交出", "Score sheet handed in"),
    _kind("renewal.asked", "reason seat version", "申请重新评分", "Member asks to score again"),
    _kind("sheet.voided", "reason seat version", "评分表签署作废", "Signed sheet made void"),
    _kind("masks.committed", "bids commit", "暗标编号承诺", "Letters of masked bidders committed to"),
    _kind("masks.revealed", "masks named seed", "暗标编号公开", "Letters of masked bidders disclosed"),
    _kind("scores.opened", "sheets", "评分公开汇总", "Scores opened"),
    _kind("recheck.explained", "bid criterion reason seat", "复核说明", "Unusual score explained"),
    _kind("report.drafted", "number report_sha256", "评标报告生成", "Report drafted", of_lot=False),
    _kind("report.signed", "dissent report_sha256 seat second_factor", "评标报告签署", "Report signed", of_lot=False),
    _kind("evaluation.reported", "report_sha256", "评标报告完成", "Report signed by all", of_lot=False),
    EventKind(
        name="bids.ranked",
        fields=frozenset({"currency", "edition_sha256", "items", "lot", "method", "stage", "tie"}),
        # How many members' sheets were summed; formula with version; its benchmark or places. Older records lack them.
        optional=frozenset({"formula", "members", "workings"}),
        public=True,
        title_zh="评审排序",
        title_en="Bids ranked",
    ),
)

# What an evaluation leaves behind; shown together with its ranking, never before (87-66).
KINDS: Final = frozenset(kind.name for kind in EVENTS if not kind.public)

_ARTICLES: Final = {
    "evaluation.started": "87-45, 47",
    "member.replaced": "87-49",
    "evaluation.sealed": "87-49",
    "evaluation.resumed": "87-49",
    "time.asked": "招标投标法实施条例 48",
    "evaluation.extended": "招标投标法实施条例 48",
    "bid.examined": "87-44, 50, 61, 63",
    "explanation.asked": "87-60",
    "explanation.given": "87-60",
    "sheet.signed": "87-55, 62",
    "sheet.held": "87-62",
    "sheets.outdated": "87-49, 57",
    "sheet.handed_in": "87-55, 62",
    "renewal.asked": "87-62",
    "sheet.voided": "87-62",
    "scores.opened": "87-57",
    "recheck.explained": "87-64",
    "report.drafted": "87-58",
    "report.signed": "87-61",
    "evaluation.reported": "87-58, 61",
    "bids.ranked": "87-54, 55, 56, 57",
}


def of_lot(kind: str, place: Place, **body: Any) -> Event:  # noqa: ANN401 - fields of a body
    """Return an event about a lot and stage."""
    return Event(
        kind=kind,
        subject=f"lot:{place.lot}",
        body={**body, "lot": place.lot, "stage": place.stage},
        procedure=place.procedure,
        procedure_id=place.procedure_id,
        article=_ARTICLES.get(kind),
    )


def of_procedure(kind: str, reference: str, procedure_id: int, **body: Any) -> Event:  # noqa: ANN401 - fields of a body
    """Return an event about the whole sitting."""
    return Event(
        kind=kind,
        subject=f"procedure:{reference}",
        body=body,
        procedure=reference,
        procedure_id=procedure_id,
        article=_ARTICLES.get(kind),
    )
