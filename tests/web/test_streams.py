"""Server-sent events without a server: the form of messages, shared values, the bound on readers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from flask import Flask, Response
from werkzeug.exceptions import NotAcceptable

from trading.web import streams
from trading.web.streams import MIMETYPE, READERS, Shared


def test_the_form_of_a_message() -> None:
    assert streams.message("record", {"a": "两\n行"}, id="7") == 'id: 7\nevent: record\ndata: {"a":"两\\n行"}\n\n'
    assert streams.message("state", {}) == "event: state\ndata: {}\n\n"


def test_a_fresh_value_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("trading.web.streams.time.monotonic", lambda: clock[0])
    made: list[float] = []
    shared: Shared[int] = Shared()

    def make() -> int:
        made.append(clock[0])
        return len(made)

    assert [shared.get("a", make), shared.get("a", make), shared.get("b", make)] == [1, 1, 2]
    clock[0] += streams.LOOK_S - 0.001
    assert shared.get("a", make) == 1
    clock[0] += 0.001
    assert shared.get("a", make) == 3, "a second later it is old"


def test_one_thread_makes_it_while_the_others_wait() -> None:
    shared: Shared[int] = Shared()
    entered, go = threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> int:
        entered.set()
        go.wait(10)
        made.append(1)
        return 7

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(shared.get("a", make))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert (found, made) == ([7] * 20, [1])


def test_what_raises_is_not_kept() -> None:
    shared: Shared[int] = Shared()

    def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        shared.get("a", fail)
    assert shared.get("a", lambda: 1) == 1


def open_stream(app: Flask, **headers: str) -> Response:
    def look() -> Iterator[str]:
        yield streams.message("state", {})

    with app.test_request_context("/?once", headers=headers):
        return streams.respond(look, lambda: 5)


def test_a_stream_must_be_asked_for() -> None:
    with pytest.raises(NotAcceptable):
        open_stream(Flask("t"), Accept="*/*")


def test_readers_are_bounded_and_places_come_back() -> None:
    app = Flask("t")
    held = [open_stream(app, Accept=MIMETYPE) for _ in range(READERS)]
    try:
        assert open_stream(app, Accept=MIMETYPE).status_code == HTTPStatus.SERVICE_UNAVAILABLE
        held.pop().close()  # never read: its place comes back all the same
        another = open_stream(app, Accept=MIMETYPE)
        text = another.get_data(as_text=True)
        assert text.startswith(f"retry: {streams.RETRY_MS}\n\n")
        assert "event: state" in text
        another.close()
    finally:
        for each in held:
            each.close()


def test_a_stream_ends_when_its_process_is_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(streams, "STOPPING", stopping)
    app = Flask("t")

    def look() -> Iterator[str]:
        yield streams.message("state", {})

    with app.test_request_context("/", headers={"Accept": MIMETYPE}):
        answer = streams.respond(look, lambda: 5)
    assert "event: clock" in answer.get_data(as_text=True), "it ended by itself"
    answer.close()
