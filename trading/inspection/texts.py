"""Text, tables and markup: what is shown of them, and what in them would act by itself."""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from trading.inspection.findings import MOST_PREVIEW, Found
from trading.inspection.kinds import extension_of, text_of

_MARKUP: Final = re.compile(r"<(?:!doctype\s+html|html|head|body|svg|script|iframe|svg:svg)[\s>/]", re.IGNORECASE)
_ACTIVE: Final = re.compile(
    r"<(?:\w+:)?(?:script|iframe|object|embed|applet|foreignobject|base|form)[\s>/]|\son[a-z]{3,20}\s*=|javascript\s*:"
    r"|data\s*:\s*text/html|http-equiv",
    re.IGNORECASE,
)
_ENTITY: Final = re.compile(r"<!(?:ENTITY|DOCTYPE[^>]*(?:\[|SYSTEM|PUBLIC\s+\"(?!-//W3C)))", re.IGNORECASE)
_FORMULA: Final = re.compile(r"(?:^|[,;\t\n\"])\s*(?:[=@]|[+-](?![\d.,\s]))\s*[A-Za-z(]")
_MISLEADING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST: Final = 16 * 1024 * 1024  # bytes of a text that are looked at


def read_text(file: BinaryIO, name: str) -> tuple[str, set[Found], str]:
    """Return the kind (``text`` or ``markup``), what was found, and the beginning of the text as it may be shown."""
    file.seek(0)
    text = text_of(file.read(_LONGEST))
    if text is None:
        return "unknown", {Found.TYPE_UNKNOWN}, ""
    found = set()
    if _MISLEADING.search(text):
        found.add(Found.TEXT_MISLEADING)
    if extension_of(name) == "csv" and _FORMULA.search(text):
        found.add(Found.TABLE_FORMULA)
    is_xml = text.lstrip("\ufeff \t\r\n").startswith("<?xml")
    is_markup = _MARKUP.search(text[:4096]) is not None or (is_xml and _MARKUP.search(text) is not None)
    if is_markup or is_xml:
        found |= markup(text)
    return "markup" if is_markup else "text", found, shown(text)


def markup(text: str) -> set[Found]:
    """Return what is active in markup: scripts, handlers, frames, entities of its own."""
    found = set()
    if _ACTIVE.search(text):
        found.add(Found.MARKUP_ACTIVE)
    if _ENTITY.search(text):
        found.add(Found.MARKUP_ENTITY)
    return found


def shown(text: str) -> str:
    """Return the beginning of a text without characters that change how others are read."""
    return _CONTROL.sub("\ufffd", text[:MOST_PREVIEW])
