"""The same strikes through the functions of ``os`` that the product calls, for machines that let nobody trace.

They see less than the kernel does: what a library written in C does passes unseen. Where strace runs, campaigns use it.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from tests.support.syscalls import Call, Strike, Watch

_EVENTS: Final = {  # of sys.addaudithook: the call, and which arguments are path and descriptor of its folder
    "os.mkdir": ("mkdir", ((0, 2),)),
    "os.rename": ("rename", ((0, 2), (1, 3))),
    "os.link": ("link", ((0, 2), (1, 3))),
    "os.remove": ("unlink", ((0, 1),)),
    "os.rmdir": ("rmdir", ((0, 1),)),
}
_DESCRIPTORS: Final = {"fsync": "fsync", "fdatasync": "fdatasync", "ftruncate": "ftruncate", "pwrite": "pwrite64"}


@dataclass
class Seams:
    """Watches threads of processes that do themselves what they are ordered to."""

    folder: Path

    @contextmanager
    def watching(self, thread: int, strike: Strike | None) -> Iterator[Watch]:
        """Send the order through the gate; the calls are there when the block is over."""
        output = self.folder / f"{thread}.calls"
        watch = Watch(order=SeamOrder(output=output, strike=strike))
        yield watch
        for line in output.read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            watch.calls.append(Call(**found | {"paths": tuple(found["paths"])}))


@dataclass
class SeamOrder:
    """Note every call of the present thread, and strike one."""

    output: Path
    strike: Strike | None
    counted: Counter[str] = field(default_factory=Counter)

    def obey(self) -> None:
        self._thread = threading.get_ident()
        self._file = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sys.addaudithook(self._hear)
        for name, call in _DESCRIPTORS.items():
            setattr(os, name, self._seam(call, getattr(os, name)))
        io.open = self._watched_open(io.open)

    def _watched_open(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``io.open`` with files that note every write, where bytes are written to a new file."""
        order = self

        class Raw(io.FileIO):
            @override
            def write(self, data: Any, /) -> int:
                order.note("write", (_place(self.fileno()),), "")
                return super().write(data)

        def open_watched(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - as io.open
            if mode not in {"xb", "wb"}:
                return opened(file, mode, *rest, **named)
            raw = Raw(file, mode.replace("b", ""))
            return raw if 0 in {*rest[:1], named.get("buffering")} else io.BufferedWriter(raw)

        return open_watched

    def note(self, name: str, paths: tuple[str, ...], arguments: str) -> None:
        """Write a call down; end or fail it if it is the one to be struck.

        Raises:
            OSError: The fault.
        """
        if threading.get_ident() != self._thread:
            return
        self.counted[name] += 1
        strike = self.strike
        is_struck = strike is not None and (name, self.counted[name]) == (strike.site.call.name, strike.site.number)
        fault = strike.fault if strike is not None and is_struck else None
        call = Call(name=name, paths=paths, arguments=arguments, failure=fault, is_struck=fault is not None)
        os.write(self._file, json.dumps(asdict(call)).encode() + b"\n")
        if fault == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault is not None:
            number = getattr(errno, fault)
            raise OSError(number, os.strerror(number))

    def _seam(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def struck(descriptor: int, *rest: Any) -> Any:  # noqa: ANN401 - as the function of ``os``
            number = f", {rest[-1]}" if rest else ""
            self.note(name, (_place(descriptor),), f"{descriptor}{number}")
            return function(descriptor, *rest)

        return struck

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | os.PathLike) and flags & os.O_CREAT:
                told = "O_CREAT|O_TRUNC" if flags & os.O_TRUNC else "O_CREAT"
                self.note("openat", (os.path.abspath(path),), told)  # noqa: PTH100 - without looking at the disk
        elif event in _EVENTS:
            name, places = _EVENTS[event]
            paths = tuple(_joined(arguments[path], arguments[folder]) for path, folder in places)
            self.note(name, paths, "")


def _place(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _joined(path: object, folder: int) -> str:
    base = Path.cwd() if folder == -1 else Path(_place(folder))
    return os.path.normpath(base / os.fsdecode(path))  # type: ignore[arg-type]  # what the function of ``os`` was given
