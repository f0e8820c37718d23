"""Where a lot stands and its timeline; what a correction changed; the geometry of the dot plot."""

from __future__ import annotations

import pytest

from trading.awards.rules.dot_plot import Priced, dot_plot, shortened
from trading.notices.rules.changes import Change, compare
from trading.notices.rules.progress import STAGE_OF, STEPS, Happened, LotState, Mark, lot_state, timeline
from trading.procedures.rules.lifecycle import LotPhase
from trading.rulebook.loader import rule

NOW = 1_778_551_200_000


@pytest.mark.parametrize(
    ("close_at", "state"), [(NOW + 1, LotState.OPEN), (NOW, LotState.CLOSING), (NOW - 1, LotState.CLOSING)]
)
def test_a_bid_is_in_time_strictly_before_the_deadline(close_at: int, state: LotState) -> None:
    assert lot_state("open", close_at, NOW) is state


def test_every_phase_of_the_life_cycle_has_a_state() -> None:
    states = {phase: lot_state(phase.value, NOW + 1, NOW) for phase in LotPhase}
    assert states[LotPhase.CONCLUDED] is LotState.PUBLISHED
    assert states[LotPhase.CONTRACTED] is states[LotPhase.CONTRACT_PUBLISHED] is LotState.CONTRACTED
    assert {state for phase, state in states.items() if phase not in {LotPhase.DRAFT, LotPhase.OPEN}} == set(
        LotState
    ) - {
        LotState.OPEN,
        LotState.CLOSING,
    }
    assert set(STAGE_OF) == set(LotState)


@pytest.mark.parametrize("state", [each for each in LotState if each not in {LotState.FAILED, LotState.CANCELLED}])
def test_a_timeline_has_one_step_that_is_now(state: LotState) -> None:
    steps = timeline(state, NOW, [])
    marks = [step.mark for step in steps]
    assert marks == sorted(marks, key=[Mark.DONE, Mark.NOW, Mark.NEXT].index)
    assert marks.count(Mark.NOW) == (0 if state is LotState.CONTRACTED else 1)
    assert steps[1].at == NOW, "the deadline's instant is the deadline, whatever was written later"


def test_a_lot_that_ended_early_has_no_next_step() -> None:
    steps = timeline(LotState.FAILED, NOW, [Happened(kind="tender.published", at=1, h="aa")])
    assert [step.mark for step in steps] == [Mark.DONE, *[Mark.STOPPED] * 6]
    assert (steps[0].at, steps[0].h) == (1, "aa")


def test_every_step_names_rules_that_exist() -> None:
    for _name, _kind, rules in STEPS:
        assert all(rule(each).article for each in rules)


@pytest.mark.parametrize(
    ("field", "lot", "name"),
    [
        ("lot 1 close", "1", "close"),
        ("lots.0.ceiling", "1", "ceiling"),
        ("text_zh", None, "text_zh"),
        ("lot A-2 close", "A-2", "close"),
    ],
)
def test_fields_of_a_change(field: str, lot: str | None, name: str) -> None:
    change = Change(field=field, old="", new="")
    assert (change.lot, change.name) == (lot, name)


def test_values_of_a_change() -> None:
    moved = Change(field="lot 1 close", old=str(NOW), new="2026-05-12T10:00:00+08:00")
    assert (moved.kind, moved.value(moved.old), moved.value(moved.new)) == ("instant", NOW, NOW)
    assert Change(field="lots.0.ceiling", old="", new="500").value("") is None
    assert Change(field="lots.0.ceiling", old="100", new="500").kind == "amount"
    assert Change(field="lot 1 close", old="soon", new="later").kind == "text"
    assert Change(field="text_en", old="100", new="500").kind == "text"


def test_comparison_loses_nothing() -> None:
    for old, new in (
        ("质保 36 个月", "质保 60 个月。"),
        ("", "新"),
        ("旧", ""),
        ("a b c", "a b c"),
        ("x" * 4000, "x\ny" * 2000),
    ):
        pieces = compare(old, new)
        assert "".join(piece.text for piece in pieces if piece.how != "added") == old
        assert "".join(piece.text for piece in pieces if piece.how != "removed") == new
    assert [piece.text for piece in compare("36 个月", "60 个月") if piece.how != "same"] == ["36", "60"]


def test_the_dot_plot_begins_at_zero_and_stays_inside() -> None:
    prices = [Priced(label=str(n), price=n * 10**8 + 1, kind="ranked") for n in range(1, 6)]
    plot = dot_plot(prices, 7 * 10**8)
    assert plot is not None
    assert plot.ticks[0].x == "0.00%"
    assert len(plot.ticks) <= 6
    positions = [float(dot.x.rstrip("%")) for dot in plot.dots]
    assert positions == sorted(positions)
    assert all(0 <= each <= 100 for each in positions)
    assert float((plot.ceiling_x or "").rstrip("%")) > positions[-1]
    assert dot_plot([], 1) is None


def test_labels_are_cut_by_what_they_take_on_the_screen() -> None:
    assert shortened("明理医疗") == "明理医疗"
    assert shortened("江南省医药集团设备供应链管理有限责任公司") == "江南省医药集团设备供应链管理有限…"
    assert shortened("Linjiang Kangda Medical Devices Co., Ltd.") == "Linjiang Kangda Medical Devices C…"


@pytest.mark.parametrize("price", [0, 1, 99, 10**6, 10**15 - 1])
def test_any_price_can_be_drawn(price: int) -> None:
    plot = dot_plot([Priced(label="x", price=price, kind="awarded")], None)
    assert plot is not None
    assert plot.ceiling_x is None
