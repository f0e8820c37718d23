"""Which files are taken as tender documents: PDF, OFD, DOCX, XLSX, TXT, ZIP, told by content and by extension.

The two must agree. A name is data: it is shown and stored, never used as a path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from trading.kernel.errors import InvalidInput

MAX_BYTES: Final = 100 * 1024 * 1024
MAX_NAME: Final = 200
HEAD_BYTES: Final = 4096
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f/\\\u202a-\u202e\u2066-\u2069]")
_ZIP: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One type: its extension, its media type, and the entry that a container of this type must hold."""

    extension: str
    media: str
    member: str | None = None


TYPES: Final = (
    Media(extension="pdf", media="application/pdf"),
    Media(extension="ofd", media="application/ofd", member="OFD.xml"),
    Media(
        extension="docx",
        media="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        member="word/document.xml",
    ),
    Media(
        extension="xlsx",
        media="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        member="xl/workbook.xml",
    ),
    Media(extension="txt", media="text/plain"),
    Media(extension="zip", media="application/zip"),
)
_BY_EXTENSION: Final = {each.extension: each for each in TYPES}
EXTENSIONS: Final = tuple(_BY_EXTENSION)


def clean_name(name: str) -> str:
    """Return a file name as it is shown: without folders that a browser put before it, in NFC.

    Raises:
        InvalidInput: ``document.bad_name``: empty, too long, or with characters that could mislead a reader.
    """
    shown = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1].strip())
    if not shown or len(shown) > MAX_NAME or _FORBIDDEN.search(shown) or shown.startswith("."):
        raise InvalidInput("document.bad_name", f"{len(name)} characters", name=shown[:MAX_NAME])
    return shown


def media_of(name: str, head: bytes, members: Collection[str] | None) -> str:
    """Return the media type of a file.

    Args:
        name: Clean name with its extension.
        head: The first ``HEAD_BYTES`` bytes.
        members: Entries of the ZIP container that the file is; None if it is none that can be read.

    Raises:
        InvalidInput: ``document.wrong_type``: the extension is not taken; ``document.other_content``: the content is
            not what the extension says; ``document.empty``.
    """
    if not head:
        raise InvalidInput("document.empty", name, name=name)
    known = _BY_EXTENSION.get(name.rpartition(".")[2].lower())
    if known is None:
        raise InvalidInput("document.wrong_type", name, name=name)
    if not _agrees(known, head, members):
        raise InvalidInput("document.other_content", name, name=name, extension=known.extension)
    return known.media


def _agrees(known: Media, head: bytes, members: Collection[str] | None) -> bool:
    if known.extension == "pdf":
        return head.startswith(b"%PDF-")
    if known.extension == "txt":
        return _is_text(head)
    if not head.startswith(_ZIP) or members is None:
        return False
    return known.member is None or known.member in members


def _is_text(head: bytes) -> bool:
    """Whether bytes read as text: no NUL, and UTF-8 (perhaps cut at the end) or GB 18030."""
    if b"\x00" in head:
        return False
    return any(_decodes(head, encoding) for encoding in ("utf-8", "gb18030"))


def _decodes(head: bytes, encoding: str) -> bool:
    for cut in range(min(4, len(head))):
        try:
            head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False
