"""Killed, or let down by the disk, at every call that writes: sequencer, public head, object store (T3, F06, F07).

After Tessera's manner: strace strikes one call of a real process, the next start must put everything right, ``fsck``
ends the round. Beside what is there, each round asks what a power cut would have left (tests/support/disk.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.support import wrong_storage
from tests.support.databases import Server, clone
from tests.support.disk import Disk
from tests.support.lives import live
from tests.support.logs import LogWorld
from tests.support.seams import Seams
from tests.support.struck_logs import ENTRIES, SCENARIOS, StruckLog
from tests.support.struck_store import StruckStore
from tests.support.syscalls import FAULTS, Call, Site, Strace, Strike, Unavailable, Watcher
from tests.support.writing_lives import TOLD, Variant, nothing, store_pieces
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.kernel.clock import FixedClock, SystemClock
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor
from trading.storage.pieces import FOLDER

Amount = Callable[[int, int], int]
EVERY = 1_000  # strikes, more than there are


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: pytest.TempPathFactory) -> Strace | str:
    """Strace, or why it cannot be used here."""
    try:
        tracer = Strace(tmp_path_factory.mktemp("strace"))
        live(tracer, None, nothing)
    except Unavailable as error:
        return str(error)
    return tracer


@pytest.fixture(scope="module")
def strace(tracer: Strace | str) -> Strace:
    if isinstance(tracer, str):
        pytest.skip(tracer)
    return tracer


@pytest.fixture(scope="module")
def watcher(tracer: Strace | str, tmp_path_factory: pytest.TempPathFactory) -> Watcher:
    """Strace, and where nobody may trace, the functions of the product."""
    return Seams(tmp_path_factory.mktemp("seams")) if isinstance(tracer, str) else tracer


@pytest.fixture(scope="module")
def log(server: Server, watcher: Watcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StruckLog]:
    with clone(server) as database:
        # It stands before the entries came: however slow a machine is, none has waited too long.
        world = LogWorld(database, tmp_path_factory.mktemp("log"), clock=FixedClock(SystemClock().now_ms()))
        with Ledger(database.engine(), registry=Registry(EVENTS)).begin(Actor.system("test")) as uow:
            for number in range(ENTRIES):
                uow.record(Event(kind="config.changed", subject="setting:x", body={"what": f"{number}"}))
        struck = StruckLog(world, watcher, tmp_path_factory.mktemp("states"))
        yield struck
        struck.close()
        world.close()


@pytest.fixture
def store(watcher: Watcher, tmp_path: Path) -> StruckStore:
    return StruckStore(tmp_path, watcher)


def strikes(sites: Sequence[Site], count: int) -> list[Strike]:
    """Return every fault at every site, or about ``count`` of them that lie evenly among all."""
    every = [Strike(site=site, fault=fault) for site, fault in product(sites, FAULTS)]
    step = max(1, len(every) // count)
    # One more than a multiple of the number of faults, so that a sample holds each of them.
    return every[:: step - step % len(FAULTS) + 1 if step > 1 else 1]


def at(sites: Sequence[Site], name: str, path: str) -> Site:
    """Return the first site of a call on a path of which this is a part."""
    return next(site for site in sites if site.call.name == name and path in site.call.paths[-1])


def told(strike: Strike, wrong: list[str]) -> list[str]:
    site = strike.site
    return [f"{strike.fault} at {site.call.name} no. {site.number} {site.call.paths[-1]}: {each}" for each in wrong]


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_log_is_whole_whichever_call_is_struck(log: StruckLog, amount: Amount, name: str) -> None:
    chosen = strikes(log.sites(name), amount(2, EVERY))
    wrong = [each for strike in chosen for each in told(strike, log.round(name, strike))]
    assert wrong == []


def test_a_store_is_whole_whichever_call_is_struck(store: StruckStore, amount: Amount) -> None:
    chosen = strikes(store.sites(), amount(3, EVERY))
    wrong = [each for strike in chosen for each in told(strike, store.round(strike))]
    assert wrong == []


def test_a_store_is_whole_without_strace_too(tmp_path: Path) -> None:
    """What machines run that let nobody trace; few strikes show that it works."""
    store = StruckStore(tmp_path, Seams(tmp_path))
    sites = store.sites()
    assert {site.call.name for site in sites} >= {"mkdir", "openat", "write", "fsync", "link", "unlink"}
    for name, fault in (("write", "ENOSPC"), ("link", "KILL")):
        assert store.round(Strike(site=at(sites, name, str(tmp_path)), fault=fault)) == []
    in_place = Strike(site=replace(at(sites, "write", "incoming/"), number=2), fault="KILL")
    assert any("has other bytes" in each for each in store.round(in_place, wrong_storage.write_in_place))


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("variant", [wrong_storage.ignore_failed_syncs, wrong_storage.repeat_failed_syncs])
def test_control_a_sync_that_failed_counts_as_done(log: StruckLog, variant: Variant) -> None:
    """Control: whatever comes later, the bytes may be lost, and the round says so."""
    strike = Strike(site=at(log.sites("first"), "fdatasync", ".wal"), fault="EIO")
    wrong = log.round("first", strike, variant)
    assert any("bytes whose sync failed" in each for each in wrong), wrong


def test_control_signed_before_the_entries_are_on_disk(log: StruckLog) -> None:
    """Control: nothing has to be struck, the order of the calls tells it."""
    wrong = log.round("first", None, wrong_storage.sign_before_the_sync)
    assert any("bytes that are not synced" in each for each in wrong), wrong


def test_control_a_public_checkpoint_that_is_visible_before_its_tiles(log: StruckLog) -> None:
    """Control: the first tile comes where the checkpoint of an honest life does, and a kill just before it shows."""
    strike = Strike(site=at(log.sites("publishing"), "rename", "public/checkpoint"), fault="KILL")
    wrong = log.round("publishing", strike, wrong_storage.publish_before_the_tiles)
    assert any("is visible without its tiles" in each for each in wrong), wrong


def test_control_an_object_that_is_visible_before_it_is_whole(store: StruckStore) -> None:
    second = replace(at(store.sites(), "write", "incoming/"), number=2)
    wrong = store.round(Strike(site=second, fault="KILL"), wrong_storage.write_in_place)
    assert any("has other bytes" in each for each in wrong), wrong


@pytest.mark.usefixtures("strace")
def test_control_a_store_that_ignores_failed_syncs(store: StruckStore) -> None:
    strike = Strike(site=at(store.sites(), "fsync", "incoming/"), fault="EIO")
    wrong = store.round(strike, wrong_storage.ignore_failed_syncs)
    assert any("bytes whose sync failed" in each for each in wrong), wrong
    assert any("nobody was told" in each for each in wrong), wrong


def unsafe_when_told(tmp_path: Path, variant: Variant | None) -> list[str]:
    """Return what a power cut could take of pieces, at the moments at which their names were told."""
    root = tmp_path / "objects"
    disk = Disk(tmp_path)

    def told(call: Call) -> list[Path]:
        path = Path(call.paths[-1])
        return [root / FOLDER / "u1" / path.name] if path.parent == TOLD else []

    ended = live(Seams(tmp_path), None, store_pieces, root, [b"first", b"second"], variant)
    assert (ended.code, len(ended.said)) == (0, 2)
    return disk.take(ended.calls, told)


def test_a_piece_is_durable_before_it_counts(tmp_path: Path) -> None:
    assert unsafe_when_told(tmp_path, None) == []


def test_control_a_piece_that_counts_before_the_sync(tmp_path: Path) -> None:
    wrong = unsafe_when_told(tmp_path, wrong_storage.count_pieces_before_the_sync)
    assert any("bytes that are not synced" in each for each in wrong), wrong
