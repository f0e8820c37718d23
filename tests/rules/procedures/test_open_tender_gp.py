"""The open tender's table against the golden table that a lawyer signs: every (phase, act) pair, every role."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.build.tenders import actor, facts
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.kernel.roles import Role
from trading.procedures.rules.catalogue import KINDS
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.labels import ACTS, GUARDS, LOT_PHASES, PROCEDURE_PHASES, ROLES
from trading.procedures.rules.lifecycle import Act, LotPhase, Phase, ProcedurePhase, Step, advance
from trading.procedures.rules.phase_table import generated_page, guard_name, table
from trading.rulebook.loader import builtin

GOLDEN = (Path(__file__).parents[2] / "vectors" / "kinds" / "open_tender_gp.md").read_text()
DOCS = Path(__file__).parents[3] / "docs"
CODE = re.compile(r"`([a-z_]+)`")
PHASES: tuple[Phase, ...] = (*ProcedurePhase, *LotPhase)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the golden table, read by its codes only."""

    target: str
    lots: str | None
    by: frozenset[str]
    guards: tuple[str, ...]
    rules: tuple[str, ...]


def read(text: str) -> dict[tuple[str, str, str], Row]:
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or "phase" in cells[1]:
            continue
        (phase,), (act,), target = (CODE.findall(cell) for cell in cells[1:4])
        key = (cells[0].split()[-1], phase, act)
        assert key not in rows
        rows[key] = Row(
            target=target[0],
            lots=target[1] if len(target) > 1 else None,
            by=frozenset(CODE.findall(cells[4])),
            guards=tuple(CODE.findall(cells[5])),
            rules=tuple(cells[6].split(", ")),
        )
    return rows


ROWS = read(GOLDEN)


def subject(phase: Phase) -> str:
    return "procedure" if isinstance(phase, ProcedurePhase) else "lot"


@pytest.mark.parametrize(("phase", "act"), list(product(PHASES, Act)), ids=str)
def test_every_phase_and_act(phase: Phase, act: Act) -> None:  # B4.1
    row = ROWS.get((subject(phase), phase.value, act.value))
    if row is None:
        with pytest.raises(RuleBroken) as refusal:
            advance(OPEN_TENDER_GP, phase, act, actor(*Role), facts())
        assert (refusal.value.code, refusal.value.rule_id) == ("act.wrong_phase", "B4.1")
        return
    step = OPEN_TENDER_GP.step(phase, act)
    assert step is not None
    assert row == row_of(step)
    assert type(step.target) is type(phase)


def row_of(step: Step) -> Row:
    return Row(
        target=step.target.value,
        lots=step.lots.value if step.lots else None,
        by=frozenset(role.value for role in step.by),
        guards=tuple(guard_name(guard) for guard in step.guards),
        rules=step.rules,
    )


def test_the_golden_table_has_no_row_that_the_program_lacks() -> None:
    steps = {(subject(step.source), step.source.value, step.act.value) for step in OPEN_TENDER_GP.steps}
    assert set(ROWS) == steps
    assert len(steps) == len(OPEN_TENDER_GP.steps), "two steps for one phase and act"


def test_a_changed_golden_row_is_noticed() -> None:
    """Negative control: another target, role, guard or rule in the signed table is a difference."""
    changes = [
        ("| 流标 `failed` |", "| 已开标 `opened` |"),
        ("| 复核人 `reviewer` |", "| 编制人 `agency` |"),
        ("`lawful_deadline`", "`ceiling`"),
        ("DOC-04", "DOC-05"),
    ]
    for old, new in changes:
        changed = read(GOLDEN.replace(old, new, 1))
        assert [key for key, row in ROWS.items() if changed[key] != row] != []


@pytest.mark.parametrize(
    "step", OPEN_TENDER_GP.steps, ids=lambda step: f"{subject(step.source)}-{step.source}-{step.act}"
)
def test_only_the_named_roles_may_act(step: Step) -> None:
    for role in Role:
        if role in step.by:
            continue
        with pytest.raises(NotPermitted):
            advance(OPEN_TENDER_GP, step.source, step.act, actor(role), facts())


def test_drafts_of_procedure_and_lot_are_different_phases() -> None:
    """The strings are equal, the phases are not: a lot is never submitted for review."""
    assert ProcedurePhase.DRAFT.value == LotPhase.DRAFT.value
    assert OPEN_TENDER_GP.step(LotPhase.DRAFT, Act.SUBMIT) is None
    assert OPEN_TENDER_GP.acts(LotPhase.DRAFT) == (Act.OPEN,)


def test_a_finished_lot_has_no_acts_but_those_of_its_contract_and_its_last_notice() -> None:
    finished = {phase for phase in LotPhase if phase.finished}
    after = {Act.SIGN_CONTRACT, Act.PUBLISH_CONTRACT, Act.FILE_CONTRACT, Act.ANNOUNCE_FAILURE}
    assert finished == {phase for phase in LotPhase if set(OPEN_TENDER_GP.acts(phase)) <= after}
    assert {act for phase in finished for act in OPEN_TENDER_GP.acts(phase)} == after
    assert OPEN_TENDER_GP.acts(LotPhase.CANCELLED) == ()


def test_every_phase_can_be_reached() -> None:
    reached: set[Phase] = {ProcedurePhase.DRAFT, LotPhase.DRAFT}
    for _ in PHASES:
        reached |= {step.target for step in OPEN_TENDER_GP.steps if any(step.source is phase for phase in reached)}
    assert {id(phase) for phase in reached} <= {id(phase) for phase in PHASES}
    assert {(subject(phase), phase.value) for phase in reached} >= {
        (subject(phase), phase.value) for phase in ProcedurePhase
    }
    assert {step.target for step in OPEN_TENDER_GP.steps if isinstance(step.target, LotPhase)} == set(LotPhase) - {
        LotPhase.DRAFT
    }


def test_labels_are_complete() -> None:
    assert set(PROCEDURE_PHASES) == set(ProcedurePhase)
    assert set(LOT_PHASES) == set(LotPhase)
    assert set(ACTS) == set(Act)
    assert set(ROLES) == set(Role)
    assert set(GUARDS) == {guard_name(guard) for kind in KINDS for step in kind.steps for guard in step.guards}


def test_every_rule_of_the_table_is_in_the_rule_book() -> None:
    cited = {rule for kind in KINDS for step in kind.steps for rule in step.rules}
    cited |= {rule for kind in KINDS for rule in kind.rules}
    assert cited <= set(builtin().rules)


def test_generated_documentation_is_fresh() -> None:
    page = generated_page()
    assert (DOCS / "procedures.md").read_text() == page
    assert set(table(OPEN_TENDER_GP)) <= set(page.splitlines())
    assert set(table(OPEN_TENDER_GP)) <= set(GOLDEN.splitlines())
