"""The task list of one lot (ux 4.2 page 6): each lot stands on its own, and every state is said in words.

Nothing is stored: the list follows from what the platform has received and from the phase of the lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trading.notices.rules.progress import LotState


class State(StrEnum):
    """How a task stands."""

    READY = "ready"  # can be done now
    HERE = "here"  # is done on the bidder's own machine; the platform cannot know
    PART = "part"  # begun, and not enough (C10)
    DONE = "done"
    WAIT = "wait"  # its turn comes
    NOW = "now"  # must be done now, before an instant
    MISSED = "missed"  # its time is over
    NONE = "none"  # not needed here


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the platform knows of one bidder in one lot.

    Attributes:
        state: Of the lot.
        files_waiting: Whether parts are stored that belong to no submitted version.
        standing: ``none``, ``envelope`` or ``withdrawal``.
        logged: Whether the newest version is in the log.
        witnessed: Whether the witnesses have signed for it as well.
        needs_factor: Whether the opening needs the bidder.
        factor: ``none``, ``open``, ``revealed`` or ``over``: the window in which the bidder confirms.
        read_out: Whether every bid is read out.
        ranked: Whether the ranking is public.
        evaluated: Whether bids are evaluated at all; those of a practice tender are not (ADR 0061).
    """

    state: LotState
    files_waiting: bool = False
    standing: str = "none"
    logged: bool = False
    witnessed: bool = False
    needs_factor: bool = True
    factor: str = "none"
    read_out: bool = False
    ranked: bool = False
    evaluated: bool = True

    @property
    def bids(self) -> bool:
        """Whether a sealed version stands."""
        return self.standing == "envelope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One line of the list."""

    name: str
    state: State


def tasks(found: Situation) -> tuple[Task, ...]:
    """Return the tasks of a lot in their order."""
    is_open = found.state is LotState.OPEN
    states = {
        "requirements": State.READY if is_open else State.NONE,
        "documents": State.READY if is_open else State.NONE,
        "price": State.HERE if is_open else State.NONE,
        "seal": State.HERE if is_open else State.NONE,
        "submit": _submit(found, is_open=is_open),
        "receipt": _receipt(found),
        "confirm": _confirm(found),
        "opened": _after(found, reached=found.read_out),
        "result": _after(found, reached=found.ranked) if found.evaluated else State.NONE,
    }
    return tuple(Task(name=name, state=state) for name, state in states.items())


def _submit(found: Situation, *, is_open: bool) -> State:
    if found.bids:
        return State.DONE
    if not is_open:
        return State.NONE if found.standing == "withdrawal" else State.MISSED
    return State.PART if found.files_waiting else State.READY


def _receipt(found: Situation) -> State:
    if found.standing == "none":
        return State.WAIT if found.state is LotState.OPEN else State.NONE
    if found.witnessed:
        return State.DONE
    return State.PART if found.logged else State.WAIT


def _confirm(found: Situation) -> State:
    if not found.needs_factor or found.state in {LotState.FAILED, LotState.CANCELLED}:
        return State.NONE
    if not found.bids:
        return State.WAIT if found.state is LotState.OPEN else State.NONE
    return {"open": State.NOW, "revealed": State.DONE, "over": State.MISSED}.get(found.factor, State.WAIT)


def _after(found: Situation, *, reached: bool) -> State:
    ended = found.state in {LotState.FAILED, LotState.CANCELLED}
    if ended or not (found.bids or found.state is LotState.OPEN):
        return State.NONE
    return State.DONE if reached else State.WAIT
