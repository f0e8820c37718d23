"""The bidder's desk in its states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.build.pages import CLOSE, DAY, HOUR, NOW, Sample, digest, lot, page
from trading.audit.rules.proof import ReceiptState
from trading.notices.rules.progress import LotState
from trading.participation.forms import FollowForm, ObjectionForm, PracticeForm, SealForm
from trading.participation.queries.own import Act, MyLot, MyTender
from trading.participation.queries.practice import Practice
from trading.participation.queries.values import (
    Examination,
    Opened,
    OpenedItem,
    Opening,
    Outcome,
    OwnLot,
    Rehearsal,
    Version,
)
from trading.participation.rules.commands import Case, commands
from trading.participation.rules.tasks import Situation, tasks
from trading.participation.service import Desk
from trading.storage.tokens import TokenName

REFERENCE = "T-2026-7k3m9q2d"
PRACTICE = "PRACTICE-2026-7k3m9q2d"
PATH = f"/bidder/tenders/{REFERENCE}"
ORGANISATION = "91110108MA0DEM0119"


def version(
    seq: int,
    kind: str = "envelope",
    state: ReceiptState = ReceiptState.WITNESSED,
    tokens: tuple[TokenName, ...] = (),
) -> Version:
    received = NOW - (6 - seq) * HOUR - 682
    n = None if state is ReceiptState.ACKNOWLEDGED else 184_201 + seq
    sha256, h = digest(("version", seq, kind)), digest(("h", seq, kind))
    return Version(seq=seq, kind=kind, sha256=sha256, h=h, received_at=received, state=state, n=n, tokens=tokens)


def own(state: LotState, number: str = "1", items: int = 3, **known: Any) -> OwnLot:  # noqa: ANN401 - fields
    """One lot of the desk; the tasks follow from the rest."""
    versions: tuple[Version, ...] = known.get("versions", ())
    sent = [each for each in versions if each.kind != "rehearsal"]
    opening: Opening | None = known.get("opening")
    situation = Situation(
        state=state,
        files_waiting=known.get("files_waiting", 0) > 0,
        standing=sent[-1].kind if sent else "none",
        logged=bool(sent) and sent[-1].state is not ReceiptState.ACKNOWLEDGED,
        witnessed=bool(sent) and sent[-1].state.is_witnessed,
        factor="none" if opening is None else opening.factor,
        read_out="opened" in known,
        ranked="outcome" in known,
    )
    return OwnLot(lot=lot(state, number, items), tasks=tasks(situation), bid="b-0123456789abcdef", **known)


def opening(**values: Any) -> Opening:  # noqa: ANN401 - fields
    plain: dict[str, Any] = {
        "step": "factor",
        "listed": True,
        "objections_end_at": NOW - HOUR,
        "factor_ends_at": NOW + 12 * 60_000,
        "factor": "open",
        "rescue": "none",
        "wants_rescue": False,
        "rescue_ends_at": None,
    }
    return Opening(**{**plain, **values})


OPENED = Opened(
    verdict="OK",
    currency="CNY",
    total=482_650_000,
    items=tuple(
        OpenedItem(code=f"A0232{n:04d}", quantity=str(n + 1), unit_price="804416.67", amount=80_441_667 * (n + 1))
        for n in range(3)
    ),
    delivery_days=45,
    sme="small_micro",
    price_sha256=digest("price"),
    manifest_sha256=digest("manifest"),
)
OUTCOME = Outcome(
    method="comprehensive_scoring",
    ranked=4,
    rank=2,
    price=482_650_000,
    evaluated_price=434_385_000,
    currency="CNY",
    preference="small_micro",
    score="87.50",
    scores=(("technology", "152.5"), ("service", "96"), ("record", "40")),
    reason=None,
    awarded=False,
    award_price=471_900_000,
    published_at=NOW,
    examinations=(
        Examination(step="qualification", outcome="conforming", reason="", rule=None, preference=None),
        Examination(
            step="conformity",
            outcome="conforming",
            reason="小微企业声明函齐全，按招标文件扣除价格",
            rule="PRF-01",
            preference="small_micro",
        ),
    ),
)
TOKENS = tuple(TokenName(size=184_260, tsa=tsa, gen_time=NOW) for tsa in ("ntsc.example", "tsa.example"))
REHEARSALS = (
    Rehearsal(custodian="临江公采招标代理有限公司", ok=True),
    Rehearsal(custodian="临江市公共资源交易中心", ok=True),
    Rehearsal(custodian="临江市财政局政府采购监督管理科", ok=None),
    Rehearsal(custodian="临江市正信公证处", ok=False),
    Rehearsal(custodian="江南省公共资源交易中心", ok=True),
)
GAP = opening(step="gaps", factor="revealed", rescue="open", wants_rescue=True, rescue_ends_at=NOW + 9 * 60_000)
ENDED = opening(step="completed", factor="revealed")
LOTS: dict[str, OwnLot] = {
    "fresh": replace(own(LotState.OPEN), bid=None),
    "uploaded": own(LotState.OPEN, files_waiting=2),
    "sealed": own(LotState.OPEN, versions=(version(1, state=ReceiptState.LOGGED),), rehearsals=REHEARSALS),
    "replaced": own(
        LotState.OPEN, items=14, versions=(version(1), version(2), version(3, state=ReceiptState.ACKNOWLEDGED))
    ),
    "stamped": own(LotState.OPEN, versions=(version(1, state=ReceiptState.STAMPED, tokens=TOKENS),)),
    "unfinished": own(LotState.OPEN, versions=(version(3),), files_waiting=1),
    "withdrawn": own(LotState.OPEN, versions=(version(1), version(2, "withdrawal"))),
    "closed": own(LotState.CLOSED, versions=(version(1),)),
    "factor": own(LotState.OPENING, versions=(version(1),), opening=opening()),
    "revealed": own(LotState.OPENING, versions=(version(1),), opening=opening(factor="revealed")),
    "revoked": own(LotState.OPENING, versions=(version(1),), opening=opening(factor="over", step="gaps")),
    "gap": own(LotState.OPENING, versions=(version(1),), opening=GAP),
    "rescued": own(LotState.OPENING, versions=(version(1),), opening=replace(GAP, rescue="accepted")),
    "unrescued": own(LotState.OPENING, versions=(version(1),), opening=replace(GAP, rescue="over")),
    "missing": own(
        LotState.OPENING,
        versions=(version(1),),
        opening=opening(listed=False, factor="none", factor_ends_at=None, objections_end_at=NOW + 250_000),
    ),
    "opened": own(LotState.OPENED, versions=(version(1),), opening=ENDED, opened=OPENED),
    "lost": own(LotState.PUBLISHED, versions=(version(1),), opening=ENDED, opened=OPENED, outcome=OUTCOME),
    "won": own(
        LotState.PUBLISHED,
        versions=(version(1),),
        opening=ENDED,
        opened=OPENED,
        outcome=replace(OUTCOME, rank=1, awarded=True, award_price=482_650_000),
    ),
    "excluded": own(
        LotState.PUBLISHED,
        versions=(version(1),),
        opening=ENDED,
        opened=OPENED,
        outcome=replace(
            OUTCOME,
            rank=None,
            score=None,
            scores=(),
            reason="not_qualified",
            examinations=(
                Examination(
                    step="qualification",
                    outcome="invalid",
                    reason="未提供有效的医疗器械经营许可证",
                    rule="DOC-18",
                    preference=None,
                ),
            ),
        ),
    ),
    "failed": own(LotState.FAILED, versions=(version(1),)),
}


def samples() -> Iterator[Sample]:
    """Every page of the desk in every state."""
    for name, found in (("none", ()), ("some", tuple(my_tenders()))):
        yield Sample(f"my-tenders-{name}", "/bidder", "participation/tenders.html", {"tenders": found, "now": NOW})
    yield from _workspaces()
    for name, shown in LOTS.items():
        yield from _lot(name, shown)
    yield from _logs()
    yield from _practice()


def my_tenders() -> Iterator[MyTender]:
    lots = (
        MyLot(number="1", title_zh="", title_en="", state=LotState.OPEN, close_at=CLOSE, standing="envelope"),
        MyLot(number="2", title_zh="", title_en="", state=LotState.OPEN, close_at=CLOSE + HOUR, standing="none"),
    )
    shown = page(lot(LotState.OPEN))
    common = {"title_zh": shown.title_zh, "title_en": shown.title_en}
    buyer = {"buyer_zh": shown.buyer.name_zh, "buyer_en": shown.buyer.name_en}
    yield MyTender(reference=REFERENCE, **common, **buyer, followed=True, lots=lots)
    ended = replace(lots[0], state=LotState.PUBLISHED, close_at=NOW - 20 * DAY)
    yield MyTender(reference="T-2026-00aa11bb", **common, **buyer, followed=False, lots=(ended,))


def desk(*lots: OwnLot, followed: bool = True) -> Desk:
    return Desk(page=page(*(each.lot for each in lots)), followed=followed, lots=lots)


def _workspaces() -> Iterator[Sample]:
    many = (
        own(LotState.OPEN, "1", versions=(version(1),)),
        own(LotState.OPEN, "2", files_waiting=2),
        replace(own(LotState.OPEN, "3"), bid=None),
        own(LotState.OPENING, "4", versions=(version(1),), opening=opening()),
    )
    shown = {"fresh": desk(LOTS["fresh"], followed=False), "many": desk(*many), "ended": desk(LOTS["lost"])}
    for name, found in shown.items():
        context = {"desk": found, "now": NOW, "form": FollowForm}
        yield Sample(f"workspace-{name}", PATH, "participation/workspace.html", context)


def _lot(name: str, shown: OwnLot) -> Iterator[Sample]:
    case = Case(api="https://ggzy.example", tender=REFERENCE, lot="1", stage="all", organisation=ORGANISATION)
    context = {"desk": desk(shown), "own": shown, "lines": commands(case), "now": NOW, "signed": True}
    yield Sample(
        f"own-lot-{name}",
        f"{PATH}/lots/1",
        "participation/lot.html",
        {**context, "form": partial(ObjectionForm, formdata=None)},
    )
    if name in {"fresh", "replaced"}:
        yield Sample(f"price-{name}", f"{PATH}/lots/1/price", "participation/price.html", context)
        sealing = {**context, "organisation": ORGANISATION}
        for state, form, token in (("asked", partial(SealForm, formdata=None), None), ("begun", None, "pt_sample")):
            begun = {**sealing, "form": form, "token": token}
            yield Sample(f"seal-{state}-{name}", f"{PATH}/lots/1/seal", "participation/seal.html", begun)
    act = {"factor": "reveal", "gap": "rescue"}.get(name)
    if act is not None:
        for state, form, token in (("asked", partial(SealForm, formdata=None), None), ("begun", None, "pt_sample")):
            begun = {**context, "organisation": ORGANISATION, "form": form, "token": token}
            yield Sample(f"{act}-{state}", f"{PATH}/lots/1/seal", f"participation/{act}.html", begun)


def _logs() -> Iterator[Sample]:
    acts = (
        Act(kind="bid.started", at=NOW - 7 * HOUR, actor="a-1", lot="1", h=digest("a"), n=184_100, body={}),
        Act(kind="bid.received", at=NOW - 6 * HOUR, actor="a-1", lot="1", h=digest("b"), n=184_201, body={"seq": 1}),
        Act(kind="bid.refused", at=NOW - HOUR, actor="a-2", lot=None, h=digest("c"), n=None, body={"code": "bid.late"}),
    )
    procedure = page(lot(LotState.OPEN))
    for name, found in (("none", ()), ("some", acts)):
        context = {"procedure": procedure, "acts": found, "names": {"a-1": "qinghe-wang"}, "signed": True}
        yield Sample(f"own-log-{name}", f"{PATH}/log", "participation/log.html", context)


def practices() -> tuple[Practice, ...]:
    """One that is being prepared, one that takes bids, one that is opened, one that came to nothing."""
    taking = Practice(
        reference=PRACTICE,
        asked_at=NOW - HOUR,
        state=LotState.OPEN,
        close_at=CLOSE,
        standing="envelope",
        step=None,
        is_stranded=False,
    )
    bare = replace(taking, reference="PRACTICE-2026-3n5r7t9w", close_at=None, standing="none")
    opened = replace(taking, reference="PRACTICE-2026-8b6d4f2h", state=LotState.OPENED, step="completed")
    return bare, taking, opened, replace(bare, reference="PRACTICE-2026-1a2b3c4d", is_stranded=True)


def _practice() -> Iterator[Sample]:
    """The list of practice tenders, and the pages of one in the states that differ from a real one."""
    for name, found in (("none", ()), ("some", practices()), ("away", None)):
        listed = {"tenders": found, "now": NOW, "practice": True, "form": partial(PracticeForm, formdata=None)}
        yield Sample(f"practice-{name}", "/bidder/practice", "participation/practice.html", listed)
    case = Case(api="https://ggzy.example", tender=PRACTICE, lot="1", stage="all", organisation=ORGANISATION)
    path = f"/bidder/tenders/{PRACTICE}"
    for name in ("sealed", "factor", "opened"):
        context = {"desk": _practised(name), "own": LOTS[name], "lines": commands(case), "now": NOW, "signed": True}
        form = partial(ObjectionForm, formdata=None)
        yield Sample(f"practice-lot-{name}", f"{path}/lots/1", "participation/lot.html", {**context, "form": form})
    context = {"desk": _practised("replaced"), "own": LOTS["replaced"], "lines": commands(case), "now": NOW}
    begun = {**context, "organisation": ORGANISATION, "form": None, "token": "pt_sample"}
    yield Sample("practice-seal", f"{path}/lots/1/seal", "participation/seal.html", begun)
    shown = {"desk": _practised("sealed"), "now": NOW, "form": FollowForm}
    yield Sample("practice-workspace", path, "participation/workspace.html", shown)


def _practised(name: str) -> Desk:
    found = desk(LOTS[name], followed=False)
    return replace(found, page=replace(found.page, reference=PRACTICE))
