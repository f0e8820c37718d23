"""The pages of the agency's desk and of contracts in their states: empty, full, wrong. Forms live in a request."""
# ruff: noqa: ANN401 - forms are made from whatever fields a sample needs

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it

from tests.build import pages
from tests.build.pages import BUYERS, CUSTODIANS, DAY, HOUR, NOW, TITLES, Sample, code, digest
from tests.build.pages_accounts import PERSON
from tests.build.tenders import ms, spec
from trading.agency import forms
from trading.agency.queries import Keeper, Own, WorkingDraft
from trading.agency.rules.content import (
    BANDS_SAMPLE,
    CRITERION,
    FACTORS_SAMPLE,
    ITEM,
    TRIM_SAMPLE,
    Content,
    Step,
    new_content,
    new_lot,
)
from trading.agency.rules.specification import Problem
from trading.agency.rules.tasks import Task
from trading.agency.service import Checked
from trading.agency.views.corrections import _compared
from trading.agency.views.dates import lawful, offer
from trading.agency.views.drafts import step_states
from trading.agency.views.review import compared
from trading.awards.queries import AwardRow
from trading.contracts.forms import SignContractForm
from trading.contracts.queries import ContractRow, Mine, Offer
from trading.contracts.rules.documents import build_contract, parse_contract
from trading.contracts.rules.limits import contract_limits
from trading.kernel.calendar import CHINA
from trading.kernel.signed import SignedDocument
from trading.notices.queries.page import criterion_of
from trading.notices.queries.values import File
from trading.notices.rules.progress import LotState
from trading.parties.queries import Organisation
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.amendment import amend
from trading.procedures.rules.catalogue import KINDS
from trading.procedures.rules.dates import Law
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.kinds.request_for_quotation import REQUEST_FOR_QUOTATION
from trading.procedures.rules.kinds.works_tender_tl import WORKS_TENDER_TL
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.procedures.rules.policies import OPEN_TENDER_PERIODS
from trading.procedures.rules.spec import DocumentSpec, parse_spec
from trading.rulebook.calendar_days import published_calendar
from trading.rulebook.keys import Regime
from trading.rulebook.loader import edition_at
from trading.web.signing import signable

LAW: Final = Law(
    edition=edition_at("cn", NOW), regime=Regime.GP, calendar=published_calendar(), periods=OPEN_TENDER_PERIODS
)
CLOSE: Final = ms("2026-06-08 10:00:00")
TEXT_ZH: Final = (
    "一、采购需求\n彩色多普勒超声诊断仪 3 台，含安装、培训和三年质保。\n\n二、投标人资格要求\n具备医疗器械经营许可。"
)
TEXT_EN: Final = "1. What is needed\nThree ultrasound systems with installation, training and three years of warranty."
DOCUMENTS: Final = [
    DocumentSpec(name="招标文件（含合同文本）.pdf", sha256=digest("a"), size=2_481_003, media="application/pdf"),
    DocumentSpec(name="技术规格及配置要求一览表.xlsx", sha256=digest("b"), size=48_112, media="application/pdf"),
]
ZH, EN = TITLES[0]


def content(*, full: bool) -> Content:
    made = new_content()
    if full:
        made["subject"] |= {"title_zh": ZH, "title_en": EN, "text_zh": TEXT_ZH, "text_en": TEXT_EN}
        made["dates"] |= {"close_day": "2026-06-08"}
        item = {"code": "A02320500", "name_zh": "彩色多普勒超声诊断仪", "name_en": "Ultrasound system", "quantity": "3"}
        made["lots"][0] |= {
            "title_zh": "彩色多普勒超声诊断仪",
            "title_en": "Colour Doppler ultrasound systems",
            "budget": "3850000.00",
            "items": [{**item, "unit": "台"}],
        }
    return made


def draft(*, full: bool = True, **changes: Any) -> WorkingDraft:
    values: dict[str, Any] = {
        "id": "w-7k3m9q2d4x8p",
        "purpose": "tender",
        "org_code": code("agency"),
        "reference": None,
        "state": "editing",
        "content": content(full=full),
        "returned_spec": None,
        "returned_reason": None,
        "author": "a-1",
        "updated_by": "a-1",
        "updated_at": NOW - 2 * HOUR,
        "version": 4,
    }
    return WorkingDraft(**{**values, **changes})


def row(phase: str = "published", **changes: Any) -> ProcedureRow:
    values: dict[str, Any] = {
        "id": 1,
        "reference": "T-2026-7k3m9q2d",
        "kind": "open_tender_gp",
        "regime": "GP",
        "jurisdiction": "cn",
        "edition_id": "cn.2026-02-01",
        "edition_sha256": digest("edition"),
        "phase": phase,
        "version": 3,
        "title_zh": ZH,
        "title_en": EN,
        "buyer_code": code(BUYERS[0][0]),
        "agency_code": code("agency"),
        "supervisor_code": code("supervisor"),
        "drafted_by": "li.wen",
        "spec": b"",
        "published_at": None if phase in {"draft", "review"} else NOW - 20 * DAY,
    }
    return ProcedureRow(**{**values, **changes})


def lot(phase: str = "open", number: str = "1") -> LotRow:
    return LotRow(
        id=int(number),
        procedure_id=1,
        number=number,
        stage="all",
        phase=phase,
        close_at=None if phase == "draft" else CLOSE,
        policy_sha256=None,
        schedule_sha256=None,
        ceiling=385_000_000,
        currency="CNY",
        title_zh="彩色多普勒超声诊断仪",
        title_en="Colour Doppler ultrasound systems",
    )


def own(phase: str, *lots: LotRow, place: int = 0) -> Own:
    zh, en = TITLES[place]
    return Own(row=row(phase, title_zh=zh, title_en=en, reference=f"T-2026-{digest(place)[:8]}"), lots=lots, acts=())


def task(name: str, lot_number: str | None, due: int | None, rule: str) -> Task:
    return Task(name=name, lot=lot_number, due_at=due, rule=rule)


ROWS: Final = [
    (own("review", lot("draft")), [task("review", None, None, "MB-01")]),
    (own("published", lot(), place=1), [task("wait", "1", CLOSE, "OPN-01")]),
    (
        own("published", lot("evaluated"), lot("contracted", "2"), place=2),
        [
            task("award", "1", NOW - DAY, "AWD-09"),
            task("publish_contract", "2", NOW + DAY, "CON-02"),
            task("file_contract", "2", NOW + 6 * DAY, "CON-03"),
        ],
    ),
    (own("cancelled", lot("cancelled"), place=3), []),
]


def checked(*problems: Problem) -> Checked:
    found = None if problems else parse_spec(spec())
    return Checked(spec=found, problems=problems, refused=())


MISSING: Final = (
    Problem(step=Step.SUBJECT, lot=None, field="buyer", code="blank"),
    Problem(step=Step.LOTS, lot=0, field="items.0.quantity", code="bad_form"),
    Problem(step=Step.DATES, lot=None, field="close_day", code="not_integer"),
)


def form(sort: type, problems: tuple[Problem, ...] = (), /, **data: Any) -> Any:
    made = sort(formdata=None, data={"version": "4", **data})
    forms.attach(made, problems)
    return made


def subject_form(*, wrong: bool = False) -> Any:
    made = form(forms.SubjectForm, **content(full=not wrong)["subject"])
    made.kind.choices = [SelectChoice(kind.code, kind.title_zh) for kind in KINDS]
    made.buyer.choices = made.supervisor.choices = [
        SelectChoice("", "–"),
        *(SelectChoice(code(zh), zh) for zh, _en in BUYERS),
    ]
    if wrong:
        forms.attach(made, (MISSING[0], Problem(step=Step.SUBJECT, lot=None, field="title_zh", code="blank")))
    return made


def lot_form(*, wrong: bool = False) -> Any:
    typed = content(full=True)["lots"][0]
    rows = [*typed["items"], dict(ITEM)]
    return form(forms.LotForm, (MISSING[1],) if wrong else (), **{**typed, "items": rows})


def method_form(kind: ProcedureKind = OPEN_TENDER_GP) -> Any:
    price = {"id": "price", "kind": "price", "max": "40", "step": "0.01", "title_zh": "投标报价", "title_en": "Price"}
    quality = {"id": "plan", "max": "60", "step": "0.5", "title_zh": "技术方案", "title_en": "Technical proposal"}
    rows = [{**CRITERION, **price}, {**CRITERION, **quality}, dict(CRITERION)]
    values: dict[str, Any] = {**new_lot(), "method": "comprehensive_scoring", "criteria": rows}
    values |= {"small_micro": "10", "consortium": "4"}
    if kind is WORKS_TENDER_TL:
        values |= {"method": "comprehensive_evaluation_tl", "benchmarks": ["mean", "median"], "reduction": "1, 2, 3.5"}
        values |= {"trim": TRIM_SAMPLE, "above": "1.2", "below": "0.8", "floor": "0", "factors": FACTORS_SAMPLE}
    if kind is REQUEST_FOR_QUOTATION:
        values |= {"method": "lowest_final_quote", "criteria": [dict(CRITERION)]}
    made = form(forms.MethodForm, **values)
    made.method.choices = [SelectChoice(each, forms.METHODS[each]) for each in kind.selection.methods]
    return made


def dates_form(*, early: bool = False) -> Any:
    typed = content(full=True)
    if early:
        typed["dates"]["close_day"] = "2026-05-20"
    made = form(forms.DatesForm, **typed["dates"])
    offer(made, LAW, typed, NOW)
    if early:
        forms.refuse_dates(
            made,
            {"close_day": "截止最早为 2026-06-01 00:00:00：自发出之日起不少于 20 日。(DOC-04: 政府采购法第三十五条)"},
        )
    return made


def signing(kind: type, title: str, document: bytes) -> Any:
    made = kind(formdata=None)
    made.offered = signable([(title, document)])
    return made


CONTRACT: Final = build_contract(
    {
        "agency": {
            "code": code("agency"),
            "name_en": "Linjiang Procurement Agency",
            "name_zh": "临江公采招标代理有限公司",
        },
        "award_h": digest("award"),
        "bid": "b-7k3m9q2d4x8p1v5n",
        "buyer": {"code": code(BUYERS[0][0]), "name_en": BUYERS[0][1], "name_zh": BUYERS[0][0]},
        "created": NOW - DAY,
        "currency": "CNY",
        "lot": "1",
        "number": "临三院采合〔2026〕18 号",
        "price": 361_800_000,
        "sign_before": NOW + 20 * DAY,
        "stage": "all",
        "supplier": {
            "code": code("bidder"),
            "name_en": "Linjiang Kangda Medical Devices Co., Ltd.",
            "name_zh": "临江康达医疗器械有限公司",
        },
        "tender": "T-2026-7k3m9q2d",
        "terms_en": "Delivery within 60 days. 95 per cent within 30 days of acceptance.",
        "terms_zh": "一、交货期：合同签订后 60 日内。\n二、付款：验收合格后 30 日内付 95%。\n三、质保：三年。",
        "title_en": "Colour Doppler ultrasound systems",
        "title_zh": "彩色多普勒超声诊断仪",
    }
)
DOCUMENT: Final = parse_contract(CONTRACT)
OFFER: Final = Offer(
    procedure_id=1,
    lot="1",
    stage="all",
    bidder_code=code("bidder"),
    document=SignedDocument(CONTRACT),
    offered_by="a-1",
    offered_at=NOW - DAY,
)
AGREED: Final = ContractRow(
    id=1,
    procedure_id=1,
    lot="1",
    stage="all",
    bidder_code=code("bidder"),
    price=361_800_000,
    sha256=digest("contract"),
    signed_at=NOW - HOUR,
    filed_at=None,
    filing=None,
)
SUPPLIER: Final = Organisation(
    code=code("bidder"),
    name_zh="临江康达医疗器械有限公司",
    name_en="Linjiang Kangda Medical Devices Co., Ltd.",
    roles=(),
)
AWARD: Final = AwardRow(
    bid="b-1", bidder=code("bidder"), price=361_800_000, ranked_h=digest("ranked"), h=digest("award")
)


def limits(signed_at: int | None) -> Any:
    return contract_limits(
        LAW.edition,
        LAW.regime,
        LAW.calendar,
        concluded_at=NOW - 10 * DAY,
        signed_at=signed_at,
        published_at=None,
        filed_at=None,
    )


def items() -> list[dict[str, Any]]:
    prices = (361_800_000, 368_000_000, 379_500_000, 391_000_000)
    return [
        {
            "bid": f"b-{place}",
            "bidder": code(place),
            "evaluated_price": price * 9 // 10,
            "price": price,
            "rank": place + 1 if place < 3 else None,
            "reason": None if place < 3 else "above_ceiling",
            "score": None,
        }
        for place, price in enumerate(prices)
    ]


BEFORE: Final = parse_spec(spec(text_zh=TEXT_ZH, close=CLOSE))
AFTER: Final = replace(
    BEFORE,
    close=CLOSE + 7 * DAY,
    text_zh=TEXT_ZH.replace("3 台", "4 台"),
    documents=(DOCUMENTS[0],),
)


def keepers() -> list[Keeper]:
    answers = ("proved", "proved", "challenged", "asked", None)
    return [
        Keeper(kid=digest(zh), code=code(zh), name_zh=zh, name_en=zh, answer=answer)
        for (zh, _role), answer in zip(CUSTODIANS, answers, strict=True)
    ]


def keepers_form() -> Any:
    made = form(forms.CustodiansForm)
    made.keepers.choices = [SelectChoice(each.kid, each.name_zh) for each in keepers() if each.answer is None]
    return made


def correction_form() -> Any:
    typed = content(full=True)
    made = form(forms.CorrectionForm, **typed["subject"], **typed["dates"], lots=typed["lots"])
    offer(made, LAW, typed, NOW)
    return made


def _samples() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    complete, gaps = checked(), checked(*MISSING)
    yield "index-empty", "index", {"form": forms.ActForm, "drafts": [], "rows": [], "now": NOW}
    drafts = [draft(full=False), draft()]
    yield "index", "index", {"form": forms.ActForm, "drafts": drafts, "rows": ROWS, "now": NOW}
    started = draft(full=False)
    shown = {"form": forms.ActForm, "draft": started, "steps": step_states(started, gaps), "checked": gaps}
    yield "steps", "steps", shown
    returned = draft(returned_reason="预算与采购计划不一致，请核对后再提交。", reference="T-2026-7k3m9q2d")
    shown = {"form": forms.ActForm, "draft": returned, "steps": step_states(returned, complete), "checked": complete}
    yield "steps-returned", "steps", shown
    yield "subject", "subject", {"form": partial(subject_form), "draft": draft()}
    yield "subject-wrong", "subject", {"form": partial(subject_form, wrong=True), "draft": draft(full=False)}
    yield "lot", "lot", {"form": partial(lot_form), "draft": draft(), "number": 1}
    yield "lot-wrong", "lot", {"form": partial(lot_form, wrong=True), "draft": draft(), "number": 1}
    samples = {"sample": BANDS_SAMPLE, "factors": FACTORS_SAMPLE, "trim": TRIM_SAMPLE}
    kinds = (("", OPEN_TENDER_GP), ("-works", WORKS_TENDER_TL), ("-quotation", REQUEST_FOR_QUOTATION))
    for name, kind in kinds:
        given = {"form": partial(method_form, kind), "draft": draft(), "number": 1, "kind": kind, **samples}
        yield f"method{name}", "method", given
    law = lawful(LAW, content(full=True), NOW)
    yield "dates", "dates", {"form": partial(dates_form), "draft": draft(), "lawful": law}
    yield "dates-early", "dates", {"form": partial(dates_form, early=True), "draft": draft(), "lawful": law}
    sealing = partial(form, forms.SealingForm, n="5", k="3", bidder_factor="yes")
    yield "sealing", "sealing", {"form": sealing, "draft": draft()}
    files = {
        "form": partial(form, forms.DocumentForm),
        "draft": draft(),
        "act": forms.ActForm,
        "extensions": "PDF, OFD",
    }
    yield "documents-empty", "documents", {**files, "documents": []}
    yield "documents", "documents", {**files, "documents": DOCUMENTS}
    check = {"form": forms.ActForm, "draft": draft(), "refused": []}
    yield "check", "check", {**check, "checked": complete, "steps": step_states(draft(), complete)}
    told = [("close", "投标截止时间最早为 2026-06-01 00:00:00。(DOC-04: 政府采购法第三十五条)")]
    yield "check-gaps", "check", {**check, "checked": gaps, "steps": step_states(draft(), gaps), "refused": told}
    for name, (each, tasks) in zip(("review", "open", "award", "cancelled"), ROWS, strict=True):
        shown = {"form": forms.ActForm, "own": each, "tasks": tasks, "draft": None, "correction": None, "now": NOW}
        yield f"procedure-{name}", "procedure", shown
    changes = compared(BEFORE.document(), AFTER.document())
    reading = {
        "form": partial(form, forms.ReturnForm),
        "author": "李雯",
        "row": row("review"),
        "spec": BEFORE,
        "drafted": False,
    }
    yield "review", "review", {**reading, "draft": returned, "changes": changes, "refused": [], "now": NOW}
    yield "review-own", "review", {**reading, "draft": None, "changes": None, "refused": [told[0][1]], "drafted": True}
    yield (
        "custodians",
        "custodians",
        {"form": partial(keepers_form), "row": row("review"), "keepers": keepers(), "spec": BEFORE},
    )
    yield "custodians-empty", "custodians", {"form": partial(keepers_form), "row": row(), "keepers": [], "spec": BEFORE}
    blocked = {"title": "发布招标公告", "told": told[0][1], "row": row("review"), "back": "/", "form": forms.ActForm}
    yield "blocked", "blocked", blocked
    offered = partial(signing, forms.PublishForm, "招标公告", CONTRACT)
    yield "sign", "sign", {"form": offered, "title": "发布招标公告", "back": "/", "kind": "tender"}
    yield (
        "texts",
        "texts",
        {"form": forms.TextsForm, "title": "发布结果公告", "row": row(), "back": "/", "kind": "result"},
    )
    cancel = {"form": forms.CancelForm, "title": "终止采购", "row": row(), "back": "/", "kind": "cancellation"}
    yield "cancel", "texts", cancel
    names = {code(n): replace(SUPPLIER, name_zh=f"{SUPPLIER.name_zh}（{n + 1}）") for n in range(4)}
    award = {
        "row": row(),
        "items": items(),
        "names": names,
        "method": "lowest_evaluated_price",
        "tie": None,
        "now": NOW,
    }
    award |= {"form": forms.ActForm, "due": NOW + 3 * DAY}
    yield "award", "award", {**award, "lot": lot("evaluated"), "decided": None}
    yield "award-done", "award", {**award, "lot": lot("determined"), "decided": replace(AWARD, bid="b-0")}
    correcting = {
        "form": partial(correction_form),
        "draft": draft(purpose="amendment"),
        "row": row(),
        "files": DOCUMENTS,
    }
    yield "correction", "correction", correcting
    found = amend(BEFORE, AFTER, declared=True, zone=CHINA)
    effect = {"affects": True, "days": 15, "lawful": CLOSE, "enough": True, "told": ""}
    comparing = {
        "form": forms.ActForm,
        "row": row(),
        "compared": _compared(found),
        "told": "",
        "spec": AFTER,
        "now": NOW,
    }
    yield "compare", "compare", {**comparing, "draft": draft(purpose="amendment"), "effect": effect}
    late = {**effect, "enough": False, "lawful": CLOSE + 9 * DAY}
    waiting = draft(purpose="amendment", state="submitted", reference="T-2026-7k3m9q2d")
    yield "compare-late", "compare", {**comparing, "draft": waiting, "effect": late}
    contract = {"form": forms.TermsForm, "row": row(), "award": AWARD, "supplier": SUPPLIER, "now": NOW}
    contract |= {"filing": forms.FilingForm, "waiting": None, "agreed": None, "editing": False}
    yield "contract", "contract", {**contract, "lot": lot("concluded"), "limits": limits(None), "editing": True}
    yield (
        "contract-offered",
        "contract",
        {**contract, "lot": lot("concluded"), "limits": limits(None), "waiting": OFFER},
    )
    signed = {"lot": lot("contracted"), "limits": limits(NOW - HOUR), "agreed": AGREED}
    yield "contract-signed", "contract", {**contract, **signed}


def _public() -> Iterator[Sample]:
    """The public page with tender documents and a criteria tree, and the same page as a preview."""
    plan = {
        **CRITERION,
        "id": "plan",
        "max": "25",
        "step": "0.5",
        "title_zh": "技术方案",
        "title_en": "Technical proposal",
    }
    warranty = {**CRITERION, "id": "warranty", "kind": "objective", "max": "15", "step": "1"}
    bands = (
        {"from": "0", "to": "12", "points": "5", "text_zh": "不足十二个月", "text_en": "under twelve months"},
        {"from": "12", "to": None, "points": "15", "text_zh": "十二个月以上", "text_en": "twelve months or more"},
    )
    price = {**CRITERION, "id": "price", "kind": "price", "max": "60", "title_zh": "投标报价", "title_en": "Price"}
    rows = (
        (price, "按公式计算。", "By the formula.", ()),
        (plan, "方案完整、可行。", "Complete and feasible.", ()),
        ({**warranty, "title_zh": "质保期", "title_en": "Warranty"}, "以月计。", "In months.", bands),
    )
    criteria = tuple(criterion_of({**row, "text_zh": zh, "text_en": en, "bands": found}) for row, zh, en, found in rows)
    shown = replace(
        pages.lot(LotState.OPEN),
        method="comprehensive_scoring",
        budget=400_000_000,
        criteria=criteria,
        preference={"small_micro": "10", "consortium": "4"},
    )
    files = tuple(File(name=each.name, sha256=each.sha256, size=each.size, media=each.media) for each in DOCUMENTS)
    page = pages.page(shown, files=files, questions_until=pages.CLOSE - 3 * DAY, bid_validity_days=90)
    context = {"page": page, "now": NOW, "bundle_url": None, "answers": (), "questions_end_at": pages.CLOSE - 3 * DAY}
    path = "/procedures/T-2026-7k3m9q2d"
    yield Sample("procedure-scored", path, "notices/procedure.html", context)
    draft_page = replace(page, notices=(), documents=(), log=())
    preview = {**context, "page": draft_page, "preview": True, "signed_in": PERSON}
    yield Sample("agency-preview", "/agency", "notices/procedure.html", preview)


def samples() -> Iterator[Sample]:
    """Yield the samples of the desk, then those of the supplier's contracts."""
    for name, template, context in _samples():
        yield Sample(f"agency-{name}", "/agency", f"agency/{template}.html", {"signed_in": PERSON, **context})
    yield from _public()
    mine = Mine(reference="T-2026-7k3m9q2d", title_zh=ZH, title_en=EN, lot="1", stage="all", at=NOW - DAY, signed=False)
    rows = [mine, replace(mine, lot="2", at=NOW - 9 * DAY, signed=True)]
    yield Sample("contracts-empty", "/bidder/contracts", "contracts/index.html", {"signed_in": PERSON, "rows": []})
    yield Sample("contracts", "/bidder/contracts", "contracts/index.html", {"signed_in": PERSON, "rows": rows})
    shown = {"signed_in": PERSON, "row": row(), "lot": lot("concluded"), "document": DOCUMENT, "now": NOW}
    offered = partial(signing, SignContractForm, "合同", CONTRACT)
    yield Sample(
        "contract-to-sign",
        "/bidder/contracts",
        "contracts/contract.html",
        {**shown, "form": offered, "waiting": OFFER, "agreed": None},
    )
    done = {**shown, "form": offered, "waiting": None, "agreed": AGREED}
    yield Sample("contract-signed", "/bidder/contracts", "contracts/contract.html", done)
