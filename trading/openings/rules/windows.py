"""Which step of an opening may begin when (SB1 S9.2 to S9.8), from recorded instants alone.

All instants are ms of the one platform clock (TE1 T1); a window is half-open: its last instant is outside. Nothing here
reads a clock: the caller passes the instant captured by its transaction (AL1 L4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trading.kernel.errors import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLengths:
    """Lengths of the windows in ms, from the last ``mb.schedule`` before the close (TE1 T2)."""

    objection_ms: int
    share_check_ms: int
    factor_window_ms: int
    release_window_ms: int
    rescue_ms: int

    @classmethod
    def of_schedule(cls, schedule: Mapping[str, Any]) -> WindowLengths:
        """Take the lengths out of a parsed ``mb.schedule`` whose fields were checked."""
        return cls(
            objection_ms=schedule["objection_ms"],
            share_check_ms=schedule["share_check_ms"],
            factor_window_ms=schedule["factor_window_ms"],
            release_window_ms=schedule["release_window_ms"],
            rescue_ms=schedule["rescue_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What the log says so far of one opening. ``None``: that step is not recorded yet.

    ``factor_closed_at`` is the instant of the newest ``factor.closed``; a list may be corrected while no share has been
    released (S10 row 5), and the release window counts from the corrected one.
    """

    lengths: WindowLengths
    bidder_factor: bool
    first_ordered_at: int
    newest_ordered_at: int
    open_objections: int = 0
    all_checked: bool = False  # every agent has answered the newest order
    factor_ends_at: int | None = None
    factor_closed_at: int | None = None
    all_released: bool = False  # every agent has released for the newest order
    gaps_at: int | None = None
    gaps: tuple[str, ...] = ()
    release_closed_at: int | None = None
    combined: bool = False

    @property
    def objections_end_at(self) -> int:
        """End of the objection window: counted from the first order, never from a later one (S9.2)."""
        return self.first_ordered_at + self.lengths.objection_ms

    @property
    def checks_end_at(self) -> int:
        """When the ceremony goes on whatever the agents answered: counted from the newest order (S9.3)."""
        return self.newest_ordered_at + self.lengths.share_check_ms

    @property
    def release_begins_at(self) -> int | None:
        """From when releases and rescues are possible (S9.6, S9.7); ``None`` while the factor list is not closed."""
        return self.factor_closed_at if self.bidder_factor else self.objections_end_at

    @property
    def release_ends_at(self) -> int | None:
        """When the station must report gaps even if custodians are missing (S9.7)."""
        begins = self.release_begins_at
        return None if begins is None else begins + self.lengths.release_window_ms

    def checks_over(self, at: int) -> bool:
        """Whether objections are decided and every agent has answered or its time is up (S9.5)."""
        return (
            at >= self.objections_end_at
            and self.open_objections == 0
            and (self.all_checked or at >= self.checks_end_at)
        )


class Step(StrEnum):
    """The next thing that the platform or the station does by itself when its instant has come."""

    OPEN_FACTOR_WINDOW = "open_factor_window"
    MAKE_FACTOR_LIST = "make_factor_list"  # then agency and supervisor sign, and factor.closed is written
    ASK_FOR_RELEASES = "ask_for_releases"
    REPORT_GAPS = "report_gaps"  # by the station
    CLOSE_RELEASE = "close_release"
    COMBINE = "combine"  # by the station


def may_object(ceremony: Ceremony, at: int) -> bool:
    """Whether a bidder whose bid is missing may still object (S9.2)."""
    return at < ceremony.objections_end_at


def require_objection_open(ceremony: Ceremony, at: int) -> None:
    """Refuse an objection after its window: ``objection.late``."""
    if not may_object(ceremony, at):
        raise RuleBroken("objection.late", "SB1 S9.2", ended_at=ceremony.objections_end_at)


def require_factor_open(ceremony: Ceremony, at: int) -> None:
    """Refuse a factor outside its window: ``factor.early`` or ``factor.late`` (S9.5); the end itself is late."""
    if ceremony.factor_ends_at is None:
        raise RuleBroken("factor.early", "SB1 S9.5")
    if at >= ceremony.factor_ends_at:
        raise RuleBroken("factor.late", "SB1 S9.5", ended_at=ceremony.factor_ends_at)


def may_rescue(ceremony: Ceremony, at: int) -> bool:
    """Whether a bidder may replace the shares of its bid: from ``factor.closed`` to ``release.closed`` (S9.6)."""
    begins = ceremony.release_begins_at
    return begins is not None and at >= begins and ceremony.release_closed_at is None


def require_rescue_open(ceremony: Ceremony, at: int) -> None:
    """Refuse a rescue before ``factor.closed`` or after ``release.closed``: ``rescue.early``, ``rescue.late`` (S9.6).

    Earlier, the platform would know a price while others may still withhold their factors; later, prices may be known.
    """
    if may_rescue(ceremony, at):
        return
    if ceremony.release_closed_at is not None:
        raise RuleBroken("rescue.late", "SB1 S9.6", ended_at=ceremony.release_closed_at)
    raise RuleBroken("rescue.early", "SB1 S9.6")


def require_factor_list_correctable(*, released: bool) -> None:
    """Refuse another factor list once a share has been released: ``factor.list_final`` (S9.5)."""
    if released:
        raise RuleBroken("factor.list_final", "SB1 S9.5")


def may_release(ceremony: Ceremony, at: int) -> bool:
    """Whether custodians may be asked to release: after ``factor.closed``; factor off, after objections and checks.

    With the factor off the checks come first too, because SB-10 wants every share check before the first release.
    """
    if ceremony.release_closed_at is not None:
        return False
    if ceremony.bidder_factor:
        return ceremony.factor_closed_at is not None
    return ceremony.checks_over(at)


def may_report_gaps(ceremony: Ceremony, at: int) -> bool:
    """Whether the station may report: all have answered, or the release window is over (S9.7)."""
    if not may_release(ceremony, at) or ceremony.gaps_at is not None:
        return False
    ends = ceremony.release_ends_at
    return ceremony.all_released or (ends is not None and at >= ends)


def release_closes_at(ceremony: Ceremony) -> int | None:
    """Return when ``release.closed`` is due: at the report if nothing is missing, else ``rescue_ms`` later."""
    if ceremony.gaps_at is None:
        return None
    return ceremony.gaps_at + (ceremony.lengths.rescue_ms if ceremony.gaps else 0)


def may_combine(ceremony: Ceremony) -> bool:
    """Whether the station may combine: never before ``release.closed`` (S9.8)."""
    return ceremony.release_closed_at is not None and not ceremony.combined


def next_step(ceremony: Ceremony, at: int) -> tuple[Step, int] | None:
    """Return the next step and the instant at which it is due, at the latest if nothing else happens.

    An instant not after ``at`` means now. ``None``: something is awaited that no clock brings (an open objection), or
    the ceremony is past its windows.
    """
    if ceremony.release_closed_at is not None:
        return None if ceremony.combined else (Step.COMBINE, ceremony.release_closed_at)
    closes = release_closes_at(ceremony)
    if closes is not None:
        return Step.CLOSE_RELEASE, closes
    ends = ceremony.release_ends_at
    if ends is not None and may_release(ceremony, at):
        return Step.REPORT_GAPS, at if ceremony.all_released else ends
    if ceremony.bidder_factor and ceremony.factor_ends_at is not None:
        # Past its end the list waits for two signatures; making it again would change nothing.
        return Step.MAKE_FACTOR_LIST, ceremony.factor_ends_at
    if ceremony.open_objections:
        return None
    checks = ceremony.objections_end_at if ceremony.all_checked else ceremony.checks_end_at
    due = max(ceremony.objections_end_at, checks)
    return (Step.OPEN_FACTOR_WINDOW if ceremony.bidder_factor else Step.ASK_FOR_RELEASES), due
