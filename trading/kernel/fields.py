"""Field tables: every key of a document type with its form (P3 rule 7). A reader both checks and converts one value.

An unknown key is ``doc.unknown_field``; a missing or ill-formed one is ``doc.bad_field``. The detail names the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeAlias

from trading.kernel import canonical
from trading.kernel.encoding import b64u_decode, hex_bytes
from trading.kernel.errors import InvalidInput

#: Returns the converted value, or raises ``ValueError`` with a reason.
Reader: TypeAlias = Callable[[object], Any]

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?\Z")
MAX_TEXT: Final = 65536


class _Unknown(ValueError):
    """A key that the table does not list."""


class _Wrong(ValueError):
    """A value of another JSON type."""


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of one document type, ``typ`` and ``v`` apart.

    Attributes:
        typ: The document's ``typ``; its ``v`` is 1 in this edition of the protocols.
        fields: Reader of each field.
        optional: Fields that may be absent; they are then absent from the result, too.
        limit: Largest document in bytes (P12).
    """

    typ: str
    fields: Mapping[str, Reader]
    optional: frozenset[str] = field(default_factory=frozenset)
    limit: int = canonical.MAX_DOCUMENT

    def read(self, raw: bytes) -> dict[str, Any]:
        """Admit received bytes as a document of this type and return the converted fields without ``typ`` and ``v``.

        Raises:
            InvalidInput: ``doc.too_large``, ``doc.not_canonical``, ``doc.unknown_field`` or ``doc.bad_field``.
        """
        value = canonical.loads_object(raw, self.limit)
        if value.get("typ") != self.typ or not _is(value.get("v"), 1):
            raise InvalidInput("doc.bad_field", f"not a {self.typ} of version 1")
        body = {name: item for name, item in value.items() if name not in {"typ", "v"}}
        try:
            result: dict[str, Any] = record(self.fields, optional=self.optional)(body)
        except _Unknown as error:
            raise InvalidInput("doc.unknown_field", f"{self.typ}: {error}") from error
        except ValueError as error:
            raise InvalidInput("doc.bad_field", f"{self.typ}: {error}") from error
        return result

    def write(self, body: Mapping[str, Any]) -> bytes:
        """Return the canonical bytes of a document made by this program, checked like a received one.

        Raises:
            ValueError: The body does not fit the table. A bug.
        """
        raw = canonical.dumps({**body, "typ": self.typ, "v": 1})
        try:
            self.read(raw)
        except InvalidInput as error:
            raise ValueError(str(error)) from error
        return raw


def type_of(raw: bytes) -> str:
    """Return ``typ`` of canonical bytes.

    Raises:
        InvalidInput: The bytes are not a canonical document with a ``typ``.
    """
    typ = canonical.loads_object(raw).get("typ")
    if not isinstance(typ, str):
        raise InvalidInput("doc.bad_field", "a document has a typ")
    return typ


def _is(value: object, expected: int) -> bool:
    # True == 1 in Python; a document that says true is not of version 1.
    return type(value) is int and value == expected


def record(
    fields: Mapping[str, Reader], into: Callable[..., Any] | None = None, *, optional: frozenset[str] = frozenset()
) -> Reader:
    """Return a reader of an object with exactly these keys; ``into`` receives the converted values as keywords."""

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _Wrong("not an object")
        if unknown := value.keys() - fields.keys():
            raise _Unknown(min(unknown))
        if missing := fields.keys() - value.keys() - optional:
            raise ValueError(f"{min(missing)} is missing")
        result = {name: _at(name, fields[name], item) for name, item in value.items()}
        return result if into is None else into(**result)

    return read


def _at(where: str, reader: Reader, value: object) -> object:
    try:
        return reader(value)
    except _Unknown as error:
        raise _Unknown(f"{where}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def array(item: Reader, *, least: int = 0, most: int | None = None) -> Reader:
    """Return a reader of an array; the result is a tuple."""

    def read(value: object) -> object:
        if not isinstance(value, list):
            raise _Wrong("not an array")
        if len(value) < least or (most is not None and len(value) > most):
            raise ValueError(f"{len(value)} items")
        return tuple(_at(str(index), item, entry) for index, entry in enumerate(value))

    return read


def sorted_by(key: Callable[[Any], Any], item: Reader, *, least: int = 0, most: int | None = None) -> Reader:
    """Return a reader of an array in strictly ascending order of ``key`` (of the converted items), so without doubles.

    Text is compared by its UTF-8 bytes; in Python that is the order of code points.
    """
    whole = array(item, least=least, most=most)

    def read(value: object) -> object:
        items: Sequence[Any] = whole(value)
        keys = [key(entry) for entry in items]
        if any(one >= two for one, two in pairwise(keys)):
            raise ValueError("not in strictly ascending order")
        return items

    return read


def itself(value: str) -> str:
    """Return the key by which an array of plain texts is sorted."""
    return value


def nullable(reader: Reader) -> Reader:
    """Return a reader that also accepts ``null``."""

    def read(value: object) -> object:
        return None if value is None else reader(value)

    return read


def one_of(*texts: str) -> Reader:
    """Return a reader of one of the given texts."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in texts:
            raise ValueError(f"not one of {', '.join(texts)}")
        return value

    return read


def matching(pattern: str) -> Reader:
    """Return a reader of a text that matches the whole pattern."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"does not match {pattern}")
        return value

    return read


def integer(least: int = -canonical.MAX_INTEGER, most: int = canonical.MAX_INTEGER) -> Reader:
    """Return a reader of an integer within bounds; a boolean is not an integer."""

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"not an integer from {least} to {most}")
        return value

    return read


def hex_of(size: int) -> Reader:
    """Return a reader of lowercase hex of ``size`` bytes; the result is bytes."""

    def read(value: object) -> bytes:
        if not isinstance(value, str):
            raise _Wrong("not a string")
        return hex_bytes(value, size)

    return read


def b64u_of(least: int, most: int | None = None) -> Reader:
    """Return a reader of base64url of ``least`` to ``most`` bytes (exactly ``least`` by default); gives bytes."""

    def read(value: object) -> bytes:
        if not isinstance(value, str):
            raise _Wrong("not a string")
        data = b64u_decode(value)
        if not least <= len(data) <= (least if most is None else most):
            raise ValueError(f"{len(data)} bytes")
        return data

    return read


def text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise ValueError("not a text of 1 to 65536 characters")
    return value


def flag(value: object) -> bool:
    """Read a boolean."""
    if not isinstance(value, bool):
        raise _Wrong("not true or false")
    return value


def decimal(value: object) -> str:
    """Read a decimal string of P3 rule 3; it stays text, so that no precision is lost."""
    if not isinstance(value, str) or not _DECIMAL.match(value):
        raise ValueError("not a decimal string without superfluous zeros")
    return value


#: Hex SHA-256 that names something; it stays text, as in records and URLs.
digest: Final[Reader] = matching(r"[0-9a-f]{64}")
#: Milliseconds since 1970-01-01T00:00:00Z.
instant: Final[Reader] = integer(0)
#: Length of time in milliseconds.
duration: Final[Reader] = integer(0)
