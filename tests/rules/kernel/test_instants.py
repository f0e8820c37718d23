"""A text names one instant or is refused, wherever the process lives and however it is written (TE1 T1, TIM-04)."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

import pytest
from typing_extensions import override

from tests.build.odd_instants import NO_INSTANT
from trading.kernel.calendar import CHINA
from trading.kernel.errors import InvalidInput
from trading.kernel.instants import parse_instant

NOON = 1_778_558_400_000  # 2026-05-12T04:00:00Z, noon in China


class Moving(tzinfo):
    """Five hours behind, and four from 2026-03-08T07:00Z to 2026-11-01T06:00Z: an hour is skipped, one comes twice."""

    @override
    def utcoffset(self, dt: datetime | None) -> timedelta:
        assert dt is not None
        local = dt.replace(tzinfo=None)
        forward, back = datetime(2026, 3, 8, 2), datetime(2026, 11, 1, 1)  # noqa: DTZ001 - what its clocks show
        in_summer = forward + timedelta(hours=1) <= local < back
        in_summer |= forward <= local < forward + timedelta(hours=1) and bool(dt.fold)
        in_summer |= back <= local < back + timedelta(hours=1) and not dt.fold
        return timedelta(hours=-4 if in_summer else -5)

    @override
    def fromutc(self, dt: datetime) -> datetime:
        at = dt.replace(tzinfo=None)
        in_summer = datetime(2026, 3, 8, 7) <= at < datetime(2026, 11, 1, 6)  # noqa: DTZ001 - in UTC
        again = datetime(2026, 11, 1, 6) <= at < datetime(2026, 11, 1, 7)  # noqa: DTZ001 - in UTC
        return (dt - timedelta(hours=4 if in_summer else 5)).replace(fold=int(again))

    @override
    def tzname(self, dt: datetime | None) -> str:
        return "moving"

    @override
    def dst(self, dt: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    "text",
    [
        *("2026-05-12T04:00Z", "2026-05-12 04:00:00z", "2026-05-12t12:00+08:00", "2026-05-12T09:45:00.000000000+05:45"),
        *("2026-05-12T00:30-03:30", "2026-05-12T18:00:00,0+14:00", " 2026-05-11T16:00-12:00 "),
        *("2026-05-11T24:00-04:00", "2026-05-12T00:00:00.0-04:00", "2026-05-12T04:00-00:00"),
    ],
)
def test_ways_to_write_one_instant(text: str) -> None:
    assert parse_instant(text) == NOON
    assert parse_instant(text, CHINA) == NOON, "an offset is kept, also where there is a zone"


def test_a_local_time_is_of_the_zone_that_is_agreed() -> None:
    assert parse_instant("2026-05-12 12:00", CHINA) == NOON
    assert parse_instant("2026-05-11T24:00", CHINA) == NOON - 12 * 3_600_000
    assert [
        parse_instant(f"2026-05-12T12:00:00.{digits}", CHINA) - NOON for digits in ("5", "05", "005", "123000000")
    ] == [
        500,
        50,
        5,
        123,
    ]


def test_a_time_that_the_clocks_skip_or_repeat_is_refused() -> None:
    zone, hour = Moving(), 3_600_000
    before, at = "2026-03-08T01:59:59.999", "2026-03-08T03:00"
    assert parse_instant(at, zone) - parse_instant(before, zone) == 1
    once, again = parse_instant("2026-11-01T00:59:59.999", zone), parse_instant("2026-11-01T02:00", zone)
    assert again - once == 2 * hour + 1
    for code, texts in {
        "instant.skipped": ("2026-03-08T02:00", "2026-03-08T02:59:59.999"),
        "instant.repeated": ("2026-11-01T01:00", "2026-11-01T01:59:59.999"),
    }.items():
        for text in texts:
            assert refusal(text, zone) == code
    assert parse_instant("2026-11-01T01:30-05:00", zone) - parse_instant("2026-11-01T01:30-04:00", zone) == hour


@pytest.mark.parametrize("code", NO_INSTANT)
def test_what_names_no_single_instant_is_refused(code: str) -> None:
    assert {text: refusal(text) for text in NO_INSTANT[code]} == dict.fromkeys(NO_INSTANT[code], code)


def test_the_ends_of_the_calendar_are_refused_where_the_zone_reaches_beyond() -> None:
    assert refusal("0001-01-01T00:00", CHINA) == "instant.malformed"


def refusal(text: str, zone: tzinfo | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_instant(text, zone)
    return caught.value.code
