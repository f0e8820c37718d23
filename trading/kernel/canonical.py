"""The JSON profile of everything that is hashed, signed, logged or compared (P3, a profile of RFC 8785).

After admission only the received bytes are hashed or signed; nobody re-serialises a parsed document to hash it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn, TypeAlias

from trading.kernel.errors import InvalidInput

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

MAX_DOCUMENT = 1024 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


def dumps(value: Any) -> bytes:  # noqa: ANN401 - the profile check below is the type check
    """Return the canonical bytes of a value of the profile.

    Raises:
        ValueError: The value is outside the profile (a float, a bad key, a string that is not NFC). A bug.
    """
    check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def check(value: object, depth: int = 1) -> None:
    """Raise ``ValueError`` unless ``value`` belongs to the profile (P3 rules 2 to 4) and is at most 16 deep."""
    match value:
        case None | True | False:
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise ValueError("integer outside ±(2^53−1)")
        case str():
            _check_text(value)
        case list() | dict() if depth > MAX_DEPTH:
            raise ValueError("deeper than 16")
        case list():
            for item in value:
                check(item, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str) or not _KEY.match(key):
                    raise ValueError(f"key {key!r} outside the profile")
                check(item, depth + 1)
        case _:
            raise ValueError(f"{type(value).__name__} is outside the profile")


def _check_text(text: str) -> None:
    if text.isascii():
        if "\0" in text:
            raise ValueError("U+0000 in a string")
        return
    if "\0" in text or any("\ud800" <= ch <= "\udfff" for ch in text):
        raise ValueError("U+0000 or an unpaired surrogate in a string")
    if not unicodedata.is_normalized("NFC", text):
        raise ValueError("string is not NFC")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} is not an integer")


def loads(data: bytes, limit: int = MAX_DOCUMENT) -> Json:
    """Admit received bytes: parse, check the profile, and require that they are already canonical (P3 Admission).

    Raises:
        InvalidInput: ``doc.too_large`` or ``doc.not_canonical``.
    """
    if len(data) > limit:
        raise InvalidInput("doc.too_large", f"{len(data)} bytes; at most {limit}", size=len(data), limit=limit)
    try:
        value: Json = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
        if dumps(value) != data:
            raise ValueError("not the canonical serialisation")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("doc.not_canonical", str(error)) from error
    return value


def loads_object(data: bytes, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
    """Admit received bytes that must be an object; the fields are checked by the caller's field table."""
    value = loads(data, limit)
    if not isinstance(value, dict):
        raise InvalidInput("doc.bad_field", "the document is not an object")
    return value
