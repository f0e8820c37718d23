"""Desk of a ceremony, custodians, supervision and audit in their states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.build.pages import BIDDERS, CLOSE, DAY, HOUR, NOW, Sample, code, digest, spoken
from trading.audit.verifying import Check, Run
from trading.custody.queries import KeyRow
from trading.disclosure.auditor import Runs
from trading.evaluation.forms import RenewalForm
from trading.evaluation.queries import RenewalRow
from trading.kernel.canonical import dumps
from trading.kernel.roles import Actor, Role
from trading.openings.forms import AnswerFileForm, AnswerForm, DecisionForm, ObjectionForm, SpotForm, finding_form
from trading.openings.model import Place
from trading.openings.queries import CeremonyRow, OpeningRow
from trading.openings.rules.on_the_spot import Window
from trading.openings.service.desk import Desk, Objection, Paper, Report
from trading.openings.service.keeping import Keeping, Kept, Task
from trading.parties.model import SigningKey
from trading.procedures.queries import ProcedureRow
from trading.rulebook.keys import Key
from trading.supervision.queries import Told, Watched, WatchedLot, Wish
from trading.supervision.rules.lamps import Colour, Lamp, State
from trading.supervision.service import Board, Supervised
from trading.web.desks import Desk as Entry
from trading.web.forms import Form
from trading.web.signing import SigningForm

REFERENCE = "T-2026-7k3m9q2d"
PLACE = {"reference": REFERENCE, "lot": "1"}
BASE = f"/procedures/{REFERENCE}/lots/1/opening"
SUPERVISOR = Actor(account="a-s", roles=frozenset({Role.SUPERVISOR}), organisation=code("s"))
AGENT = Actor(account="a-a", roles=frozenset({Role.AGENCY}), organisation=code("a"))
BIDS = tuple(f"b-{digest(('bid', n))[:12]}" for n in range(4))
NAMES = {bid: (code(("bidder", n)), *BIDDERS[n]) for n, bid in enumerate(BIDS)}


def opening_row(step: str = "ordered", **fields: object) -> OpeningRow:
    values: dict[str, Any] = {
        "id": 1, "step": step, "order_sha256": digest("order"), "order_seq": 1, "first_ordered_at": NOW - HOUR,
        "ordered_at": NOW - HOUR, "factor_ends_at": None, "factor_list_sha256": None, "factor_closed_at": None,
        "gaps_at": None, "gaps": (), "release_closed_at": None,
    }  # fmt: skip
    return OpeningRow(**{**values, **fields})


def row(step: str | None = "ordered", *, phase: str = "opening", lot: str = "1") -> CeremonyRow:
    return CeremonyRow(
        place=Place(procedure=REFERENCE, procedure_id=1, lot=lot, stage="all"),
        title_zh="彩色多普勒超声诊断仪采购项目",
        title_en="Colour Doppler ultrasound systems",
        lot_zh="彩色多普勒超声诊断仪",
        lot_en="Ultrasound systems",
        phase=phase,
        close_at=NOW - HOUR,
        policy_sha256=digest("policy"),
        opening=None if step is None else opening_row(step),
    )


def paper(typ: str, *needs: str, h: str | None = None, **content: object) -> Paper:
    doc = dumps({"created": NOW - HOUR, "typ": typ, "v": 1, **content})
    return Paper(sha256=digest((typ, needs)), typ=typ, doc=doc, needs=needs, signed=2 - len(needs), h=h)


def papers() -> dict[str, Paper]:
    ordered = [
        {
            "bid": bid,
            "envelope_sha256": digest(("envelope", n)),
            "objection_h": None if n else digest("o"),
            "seq": n + 1,
        }
        for n, bid in enumerate(BIDS)
    ]
    results = [
        {"bid": bid, "faults": [{"code": "CUSTODIAN_ABSENT", "custodian": 5}] if n == 2 else [], "verdict": verdict}
        for n, (bid, verdict) in enumerate(zip(BIDS, ("OK", "OK", "BIDDER_NO_FACTOR", "OK"), strict=True))
    ]
    return {
        "order": paper(
            "sb1.open-order", "agency", "supervisor", bids=ordered, close=NOW - HOUR, lot="1", seq=1,
            station_pk="mA9x" * 20,
        ),
        "factors": paper(
            "sb1.factor-list", "supervisor",
            items=[{"bid": bid, "result": "missing" if n == 2 else "valid"} for n, bid in enumerate(BIDS)],
        ),
        "decision": paper(
            "sb1.objection-decision", "supervisor", decision="add", envelope_sha256=digest("e"), objection_h=digest("o")
        ),
        "confirmation": paper(
            "mb.closing-confirmation", "supervisor", close=NOW - HOUR, lot="1", reason="clock", stage="all"
        ),
        "findings": paper(
            "sb1.adjudication", "supervisor", custodian=4, items=[{"bid": BIDS[1], "finding": "dealt_bad"}]
        ),
        "transcript": paper("sb1.transcript", "supervisor", items=results, tier="bidders"),
        "complete": paper("sb1.transcript", h=digest("done"), items=results, tier="audit"),
    }  # fmt: skip


def objection(number: int, decision: str | None = None) -> Objection:
    return Objection(
        h=digest("o") if number == 0 else digest(("o", number)),
        bid=BIDS[number],
        envelope_sha256=digest(("envelope", number)),
        order_sha256=digest("order"),
        bidder=NAMES[BIDS[number]][0],
        at=NOW - HOUR // 2,
        decision=decision,
    )


REPORT = Report(custodian=4, name="临江市正信公证处", codes={BIDS[1]: "hpke_open_failed", BIDS[2]: "commit_mismatch"})
EMPTY = Desk(row=row(None, phase="closed"), papers=(), objections=(), reports=(), names={})
FULL = Desk(
    row=row(),
    papers=tuple(papers().values()),
    objections=(objection(0), objection(1, "reject"), objection(2, "add")),
    reports=(REPORT,),
    names=NAMES,
    spoken=spoken(),
    spot_ends_at=NOW + 250_000,
)


def _ceremony() -> Iterator[Sample]:
    for name, desks in (("empty", []), ("full", [FULL, EMPTY])):
        context = {"desks": desks, "actor": SUPERVISOR}
        yield Sample(f"openings-{name}", "/openings", "openings/index.html", context)
    blocked = replace(EMPTY, row=row(None, phase="open"), blocked=("clock",))
    shown_to = (
        ("empty", EMPTY, AGENT),
        ("full", FULL, SUPERVISOR),
        ("agency", FULL, AGENT),
        ("blocked", blocked, AGENT),
    )
    for name, shown, actor in shown_to:
        context = {"desk": shown, "actor": actor, "decides": actor is SUPERVISOR, "answers": actor is AGENT, **PLACE}
        yield Sample(f"openings-desk-{name}", f"{BASE}/desk", "openings/desk.html", context)
    for name, each in papers().items():
        context = {"desk": FULL, "paper": each, "role": None, "form": SigningForm, **PLACE}
        yield Sample(f"openings-paper-{name}", f"{BASE}/desk/{each.sha256}", "openings/paper.html", context)
    for name, decided in (("open", None), ("decided", "add")):
        context = {"desk": FULL, "objection": objection(0, decided), "form": DecisionForm, **PLACE}
        yield Sample(
            f"openings-decide-{name}", f"{BASE}/desk/objections/{digest('o')}", "openings/decide.html", context
        )
    context = {"desk": FULL, "report": REPORT, "form": partial(finding_form, REPORT), **PLACE}
    yield Sample("openings-adjudicate", f"{BASE}/desk/reports/4", "openings/adjudicate.html", context)
    for name, own in (("none", []), ("some", [objection(0), objection(1, "reject"), objection(2, "add")])):
        context = {"procedure": None, "own": own, "form": ObjectionForm, **PLACE}
        yield Sample(f"openings-objection-{name}", f"{BASE}/objection", "openings/objection.html", context)
    yield from _on_the_spot()


def _on_the_spot() -> Iterator[Sample]:
    windows = {
        "early": (Window(begins_at=None, length_ms=300_000), ()),
        "open": (Window(begins_at=NOW - 50_000, length_ms=300_000), spoken()),
        "late": (Window(begins_at=NOW - HOUR, length_ms=300_000), spoken()[:1]),
    }
    for name, (window, own) in windows.items():
        context = {"window": window, "now": NOW, "own": own, "form": SpotForm, **PLACE}
        yield Sample(f"openings-on-the-spot-{name}", f"{BASE}/on-the-spot", "openings/on_the_spot.html", context)
    for name, each in zip(("answered", "open"), spoken(), strict=True):
        context = {"desk": FULL, "objection": each, "form": AnswerForm, **PLACE}
        yield Sample(f"openings-answer-{name}", f"{BASE}/desk/on-the-spot/{each.h}", "openings/answer.html", context)


# ------------------------------------------------------------------ custodians


def kept(step: str | None, *tasks: Task, **fields: object) -> Kept:
    key = KeyRow(
        procedure_id=1, lot="1", stage="all", kid=digest("kid"), name="临江市正信公证处", role="notary",
        doc_sha256=digest("key"), challenge_sha256=digest("challenge"), state=str(fields.pop("state", "proved")),
    )  # fmt: skip
    values: dict[str, Any] = {
        "key": key,
        "reference": REFERENCE,
        "title_zh": "彩色多普勒超声诊断仪采购项目",
        "title_en": "Colour Doppler ultrasound systems",
        "lot_zh": "彩色多普勒超声诊断仪",
        "lot_en": "Ultrasound systems",
        "phase": "open" if step is None else "opening",
        "close_at": CLOSE if step is None else NOW - HOUR,
        "opening": None if step is None else opening_row(step),
        "custodian": 4,
        "k": 3,
        "n": 5,
        "tasks": tasks,
        "codes": (),
        "released": 0,
        "checked_by": 0,
    }
    return Kept(**{**values, **fields})


def task(kind: str, *, answered: bool = True, minutes: int = 5, refusal: str | None = None) -> Task:
    since = NOW - minutes * 60_000
    return Task(
        id=f"j-{kind}",
        kind=kind,
        since=since,
        ends_at=since + 900_000,
        answered_at=since + 4_000 if answered else None,
        refused_at=None if refusal is None else NOW - 60_000,
        refusal=refusal,
    )


#: One of each kind of words; the last is a code that nobody has heard of.
REFUSALS = (
    *("release.approvals", "order.fork", "order.checkpoint", "order.early", "sig.missing", "order.late_bid"),
    *("schedule.earlier", "policy.mismatch", "key.destroyed", "release.unchecked", "release.subset"),
    *("disclose.bound", "odd.code"),
)
DONE = (task("key"), task("prove"), task("admit"))


def keepings() -> dict[str, Kept]:
    ok = ("ok",) * 4
    return {
        "sealed": kept(None, *DONE),
        "challenged": kept(
            None, DONE[0], task("prove", answered=False), state="challenged", close_at=None, custodian=None
        ),
        "asked": kept(None, task("key", answered=False), state="asked", close_at=None, custodian=None, phase="draft"),
        "failed": kept(None, *DONE, phase="failed", close_at=NOW - HOUR),
        "checking": kept("ordered", *DONE, task("check", answered=False, minutes=12), checked_by=2),
        "refused": kept(
            "factor_closed", *DONE, *(task("release", answered=False, refusal=code) for code in REFUSALS), checked_by=5
        ),
        "checked": kept("factor", *DONE, task("check"), codes=ok, checked_by=5),
        "reported": kept("factor", *DONE, task("check"), codes=(*ok[:2], "bad_index", "commit_mismatch"), checked_by=5),
        "awaited": kept(
            "factor_closed",
            *DONE,
            task("check"),
            task("release", answered=False, minutes=34),
            codes=ok,
            released=2,
            checked_by=5,
        ),
        "released": kept("factor_closed", *DONE, task("check"), task("release"), codes=ok, released=3, checked_by=5),
        "opened": kept("completed", *DONE, task("check"), task("release"), codes=ok, released=3, checked_by=5),
        "destroyed": kept(
            "completed", *DONE, task("check"), task("release"), codes=ok, released=3, checked_by=5, destroyed_at=NOW
        ),
    }


def _custodians() -> Iterator[Sample]:
    key = SigningKey(kid=digest("kid"), org_code=code("notary"), role="custodian", alg="ES256", spki=b"", active=True)
    lots = tuple(keepings().values())
    states = {
        "new": Keeping(keys=(), polled_at=None, lots=()),
        "silent": Keeping(keys=(key,), polled_at=NOW - 3 * HOUR, lots=lots[:1]),
        "never": Keeping(keys=(key,), polled_at=None, lots=()),
        "busy": Keeping(keys=(key,), polled_at=NOW - 3_000, lots=lots),
    }
    for name, shown in states.items():
        context = {"keeping": shown, "now": NOW, "silent_ms": 120_000}
        yield Sample(f"custodian-{name}", "/custodian", "openings/custodian.html", context)
    for name, one in keepings().items():
        lot_context = {"kept": one, "now": NOW, "escalation": (10, 20, 30)}
        path = f"/custodian/lots/{REFERENCE}/1"
        yield Sample(f"custodian-lot-{name}", path, "openings/custodian_lot.html", lot_context)
    lot = keepings()["awaited"]
    tasks = {
        "waits": task("release", answered=False),
        "answered": task("check"),
        "disclose": task("disclose", answered=False),
        "destroyed": None,
    }
    for name, each in tasks.items():
        hand_context = {"kept": lot, "task": each, "form": AnswerFileForm}
        yield Sample(f"custodian-by-hand-{name}", "/custodian/jobs/j-release", "openings/by_hand.html", hand_context)


# ------------------------------------------------------------------ supervision


def lamp(track: str, state: State, *, days: int, rule: str = "AWD-09", source: str = "政府采购法实施条例 43") -> Lamp:
    done = None if state in {State.OVERDUE, State.SOON, State.RUNNING, State.DARK} else NOW - DAY
    return Lamp(
        track=track, lot=None if track == "answer" else "1", state=state, started_at=NOW - 9 * DAY,
        due_at=None if state is State.DARK else NOW + days * DAY, done_at=done, key=Key.AWARD_DECIDE_WITHIN,
        rule_id=rule, source=source, h=digest((track, state)),
    )  # fmt: skip


def supervised(number: int, *lamps: Lamp, step: str | None = "completed") -> Supervised:
    titles = (
        ("彩色多普勒超声诊断仪采购项目", "Colour Doppler ultrasound systems"),
        ("义务教育学校课桌椅更新", "School desks and chairs for compulsory education"),
        ("清河中游水质自动监测站运行维护服务（三年期）", "Operation of water quality stations, three years"),
    )
    zh, en = titles[number % 3]
    procedure = ProcedureRow(
        id=number, reference=REFERENCE if not number else f"T-2026-{digest(number)[:8]}", kind="open_tender_gp",
        regime="GP", jurisdiction="CN", edition_id="cn.2026-02-01", edition_sha256=digest("e"), phase="published",
        version=3, title_zh=zh, title_en=en, buyer_code=code("b"), agency_code=code("a"), supervisor_code=code("s"),
        drafted_by="a-1", spec=b"{}", published_at=NOW - 30 * DAY,
    )  # fmt: skip
    lot = WatchedLot(
        number="1", title_zh="超声", title_en="Ultrasound", phase="opened", close_at=NOW - 5 * DAY, step=step
    )
    watched = Watched(
        row=procedure, buyer_zh="临江市第三人民医院", buyer_en="Linjiang Third People's Hospital", lots=(lot,), acts=()
    )
    return Supervised(watched=watched, lamps=lamps)


LAMPS = (
    lamp("result", State.OVERDUE, days=-3, rule="AWD-11"),
    lamp("award", State.SOON, days=1),
    lamp("answer", State.DARK, days=0, rule="OBJ-09", source="政府采购法实施条例 52"),
    lamp("contract", State.RUNNING, days=21, rule="CON-01", source="政府采购法 46; 87-71"),
    lamp("filing", State.LATE, days=-2, rule="CON-03", source="政府采购法 47"),
    lamp("opening", State.KEPT, days=-5, rule="OPN-01", source=""),
    lamp("preparation", State.KEPT, days=-5, rule="DOC-04", source="招标投标法 24; 政府采购法 35"),
)
BOARD = Board(
    procedures=(supervised(0, *LAMPS), supervised(1, LAMPS[1], LAMPS[3]), supervised(2, *LAMPS[5:], step=None)), now=NOW
)


def told(count: int) -> list[Told]:
    kinds = ("opening.completed", "opening.combined", "share.released", "open.ordered", "tender.changed")
    return [
        Told(
            h=digest(("told", n)), kind=kinds[n % len(kinds)], reference=REFERENCE, lot="1", at=NOW - n * 70_000,
            actor="person", article="电子招标投标办法 30" if n % 2 else None,
        )
        for n in range(count)
    ]  # fmt: skip


OTHERS = (
    Entry(endpoint="ceremony.index", title_zh="主持开标", title_en="Openings to conduct", note_zh="", note_en=""),
)


RENEWAL = RenewalRow(seat="m-6t1v3n8ryc0e", version=1, reason="电脑硬盘损坏，评分表没有另存。", answer=None)


def _supervision() -> Iterator[Sample]:
    boards = {
        "empty": (Board(procedures=(), now=NOW), None),
        "full": (BOARD, None),
        "red": (BOARD, Colour.RED),
        "quiet": (BOARD, Colour.GREY),
    }
    for name, (board, colour) in boards.items():
        desks = [FULL] if name == "full" else []
        context = {
            "board": board, "now": NOW, "colour": colour, "desks": desks, "others": OTHERS, "actor": SUPERVISOR,
            "version": "0" * 16, "refresh": name == "red",
        }  # fmt: skip
        yield Sample(f"supervision-{name}", "/supervision", "supervision/index.html", context)
    for name, shown in (
        ("done", supervised(0, *LAMPS)),
        ("sealed", supervised(2, LAMPS[-1], step=None)),
        ("new", supervised(1, step=None)),
    ):
        renewals = [("1", RENEWAL)] if name == "done" else []
        form = partial(RenewalForm, formdata=None)
        context = {
            "supervised": shown, "told": told(4) if name == "done" else [], "now": NOW,
            "renewals": renewals, "may_void": True, "form": form,
        }  # fmt: skip
        path = f"/supervision/procedures/{REFERENCE}"
        yield Sample(f"supervision-procedure-{name}", path, "supervision/procedure.html", context)
    for name, rows, wish in (
        ("live", told(30), Wish()),
        ("empty", [], Wish()),
        ("filtered", told(3), Wish(kind="open.ordered")),
    ):
        context = {
            "told": rows, "wish": wish, "kinds": ["open.ordered", "tender.changed"], "live": wish == Wish(),
            "older": "/supervision/log?before=00" if name == "live" else None, "events": "/supervision/log/events",
            "version": "0" * 16, "now": NOW, "refresh": False,
        }  # fmt: skip
        yield Sample(f"supervision-log-{name}", "/supervision/log", "supervision/log.html", context)


# ------------------------------------------------------------------ audit


def run(state: str, **fields: object) -> Run:
    return Run(name=digest((state, str(fields)))[:10], account="a-1", asked_at=NOW - HOUR, state=state, **fields)  # type: ignore[arg-type]


def checks(**results: bool | None) -> tuple[Check, ...]:
    names = ("chain", "tiles", "notes", "tokens", "positions", "records", "state", "apart")
    found = {name: (None if name == "apart" else True) for name in names} | results
    details = {
        "tiles": ("tile/0/000.p/117: not what the entries hash to",),
        "apart": ("expert_identity", "score_sheet"),
    }
    return tuple(
        Check(name=name, ok=ok, details=details.get(name, ()) if ok is not True else ()) for name, ok in found.items()
    )


def runs() -> dict[str, Runs]:
    good = run("done", done=234, total=234, size=117, ended_at=NOW - HOUR, checks=checks())
    bad = run("done", done=184, total=184, size=92, ended_at=NOW - DAY, checks=checks(tiles=False))
    part = run("done", done=8, total=8, size=4, ended_at=NOW - DAY, checks=checks(notes=None))
    half = run("running", done=92_160, total=184_320)
    return {
        "none": Runs(newest=(), counted=True),
        "waiting": Runs(newest=(run("waiting"),), counted=True),
        "running": Runs(newest=(half, good), counted=True),
        "hidden": Runs(newest=(half,), counted=False),
        "done": Runs(newest=(good, bad, part), counted=True),
    }


def _audit() -> Iterator[Sample]:
    ready = [supervised(n).watched for n in range(3)]
    for name, bundles, waiting, shown in (
        ("empty", [], [], "none"),
        ("full", ready, ready[:2], "done"),
        ("running", ready, [], "running"),
    ):
        context = {"ready": bundles, "waiting": waiting, "form": Form, "runs": runs()[shown]}
        yield Sample(f"audit-{name}", "/audit", "disclosure/auditor.html", context)
    for name, each in runs().items():
        context = {"runs": each, "form": Form, "now": NOW, "refresh": False}
        yield Sample(f"audit-verification-{name}", "/audit/verification", "disclosure/verification.html", context)
    for name, rows, wish in (("full", told(30), Wish()), ("empty", [], Wish(kind="open.ordered"))):
        context = {
            "told": rows, "wish": wish, "kinds": ["open.ordered"], "general": rows[:3],
            "older": "/audit/log?before=00" if rows else None, "sought": "" if rows else "12x",
        }  # fmt: skip
        yield Sample(f"audit-log-{name}", "/audit/log", "disclosure/log.html", context)


def samples() -> Iterator[Sample]:
    """Yield every page of this part in every state."""
    yield from _ceremony()
    yield from _custodians()
    yield from _supervision()
    yield from _audit()
