"""What a power cut would leave of the files in a folder, told from the system calls that were made on them.

As pessimistic as POSIX allows. Bytes are safe once a sync of their file has succeeded, a name once one of its directory
has. What a sync has failed to make safe stays lost until it is written again: the kernel may have dropped it, and the
next sync would succeed all the same (F07).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tests.support.syscalls import SYNCS, Call

_NUMBER: Final = re.compile(r"(\d+)\s*$")


class Disk:
    """The files below a folder; all that is there at the beginning counts as safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._present = {folder, *folder.rglob("*")}
        self._names: set[Path] = set()
        self._dirty: defaultdict[Path, set[int]] = defaultdict(set)
        self._lost: defaultdict[Path, set[int]] = defaultdict(set)

    def take(self, calls: Iterable[Call], promise: Callable[[Call], list[Path]]) -> list[str]:
        """Follow the calls; return what is unsafe, just before a call, of the paths that ``promise`` names for it."""
        breaches = []
        for call in calls:
            for path in promise(call):
                breaches += [f"{call.name} {call.paths[-1]}: {each}" for each in self.unsafe(path)]
            self._follow(call)
        return breaches

    def look(self) -> None:
        """Take what is there and was written by nobody who was watched for safe."""
        self._present.update(self._folder.rglob("*"))

    @property
    def doubts(self) -> bool:
        """Return whether anything was lost, or is not safe yet."""
        return bool(self._names) or any(self._dirty.values()) or any(self._lost.values())

    def unsafe(self, path: Path) -> list[str]:
        """Return why a power cut could take a file away, or bytes of it."""
        found = []
        if self._dirty[path]:
            found.append(f"{path.name} has bytes that are not synced")
        if self._lost[path]:
            found.append(f"{path.name} has bytes whose sync failed")
        inside = [each for each in (path, *path.parents) if each.is_relative_to(self._folder)]
        found += [f"the name {each.name} is not synced" for each in inside if each in self._names]
        return found

    def _follow(self, call: Call) -> None:
        path, first = Path(call.paths[-1]), Path(call.paths[0])
        if not path.is_relative_to(self._folder):
            return
        if call.name in SYNCS:
            self._sync(path, call)
        elif call.failure is None:
            match call.name:
                case "openat":
                    self._open(path, call)
                case "mkdir" | "mkdirat":
                    self._name(path)
                case "write":
                    self._dirty[path].add(0)
                case "pwrite64":
                    self._lost[path].discard(_last_number(call))
                    self._dirty[path].add(_last_number(call))
                case "ftruncate":
                    self._cut(path, _last_number(call))
                case "unlink" | "unlinkat" | "rmdir":
                    self._forget(path)
                case _:  # renames and links
                    self._move(first, path, keeps=call.name.startswith("link"))

    def _open(self, path: Path, call: Call) -> None:
        if "O_CREAT" in call.arguments and path not in self._present:
            self._name(path)
        if "O_TRUNC" in call.arguments:
            self._cut(path, 0)

    def _sync(self, path: Path, call: Call) -> None:
        if call.failure is None:
            self._names = {each for each in self._names if each.parent != path}
        elif call.failure != "KILL":  # a killed process has not called it
            self._lost[path] |= self._dirty[path]
        if call.failure != "KILL":
            self._dirty.pop(path, None)

    def _name(self, path: Path) -> None:
        self._present.add(path)
        self._names.add(path)

    def _cut(self, path: Path, size: int) -> None:
        for state in (self._dirty, self._lost):
            state[path] = {each for each in state[path] if each < size}

    def _move(self, old: Path, new: Path, *, keeps: bool) -> None:
        dirty, lost = set(self._dirty[old]), set(self._lost[old])
        if not keeps:
            self._forget(old)
        self._name(new)
        self._dirty[new], self._lost[new] = dirty, lost

    def _forget(self, path: Path) -> None:
        self._present.discard(path)
        self._names.discard(path)
        self._dirty.pop(path, None)
        self._lost.pop(path, None)


def _last_number(call: Call) -> int:
    found = _NUMBER.search(call.arguments)
    assert found is not None, call
    return int(found[1])
