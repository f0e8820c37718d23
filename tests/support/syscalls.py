"""System calls of one thread, watched and struck by strace: killed before one of them, or let down by it (T3).

After the manner of Tessera's fault tests: a first run counts every call that writes, each later run strikes one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.build.debian import strace

FAULTS: Final = {"KILL": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
SYNCS: Final = frozenset({"fsync", "fdatasync"})
_WRITING: Final = (
    *("openat", "mkdir", "mkdirat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "renameat"),
    *("renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir"),
)
_LINE: Final = re.compile(r"(\w+)\((.*)\) += (\S+)(.*)$")
_KILLED: Final = re.compile(r"(\w+)\((.*)(?:\) += \?.*| <unfinished \.\.\.>)$")
_WORD: Final = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>|"((?:[^"\\]|\\.)*)"')
_MADE_UP: Final = re.compile(r"(?<=[./])(?:[0-9a-f]{12}|[0-9a-f]{32})$")
_PATIENCE_S: Final = 30.0


class Unavailable(Exception):
    """Nothing can be traced here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: absolute paths, arguments as text, why it failed: an error's name, or ``KILL``."""

    name: str
    paths: tuple[str, ...]
    arguments: str = ""
    failure: str | None = None
    is_struck: bool = False

    @property
    def writes(self) -> bool:
        """Return whether it can change a file; opening one does if it may make it."""
        return self.name != "openat" or "O_CREAT" in self.arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The ``number``-th call of its name in a thread, counted from 1, and what was seen there without a fault."""

    call: Call
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What happens where."""

    site: Site
    fault: str

    def missed(self, calls: Sequence[Call]) -> list[str]:
        """Return what else was struck, or that nothing was; of a name made up for one use only the folder counts."""
        wanted = (self.site.call.name, *map(_fixed, self.site.call.paths), self.fault)
        struck = [(call.name, *map(_fixed, call.paths), call.failure) for call in calls if call.is_struck]
        return [] if struck == [wanted] else [f"struck was {struck}"]


class Order(Protocol):
    """Something that the watched process has to do itself before it goes on."""

    def obey(self) -> None: ...


@dataclass(slots=True)
class Watch:
    """What is sent to the watched thread, and the calls that were seen, once watching is over."""

    order: Order | None = None
    calls: list[Call] = field(default_factory=list)


class Watcher(Protocol):
    """Watches a thread that waits for it, and strikes it where it is told to."""

    def watching(self, thread: int, strike: Strike | None) -> AbstractContextManager[Watch]: ...


def sites(calls: Sequence[Call], folder: Path) -> list[Site]:
    """Return the calls that write to something below ``folder``, with the numbers by which they can be struck."""
    counted: Counter[str] = Counter()
    found = []
    for call in calls:
        counted[call.name] += 1
        if call.failure is None and call.writes and any(Path(path).is_relative_to(folder) for path in call.paths):
            found.append(Site(call=call, number=counted[call.name]))
    return found


class Strace:
    """Watches threads of other processes."""

    def __init__(self, folder: Path) -> None:
        """Prepare; ``folder`` takes what is written down.

        Raises:
            Unavailable: There is no strace.
        """
        words = strace()
        if words is None:
            raise Unavailable("there is no strace, and no apt to fetch it with")
        self._words = words
        self._output = folder / "strace"

    @contextmanager
    def watching(self, thread: int, strike: Strike | None) -> Iterator[Watch]:
        """Attach to a thread that waits; its calls are there when the block is over.

        Raises:
            Unavailable: This machine does not let one process trace another.
        """
        options = ["-y", "-s", "0", "-o", str(self._output), "-p", str(thread)]
        options += ["-e", "trace=" + ",".join(f"?{name}" for name in _WRITING)]
        if strike is not None:
            site = strike.site
            options += ["-e", f"inject={site.call.name}:{FAULTS[strike.fault]}:when={site.number}"]
        watch = Watch()
        with subprocess.Popen([*self._words, *options], stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            told = tracer.stderr.readline()
            if "attached" not in told:
                tracer.wait(_PATIENCE_S)
                raise Unavailable(f"strace cannot attach: {told.strip()}")
            yield watch
            tracer.wait(_PATIENCE_S)
        watch.calls += read_calls(self._output.read_text(encoding="utf-8"))


def _fixed(path: str) -> str:
    return _MADE_UP.sub("*", path)


def read_calls(text: str) -> list[Call]:
    """Read what strace wrote down of one thread."""
    found = []
    for line in text.splitlines():
        if (match := _LINE.match(line)) and match[3] != "?":
            name, arguments, result, rest = match.groups()
            failure = rest.split()[0] if result.startswith("-") else None
            is_struck = "(INJECTED)" in rest
        elif match := _KILLED.match(line):
            (name, arguments), failure, is_struck = match.groups(), "KILL", True
        else:
            continue  # signals, and how it ended
        paths = _paths(name, arguments)
        found.append(Call(name=name, paths=paths, arguments=arguments, failure=failure, is_struck=is_struck))
    return found


def _paths(name: str, arguments: str) -> tuple[str, ...]:
    """Return the absolute paths of a call: of descriptors, and of texts relative to the descriptor before them."""
    base, texts = os.sep, []
    for match in _WORD.finditer(arguments):
        if match[1] is not None:
            base = match[1]
        elif name not in {"write", "pwrite64"}:
            texts.append(os.path.normpath(os.path.join(base, match[2])))  # noqa: PTH118 - texts of the kernel
    return tuple(texts) or (base,)
