"""Random drafts: none with a date outside the law can be published, and every refusal names its article (ux page 16).

What was typed goes the way of the desk: days as texts, specification, dates, guards of publication. Beside it stands a
judge that shares nothing with the product but the calendar's rows: it counts days one by one. A normal run draws 500
drafts, ``MINGBIAO_CAMPAIGN=long`` 10,000.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random  # noqa: TID251 - a seeded generator of test data

import pytest

from tests.build.tenders import CALENDAR, NATIONAL, REVIEWER, code, ms
from trading.agency.rules.content import Content, new_content
from trading.agency.rules.specification import close_of, issue_of, questions_of, specification, supply_end_of
from trading.kernel.errors import RuleBroken
from trading.procedures.rules import guards
from trading.procedures.rules.dates import Dates, Law
from trading.procedures.rules.extension import MEASURED, usual_rule
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.lifecycle import Act, Facts, Guard, LotPhase, advance
from trading.procedures.rules.policies import OPEN_TENDER_PERIODS
from trading.procedures.rules.spec import ProcedureSpec
from trading.rulebook.keys import Regime
from trading.rulebook.loader import builtin
from trading.web import refusals

COUNT = 10_000 if os.environ.get("MINGBIAO_CAMPAIGN") == "long" else 500
SEED = 20_260_512
LAW = Law(edition=NATIONAL, regime=Regime.GP, calendar=CALENDAR, periods=OPEN_TENDER_PERIODS)
DAY = timedelta(days=1)
ALL_YEAR = 366
FIELD_OF = {
    "deadline.too_early": "close",
    "deadline.rest_day": "close",
    "calendar.missing": "close",
    "documents.supply_too_short": "supply_ends_at",
    "questions.too_early": "questions_until",
    "questions.too_late": "questions_until",
}


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """One random draft, and the instant at which somebody tries to publish it."""

    content: Content
    at: int


def random_draft(random: Random) -> Drafted:
    """Draw a draft whose days lie around the lawful ones, on both sides, in every month of the year."""
    at = ms("2026-01-02 00:00:00") + random.randrange(ALL_YEAR * 86_400) * 1000
    today = CALENDAR.date_of(at)
    content = new_content()
    content["subject"] |= {"title_zh": "题", "title_en": "t", "buyer": code("A"), "supervisor": code("C")}
    item = {"code": "1", "name_zh": "物", "name_en": "thing", "quantity": "1", "unit": "件"}
    content["lots"][0] |= {"title_zh": "包", "title_en": "lot", "budget": "100000.00", "items": [item]}
    close = today + timedelta(days=random.choice((*range(14, 34), random.randrange(120))))
    content["dates"] |= {
        "issue_day": random.choice(("", (today + timedelta(days=random.randrange(4))).isoformat())),
        "close_day": close.isoformat(),
        "close_time": f"{random.randrange(24):02d}:{random.choice((0, 30)):02d}",
        "supply_day": random.choice(("", (today + timedelta(days=random.randrange(16))).isoformat())),
        "questions_day": random.choice(("", (close - timedelta(days=random.randrange(-1, 14))).isoformat())),
    }
    return Drafted(content=content, at=at)


def spec_of(drafted: Drafted) -> ProcedureSpec:
    outcome = specification(
        drafted.content,
        agency=code("B"),
        documents=(),
        calendar=CALENDAR,
        cutoff=LAW.questions_cutoff,
        usual=usual_rule(NATIONAL, Regime.GP, MEASURED),
    )
    assert outcome.spec is not None, outcome.problems
    return outcome.spec


# ---- the judge


def works(day: date) -> bool | None:
    """Whether work is done on a day; None if no published row says so."""
    return CALENDAR.workdays.get(day)


def later_workday(day: date) -> date | None:
    while works(day) is False:
        day += DAY
    return None if works(day) is None else day


def after_workdays(day: date, count: int) -> date | None:
    while count:
        day += DAY
        if works(day) is None:
            return None
        count -= works(day) is True
    return day


def faults(drafted: Drafted, *, issued: date, at: int) -> set[str]:
    """Return the fields of a draft that the law refuses if its documents are issued on ``issued``."""
    spec = spec_of(drafted)
    found = set()
    close = CALENDAR.date_of(spec.close)
    least = later_workday(issued + timedelta(days=20))
    if least is None or close < least or works(close) is None:
        found.add("close")
    supplied = after_workdays(issued, 5)
    ends = spec.close if spec.supply_ends_at is None else spec.supply_ends_at
    # The supply lasts to the end of its last day.
    if supplied is None or CALENDAR.date_of(ends) <= supplied:
        found.add("supply_ends_at")
    if spec.questions_until is not None:
        asked = CALENDAR.date_of(spec.questions_until)
        answered = after_workdays(asked, 3)
        late = answered is None or answered > close or spec.questions_until > spec.close
        if spec.questions_until <= at or late:
            found.add("questions_until")
    return found


# ---- the product


def published(spec: ProcedureSpec, at: int) -> RuleBroken | None:
    """Ask the table of the kind, as publication does; return the refusal, or None if the lot opens."""
    lot = spec.lots[0]
    facts = Facts(
        at=at,
        edition=NATIONAL,
        regime=Regime.GP,
        calendar=CALENDAR,
        periods=OPEN_TENDER_PERIODS,
        drafted_by="a-1",
        close_at=spec.close,
        supply_ends_at=spec.supply_ends_at,
        questions_until=spec.questions_until,
        ceiling=lot.ceiling,
        terms=lot,
        policy_fixed=True,
    )
    try:
        advance(OPEN_TENDER_GP, LotPhase.DRAFT, Act.OPEN, REVIEWER, facts)
    except RuleBroken as refusal:
        return refusal
    return None


def require_article(refusal: RuleBroken) -> None:
    rule = builtin().rules[refusal.rule_id or ""]
    assert rule.article, refusal
    assert refusals.is_covered(refusal.code)
    text = refusals.find(refusal.code, "rule").say("zh", refusal.facts)
    assert text.happened
    assert text.next


def escapes(count: int) -> tuple[Counter[str], list[Drafted]]:
    """Draw drafts; count the outcomes, and return those in which product and judge disagree."""
    random, told, wrong = Random(SEED), Counter[str](), []  # noqa: S311 - no secret
    for _ in range(count):
        drafted = random_draft(random)
        spec = spec_of(drafted)
        refusal = published(spec, drafted.at)
        unlawful = faults(drafted, issued=CALENDAR.date_of(drafted.at), at=drafted.at)
        told["published" if refusal is None else refusal.code] += 1
        if (refusal is None) != (not unlawful) or (refusal is not None and FIELD_OF[refusal.code] not in unlawful):
            wrong.append(drafted)
        elif refusal is not None:
            require_article(refusal)
    return told, wrong


def test_no_draft_with_a_date_outside_the_law_is_published() -> None:  # DOC-04, TIM-06, TIM-07, DOC-02, OBJ-09
    told, wrong = escapes(COUNT)
    assert wrong == []
    assert sum(told.values()) == COUNT
    assert {"published", "deadline.too_early", "documents.supply_too_short", "questions.too_late"} <= set(told)


def test_the_desk_tells_every_field_that_the_law_refuses() -> None:
    random = Random(SEED + 1)  # noqa: S311 - no secret
    for _ in range(COUNT):
        drafted = random_draft(random)
        content, spec = drafted.content, spec_of(drafted)
        issued = issue_of(content, CALENDAR, drafted.at)
        close = close_of(content, CALENDAR)
        assert close == spec.close
        dates = Dates(
            issued_at=issued,
            close_at=close,
            supply_ends_at=supply_end_of(content, CALENDAR),
            questions_until=LAW.questions_cutoff(close, questions_of(content)),
        )
        refused = {each.field: each.refusal for each in LAW.refusals(dates)}
        unlawful = faults(drafted, issued=CALENDAR.date_of(issued), at=issued)
        rest = works(CALENDAR.date_of(close)) is False
        assert set(refused) == unlawful | ({"close"} if rest else set())
        for refusal in refused.values():
            require_article(refusal)


def test_only_lawful_days_are_offered() -> None:
    random = Random(SEED + 2)  # noqa: S311 - no secret
    for _ in range(max(COUNT // 40, 10)):
        drafted = random_draft(random)
        at = drafted.at
        for day in LAW.deadline_days(at):
            close = CALENDAR.start_of(day) + 36_000_000
            supply = LAW.supply_days(at, close)
            questions = LAW.question_days(at, close)
            for asked in (None, *questions[:1], *questions[-1:]):
                for last in (None, *supply[:1], *supply[-1:]):
                    dates = Dates(
                        issued_at=at,
                        close_at=close,
                        supply_ends_at=None if last is None else CALENDAR.start_of(last + DAY),
                        questions_until=LAW.questions_cutoff(close, asked),
                    )
                    assert LAW.refusals(dates) == []


def blind(_facts: Facts, _actor: object) -> None:
    """A guard that lets everything pass."""


def off_by_one(guard: Guard) -> Callable[[Facts, object], None]:
    """A guard that refuses only what is unlawful a day later, too: the usual mistake at the boundary."""

    def lenient(facts: Facts, actor: object) -> None:
        later = {name: getattr(facts, name) for name in Facts.__slots__}
        guard(Facts(**{**later, "at": facts.at - 86_400_000}), actor)  # type: ignore[arg-type]

    return lenient


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("require_lawful_deadline", "blind"),
        ("require_lawful_deadline", "off_by_one"),
        ("require_document_supply", "blind"),
        ("require_document_supply", "off_by_one"),
        ("require_questions_cutoff", "blind"),
        ("require_known_calendar", "blind"),
    ],
)
def test_a_broken_guard_is_found(name: str, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the same campaign with one guard taken out, or lenient by a day, finds drafts that escape."""
    guard: Guard = getattr(guards, name)
    mutant = blind if broken == "blind" else off_by_one(guard)
    step = OPEN_TENDER_GP.step(LotPhase.DRAFT, Act.OPEN)
    assert step is not None
    changed = tuple(mutant if each is guard else each for each in step.guards)
    monkeypatch.setattr(type(step), "guards", property(lambda _self: changed), raising=False)
    assert escapes(max(COUNT, 2_000))[1] != []
