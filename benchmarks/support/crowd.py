"""Viewers of one page that follows what goes on, in a process of their own: ``crowd PLAN ANSWERS``.

Each does what the page's script does (static/live.js): loads the page, asks for the stream of events once, and where
all places are taken polls the state with its tag every five seconds until the end. The plan is a ``Crowd`` as JSON, the
answers are rows of what was asked (``page``, ``stream``, ``poll``), status (0: none) and milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

#: What was asked, the status of the answer, how long it took in ms.
Row: TypeAlias = tuple[str, int, float]

_ROOT: Final = Path(__file__).resolve().parents[2]
_POLL_S: Final = 5.0
_TIMEOUT_S: Final = 30.0
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who looks at what: ``viewers`` come evenly within ``arrive_s`` and stay until ``last_s``, both in s."""

    address: str
    page: str
    viewers: int
    arrive_s: float
    last_s: float

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        """Let them come, from another process; ``answers`` reads what they saw when it has ended."""
        (folder / "crowd-plan.json").write_text(json.dumps(asdict(self)))
        names = [str(folder / "crowd-plan.json"), str(folder / "crowd-answers.json")]
        return subprocess.Popen([sys.executable, "-m", "benchmarks.support.crowd", *names], cwd=_ROOT)  # noqa: S603

    @staticmethod
    def answers(folder: Path) -> list[Row]:
        """Return every answer that a viewer had."""
        return [(name, status, ms) for name, status, ms in json.loads((folder / "crowd-answers.json").read_text())]


class Viewer:
    """One viewer, with one connection that is opened anew whenever the server has closed it."""

    def __init__(self, crowd: Crowd, ends: float) -> None:
        self._crowd = crowd
        self._ends = ends
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.rows: list[Row] = []

    async def watch(self, wait_s: float) -> None:
        """Come after ``wait_s``, and stay to the end."""
        await asyncio.sleep(wait_s)
        await self._ask("page", "")
        status, _ = await self._ask("stream", "/events", {"Accept": "text/event-stream"})
        tag = ""
        while status != _OK and time.monotonic() < self._ends:
            await asyncio.sleep(_POLL_S)
            _, found = await self._ask("poll", "/state", {"If-None-Match": tag} if tag else {})
            tag = found or tag
        if status == _OK:
            await asyncio.sleep(max(0.0, self._ends - time.monotonic()))
        self._close()

    async def _ask(self, name: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Return status and tag; a kept connection that the server has closed meanwhile is no answer to count."""
        began, kept = time.monotonic(), self._streams is not None
        try:
            status, tag = await asyncio.wait_for(self._answer(path, headers or {}), _TIMEOUT_S)
        except (OSError, EOFError, ValueError):
            self._close()
            if kept:
                return await self._ask(name, path, headers)
            status, tag = 0, ""
        self.rows.append((name, status, (time.monotonic() - began) * 1000))
        return status, tag

    async def _answer(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if self._streams is None:
            host, port = self._crowd.address.rsplit(":", 1)
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        lines = [f"GET {self._crowd.page}{path} HTTP/1.1", f"Host: {self._crowd.address}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection", "").lower() == "close":
            self._close()
        return int(head[0].split()[1]), fields.get("etag", "")

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _all(crowd: Crowd) -> list[Row]:
    ends = time.monotonic() + crowd.last_s
    viewers = [Viewer(crowd, ends) for _ in range(crowd.viewers)]
    waits = [crowd.arrive_s * number / crowd.viewers for number in range(crowd.viewers)]
    await asyncio.gather(*(viewer.watch(wait) for viewer, wait in zip(viewers, waits, strict=True)))
    return [row for viewer in viewers for row in viewer.rows]


def main(plan: str, answers: str) -> None:
    """Run the plan and write the answers."""
    Path(answers).write_text(json.dumps(asyncio.run(_all(Crowd(**json.loads(Path(plan).read_text()))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
