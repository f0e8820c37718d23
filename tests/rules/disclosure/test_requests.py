"""Time to reply to a request, and what a reply has to say (DIS-04 to DIS-08)."""

from __future__ import annotations

from datetime import date

import pytest

from trading.disclosure.rules import requests as rules
from trading.disclosure.rules.requests import Application, Outcome
from trading.kernel.errors import RuleBroken
from trading.rulebook.calendar_days import published_calendar
from trading.rulebook.loader import edition_at

CALENDAR = published_calendar()
EDITION = edition_at("cn", CALENDAR.start_of(date(2026, 5, 12)))
DUE = date(2026, 6, 9)


@pytest.mark.parametrize(
    ("received", "extended", "due"),
    [
        (date(2026, 5, 12), False, DUE),  # twenty working days; none of them is a holiday
        (date(2026, 5, 12), True, date(2026, 7, 8)),  # twenty more, past the day of rest of 19 June
        (date(2026, 5, 9), False, date(2026, 6, 5)),  # a Saturday on which people work
        (date(2026, 12, 20), False, None),  # the working days of 2027 are not published
    ],
)
def test_the_last_day_is_counted_in_working_days(received: date, extended: bool, due: date | None) -> None:  # noqa: FBT001 - DIS-06
    assert rules.due_on(received, EDITION, CALENDAR, extended=extended) == due


def test_an_extension_is_one_with_a_reason_and_in_time() -> None:
    rules.require_extendable(DUE, DUE, "需要征求意见", extended=False)
    rules.require_extendable(None, DUE, "需要征求意见", extended=False)
    for today, reason, extended, code in (
        (DUE, "x", True, "disclosure.extended"),
        (date(2026, 6, 10), "x", False, "disclosure.overdue"),
        (DUE, "", False, "disclosure.reason"),
        (DUE, "x" * 1001, False, "disclosure.reason"),
    ):
        with pytest.raises(RuleBroken) as told:
            rules.require_extendable(DUE, today, reason, extended=extended)
        assert (told.value.code, told.value.rule_id) == (code, "DIS-06")


def test_a_reply_rests_on_a_ground_of_its_kind() -> None:
    assert {each.outcome for each in rules.grounds().values()} == set(Outcome)
    assert all(each.article.startswith("政府信息公开条例第") for each in rules.grounds().values())
    assert rules.require_reply("disclosed", "", 0).outcome == "granted"
    assert rules.require_reply("internal", "讨论记录", 0).outcome == "refused"
    for ground, reason, fee, code in (
        ("because", "x", 0, "disclosure.ground"),
        ("internal", "", 0, "disclosure.reason"),
        ("disclosed", "x" * 1001, 0, "disclosure.reason"),
        ("disclosed", "", -1, "disclosure.fee"),
    ):
        with pytest.raises(RuleBroken, match=code):
            rules.require_reply(ground, reason, fee)


def test_a_request_says_who_how_and_what() -> None:
    whole = Application(name="王", contact="w@example.org", text="采购清单", salt=bytes(32))
    with pytest.raises(RuleBroken, match=r"disclosure\.incomplete"):  # four characters say nothing
        rules.require_application(whole)
    rules.require_application(Application(name="王", contact="w@example.org", text="采购清单。", salt=bytes(32)))
    for name, contact, text in (("", "c", "12345"), ("n", "", "12345"), ("n", "c", "x" * 2001)):
        with pytest.raises(RuleBroken, match=r"disclosure\.incomplete"):
            rules.require_application(Application(name=name, contact=contact, text=text, salt=bytes(32)))


def test_the_commitment_needs_the_salt() -> None:
    one = Application(name="王", contact="c", text="12345", salt=bytes(32))
    other = Application(name="王", contact="c", text="12345", salt=bytes([1]) * 32)
    assert one.commit != other.commit


def test_a_day_has_come_and_is_of_no_declared_year() -> None:
    rules.require_day(DUE, DUE, after_year=2025)
    for day, after in ((date(2026, 6, 10), None), (date(2025, 12, 31), 2025)):
        with pytest.raises(RuleBroken, match=r"disclosure\.day"):
            rules.require_day(day, DUE, after_year=after)
