"""Kill −9 everything while notices are published: each is published once in every channel (F02, F05, G11).

What must be published follows from the log alone. A reader with a cursor follows the open data all the time and is
given every release once, in the end. The seed is printed; a seed that failed is kept in SEEDS and runs first.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from tests.build.market import Market, open_market
from tests.support import publication_checker as checker
from tests.support.campaigns import LONG
from tests.support.early_publication import EFFECTS
from tests.support.kills import HEAL_S, Draws, is_whole, pid_of, pids, require_sound
from tests.support.platforms import runtime_on, strike, temporary_platform
from tests.support.publishing import Publisher
from trading.embedded.processes import wait_until
from trading.kernel.errors import MingbiaoError
from trading.notices.rules.channels import Channel
from trading.up import Platform
from trading.up.programs import Program, base_environment

VICTIMS = ("worker", "valkey", "sequencer", "postgres", "clock", "web", "contact")
SEEDS: tuple[str, ...] = ()
SOUND_EVERY = 20  # rounds between two replays of the whole log; each takes longer than the one before it
LOTS = 3  # procedures whose deadlines are moved in turn
CORRECTIONS = 15  # of one procedure, then another one is published
PAUSE_S = 0.15  # between two acts: the stream is faster than one worker, so that there is always something to do
BEHIND = 12  # publications that may be drawn to wait for before the next kill


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform whose commits wait for the disk."""
    with temporary_platform() as platform:
        yield platform


@pytest.fixture
def market(platform: Platform) -> Iterator[Market]:
    with runtime_on(platform) as runtime:
        yield open_market(runtime, bidders=1)


class Stream:
    """People who publish corrections without pause; the journal names the acts whose commit was acknowledged."""

    def __init__(self, market: Market) -> None:
        self._publisher = Publisher(market=market)
        self._lots = [market.publish()[0] for _ in range(LOTS)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._act)
        self.journal: list[str] = []
        self.failures: list[BaseException] = []
        self._thread.start()

    def _act(self) -> None:
        number = 0
        while not self._ended.wait(PAUSE_S):
            place, turn = number % LOTS, number // LOTS
            number += 1
            try:
                if turn % CORRECTIONS == CORRECTIONS - 1:
                    self._lots[place] = self._publisher.market.publish()[0]
                self.journal.append(self._publisher.extend(self._lots[place]).h.hex())
            except (SQLAlchemyError, MingbiaoError):
                continue  # unknown, neither success nor failure: the log knows
            except BaseException as error:  # noqa: BLE001 - told by the test
                self.failures.append(error)
                return

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


class Reader:
    """A program that follows the releases with a cursor, whatever the server does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._path = "/api/v1/ocds/releases"
        self.given: list[str] = []
        self._thread.start()

    def _follow(self) -> None:
        while not self._ended.is_set():
            if not self._step():
                self._ended.wait(0.1)

    def _step(self) -> bool:
        """Read one page; return whether there was one."""
        connection = HTTPConnection(self._platform.listen, timeout=5)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                return False
            package: dict[str, Any] = json.loads(body)
            following = str(answer.headers["Link"]).partition("<")[2].partition(">")[0]
        except (OSError, HTTPException, ValueError):
            return False
        finally:
            connection.close()
        self.given += [each["id"] for each in package["releases"]]
        self._path = following
        return True

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def stream(market: Market) -> Iterator[Stream]:
    stream = Stream(market)
    yield stream
    stream.stop()


@pytest.fixture
def reader(platform: Platform) -> Iterator[Reader]:
    reader = Reader(platform)
    yield reader
    reader.stop()


def kill(platform: Platform, stream: Stream, reader: Reader, name: str, draws: Draws) -> None:
    """Kill one process at a moment drawn from what readers were given, and see publishing go on."""
    before = pids(platform, name)
    moment = len(reader.given) + 1 + draws.below(BEHIND)
    assert wait_until(lambda: len(reader.given) >= moment or bool(stream.failures), HEAL_S), "nothing is published"
    victim = pid_of(platform, name, draws)
    strike(victim)
    assert wait_until(lambda: is_whole(platform, name, victim, len(before)), HEAL_S), f"{name} was not started again"
    for running in platform.processes.values():
        running.pause = 0.5  # so many deaths in a row are this test's doing
    given = len(reader.given)
    assert wait_until(lambda: len(reader.given) > given + LOTS or bool(stream.failures), HEAL_S), f"after {name}"
    assert stream.failures == [], name


def wrong(platform: Platform, stream: Stream, reader: Reader) -> Counter[str]:
    """Return what is wrong once everything acknowledged had time to be published."""
    wait_until(lambda: not checker.check(checker.read(platform), stream.journal, reader.given), HEAL_S)
    return checker.check(checker.read(platform), stream.journal, reader.given)


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_every_notice_is_published_once_in_every_channel(
    platform: Platform,
    stream: Stream,
    reader: Reader,
    amount: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
    seed: str | None,
) -> None:
    seed = seed or secrets.token_hex(8)
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    draws, killed = Draws(seed), Counter[str]()
    victims = [name for name in VICTIMS if name in platform.processes or name in {"postgres", "valkey"}]
    for number in range(amount(2, 20)):
        name = victims[number] if number < len(victims) else victims[draws.below(len(victims))]
        kill(platform, stream, reader, name, draws)
        killed[name] += 1
        if number % SOUND_EVERY == 1:
            require_sound(platform, f"round {number}, {name}, SEED={seed}")
        print(f"round {number}: {name} killed, {len(reader.given)} releases given so far")  # noqa: T201 - as above
    stream.stop()
    assert wrong(platform, stream, reader) == {}, f"SEED={seed}"
    require_sound(platform, f"the end, SEED={seed}")
    told = checker.read(platform)
    record_property("kills", f"{dict(killed)}; {len(told.publishable)} notices, {len(told.recorded)} publications")
    require_controls(told, stream, reader)


def require_controls(told: checker.Told, stream: Stream, reader: Reader) -> None:
    """Negative controls: the checker finds a lost, a missing, a doubled and an unasked publication in this very log."""
    recorded = list(told.recorded)
    foreign = ("00" * 32, Channel.PAGE.value)
    assert checker.check_effects(told.wanted(), recorded[1:]) == {checker.NOT_PUBLISHED: 1}
    assert checker.check_effects(told.wanted(), [*recorded, recorded[0]]) == {checker.PUBLISHED_TWICE: 1}
    assert checker.check_effects(told.wanted(), [*recorded, foreign]) == {checker.PUBLISHED_UNASKED: 1}
    assert checker.check(told, [*stream.journal, "00" * 32], reader.given) == {checker.LOST: 1}
    assert checker.check(told, stream.journal, reader.given[1:]) == {checker.OTHER_FEED: 1}
    assert checker.check(told, stream.journal, [*reader.given, reader.given[0]]) == {checker.OTHER_FEED: 1}


@pytest.mark.skipif(not LONG, reason="another whole platform; the checker's own controls are above")
def test_the_checker_finds_a_publication_before_its_mark(platform: Platform, stream: Stream, tmp_path: Path) -> None:
    """The control: a worker whose effect is not in the transaction of the mark doubles what kill −9 interrupts."""
    platform.halt("worker")
    command = (sys.executable, "-m", "tests.support.early_publication", str(tmp_path))
    environment = base_environment(platform.data_dir) | {"PUBLIC_URL": platform.base_url}
    platform._supervisor.start(Program(name="worker", command=command, environment=environment))
    effects = tmp_path / EFFECTS

    def count() -> int:
        return effects.read_text().count("\n") if effects.exists() else 0

    def doubled() -> bool:
        lines = effects.read_text().splitlines()
        return checker.check_effects(wanted(), [tuple(json.loads(each)) for each in lines])[checker.PUBLISHED_TWICE] > 0

    def wanted() -> set[checker.Effect]:
        return checker.read(platform).wanted()

    for _ in range(12):
        before = count()
        assert wait_until(lambda low=before: count() > low + 1, HEAL_S)  # type: ignore[misc]  # bound at once
        victim = pids(platform, "worker")[0]
        strike(victim)
        assert wait_until(lambda dead=victim: is_whole(platform, "worker", dead, 1), HEAL_S)  # type: ignore[misc]
        platform.processes["worker"].pause = 0.5
        if doubled():
            break
    assert doubled(), "no publication was doubled"
    assert stream.failures == []
