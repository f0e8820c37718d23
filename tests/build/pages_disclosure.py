"""Pages of disclosure on application and of the annual table in their states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from tests.build.pages import DAY, NOW, Sample
from trading.disclosure.forms import (
    AskForm,
    ConfirmForm,
    ContestForm,
    DeclareForm,
    ExtendForm,
    PrintForm,
    RegisterForm,
    ReplyForm,
    codes,
)
from trading.disclosure.queries.annual import DeclaredRow
from trading.disclosure.queries.requests import Applicant, RequestRow, TimedRequest, Timeliness
from trading.disclosure.rules.annual import Declared, Published, annual_table, column, indicators
from trading.disclosure.rules.requests import grounds
from trading.disclosure.views.annual import shown
from trading.kernel.errors import RuleBroken
from trading.web.forms import Form

NUMBER = "D-2026-7K3M9Q2D4F"
ASKED = TimedRequest(
    row=RequestRow(
        number=NUMBER,
        channel="online",
        asked_at=NOW - 3 * DAY,
        received_on=None,
        handler=None,
        extended_by=None,
        extension_reason=None,
        outcome=None,
        ground=None,
        reason=None,
        fee_waived=None,
        replied_at=None,
    ),
    due=None,
    replied_on=None,
    state="asked",
)
RUNNING = replace(
    ASKED,
    row=replace(ASKED.row, received_on=date(2026, 5, 11), handler="a-1", channel="letter"),
    due=date(2026, 6, 8),
    state="running",
)
EXTENDED = replace(
    RUNNING,
    row=replace(RUNNING.row, extended_by="a-2", extension_reason="需要征求第三方意见。"),
    due=None,
)
OVERDUE = replace(RUNNING, row=replace(RUNNING.row, channel="in_person"), due=date(2026, 5, 1), state="overdue")


def replied(ground: str, state: str = "replied") -> TimedRequest:
    row = replace(
        EXTENDED.row,
        ground=ground,
        outcome=grounds()[ground].outcome,
        reason="其中的联系方式属于个人隐私，区分处理后公开其余内容。",
        fee_waived=1050,
        replied_at=NOW,
    )
    return replace(EXTENDED, row=row, due=date(2026, 7, 6), replied_on=date(2026, 5, 12), state=state)


ALL = (ASKED, RUNNING, EXTENDED, OVERDUE, *(replied(code) for code in grounds()), replied("disclosed", "replied_late"))
APPLICANT = Applicant(name="王小明", contact="wang@example.org", text="2025年度办公家具采购的验收报告和付款凭证。")
EMPTY = column([])
DECLARED = DeclaredRow(
    table=Declared(
        year=2012,
        of_year=EMPTY | {"proactive_docs": 43, "proactive_docs_web": 43},
        cumulative=EMPTY | {"proactive_docs": 356, "proactive_docs_web": 356},
    ),
    source="2012年度政务公开工作报告，2013年1月",
    reason="平台建立之前的年度，照录原表。",
)
FACTS = [Published(document=str(n), day=date(2026, 3, 1), place="web") for n in range(12)]


def refused(kind: type[Form], code: str, field: str | None = None) -> Form:
    form = kind(formdata=None)
    form.refuse(RuleBroken(code, "DIS-06", shortest=5, longest=1000, names="replies_by_kind"), field)
    return form


def samples() -> Iterator[Sample]:
    """Every page of disclosure in every state."""
    yield from _public()
    yield from _annual()
    yield from _office()


def _public() -> Iterator[Sample]:
    some = Timeliness(received=1204, replied_in_time=1180, replied_late=3, running=20, overdue=1)
    none = Timeliness(received=0, replied_in_time=0, replied_late=0, running=0, overdue=0)
    for name, rows, timeliness, more in (("none", [], none, False), ("some", ALL, some, True)):
        context: dict[str, Any] = {
            "rows": rows,
            "timeliness": timeliness,
            "years": [2026, 2025, 2012],
            "page": 2 if more else 1,
        }
        context |= {"more": more, "grounds": grounds()}
        yield Sample(f"disclosure-{name}", "/disclosure", "disclosure/requests.html", context)
    path = "/disclosure/ask"
    yield Sample("disclosure-ask", path, "disclosure/ask.html", {"form": partial(AskForm, formdata=None)})
    wrong = partial(refused, AskForm, "disclosure.incomplete", "text")
    yield Sample("disclosure-ask-refused", path, "disclosure/ask.html", {"form": wrong})
    yield Sample("disclosure-asked", path, "disclosure/asked.html", {"number": NUMBER})
    for place, found in enumerate(ALL):
        context = {"found": found, "ground": grounds().get(found.row.ground or "")}
        yield Sample(
            f"disclosure-request-{place}", f"/disclosure/requests/{NUMBER}", "disclosure/request.html", context
        )


def _annual() -> Iterator[Sample]:
    for name, year, base, broken, running in (
        ("declared", 2012, DECLARED, (), False),
        ("since", 2025, DECLARED, (), False),
        ("running", 2026, None, (), True),
        ("broken", 2025, None, ("replies_by_kind", "negative:admin_reviews"), False),
    ):
        context = {
            "table": annual_table(year, FACTS, [] if base is None else [base.table]),
            "broken": broken,
            "base": base,
            "shown": shown,
            "running": running,
        }
        yield Sample(f"annual-{name}", f"/disclosure/annual/{year}", "disclosure/annual.html", context)


def _office() -> Iterator[Sample]:
    path, blank = "/disclosure/office", partial(RegisterForm, formdata=None)
    for name, rows, form in (
        ("none", [], blank),
        ("some", ALL[:4], blank),
        ("refused", ALL[:4], partial(refused, RegisterForm, "disclosure.day", "received_on")),
    ):
        yield Sample(f"openness-{name}", path, "disclosure/office.html", {"rows": rows, "form": form})
    plain = {
        "confirming": partial(ConfirmForm, formdata=None),
        "extending": partial(ExtendForm, formdata=None),
        "replying": partial(ReplyForm, formdata=None),
    }
    wrong = {
        "late": (OVERDUE, {"extending": partial(refused, ExtendForm, "disclosure.overdue")}),
        "unreasoned": (RUNNING, {"replying": partial(refused, ReplyForm, "disclosure.reason", "reason")}),
        "early": (ASKED, {"confirming": partial(refused, ConfirmForm, "disclosure.day", "received_on")}),
    }
    good = {"asked": ASKED, "running": RUNNING, "extended": EXTENDED, "replied": replied("separated")}
    for name, (found, forms) in {**{name: (found, {}) for name, found in good.items()}, **wrong}.items():
        context = {"found": found, "applicant": APPLICANT, **plain, **forms}
        yield Sample(f"openness-{name}-one", f"{path}/{NUMBER}", "disclosure/handle.html", context)
    yield Sample(
        "openness-contest", f"{path}/contests", "disclosure/contest.html", {"form": partial(ContestForm, formdata=None)}
    )
    wrong_number = partial(refused, ContestForm, "disclosure.number", "number")
    yield Sample("openness-contest-refused", f"{path}/contests", "disclosure/contest.html", {"form": wrong_number})
    yield Sample("gazette", f"{path}/gazette", "disclosure/gazette.html", {"form": partial(PrintForm, formdata=None)})
    unknown = partial(refused, PrintForm, "gazette.unknown", "document")
    yield Sample("gazette-refused", f"{path}/gazette", "disclosure/gazette.html", {"form": unknown})
    for name, form in (
        ("declare", partial(DeclareForm, formdata=None)),
        ("declare-refused", partial(refused, DeclareForm, "annual.identity")),
    ):
        context = {"form": form, "indicators": indicators(), "codes": codes()}
        yield Sample(name, f"{path}/declared", "disclosure/declare.html", context)
