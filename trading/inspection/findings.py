"""Words for what an inspection finds, and what follows from them: shown, shown with a warning, or kept away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_PREVIEW: Final = 64 * 1024  # characters of text that are shown on a page


class Verdict(StrEnum):
    """What may happen with a file."""

    CLEAN = "clean"
    WARNED = "warned"
    QUARANTINED = "quarantined"


class Found(StrEnum):
    """One thing that was found in a file."""

    EMPTY = "empty"
    TYPE_UNKNOWN = "type.unknown"
    TYPE_DISAGREES = "type.disagrees"
    MALFORMED = "malformed"
    ENCRYPTED = "encrypted"
    EXECUTABLE = "executable"
    POLYGLOT = "polyglot"
    TEST_VIRUS = "test_virus"
    ARCHIVE_BOMB = "archive.bomb"
    ARCHIVE_NESTED = "archive.nested"
    ARCHIVE_PATH = "archive.path"
    ARCHIVE_LINK = "archive.link"
    ARCHIVE_AMBIGUOUS = "archive.ambiguous"
    OFFICE_MACRO = "office.macro"
    OFFICE_EXTERNAL = "office.external"
    OFFICE_EMBEDDED = "office.embedded"
    PDF_SCRIPT = "pdf.script"
    PDF_LAUNCH = "pdf.launch"
    PDF_EMBEDDED = "pdf.embedded"
    MARKUP_ACTIVE = "markup.active"
    MARKUP_ENTITY = "markup.entity"
    IMAGE_FLOOD = "image.flood"
    TEXT_MISLEADING = "text.misleading"
    TABLE_FORMULA = "table.formula"
    LIMIT_MEMORY = "limit.memory"
    LIMIT_TIME = "limit.time"
    FAILED = "failed"


#: Findings with which a reader can live who is told of them. Everything else keeps a file away from readers.
_WARNINGS: Final = frozenset({
    Found.EMPTY, Found.TYPE_UNKNOWN, Found.TYPE_DISAGREES, Found.MALFORMED, Found.ENCRYPTED, Found.OFFICE_EMBEDDED,
    Found.PDF_EMBEDDED, Found.TEXT_MISLEADING, Found.TABLE_FORMULA,
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one file is (``kind``), what was found in it, sorted, and its text as far as it is shown, or ""."""

    kind: str
    findings: tuple[Found, ...]
    preview: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return the verdict that follows from the findings."""
        return verdict_of(self.findings)


def verdict_of(findings: Collection[Found]) -> Verdict:
    """Return the verdict: one finding that is more than a warning keeps the file away."""
    if set(findings) - _WARNINGS:
        return Verdict.QUARANTINED
    return Verdict.WARNED if findings else Verdict.CLEAN
