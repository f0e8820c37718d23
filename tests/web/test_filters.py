"""Numbers, money and instants as pages show them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from trading.web import filters, instants

MS = 1_778_549_400_412  # 2026-05-12T01:30:00.412Z


@pytest.fixture
def chinese(samples_app: Flask) -> Iterator[None]:
    with samples_app.test_request_context("/?lang=zh"):
        yield


@pytest.fixture
def english(samples_app: Flask) -> Iterator[None]:
    with samples_app.test_request_context("/?lang=en"):
        yield


@pytest.mark.usefixtures("chinese")
def test_an_instant_names_its_zone() -> None:
    assert filters.instant(MS) == (
        '<time datetime="2026-05-12T01:30:00.412Z">2026-05-12 09:30:00 '
        '<span class="zone">(北京时间 UTC+8)</span></time>'
    )
    assert "09:30:00.412" in filters.exact_instant(MS)
    assert filters.time_of_day(MS) == "09:30:00"


@pytest.mark.usefixtures("english")
def test_an_instant_in_english() -> None:
    assert "(Beijing time UTC+8)" in filters.instant(MS)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 秒"),
        (-5, "0 秒"),
        (59_999, "59 秒"),
        (60_000, "1 分钟"),
        (3_661_000, "1 小时 1 分钟"),
        (3_600_000, "1 小时"),
        (86_400_000, "1 天"),
        (2 * 86_400_000 + 3 * 3_600_000 + 59_000, "2 天 3 小时"),
    ],
)
@pytest.mark.usefixtures("chinese")
def test_durations(ms: int, text: str) -> None:
    assert filters.duration(ms) == text


@pytest.mark.parametrize(("minor", "text"), [(123_456_789, "¥1,234,567.89"), (0, "¥0.00"), (5, "¥0.05")])
@pytest.mark.usefixtures("chinese")
def test_money(minor: int, text: str) -> None:
    assert filters.money(minor) == text


@pytest.mark.usefixtures("chinese")
def test_money_in_words_and_on_an_axis() -> None:
    assert filters.money_words(123_456_789) == "人民币壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分"
    assert filters.money_words(100, "USD") == ""
    assert [filters.money_axis(each) for each in (0, 300_000_000, 20_000_000_000, 1_500)] == [
        "¥0",
        "¥300万",
        "¥2亿",
        "¥15",
    ]


@pytest.mark.usefixtures("english")
def test_an_english_axis() -> None:
    assert [filters.money_axis(each) for each in (300_000_000, 50_000_000, 1_550)] == ["¥3M", "¥500k", "¥15.50"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_149, "9.1 kB"), (999_999, "999.9 kB"), (12_000_000, "12.0 MB"),
     (20 * 1024**3, "21.4 GB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert filters.size(count) == text


def test_digests() -> None:
    digest = "0123456789abcdef" * 4
    assert filters.short(digest) == f'<code class="digest" title="{digest}">0123456789ab…</code>'
    assert filters.fingerprint(digest).replace("<wbr>", "") == f'<code class="digest">{digest}</code>'
    assert "&lt;" in filters.short("<b>")


def test_the_civil_day_begins_at_midnight_of_the_zone() -> None:
    start = instants.day_start(MS)
    assert instants.machine_text(start) == "2026-05-11T16:00:00.000Z"
    assert instants.day_start(start) == start
    assert instants.day_start(start - 1) == start - 86_400_000
