"""Cells of tables that people open with a spreadsheet: what a program would run is made a plain text, and back again.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, also behind blanks, a tab or the
end of a line, also in their full-width forms. Such a cell gets an apostrophe in front. So does a cell that begins with
an apostrophe already; hence one rule leads back, whatever the cell was: take away one apostrophe in front, if any.
"""

from __future__ import annotations

from typing import Final

MARK: Final = "'"
_RUN: Final = frozenset("=+-@＝＋－＠")
_LEADING: Final = frozenset("\t\r\n")
# What a reader of files may skip in front of a cell: white space is stripped by itself, these are not.
_UNSEEN: Final = "".join(map(chr, range(0x20))) + "\x7f\ufeff\u200b\u200c\u200d\u2060"


def harmless(text: str) -> str:
    """Return the text as a cell that no spreadsheet runs; ``original`` undoes it."""
    return MARK + text if text.startswith(MARK) or is_formula(text) else text


def original(cell: str) -> str:
    """Return the text of a cell that ``harmless`` made."""
    return cell.removeprefix(MARK)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run the cell, or take it apart."""
    if text[:1] in _LEADING and text:
        return True
    return _stripped(text)[:1] in _RUN and bool(_stripped(text))


def _stripped(text: str) -> str:
    before = None
    while before != text:  # blanks and unseen characters may take turns
        before, text = text, text.lstrip().lstrip(_UNSEEN)
    return text
