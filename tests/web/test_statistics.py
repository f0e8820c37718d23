"""Statistics over releases in a database: the page with few and with many, its filters, and its files."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.build.releases import market, release, written
from tests.build.releasing import publish
from tests.web.conftest import CountQueries
from trading.audit.ledger import Ledger
from trading.notices.rules import exact_json

PROCEDURES = 1250  # four releases each
ALL = "from=2024-01&to=2026-05"
LOT = {"opened": "2026-02-02", "bids": 1, "ceiling": "100.00"}
EVIL = '=cmd|"/c calc"!A1'


def told(client: FlaskClient, query: str = ALL) -> dict[str, Any]:
    answer = client.get(f"/statistics.json?{query}")
    assert answer.status_code == 200
    return dict(exact_json.loads(answer.data))


def sums(rows: list[dict[str, Any]], indicator: str) -> tuple[int, int]:
    chosen = [row for row in rows if row["indicator"] == indicator]
    return sum(row["numerator"] for row in chosen), sum(row["denominator"] or 0 for row in chosen)


def few() -> list[bytes]:
    return written(
        [
            release(1, {"published": "2026-01-05", "region": "110000", "lots": [LOT]}),
            release(2, {"published": "2026-02-05", "agency": EVIL, "kind": "询价", "lots": [LOT | {"bids": 3}]}),
        ]
    )


def test_without_any_release_there_are_no_figures(client: FlaskClient) -> None:
    page = client.get("/statistics?lang=en").text
    assert "2026-05 to 2026-05: 0." in page
    assert "no value, because nothing was counted below the line" in page
    assert told(client)["total"][1] == {
        "indicator": "bidders",
        "numerator": 0,
        "denominator": 0,
        "value": None,
        "left_out": [],
    }


def test_the_page_says_the_figures_and_the_filters_choose(ledger: Ledger, client: FlaskClient) -> None:
    publish(ledger, few())
    page = client.get(f"/statistics?lang=en&{ALL}").text
    assert "2026-01 to 2026-05: 2.00 (4 over 2)." in page  # months begin with the first that has a figure
    assert "2026-01 to 2026-05: 50.0 % (1 over 2)." in page
    one = client.get(f"/statistics?lang=en&{ALL}&region=110000").text
    assert "2026-01 to 2026-05: 100.0 % (1 over 1)." in one
    assert '<option value="110000" selected>Beijing 110000</option>' in one
    assert told(client, f"{ALL}&kind=询价")["total"][1]["value"] == "3.0000"
    assert told(client, "from=2026-03&to=2026-05")["total"][1]["value"] is None
    assert told(client, f"{ALL}&region=999999")["total"][1]["value"] is None
    # What the address does not know is not asked, and nothing of it is shown.
    odd = client.get("/statistics?by=<script>&from=x&to=y&region=nowhere&lang=en")
    assert odd.status_code == 200
    assert "<script>" not in odd.text
    assert "no value" in odd.text


def test_the_files_of_a_page_have_its_selection(ledger: Ledger, client: FlaskClient) -> None:
    publish(ledger, few())
    page = client.get("/statistics?lang=en&from=2026-02&to=2026-04&by=agency&region=440300").text
    (csv_path,) = re.findall(r'href="(/statistics\.csv[^"]*)"', page)
    (json_path,) = re.findall(r'href="(/statistics\.json[^"]*)"', page)
    selection = told(client, json_path.replace("&amp;", "&").partition("?")[2])
    assert selection["selection"] == {"from": "2026-02", "to": "2026-04", "by": "agency", "region": "440300"}
    answer = client.get(csv_path.replace("&amp;", "&"))
    assert answer.mimetype == "text/csv"
    head, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert head == ["indicator", "agency", "name", "numerator", "denominator", "value", "left_out"]
    assert [[row[0], row[3], row[5]] for row in rows] == [
        [each["indicator"], str(each["numerator"]), each["value"] or ""] for each in selection["figures"]
    ]
    # No cell runs in a spreadsheet.
    assert any("cmd" in cell for row in rows for cell in row)
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))] == []


def test_a_new_release_is_in_the_next_answer_and_the_same_head_reads_nothing(
    ledger: Ledger, client: FlaskClient, count_queries: CountQueries
) -> None:
    publish(ledger, few()[:1])
    assert told(client)["total"][0]["value"] == "1"
    with count_queries() as seen:
        told(client)
    assert [each for each in seen if "content" in each] == []
    publish(ledger, few()[1:])
    with count_queries() as seen:
        assert told(client)["total"][0]["value"] == "2"
    assert [each for each in seen if "content" in each] != []  # control


@pytest.fixture
def heavy(ledger: Ledger, client: FlaskClient) -> FlaskClient:
    publish(ledger, written(sorted(market(PROCEDURES), key=lambda each: (each["date"], each["id"]))))
    return client


def test_a_whole_market_is_shown_and_adds_up(heavy: FlaskClient, app: Flask) -> None:
    by_month = told(heavy)
    totals = {each["indicator"]: each for each in by_month["total"]}
    assert totals["tenders"]["value"] == str(PROCEDURES)
    bids = sum(1 + n % 7 for n in range(PROCEDURES))
    assert (totals["bidders"]["numerator"], totals["bidders"]["denominator"]) == (bids, PROCEDURES)
    single = sum(n % 7 == 0 for n in range(PROCEDURES))
    assert (totals["single_bid"]["numerator"], totals["single_bid"]["denominator"]) == (single, PROCEDURES)
    failed = sum(n % 11 == 0 for n in range(PROCEDURES))
    assert (totals["failed"]["numerator"], totals["failed"]["denominator"]) == (failed, PROCEDURES)
    awarded = [n for n in range(PROCEDURES) if n % 11]
    ceilings, prices = sum(100_050 + n * 3_700 for n in awarded), sum(90_025 + n * 3_300 for n in awarded)
    assert totals["savings"]["numerator"] == ceilings - prices
    assert totals["savings"]["denominator"] == ceilings
    assert abs(Fraction(totals["savings"]["value"]) - Fraction(ceilings - prices, ceilings)) <= Fraction(1, 20_000)
    for by in ("month", "region", "kind", "agency"):
        rows = told(heavy, f"{ALL}&by={by}")["figures"]
        for code, each in totals.items():
            assert sums(rows, code) == (each["numerator"], each["denominator"] or 0), (by, code)
    page = heavy.get(f"/statistics?lang=en&{ALL}&by=agency").text
    assert page.count("15 more rows are in the files.") > 0  # 45 agencies, 30 rows of a table
    assert len(page.encode()) < 400_000
    # Another process reads the same and says the same.
    app.extensions.pop("statistics")
    assert told(heavy) == by_month


def test_there_are_no_bulletins_before_one_is_made(client: FlaskClient) -> None:
    assert "No month is over yet." in client.get("/statistics/bulletins?lang=en").text
    for path in ("2026-04", "2026-04.json", "2026-04.pdf", "2026-13", "x.json"):
        assert client.get(f"/statistics/bulletins/{path}").status_code == 404
