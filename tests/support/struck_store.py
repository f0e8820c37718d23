"""One round of the campaign against the object store: a writer that is struck, what it leaves, and the next one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tests.support.disk import Disk
from tests.support.lives import Ended, live
from tests.support.syscalls import Call, Site, Strike, Watcher, sites
from tests.support.writing_lives import FAILED, REFUSED, TOLD, Variant, store_everything
from trading.storage.objects import CHUNK

LARGE: Final = b"large" * (CHUNK // 4)  # more than one chunk
CONTENTS: Final = [b"first", LARGE, b"first", b"last"]


class StruckStore:
    """A store whose writers are struck; every round begins with an empty folder."""

    def __init__(self, folder: Path, watcher: Watcher) -> None:
        self._root = folder / "objects"
        self._watcher = watcher

    def sites(self) -> list[Site]:
        """Let one writer pass without a fault and return the calls at which others can be struck."""
        shutil.rmtree(self._root, ignore_errors=True)
        ended = self._live(None)
        assert ended.said == [hashlib.sha256(each).hexdigest() for each in CONTENTS]
        return sites(ended.calls, self._root)

    def round(self, strike: Strike | None, variant: Variant | None = None) -> list[str]:
        """Return what is wrong after a writer that was struck, and after the next one, which is not."""
        shutil.rmtree(self._root, ignore_errors=True)
        disk = Disk(self._root.parent)
        ended = self._live(strike, variant)
        wrong = disk.take(ended.calls, self._promise)
        if strike is not None:
            wrong += wrong_end(ended, strike)
        wrong += self._wrong_objects(ended.said)
        again = self._live(None)
        wrong += disk.take(again.calls, self._promise)
        if again.code or len(again.said) < len(CONTENTS):
            wrong.append("the next writer cannot store everything")
        wrong += self._wrong_objects(again.said)
        incoming = self._root / "incoming"
        wrong += [f"{path.name} was left behind" for path in incoming.iterdir()] if incoming.exists() else []
        return wrong

    def _live(self, strike: Strike | None, variant: Variant | None = None) -> Ended:
        return live(self._watcher, strike, store_everything, self._root, CONTENTS, variant)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def _promise(self, call: Call) -> list[Path]:
        """Return the object of which a writer says that it is stored."""
        path = Path(call.paths[-1])
        return [self._path(path.name)] if path.parent == TOLD else []

    def _wrong_objects(self, said: list[object]) -> list[str]:
        """Hash everything that can be seen, and look for what was promised."""
        there = {path.name: path for path in self._root.glob("??/*")}
        wrong = [f"{each} was promised and is not there" for each in said if each != FAILED and each not in there]
        found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
        return wrong + [f"{name} has other bytes" for name, digest in found.items() if digest != name]


def wrong_end(ended: Ended, strike: Strike) -> list[str]:
    """Return what is wrong with the way in which a writer ended that was to be struck."""
    if missed := strike.missed(ended.calls):
        return missed
    if strike.fault == "KILL":
        return [] if ended.was_killed else [f"it ended with {ended.code} and not by a signal"]
    is_told = ended.code == REFUSED or FAILED in ended.said
    return [] if is_told else [f"nobody was told of {strike.fault}: {ended.code}, {ended.said}"]
