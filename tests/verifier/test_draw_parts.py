"""Exclusions in several documents: disclosed by the hundred thousand, checked as one vector, missing ones named."""

from __future__ import annotations

import pytest

from tests.support.made_draw import DrawStory, MadeDraw, tell_draw, verify_draw
from tests.support.verifying import failures, state_of
from tests.verifier.test_draws import begun, lie
from trading.experts.rules import disclosed
from trading.experts.rules.fields import MAX_POOL
from trading.kernel.canonical import MAX_DOCUMENT, loads_object
from verifier.report import STATE_ABSENT, STATE_OK

STORY = DrawStory(experts=60, units=40, suspended=9)
PART = b'"typ":"mb.draw-exclusions"'


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosed, "AT_ONCE", 4)


def parts_of(made: MadeDraw) -> dict[int, str]:
    """The documents of the list by their number."""
    values = {name: loads_object(data) for name, (data, _) in made.documents.items() if PART in data}
    return {value["part"]: name for name, value in values.items()}


@pytest.mark.usefixtures("small")
def test_a_vector_in_parts_is_checked_whole() -> None:
    made = tell_draw(STORY)
    assert len(made.reasons) > 8
    assert sorted(parts_of(made)) == list(range(1, (len(made.reasons) - 1) // 4 + 1))
    report = verify_draw(made, "audit")
    assert (failures(report), report.exit_code, state_of(report, "ED-10")) == ({}, 0, STATE_OK)
    public = verify_draw(made, "public")
    assert (failures(public), state_of(public, "ED-10")) == ({}, STATE_ABSENT)


def test_the_limit_of_the_product_needs_one_document_alone() -> None:
    """The control: the same draw as it is disclosed today."""
    made = tell_draw(STORY)
    assert parts_of(made) == {}
    assert verify_draw(made, "audit").exit_code == 0


@pytest.mark.usefixtures("small")
def test_a_missing_part_leaves_the_vector_open() -> None:
    made = tell_draw(STORY)
    name = parts_of(made)[2]
    del made.documents[name]
    report = verify_draw(made, "audit")
    assert (failures(report), report.exit_code) == ({}, 2)
    assert state_of(report, "ED-10") != STATE_OK


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields["exclusions"].pop(),
        lambda fields: fields["exclusions"][0].update(reason="worked_for_agency"),
        lambda fields: fields["exclusions"][0].update(index=0),
    ],
)
def test_a_lie_in_a_part_is_found(change: object) -> None:
    made = tell_draw(STORY, lie("mb.draw-exclusions", change))  # type: ignore[arg-type]  # three lies of one form
    assert "ED-10" in failures(verify_draw(made, "audit"))


def test_two_hundred_thousand_exclusions_are_disclosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest reasons at the highest indices: every document keeps to the limit of P12."""
    made, count = begun(), 200_000
    told = {MAX_POOL - number: "r" * 32 for number in range(count)}
    documents = disclosed.make_keys(made.spec, bytes(32), bytes(32), told, ())
    assert max(map(len, documents)) <= MAX_DOCUMENT
    values = [loads_object(raw) for raw in documents]
    assert values[0]["parts"] == len(values) - 1 == 13
    assert [row["index"] for value in values for row in value["exclusions"]] == sorted(told)
    monkeypatch.setattr(disclosed, "AT_ONCE", count)  # the control: in one document they never were
    with pytest.raises(ValueError, match="too_large"):
        disclosed.make_keys(made.spec, bytes(32), bytes(32), told, ())
