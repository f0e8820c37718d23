"""Pages of committees, draws, calls and seats in their states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from tests.build import draws as vectors
from tests.build.offers import offers
from tests.build.pages import DAY, HOUR, NOW, Sample, digest
from trading.demo import cast
from trading.experts.forms import (
    AppointForm,
    BeginForm,
    CallForm,
    CancelForm,
    ContestForm,
    DecideContestForm,
    DeclareForm,
    PlanForm,
    ReplaceForm,
    SeatForm,
    TakeForm,
)
from trading.experts.queries import (
    CallRow,
    CommitteeRow,
    ContestRow,
    DrawRow,
    MemberRow,
    PanelName,
    PaperRow,
    StepRow,
    StratumCount,
    ToldRow,
)
from trading.experts.rules.composition import Member
from trading.experts.rules.contributions import contribution_commit
from trading.experts.rules.discipline import PROMISE_EN, PROMISE_ZH
from trading.experts.rules.disclosed import make_leaves
from trading.experts.rules.finals import FINAL, parse_final, seed
from trading.experts.rules.plan import Need, Plan
from trading.experts.rules.pool import Stratum
from trading.experts.rules.results import RESULT
from trading.experts.rules.spec import Composition, Excluded, Party, Spec
from trading.experts.rules.specialties import SEED
from trading.experts.rules.strata import counted, stratum_title
from trading.experts.rules.tickets import order
from trading.experts.rules.walk import trail_root
from trading.experts.service.calls import OpenCall
from trading.experts.service.contests import Notice
from trading.experts.service.pages import (
    GUESSABLE,
    AttemptRow,
    CustodianRow,
    DrawPage,
    PartyRow,
    PlanPage,
    Short,
    StratumRow,
    Waiting,
)
from trading.experts.service.recomputing import AttemptProof
from trading.kernel.canonical import dumps
from trading.kernel.errors import RuleBroken
from trading.procedures.queries import ProcedureRow
from trading.web.signing import SigningForm, signable

REFERENCE, DRAW = "T-2026-7k3m9q2d", "D-7k3m9q2d4f6h"
FURNITURE, AUDIT = "A0501-C", "C2302-P"
PROCEDURE = ProcedureRow(
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
    buyer_code="12110108MA0DEM001D",
    agency_code="12110108MA0DEM002B",
    supervisor_code="12110108MA0DEM0048",
    drafted_by="a-1",
    spec=b"{}",
    published_at=NOW - 20 * DAY,
)
PROMISE = (PROMISE_ZH, PROMISE_EN)
PLAN = Plan(
    raw=b"",
    created=NOW - DAY,
    evaluation_at=NOW + DAY,
    large=False,
    place_en="Evaluation room 3, Linjiang Trading Centre",
    place_zh="临江公共资源交易中心三号评标室",
    representatives=1,
    strata=(Need(id=FURNITURE, need=4), Need(id=AUDIT, need=2)),
    tender=REFERENCE,
)
SPEC = Spec(
    raw=b"",
    attempt=1,
    beacon=None,
    call_ms=HOUR // 2,
    commit_ms=600_000,
    committee=Composition(appointed=0, representatives=1, seated=0),
    draw=DRAW,
    excl_root=bytes.fromhex(digest("excluded")),
    exclusion_key_commit=bytes.fromhex(digest("kx")),
    excluded=(Excluded(count=3, id=FURNITURE), Excluded(count=1, id=AUDIT)),
    limits=("person", "unit"),
    min_valid=3,
    parties=(Party(id="agency", kid=digest("agency")),),
    policy_sha256=digest("policy"),
    pool_key_commit=bytes.fromhex(digest("kd")),
    pool_root=bytes.fromhex(digest("pool")),
    pool_size=412,
    previous=None,
    procedure_commit=bytes.fromhex(digest("procedure")),
    register_size=1204,
    reveal_ms=300_000,
    rule_version="mb-experts-1",
    strata=(Stratum(a=0, b=386, id=FURNITURE, need=4), Stratum(a=386, b=412, id=AUDIT, need=2)),
)
CUSTODIANS = ("临江县政府采购中心", "临江公共资源交易中心", "临江县财政局", "临江公证处", "江北省采购协会")
NAMES = (
    ("agency", ("临江县政府采购中心", "Linjiang Procurement Agency")),
    ("centre", ("临江公共资源交易中心", "Linjiang Trading Centre")),
    ("notary", ("临江公证处", "Linjiang Notary Office")),
    ("supervisor", ("临江县财政局", "Linjiang Finance Bureau")),
)

_RECEIPTS = ("draw.specified", "draw.committed", "draw.sealed", "draw.seeded", "draw.result", "draw.disclosed")


def row(state: str) -> DrawRow:
    sealed = state not in {"policy_fixed", "specified"}
    seeded = sealed and state != "sealed"
    return DrawRow(
        id=1,
        draw=DRAW,
        attempt=1,
        tender_id=1,
        state=state,
        salt=bytes(32),
        policy_sha256=digest("policy"),
        spec_sha256=None if state == "policy_fixed" else digest("spec"),
        specified_at=NOW - HOUR,
        sealed_h=digest("sealed") if sealed else None,
        sealed_at=NOW - HOUR // 2 if sealed else None,
        seed=bytes.fromhex(digest("seed")) if seeded else None,
        seeded_at=NOW - HOUR // 3 if seeded else None,
        result_sha256=digest("result") if state in {"resulted", "disclosed"} else None,
        result_seq=1 if state in {"resulted", "disclosed"} else 0,
    )


def committee(state: str) -> CommitteeRow:
    draw = None if state == "planned" else DRAW
    return CommitteeRow(id=1, procedure_id=1, plan_sha256=digest("plan"), state=state, draw=draw)


def paper(typ: str) -> PaperRow:
    doc = dumps({"attempt": 1, "created": NOW, "draw": DRAW, "typ": typ, "v": 1})
    return PaperRow(
        sha256=digest(typ), draw=DRAW, attempt=1, typ=typ, doc=doc, sigs=b"[]", created_at=NOW - HOUR, h=None
    )


def strata(*, frozen: bool, called: bool) -> tuple[StratumRow, ...]:
    states = ({"SELECTED": 4, "REFUSED": 2, "UNREACHABLE": 1, "EXCLUDED": 1}, {"SELECTED": 1, "CALLED": 1, "LIMIT": 1})
    return tuple(
        StratumRow(
            id=item.id,
            title=stratum_title(item.id),
            need=item.need,
            size=item.b - item.a if frozen else None,
            excluded=told.count if frozen else None,
            states=found if called else {},
        )
        for item, told, found in zip(SPEC.strata, SPEC.excluded, states, strict=True)
    )


def parties(*, committed: int, revealed: bool) -> tuple[PartyRow, ...]:
    rows = []
    for number, (name, title) in enumerate(NAMES):
        given = number < committed
        how = None if not revealed else "recovered" if name == "notary" else "revealed"
        rows.append(
            PartyRow(
                id=name,
                name=title,
                commit=digest(name) if given else None,
                lacking=(2, 5) if given and not revealed and number == 1 else (),
                how=how,
                r=digest(("r", name)) if revealed else None,
            )
        )
    return tuple(rows)


def members(*states: str) -> tuple[MemberRow, ...]:
    return tuple(
        MemberRow(
            id=number,
            seat=f"m-{digest(('seat', number))[:12]}",
            kind="representative" if number == 0 else "expert",
            stratum=None if number == 0 else FURNITURE,
            state=state,
            attempt=None if number == 0 else 1,
            index=None if number == 0 else 17 * number,
        )
        for number, state in enumerate(states)
    )


def trail() -> tuple[StepRow, ...]:
    states = ("CALLED", "CALLED", "LIMIT", "CALLED", "REFUSED", "CALLED", "SELECTED", "SELECTED", "UNREACHABLE")
    indices = (17, 203, 88, 311, 203, 5, 17, 311, 5)
    return tuple(
        StepRow(
            index=index,
            stratum=FURNITURE,
            state=state,
            reason_commit=None,
            at=NOW - HOUR // 3 + 60_000 * number,
            h=bytes.fromhex(digest(("step", number))),
        )
        for number, (index, state) in enumerate(zip(indices, states, strict=True))
    )


def draw_page(state: str | None) -> DrawPage:
    frozen = state not in {None, "policy_fixed"}
    late = state in {"seeded", "resulted", "disclosed"}
    both, centre = ("centre", "supervisor"), ("centre",)
    pending: dict[str | None, tuple[tuple[PaperRow, tuple[str, ...]], ...]] = {
        None: ((paper("ed1.policy"), both),),
        "policy_fixed": ((paper("ed1.spec"), both), (paper("ed1.escrow"), centre)),
        "seeded": ((paper("ed1.result"), ("supervisor",)),),
    }
    return DrawPage(
        draw=DRAW,
        row=None if state is None else row(state),
        committee=committee("drawn" if state in {"resulted", "disclosed"} else "drawing"),
        plan=PLAN,
        procedure=PROCEDURE,
        spec=SPEC if frozen else None,
        strata=strata(frozen=frozen, called=late),
        parties=() if not frozen else parties(committed=4 if state != "specified" else 2, revealed=late),
        custodians=tuple(
            CustodianRow(name=name, proved=state is not None or number < 3, checked=6 if frozen else 0)
            for number, name in enumerate(CUSTODIANS)
        ),
        pending=pending.get(state, ()),
        attempts=() if state is None else (AttemptRow(number=1, state=state, reason=None),),
        members=members("present", "present", "expected", "recused", "expected") if state == "resulted" else (),
        trail=trail() if late else (),
    )


def names() -> tuple[PanelName, ...]:
    people = (
        ("欧阳明", "江北理工大学"),
        ("李静", "临江市第一中学"),
        ("赵学文", "江北省家具质量监督检验所"),
        ("王芳", "临江师范学院"),
    )
    found = [
        PanelName(
            seat=f"m-{number}",
            name=name,
            employer=employer,
            kind="expert",
            stratum=FURNITURE,
            index=17 * number + 5,
            leaf=b"{}",
        )
        for number, (name, employer) in enumerate(people)
    ]
    representative = PanelName(
        seat="m-9",
        name="周建国",
        employer="临江县教育局",
        kind="representative",
        stratum=None,
        index=None,
        leaf=None,
    )
    return (*found, representative)


SHORT = (Short(id=AUDIT, title=stratum_title(AUDIT), eligible=3, need=2),)


def attempt_proof(number: int) -> AttemptProof:
    """Return an attempt over the pool of the vectors; every number gives other contributions, so another order."""
    rs = {party: bytes.fromhex(digest(("r", party, number))) for party in vectors.PARTIES}
    spec = vectors.SPEC
    commits = [
        {"commit": contribution_commit(spec.sha256, party, rs[party]).hex(), "party": party} for party in sorted(rs)
    ]
    final = parse_final(FINAL.write({"commits": commits, "spec_sha256": spec.sha256}))
    drawn = seed(final, [rs[party] for party in sorted(rs)])
    steps = [
        StepRow(index=index, stratum=item.id, state=state, reason_commit=None, at=NOW, h=bytes(32))
        for item in spec.strata
        for index in order(drawn, item.id, item.a, item.b)[: item.need]
        for state in ("CALLED", "SELECTED")
    ]
    seats = [{"index": step.index, "stratum": step.stratum} for step in steps if step.state == "SELECTED"]
    result = RESULT.write(
        {
            "attempt": spec.attempt,
            "draw": spec.draw,
            "selected": sorted(seats, key=lambda seat: (seat["stratum"], seat["index"])),
            "seed": drawn.hex(),
            "seq": 1,
            "spec_sha256": spec.sha256,
            "supersedes": None,
            "trail_root": trail_root([step.h for step in steps]).hex(),
        }
    )
    pool = vectors.vector_pool()
    return AttemptProof(
        number=number,
        spec=spec.raw.decode(),
        final=final.raw.decode(),
        revealed=tuple((party, rs[party].hex()) for party in sorted(rs)),
        seed=drawn.hex(),
        strata=spec.strata,
        trail=tuple(steps),
        result=result.decode(),
        leaves=make_leaves(spec, (pool.opened(step.index) for step in steps if step.state == "SELECTED")).decode(),
    )


def replace_form(page: DrawPage) -> ReplaceForm:
    form = ReplaceForm(formdata=None)
    form.seat.choices = [SelectChoice(each.seat, each.seat) for each in page.members]
    return form


def plan_form(*, wrong: bool = False) -> PlanForm:
    form = PlanForm(formdata=None)
    form.offer(SEED)
    if wrong:
        form.need1.data = 3
        form.refuse(RuleBroken("committee.experts_too_few", "EXP-03", experts=3, size=5, needed=4))
    return form


def begin_form(*, wrong: bool = False) -> BeginForm:
    form = BeginForm(formdata=None)
    if wrong:
        form.refuse(RuleBroken("committee.draw_early", "EXP-11"))
    return form


def signing_form() -> SigningForm:
    form = SigningForm(formdata=None)
    form.offered = signable([("抽取方案", paper("ed1.spec").doc)])
    return form


def samples() -> Iterator[Sample]:
    """Every page of draws in every state."""
    yield from _lists()
    yield from _draws()
    yield from _people()
    yield from _public()
    yield from _contests()


def _lists() -> Iterator[Sample]:
    waiting = [
        Waiting(committee=committee(state), procedure=PROCEDURE, plan=PLAN, papers=papers)
        for state, papers in (("planned", 0), ("drawing", 2), ("seated", 0))
    ]
    for name, rows in (("none", []), ("some", waiting)):
        yield Sample(f"draws-{name}", "/draws", "experts/index.html", {"rows": rows, "centre": True})
    counts = [
        StratumCount(stratum=FURNITURE, active=386, suspended=4),
        StratumCount(stratum=AUDIT, active=26, suspended=0),
        StratumCount(stratum="A0320-P", active=112, suspended=1),
    ]
    for name, found, snapshot in (("none", [], None), ("some", counts, (41, 18_204))):
        context: dict[str, Any] = {"counts": found, "snapshot": snapshot, "guessable": GUESSABLE}
        yield Sample(f"pool-{name}", "/pool", "experts/pool.html", context)
    for name, wrong, begun in (("new", False, None), ("early", True, None), ("begun", False, DRAW)):
        context = {
            "form": partial(begin_form, wrong=wrong),
            "procedure": PROCEDURE,
            "plan": PLAN,
            "counts": counted({count.stratum: count.active for count in counts}, [each.id for each in PLAN.strata]),
            "guessable": GUESSABLE,
            "begun": begun,
        }
        yield Sample(f"draw-begin-{name}", f"/draws/begin/{REFERENCE}", "experts/begin.html", context)


def _draws() -> Iterator[Sample]:
    cancelled = (
        AttemptRow(number=1, state="cancelled", reason="custodian_silent"),
        AttemptRow(number=2, state="policy_fixed", reason=None),
    )
    pages = {
        "keys": draw_page(None),
        "frozen": draw_page("policy_fixed"),
        "commit": draw_page("specified"),
        "sealed": draw_page("sealed"),
        "walk": draw_page("seeded"),
        "result": draw_page("resulted"),
        "again": replace(draw_page("policy_fixed"), attempts=cancelled),
        "short": replace(draw_page("policy_fixed"), pending=(), shortfall=SHORT),
        "open": replace(draw_page("resulted"), open_seats=1),
        "contested": replace(draw_page("seeded"), contests=(contested("open"), contested("upheld"))),
    }
    for name, page in pages.items():
        context: dict[str, Any] = {
            "page": page,
            "cancel": partial(CancelForm, formdata=None),
            "replace": partial(replace_form, page),
            "role": "supervisor" if name in {"walk", "contested"} else "centre",
        }
        yield Sample(f"draw-{name}", f"/draws/{DRAW}", "experts/draw.html", context)
    for typ, mine in (("ed1.spec", True), ("ed1.result", False), ("ed1.policy", False), ("ed1.escrow", False)):
        context = {
            "page": draw_page("policy_fixed"),
            "paper": paper(typ),
            "needs": ("supervisor",),
            "form": partial(signing_form),
            "mine": mine,
            "role": "centre",
        }
        name = typ.partition(".")[2]
        yield Sample(f"draw-paper-{name}", f"/draws/{DRAW}/papers/{digest(typ)}", "experts/paper.html", context)
    for name, planned, seats, wrong in (
        ("none", None, (), False),
        ("wrong", None, (), True),
        ("planned", "planned", (), False),
        ("widen", "drawing", (), False),
        ("drawn", "drawn", members("expected", "present", "present", "expected", "replaced"), False),
    ):
        planning = PlanPage(
            procedure=PROCEDURE,
            committee=None if planned is None else committee(planned),
            plan=None if planned is None else PLAN,
            members=seats,
            counts=(),
            may_widen=name == "widen",
            shortfall=SHORT if name == "widen" else (),
        )
        context = {
            "page": planning,
            "form": partial(plan_form, wrong=wrong),
            "appoint": partial(AppointForm, formdata=None),
        }
        yield Sample(f"committee-{name}", f"/agency/{REFERENCE}/committee", "experts/plan.html", context)


def _people() -> Iterator[Sample]:
    call = CallRow(
        draw=DRAW,
        attempt=1,
        index=17,
        stratum=FURNITURE,
        seat="m-1",
        called_at=NOW - HOUR // 4,
        ends_at=NOW + HOUR // 4,
        meeting=b"",
    )
    for name, answered in (("open", None), ("accepted", "SELECTED"), ("declined", "REFUSED")):
        context: dict[str, Any] = {
            "found": OpenCall(call=call, answered=answered, over=False),
            "meeting": PLAN.meeting,
            "specialty": stratum_title(FURNITURE),
            "form": partial(CallForm, formdata=None),
        }
        yield Sample(f"call-{name}", "/draws/call/q1w2e3", "experts/call.html", context)
    none: dict[str, Any] = {
        "found": None,
        "meeting": {},
        "specialty": ("", ""),
        "form": partial(CallForm, formdata=None),
    }
    yield Sample("call-none", "/draws/call/q1w2e3", "experts/call.html", none)
    mine = [(PROCEDURE, (1, members("present", "present")[1]))]
    for name, seats in (("none", []), ("some", mine)):
        context = {"form": partial(SeatForm, formdata=None), "seats": seats, "promise": PROMISE}
        yield Sample(f"seats-{name}", "/draws/mine", "experts/mine.html", context)
    bidders = [(each.name_zh, each.name_en) for each in cast.BIDDERS]
    for name, state, known in (
        ("present", "present", bidders),
        ("early", "present", None),
        ("recused", "recused", []),
        ("take", "expected", None),
    ):
        kind = "representative" if name == "take" else "expert"
        seat = Member(seat="m-3f6h7k9m2q4d", kind=kind, stratum=FURNITURE, state=state)  # type: ignore[arg-type]  # of its words
        context = {
            "form": partial(DeclareForm, formdata=None),
            "take": partial(TakeForm, formdata=None),
            "procedure": PROCEDURE,
            "seat": seat,
            "bidders": known,
            "promise": PROMISE,
        }
        yield Sample(f"declare-{name}", f"/draws/mine/{REFERENCE}", "experts/declare.html", context)


def contested(state: str) -> ContestRow:
    return ContestRow(
        commit=digest("statement"),
        draw=DRAW,
        attempt=1,
        index=203,
        stratum=FURNITURE,
        state=state,
        statement="我没有接到任何邀请，也没有打开过链接。",
        said="REFUSED",
        said_at=NOW - HOUR // 4,
        step_h=bytes(32),
    )


def _contests() -> Iterator[Sample]:
    told = ToldRow(draw=DRAW, attempt=1, index=203, stratum=FURNITURE, state="REFUSED", at=NOW - HOUR // 4, h=bytes(32))
    path, notice = "/draws/contest/code", Notice(told=told, ends_at=NOW + 6 * HOUR, over=False, contest=None)
    found = {
        "open": notice,
        "sent": replace(notice, contest=contested("open")),
        "upheld": replace(notice, contest=contested("upheld")),
        "late": replace(notice, over=True),
        "unknown": None,
    }
    for name, shown in found.items():
        context: dict[str, Any] = {"found": shown, "form": partial(ContestForm, formdata=None)}
        yield Sample(f"contest-{name}", path, "experts/contest.html", context)
    path = f"/draws/{DRAW}/contests/{digest('statement')}"
    for state in ("open", "dismissed"):
        context = {
            "page": draw_page("resulted"),
            "found": contested(state),
            "form": partial(DecideContestForm, formdata=None),
        }
        yield Sample(f"contest-decide-{state}", path, "experts/decide_contest.html", context)


def _public() -> Iterator[Sample]:
    for name, rows in (("none", []), ("some", [row("sealed"), replace(row("seeded"), draw="D-4f6h7k9m2q3d")])):
        yield Sample(f"sealed-draws-{name}", "/draws/public", "experts/sealed.html", {"rows": rows})
    path = f"/draws/public/{DRAW}"
    yield Sample("draw-public-sealed", path, "experts/anonymous.html", {"page": draw_page("sealed")})
    yield Sample("draw-public-seeded", path, "experts/anonymous.html", {"page": draw_page("seeded")})
    path = f"/procedures/{REFERENCE}/draw"
    pages = {
        "secret": None,
        "naming": draw_page("disclosed"),
        "recomputed": replace(draw_page("disclosed"), proofs=tuple(map(attempt_proof, range(1, 6)))),
        "full": replace(
            draw_page("disclosed"),
            names=names(),
            attempts=(
                AttemptRow(number=1, state="cancelled", reason="custodian_silent"),
                AttemptRow(number=2, state="disclosed", reason=None),
            ),
            proofs=(attempt_proof(2),),
        ),
    }
    for name, page in pages.items():
        about = offers(*_RECEIPTS, at=NOW, lot=None) if page else []
        context = {"page": page, "reference": REFERENCE, "offers": about}
        yield Sample(f"draw-proof-{name}", path, "experts/proof.html", context)
