"""A mirror whose every request may get lost, unanswered or refused, and whose process is killed (ADR 0046)."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.buckets import BUCKET, KEY, SECRET, Call, S3Server, Way
from tests.support.kills import Draws
from tests.support.mirrors import ORIGIN, SIGNER, PublicLog, whole_size
from trading.kernel.errors import Conflict
from trading.storage.objects import StoreAway
from trading.storage.tiles import CHECKPOINT
from trading.up.programs import ROOT, base_environment, command_line

SMALL, LARGE = 250, 530  # a partial tile becomes full, and a full one and another partial one follow
MOST_GROWTH = 700
FATES = 18  # the first three are bad


@pytest.fixture
def draws() -> Draws:
    seed = secrets.token_hex(8)
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return Draws(seed)


def bad_way(url: str, draws: Draws, seen: list[int]) -> Way:
    """Return a way on which one request in six fails, watched by a reader of ``url`` after each that arrives."""

    def before(call: Call) -> None:
        fate = draws.below(FATES)
        call.is_lost, call.is_unanswered = fate == 0, fate == 1
        call.status = HTTPStatus.SERVICE_UNAVAILABLE if fate == 2 else None

    def after(_call: Call) -> None:
        seen.append(whole_size(url))

    return Way(before=before, after=after)


@pytest.mark.parametrize("fate", ["is_lost", "is_unanswered"])
def test_a_failure_at_any_request_is_made_good_by_the_next_process(
    s3: S3Server, tmp_path: Path, amount: Callable[[int, int], int], fate: str
) -> None:
    """Requests that a process did not live to make are those that did not arrive."""
    log, first = PublicLog(tmp_path / "log"), PublicLog(tmp_path / "first")
    log.grow(LARGE)
    first.grow(SMALL)
    number, is_over = 1 if fate == "is_lost" else amount(3, 1), False
    while not is_over:
        prefix = s3.prefix()
        first.mirror(s3.bucket(prefix)).publish()
        with s3.on(Way(before=lambda call, at=number: setattr(call, fate, call.number == at))):  # type: ignore[misc]
            try:
                log.mirror(s3.bucket(prefix, by_detour=True)).publish()
                is_over = True
            except (StoreAway, Conflict):
                assert whole_size(s3.url(prefix)) in {SMALL, LARGE}
        assert log.mirror(s3.bucket(prefix)).publish() == LARGE
        assert whole_size(s3.url(prefix)) == LARGE
        names = {name for name in s3.bucket(prefix).names() if ".p/" in name}
        assert names == {"tile/0/002.p/18", "tile/1/000.p/2"}
        number += amount(5, 1)
    assert number > 10


def test_readers_see_whole_trees_that_only_grow(
    s3: S3Server, tmp_path: Path, draws: Draws, amount: Callable[[int, int], int]
) -> None:
    """Each attempt is a new process's: it knows nothing but the files and the bucket."""
    failures = 0
    for number in range(amount(1, 30)):
        log, prefix, seen = PublicLog(tmp_path / f"log{number}"), s3.prefix(), [0]
        for _ in range(amount(2, 4)):
            log.grow(log.public_size + 1 + draws.below(MOST_GROWTH))
            with s3.on(bad_way(s3.url(prefix), draws, seen)):
                while seen[-1] < log.public_size:
                    try:
                        log.mirror(s3.bucket(prefix, by_detour=True)).publish()
                    except (StoreAway, Conflict):
                        failures += 1
            assert whole_size(s3.url(prefix)) == log.public_size
        assert seen == sorted(seen)
    print(f"FAILURES={failures}")  # noqa: T201 - what the campaign went through


def killing(pid: int, last: int) -> Way:
    """Return a way on which a process dies with its ``last`` request, or when it moves the checkpoint."""

    def before(call: Call) -> None:
        if call.number == last or (call.path.endswith(CHECKPOINT) and call.method == "PUT"):
            os.kill(pid, signal.SIGKILL)
            call.is_lost = bool(last % 2)

    return Way(before=before)


def test_killed_processes_leave_what_the_next_one_completes(
    s3: S3Server, tmp_path: Path, draws: Draws, amount: Callable[[int, int], int]
) -> None:
    log = PublicLog(tmp_path / "log" / "tiles")
    (tmp_path / "policy").write_text(f"log {SIGNER.key.vkey}\nquorum none\n")
    key = tmp_path / "bucket.key"
    key.write_text(f"{KEY}\n{SECRET}\n")
    key.chmod(0o600)
    environment = {
        **{name: value for name, value in base_environment(tmp_path / "data").items() if not name.startswith("LOG_")},
        "LOG_DIR": str(tmp_path / "log"),
        "LOG_ORIGIN": ORIGIN,
        "WITNESS_POLICY": str(tmp_path / "policy"),
        "LOG_MIRROR_KEY_FILE": str(key),
    }
    prefix = s3.prefix()
    environment["LOG_MIRROR_URL"] = f"s3://{BUCKET}/{prefix}?endpoint={s3.detour}&style=path"
    for _ in range(amount(1, 40)):
        log.grow(log.public_size + 1 + draws.below(MOST_GROWTH))
        last = 4 + draws.below(10)  # the first three ask whether conditions are kept
        with (
            subprocess.Popen(
                command_line("mirror"), cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
            ) as process,
            s3.on(killing(process.pid, last)),
        ):
            assert process.stderr is not None
            told = process.stderr.read()
        assert process.returncode == -signal.SIGKILL, told
        assert SECRET not in told
        assert whole_size(s3.url(prefix)) <= log.public_size
    assert log.mirror(s3.bucket(prefix)).publish() == whole_size(s3.url(prefix)) == log.public_size
