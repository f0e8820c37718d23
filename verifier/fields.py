"""Small predicates from which the field tables of documents and record bodies are built (P3 rule 7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from verifier.encoding import b64u_decode

FieldRule = Callable[[Any, str], None]
DECIMAL_TEXT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?\Z")


class FieldFault(ValueError):
    """A field is missing, unknown (``doc.unknown_field``) or ill-typed (``doc.bad_field``); the text names it."""


def matching(pattern: str) -> FieldRule:
    """Return the rule: a string that matches the whole pattern."""
    compiled = re.compile(pattern + r"\Z")

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if not isinstance(value, str) or not compiled.match(value):
            raise FieldFault(f"{place}: not a string of the form {pattern}")

    return rule


def integer(low: int, high: int = 2**53 - 1) -> FieldRule:
    """Return the rule: an integer within the bounds."""

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise FieldFault(f"{place}: not an integer from {low} to {high}")

    return rule


def choice(*allowed: str | int | bool | None) -> FieldRule:
    """Return the rule: one of these values, of the same type."""

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if not any(value == item and type(value) is type(item) for item in allowed):
            raise FieldFault(f"{place}: not one of {', '.join(map(str, allowed))}")

    return rule


def nullable(inner: FieldRule) -> FieldRule:
    """Return the rule: null, or what ``inner`` allows."""

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if value is not None:
            inner(value, place)

    return rule


def blob(length: int | None = None) -> FieldRule:
    """Return the rule: base64url, of a given number of bytes if one is given."""

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        try:
            data = b64u_decode(value) if isinstance(value, str) else None
        except ValueError as error:
            raise FieldFault(f"{place}: {error}") from error
        if data is None or length not in (None, len(data)):
            raise FieldFault(f"{place}: not base64url of {length if length is not None else 'any number of'} bytes")

    return rule


def array(inner: FieldRule, *, by: str | None = None, least: int = 0) -> FieldRule:
    """Return the rule: an array; ``by`` names the fields, with spaces between, by which it is sorted and unique.

    With ``by=""`` the items themselves are.
    """

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if not isinstance(value, list) or len(value) < least:
            raise FieldFault(f"{place}: not an array of at least {least}")
        for number, item in enumerate(value):
            inner(item, f"{place}[{number}]")
        if by is not None:
            _require_sorted([[item[name] for name in by.split()] if by else [item] for item in value], place)

    return rule


def _require_sorted(keys: Sequence[list[Any]], place: str) -> None:
    named = [[part.encode() if isinstance(part, str) else part for part in key] for key in keys]
    if any(left >= right for left, right in zip(named, named[1:])):
        raise FieldFault(f"{place}: not sorted, or an item twice")


def shape(required: dict[str, FieldRule], optional: dict[str, FieldRule] | None = None) -> FieldRule:
    """Return the rule: an object with exactly these fields."""
    extra = optional or {}

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        if not isinstance(value, dict):
            raise FieldFault(f"{place}: not an object")
        for name, inner in required.items():
            if name not in value:
                raise FieldFault(f"{place}.{name}: missing")
            inner(value[name], f"{place}.{name}")
        for name in value:
            if name not in required and name not in extra:
                raise FieldFault(f"{place}.{name}: unknown field")
            if name in extra:
                extra[name](value[name], f"{place}.{name}")

    return rule


def anything(value: Any, place: str) -> None:  # noqa: ANN401 - the rule that allows every value of the profile
    """Allow any value of the profile."""


def any_object(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
    """Allow any object."""
    if not isinstance(value, dict):
        raise FieldFault(f"{place}: not an object")


def either(*rules: FieldRule) -> FieldRule:
    """Return the rule: at least one of these holds."""

    def rule(value: Any, place: str) -> None:  # noqa: ANN401 - JSON of a hostile document
        faults = [fault for fault in (_fault_of(inner, value, place) for inner in rules) if fault]
        if len(faults) == len(rules):
            raise FieldFault("; or ".join(faults))

    return rule


def _fault_of(rule: FieldRule, value: Any, place: str) -> str:  # noqa: ANN401 - JSON of a hostile document
    try:
        rule(value, place)
    except FieldFault as fault:
        return str(fault)
    return ""


TEXT = matching(r"(?s:.*)")
NAME = matching(r"(?s:.+)")
HEX32 = matching(r"[0-9a-f]{64}")
HEX16 = matching(r"[0-9a-f]{32}")
DECIMAL = matching(DECIMAL_TEXT.pattern[:-2])
BOOL = choice(True, False)  # noqa: FBT003 - the two values of the type
INT = integer(-(2**53) + 1)
MS = integer(0)
COUNT = integer(0)
SEQ = integer(1)
BID = matching(r"[a-z0-9-]{1,40}")
ORG = matching(r"[0-9A-Z]{8,32}")
STAGE = choice("all", "tech", "price")
INDEX = integer(1, 16)
