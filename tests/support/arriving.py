"""Any order of chunks, cuts, kills, races, sweeps and new beginnings, at two processes: offsets and bytes agree (F23).

The model is one number: how many bytes of the part are counted. After every step the upload says that number, its
pieces are exactly that many of the right bytes, and in the end the part is stored.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from tests.support.market import Market
from trading.audit.ledger import Ledger
from trading.bids import queries, service, store
from trading.bids.rules.uploads import OffsetConflict
from trading.bids.uploads import Chunk, Uploads, sweep
from trading.kernel.errors import InvalidInput, NotFound
from trading.kernel.roles import Actor, Role
from trading.storage.local import LocalStore

CHUNK, LENGTH = 4, 30
PROCESSES = st.sampled_from((0, 1))
SIZES = st.integers(CHUNK, 2 * CHUNK)
_numbers = itertools.count()


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed(at: Callable[..., object], where: object, *, after: bool) -> Iterator[None]:
    """Let whoever calls ``at`` of ``where`` die there, before or after it is done."""

    def dies(*arguments: object, **options: object) -> None:
        if after:
            at(*arguments, **options)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, at.__name__, dies)
        with pytest.raises(Killed):
            yield


class Arriving(RuleBasedStateMachine):
    """One part of one bid; ``processes`` share the database and the directory and nothing else."""

    market: Market
    processes: tuple[Uploads, Uploads]

    def __init__(self) -> None:
        super().__init__()
        self.data = hashlib.shake_128(str(next(_numbers)).encode()).digest(LENGTH)
        self.sha256 = hashlib.sha256(self.data).hexdigest()
        self.counted, self.is_stored = 0, False
        self.id = self.begin_at(0)

    def begin_at(self, process: int) -> str:
        found = self.processes[process].begin("main", self.sha256, LENGTH)
        assert found.offset == (LENGTH if self.is_stored else self.counted)
        assert bool(found.id) != self.is_stored
        return found.id

    def append(self, process: int, start: int, size: int, *, sent: int | None = None) -> None:
        body = BytesIO(self.data[start : start + (size if sent is None else sent)])
        self.processes[process].append(self.id, Chunk(start=start, size=size, body=body))

    def next_size(self, size: int) -> int:
        left = LENGTH - self.counted
        return left if left < 2 * CHUNK else size

    def count(self, size: int) -> None:
        self.counted += size
        self.is_stored = self.is_stored or self.counted == LENGTH

    @rule(process=PROCESSES)
    def begin(self, process: int) -> None:
        self.id = self.begin_at(process) or self.id

    @precondition(lambda self: not self.is_stored)
    @rule(process=PROCESSES, size=SIZES)
    def append_next(self, process: int, size: int) -> None:
        size = self.next_size(size)
        self.append(process, self.counted, size)
        self.count(size)

    @precondition(lambda self: not self.is_stored)
    @rule(process=PROCESSES, start=st.integers(0, LENGTH), size=SIZES)
    def append_elsewhere(self, process: int, start: int, size: int) -> None:
        if start == self.counted:
            return
        with pytest.raises(OffsetConflict) as caught:
            self.append(process, start, size)
        assert caught.value.facts == {"offset": self.counted}

    @precondition(lambda self: self.counted < LENGTH)
    @rule(process=PROCESSES, size=SIZES, sent=st.integers(0, CHUNK - 1))
    def append_cut(self, process: int, size: int, sent: int) -> None:
        size = self.next_size(size)
        with pytest.raises(InvalidInput, match=r"upload\.cut"):
            self.append(process, self.counted, size, sent=min(sent, size - 1))

    @precondition(lambda self: self.counted < LENGTH)
    @rule(process=PROCESSES, size=SIZES, at=st.sampled_from((store.touch_upload, store.add_piece)))
    def die_before_it_counts(self, process: int, size: int, at: Callable[..., object]) -> None:
        with killed(at, store, after=at is store.add_piece):  # the row is there, and is never committed
            self.append(process, self.counted, self.next_size(size))

    @precondition(lambda self: self.counted < LENGTH)
    @rule(process=PROCESSES, size=SIZES)
    def die_before_the_answer(self, process: int, size: int) -> None:
        size = self.next_size(size)
        with killed(Uploads._held, Uploads, after=False):
            self.append(process, self.counted, size)
        self.counted += size  # a part of which every byte is there may not be stored yet

    @precondition(lambda self: self.counted == LENGTH and not self.is_stored)
    @rule(process=PROCESSES, after=st.booleans())
    def die_storing(self, process: int, *, after: bool) -> None:
        with killed(service.keep_part, service, after=after):
            self.append(process, LENGTH, 0)
        self.is_stored = after
        if after:
            self.begin_at(process)

    @precondition(lambda self: not self.is_stored)
    @rule(writers=st.integers(2, 4), size=SIZES)
    def race(self, writers: int, size: int) -> None:
        """The same chunk several times at once, at both processes: one of them counts."""
        start, wanted = self.counted, self.next_size(size)
        outcomes: list[int] = []
        failures: list[Exception] = []

        def run(number: int) -> None:
            try:
                self.append(number % 2, start, wanted)
            except (OffsetConflict, NotFound):
                return
            except Exception as error:  # noqa: BLE001 - shown below
                failures.append(error)
            outcomes.append(wanted)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert outcomes == [wanted] or start == LENGTH  # where every byte is there, all ask for the end
        self.count(wanted)

    @precondition(lambda self: not self.is_stored)
    @rule(process=PROCESSES)
    def give_up(self, process: int) -> None:
        self.processes[process].end(self.id)
        self.counted = 0
        with pytest.raises(NotFound):
            self.processes[process].find(self.id)
        self.id = self.begin_at(1 - process)

    @rule()
    def sweep(self) -> None:
        assert sweep(self.market.runtime, {}) is not None
        pieces = self.market.runtime.objects.pieces
        assert set(pieces.uploads()) <= {self.id}

    @invariant()
    def agrees(self) -> None:
        if self.is_stored:
            assert self.market.runtime.objects.get(self.sha256) == self.data
            return
        found = self.processes[0].find(self.id)
        assert found.offset == self.counted
        with self.market.runtime.ledger.upkeep() as conn:
            names = queries.pieces_of(conn, self.id)
        assert b"".join(self.market.runtime.objects.pieces.chunks(self.id, names)) == self.data[: self.counted]

    @override
    def teardown(self) -> None:
        while not self.is_stored:
            self.append_next(0, CHUNK) if self.counted < LENGTH else self.race(2, CHUNK)
            self.agrees()
        self.begin_at(1)


def machine_of(market: Market, bid: str, organisation: str) -> type[Arriving]:
    """Return the machine over two processes with their own connections and stores."""
    actor = Actor(account="a", roles=frozenset({Role.BIDDER}), organisation=organisation)
    runtime = market.runtime
    ledgers = (runtime.ledger, Ledger(market.database.engine(), registry=runtime.ledger.registry))
    stores = (runtime.objects, LocalStore(market.directory / "objects"))
    pairs = zip(ledgers, stores, strict=True)
    both = [Uploads(ledger=ledger, objects=objects, actor=actor, bid=bid) for ledger, objects in pairs]
    return type("Machine", (Arriving,), {"market": market, "processes": tuple(both)})
