"""The task list of a lot follows from what the platform has and from the phase; the commands are quoted for a shell."""

from __future__ import annotations

import shlex

import pytest

from trading.notices.rules.progress import LotState
from trading.participation.rules.commands import Case, commands
from trading.participation.rules.tasks import Situation, State, tasks

ENDED = (LotState.FAILED, LotState.CANCELLED)


def states(**known: object) -> dict[str, str]:
    found = Situation(**known)  # type: ignore[arg-type]  # the caller names its fields
    return {task.name: task.state.value for task in tasks(found)}


def test_an_open_lot_begins_with_everything_to_do() -> None:
    assert states(state=LotState.OPEN) == {
        "requirements": "ready",
        "documents": "ready",
        "price": "here",
        "seal": "here",
        "submit": "ready",
        "receipt": "wait",
        "confirm": "wait",
        "opened": "wait",
        "result": "wait",
    }


def test_uploaded_is_not_submitted() -> None:
    assert states(state=LotState.OPEN, files_waiting=True)["submit"] == State.PART
    assert states(state=LotState.OPEN, files_waiting=True, standing="envelope")["submit"] == State.DONE
    assert states(state=LotState.OPEN, files_waiting=True, standing="withdrawal")["submit"] == State.PART


@pytest.mark.parametrize(
    ("logged", "witnessed", "state"), [(False, False, "wait"), (True, False, "part"), (True, True, "done")]
)
def test_a_receipt_is_complete_with_its_witnesses(logged: bool, witnessed: bool, state: str) -> None:  # noqa: FBT001
    found = states(state=LotState.OPEN, standing="envelope", logged=logged, witnessed=witnessed)
    assert found["receipt"] == state


@pytest.mark.parametrize(
    ("factor", "state"), [("none", "wait"), ("open", "now"), ("revealed", "done"), ("over", "missed")]
)
def test_confirming_is_asked_for_in_its_window(factor: str, state: str) -> None:
    known = {"state": LotState.OPENING, "standing": "envelope", "factor": factor}
    assert states(**known)["confirm"] == state
    assert states(**known, needs_factor=False)["confirm"] == State.NONE
    assert states(**{**known, "standing": "withdrawal"})["confirm"] == State.NONE


@pytest.mark.parametrize("lot", [state for state in LotState if state is not LotState.OPEN])
def test_who_did_not_bid_in_time_has_nothing_more_to_do(lot: LotState) -> None:
    found = states(state=lot)
    assert found.pop("submit") == State.MISSED
    assert set(found.values()) == {State.NONE}


@pytest.mark.parametrize("lot", ENDED)
def test_nothing_follows_where_nothing_is_opened(lot: LotState) -> None:
    found = states(state=lot, standing="envelope", logged=True, witnessed=True)
    assert {found[name] for name in ("confirm", "opened", "result")} == {State.NONE}


def test_opened_and_result_come_one_after_the_other() -> None:
    known = {"state": LotState.OPENED, "standing": "envelope", "factor": "revealed", "read_out": True}
    assert (states(**known)["opened"], states(**known)["result"]) == (State.DONE, State.WAIT)
    assert states(**known, ranked=True)["result"] == State.DONE


def test_commands_name_the_bid_and_survive_a_shell() -> None:
    case = Case(api="https://x.example/a b", tender="T-1; rm -rf", lot="2", stage="all", organisation="91X")
    found = commands(case)
    assert set(found) == {
        *(
            "start",
            "price",
            "rehearse",
            "seal",
            "submit",
            "status",
            "withdraw",
            "reveal",
            "rescue",
            "check",
            "hand-over",
        ),
    }
    for name, line in found.items():
        words = shlex.split(line)
        assert words[:3] == ["mingbiao", "bid", name]
        assert ";" not in words
    start = shlex.split(found["start"])
    assert start[start.index("--api") + 1] == "https://x.example/a b"
    assert start[start.index("--tender") + 1] == "T-1; rm -rf"
    assert "--price-file" in found["seal"]
