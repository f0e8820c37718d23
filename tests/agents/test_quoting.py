"""The arithmetic of the price form: exact, and the same as the script's (tests/vectors/quotes.json)."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.bid.commands import main
from agents.bid.prices import of_file
from agents.bid.quoting import Template, TemplateItem, quote
from trading.evaluation.rules.arithmetic import Quote, correct
from trading.kernel.errors import InvalidInput

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "quotes.json").read_text())
BAD_SHARES = [{"domestic_share": each} for each in ("100.01", "-1", "eighty", "80.125", "080", 80, True, None)]
TERMS = {"delivery_days": 30, "sme": "small_micro"}


def template(*quantities: str) -> Template:
    items = [TemplateItem(code=f"A{n}", name="x", quantity=each, unit="台") for n, each in enumerate(quantities)]
    return Template(currency="CNY", ceiling=None, items=tuple(items))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['quantity']}x{case['unit_price']}")
def test_amounts(case: dict[str, Any]) -> None:
    # A second line keeps the total above zero, which a price must be.
    prices = {"A0": case["unit_price"], "A1": "1"}
    if case["amount"] is None:
        with pytest.raises(InvalidInput, match=r"price\.malformed"):
            quote(template(case["quantity"], "1"), prices, TERMS)
        return
    made = quote(template(case["quantity"], "1"), prices, TERMS)
    assert (made["items"][0]["amount"], made["total"]) == (case["amount"], case["amount"] + 100)
    assert correct(Quote.of_price(made)).corrections == (), "the committee finds nothing to correct"


@pytest.mark.parametrize("prices", [{}, {"A0": "1", "A9": "1"}, {"A0": "0"}])
def test_one_price_for_each_item_and_more_than_nothing(prices: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=r"price\.malformed"):
        quote(template("1"), prices, TERMS)


@pytest.mark.parametrize(
    "terms", [{"delivery_days": 0}, {"delivery_days": 36_501}, {"sme": "large"}, {"sme": 1}, *BAD_SHARES]
)
def test_terms_that_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"price\.malformed"):
        quote(template("1"), {"A0": "1"}, terms)


def run(folder: Path, *arguments: str, answer: str = "") -> Result:
    content = {
        "ceiling": 100_000,
        "currency": "CNY",
        "items": [
            {"code": "A02-1", "name": "课桌", "quantity": "10.50", "unit": "套"},
            {"code": "A02-2", "name": "椅", "quantity": "2", "unit": "把"},
        ],
        "lot": "1",
        "tender": "T-2026-7k3m9q2d",
    }
    (folder / "template.json").write_text(json.dumps(content))
    given = ["price", "--template", str(folder / "template.json"), "--out", str(folder / "price.json"), *arguments]
    return CliRunner().invoke(main, given, input=answer, env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})


def test_the_command_writes_what_seal_reads(tmp_path: Path) -> None:
    given = ("--unit-price", "A02-1=12.5", "--unit-price", "A02-2=3", "--delivery-days", "30", "--sme", "consortium")
    done = run(tmp_path, *given)
    assert done.exit_code == 0, done.output
    assert "137.25 CNY" in done.output
    found = of_file(tmp_path / "price.json")
    assert [(item.code, item.quantity, item.unit_price, item.amount) for item in found.items] == [
        ("A02-1", "10.5", "12.5", 13_125),
        ("A02-2", "2", "3", 600),
    ]
    assert (found.total, found.terms) == (13_725, {"delivery_days": 30, "sme": "consortium"})
    assert stat.S_IMODE((tmp_path / "price.json").stat().st_mode) == 0o600


def test_it_asks_for_what_is_missing_and_warns_above_the_ceiling(tmp_path: Path) -> None:
    done = run(tmp_path, "--unit-price", "A02-1=100", answer="1000\n")
    assert done.exit_code == 0, done.output
    assert "above the ceiling" in done.output
    assert of_file(tmp_path / "price.json").terms == {"delivery_days": None, "sme": None}


@pytest.mark.parametrize("wrong", ["A02-1", "A02-1=abc", "B=1"])
def test_nothing_is_written_when_something_is_wrong(tmp_path: Path, wrong: str) -> None:
    done = run(tmp_path, "--unit-price", wrong, "--unit-price", "A02-2=1", answer="1\n1\n")
    assert done.exit_code == 1
    assert not (tmp_path / "price.json").exists()


@pytest.mark.parametrize("share", ["0", "79.99", "80", "100"])
def test_the_share_of_domestic_products_stands_in_the_price_file(tmp_path: Path, share: str) -> None:  # PRF-06
    given = ("--unit-price", "A02-1=12.5", "--unit-price", "A02-2=3", "--domestic-share", share)
    done = run(tmp_path, *given)
    assert done.exit_code == 0, done.output
    assert of_file(tmp_path / "price.json").terms == {"delivery_days": None, "domestic_share": share, "sme": None}
