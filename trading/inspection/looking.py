"""One look at one file: its kind, what was found, the text that may be shown. Runs where nothing else can be done."""

from __future__ import annotations

from typing import BinaryIO, Final

from trading.inspection import archives, images, office, pdfs, texts
from trading.inspection.archives import Unreadable
from trading.inspection.findings import Found, Inspection
from trading.inspection.kinds import (
    HEAD,
    IMAGES,
    OFFICE,
    PACKED,
    TEST_VIRUS,
    agrees,
    contains,
    is_running,
    kind_of,
)

_MOST_SCANNED: Final = 2 * 1024**3
_TEST_VIRUS: Final = TEST_VIRUS.lower()


def look(file: BinaryIO, name: str) -> Inspection:
    """Return what a file is; ``name`` is its path in the bid, which is only compared."""
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        return Inspection(kind="empty", findings=(Found.EMPTY,))
    kind, found, preview = _by_kind(file, kind_of(head), name)
    if contains(file, (_TEST_VIRUS,), most=_MOST_SCANNED):
        found.add(Found.TEST_VIRUS)
    if is_running(name, kind):
        found.add(Found.EXECUTABLE)
    elif not agrees(name, kind):
        found.add(Found.TYPE_DISAGREES)
    return Inspection(kind=kind, findings=tuple(sorted(found)), preview=preview)


def _by_kind(file: BinaryIO, kind: str, name: str) -> tuple[str, set[Found], str]:
    if kind == "zip":
        return _zip(file)
    if kind == "pdf":
        return kind, pdfs.look(file), ""
    if kind in IMAGES:
        return kind, images.look(file, kind), ""
    if kind == "text":
        return texts.read_text(file, name)
    if kind == "ole":
        return kind, office.look_at_old(file), ""
    if kind in PACKED or kind == "unknown":
        return kind, {Found.TYPE_UNKNOWN}, ""
    return kind, set(), ""


def _zip(file: BinaryIO) -> tuple[str, set[Found], str]:
    try:
        kind = office.office_kind(archives.entries_of(file))
    except Unreadable as error:
        return "zip", {error.found}, ""
    if kind in OFFICE or kind == "ofd":
        found, text = office.look(file, kind)
        return kind, found, text
    return kind, archives.look(file), ""
