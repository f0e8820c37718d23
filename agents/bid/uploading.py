"""Sending a large part in chunks, from wherever the platform has got to (SB1 S7.1, reliability F23).

Nothing is remembered here: the part's digest names its upload, so the platform tells where to go on, after a cut, after
a kill, and on another machine with the same sealed file. Progress counts only what the platform has confirmed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from agents.bid.platform import Answer, Platform, Refused, Unreachable
from trading.bids.rules.envelope import Part
from trading.bids.rules.uploads import LEAST_CHUNK
from trading.kernel.errors import InvalidInput

CHUNK: Final = LEAST_CHUNK  # the least that is lost with a connection
ATTEMPTS: Final = 8  # without a byte confirmed that was not confirmed before
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_ANSWER_S: Final = 60.0
_STORING_BYTES_PER_S: Final = 8 * 1024 * 1024  # the slowest store that is waited for when it takes the whole part
_RECENT: Final = 16  # confirmations over which the rate is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a part has got: ``confirmed`` of ``size`` bytes; bytes a second of late, None before it is known."""

    name: str
    confirmed: int
    size: int
    rate: float | None

    @property
    def left_s(self) -> float | None:
        """Return the seconds that the rest takes at this rate."""
        return None if not self.rate else (self.size - self.confirmed) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How parts are sent; tests pass their own clock, pause and reporter."""

    report: Callable[[Progress], None] = lambda _progress: None
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class _Rate:
    """Bytes a second over the last confirmations; what an earlier run has sent does not count."""

    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def at(self, instant: float, confirmed: int) -> float | None:
        self._seen.append((instant, confirmed))
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began and last > first else None


def upload_part(platform: Platform, bid: str, part: Part, path: Path, sending: Sending) -> Answer:
    """Store one encrypted part; a small one in one request, a larger one in chunks.

    Raises:
        Refused: The platform refuses it.
        Unreachable: No answer after ``ATTEMPTS`` in a row; what is confirmed stays at the platform.
        InvalidInput: ``bid.part_mismatch``: the file is not the part of the envelope, or the platform claims to have
            more than was sent.
    """
    if path.stat().st_size != part.size:
        raise InvalidInput("bid.part_mismatch", f"{path} is not the part that was sealed")
    if part.size <= CHUNK:
        return platform.put_part(bid, part.name, path, part.sha256)
    return _Upload(platform, bid, part, path, sending).run()


@dataclass(slots=True)
class _Upload:
    platform: Platform
    bid: str
    part: Part
    path: Path
    sending: Sending
    confirmed: int = 0
    rate: _Rate = field(default_factory=_Rate)

    def run(self) -> Answer:
        failures, answer = 0, self._ask()
        highest = self.confirmed
        while not answer.body.get("complete"):
            try:
                answer = self._send(answer)
            except (Refused, Unreachable) as error:
                failures += 1
                self._wait(failures, error)
                answer = self._ask()
            if self.confirmed > highest:
                failures, highest = 0, self.confirmed
        return answer

    def _ask(self) -> Answer:
        """Return where to go on."""
        answer = self.platform.begin_upload(self.bid, self.part.name, self.part.sha256, self.part.size)
        self._confirm(answer)
        return answer

    def _send(self, known: Answer) -> Answer:
        """Send the next chunk; an empty one makes the platform store a part of which it has every byte."""
        upload, offset = str(known.body.get("upload")), self.confirmed
        with self.path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(CHUNK)
        is_last = offset + len(chunk) == self.part.size
        storing_s = self.part.size / _STORING_BYTES_PER_S if is_last else 0.0
        sent = self.platform.append(self.bid, upload, offset, chunk, timeout_s=_ANSWER_S + storing_s)
        self._confirm(sent)
        if self.confirmed != offset + len(chunk):
            raise Refused(HTTPStatus.CONFLICT, {"code": "upload.offset"})
        return Answer(status=sent.status, body={"upload": upload, **sent.body})

    def _confirm(self, answer: Answer) -> None:
        offset = answer.body.get("offset")
        if type(offset) is not int or not 0 <= offset <= self.part.size:
            raise InvalidInput("bid.part_mismatch", f"the platform says that it has {offset} bytes")
        self.confirmed = offset
        rate = self.rate.at(self.sending.now(), offset)
        self.sending.report(Progress(name=self.part.name, confirmed=offset, size=self.part.size, rate=rate))

    def _wait(self, failures: int, error: Refused | Unreachable) -> None:
        """Pause before the next attempt; go on only where that can help."""
        is_passing = isinstance(error, Unreachable) or (
            error.status in _PASSING or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == "upload.cut"
        )
        if not is_passing or failures >= ATTEMPTS:
            raise error
        if error.code != "upload.offset":
            self.sending.pause(min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))


#: Another request has got on with the upload, it was swept, or the platform is busy: asking again tells what to do.
_PASSING: Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS})
