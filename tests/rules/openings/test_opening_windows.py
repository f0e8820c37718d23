"""When each step of an opening may begin: every boundary just before, exactly at and just after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trading.kernel.errors import RuleBroken
from trading.openings.rules.windows import (
    Ceremony,
    Step,
    WindowLengths,
    may_combine,
    may_object,
    may_release,
    may_report_gaps,
    next_step,
    release_closes_at,
    require_factor_list_correctable,
    require_factor_open,
    require_objection_open,
    require_rescue_open,
)

T = 1_700_003_600_000
LENGTHS = WindowLengths(
    objection_ms=600_000,
    share_check_ms=500_000,
    factor_window_ms=1_800_000,
    release_window_ms=900_000,
    rescue_ms=300_000,
)
ORDERED = Ceremony(lengths=LENGTHS, bidder_factor=True, first_ordered_at=T, newest_ordered_at=T)
OFF = replace(ORDERED, bidder_factor=False)


def test_lengths_come_from_the_schedule() -> None:
    fields = {
        "objection_ms": 600_000,
        "share_check_ms": 500_000,
        "factor_window_ms": 1_800_000,
        "release_window_ms": 900_000,
        "rescue_ms": 300_000,
        "close": T,
    }
    assert WindowLengths.of_schedule(fields) == LENGTHS


@pytest.mark.parametrize(("at", "open_"), [(T, True), (T + 599_999, True), (T + 600_000, False)])
def test_objections_are_half_open(at: int, open_: bool) -> None:  # noqa: FBT001 - a case
    assert may_object(ORDERED, at) is open_
    if open_:
        require_objection_open(ORDERED, at)
    else:
        with pytest.raises(RuleBroken, match=r"objection\.late"):
            require_objection_open(ORDERED, at)


def test_the_objection_window_counts_from_the_first_order_and_checks_from_the_newest() -> None:
    second = replace(ORDERED, newest_ordered_at=T + 400_000)
    assert second.objections_end_at == T + 600_000
    assert second.checks_end_at == T + 900_000
    assert not second.checks_over(T + 899_999)
    assert second.checks_over(T + 900_000)
    assert replace(second, all_checked=True).checks_over(T + 600_000)


def test_an_open_objection_holds_the_factor_window() -> None:
    assert not replace(ORDERED, open_objections=1).checks_over(T + 10**9)
    assert next_step(replace(ORDERED, open_objections=1), T) is None


@pytest.mark.parametrize(
    ("ends_at", "at", "code"),
    [(None, T, "factor.early"), (T, T - 1, None), (T, T, "factor.late"), (T, T + 1, "factor.late")],
)
def test_factor_window(ends_at: int | None, at: int, code: str | None) -> None:
    ceremony = replace(ORDERED, factor_ends_at=ends_at)
    if code is None:
        require_factor_open(ceremony, at)
    else:
        with pytest.raises(RuleBroken) as refused:
            require_factor_open(ceremony, at)
        assert refused.value.code == code


def test_rescue_lies_between_factor_closed_and_release_closed() -> None:
    with pytest.raises(RuleBroken, match=r"rescue\.early"):
        require_rescue_open(ORDERED, T + 10**9)
    closed = replace(ORDERED, factor_ends_at=T, factor_closed_at=T + 5)
    with pytest.raises(RuleBroken, match=r"rescue\.early"):
        require_rescue_open(closed, T + 4)
    require_rescue_open(closed, T + 5)
    with pytest.raises(RuleBroken, match=r"rescue\.late"):
        require_rescue_open(replace(closed, release_closed_at=T + 9), T + 9)
    with pytest.raises(RuleBroken, match=r"rescue\.early"):
        require_rescue_open(OFF, T + 599_999)
    require_rescue_open(OFF, T + 600_000)


def test_no_release_before_the_factor_list_is_closed() -> None:
    assert not may_release(ORDERED, T + 10**9)
    assert not may_release(replace(ORDERED, factor_ends_at=T + 1), T + 10**9)
    assert may_release(replace(ORDERED, factor_ends_at=T, factor_closed_at=T), T)


def test_with_the_factor_off_release_waits_for_objections_and_checks() -> None:
    assert not may_release(OFF, T + 599_999)
    assert may_release(OFF, T + 600_000)
    assert not may_release(replace(OFF, newest_ordered_at=T + 300_000), T + 600_000)


def test_gaps_are_reported_when_all_have_answered_or_the_window_is_over() -> None:
    closed = replace(ORDERED, factor_ends_at=T, factor_closed_at=T)
    assert not may_report_gaps(closed, T + 899_999)
    assert may_report_gaps(closed, T + 900_000)
    assert may_report_gaps(replace(closed, all_released=True), T + 1)
    assert not may_report_gaps(replace(closed, all_released=True, gaps_at=T + 1), T + 900_000)


def test_the_rescue_time_is_given_only_if_there_are_gaps() -> None:
    closed = replace(ORDERED, factor_ends_at=T, factor_closed_at=T)
    assert release_closes_at(closed) is None
    assert release_closes_at(replace(closed, gaps_at=T + 7)) == T + 7
    assert release_closes_at(replace(closed, gaps_at=T + 7, gaps=("b-1",))) == T + 300_007


def test_combining_waits_for_release_closed_and_happens_once() -> None:
    assert not may_combine(ORDERED)
    closed = replace(ORDERED, release_closed_at=T)
    assert may_combine(closed)
    assert not may_combine(replace(closed, combined=True))
    assert not may_release(closed, T)


def test_a_released_share_makes_the_factor_list_final() -> None:
    require_factor_list_correctable(released=False)
    with pytest.raises(RuleBroken, match=r"factor\.list_final"):
        require_factor_list_correctable(released=True)


def test_a_whole_ceremony_step_by_step() -> None:
    assert next_step(ORDERED, T) == (Step.OPEN_FACTOR_WINDOW, T + 600_000)
    assert next_step(replace(ORDERED, newest_ordered_at=T + 300_000), T) == (Step.OPEN_FACTOR_WINDOW, T + 800_000)
    opened = replace(ORDERED, all_checked=True, factor_ends_at=T + 2_400_000)
    assert next_step(opened, T) == (Step.MAKE_FACTOR_LIST, T + 2_400_000)
    closed = replace(opened, factor_closed_at=T + 2_500_000)
    assert next_step(closed, T + 2_500_000) == (Step.REPORT_GAPS, T + 3_400_000)
    assert next_step(replace(closed, all_released=True), T + 2_600_000) == (Step.REPORT_GAPS, T + 2_600_000)
    gaps = replace(closed, gaps_at=T + 3_000_000, gaps=("b-1",))
    assert next_step(gaps, T) == (Step.CLOSE_RELEASE, T + 3_300_000)
    over = replace(gaps, release_closed_at=T + 3_300_001)
    assert next_step(over, T) == (Step.COMBINE, T + 3_300_001)
    assert next_step(replace(over, combined=True), T) is None


def test_a_whole_ceremony_without_the_factor() -> None:
    assert next_step(OFF, T) == (Step.ASK_FOR_RELEASES, T + 600_000)
    assert next_step(OFF, T + 600_000) == (Step.REPORT_GAPS, T + 1_500_000)
