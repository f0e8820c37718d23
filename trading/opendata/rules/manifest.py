"""The manifest of a period: which files there are, how large, with which SHA-256. The log names the manifest's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.canonical import dumps
from trading.notices.rules.ocds import date_time
from trading.opendata.rules.periods import Period

TYPE: Final = "mb.bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkFile:
    """One file: its name, media type, SHA-256 (hex) and size in bytes."""

    name: str
    media: str
    sha256: str
    size: int

    @property
    def kind(self) -> str:
        """Return what kind of file it is: ``jsonl``, ``csv`` or ``xlsx``."""
        return self.name.split(".")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which releases are in the files: how many, and their first and last number in the order of publication."""

    releases: int
    first: int
    last: int


def manifest(period: Period, extent: Extent, files: Sequence[BulkFile], *, final: bool, origin: str) -> bytes:
    """Return the manifest in canonical form: the same releases give the same bytes.

    Args:
        period: Day or year.
        extent: Of the releases.
        files: In the order of the page.
        final: Whether the period was over; otherwise the files are replaced later.
        origin: Of the log of this platform.
    """
    content: dict[str, Any] = {
        "typ": TYPE,
        "v": 1,
        "origin": origin,
        "period": period.name,
        "from": date_time(period.start),
        "until": date_time(period.end),
        "final": final,
        "releases": extent.releases,
        "first": extent.first,
        "last": extent.last,
        "files": [{"name": each.name, "media": each.media, "sha256": each.sha256, "size": each.size} for each in files],
    }
    return dumps(content)
