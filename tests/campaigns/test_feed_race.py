"""Nobody who follows the feed misses a record, whatever order transactions end in (G11, reliability 8.4).

Sixteen writers record public and sealed things and commit after random pauses, a real sequencer logs them, a crawler
follows ``?since=`` over HTTP meanwhile. The control is the feed as most systems have it: by serial number.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from flask.testing import FlaskClient

from tests.support.databases import Database, Server, clone
from tests.support.feeds import SYSTEM, Crawler, feed_app, pause, write
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger

WRITERS = 16
SAMPLE, FULL = 240, 5_000
_CHOICE = secrets.SystemRandom()


class SerialCrawler:
    """The wrong feed: rows above the largest serial number that was read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self.last = ledger, 0

    def new(self) -> Iterator[str]:
        query = "SELECT id, h FROM log.audit_entry WHERE id > %s AND kind = 'tender.published' ORDER BY id"
        with self._ledger.read() as conn:
            for row in conn.exec_driver_sql(query, (self.last,)):
                self.last = row.id
                yield bytes(row.h).hex()


class Race:
    """Writers of ``count`` public records, and what two readers saw of them."""

    def __init__(self, database: Database, client: FlaskClient, count: int) -> None:
        self.client, self._each = client, -(-count // WRITERS)
        self._ledger = Ledger(database.engine(pool_size=WRITERS), registry=REGISTRY)
        self.written: list[str] = []
        self.by_position: list[str] = []
        self.by_serial: list[str] = []
        self.places: list[int] = []
        self._feed = Crawler(client, limit=50)
        self._serial = SerialCrawler(Ledger(database.engine("trading_reader"), registry=REGISTRY))

    def run(self) -> None:
        writers = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        for thread in writers:
            thread.start()
        while any(thread.is_alive() for thread in writers):
            self.look()
        for thread in writers:
            thread.join()
        eventually(lambda: self.look() >= len(self.written))

    def look(self) -> int:
        """Read once as each of the two readers; return how many records the feed has told so far."""
        for each in self._feed.new():
            self.by_position.append(each["h"])
            self.places.append(each["n"])
        self.by_serial += self._serial.new()
        return len(self.by_position)

    def _is_overtaken(self, entry_id: int) -> bool:
        return self._serial.last > entry_id

    def _write(self, number: int) -> None:
        for turn in range(self._each):
            with self._ledger.begin(SYSTEM) as uow:
                recorded = write(uow, "tender.published", number + 1)
                if _CHOICE.random() < 0.5:
                    write(uow, "bid.received", number + 1)  # takes a position that the feed passes over
                if number == turn == 0:  # one commit that the other reader has overtaken, whatever the machine does
                    eventually(partial(self._is_overtaken, recorded.entry_id))
                pause(_CHOICE.random() * 6)
            self.written.append(recorded.h.hex())


def test_a_crawler_misses_nothing_under_sixteen_writers(
    server: Server, tmp_path: Path, amount: Callable[[int, int], int]
) -> None:
    with clone(server, demo=True) as database:
        world = LogWorld(database, tmp_path)
        try:
            # A demonstration has no public head: the feed follows the log at once, which is the harder race.
            app = feed_app(database, world.log_dir / "tiles", tmp_path, demo=True)
            race = Race(database, app.test_client(), amount(SAMPLE, FULL))
            with world.running():
                race.run()
            again = [each["h"] for each in Crawler(app.test_client(), limit=500).new()]
        finally:
            world.close()
    written, read = set(race.written), set(race.by_position)
    missed, doubled = len(written - read), len(race.by_position) - len(read)
    lost = len(written - set(race.by_serial))
    # pytest -s shows it
    print(  # noqa: T201 - the figures of the campaign
        f"feed race {missed} missed of {len(written):,} under {WRITERS} writers, {doubled} doubled; "
        f"the control, by serial number, missed {lost:,}"
    )
    assert (missed, doubled, read - written) == (0, 0, set())
    assert race.places == sorted(race.places)
    assert lost > 0, "the control must be able to fail"
    assert again == race.by_position, "who begins later reads the same in the same order"
