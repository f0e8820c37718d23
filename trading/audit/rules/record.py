"""The record behind an entry: exactly the fields of AL1 L1.1, in canonical bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput

_KIND = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+\Z")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_text_or_null(value: object) -> bool:
    return value is None or _is_text(value)


def _is_instant(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_kind(value: object) -> bool:
    return isinstance(value, str) and _KIND.match(value) is not None


RECORD_FIELDS: Final[Mapping[str, Callable[[object], bool]]] = {
    "actor": _is_text,
    "article": _is_text_or_null,
    "at": _is_instant,
    "body": lambda value: isinstance(value, dict),
    "kind": _is_kind,
    "on_behalf_of": _is_text_or_null,
    "procedure": _is_text_or_null,
    "request": _is_text_or_null,
    "subject": _is_text,
    "v": lambda value: type(value) is int and value == 1,
}


def parse_record(data: bytes) -> dict[str, Any]:
    """Admit record bytes; the body is checked by the registry of kinds, not here.

    Raises:
        InvalidInput: ``doc.too_large``, ``doc.not_canonical``, ``doc.unknown_field`` or ``doc.bad_field``.
    """
    record = loads_object(data)
    check_fields(record, RECORD_FIELDS)
    return record


def check_fields(document: Mapping[str, Any], fields: Mapping[str, Callable[[object], bool]]) -> None:
    """Raise ``InvalidInput`` unless ``document`` has exactly the ``fields``, each of its type (P3 rule 7)."""
    unknown = document.keys() - fields.keys()
    if unknown:
        raise InvalidInput("doc.unknown_field", ", ".join(sorted(unknown)))
    for name, is_valid in fields.items():
        if name not in document or not is_valid(document[name]):
            raise InvalidInput("doc.bad_field", name)
