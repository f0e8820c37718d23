"""Draws a file page by page in processes that can do nothing else; a page that breaks its process is left out.

No process sees two files. One draws a few pages, so that its limits are those of the inspection (security 10), and a
page on which it hangs or dies costs that page alone: the next process begins behind it. A file that breaks several is
given up. Nothing here reads the file or decodes a picture.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from trading.inspection.limits import Limits
from trading.inspection.pages import Begun, Page, Unbelievable, read_answer
from trading.inspection.sandbox import ROOT, WANTED

PROGRAM: Final = ("-E", "-s", "-m", "trading.inspection.draw_program")
DRAWN: Final = frozenset({"pdf", "png", "jpeg", "gif", "bmp"})
AT_ONCE: Final = 8  # pages of one process
MOST_BROKEN: Final = 3  # pages after which a file is given up
_log = logging.getLogger("mingbiao.inspection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How many pages the file has, known before the first is drawn."""

    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A page that could not be drawn; ``rest``: nor any behind it."""

    number: int
    rest: bool


def drawn(
    file: BinaryIO,
    kind: str,
    *,
    first: int = 1,
    broken: int = 0,
    limits: Limits | None = None,
    program: tuple[str, ...] = PROGRAM,
) -> Iterator[Told | Page | Missing]:
    """Yield how many pages a file has, then each page, drawn or missing; never raises for anything the file does.

    A file of which not even the pages can be counted yields nothing but its first page as missing.

    Args:
        file: An open file of this machine.
        kind: One of ``DRAWN``, as the inspection found it.
        first: The page to begin with.
        broken: How many before it could not be drawn.
        limits: What one process may cost.
        program: What is started; tests start others.
    """
    following, pages = first, None
    while pages is None or following <= pages:
        is_whole, before = False, following
        try:
            for each in _run(file, kind, following, limits or Limits(), program):
                if isinstance(each, Begun):
                    if pages is None:
                        pages = each.pages
                        yield Told(pages=pages)
                    continue
                if each.number != following or (pages is not None and following > pages):
                    raise Unbelievable
                yield each
                following += 1
            is_whole = following > before
        except Unbelievable:
            pass
        if is_whole or (pages is not None and following > pages):
            continue
        broken += 1
        is_rest = pages is None or broken >= MOST_BROKEN
        yield Missing(number=following, rest=is_rest)
        if is_rest:
            return
        following += 1


def _run(file: BinaryIO, kind: str, first: int, limits: Limits, program: tuple[str, ...]) -> Iterator[Begun | Page]:
    file.seek(0)
    words = [sys.executable, *program, kind, str(first), str(AT_ONCE), str(limits.memory), str(limits.cpu_s)]
    with subprocess.Popen(  # noqa: S603 - our own program
        words, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env={}, start_new_session=True
    ) as process:
        timer = threading.Timer(limits.wall_s, process.kill)
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for each in read_answer(process.stdout):
                if isinstance(each, Begun) and not set(each.held) >= WANTED:
                    _log.warning("this kernel does not grant a drawing process: %s", sorted(WANTED - set(each.held)))
                yield each
        finally:
            timer.cancel()
            process.kill()
