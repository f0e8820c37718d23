"""What is wrong with one row of a foreign file, member by member; nothing is corrected and nothing is thrown away.

The codes and what they mean stand in docs/open-data.md. A path names members and places in lists, as in
``tender/items/0/id``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from trading.history.rules.references import missing
from trading.history.rules.shape import REQUIRED, Word, word_of

MOST: Final = 1_000  # faults that are told of one row
_LONGEST: Final = 120  # characters of a value that a fault quotes
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: code, path and what was found there."""

    code: str
    path: str
    detail: str = ""


def parse(raw: bytes) -> tuple[Any, list[Fault]]:
    """Return the JSON of a row, None if it is none, and what is wrong with it as JSON."""
    faults: list[Fault] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [name for name, count in Counter(name for name, _value in found).items() if count > 1]
        faults.extend(Fault(code="json.repeated", path=name, detail="the last one is read") for name in twice)
        return dict(found)

    def constant(text: str) -> None:
        faults.append(Fault(code="json.constant", path="", detail=text))

    try:
        value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_float=Decimal, parse_constant=constant)
    except UnicodeDecodeError as error:
        return None, [Fault(code="json.encoding", path="", detail=f"byte {error.start} is not UTF-8")]
    except (ValueError, ArithmeticError, RecursionError) as error:
        return None, [Fault(code="json.broken", path="", detail=_quoted(error))]
    return value, faults


def faults_of(value: object) -> list[Fault]:
    """Return what is wrong with a release or a record that ``parse`` read; at most ``MOST``, and one that says so."""
    if not isinstance(value, dict):
        return [Fault(code="json.no_object", path="", detail=_quoted(value))]
    found: list[Fault] = []
    for release, path in releases_in(value):
        found += _object(release, "Release", path)
        found += [
            Fault(code="reference.missing", path=f"{path}{at}", detail=_quoted(to)) for at, to in missing(release)
        ]
    if is_record(value) and not isinstance(value.get("ocid"), str):
        found.append(Fault(code="member.missing", path="ocid"))
    if len(found) > MOST:
        return [*found[:MOST], Fault(code="faults.more", path="", detail=str(len(found) - MOST))]
    return found


def is_record(value: Mapping[str, Any]) -> bool:
    """Whether an object is a record: it holds releases."""
    return isinstance(value.get("releases"), list) or isinstance(value.get("compiledRelease"), dict)


def releases_in(value: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the releases of a row with the beginning of their paths; a release that is only linked is none."""
    if not is_record(value):
        yield value, ""
        return
    listed = value.get("releases")
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, dict) and "url" not in each:
            yield each, f"releases/{number}/"
    if isinstance(value.get("compiledRelease"), dict):
        yield value["compiledRelease"], "compiledRelease/"


def _object(value: Mapping[str, Any], name: str, path: str) -> Iterator[Fault]:
    for member in REQUIRED[name]:
        if member not in value:
            yield Fault(code="member.missing", path=f"{path}{member}")
    for member, each in value.items():
        word = word_of(name, member)
        if word is None:
            yield Fault(code="member.unknown", path=f"{path}{member}", detail=type(each).__name__)
        else:
            yield from _member(each, word, f"{path}{member}")
    yield from _WHOLE.get(name, _nothing)(value, path)


def _member(value: object, word: Word, path: str) -> Iterator[Fault]:
    if value is None:
        if not word.may_be_null or word.is_required:
            yield Fault(code="value.null", path=path)
        return
    if not word.is_list:
        yield from _value(value, word, path)
        return
    if not isinstance(value, list):
        yield Fault(code="type.wrong", path=path, detail=f"a list was expected: {_quoted(value)}")
        return
    if word.is_filled and not value:
        yield Fault(code="list.empty", path=path)
    for number, each in enumerate(value):
        yield from _value(each, word, f"{path}/{number}")
    ids = [str(each["id"]) for each in value if isinstance(each, dict) and isinstance(each.get("id"), str | int)]
    for each, count in Counter(ids).items():
        if count > 1:
            yield Fault(code="id.repeated", path=path, detail=_quoted(each))


def _value(value: object, word: Word, path: str) -> Iterator[Fault]:
    if word.base == "any":
        return
    if word.base in _KINDS:
        kind, code = _KINDS[word.base], _CODES.get(word.base)
        if not isinstance(value, kind) or (isinstance(value, bool) and word.base != "boolean"):
            yield Fault(code="type.wrong", path=path, detail=f"{word.base} was expected: {_quoted(value)}")
        elif code is not None and not _is_good(value, word):
            yield Fault(code=code, path=path, detail=_quoted(value))
        elif word.is_required and value == "":
            yield Fault(code="text.empty", path=path)
    elif isinstance(value, dict):
        yield from _object(value, word.base, f"{path}/")
    else:
        yield Fault(code="type.wrong", path=path, detail=f"an object was expected: {_quoted(value)}")


_KINDS: Final[Mapping[str, Any]] = {
    "text": str,
    "id": str | int,
    "instant": str,
    "uri": str,
    "code": str,
    "number": int | Decimal,
    "integer": int,
    "boolean": bool,
    "object": dict,
}
_CODES: Final = {"instant": "date.wrong", "uri": "uri.wrong", "code": "code.unknown"}


def _is_good(value: object, word: Word) -> bool:
    text = str(value)
    match word.base:
        case "code":
            return text in word.codes
        case "uri":
            return _is_uri(text)
        case _:
            return instant(text) is not None


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and " " not in text


def instant(text: object) -> datetime | None:
    """Return an instant of RFC 3339; None for anything else, such as a day that does not exist."""
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _money(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    amount = value.get("amount")
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool):
        return
    if amount < 0:
        yield Fault(code="money.negative", path=f"{path}amount", detail=_quoted(amount))
    if not isinstance(value.get("currency"), str):
        yield Fault(code="money.no_currency", path=f"{path}currency")


def _period(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    start, end = (instant(value.get(name)) for name in ("startDate", "endDate"))
    if start is not None and end is not None and end < start:
        yield Fault(code="date.order", path=path.rstrip("/"), detail=f"{value['startDate']} > {value['endDate']}")


def _nothing(_value: Mapping[str, Any], _path: str) -> Iterator[Fault]:
    return iter(())


_WHOLE: Final[Mapping[str, Callable[[Mapping[str, Any], str], Iterator[Fault]]]] = {"Value": _money, "Period": _period}


def _quoted(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
