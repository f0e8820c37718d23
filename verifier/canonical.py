"""Admission of canonical documents, the profile of RFC 8785 in P3, with ``json`` alone."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn

MAX_DOCUMENT = 1024 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1
PROFILE_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class NotCanonical(ValueError):
    """The bytes are not a canonical document (refusal ``doc.not_canonical`` or ``doc.too_large``)."""


def admit(data: bytes, limit: int = MAX_DOCUMENT) -> Any:  # noqa: ANN401 - JSON; the field tables narrow it
    """Return the value of canonical bytes: parse, check the profile, serialise again, compare.

    A duplicate key needs no check of its own: the parser keeps one of the two, and the bytes then differ.

    Raises:
        NotCanonical: Anything that P3 refuses.
    """
    if len(data) > limit:
        raise NotCanonical(f"{len(data)} bytes, at most {limit} are allowed")
    try:
        value = json.loads(data.decode(), parse_float=_no_float, parse_constant=_no_float, parse_int=_short_integer)
        check_profile(value)
        same = canonical_bytes(value) == data
    except (ValueError, RecursionError) as error:
        raise NotCanonical(str(error)) from error
    if not same:
        raise NotCanonical("not the canonical serialisation")
    return value


def admit_object(data: bytes, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
    """Return the object of canonical bytes; every top-level document is one.

    Raises:
        NotCanonical: As ``admit``, or the value is not an object.
    """
    value = admit(data, limit)
    if not isinstance(value, dict):
        raise NotCanonical("not an object")
    return value


def canonical_bytes(value: object) -> bytes:
    """Return the JCS bytes of a value of the profile; only for values built here, never to hash a parsed document."""
    return _ENCODER.encode(value).encode()


def check_profile(value: object, depth: int = 1) -> None:
    """Raise ``NotCanonical`` unless ``value`` is within P3 rules 2 to 4 and at most 16 deep."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise NotCanonical("integer beyond 2^53-1")
    elif depth > MAX_DEPTH:
        raise NotCanonical("deeper than 16")
    elif isinstance(value, list):
        for item in value:
            check_profile(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not PROFILE_KEY.match(key):
                raise NotCanonical(f"key {key[:70]!r} is outside the profile")
            check_profile(item, depth + 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise NotCanonical("U+0000 in a string")
    if text.isascii():
        return
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise NotCanonical("unpaired surrogate in a string")
    if not unicodedata.is_normalized("NFC", text):
        raise NotCanonical("string is not NFC")


def _no_float(text: str) -> NoReturn:
    raise NotCanonical(f"{text[:30]} is not an integer")


def _short_integer(text: str) -> int:
    # Without this a hostile document of a million digits would keep an old Python busy for seconds.
    if len(text) > 17:
        raise NotCanonical("integer beyond 2^53-1")
    return int(text)
