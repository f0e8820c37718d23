"""The list of procedures and the home page on a real database."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.build.records import Records, register
from tests.web.conftest import NOW, CountQueries
from trading.audit.ledger import Ledger
from trading.notices.queries import search
from trading.notices.queries.search import Filter
from trading.notices.rules.progress import STAGE_OF, Stage, lot_state

HOUR = 3_600_000
PHASES = ("open", "closed", "opening", "opened", "evaluated", "determined", "concluded", "failed", "cancelled")


def publish(ledger: Ledger, reference: str, phase: str = "open", close_at: int = NOW + HOUR, **more: object) -> Records:
    records = Records(ledger=ledger, reference=reference)
    records.publish({"1": (phase, close_at)}, **more)  # type: ignore[arg-type]
    return records


@pytest.mark.parametrize("close_at", [NOW - 1, NOW, NOW + 1])
def test_sql_and_python_agree_on_the_stage(ledger: Ledger, close_at: int) -> None:
    for place, phase in enumerate(PHASES):
        publish(ledger, f"T-2026-{place}", phase, close_at)
    with ledger.read() as conn:
        found = {row.reference: row.stage for row in search.search(conn, Filter(), NOW).rows}
    for place, phase in enumerate(PHASES):
        assert found[f"T-2026-{place}"] is STAGE_OF[lot_state(phase, close_at, NOW)], phase


def test_filters_words_and_pages(ledger: Ledger) -> None:
    register(ledger, "BUYER")
    publish(ledger, "T-2026-aa", title="课桌椅采购", close_at=NOW + 2 * HOUR)
    publish(ledger, "T-2026-bb", title="道路清扫车", close_at=NOW + HOUR)
    publish(ledger, "T-2026-cc", "concluded", NOW - HOUR, title="课桌椅维修")
    with ledger.read() as conn:
        everything = search.search(conn, Filter(), NOW)
        desks = search.search(conn, Filter(text="课桌椅"), NOW)
        both = search.search(conn, Filter(text="课桌椅 bb"), NOW)
        done = search.search(conn, Filter(stage=Stage.RESULT), NOW)
        none = search.search(conn, Filter(stage=Stage.ENDED, text="课桌椅"), NOW)
        second = search.search(conn, Filter(page=2), NOW, page_size=2)
        by_buyer = search.search(conn, Filter(text="buyer ltd"), NOW)
        literal = search.search(conn, Filter(text="%"), NOW)
    assert [row.reference for row in everything.rows] == ["T-2026-bb", "T-2026-aa", "T-2026-cc"]
    assert {row.reference for row in desks.rows} == {"T-2026-aa", "T-2026-cc"}
    assert both.total == 0
    assert [row.reference for row in done.rows] == ["T-2026-cc"]
    assert (none.total, none.without_stage) == (0, 2)
    assert ([row.reference for row in second.rows], second.total) == (["T-2026-cc"], 3)
    assert by_buyer.total == 3
    assert literal.total == 0


def test_a_draft_is_in_no_list_and_has_no_page(ledger: Ledger, client: FlaskClient) -> None:
    publish(ledger, "T-2026-shown")
    hidden = Records(ledger=ledger, reference="T-2026-hidden")
    hidden.publish({"1": ("draft", NOW + HOUR)}, phase="draft")
    listed = client.get("/procedures").text
    assert "T-2026-shown" in listed
    assert "T-2026-hidden" not in listed
    for path in ("", "/notices/1", "/lots/1/opening", "/lots/1/result"):
        assert client.get(f"/procedures/T-2026-hidden{path}").status_code == 404, path


def test_home_counts_and_todays_openings(ledger: Ledger, client: FlaskClient) -> None:
    publish(ledger, "T-2026-today", close_at=NOW + HOUR)
    publish(ledger, "T-2026-later", close_at=NOW + 100 * HOUR)
    publish(ledger, "T-2026-past", "closed", NOW - HOUR)
    page = client.get("/?lang=en").text
    counts = re.findall(r"<dd>(?:<a[^>]*>)?([0-9,]+)", page)
    assert counts[:2] == ["2", "1"]
    assert "/procedures/T-2026-today/lots/1/opening" in page
    assert "/procedures/T-2026-later/lots/1/opening" not in page


def test_the_filter_is_the_address(client: FlaskClient, ledger: Ledger) -> None:
    publish(ledger, "T-2026-aa", title="课桌椅采购")
    page = client.get("/procedures?q=课桌&stage=open&page=1&lang=en").text
    assert 'value="课桌"' in page
    assert '<option value="open" selected>' in page
    for odd in (
        "?page=0",
        "?page=-3",
        "?page=x",
        "?page=99999999999999999999",
        "?page=" + "9" * 5000,
        "?stage=nonsense",
        "?q=" + "x" * 5000,
    ):
        assert client.get(f"/procedures{odd}").status_code == 200, odd


def test_query_budget(ledger: Ledger, client: FlaskClient, count_queries: CountQueries) -> None:
    publish(ledger, "T-2026-aa")
    for path, most in (
        ("/", 3),
        ("/procedures", 1),
        ("/procedures?q=nothing", 1),
        ("/procedures?q=nothing&stage=open", 2),
    ):
        with count_queries() as seen:
            assert client.get(path).status_code == 200
        assert len(seen) <= most, (path, seen)
