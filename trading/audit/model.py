"""Values of the write path, of logs and their check, and the record kinds that belong to the log itself (AL1 L2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trading.kernel import canonical
from trading.kernel.events import Event, EventKind

OVERDUE_MS: Final = 60_000  # what is older and has not been recorded or given its place is a fault, not on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Proof, towards the stores, that the running transaction has written its entry.

    ``h`` is the commitment of AL1 L1.1; ``at`` is the database clock captured by the act, in ms.
    """

    entry_id: int
    h: bytes
    kind: str
    at: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What ``log.act_begin`` returned; the caller decides from these values only (AL1 L4.3).

    ``received_at`` and ``close_at`` in ms. ``phase`` and ``close_at`` are None where the lot or its deadline does not
    exist. ``hold`` says that the clock of some host is on hold (TE1 T3).
    """

    received_at: int
    phase: str | None
    close_at: int | None
    hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentLog:
    """The log that the database belongs to: the place of its first entry, and whether it is closed."""

    origin: str
    base: int
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLog:
    """A closed log: place of its first entry, final checkpoint with its size, reason (AL1 L13)."""

    base: int
    origin: str
    size: int
    checkpoint: bytes
    reason: str

    @property
    def end(self) -> int:
        """Return the place after its last entry: that of the first entry of the next log."""
        return self.base + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not fit: which check, where, what."""

    check: str
    place: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What was compared and what was found. ``unchecked`` names what could not be compared at all."""

    size: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 all checked, 1 a fault, 2 no fault but something could not be checked (P11)."""
        return 1 if self.findings else 2 if self.unchecked else 0

    def count(self, what: str, number: int = 1) -> None:
        """Add to the number of things compared."""
        self.counts[what] = self.counts.get(what, 0) + number

    def skip(self, check: str, place: str, detail: str) -> None:
        """Note what could not be compared."""
        self.unchecked.append(Finding(check=check, place=place, detail=detail))

    def fault(self, check: str, place: str, detail: str) -> None:
        """Note a fault."""
        self.findings.append(Finding(check=check, place=place, detail=detail))

    def late(self, age_ms: int, check: str, place: str, detail: str) -> None:
        """Note what is not there: a fault, unless it may still be on its way.

        A worker or sequencer that is killed leaves it to the next one, which needs some seconds.
        """
        if 0 <= age_ms <= OVERDUE_MS:
            self.skip(check, place, f"{detail}, yet")
        else:
            self.fault(check, place, detail)

    def take(self, part: Report, name: str) -> None:
        """Add what was found in an earlier log called ``name``."""
        for what, number in part.counts.items():
            self.count(what, number)
        for mine, found in ((self.findings, part.findings), (self.unchecked, part.unchecked)):
            mine += [Finding(check=each.check, place=f"{name} {each.place}", detail=each.detail) for each in found]


def record_bytes(
    event: Event, *, actor: str, on_behalf_of: str | None = None, at: int, request: str | None = None
) -> bytes:
    """Return the record of ``event`` (AL1 L1.1): the canonical bytes that its commitment covers.

    Args:
        event: Kind, subject and body, already checked against the registry.
        actor: Account id, ``system:<process>`` or ``party:<kid>``.
        on_behalf_of: Organisation code of the actor.
        at: Database clock of the act, ms.
        request: Id of the web request.
    """
    return canonical.dumps(
        {
            "actor": actor,
            "article": event.article,
            "at": at,
            "body": dict(event.body),
            "kind": event.kind,
            "on_behalf_of": on_behalf_of,
            "procedure": event.procedure,
            "request": request,
            "subject": event.subject,
            "v": 1,
        }
    )


_kind = EventKind.named

EVENTS: tuple[EventKind, ...] = (
    _kind(
        "clock.state",
        "dispersion_us host leap offset_us sources stratum synchronised",
        "时钟状态",
        "Clock state",
    ),
    _kind("clock.hold", "host reason", "时钟异常暂停", "Clock on hold"),
    _kind("clock.released", "host size", "时钟恢复", "Clock released"),
    _kind("clock.jumped", "from to", "演示时间前移", "Demonstration time moved on"),
    _kind("availability.state", "from ms ok reason vantage", "可用性探测", "Availability probe"),
    _kind("tst.anchored", "gen_time root size token_sha256 tsa", "时间戳入链", "Time stamp anchored"),
    _kind("witness.missed", "since witness", "见证方失联", "Witness missed"),
    _kind("log.continued", "old_checkpoint old_origin reason", "日志续接", "Log continued"),
    _kind("log.delayed", "from to", "入链延迟", "Log delayed"),
    _kind("log.pad", "", "填充条目", "Padding entry"),
    _kind("config.changed", "what", "配置变更", "Configuration changed"),
    _kind("release.installed", "what", "版本安装", "Release installed"),
    _kind("admin.read", "what", "管理员查阅", "Administrative reading"),
    _kind("data.erased", "commitment ground", "个人信息删除", "Personal data erased"),
)
