"""What a correction may change, what it is called in the notice, and whether it may affect bids (DOC-18, NOT-05)."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from typing import Any

import pytest

from tests.build.tenders import CLOSE_AT, code, item, lot, spec
from trading.kernel.calendar import CHINA
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.amendment import Amendment, amend
from trading.procedures.rules.spec import parse_spec

HOUR = 3_600_000


def amended(declared: bool = False, **changes: Any) -> Amendment:  # noqa: FBT001, FBT002 - as the drafter ticks it
    return amend(parse_spec(spec()), parse_spec(spec(**changes)), declared=declared, zone=CHINA)


def test_an_extension_alone_affects_no_bid() -> None:  # NOT-05
    found = amended(close=CLOSE_AT + HOUR)
    assert found.to_json() == [
        {"field": "close", "new": "2026-03-31T11:00:00+08:00", "old": "2026-03-31T10:00:00+08:00"}
    ]
    assert not found.affects_bids


def test_a_new_ceiling_always_affects_bids() -> None:  # NOT-05
    found = amended(lots=[lot(ceiling=None)])
    assert found.to_json() == [{"field": "lots.0.ceiling", "new": "", "old": "100000000"}]
    assert found.affects_bids


def test_a_change_of_text_is_judged_by_the_drafter() -> None:  # NOT-05
    assert not amended(text_zh="采购服务器若干。").affects_bids
    assert amended(declared=True, text_zh="采购服务器若干。").affects_bids


def test_windows_and_supply_may_change() -> None:
    windows = spec()["windows"] | {"rescue_ms": 1_000_000}
    found = amended(windows=windows, supply_ends_at=CLOSE_AT)
    assert [change.field for change in found.changes] == ["supply_ends_at", "windows.rescue_ms"]
    assert (found.changes[0].old, found.changes[1].new) == ("", "1000000")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"buyer": code("D")}, "buyer"),
        ({"kind": "other"}, "kind"),
        ({"sealing": spec()["sealing"] | {"k": 2}}, "sealing.k"),
        ({"lots": [lot(currency="CHF")]}, "lots.0.currency"),
        ({"lots": [lot(items=[item(quantity="13")])]}, "lots.0.items.0.quantity"),
        ({"lots": [lot(items=[item(name_zh="打印机")])]}, "lots.0.items.0.name_zh"),
        ({"lots": [lot(), lot("2")]}, "lots"),
        ({"lots": [lot(items=[item(), item(code="2")])]}, "lots.0.items"),
    ],
)
def test_the_object_and_the_parties_stand_for_good(changes: dict[str, Any], field: str) -> None:  # DOC-18
    with pytest.raises(RuleBroken) as refusal:
        amended(**changes)
    assert (refusal.value.code, refusal.value.rule_id) == ("amendment.fixed_field", "DOC-18")
    assert refusal.value.facts == {"field": field}


def test_a_correction_that_corrects_nothing_is_refused() -> None:  # NOT-05
    with pytest.raises(RuleBroken, match=r"amendment\.empty"):
        amended()
