"""What a correction notice changes in a published procedure, and what it may never change (DOC-18, NOT-05).

The result is the ``changes`` array of ``mb.notice`` and whether the change may affect the preparation of bids. Whether
the deadline still leaves enough time is then asked by the guards of ``extend`` and ``amend``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from trading.kernel.errors import RuleBroken
from trading.procedures.rules.spec import ProcedureSpec

# Fields by last name. The object, the parties, how bids are sealed and how they are compared stand for good.
_CHANGEABLE: Final = frozenset(
    {
        "bid_validity_days",
        "budget",
        "ceiling",
        "close",
        "documents",
        "questions_until",
        "supply_ends_at",
        "text_en",
        "text_zh",
        "title_en",
        "title_zh",
    }
)
_COMPARED: Final = ("criteria", "formula", "abnormal")
_INSTANTS: Final = frozenset({"close", "questions_until", "supply_ends_at"})
_WHOLE: Final = frozenset({"documents"})  # told as one value: a list whose lines move together
# Whatever else may change, these leave the content of a bid as it is; a change of text is judged by the drafter.
_HARMLESS: Final = frozenset(
    {"close", "questions_until", "supply_ends_at", "title_en", "title_zh", "text_en", "text_zh"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One changed field with its old and new text, as published; "" stands for no value."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """All changes of one correction, sorted by field."""

    changes: tuple[FieldChange, ...]
    affects_bids: bool

    def to_json(self) -> list[dict[str, str]]:
        """Return the ``changes`` of ``mb.notice``."""
        return [{"field": change.field, "new": change.new, "old": change.old} for change in self.changes]


def amend(old: ProcedureSpec, new: ProcedureSpec, *, declared: bool, zone: tzinfo) -> Amendment:
    """Compare two specifications of one published procedure.

    Args:
        old: What is published.
        new: What shall be published.
        declared: Whether the drafter says that the change of text may affect bids; other fields speak for themselves.
        zone: Zone in which instants are printed.

    Raises:
        RuleBroken: ``amendment.fixed_field`` (DOC-18): object, parties, sealing or method; then tender anew (DOC-19).
            ``amendment.empty`` (NOT-05): nothing changes.
    """
    differing = list(_differences(old.to_json(), new.to_json(), ""))
    if not differing:
        raise RuleBroken("amendment.empty", "NOT-05")
    for path, _, _ in differing:
        if not _changeable(path):
            raise RuleBroken("amendment.fixed_field", "DOC-18", field=path)
    changes = tuple(
        FieldChange(field=path, old=_printed(path, before, zone), new=_printed(path, after, zone))
        for path, before, after in sorted(differing, key=lambda change: change[0])
    )
    return Amendment(changes=changes, affects_bids=declared or any(not _harmless(path) for path, _, _ in differing))


def _last(path: str) -> str:
    return path.rsplit(".", 1)[-1]


def _changeable(path: str) -> bool:
    if any(f".{part}." in path for part in _COMPARED):
        return False  # how bids are compared, whatever the field is called
    return _last(path) in _CHANGEABLE or path.startswith("windows.")


def _harmless(path: str) -> bool:
    return _last(path) in _HARMLESS or path.startswith("windows.")


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON values
    """Yield the path and both values of every leaf that differs; arrays of another length differ as a whole."""
    if path in _WHOLE:
        if old != new:
            yield path, old, new
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new)):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{path}.{place}")
    elif old != new:
        yield path, old, new


def _printed(path: str, value: Any, zone: tzinfo) -> str:  # noqa: ANN401 - JSON values
    if value is None:
        return ""
    if path in _WHOLE:
        return "\n".join(f"{each['name']} ({each['size']} bytes, SHA-256 {each['sha256']})" for each in value)
    if _last(path) in _INSTANTS:
        return datetime.fromtimestamp(value // 1000, UTC).astimezone(zone).isoformat()
    return str(value)
