"""Typesets a receipt as PDF/A-3a and PDF/UA-1, fonts embedded and the ``.tlog-proof`` file attached (ADR 0042).

The same sheet gives the same bytes on every machine: no font of the machine is used and the date is that of the log.
What a sheet says reaches typst as data, never as markup, in a program of its own (``press``).
"""

from __future__ import annotations

import io
import json
import sys
import threading
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from subprocess import run
from typing import Final, Literal

import segno

PRESS: Final = str(Path(__file__).with_name("press.py"))
_KEPT: Final = 64  # sheets of about 50 kB; the receipt of a notice is asked for by many
_PATIENCE_S: Final = 30.0
_TYPESETTING: Final = threading.Lock()  # one at a time in a process: readers of receipts never starve bidders

#: How a value is set: running text, a name of programs, or hexadecimal and base64 to compare by eye.
Manner = Literal["text", "code", "digest"]


@dataclass(frozen=True, slots=True)
class Line:
    """A fact: what it is called, what it says, and how that is set."""

    label: str
    value: str
    manner: Manner = "text"


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and the facts below it."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Guide:
    """How to check the receipt, in one language: what counts, then steps, each with an address or command or none."""

    language: str
    heading: str
    counts: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Everything that stands on the page, in the reader's language.

    ``tone`` is ``open`` (as good as it gets) or ``wait`` (more will come). ``proof`` is the text of the file attached
    as ``name``; ``date_s`` the date of the document in seconds; ``pointer`` what the QR code carries.
    """

    language: str
    platform: str
    platform_note: str
    title: str
    subject: str
    banner: str
    tone: str
    state: str
    state_note: str
    parts: tuple[Part, ...]
    guides: tuple[Guide, ...]
    pointer: str
    pointer_note: str
    name: str
    name_note: str
    proof: str
    date_s: int
    foot: str


@lru_cache(maxsize=_KEPT)
def typeset(sheet: Sheet) -> bytes:
    """Return the sheet as a PDF, within a tenth of a second of computing.

    Raises:
        CalledProcessError: The program failed. A bug: every text can be set.
    """
    told = asdict(sheet)
    proof = told.pop("proof")
    told["qr"] = _qr(sheet.pointer)
    inputs = {"sheet": json.dumps(_settable(told), ensure_ascii=False, sort_keys=True), "proof": proof}
    order = json.dumps({"date_s": sheet.date_s, "inputs": inputs}).encode()
    command = [sys.executable, "-I", PRESS]
    with _TYPESETTING:  # without an environment: the program is told no secret
        done = run(command, input=order, capture_output=True, check=True, timeout=_PATIENCE_S, env={})  # noqa: S603 - ours
    return done.stdout


def _qr(pointer: str) -> str:
    """Return the QR code as SVG, one unit a module; level M still reads with 15 % of it spoilt."""
    svg = io.BytesIO()
    segno.make(pointer, error="m", micro=False, boost_error=False).save(svg, kind="svg", xmldecl=False, border=0)
    return svg.getvalue().decode()


def _settable(told: object) -> object:
    """Return the values with every character that the font lacks spelt out: a page never shows an empty box."""
    match told:
        case str():
            return "".join(letter if _has(letter) else f"\\u{{{ord(letter):x}}}" for letter in told)
        case dict():
            return {name: _settable(value) for name, value in told.items()}
        case list() | tuple():
            return [_settable(value) for value in told]
        case _:
            return told


def _has(letter: str) -> bool:
    """Whether the font has a letter: it was cut to GB 2312, Latin-1 and a few marks (fonts/README.md)."""
    known = letter.encode("latin-1", "ignore") or letter.encode("gb2312", "ignore")
    return letter in "\n\u3000–€" or (letter.isprintable() and bool(known))
