"""Documents of office programs: macros, what they fetch from elsewhere, what is packed into them, and their text.

The newer ones are ZIP archives of XML and are read; the older ones (OLE) are searched for the names of what would run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final
from xml.parsers.expat import ExpatError, ParserCreate

from trading.inspection.archives import Entry, Unreadable, check_directory, entries_of, look_at_entry, unpacked
from trading.inspection.findings import MOST_PREVIEW, Found
from trading.inspection.kinds import contains
from trading.inspection.texts import shown

_PARTS: Final = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx", "ppt/presentation.xml": "pptx"}
_MACRO: Final = re.compile(r"vba(?:Project|Data)|macrosheets/|intlmacrosheets/|\.bin\.rels\Z|customUI", re.IGNORECASE)
_MACRO_TYPE: Final = (b"macroenabled", b"vbaproject", b"vnd.ms-excel.intlmacrosheet", b"vnd.ms-excel.macrosheet")
_EMBEDDED: Final = re.compile(r"embeddings/|activeX/|oleObject|\.bin\Z", re.IGNORECASE)
_PRINTER: Final = re.compile(r"printerSettings", re.IGNORECASE)
_LINK: Final = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*TargetMode\s*=\s*[\"']External[\"'][^>]*>", re.IGNORECASE)
_PLAIN_LINK: Final = re.compile(rb"/relationships/hyperlink[\"']", re.IGNORECASE)
_FIELD: Final = re.compile(rb"\bDDE(?:AUTO)?\b|INCLUDETEXT|INCLUDEPICTURE\s+[\"\\]*http", re.IGNORECASE)
_TEXT_OF: Final = {"docx": "word/document.xml", "xlsx": "xl/sharedStrings.xml"}
_LONGEST_PART: Final = 64 * 1024 * 1024  # bytes of XML that are read at once
_OLD_MACRO: Final = tuple(each.encode("utf-16-le").lower() for each in ("_VBA_PROJECT", "Macros", "_VBA_PROJECT_CUR"))
_OLD_LOCKED: Final = ("EncryptedPackage".encode("utf-16-le").lower(),)
_OLD_EMBEDDED: Final = tuple(each.encode("utf-16-le").lower() for each in ("\x01Ole10Native", "ObjectPool"))
_MOST: Final = 2 * 1024**3


def office_kind(entries: Sequence[Entry]) -> str:
    """Return which document an archive is, or ``zip``."""
    names = {each.name for each in entries}
    if "[Content_Types].xml" in names:
        return next((kind for part, kind in _PARTS.items() if part in names), "zip")
    return "ofd" if "OFD.xml" in names else "zip"


def look(file: BinaryIO, kind: str) -> tuple[set[Found], str]:
    """Return what was found in a document that is an archive, and the beginning of its text."""
    try:
        entries = entries_of(file)
    except Unreadable as error:
        return {error.found}, ""
    found = check_directory(file, entries)
    if Found.ARCHIVE_BOMB in found:
        return found, ""
    for entry in entries:
        found |= _look_at_part(file, entry)
    text = ""
    try:
        text = "".join(_texts(file, entries, _TEXT_OF.get(kind, "")))
    except (ExpatError, Unreadable, UnicodeDecodeError):
        found.add(Found.MALFORMED)
    return found, shown(text)


def _look_at_part(file: BinaryIO, entry: Entry) -> set[Found]:
    if entry.is_folder:
        return set()
    if _MACRO.search(entry.name):
        return {Found.OFFICE_MACRO}
    if _EMBEDDED.search(entry.name) and not _PRINTER.search(entry.name):
        return {Found.OFFICE_EMBEDDED, *(look_at_entry(file, entry) - {Found.ARCHIVE_NESTED})}
    if not entry.name.endswith((".xml", ".rels")):
        return look_at_entry(file, entry)
    try:
        return _look_at_xml(_content(file, entry))
    except Unreadable as error:
        return {error.found}


def _look_at_xml(data: bytes) -> set[Found]:
    found = set()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        found.add(Found.MARKUP_ENTITY)
    if any(each in data.lower() for each in _MACRO_TYPE):
        found.add(Found.OFFICE_MACRO)
    if _FIELD.search(data) or any(not _PLAIN_LINK.search(link) for link in _LINK.findall(data)):
        found.add(Found.OFFICE_EXTERNAL)
    return found


def _content(file: BinaryIO, entry: Entry) -> bytes:
    if entry.size > _LONGEST_PART:
        raise Unreadable(Found.ARCHIVE_BOMB)
    return b"".join(unpacked(file, entry))


def _texts(file: BinaryIO, entries: Sequence[Entry], name: str) -> Iterator[str]:
    """Yield the text of a part, a line for each paragraph or cell, as far as it is shown."""
    entry = next((each for each in entries if each.name == name), None)
    if entry is None:
        return
    pieces: list[str] = []
    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.CharacterDataHandler = pieces.append
    parser.EndElementHandler = lambda tag: pieces.append("\n") if tag.rpartition(" ")[2] in {"p", "si"} else None
    size = 0
    for chunk in unpacked(file, entry):
        parser.Parse(chunk, False)  # noqa: FBT003 - the library's own order
        for piece in pieces:
            size += len(piece)
            yield piece
        pieces.clear()
        if size > MOST_PREVIEW:
            return
    parser.Parse(b"", True)  # noqa: FBT003 - as above
    yield from pieces


def look_at_old(file: BinaryIO) -> set[Found]:
    """Return what was found in a document of the older kind."""
    found = set()
    names = contains(file, (*_OLD_MACRO, *_OLD_LOCKED, *_OLD_EMBEDDED), most=_MOST)
    if names & set(_OLD_MACRO):
        found.add(Found.OFFICE_MACRO)
    if names & set(_OLD_LOCKED):
        found.add(Found.ENCRYPTED)
    if names & set(_OLD_EMBEDDED):
        found.add(Found.OFFICE_EMBEDDED)
    return found
