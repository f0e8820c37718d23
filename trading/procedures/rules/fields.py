"""Reading a structure field by field and keeping every error with its path, so that a form shows all of them at once.

A reader returns a placeholder for a bad field; ``Fields.finish`` raises if there was any error, so none escapes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from trading.kernel.errors import InvalidInput

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field that cannot be accepted: ``path`` such as ``lots.0.items.2.quantity`` and a stable code."""

    path: str
    code: str


class InvalidFields(InvalidInput):
    """Malformed fields, all of them, in the order of reading. ``code`` is ``fields.invalid``."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("fields.invalid", ", ".join(f"{error.path}: {error.code}" for error in self.errors))


class Fields:
    """A reader of one object. Every field that is never asked for is an error ``unknown`` at the end."""

    def __init__(self, value: object, path: str = "", errors: list[FieldError] | None = None) -> None:
        self._found: list[FieldError] = [] if errors is None else errors
        self._errors = self._found
        self._path = path
        self._asked: set[str] = set()
        self._children: list[Fields] = []
        self._values: Mapping[object, object] = {}
        if isinstance(value, Mapping):
            self._values = value
        else:
            self._errors.append(FieldError(path=path or ".", code="not_object"))
            self._errors = []  # told for the object as a whole, its fields are not reported one by one

    def fail(self, name: str, code: str) -> None:
        """Note an error of a field that was read but does not fit together with others."""
        self._errors.append(FieldError(path=self._at(name), code=code))

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _take(self, name: str) -> object:
        self._asked.add(name)
        if name not in self._values:
            self.fail(name, "required")
        return self._values.get(name)

    def _present(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, limit: int, pattern: re.Pattern[str] | None = None) -> str:
        """Read a text that is not blank, NFC, without control characters but line feed, and at most ``limit`` long."""
        value = self._take(name)
        if not isinstance(value, str):
            return self._bad(name, "not_text")
        if not value.strip():
            return self._bad(name, "blank")
        if len(value) > limit:
            return self._bad(name, "too_long")
        if _CONTROL.search(value) or not unicodedata.is_normalized("NFC", value):
            return self._bad(name, "bad_characters")
        if pattern is not None and not pattern.match(value):
            return self._bad(name, "bad_form")
        return value

    def _bad(self, name: str, code: str) -> str:
        if self._present(name):
            self.fail(name, code)
        return ""

    def integer(self, name: str, low: int, high: int) -> int:
        """Read an integer from ``low`` to ``high``, both included."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._bad(name, "not_integer")
            return low
        if not low <= value <= high:
            self._bad(name, "out_of_range")
        return value

    def has(self, name: str) -> bool:
        """Say whether the field is there: a field of a later edition of the form has a default and may be absent."""
        return self._present(name)

    def empty(self, name: str) -> bool:
        """Say whether a field of a later edition of the form is null or absent; both mean the same."""
        self._asked.add(name)
        return self._values.get(name) is None

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """Read null or an integer from ``low`` to ``high``; the field itself must be there."""
        if self._values.get(name, 0) is None:
            self._asked.add(name)
            return None
        return self.integer(name, low, high)

    def flag(self, name: str) -> bool:
        """Read true or false."""
        value = self._take(name)
        if not isinstance(value, bool):
            self._bad(name, "not_boolean")
            return False
        return value

    def choice(self, name: str, values: type[E]) -> E:
        """Read one of an enumeration."""
        value = self._take(name)
        if not isinstance(value, str) or value not in set(values):
            self._bad(name, "not_a_choice")
            return next(iter(values))
        return values(value)

    def choices(self, name: str, values: Collection[str]) -> tuple[str, ...]:
        """Read an array of at least one of ``values``, sorted, none twice."""
        value = self._take(name)
        if not isinstance(value, list | tuple):
            self._bad(name, "not_array")
            return ()
        found = [item for item in value if isinstance(item, str) and item in values]
        if not found or len(found) != len(value):
            self.fail(name, "not_a_choice")
        elif found != sorted(set(found)):
            self.fail(name, "out_of_order")
        return tuple(found)

    def texts(self, name: str, pattern: re.Pattern[str], limit: int) -> tuple[str, ...]:
        """Read an array of at most ``limit`` texts of one form, none twice, in the order in which they stand."""
        value = self._take(name)
        if not isinstance(value, list | tuple):
            self._bad(name, "not_array")
            return ()
        found = tuple(item for item in value if isinstance(item, str) and pattern.match(item))
        if len(found) != len(value):
            self.fail(name, "bad_form")
        elif len(found) > limit:
            self.fail(name, "out_of_range")
        elif len(set(found)) != len(found):
            self.fail(name, "duplicate")
        return found

    def ordered(self, name: str, values: Collection[str], *, least: int = 1) -> tuple[str, ...]:
        """Read an array of at least ``least`` of ``values``, none twice, in the order in which they stand."""
        value = self._take(name)
        if not isinstance(value, list | tuple):
            self._bad(name, "not_array")
            return ()
        found = tuple(item for item in value if isinstance(item, str) and item in values)
        if len(found) < least or len(found) != len(value):
            self.fail(name, "not_a_choice")
        elif len(set(found)) != len(found):
            self.fail(name, "duplicate")
        return found

    def child(self, name: str) -> Fields:
        """Read a nested object; if it is missing, only that is reported."""
        value = self._take(name)
        child = Fields(value, self._at(name), self._errors) if self._present(name) else Fields({}, errors=[])
        self._children.append(child)
        return child

    def children(self, name: str, limit: int, *, least: int = 1) -> list[Fields]:
        """Read an array of ``least`` to ``limit`` objects."""
        value = self._take(name)
        if not isinstance(value, list | tuple):
            self._bad(name, "not_array")
            return []
        if not least <= len(value) <= limit:
            self.fail(name, "out_of_range")
        items = [Fields(item, f"{self._at(name)}.{place}", self._errors) for place, item in enumerate(value)]
        self._children.extend(items)
        return items

    def finish(self) -> None:
        """Raise ``InvalidFields`` if anything was wrong, unknown fields of this object and its children included."""
        self._note_unknown()
        if self._found:
            raise InvalidFields(self._found)

    def _note_unknown(self) -> None:
        for name in self._values:
            if name not in self._asked:
                self.fail(str(name), "unknown")
        for child in self._children:
            child._note_unknown()  # noqa: SLF001 - the same class
