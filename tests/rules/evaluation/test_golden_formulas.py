"""The golden cases of golden/: MET-01 to MET-07 with PRF-01 to PRF-04 and PRF-06, as a lawyer reads them."""

from __future__ import annotations

import pytest

from tests.build.golden_formulas import Golden, cases, fen
from trading.kernel import canonical
from trading.procedures.rules.policies import Method
from trading.rulebook.loader import builtin

CASES = cases()


@pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.name)
def test_golden_case(golden: Golden) -> None:
    found = golden.ranking()
    case = golden.case
    lines = {item.bid: item for item in found.items}
    assert found.failure is None
    assert {bid: lines[bid].score for bid in case.get("score", {})} == case.get("score", {})
    assert {bid: lines[bid].price_points for bid in case.get("points", {})} == case.get("points", {})
    assert {bid: lines[bid].evaluated_price for bid in case.get("evaluated", {})} == {
        bid: fen(price) for bid, price in case.get("evaluated", {}).items()
    }
    assert {bid: line.rank for bid, line in lines.items() if line.rank is not None} == case["rank"]
    assert (found.workings or {}).get("price") == case.get("benchmark")
    assert (found.workings or {}).get("places") == case.get("places")
    body = found.body(golden.rules)
    canonical.check(body)
    assert body["formula"] == {"id": golden.rule, "version": 1}


def test_every_method_has_a_golden_case_with_its_article() -> None:
    assert {golden.method for golden in CASES} == set(Method)
    assert all(golden.article and golden.case["title_zh"] and golden.case["title_en"] for golden in CASES)
    assert {golden.rule for golden in CASES} <= set(builtin().rules)
    assert all(golden.rule == golden.method.rule for golden in CASES)


def test_a_wrong_number_in_a_golden_case_is_noticed() -> None:
    """Negative control."""
    golden = CASES[0]
    lines = {item.bid: item.rank for item in golden.ranking().items}
    assert lines != {**golden.case["rank"], "A": 1}
