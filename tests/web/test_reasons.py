"""The reasons that the platform puts into records, in the reader's language beside the canonical words."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, render_template

from tests.build.pages_log import samples
from tests.build.printed import Press
from tests.build.tenders import NATIONAL
from trading.assembly import REGISTRY
from trading.audit.rules.clocks import OWN_REASONS, SILENT
from trading.procedures.rules.failure import failure_after_opening, failure_at_close
from trading.receipts.service import read
from trading.receipts.views.reasons import reason_text
from trading.receipts.views.words import sheet
from trading.rulebook.keys import Regime

HOLDS = [*sorted(OWN_REASONS), "clock is 2314 ms behind the last entry"]


def text(app: Flask, language: str, kind: str, word: str | None) -> str | None:
    with app.test_request_context(f"/?lang={language}"):
        return reason_text(kind, word)


@pytest.mark.parametrize("word", HOLDS)
def test_every_reason_of_a_hold_has_a_text_in_both_languages(samples_app: Flask, word: str) -> None:
    chinese, english = (text(samples_app, language, "clock.hold", word) for language in ("zh", "en"))
    assert chinese is not None
    assert english is not None
    assert not chinese.isascii()
    assert english.isascii()
    assert ("2314" in chinese) == ("2314" in english) == ("2314" in word)


def test_failures_of_a_lot_have_texts(samples_app: Flask) -> None:
    early = failure_at_close(NATIONAL, Regime.GP, 0)
    late = failure_after_opening(NATIONAL, Regime.GP, effective=0, conforming=0)
    for failure in (early, late):
        assert failure is not None
        assert text(samples_app, "zh", "lot.failed", failure.reason) != failure.reason


@pytest.mark.parametrize("word", [None, "", "drill", f"{SILENT} ", "clock is x ms behind the last entry"])
def test_what_people_wrote_stays_as_it_is(samples_app: Flask, word: str | None) -> None:
    assert text(samples_app, "zh", "clock.hold", word) is None
    assert text(samples_app, "zh", "procedure.cancelled", SILENT) is None


def test_pages_and_receipts_say_them_beside_the_canonical_words(samples_app: Flask, tmp_path: Path) -> None:
    health = next(each for each in samples() if each.name == "health-full")
    with samples_app.test_request_context("/?lang=zh"):
        page = render_template(health.template, **health.context)
    assert "时钟比最后一条日志落后 2314 毫秒" in page
    assert "behind the last entry" not in page
    content = {
        "kind": "closing.blocked", "at": 1, "procedure": None, "subject": "lot:1", "actor": "closer",
        "on_behalf_of": None, "article": None, "body": {"lot": "1", "reason": "clock", "stage": "bid"},
    }  # fmt: skip
    with samples_app.test_request_context("/?lang=zh"):
        record = render_template("log/_record.html", content=content)
    assert "<code" in record.partition(">clock</code>")[0]
    assert "</code> 截止时间前后时钟曾被暂停" in record
    press = Press.at(tmp_path)
    told = read(press.runtime, press.issued("clock.hold", {"host": "database", "reason": SILENT}))
    with press.app.test_request_context("/?lang=zh"):
        lines = [line.value for line in sheet(told, REGISTRY, "", demo=False).parts[0].lines]
    assert lines[-3:] == [SILENT, "主机已有 120 秒未报告时钟状态", "database"]
