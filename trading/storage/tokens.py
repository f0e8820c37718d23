"""Tokens of time-stamping authorities over checkpoints: ``tst/<size>/<tsa>-<genTime ms>.tsr`` (TE1 T8, AL1 L9).

The one folder beside the tiles that a worker writes. A token holds somebody else's signature and cannot be derived, so
it is durable before anybody is told, and a file that has its name is never replaced: its hash may be in the log.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from trading.kernel.clock import SystemClock
from trading.storage.durable import make_directory, sync_directory

FOLDER: Final = "tst"
_RECENT: Final = 1_000  # sizes; an authority that has not stamped for so long begins anew
_SETTLED_MS: Final = 20  # dates of folders are coarse: two new folders of one moment have the same one
_TSA: Final = r"[a-z0-9](?:[a-z0-9.-]{0,38}[a-z0-9])?"
_PATH: Final = re.compile(rf"{FOLDER}/(0|[1-9][0-9]{{0,15}})/({_TSA})-(0|[1-9][0-9]{{0,15}})\.tsr\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenName:
    """What the path of a token says: the size of the checkpoint, the authority, its ``genTime`` in ms."""

    size: int
    tsa: str
    gen_time: int

    @property
    def path(self) -> str:
        """Return the path below the directory of the log's files; it is the same in a bundle (AL1 L12.1)."""
        return f"{FOLDER}/{self.size}/{self.file}"

    @property
    def file(self) -> str:
        """Return the name of the file alone."""
        return f"{self.tsa}-{self.gen_time}.tsr"


def parse_token_path(path: str) -> TokenName | None:
    """Return what a path says; None if it is not the path of a token."""
    match = _PATH.match(path)
    return None if match is None else TokenName(size=int(match[1]), tsa=match[2], gen_time=int(match[3]))


class TokenStore:
    """Reads and keeps tokens below ``root``, the directory of tiles and notes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: tuple[int, list[int]] = (-1, [])

    def keep(self, name: TokenName, data: bytes) -> bytes:
        """Keep a token and return what is kept under its name now: of two with one name the first stays."""
        target = self.root / name.path
        make_directory(target.parent)
        temporary = target.with_name(f".{token_hex(6)}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, target)
        except FileExistsError:
            return target.read_bytes()
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(target.parent)
        return data

    def read(self, name: TokenName) -> bytes | None:
        """Return a token, or None if there is none of that name."""
        try:
            return (self.root / name.path).read_bytes()
        except FileNotFoundError:
            return None

    def of_size(self, size: int) -> list[TokenName]:
        """Return the tokens over the checkpoint of a size, by authority and time."""
        found = (
            parse_token_path(f"{FOLDER}/{size}/{each.name}") for each in (self.root / FOLDER / str(size)).glob("*")
        )
        return sorted((each for each in found if each is not None), key=lambda each: (each.tsa, each.gen_time))

    def first_after(self, n: int) -> int | None:
        """Return the smallest stamped size above ``n``: its checkpoint holds entry ``n``; else None."""
        sizes = self._sizes()
        return next((size for size in sizes[bisect_right(sizes, n) :] if self.of_size(size)), None)

    def latest(self, tsa: str) -> Iterator[TokenName]:
        """Yield the tokens of an authority over the newest stamped sizes, the largest first."""
        for size in reversed(self._sizes()[-_RECENT:]):
            yield from (each for each in self.of_size(size) if each.tsa == tsa)

    def within(self, first: int, last: int) -> Iterator[TokenName]:
        """Yield the tokens over sizes from ``first`` to ``last``, by size."""
        sizes = self._sizes()
        for size in sizes[bisect_left(sizes, first) : bisect_right(sizes, last)]:
            yield from self.of_size(size)

    def _sizes(self) -> list[int]:
        """Return the sizes that have a folder; listed anew only when the folder of all has changed."""
        try:
            date = (self.root / FOLDER).stat().st_mtime_ns
        except FileNotFoundError:
            return []
        if date == self._listed[0]:
            return self._listed[1]
        names = (each.name for each in (self.root / FOLDER).iterdir())
        sizes = sorted(int(name) for name in names if name.isdigit())
        if SystemClock().now_ms() - date // 1_000_000 > _SETTLED_MS:
            self._listed = (date, sizes)
        return sizes
