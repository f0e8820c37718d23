"""Recorded events: the kind, what it is about and its body. Kinds are declared beside the code that records them.

The registry is closed: an event of an unregistered kind or with an unknown or missing body field is a bug (AL1 L2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind of record. ``public`` kinds are disclosed with their nonce after the event: (P) in AL1 L2."""

    name: str
    fields: frozenset[str]
    optional: frozenset[str] = frozenset()
    public: bool = False
    title_zh: str = ""
    title_en: str = ""

    @classmethod
    def named(cls, name: str, fields: str, zh: str, en: str, *, optional: str = "", public: bool = False) -> EventKind:
        """Return a kind whose field names stand in one text, apart by spaces, with its titles."""
        return cls(
            name=name,
            fields=frozenset(fields.split()),
            optional=frozenset(optional.split()),
            public=public,
            title_zh=zh,
            title_en=en,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, ready to be recorded by the unit of work.

    ``procedure_id`` is the row id that the database guard compares; ``procedure`` the public reference in the record.
    ``article`` is the legal ground as printed text, e.g. ``招标投标法 28``.
    """

    kind: str
    subject: str
    body: Mapping[str, Any]
    procedure_id: int | None = None
    procedure: str | None = None
    article: str | None = None


class Registry:
    """The closed set of event kinds of one running product; ``wiring`` fills it."""

    def __init__(self, kinds: Iterable[EventKind]) -> None:
        self._kinds: dict[str, EventKind] = {}
        for kind in kinds:
            if kind.name in self._kinds:
                raise ValueError(f"event kind {kind.name} is declared twice")
            self._kinds[kind.name] = kind

    def __iter__(self) -> Iterator[EventKind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> EventKind:
        """Return the kind called ``name``; ``ValueError`` if it is not registered."""
        if name not in self._kinds:
            raise ValueError(f"event kind {name} is not registered")
        return self._kinds[name]

    def check(self, event: Event) -> None:
        """Raise ``ValueError`` unless the event's kind and body fields are as declared."""
        kind = self.get(event.kind)
        names = set(event.body)
        missing, unknown = kind.fields - names, names - kind.fields - kind.optional
        if missing or unknown:
            raise ValueError(f"{event.kind}: missing {sorted(missing)}, unknown {sorted(unknown)}")
