"""Kill −9 every process and server of a platform while bidders submit and replace (F01, F02, F03, F05; G1).

The bidders' journal is the only account. Whatever is killed when, no acknowledged bid is lost, none counts twice, an
unknown outcome is settled by sending the same bytes again, and the close opens exactly what was acknowledged. The seed
is printed; a seed that failed is kept in SEEDS and runs first.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from tests.build.market import Market, OpenLot, open_market
from tests.support import bid_checker as checker
from tests.support.bid_clients import Crowd, Step, crowd_before
from tests.support.campaigns import LONG
from tests.support.confirmed import confirm_in_advance
from tests.support.kills import HEAL_S, Draws, is_whole, pid_of, pids, require_sound, web_workers
from tests.support.platforms import runtime_on, strike, temporary_platform
from trading.audit.demo_clock import jump
from trading.audit.service import platform_ms
from trading.crypto.keyfiles import load_es256
from trading.embedded.processes import wait_until
from trading.embedded.valkey import start_valkey
from trading.kernel.roles import Actor
from trading.up import Platform
from trading.up.programs import Program, answers, base_environment

VICTIMS = (
    *("web", "sequencer", "postgres", "valkey", "witness-notary", "worker", "clock", "witness-supervisor", "contact"),
)
SEEDS: tuple[str, ...] = ()
BIDDERS = 6
SOUND_EVERY = 10  # rounds between two replays of the whole log; each takes longer than the one before it
AFTER_HEALING = 2 * BIDDERS  # acknowledgements that show that bidders are served again
LEAD_MS = 2_000


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform whose commits wait for the disk."""
    with temporary_platform() as platform:
        yield platform


@pytest.fixture
def market(platform: Platform) -> Iterator[Market]:
    with runtime_on(platform, pool_size=BIDDERS + 2) as runtime:
        yield open_market(runtime, bidders=BIDDERS)


@pytest.fixture
def lot(market: Market) -> OpenLot:
    return market.publish()[0]


@pytest.fixture
def crowd(platform: Platform, market: Market, lot: OpenLot) -> Iterator[Crowd]:
    key_file = platform.settings("web").ack_key_file
    assert key_file is not None
    crowd = crowd_before(platform.listen, market, lot, load_es256(key_file, None).spki)
    crowd.start()
    yield crowd
    crowd.stop()


def kill(platform: Platform, crowd: Crowd, name: str, draws: Draws) -> None:
    """Kill one process at a moment that the seed draws from the clients' progress, and see the bidders served again."""
    before = pids(platform, name)
    moment = len(crowd.journal) + draws.below(12 * BIDDERS)
    assert wait_until(lambda: len(crowd.journal) >= moment or bool(crowd.failures), HEAL_S), "the bidders stand still"
    victim = pid_of(platform, name, draws)
    strike(victim)
    assert wait_until(lambda: is_whole(platform, name, victim, len(before)), HEAL_S), f"{name} was not started again"
    for running in platform.processes.values():
        running.pause = 0.5  # so many deaths in a row are this test's doing
    assert progresses(crowd, AFTER_HEALING), f"no bid is taken after {name}"
    assert crowd.failures == [], name


def progresses(crowd: Crowd, count: int) -> bool:
    """Wait until so many more bids are taken, or a client has given up."""
    taken = crowd.taken()
    return wait_until(lambda: crowd.taken() >= taken + count or bool(crowd.failures), HEAL_S)


def wrong_answers(platform: Platform, crowd: Crowd, *, settled: bool) -> Counter[str]:
    """Return what is wrong with the answers once everything acknowledged so far had time to be logged."""
    journal = list(crowd.journal)
    wait_until(lambda: not checker.check_acknowledged(journal, checker.logged(platform), settled=False), HEAL_S / 2)
    return checker.check_acknowledged(journal, checker.logged(platform), settled=settled)


def close_under_fire(platform: Platform, market: Market, crowd: Crowd) -> Counter[str]:
    """Let the deadline come while bidders submit; kill worker and Valkey at it; return what is wrong in the end."""
    crowd.hold()
    crowd.lots.end_with(3)
    for lot in crowd.lots.published:
        confirm_in_advance(market, lot)
    close, shift_file = crowd.lots.published[0].close, platform.data_dir / "demo-shift"
    jump(market.runtime, Actor.system("campaign"), close - LEAD_MS, shift_file=shift_file)
    crowd.go_on()
    assert wait_until(lambda: now_ms(market) >= close - 100, HEAL_S)
    for name in ("worker", "valkey"):
        strike(pids(platform, name)[0])
    crowd.join()  # each client ends at its first late answer
    assert crowd.failures == []

    lots = list(crowd.lots.published)
    assert wait_until(lambda: all(is_closed(platform, lot) for lot in lots), HEAL_S), "not every lot is closed"
    wrong, log = wrong_answers(platform, crowd, settled=True), checker.logged(platform)
    for lot in lots:
        wrong += checker.check_closed(crowd.journal, lot, checker.records_of(platform, lot, log))
    return wrong


def is_closed(platform: Platform, lot: OpenLot) -> bool:
    records = checker.records_of(platform, lot, checker.logged(platform))
    return any(each.kind == "tender.closed" for each in records)


def now_ms(market: Market) -> int:
    with market.ledger.read() as conn:
        return platform_ms(conn)


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_no_acknowledged_bid_is_lost_or_counted_twice(
    platform: Platform,
    market: Market,
    lot: OpenLot,
    crowd: Crowd,
    amount: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
    seed: str | None,
) -> None:
    seed = seed or secrets.token_hex(8)
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    draws, killed = Draws(seed), Counter[str]()
    for number in range(amount(2, 60)):
        name = VICTIMS[number] if number < len(VICTIMS) else VICTIMS[draws.below(len(VICTIMS))]
        kill(platform, crowd, name, draws)
        killed[name] += 1
        if number % SOUND_EVERY == 0:
            require_sound(platform, f"round {number}, {name}, SEED={seed}")
        assert wrong_answers(platform, crowd, settled=False) == {}, f"round {number}, {name}, SEED={seed}"
        print(f"round {number}: {name} killed, {crowd.taken()} bids taken so far")  # noqa: T201 - as above
    assert close_under_fire(platform, market, crowd) == {}, f"SEED={seed}"
    require_sound(platform, f"the end, SEED={seed}")
    told = Counter(step.what for step in crowd.journal)
    record_property("kills", f"{dict(killed)}, then worker and valkey at the deadline; journal {dict(told)}")
    require_controls(platform, crowd, lot)


def require_controls(platform: Platform, crowd: Crowd, lot: OpenLot) -> None:
    """Negative controls: the checker finds a lost, a changed, an unsettled and a doubled bid in this very journal."""
    log = checker.logged(platform)
    records = checker.records_of(platform, lot, log)
    told = [step for step in crowd.journal if step.what == "ok" and step.tender == lot.tender]
    last = max(told, key=lambda step: step.seq)
    lost = replace(last, seq=last.seq + 1, kind="envelope", doc_sha256="11" * 32, h="00" * 32)
    begun = replace(last, what="invoke", doc_sha256="22" * 32)
    wrong = checker.check_acknowledged([*crowd.journal, lost, begun, replace(last, h=lost.h)], log)
    assert wrong.keys() == {checker.LOST, checker.ANOTHER_ANSWER, checker.UNSETTLED}
    assert checker.check_acknowledged(crowd.journal, log + log).keys() == {checker.TWICE}
    assert checker.check_closed([*crowd.journal, lost], lot, records) == {checker.OTHER_MANIFEST: 1}
    unknown = replace(records[0], h="33" * 32)
    assert checker.check_closed(crowd.journal, lot, [*records, unknown]) == {
        checker.UNKNOWN_EFFECT: 1,
        checker.DOUBLED: 1,
    }


@pytest.mark.skipif(not LONG, reason="another whole platform; the checker's own controls are above")
def test_the_checker_finds_an_answer_before_the_commit(platform: Platform, market: Market, lot: OpenLot) -> None:
    """The control of F01: with a web server that answers first and commits later, kill −9 loses what it promised."""
    platform.halt("web")
    arguments = ("-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.support.early_ack:app")
    environment = base_environment(platform.data_dir) | {"PUBLIC_URL": platform.base_url, "LISTEN": platform.listen}
    wrong = Program(
        name="web",
        command=(sys.executable, *arguments),
        environment=environment,
        is_ready=lambda: answers(f"{platform.base_url}/livez"),
    )
    platform._supervisor.start(wrong)
    key_file = platform.settings("web").ack_key_file
    assert key_file is not None
    crowd = crowd_before(platform.listen, market, lot, load_es256(key_file, None).spki)
    crowd.start()
    try:
        for _ in range(10):
            assert progresses(crowd, BIDDERS)
            for worker in web_workers(platform.processes["web"].pid):
                os.kill(worker, signal.SIGKILL)
            if not wait_until(lambda: len(web_workers(platform.processes["web"].pid)) > 1, HEAL_S) or crowd.failures:
                break
    finally:
        crowd.stop()
    assert checker.check_acknowledged(crowd.journal, checker.logged(platform))[checker.LOST] > 0


def test_the_checker_finds_what_a_queue_without_a_log_forgets(tmp_path: Path) -> None:
    """The control of F05: were Valkey, as distributions ship it, the truth, kill −9 would lose acknowledged bids."""
    server = start_valkey(tmp_path / "valkey")
    journal = []
    with Redis.from_url(server.url) as queue:
        queue.config_set("appendonly", "no")
        for number in range(2_000):
            h = hashlib.sha256(str(number).encode()).hexdigest()
            queue.rpush("bids", h)
            journal.append(Step(what="ok", tender="T", bid="b", seq=1, kind="envelope", doc_sha256=h, h=h))
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_running, HEAL_S)
    server = start_valkey(tmp_path / "valkey")
    try:
        with Redis.from_url(server.url) as queue:
            left = Counter(h.decode() for h in queue.lrange("bids", 0, -1))
    finally:
        server.destroy()
    assert checker.check_acknowledged(journal, left) == {checker.LOST: 2_000}
