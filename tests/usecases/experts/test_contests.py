"""What was recorded about an expert can be contested by him alone, within the working day; the supervisor decides."""

from __future__ import annotations

from datetime import date

import pytest

from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.contact import code_sha256
from trading.experts import queries
from trading.experts.service import calls, contests, pages
from trading.kernel.calendar import CHINA, CalendarDay, WorkCalendar
from trading.kernel.digests import AL1_PERSONAL, tuple_hash
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken

WORDS = "我没有接到电话，也没有打开过链接。"
DAY = 24 * 3_600_000


def refused(code: str) -> pytest.RaisesExc[RuleBroken]:
    return pytest.raises(RuleBroken, match=code.replace(".", r"\."))


def declined(market: Market, maker: CommitteeMaker) -> tuple[str, str]:
    """Let one expert's call be declined; return the draw and the code with which he can contest that."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender)
    maker.until(lambda: len(maker.open_calls()) == 4)
    address, code = maker.open_calls()[0]
    calls.answer(maker.ledger, code, calls.DECLINE, "busy")
    maker.work()
    for _, contest in (found for found in maker.postbox.codes("/draws/contest/") if found[0] == address):
        with maker.ledger.read() as conn:
            told = queries.told_by_code(conn, code_sha256(contest))
        if told is not None and told.state == "REFUSED":
            return draw, contest
    raise AssertionError("nobody was told of the refusal")


def the_contest(maker: CommitteeMaker, draw: str) -> queries.ContestRow:
    with maker.ledger.read() as conn:
        (found,) = queries.contests(conn, draw)
    return found


@pytest.mark.parametrize("upheld", [True, False])
def test_an_expert_contests_and_the_supervisor_decides(market: Market, maker: CommitteeMaker, *, upheld: bool) -> None:
    draw, code = declined(market, maker)
    contests.contest(maker.ledger, code, f"  {WORDS}\n")
    found = the_contest(maker, draw)
    assert (found.state, found.said, found.statement) == ("open", "REFUSED", WORDS)
    with market.database.connect("trading_auditor") as conn:
        salt = conn.exec_driver_sql("SELECT salt FROM desk.draw_statement").scalar_one()
        record = conn.exec_driver_sql(
            "SELECT convert_from(record, 'UTF8') FROM log.audit_entry WHERE kind = 'draw.contested'"
        ).scalar_one()
    assert tuple_hash(AL1_PERSONAL, bytes(salt), WORDS.encode()).hex() == found.commit
    assert found.commit in record
    assert WORDS not in record
    with refused("draw.contested"):
        contests.contest(maker.ledger, code, WORDS)
    with pytest.raises(NotFound):
        contests.decide(maker.ledger, maker.actor("centre"), draw, found.commit, upheld=upheld)
    contests.decide(maker.ledger, maker.actor("supervisor"), draw, found.commit, upheld=upheld)
    assert the_contest(maker, draw).state == ("upheld" if upheld else "dismissed")
    with refused("draw.contest_decided"):
        contests.decide(maker.ledger, maker.actor("supervisor"), draw, found.commit, upheld=not upheld)
    with refused("draw.contested"):  # one decision for each record
        contests.contest(maker.ledger, code, WORDS)
    with market.database.connect("trading_auditor") as conn:
        assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []


def test_only_within_the_working_day_and_only_with_a_code(market: Market, maker: CommitteeMaker) -> None:
    draw, code = declined(market, maker)
    with refused("draw.code_unknown"):
        contests.contest(maker.ledger, "guessed", WORDS)
    for words in ("", "  \n", "x" * 2_001):
        with pytest.raises(InvalidInput):
            contests.contest(maker.ledger, code, words)
    with maker.ledger.read() as conn:
        notice = contests.find(conn, code, market.now())
        assert notice is not None
        assert not notice.over
        assert contests.find(conn, code, notice.ends_at - 1).over is False  # type: ignore[union-attr]
        assert contests.find(conn, code, notice.ends_at).over is True  # type: ignore[union-attr]
        assert contests.find(conn, "guessed", market.now()) is None
        assert pages.draw_page(conn, maker.actor("centre"), draw).contests == ()
    assert "draw.contested" not in market.kinds()


def test_the_working_day_of_a_rest_day_is_the_next_one() -> None:
    rows = [
        CalendarDay(day=date(2026, 3, day), is_workday=day not in {7, 8}, name="", source="test")
        for day in range(5, 12)
    ]
    calendar = WorkCalendar.from_rows(rows, CHINA)
    friday, monday = calendar.start_of(date(2026, 3, 6)), calendar.start_of(date(2026, 3, 9))
    assert contests.end_of_day(friday, calendar) == friday + DAY
    assert contests.end_of_day(friday + DAY - 1, calendar) == friday + DAY
    assert contests.end_of_day(friday + DAY, calendar) == monday + DAY  # Saturday
    assert contests.end_of_day(monday - 1, calendar) == monday + DAY  # Sunday
    assert contests.end_of_day(monday, calendar) == monday + DAY


def test_nobody_can_contest_in_the_name_of_another(market: Market, maker: CommitteeMaker) -> None:
    """Every record has a code of its own, and no role but the contact service's can make one."""
    declined(market, maker)
    codes = [code for _, code in maker.postbox.codes("/draws/contest/")]
    assert len(set(codes)) == len(codes) >= 5
    with market.database.connect("trading_web") as conn:
        kept = {bytes(each) for each in conn.exec_driver_sql("SELECT code_sha256 FROM desk.draw_told").scalars()}
    assert kept == {code_sha256(code) for code in codes}
