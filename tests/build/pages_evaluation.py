"""Pages of an evaluation in their states, built in memory: a scoring lot of furniture with five bids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from tests.build.pages import NOW, Sample, digest, plot, result
from tests.build.scores import band, criterion, rules
from trading.evaluation.forms import (
    ActForm,
    OpinionForm,
    RenewalForm,
    ReplaceForm,
    SealForm,
    SignReportForm,
    SignSheetForm,
    WordsForm,
    score_form,
)
from trading.evaluation.queries import (
    ExplanationRow,
    FindingRow,
    OpenedFile,
    RenewalRow,
    ReportRow,
    SignatureRow,
    SittingRow,
)
from trading.evaluation.rules.examination import Finding, Outcome, Step
from trading.evaluation.rules.ranking import OpenedBid
from trading.evaluation.rules.recheck import Doubt, Ground, recheck
from trading.evaluation.rules.scoring import Sheet
from trading.evaluation.rules.sheets import Score, scored
from trading.evaluation.service.state import LotState
from trading.evaluation.views.blueprint import Room
from trading.evaluation.views.room import LotLine
from trading.experts.rules.composition import Committee, Member
from trading.inspection.findings import Found
from trading.kernel.errors import RuleBroken
from trading.notices.queries.result import Result
from trading.openings.model import Place
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.criteria import Criterion, CriterionKind, decimal_of
from trading.procedures.rules.policies import Category, Method

REFERENCE = "T-2026-7k3m9q2d"
SEATS = ("m-4d8k2w9fz7qa", "m-6t1v3n8ryc0e", "m-9h5j7m2xbk3s", "m-c2p4g6d8w1vz", "m-f7n9q3r5t8yk")
CRITERIA: tuple[Criterion, ...] = tuple(
    replace(each, title_zh=zh, title_en=en, text_zh=text_zh, text_en=text_en)
    for each, zh, en, text_zh, text_en in (
        (
            criterion("price", CriterionKind.PRICE, "35", "0"),
            "价格",
            "Price",
            "最低评标价为基准。",
            "The lowest evaluated price is the benchmark.",
        ),
        (
            criterion(
                "warranty",
                CriterionKind.OBJECTIVE,
                "10",
                "0",
                (band("0", "3", "0"), band("3", "5", "6"), band("5", None, "10")),
            ),
            "质保期",
            "Guarantee",
            "按承诺的质保年限，以年计。",
            "Years of guarantee that the bidder promises.",
        ),
        (
            criterion("plan", CriterionKind.SUBJECTIVE, "30", "0.5"),
            "供货与安装方案",
            "Delivery and installation",
            "方案完整、工期安排合理、对教学影响小者得分高。",
            "A complete plan, a sound schedule and little disturbance of lessons score high.",
        ),
        (
            criterion("quality", CriterionKind.SUBJECTIVE, "25", "0.5"),
            "材料与工艺",
            "Material and workmanship",
            "桌面、钢架、漆面的材料和工艺说明。",
            "Material and workmanship of desk tops, steel frames and paint.",
        ),
    )
)
BIDDERS = (
    ("b-2m7k9d4x", "91330100MA2CTX001A", "清河课桌椅有限公司", 128_600_00, "small_micro"),
    ("b-5t8w1n6q", "91330100MA2CTX002B", "博林教育装备股份有限公司", 126_450_00, None),
    ("b-7c3v0z5h", "91330100MA2CTX003C", "云帆家具制造（集团）有限公司临江分公司", 131_999_50, None),
    ("b-8r4y2j7s", "91330100MA2CTX004D", "松涛木业有限公司", 61_000_00, None),
    ("b-9g6p3f1e", "91330100MA2CTX005E", "明德校具厂", 127_300_00, "consortium"),
)
TITLES = {each.id: each.title_zh for each in CRITERIA}
NAMES = {bid: name for bid, _, name, _, _ in BIDDERS}
ROW = ProcedureRow(
    id=1,
    reference=REFERENCE,
    kind="open_tender_gp",
    regime="GP",
    jurisdiction="cn",
    edition_id="cn.2026-02-01",
    edition_sha256=digest("edition"),
    phase="published",
    version=3,
    title_zh="临江县第二小学课桌椅采购",
    title_en="School furniture, Linjiang No. 2 Primary School",
    buyer_code="B",
    agency_code="A",
    supervisor_code="S",
    drafted_by="a-1",
    spec=b"{}",
    published_at=NOW,
)
LOT = LotRow(
    id=1,
    procedure_id=1,
    number="1",
    stage="all",
    phase="opened",
    close_at=NOW,
    policy_sha256=None,
    schedule_sha256=None,
    ceiling=150_000_00,
    currency="CNY",
    title_zh="十四间教室课桌椅",
    title_en="Furniture for 14 classrooms",
)
PLACE = Place(procedure=REFERENCE, procedure_id=1, lot="1", stage="all")
SITTING = SittingRow(
    seats=SEATS, started_at=NOW - 5_400_000, report_number=0, reported_at=None, sealed_at=None, extensions=0
)
AGENCY = Room(row=ROW, seat=None, sitting=None, at=NOW)
MEMBER = Room(row=ROW, seat=SEATS[1], sitting=SITTING, at=NOW)
COMMITTEE = Committee(
    draw="D-1",
    members=tuple(
        Member(
            seat=seat,
            kind="representative" if place == 0 else "expert",
            stratum=None if place == 0 else "furniture",
            state="present",
        )
        for place, seat in enumerate(SEATS)
    ),
    state="seated",
)


def opened(bid: str, code: str, price: int) -> OpenedBid:
    return OpenedBid(bid=bid, bidder=code, currency="CNY", price=price, identity_price="AGE-SECRET-KEY-1X")


def price(total: int, claim: str | None) -> dict[str, Any]:
    return {
        "total": total,
        "terms": {"delivery_days": 45, "sme": claim},
        "items": [
            {"code": "A05010201", "quantity": "420", "unit_price": "289.6", "amount": total - 7_000_00},
            {"code": "A05010301", "quantity": "14", "unit_price": "500", "amount": 7_000_00},
        ],
    }


def finding(bid: str, step: Step, outcome: Outcome = Outcome.CONFORMING, **rest: Any) -> FindingRow:  # noqa: ANN401 - a builder
    found = Finding(bid=bid, step=step, outcome=outcome, preference=rest.get("preference"))
    return FindingRow(finding=found, reason=rest.get("reason"), void=False)


def state(*findings: FindingRow, explanations: dict[str, ExplanationRow] | None = None) -> LotState:
    return LotState(
        row=ROW,
        lot=LOT,
        place=PLACE,
        rules=rules(criteria=CRITERIA, ceiling=150_000_00),
        opened=tuple(opened(bid, code, total) for bid, code, _, total, _ in BIDDERS),
        prices={bid: price(total, claim) for bid, _, _, total, claim in BIDDERS},
        findings=findings,
        explanations=explanations or {},
    )


QUALIFIED = tuple(finding(bid, Step.QUALIFICATION) for bid in NAMES)
CONFORMING = tuple(finding(bid, Step.CONFORMITY, preference=claim) for bid, _, _, _, claim in BIDDERS)
ASKED = {"b-8r4y2j7s": ExplanationRow(triggers=("ceiling", "second_lowest"), due_at=NOW + 1_500_000, text=None)}
TOLD = {
    "b-8r4y2j7s": replace(
        ASKED["b-8r4y2j7s"],
        text="本公司自有林地和锯木厂，材料成本低于市场价；附近三年同类合同和成本核算表。",
    )
}
EXCLUDED = finding("b-8r4y2j7s", Step.PRICE, Outcome.INVALID, reason="没有提供成本证明。")
EMPTY = state()
SITS = state(*QUALIFIED, *CONFORMING[:2])
DOUBTED = state(*QUALIFIED, *CONFORMING, explanations=ASKED)
READY = state(*QUALIFIED, *CONFORMING, EXCLUDED, explanations=TOLD)
PLANS = (("26", "21"), ("24.5", "20"), ("27", "22.5"), ("25", "21.5"), ("12", "20.5"))


def sheets() -> tuple[Sheet, ...]:
    return tuple(
        Sheet(
            seat=seat,
            points={
                bid.bid: {
                    "warranty": Fraction(6 if number == 0 and place == 2 else 10 if place % 2 else 6),
                    "plan": Fraction(plan) - place if number or place else Fraction(plan),
                    "quality": Fraction(quality) - Fraction(place, 2),
                }
                for place, bid in enumerate(READY.conforming)
            },
        )
        for number, (seat, (plan, quality)) in enumerate(zip(SEATS, PLANS, strict=True))
    )


CELLS = {
    bid.bid: {
        "warranty": Score(points="6", comment=None),
        "plan": Score(points="24.5", comment="工期安排清楚，但寒假前的交货批次偏多。"),
        "quality": Score(points="20", comment=None),
    }
    for bid in READY.conforming[:3]
}


def opened_file(path: str, *findings: Found, preview: str = "") -> OpenedFile:
    """Return a file as its inspection left it."""
    return OpenedFile(
        path=path, sha256=digest(path), size=84_210, kind="text", findings=tuple(sorted(findings)), preview=preview
    )


LETTER = "投标函\n\n我方愿按读出的价格，在合同签订后四十五日内完成供货、安装与调试。\n"
FILES = (
    opened_file("投标函.docx", preview=LETTER),
    opened_file("方案/图纸.dwg", Found.TYPE_UNKNOWN),
    opened_file("方案/演示.pdf", Found.PDF_SCRIPT, Found.PDF_EMBEDDED),
    opened_file("报价/明细.xlsx", Found.OFFICE_MACRO),
)


def facts(bid: str, shown: LotState) -> dict[str, Any]:
    return {
        "bid": next(each for each in shown.opened if each.bid == bid),
        "name": NAMES[bid],
        "price": shown.prices[bid],
        "findings": [each for each in shown.findings if each.finding.bid == bid],
        "explanation": shown.explanations.get(bid),
        "files": FILES,
        "masked": False,
        "naming": [],
    }


def line(shown: LotState | None, **changes: Any) -> LotLine:  # noqa: ANN401 - fields of the line
    fields: dict[str, Any] = {
        "lot": LOT,
        "state": shown,
        "signed": (),
        "opened": False,
        "names": NAMES,
        "voted": frozenset(),
        "handing": handing(),
    }
    return LotLine(**(fields | changes))


def refused(form: type, code: str, rule: str | None, field: str | None, **data: Any) -> Any:  # noqa: ANN401 - a form
    made = form(formdata=None, data=data)
    made.form_errors, made._errors = [], None
    for each in made:
        each.errors = list(each.errors)
    made.refuse(RuleBroken(code, rule, **data.get("facts", {})), field)
    return made


def replacing() -> ReplaceForm:
    form = ReplaceForm(formdata=None)
    form.seat.choices, form.by.choices = [SelectChoice(SEATS[2])], [SelectChoice("m-h1k3m5p7r9t2")]
    return form


def scoring(cells: dict[str, Score]) -> Any:  # noqa: ANN401 - a form
    return score_form(CRITERIA, cells)


OWN = SignatureRow(seat=SEATS[1], version=1, sheet_commit=digest("sheet"), handed_in=False, changes=False)


def handing(missing: int = 3, waiting: int = 0, unheld: int = 0, **changes: bool) -> dict[str, Any]:
    """Return how far signing is, as the page of a member is told; of somebody who has signed unless nobody has."""
    shown = {"unheld": unheld, "held": not unheld, "lost_late": False}
    asked = {**shown, "challenge": None if missing else digest("challenge")}
    known = {"commit": digest("sheet"), "version": 1} if waiting or changes else {"commit": None, "version": 0}
    told = {"missing": missing, "waiting": waiting, "handed_in": False, "opened": False}
    return {**told, **asked, **known, **changes}


def task(version: int = 1) -> dict[str, Any]:
    """Return what the browser makes a sheet of."""
    return {
        "tender": REFERENCE,
        "lot": "1",
        "stage": "all",
        "seat": MEMBER.seat,
        "version": version,
        "changes": version > 1,
        "bids": sorted(bid.bid for bid in READY.conforming),
        "criteria": [
            {
                "id": each.id,
                "kind": each.kind.value,
                "max": each.max,
                "step": each.step,
                "bands": [band.points for band in each.bands or ()],
            }
            for each in scored(CRITERIA)
        ],
        "kept": {},
        "own": {},
    }


def signing(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - context of the page
    base = {
        "room": MEMBER,
        "state": READY,
        "form": partial(SignSheetForm, formdata=None),
        "sign_form": partial(SignSheetForm, formdata=None),
        "renewal_form": partial(RenewalForm, formdata=None),
        "cells": {},
        "handing": handing(),
        "renewals": (),
        "task": task(),
        "criteria": scored(CRITERIA),
        "names": NAMES,
        "titles": TITLES,
        "own": None,
        "opened": False,
    }
    return base | changes


def totals() -> dict[str, Any]:
    found = sheets()
    ranking = READY.ranking(found)
    doubts = recheck(CRITERIA, found, Fraction(3, 10))
    objective = [each for each in doubts if each.ground is Ground.OBJECTIVE][:1]
    apart = [each for each in doubts if each.ground is Ground.OUTLIER][:2]
    shown: list[Doubt] = [*objective, *(replace(each, seat=SEATS[1]) for each in apart[:1]), *apart[1:]]
    return {
        "opened": True,
        "cells": CELLS,
        "handing": handing(0, 0, opened=True),
        "own": OWN,
        "task": task(version=2),
        "doubts": shown,
        "explained": {(each.bid, each.criterion, each.seat): "与招标文件要求的批次明显不符。" for each in apart[1:]},
        "items": sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0)),
        "points": {
            sheet.seat: {
                bid: {name: decimal_of(value) for name, value in row.items()} for bid, row in sheet.points.items()
            }
            for sheet in found
        },
        "price": {item.bid: "34.21" for item in ranking.items if item.score},
    }


def report_document() -> dict[str, Any]:
    ranking = READY.ranking(sheets())
    lot = {
        "doubts": [
            {
                "bid": "b-2m7k9d4x",
                "criterion": "plan",
                "expected": "24.1",
                "explanation": "与招标文件要求的批次明显不符。",
                "found": "12",
                "ground": "outlier",
                "seat": SEATS[4],
            }
        ],
        "failure": None,
        "findings": [
            {
                "bid": each.finding.bid,
                "outcome": each.finding.outcome.value,
                "preference": each.finding.preference,
                "reason": each.reason,
                "step": each.finding.step.value,
            }
            for each in READY.findings
        ],
        "items": [item.body() for item in ranking.items],
        "lot": "1",
        "method": Method.COMPREHENSIVE_SCORING.value,
        "stage": "all",
    }
    replaced = [{"by": SEATS[4], "reason": "身体不适", "seat": "m-0a1b2c3d4e5f"}]
    return {"drafted_at": NOW, "lots": [lot], "replaced": replaced, "seats": list(SEATS)}


def _report(signatures: dict[str, str | None], room: Room) -> dict[str, Any]:
    return {
        "room": room,
        "form": partial(SignReportForm, formdata=None),
        "report": ReportRow(number=1, sha256=digest("report"), signatures=signatures),
        "document": report_document(),
        "names": {code: name for _, code, name, _, _ in BIDDERS},
        "bids": NAMES,
        "titles": TITLES,
    }


def scored_result() -> Result:
    """A published result of a scored lot, as the public reads it."""
    plain = result(5)
    rows = tuple(
        replace(
            row,
            score=None if row.rank is None else f"{88 - 3 * row.rank}.5{row.rank}",
            means={"warranty": "8.80", "plan": f"{27 - (row.rank or 0)}.10", "quality": "20.36"},
            reason="not_conforming" if row.rank is None else None,
        )
        for row in plain.rows
    )
    return replace(plain, method="comprehensive_scoring", members=5, criteria=CRITERIA, rows=rows, tie=None)


def samples() -> Iterator[Sample]:
    """Every page of an evaluation."""
    assert Category.GOODS  # the lot is one of goods: its price weighs 35 of at least 30 points
    here, lot = f"/evaluation/{REFERENCE}", f"/evaluation/{REFERENCE}/lots/1"
    act = partial(ActForm, formdata=None)
    done = replace(SITTING, report_number=1, reported_at=NOW)
    reported = replace(SITTING, report_number=1)
    outcome = scored_result()
    context = {"result": outcome, "plot": plot(outcome), "offers": ()}
    yield Sample("result-scored", f"/procedures/{REFERENCE}/lots/1/result", "notices/result.html", context)
    overview = "evaluation/overview.html"
    lines = [(ROW, SEATS[1], SITTING), (replace(ROW, reference="T-2026-b3c4d5e6"), None, None)]
    yield Sample("evaluations", "/evaluation", overview, {"lines": lines, "expert": True})
    yield Sample("evaluations-expert-empty", "/evaluation", overview, {"lines": [], "expert": True})
    yield Sample("evaluations-agency-empty", "/evaluation", overview, {"lines": [], "expert": False})
    rooms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("evaluation-not-begun", {"room": AGENCY, "lines": [line(EMPTY)]}),
        (
            "evaluation-refused-start",
            {
                "room": AGENCY,
                "lines": [line(EMPTY)],
                "form": partial(refused, ActForm, "evaluation.no_committee", "EXP-03", None),
            },
        ),
        ("evaluation-member-conformity", {"room": MEMBER, "lines": [line(SITS, voted=frozenset({"b-7c3v0z5h"}))]}),
        ("evaluation-agency-explanation", {"room": replace(AGENCY, sitting=SITTING), "lines": [line(DOUBTED)]}),
        (
            "evaluation-member-scoring",
            {"room": MEMBER, "lines": [line(READY, signed=SEATS[1:4], handing=handing(2, 3))]},
        ),
        (
            "evaluation-agency-replacing",
            {
                "room": replace(AGENCY, sitting=SITTING),
                "lines": [line(READY, signed=SEATS[2:4])],
                "replace": partial(replacing),
                "seal": partial(SealForm, formdata=None),
            },
        ),
        (
            "evaluation-sealed",
            {"room": replace(AGENCY, sitting=replace(SITTING, sealed_at=NOW)), "lines": [line(READY)]},
        ),
        (
            "evaluation-report-waits",
            {
                "room": replace(MEMBER, sitting=reported),
                "lines": [line(READY, signed=SEATS, opened=True)],
                "report": ReportRow(number=1, sha256=digest("report"), signatures={SEATS[0]: None, SEATS[4]: "x"}),
            },
        ),
        (
            "evaluation-agency-reported",
            {
                "room": replace(AGENCY, sitting=done),
                "lines": [
                    line(READY, signed=SEATS, opened=True),
                    line(None, lot=replace(LOT, number="2", phase="failed")),
                ],
                "report": ReportRow(number=1, sha256=digest("report"), signatures=dict.fromkeys(SEATS)),
            },
        ),
    )
    for name, context in rooms:
        asked = {"asked": frozenset(SEATS[2:3])}
        full = {"form": act, **asked, "committee": COMMITTEE, "replace": None, "report": None, "seal": None} | context
        yield Sample(name, here, "evaluation/room.html", full)
    excluded = dict.fromkeys(NAMES) | {"b-7c3v0z5h": "above_ceiling"}
    found = {
        "b-2m7k9d4x": QUALIFIED[0],
        "b-5t8w1n6q": finding(
            "b-5t8w1n6q", Step.QUALIFICATION, Outcome.INVALID, reason="营业执照经营范围不含家具制造。"
        ),
    }
    qualification = {"room": AGENCY, "state": EMPTY, "names": NAMES, "found": found, "excluded": excluded, "form": None}
    yield Sample("evaluation-qualification", f"{lot}/qualification", "evaluation/qualification.html", qualification)
    one = {"room": AGENCY, "state": EMPTY, "bid": "b-2m7k9d4x", "names": NAMES, "files": FILES}
    address = f"{lot}/qualification/b-2m7k9d4x"
    yield Sample(
        "evaluation-qualify", address, "evaluation/qualify.html", {**one, "form": partial(OpinionForm, formdata=None)}
    )
    missing = partial(refused, OpinionForm, "examination.reason_missing", "EVL-02", "reason", outcome="invalid")
    yield Sample("evaluation-qualify-refused", address, "evaluation/qualify.html", {**one, "form": missing})
    told = {
        "room": AGENCY,
        "state": DOUBTED,
        "bid": "b-8r4y2j7s",
        "names": NAMES,
        "form": partial(WordsForm, formdata=None),
    }
    yield Sample("evaluation-explanation", f"{lot}/explanation/b-8r4y2j7s", "evaluation/explanation.html", told)
    vote = {"room": MEMBER, "form": partial(OpinionForm, formdata=None)}
    yield Sample(
        "evaluation-vote",
        f"{lot}/bids/b-9g6p3f1e",
        "evaluation/vote.html",
        {
            **vote,
            "state": SITS,
            "bid": "b-9g6p3f1e",
            "step": Step.CONFORMITY,
            "claim": "consortium",
            "facts": facts("b-9g6p3f1e", SITS),
        },
    )
    letters = {"name": "投标人 C", "masked": True, "naming": [("文件 1.pdf", 3)], "files": None}
    masked = {"state": SITS, "bid": "b-9g6p3f1e", "step": Step.CONFORMITY, "claim": None}
    masked["facts"] = facts("b-9g6p3f1e", SITS) | letters
    yield Sample("evaluation-vote-masked", f"{lot}/bids/C", "evaluation/vote.html", {**vote, **masked})
    read = {"room": MEMBER, "state": SITS, "bid": "b-9g6p3f1e", "name": NAMES["b-9g6p3f1e"], "found": FILES[0]}
    yield Sample("evaluation-file", f"{lot}/bids/b-9g6p3f1e/files/{FILES[0].sha256}/text", "evaluation/file.html", read)
    low = state(*QUALIFIED, *CONFORMING, explanations=TOLD)
    yield Sample(
        "evaluation-vote-price",
        f"{lot}/bids/b-8r4y2j7s",
        "evaluation/vote.html",
        {
            **vote,
            "state": low,
            "bid": "b-8r4y2j7s",
            "step": Step.PRICE,
            "claim": None,
            "facts": facts("b-8r4y2j7s", low),
        },
    )
    yield Sample("evaluation-sign", f"{lot}/sign", "evaluation/sign.html", signing())
    signed = {"own": OWN, "task": task(version=2)}
    page = "evaluation/sign.html"
    yield Sample("evaluation-signed", f"{lot}/sign", page, signing(**signed, handing=handing(2, 3)))
    lost = RenewalRow(seat=SEATS[3], version=1, reason="电脑硬盘损坏，评分表没有另存。", answer=None)
    void = replace(lost, seat=SEATS[4], answer="已到场核实，评分尚未公开。")
    due = signing(**signed, handing=handing(0, 5), renewals=(lost, void))
    asked = signing(**signed, handing=handing(0, 5, 2))
    yield Sample("evaluation-hold", f"{lot}/sign", page, asked)
    yield Sample("evaluation-hand-in", f"{lot}/sign", page, due)
    given = handing(0, 2, handed_in=True)
    yield Sample("evaluation-handed-in", f"{lot}/sign", page, signing(**signed, cells=CELLS, handing=given))
    yield Sample("evaluation-scores-open", f"{lot}/sign", "evaluation/sign.html", signing(**totals()))
    yield Sample(
        "evaluation-report",
        f"{here}/report",
        "evaluation/report.html",
        _report(
            {SEATS[0]: None, SEATS[4]: "供货批次的扣分偏低，应按招标文件第五章执行。"},
            replace(MEMBER, sitting=reported),
        ),
    )
    yield Sample(
        "evaluation-report-signed",
        f"{here}/report",
        "evaluation/report.html",
        _report(dict.fromkeys(SEATS), replace(AGENCY, sitting=done)),
    )
