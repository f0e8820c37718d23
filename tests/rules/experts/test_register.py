"""The register of experts as the fold of signed changes (ED1 D3)."""

from __future__ import annotations

from typing import Any

import pytest

from trading.experts.rules.register import (
    Act,
    Register,
    RegisterChange,
    fold,
    make_register_change,
    parse_register_change,
)
from trading.kernel.errors import InvalidInput, RuleBroken

AT = 1_800_000_000_000


def expert(number: int, *strata: str, unit: str = "U1") -> dict[str, Any]:
    return {"id": f"E{number}", "strata": list(strata or ("S07",)), "unit": unit}


def chain(*acts: tuple[Act, list[dict[str, Any]]]) -> list[RegisterChange]:
    found: list[RegisterChange] = []
    for act, items in acts:
        raw = make_register_change(act, items, created=AT, before=found[-1] if found else None)
        found.append(parse_register_change(raw))
    return found


def test_the_fold() -> None:
    changes = chain(
        (Act.ADMITTED, [expert(1, "S11", "S07"), expert(2), expert(3)]),
        (Act.SUSPENDED, [expert(2)]),
        (Act.CHANGED, [expert(2, "S11", unit="")]),
        (Act.REMOVED, [expert(3)]),
    )
    register = fold(changes)
    assert register.suspended == {"E2"}  # a change does not end a suspension
    assert {(item.id, item.stratum, item.unit) for item in register.entrants()} == {
        ("E1", "S07", "U1"),
        ("E1", "S11", "U1"),
        ("E2", "S11", ""),
    }
    assert [item.id for item in register.entrants({"S07"})] == ["E1"]
    resumed = register.apply(chain_after(changes[-1], Act.RESUMED, expert(2, "S11", unit="")))
    assert resumed.suspended == frozenset()


def chain_after(before: RegisterChange, act: Act, *items: dict[str, Any]) -> RegisterChange:
    return parse_register_change(make_register_change(act, items, created=AT, before=before))


@pytest.mark.parametrize(
    ("act", "number", "code"),
    [
        (Act.ADMITTED, 1, "register.known"),
        (Act.CHANGED, 9, "register.unknown"),
        (Act.REMOVED, 9, "register.unknown"),
        (Act.RESUMED, 1, "register.not_suspended"),
    ],
)
def test_acts_that_do_not_fit(act: Act, number: int, code: str) -> None:
    first = chain((Act.ADMITTED, [expert(1)]))
    with pytest.raises(RuleBroken) as caught:
        fold([*first, chain_after(first[0], act, expert(number))])
    assert caught.value.code == code


def test_a_gap_in_the_chain_is_seen() -> None:
    changes = chain((Act.ADMITTED, [expert(1)]), (Act.ADMITTED, [expert(2)]), (Act.ADMITTED, [expert(3)]))
    with pytest.raises(RuleBroken, match=r"register\.chain"):
        fold([changes[0], changes[2]])
    with pytest.raises(RuleBroken, match=r"register\.chain"):
        Register(experts={}).apply(changes[1])


def test_a_first_change_has_no_predecessor() -> None:
    raw = chain((Act.ADMITTED, [expert(1)]))[0].raw.replace(b'"seq":1', b'"seq":2')
    with pytest.raises(InvalidInput):
        parse_register_change(raw)
