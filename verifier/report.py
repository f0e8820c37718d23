"""The result of a verification: one line per check, places of failures, exit code (AL1 L12.2, L12.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STATE_OK = "ok"
STATE_FAIL = "FAIL"
STATE_GAP = "not checked"
STATE_ABSENT = "not in this tier"
MARK_OF_STATE = {STATE_OK: "✓", STATE_FAIL: "✗", STATE_GAP: "?", STATE_ABSENT: "–"}
SHOWN_FINDINGS = 20
LONGEST_FINDING = 400


def printable(text: str) -> str:
    """Return text that is safe on a terminal: names and values come from a hostile bundle."""
    short = text if len(text) <= LONGEST_FINDING else text[:LONGEST_FINDING] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in short)


@dataclass
class Check:
    """One numbered check. It is ``ok`` only if something was checked and nothing failed or stayed open."""

    id: str
    title: str
    done: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def passed(self, count: int = 1) -> None:
        """Count things that were checked, whatever the outcome."""
        self.done += count

    def fail(self, place: str, text: str) -> None:
        """Report a broken rule at a place (a file, an entry, a bid)."""
        self.failures.append((printable(place), printable(text)))

    def gap(self, place: str, text: str) -> None:
        """Report something that could not be checked although the tier holds it."""
        self.gaps.append((printable(place), printable(text)))

    def note(self, place: str, text: str) -> None:
        """Report something that the reader should know and that decides nothing."""
        self.notes.append((printable(place), printable(text)))

    def require(self, place: str, text: str, *, holds: bool) -> bool:
        """Count one thing checked, report ``text`` if it does not hold, and return whether it does."""
        self.done += 1
        if not holds:
            self.fail(place, text)
        return holds

    @property
    def state(self) -> str:
        """Return the state that the line shows."""
        if self.failures:
            return STATE_FAIL
        if self.gaps:
            return STATE_GAP
        return STATE_OK if self.done else STATE_ABSENT

    def as_json(self) -> dict[str, Any]:
        """Return the check as data for ``--json``."""
        findings = {"failures": self.failures, "gaps": self.gaps, "notes": self.notes}
        lists = {name: [{"place": place, "text": text} for place, text in rows] for name, rows in findings.items()}
        return {"id": self.id, "title": self.title, "state": self.state, "done": self.done, **lists}


@dataclass
class Report:
    """All checks of one run and the facts of its header."""

    trust_line: str
    trusted: bool
    demo: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    draws: list[dict[str, Any]] | None = None

    def check(self, check_id: str, title: str) -> Check:
        """Return the check with this id, made on first use."""
        for known in self.checks:
            if known.id == check_id:
                return known
        made = Check(check_id, title)
        self.checks.append(made)
        return made

    def take(self, other: Report, folder: str) -> None:
        """Add the checks of a part of the bundle that lies below a folder."""
        for part in other.checks:
            check = self.check(part.id, part.title)
            check.passed(part.done)
            rows = ((check.failures, part.failures), (check.gaps, part.gaps), (check.notes, part.notes))
            for mine, found in rows:
                mine += [(folder + place, text) for place, text in found]

    @property
    def exit_code(self) -> int:
        """Return 0, 1 or 2 by L12.3; any failure wins over any gap."""
        states = {check.state for check in self.checks}
        if STATE_FAIL in states:
            return 1
        return 0 if self.trusted and STATE_GAP not in states and STATE_OK in states else 2

    def as_json(self) -> dict[str, Any]:
        """Return the whole report as data; the same bundle gives the same data on every machine."""
        return {
            "trust": self.trust_line,
            "trusted": self.trusted,
            "demo": self.demo,
            "facts": self.facts,
            "checks": [check.as_json() for check in self.checks],
            "exit_code": self.exit_code,
            **({} if self.draws is None else {"draws": self.draws}),
        }

    def as_text(self) -> str:
        """Return the report as lines of text; the first line is the trust, the second the demo warning if due."""
        lines = [self.trust_line]
        if self.demo:
            lines.append("DEMO POLICY – NOT EVIDENCE / 演示策略，不具有证明力")
        lines += [f"{name}: {value}" for name, value in self.facts.items() if value is not None]
        lines.append("")
        for check in self.checks:
            lines += _check_lines(check)
        for draw in self.draws or []:
            lines += ["", *_draw_lines(draw)]
        lines += ["", _summary(self)]
        return "\n".join(lines) + "\n"


def _check_lines(check: Check) -> list[str]:
    state = check.state
    count = f" ({check.done})" if check.done and state != STATE_ABSENT else ""
    lines = [f"{MARK_OF_STATE[state]} {check.id}  {state:<16}  {check.title}{count}"]
    for rows, word in ((check.failures, "FAIL"), (check.gaps, "not checked"), (check.notes, "note")):
        lines += [f"      {word}: {place}: {text}" for place, text in rows[:SHOWN_FINDINGS]]
        if len(rows) > SHOWN_FINDINGS:
            lines.append(f"      {word}: and {len(rows) - SHOWN_FINDINGS} more (see --json)")
    return lines


def _draw_lines(draw: dict[str, Any]) -> list[str]:
    """Return one recomputed attempt as lines: whose numbers, the seed, the order, who was called and who sits."""
    lines = [f"Draw 抽取 {printable(draw['draw'])}, attempt {draw['attempt']}, spec {draw['spec_sha256']}"]
    lines += [f"  contributor {row['party']}: {row['number']}" for row in draw["parties"]]
    lines.append(f"  seed {draw['seed']}")
    for stratum in draw["strata"]:
        order = " ".join(map(str, stratum["order"]))
        lines.append(f"  {stratum['id']}: {stratum['need']} of {stratum['size']}, order {order} …")
    lines += [f"  {step}" for step in draw["steps"]]
    seats = ", ".join(f"{row['index']} ({row['stratum']})" for row in draw["selected"])
    return [*lines, f"  selected 入选 {seats or '–'}"]


def _summary(report: Report) -> str:
    counts = {state: sum(check.state == state for check in report.checks) for state in MARK_OF_STATE}
    words = {
        0: "PASS 通过: everything in this tier was checked with the trust given",
        1: "FAIL 不通过: at least one check failed",
        2: "INCOMPLETE 不完整: nothing failed, but not everything could be checked",
    }
    parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    why = "" if report.trusted or report.exit_code == 1 else "; no trust file was given with --trust"
    return f"{words[report.exit_code]} ({parts}{why})"
