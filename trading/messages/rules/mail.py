"""One mail: to whom, what about, which words."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from trading.kernel.canonical import dumps, loads_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A plain-text mail in both languages. It is never printed: the address alone would tell who is called (P10)."""

    to: str
    subject: str
    text: str

    @override
    def __repr__(self) -> str:
        """Name nobody."""
        return "Mail(…)"

    def encode(self) -> bytes:
        """Return the bytes that are sealed."""
        return dumps({"subject": self.subject, "text": self.text, "to": self.to})

    @classmethod
    def decode(cls, data: bytes) -> Mail:
        """Return the mail that ``encode`` wrote."""
        return cls(**loads_object(data))
