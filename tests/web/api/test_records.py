"""The feed of public records: log order, the public head, what waits for its disclosure, cursors that are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask

from tests.support.databases import Server, clone
from tests.support.feeds import FEED, Crawler, feed_app, written
from tests.support.logs import FAST, LogWorld
from trading.audit import queries
from trading.audit.ledger import Ledger
from trading.audit.rules.chain import record_commitment
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.sequencer.loop import Sequencer
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.notices.queries import records
from trading.storage.tiles import CHECKPOINT, PUBLIC

QUANTUM, WINDOW_S = 8, 10.0
BIDS = [{"bid": f"b-{n}", "faults": [], "verdict": "OK"} for n in (1, 2)]


@dataclass
class World:
    """A log with a public head that a test moves on, and the application over it."""

    log: LogWorld
    sequencer: Sequencer
    ledger: Ledger
    app: Flask
    time: dict[str, float]

    def logged(self) -> None:
        """Log what waits; the public head stays."""
        self.sequencer.step()

    def window(self) -> int:
        """Let a window pass and return the size of the public head."""
        self.time["now"] += WINDOW_S
        self.sequencer.step()
        self.time["now"] += 1.0
        self.sequencer.step()
        self.time["now"] -= 1.0
        return self.size(f"{PUBLIC}/{CHECKPOINT}")

    def size(self, path: str) -> int:
        data = self.log.tiles.read(path)
        return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size

    def write(self, kind: str, procedure_id: int = 1, **body: object) -> str:
        return written(self.ledger, kind, procedure_id, **body)

    def crawler(self, limit: int = 100) -> Crawler:
        return Crawler(self.app.test_client(), limit)

    def told(self, limit: int = 100) -> list[str]:
        return [each["h"] for each in self.crawler(limit).new()]


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    time = {"now": 100.0}
    with clone(server) as database:
        log = LogWorld(database, tmp_path)
        try:
            options = replace(FAST, cover=Rate(quantum=QUANTUM, window_s=WINDOW_S))
            with log.sequencer(options=options, monotonic=lambda: time["now"]) as sequencer:
                sequencer.start()
                app = feed_app(database, log.log_dir / "tiles", tmp_path, demo=False)
                yield World(log, sequencer, app.extensions["runtime"].ledger, app, time)
        finally:
            log.close()


def test_records_open_their_commitments_and_stand_in_log_order(world: World) -> None:
    wanted = [world.write("tender.published", number) for number in range(1, 6)]
    world.write("bid.received", 1)
    world.logged()
    world.window()
    found = list(world.crawler(limit=2).new())
    assert [each["h"] for each in found] == wanted
    assert [each["n"] for each in found] == sorted(each["n"] for each in found)
    for each in found:
        record = b64u_decode(each["record"])
        assert record_commitment(bytes.fromhex(each["nonce"]), record).hex() == each["h"]
        assert loads_object(record)["kind"] == "tender.published"
        assert world.app.test_client().get(f"{FEED}/{each['n']}").get_json() == each
    assert world.app.test_client().get(f"{FEED}/5").status_code == 404  # the bid


def test_nothing_above_the_public_head_is_told_and_the_cursor_moves_as_the_head_does(world: World) -> None:
    world.logged()
    assert world.window() == QUANTUM
    crawler = world.crawler()
    assert list(crawler.new()) == []
    assert crawler.since == QUANTUM
    for _ in range(3):
        world.write("bid.received", 1)
    late = world.write("tender.published", 2)
    world.logged()
    assert world.size(CHECKPOINT) > QUANTUM
    assert list(crawler.new()) == []
    assert crawler.since == QUANTUM, "four entries were logged, and nothing tells so"
    place = world.size(CHECKPOINT) - 1
    assert world.app.test_client().get(f"{FEED}/{place}").status_code == 404
    head = world.window()
    assert [each["h"] for each in crawler.new()] == [late]
    assert crawler.since == head == 2 * QUANTUM


def test_what_waits_is_told_by_the_entry_that_discloses_it(world: World) -> None:
    closed = world.write("tender.closed")
    early = world.write("policy.fixed", 2)
    world.logged()
    world.window()
    crawler = world.crawler()
    assert [each["h"] for each in crawler.new()] == [early], "how many bids there are is a secret until the order"
    assert world.app.test_client().get(f"{FEED}/0").status_code == 404
    ordered = world.write("open.ordered")
    combined = world.write("opening.combined", items=BIDS)
    opened = world.write("bid.opened", bid="b-1")
    refused = world.write("bid.verdict", bid="b-2")
    world.logged()
    world.window()
    assert [each["h"] for each in crawler.new()] == [closed, ordered]
    completed = world.write("opening.completed")
    world.logged()
    world.window()
    assert [each["h"] for each in crawler.new()] == [combined, opened, refused, completed]
    assert world.app.test_client().get(f"{FEED}/0").get_json()["h"] == closed
    whole = [early, closed, ordered, combined, opened, refused, completed]
    assert world.told() == world.told(limit=1) == whole
    pages = world.crawler(limit=1)
    assert [len(pages.page()) for _ in range(4)] == [1, 2, 4, 0], "what one entry discloses is not torn apart"


def test_a_page_walks_over_so_many_positions_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SPAN", 3)
    first = world.write("tender.published")
    world.logged()
    world.window()
    last = world.write("tender.changed")
    world.logged()
    world.window()
    crawler, pages = world.crawler(), 0
    found: list[str] = []
    while crawler.since < 2 * QUANTUM:
        found += [each["h"] for each in crawler.page()]
        pages += 1
    assert found == [first, last]
    assert pages == -(-2 * QUANTUM // 3)


def test_settled_pages_may_be_kept_and_the_newest_is_asked_again(world: World) -> None:
    for _ in range(3):
        world.write("tender.published")
    world.logged()
    world.window()
    client = world.app.test_client()
    settled = client.get(FEED, query_string={"limit": 2})
    assert settled.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    newest = client.get(FEED)
    assert newest.headers["Cache-Control"] == "public, max-age=5, must-revalidate"
    again = client.get(FEED, headers={"If-None-Match": newest.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    world.window()
    assert client.get(FEED, headers={"If-None-Match": newest.headers["ETag"]}).status_code == 200
    assert client.get(FEED, query_string={"limit": 2}).data == settled.data


REFUSED = [
    *((f"since={text}", "records.since") for text in ("", "x", "-1", "1.5", "%C2%B2", "0x1", "1" * 16)),
    *((f"limit={text}", "records.limit") for text in ("0", "1001", "x", "-1")),
    (f"since={QUANTUM + 1}", "records.ahead"),
]


def test_a_cursor_that_is_none_is_refused(world: World) -> None:
    assert world.window() == QUANTUM
    client = world.app.test_client()
    for query, code in REFUSED:
        answer = client.get(f"{FEED}?{query}")
        problem = answer.get_json()
        assert (answer.status_code, problem["code"]) == (400, code), query
        assert problem["zh"] != problem["en"]
    assert f"has {QUANTUM} entries" in client.get(f"{FEED}?since={QUANTUM + 1}").get_json()["en"]
    for fine in (f"since={QUANTUM}", f"since={QUANTUM - 1}", "limit=1", "limit=1000"):
        assert client.get(f"{FEED}?{fine}").status_code == 200


def test_a_reader_that_lags_behind_the_head_misses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica of the database can be behind the files: the cursor then stays where the replica ends."""
    wanted = world.write("tender.published")
    world.logged()
    world.window()
    monkeypatch.setattr(queries, "size", lambda _conn: 0)
    crawler = world.crawler()
    assert list(crawler.new()) == []
    assert crawler.since == 0
    monkeypatch.undo()
    assert [each["h"] for each in crawler.new()] == [wanted]


def test_before_there_is_a_public_head_there_is_an_empty_feed(world: World) -> None:
    world.write("tender.published")
    world.logged()
    assert world.app.test_client().get(FEED).get_json() == {"next": 0, "records": []}
    assert world.app.test_client().get(f"{FEED}/0").status_code == 404
