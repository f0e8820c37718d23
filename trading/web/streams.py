"""Server-sent events: a bounded number of readers that hold a thread each, and nothing else.

A stream holds no database connection: it looks at a value that all readers of a process share and that is at most a
second old. Readers beyond the bound are refused and poll instead, so that a crowd never takes the threads away from
people who bid. Every message that a record causes carries an id; a reader that comes back with ``Last-Event-ID``, to
any process and after any restart, gets what followed it, once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from flask import Response, jsonify, request
from werkzeug.exceptions import NotAcceptable

from trading.web.headers import SERVER_TIME
from trading.web.locale import current_language

MIMETYPE: Final = "text/event-stream"
READERS: Final = 24  # of the 64 threads of a process (gunicorn.conf.py); the others answer requests
LOOK_S: Final = 1.0  # how often a stream looks; also how old a shared value may be
CLOCK_S: Final = 10.0  # ux 3.6: the countdown is set again every ten seconds
LIFE_S: Final = 300.0  # then the browser comes back by itself, perhaps to a process with more room
RETRY_MS: Final = 2_000
_KEPT: Final = 256

#: Set when the process is asked to stop: every stream ends at once, and its reader comes back to another process.
STOPPING: Final = threading.Event()
_SLOTS: Final = threading.BoundedSemaphore(READERS)

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """A value per key that all threads of a process share; it is made anew when it is older than ``LOOK_S``.

    One thread makes it while the others wait for that one, so a thousand readers cost as much as one. What raises is
    not kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[threading.Lock, list[tuple[float, Value]]]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of ``key``, made by ``make`` unless a fresh one is there."""
        with self._lock:
            making, held = self._kept.setdefault(key, (threading.Lock(), []))
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        with making:
            if held and time.monotonic() - held[0][0] < LOOK_S:
                return held[0][1]
            value = make()
            held[:] = [(time.monotonic(), value)]
            return value


def message(event: str, data: Mapping[str, object], *, id: str | None = None) -> str:  # noqa: A002 - the name of the field
    """Return one message; ``id`` is where a reader that was cut off goes on."""
    lines = [f"event: {event}", f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}"]
    return "\n".join(([f"id: {id}"] if id else []) + lines) + "\n\n"


def last_seen() -> str:
    """Return the id of the last message that the reader has, or an empty text."""
    return request.headers.get("Last-Event-ID", request.args.get("after", ""))[:128]


def state(version: str, now: int, text: Callable[[], str], *, over: bool = False) -> Response:
    """Answer a page that asks what it should show now; 304 while nothing has changed.

    Args:
        version: Changes when, and only when, what is shown does.
        now: The platform's time in ms; it travels beside the answer, so that it does not change it.
        text: Renders the part of the page that follows.
        over: Whether nothing will change any more.
    """
    tag = f"{version}-{current_language()}"
    if request.if_none_match.contains_weak(tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = jsonify(html=text(), over=over, version=version)
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers[SERVER_TIME] = str(now)
    response.vary.update(("Accept-Language", "Cookie"))
    return response


def respond(look: Callable[[], Iterator[str]], clock: Callable[[], int]) -> Response:
    """Answer with the messages that ``look`` yields now and after every change.

    Args:
        look: Yields what is new since it was called last; called about once a second.
        clock: The platform's time in ms, told every ten seconds.

    When all places are taken the answer is a bare 503, which is nobody's page, and the reader polls.

    Raises:
        NotAcceptable: The caller did not ask for a stream; programs that read every address must not hang here.
    """
    if MIMETYPE not in request.headers.get("Accept", ""):
        raise NotAcceptable
    once = "once" in request.args
    if not _SLOTS.acquire(blocking=False):
        return Response(
            status=HTTPStatus.SERVICE_UNAVAILABLE, mimetype="text/plain", headers={"Cache-Control": "no-store"}
        )
    response = Response(_messages(look, clock, once=once), mimetype=MIMETYPE)
    response.call_on_close(_SLOTS.release)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # a proxy in front must pass every message on at once
    response.headers[SERVER_TIME] = str(clock())
    return response


def _messages(look: Callable[[], Iterator[str]], clock: Callable[[], int], *, once: bool) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    ends = time.monotonic() + LIFE_S
    told = 0.0
    while True:
        yield from look()
        if once:
            return
        now = time.monotonic()
        if now - told >= CLOCK_S:  # also shows whether the reader is still there
            told = now
            yield message("clock", {"time": clock()})
        if now >= ends or STOPPING.wait(LOOK_S):
            return
