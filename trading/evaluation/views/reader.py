"""What a reader of one bid sees: its files, one page of them, and where some words stand.

A page is named by its file and its number in it, so that its name stays while other files are still being drawn. A file
that has text and no pages is one page of text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import Connection

from trading.evaluation import queries
from trading.evaluation.queries import DrawnFile, DrawnPage, OpenedFile
from trading.evaluation.rules.finding import LONGEST_WORDS, Hit, hit_of
from trading.evaluation.service.pages import is_drawn
from trading.evaluation.views.masking import shown_files

MOST_HITS: Final = 100  # pages that are listed
_AT: Final = re.compile(r"([0-9a-f]{16})\.([0-9]{1,4})\Z")
_NAMED: Final = 16  # characters of the digest that name a file of one bid


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One file as it is read: what it is, and how far it is drawn; ``drawing`` is None before that began."""

    file: OpenedFile
    drawing: DrawnFile | None

    @property
    def has_images(self) -> bool:
        """Whether its pages are, or will be, images."""
        return is_drawn(self.file)

    @property
    def is_waiting(self) -> bool:
        """Whether pages of it are still to be drawn."""
        return self.has_images and (self.drawing is None or not self.drawing.finished)

    @property
    def pages(self) -> int:
        """How many pages can be turned to."""
        if self.has_images:
            return 0 if self.drawing is None else self.drawing.pages
        return 1 if self.file.preview else 0

    def at(self, number: int) -> str:
        """Return the name of a page."""
        return f"{self.file.sha256[:_NAMED]}.{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page on which the words stand."""

    volume: Volume
    number: int
    hit: Hit

    @property
    def at(self) -> str:
        """The name of the page."""
        return self.volume.at(self.number)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One bid, open at a page. ``volumes`` is None while its files are still being looked into.

    ``page`` is None for a page of text, and for one that has not been drawn yet. ``address`` makes the address of the
    same page of the platform with another place or other words.
    """

    bid: str
    volumes: tuple[Volume, ...] | None
    open: Volume | None
    number: int
    page: DrawnPage | None
    words: str
    found: tuple[Found, ...]
    address: Callable[..., str]
    prefix: str = ""

    @property
    def at(self) -> str:
        """The name of the page that is open, "" for none."""
        return "" if self.open is None else self.open.at(self.number)

    @property
    def is_waiting(self) -> bool:
        """Whether more will be there later."""
        return self.volumes is None or any(each.is_waiting for each in self.volumes)

    @property
    def progress(self) -> tuple[int, int]:
        """How many pages have been drawn, and how many are known of so far."""
        begun = [each.drawing for each in self.volumes or () if each.has_images and each.drawing is not None]
        return sum(each.drawn for each in begun), sum(each.pages for each in begun)

    @cached_property
    def _order(self) -> list[tuple[Volume, int]]:
        return [(each, number) for each in self.volumes or () for number in range(1, each.pages + 1)]

    def beside(self, step: int) -> str | None:
        """Return the name of the page before (-1) or behind (1), across files; None at either end."""
        if self.open is None:
            return None
        place = self._order.index((self.open, self.number)) + step
        return self._order[place][0].at(self._order[place][1]) if 0 <= place < len(self._order) else None

    @property
    def text(self) -> str:
        """The text of the page that is open."""
        if self.page is not None:
            return self.page.text
        return "" if self.open is None or self.open.has_images else self.open.file.preview

    def to(self, at: str) -> str:
        """Return the address of a page, the words kept."""
        return self.address(**{f"{self.prefix}at": at, f"{self.prefix}q": self.words or None})


def reader_of(
    conn: Connection, bid: str, asked: Mapping[str, str], address: Callable[..., str], prefix: str = ""
) -> Reader:
    """Return a bid open at the page that was ``asked`` for (``at``, ``q``), else at its first."""
    files = shown_files(conn, bid)
    volumes = None
    if files is not None:
        begun = queries.drawings_of(conn, bid)
        volumes = tuple(Volume(file=each, drawing=begun.get(each.sha256)) for each in files)
    volume, number = _open(volumes or (), asked.get(f"{prefix}at", ""))
    page = None
    if volume is not None and volume.has_images:
        page = queries.drawn_page(conn, bid, volume.file.sha256, number)
    words = asked.get(f"{prefix}q", "").strip()[:LONGEST_WORDS]
    return Reader(
        bid=bid,
        volumes=volumes,
        open=volume,
        number=number,
        page=page,
        words=words,
        found=_found(conn, bid, volumes or (), words),
        address=address,
        prefix=prefix,
    )


def _open(volumes: tuple[Volume, ...], at: str) -> tuple[Volume | None, int]:
    match = _AT.match(at)
    readable = [each for each in volumes if each.pages]
    if match is not None:
        for each in readable:
            if each.file.sha256.startswith(match[1]) and 1 <= int(match[2]) <= each.pages:
                return each, int(match[2])
    return (readable[0], 1) if readable else (None, 1)


def _found(conn: Connection, bid: str, volumes: tuple[Volume, ...], words: str) -> tuple[Found, ...]:
    """Return the pages that have the words, in the order of the files; one more than are listed, if there are more."""
    if not words:
        return ()
    by_file: dict[str, list[tuple[int, str]]] = {}
    for sha256, number, text in queries.pages_with(conn, bid, words, MOST_HITS + 1):
        by_file.setdefault(sha256, []).append((number, text))
    found = []
    for each in volumes:
        texts = by_file.get(each.file.sha256, []) if each.has_images else [(1, each.file.preview)]
        for number, text in texts:
            hit = hit_of(text, words) if each.pages else None
            if hit is not None:
                found.append(Found(volume=each, number=number, hit=hit))
    return tuple(found[: MOST_HITS + 1])
