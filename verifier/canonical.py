"""Admission of canonical documents, the profile of RFC 8785 in P3, with ``json`` alone."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
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
        value = json.loads(data.decode(), parse_float=_no_float, parse_constant=_no_float, parse_int=_small_integer)
        check_profile(value, plain=data.isascii() and b"\\u0000" not in data)
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


def check_profile(value: object, depth: int = 1, *, plain: bool = False) -> None:
    """Raise ``NotCanonical`` unless keys, strings and depth are within P3 rules 2 and 4; integers were checked before.

    ``plain`` skips the strings: canonical bytes that are all ASCII and hold no escaped U+0000 have lawful ones only.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if not is_profile_key(key):
                raise NotCanonical(f"key {key[:70]!r} is outside the profile")
            if isinstance(item, (dict, list)) or not plain:
                check_profile(item, depth + 1, plain=plain)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)) or not plain:
                check_profile(item, depth + 1, plain=plain)
    elif isinstance(value, str):
        _check_text(value)
    if depth > MAX_DEPTH and isinstance(value, (dict, list)):
        raise NotCanonical("deeper than 16")


@lru_cache(maxsize=4096)
def is_profile_key(key: str) -> bool:
    """Return whether a key is within P3 rule 2."""
    return PROFILE_KEY.match(key) is not None


def _check_text(text: str) -> None:
    if "\0" in text:
        raise NotCanonical("U+0000 in a string")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise NotCanonical("unpaired surrogate in a string")
    if not unicodedata.is_normalized("NFC", text):
        raise NotCanonical("string is not NFC")


def _no_float(text: str) -> NoReturn:
    raise NotCanonical(f"{text[:30]} is not an integer")


def _small_integer(text: str) -> int:
    # The length first: a hostile document of a million digits would keep an old Python busy for seconds.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise NotCanonical("integer beyond 2^53-1")
    return int(text)
