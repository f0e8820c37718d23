"""What pages show, built in memory: every page in every state, with little and with much data. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.build.offers import offers
from tests.build.signed_log import policy_text
from trading.audit.model import ClosedLog
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.proof import ReceiptState
from trading.audit.service import IssuedReceipt
from trading.audit.views import Head
from trading.awards.rules.dot_plot import DotPlot, Priced, dot_plot
from trading.bids.rules.schedule import Intake
from trading.notices.hall import Wish
from trading.notices.queries.journal import Happening
from trading.notices.queries.log import Entry, LogRow
from trading.notices.queries.opening import BidRow, Ceremony, Closing, Fault, KeyHolder, Windows
from trading.notices.queries.publications import Publication
from trading.notices.queries.read_out import By, read_out
from trading.notices.queries.result import Ranked, Result, Tie
from trading.notices.queries.search import Counts, DueOpening, Filter, Found, Home, Results
from trading.notices.queries.texts import NoticeText
from trading.notices.queries.values import (
    Custodian,
    Document,
    Item,
    Lot,
    Notice,
    Page,
    Party,
    Schedule,
    Sealing,
)
from trading.notices.rules import changes
from trading.notices.rules.changes import Change
from trading.notices.rules.channels import Channel
from trading.notices.rules.progress import Happened, LotState, Stage, timeline
from trading.openings.queries import Reply, Spoken
from trading.procedures.rules.extension import ExtensionRule
from trading.storage.tokens import TokenName
from trading.web import refusals

NOW = 1_778_551_200_000  # 2026-05-12 10:00:00 in China
HOUR = 3_600_000
DAY = 24 * HOUR
CLOSE = NOW + 6 * DAY + 2 * HOUR
BUYERS = (
    ("临江市第三人民医院", "Linjiang Third People's Hospital"),
    ("临江市教育局", "Linjiang Education Bureau"),
    ("清河县水利局", "Qinghe County Water Bureau"),
    ("临江市城市管理和综合行政执法局", "Linjiang Urban Administration and Law Enforcement Bureau"),
)
TITLES = (
    ("彩色多普勒超声诊断仪采购项目", "Colour Doppler ultrasound systems"),
    ("义务教育学校课桌椅更新", "School desks and chairs for compulsory education"),
    (
        "清河中游水质自动监测站运行维护服务（三年期）",
        "Operation of water quality stations on the middle Qinghe, three years",
    ),
    ("主城区道路清扫车辆", "Road sweepers for the city centre"),
)
BIDDERS = (
    ("临江康达医疗器械有限公司", "Linjiang Kangda Medical Devices Co., Ltd."),
    ("华东仪诚科技股份有限公司", "East China Yicheng Technology Co., Ltd."),
    (
        "江南省医药集团设备供应链管理有限责任公司",
        "Jiangnan Pharmaceutical Group Equipment Supply Chain Management Co., Ltd.",
    ),
    ("明理医疗", "Mingli Medical"),
    ("北辰影像设备有限公司", "Beichen Imaging Equipment Co., Ltd."),
)
CUSTODIANS = (
    ("临江公采招标代理有限公司", "agency"),
    ("临江市公共资源交易中心", "operator"),
    ("临江市财政局政府采购监督管理科", "supervisor"),
    ("临江市正信公证处", "notary"),
    ("江南省公共资源交易中心", "centre"),
)


def digest(seed: object) -> str:
    """A stable digest for ``seed``."""
    return hashlib.sha256(str(seed).encode()).hexdigest()


def code(seed: object) -> str:
    """A plausible organisation code."""
    return "91" + str(int(digest(seed)[:12], 16)).rjust(16, "0")[:16]


def party(place: int) -> Party:
    zh, en = BUYERS[place % len(BUYERS)]
    return Party(code=code(zh), name_zh=zh, name_en=en)


def found(place: int, stage: Stage = Stage.OPEN) -> Found:
    title, buyer = TITLES[place % len(TITLES)], BUYERS[place % len(BUYERS)]
    return Found(
        reference=f"T-2026-{digest(place)[:8]}",
        title_zh=title[0],
        title_en=title[1],
        buyer_zh=buyer[0],
        buyer_en=buyer[1],
        kind="open_tender_gp",
        regime="GP",
        published_at=NOW - place * DAY,
        close_at=(CLOSE if stage is Stage.OPEN else NOW - 5 * DAY) + place * HOUR,
        lots=1 + place % 3,
        stage=stage,
    )


def home(*, heavy: bool) -> Home:
    if not heavy:
        return Home(counts=Counts(), openings=(), newest=())
    due = tuple(
        DueOpening(
            reference=f"T-2026-{digest(n)[:8]}",
            lot=str(n + 1),
            title_zh=TITLES[n][0],
            title_en=TITLES[n][1],
            close_at=NOW + n * HOUR,
        )
        for n in range(3)
    )
    counts = Counts(open_now=1284, closing_today=17, opened_today=23, awarded_this_week=96)
    return Home(counts=counts, openings=due, newest=tuple(found(n) for n in range(5)))


def results(count: int, total: int | None = None, **wish: object) -> Results:
    stages = list(Stage)
    asked = Filter(**wish)  # type: ignore[arg-type]  # the caller names fields of the filter
    rows = tuple(found(n, asked.stage or stages[min(n // 8, 3)]) for n in range(count))
    return Results(filter=asked, total=count if total is None else total, rows=rows)


def items(count: int) -> tuple[Item, ...]:
    return tuple(
        Item(
            code=f"A0232{n:04d}",
            name_zh=f"彩色多普勒超声诊断仪（{n + 1} 型，含腹部、心脏、浅表探头）",
            name_en=f"Colour Doppler ultrasound system, type {n + 1}, with abdominal, cardiac and linear probes",
            quantity=str(n % 7 + 1),
            unit="台",
        )
        for n in range(count)
    )


def sealing() -> Sealing:
    holders = tuple(Custodian(index=n + 1, name=name, role=role) for n, (name, role) in enumerate(CUSTODIANS))
    return Sealing(policy_sha256=digest("policy"), k=3, bidder_factor=True, custodians=holders)


RULE = ExtensionRule(extend_ms=7_200_000, look_back_ms=7_200_000, min_outage_ms=600_000, triggers=("clock",))

INTAKE = Intake(origin="intake.czj.example/log", vkey=f"intake.czj.example/log+1f3a5b7c+{'A' * 43}=")


def schedule(*, may_extend: bool = True) -> Schedule:
    return Schedule(
        sha256=digest("schedule"),
        seq=1,
        cause=None,
        objection_ms=600_000,
        factor_window_ms=1_800_000,
        extension_rule=RULE if may_extend else None,
        intake=INTAKE if may_extend else None,
    )


_DONE = {
    LotState.OPEN: 1, LotState.CLOSING: 1, LotState.CLOSED: 2, LotState.OPENING: 2, LotState.OPENED: 3,
    LotState.RANKED: 4, LotState.AWARDED: 5, LotState.PUBLISHED: 6, LotState.CONTRACTED: 7,
    LotState.FAILED: 1, LotState.CANCELLED: 1,
}  # fmt: skip
_STEP = {
    LotState.OPENING: "factor", LotState.OPENED: "completed", LotState.RANKED: "completed",
    LotState.AWARDED: "completed", LotState.PUBLISHED: "completed",
}  # fmt: skip
_KINDS = (
    "tender.published", "tender.closed", "opening.completed", "bids.ranked", "award.determined", "result.published",
)  # fmt: skip


def lot(state: LotState, number: str = "1", count: int = 1, *, bare: bool = False) -> Lot:
    before = state is LotState.OPEN
    close = CLOSE if before else NOW - 2 * HOUR
    happened = [
        Happened(kind=kind, at=close - 20 * DAY + n * 20 * DAY + n, h=digest((number, kind)))
        for n, kind in enumerate(_KINDS[: _DONE[state]])
    ]
    reason = {LotState.FAILED: "fewer_than_three", LotState.CANCELLED: "task_cancelled"}.get(state)
    return Lot(
        number=number,
        stage="all",
        title_zh="" if bare else "彩色多普勒超声诊断仪",
        title_en="Colour Doppler ultrasound systems",
        state=state,
        close_at=None if bare else close,
        ceiling=None if bare else 385_000_000,
        currency="CNY",
        method="" if bare else "lowest_evaluated_price",
        tie_rule="" if bare else "price_identity_lottery",
        items=() if bare else items(count),
        sealing=None if bare else sealing(),
        schedule=None if bare else schedule(may_extend=count > 1),
        opening_step=_STEP.get(state),
        steps=timeline(state, close, happened),
        reason=reason,
    )


def notices(count: int) -> tuple[Notice, ...]:
    rows = []
    for number in range(count, 0, -1):
        first = number == 1
        rows.append(
            Notice(
                number=number,
                kind="tender" if first else "correction",
                sha256=digest(("notice", number)),
                size=4_812 + number,
                published_at=NOW - (count + 1 - number) * DAY,
                title_zh=TITLES[0][0],
                title_en=TITLES[0][1],
                changes=() if first else correction(number),
            )
        )
    return tuple(rows)


OLD_TEXT = (
    "本项目采购彩色多普勒超声诊断仪 3 台，含腹部、心脏、浅表探头各一。交货期为合同签订后 30 日内，"
    "交货地点为临江市第三人民医院影像科。质保期不少于 36 个月，质保期内提供不少于 4 次定期维护。"
)
NEW_TEXT = OLD_TEXT.replace("30 日内", "45 日内").replace("36 个月", "60 个月") + "投标人应提供原厂授权。"


def correction(number: int) -> tuple[Change, ...]:
    moved = Change(field="lot 1 close", old=str(CLOSE - 7 * DAY), new=str(CLOSE + number * DAY))
    text = Change(field="text_zh", old=OLD_TEXT, new=NEW_TEXT)
    return (moved, text) if number % 2 == 0 else (moved,)


def documents(count: int) -> tuple[Document, ...]:
    kinds = ("mb.edition", "mb.schedule", "sb1.policy", "sb1.custodian-key", "sb1.open-order", "sb1.share-check")
    return tuple(
        Document(sha256=digest(("doc", n)), typ=kinds[n % len(kinds)], size=900 + n * 1777, signed=n % 6 != 0)
        for n in range(count)
    )


def log(count: int, *, positions: bool) -> tuple[LogRow, ...]:
    kinds = ("policy.fixed", "tender.published", "tender.changed", "tender.closed", "open.ordered", "share.checked")
    return tuple(
        LogRow(
            kind=kinds[n % len(kinds)],
            lot="1",
            at=NOW - DAY + n * 61_417,
            h=digest(("log", n)),
            n=184_201 + n if positions else None,
        )
        for n in range(count)
    )


def page(*lots: Lot, many: bool = False, **fields: object) -> Page:
    state = lots[0].state
    values: dict[str, Any] = {
        "reference": "T-2026-7k3m9q2d",
        "kind": "open_tender_gp",
        "regime": "GP",
        "jurisdiction": "CN",
        "edition_id": "CN.2026-02-01",
        "edition_sha256": digest("edition"),
        "phase": "cancelled" if state is LotState.CANCELLED else "published",
        "title_zh": TITLES[0][0],
        "title_en": TITLES[0][1],
        "text_zh": OLD_TEXT,
        "text_en": "Three colour Doppler ultrasound systems with abdominal, cardiac and linear probes, delivered "
        "within 30 days of contract to the imaging department.",
        "buyer": party(0),
        "agency": Party(code=code("a"), name_zh="临江公采招标代理有限公司", name_en="Linjiang Public Tendering Agency"),
        "supervisor": Party(code=code("s"), name_zh="临江市财政局", name_en="Linjiang Finance Bureau"),
        "published_at": NOW - 14 * DAY,
        "lots": lots,
        "notices": notices(7 if many else 1),
        "documents": documents(40 if many else 8),
        "log": log(60 if many else 3, positions=state is not LotState.OPEN),
    }
    return Page(**{**values, **fields})


def bid(place: int, *, verdict: str | None = "OK", price: int | None = None, faults: tuple[Fault, ...] = ()) -> BidRow:
    zh, en = BIDDERS[place % len(BIDDERS)]
    return BidRow(
        reference=f"b-{digest(('bid', place))[:12]}",
        bidder_code=code(("bidder", place)),
        bidder_zh=zh if place < len(BIDDERS) else f"{zh}（{place}）",
        bidder_en=en if place < len(BIDDERS) else f"{en} ({place})",
        envelope_sha256=digest(("envelope", place)),
        verdict=verdict,
        faults=faults,
        price=price,
        currency="CNY",
        price_sha256=digest(("price", place)) if price is not None else None,
        delivery_days=(30, 25, 45, 28, 30)[place % 5] if price is not None else None,
        sme=("small_micro", None, "consortium", None, None)[place % 5] if price is not None else None,
    )


def ceremony(step: str | None, bids: tuple[BidRow, ...] = (), **fields: object) -> Ceremony:
    checked = {"ordered": 2}.get(step or "", 5)
    released = {"ordered": 0, "factor": 0, "factor_closed": 2}.get(step or "", 4)
    values: dict[str, Any] = {
        "reference": "T-2026-7k3m9q2d",
        "title_zh": TITLES[0][0],
        "title_en": TITLES[0][1],
        "lot": "1",
        "lot_zh": "彩色多普勒超声诊断仪",
        "lot_en": "Colour Doppler ultrasound systems",
        "phase": "closed" if step else "open",
        "close_at": NOW - HOUR if step else CLOSE,
    }
    if step is not None:
        values |= {
            "step": step,
            "ordered_at": NOW - HOUR + 41_318,
            "order_sha256": digest("order"),
            "order_seq": 1,
            "windows": Windows(
                objections_end_at=NOW + 250_000 if step == "ordered" else NOW - HOUR // 2,
                checks_end_at=NOW + 250_000 if step == "ordered" else NOW - HOUR // 2,
                factor_ends_at=NOW + 720_000 if step != "ordered" else None,
                release_ends_at=NOW + 900_000 if step == "factor_closed" else None,
            ),
            "k": 3,
            "ceiling": 385_000_000,
            "holders": tuple(
                KeyHolder(custodian=each, checked=n < checked, released=n < released)
                for n, each in enumerate(sealing().custodians)
            ),
            "bids": bids,
            "closing": Closing(count=len(bids), bids_root=digest("root"), closed_at=NOW - HOUR + 5_104),
            "results_in": sum(each.verdict is not None for each in bids),
            "journal": tuple(
                Happening(h=digest(("act", n)), kind=kind, at=NOW - HOUR + 60_000 * n, custodian=index)
                for n, (kind, index) in enumerate(_ACTS[: _SO_FAR[step]])
            ),
        }
    return Ceremony(**{**values, **fields})


_ACTS: tuple[tuple[str, int | None], ...] = (
    ("open.ordered", None), ("share.checked", 1), ("share.checked", 4), ("objection.raised", None),
    ("share.checked", 3), ("objection.decided", None), ("open.ordered", None), ("factor.opened", None),
    ("factor.closed", None), ("share.released", 2), ("share.released", 1), ("share.adjudicated", 5),
    ("release.closed", None), ("opening.combined", None), ("bid.result", None), ("opening.objected", None),
    ("opening.answered", None), ("opening.completed", None), ("custodian.key_destroyed", 2),
)  # fmt: skip
_SO_FAR = {"ordered": 4, "factor": 8, "factor_closed": 11, "combined": 15, "completed": 19}

PRICES = (298_000_000, 312_450_000, 356_780_050, 401_000_000, 312_450_000)


def opened(count: int) -> tuple[BidRow, ...]:
    """Bids of a completed opening; with five or more, the fourth did not open."""
    rows = [bid(n, price=PRICES[n % 5] + n // 5 * 1_234_500) for n in range(count)]
    if count > len(BIDDERS) - 1:
        rows[3] = bid(3, verdict="BIDDER_NO_FACTOR", faults=(Fault(code="CUSTODIAN_ABSENT", custodian=5),))
    return tuple(rows)


def result(count: int, *, awarded: bool = True, published: bool = True, ceiling: int | None = 385_000_000) -> Result:
    bids = opened(count)
    priced = sorted((each for each in bids if each.price is not None), key=lambda each: each.price or 0)
    rows, rank = [], 0
    for each in priced:
        price = each.price or 0
        inside = ceiling is None or price <= ceiling
        rank += inside
        rows.append(
            Ranked(
                bid=each,
                price=price,
                evaluated_price=price,
                rank=rank if inside else None,
                reason=None if inside else "above_ceiling",
                awarded=awarded and inside and rank == 1,
            )
        )
    equal = len({each.price for each in priced}) < len(priced)
    return Result(
        ceremony=ceremony("completed", bids),
        currency="CNY",
        ceiling=ceiling,
        method="lowest_evaluated_price",
        edition_id="CN.2026-02-01" if count > 1 else "demo.replay.2026-02-01",
        ranked_h=digest("ranked"),
        rows=tuple(rows),
        unopened=tuple(each for each in bids if each.price is None),
        tie=Tie(rule="AWD-10", seed=digest("seed"), bids=tuple(each.reference for each in bids[1:3]))
        if equal
        else None,
        award_price=rows[0].price if awarded and rows else None,
        notice_number=2 if published else None,
        published_at=NOW if published else None,
    )


def plot(shown: Result) -> DotPlot | None:
    prices = [
        Priced(
            label=row.bid.bidder_zh,
            price=row.price,
            kind="awarded" if row.awarded else "ranked" if row.rank is not None else "excluded",
        )
        for row in shown.rows
    ]
    return dot_plot(prices, shown.ceiling)


def notice_text(*, changed: bool, later: bool = False) -> NoticeText:
    number = 2 if changed else 1
    return NoticeText(
        reference="T-2026-7k3m9q2d",
        number=number,
        newest=number + later,
        kind="correction" if changed else "tender",
        sha256=digest(("notice", number)),
        size=5_112,
        published_at=NOW - DAY,
        title_zh=TITLES[0][0],
        title_en=TITLES[0][1],
        text_zh=NEW_TEXT,
        text_en="" if later else "Three colour Doppler ultrasound systems.",
        changes=correction(2) if changed else (),
        supersedes=digest(("notice", 1)) if changed else None,
    )


def publications(number: int) -> tuple[Publication, ...]:
    """Where a notice was published, each channel a moment later than the one before."""
    address = "https://ggzy.example"
    urls = {
        Channel.PAGE: f"{address}/procedures/T-2026-7k3m9q2d/notices/{number}",
        Channel.ATOM: f"{address}/feed.atom",
        Channel.OCDS: f"{address}/api/v1/ocds/releases/ocds-000000-T-2026-7k3m9q2d-{digest(number)[:16]}",
    }
    return tuple(
        Publication(
            channel=channel,
            number=4_180 + place,
            entry_h=digest(("entry", number)),
            h=digest((channel, number)),
            sha256=digest((channel.value, number)),
            url=url,
            published_at=NOW - DAY + 180 * (place + 1),
            content=None,
        )
        for place, (channel, url) in enumerate(urls.items())
    )


def stamped_receipt(n: int) -> IssuedReceipt:
    """A receipt with the time stamps of two authorities."""
    tokens = tuple(TokenName(size=n + 40, tsa=tsa, gen_time=NOW + 21_000) for tsa in ("ntsc.example", "tsa.example"))
    state = ReceiptState.STAMPED
    return IssuedReceipt(text=b"", state=state, h=bytes(32), n=n, t=NOW, tokens=tokens)


def head() -> Head:
    checkpoint = Checkpoint(origin="demo.log.example/audit", size=92_160, root=bytes.fromhex(digest("root")))
    note = checkpoint.text + "\n— demo.log.example/audit X0aISAAAAABqBxk" + "A" * 80 + "=\n"
    return Head(note=note, checkpoint=checkpoint, signers=(checkpoint.origin,))


@dataclass(frozen=True)
class Sample:
    """One page in one state: the address it stands for, its template and what it shows."""

    name: str
    path: str
    template: str
    context: dict[str, Any]
    status: int = 200


def samples() -> Iterator[Sample]:
    """Every page in every state."""
    yield from _public()
    yield from _procedures()
    yield from _openings()
    yield from _others()


def _public() -> Iterator[Sample]:
    for name, heavy in (("empty", False), ("heavy", True)):
        yield Sample(f"home-{name}", "/", "notices/home.html", {"home": home(heavy=heavy), "now": NOW})
    searches = {
        "empty": results(0),
        "light": results(3),
        "heavy": results(50, 5120, page=3),
        "no-words": results(0, text="不存在的词"),
        "no-stage": results(0, stage=Stage.OPENING),
        "no-both": replace(results(0, text="课桌椅", stage=Stage.ENDED), without_stage=14),
        "filtered": results(4, stage=Stage.OPEN, text="临江"),
    }
    for name, shown in searches.items():
        yield Sample(
            f"search-{name}", "/procedures", "notices/search.html", {"results": shown, "now": NOW, "page_size": 50}
        )


def _procedures() -> Iterator[Sample]:
    path = "/procedures/T-2026-7k3m9q2d"
    for state in LotState:
        shown = page(lot(state))
        context = {"page": shown, "now": NOW, "bundle_url": f"{path}/bundle.zip"}
        yield Sample(f"procedure-{state}", path, "notices/procedure.html", context)
    bare = page(lot(LotState.OPEN, bare=True), text_zh="", text_en="", notices=(), documents=(), log=())
    for name, halted in (
        ("void", replace(lot(LotState.CLOSING), is_void=True)),
        ("void-blocked", replace(lot(LotState.CLOSING), is_void=True, is_blocked=True)),
        ("blocked", replace(lot(LotState.CLOSING), is_blocked=True)),
        ("awaits-intake", replace(lot(LotState.CLOSING), is_blocked=True, awaits_intake=True)),
        ("moved", replace(lot(LotState.OPEN), schedule=replace(schedule(), cause="clock"))),
    ):
        yield Sample(f"procedure-{name}", path, "notices/procedure.html", {"page": page(halted), "now": NOW})
    yield Sample("procedure-bare", path, "notices/procedure.html", {"page": bare, "now": NOW})
    states = list(LotState)
    many = page(
        *(lot(states[n % len(states)], str(n + 1), 3 + n * 9) for n in range(8)),
        many=True,
        edition_id="demo.replay.2026",
    )
    yield Sample("procedure-heavy", path, "notices/procedure.html", {"page": many, "now": NOW})
    for name, text in (
        ("first", notice_text(changed=False)),
        ("correction", notice_text(changed=True)),
        ("superseded", notice_text(changed=True, later=True)),
    ):
        compared = [(change, changes.compare(change.old, change.new)) for change in text.changes]
        proofs = publications(text.number) if text.number > 1 or text.newest > 1 else ()
        logged = {"first": None, "correction": ReceiptState.LOGGED}.get(name, ReceiptState.WITNESSED)
        about = offers("tender.published" if name == "first" else "tender.changed", at=NOW - DAY, state=logged)
        context = {"notice": text, "compared": compared, "publications": proofs, "offers": about}
        yield Sample(f"notice-{name}", f"{path}/notices/{text.number}", "notices/notice.html", context)


def spoken() -> tuple[Spoken, ...]:
    """Two objections made on the spot, the first of them answered."""
    reply = Reply(
        text="经核对，唱标价与开标一览表一致；日志第 1 号投标可以查验。", at=NOW - 20_000, h=digest("reply"), entry_id=2
    )
    texts = ("我方报价读成了 298 万元，请核对是否与开标一览表一致。", "The delivery time of our bid was not read out.")
    answers = (reply, None)
    return tuple(
        Spoken(
            bidder=code(("bidder", n)), text=text, at=NOW - 60_000, h=digest(("spoken", n)), entry_id=1, answer=answer
        )
        for n, (text, answer) in enumerate(zip(texts, answers, strict=True))
    )


def _openings() -> Iterator[Sample]:
    path = "/procedures/T-2026-7k3m9q2d/lots/1"
    sealed = tuple(bid(n, verdict=None) for n in range(3))
    windows = Windows(objections_end_at=NOW - HOUR, checks_end_at=NOW - HOUR, on_the_spot_end_at=NOW + 250_000)
    states = {
        "before": ceremony(None),
        "preparing": ceremony(None, close_at=NOW - HOUR, phase="closed"),
        "failed": ceremony(None, close_at=NOW - HOUR, phase="failed", reason="fewer_than_three"),
        "cancelled": ceremony(None, close_at=NOW - HOUR, phase="cancelled"),
        "ordered": ceremony("ordered", sealed, raised=2, decided=1),
        "factor": ceremony("factor", sealed),
        "released": ceremony("factor_closed", sealed),
        "combined": ceremony("combined", (replace(sealed[0], result_in=True), *sealed[1:]), results_in=1),
        "spoken": ceremony("combined", opened(3), windows=windows, spoken=spoken()),
        "completed": ceremony("completed", opened(5), spoken=spoken()[:1]),
        "text": ceremony("completed", opened(5), spoken=spoken()[:1]),
        "sorted": ceremony("completed", opened(5)),
        "heavy": ceremony("completed", opened(60)),
    }
    for name, shown in states.items():
        about = offers("tender.closed", "open.ordered", "opening.completed", at=NOW) if shown.completed else []
        wish = Wish(by=By.PRICE if name == "sorted" else By.ORDER, plain=name == "text")
        context = {
            "c": shown, "table": read_out(shown, wish.by, "zh"), "wish": wish, "now": NOW, "version": "0" * 16,
            "refresh": name == "factor", "offers": about,
        }  # fmt: skip
        yield Sample(f"opening-{name}", f"{path}/opening", "notices/opening.html", context)
    outcomes = {
        "ranked": result(4, awarded=False, published=False),
        "awarded": result(5, published=False),
        "published": result(5),
        "single": result(1, ceiling=None),
        "none": replace(result(1, awarded=False, published=False), rows=(), ceiling=None),
        "heavy": result(30),
    }
    for name, outcome in outcomes.items():
        about = offers("bids.ranked", "award.determined", "result.published", at=NOW, state=ReceiptState.STAMPED)
        context = {"result": outcome, "plot": plot(outcome), "offers": about}
        yield Sample(f"result-{name}", f"{path}/result", "notices/result.html", context)


def closed_logs() -> list[ClosedLog]:
    """Return two closed logs, the newest first."""
    reasons = ("日志密钥可能泄露 / the key may be known to others", "日志主机损毁 / the host of the log was lost")
    return [
        ClosedLog(base=base, origin=f"log{base}.example/audit", size=size, checkpoint=b"", reason=reason)
        for base, size, reason in ((184_320, 5_529_600, reasons[0]), (0, 184_320, reasons[1]))
    ]


def _others() -> Iterator[Sample]:
    origin = "demo.log.example/audit"
    log_page: dict[str, object] = {"origin": origin, "policy": None, "covered": False, "earlier": []}
    yield Sample("log-empty", "/log", "log/index.html", {"head": None, **log_page})
    yield Sample("log", "/log", "log/index.html", {"head": head(), **log_page})
    yield Sample("log-continued", "/log", "log/index.html", {"head": head(), **log_page, "earlier": closed_logs()})
    yield Sample("log-covered", "/log", "log/index.html", {"head": head(), **log_page, "covered": True})
    verifier = {
        "policy_text": policy_text(origin),
        "verifier_sha256": digest("verify.py"),
        "verifier_size": 98_412,
    }
    verify_page = {"head": head(), "origin": origin, "earlier": [], **verifier}
    yield Sample("verify", "/verify", "log/verify.html", verify_page)
    yield Sample("verify-continued", "/verify", "log/verify.html", {**verify_page, "earlier": closed_logs()})
    absent = {"head": None, **log_page, "policy_text": "", "verifier_sha256": None, "verifier_size": 0}
    yield Sample("verify-absent", "/verify", "log/verify.html", absent)
    yield Sample("receipts", "/receipts", "log/receipts.html", {"asked": "", "problem": False})
    yield Sample("receipts-problem", "/receipts?h=12", "log/receipts.html", {"asked": "12", "problem": True})
    public = Entry(h=digest(1), n=184_201, sequenced=True, procedure="T-2026-7k3m9q2d", kind="tender.published", at=NOW)
    sealed = Entry(h=digest(2), n=None, sequenced=True, procedure=None, kind=None, at=None)
    issued = stamped_receipt(184_201)
    offered = {"public": replace(offers("tender.published", at=NOW)[0], state=issued.state, tokens=issued.tokens)}
    for name, entry in (("public", public), ("sealed", sealed), ("waiting", replace(sealed, sequenced=False))):
        context = {"entry": entry, "offer": offered.get(name)}
        yield Sample(f"entry-{name}", f"/log/entries/{entry.h}", "log/entry.html", context)
    yield Sample("help", "/help", "help/index.html", {})
    for language in refusals.LANGUAGES:
        rows = [(key, each.texts[language]) for key, each in sorted(refusals.catalogue().items())]
        yield Sample(f"codes-{language}", "/help/codes", "help/codes.html", {"rows": rows})
