"""Kill −9 at each named step of submission and opening: nothing acknowledged is lost, nothing is double (F01, G1).

The steps are those of the code: an object before and after it is stored; for every kind of record before and after the
commit, and before the answer. After each kill another process is started, the client repeats what was not answered, and
the ceremony goes on at the same step.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.market import DAY_MS
from tests.support.campaigns import LONG, among
from tests.support.databases import Server, clone
from tests.support.killed_tender import KilledTender, Killing, killed_exchange, not_logged_once
from tests.support.market import CLOSE
from tests.support.mortal import Points

TENDERS, ROUNDS = among(3, alone=8), among(120, alone=300)
#: Records that every round in its turn is killed at; the others have no step of their own.
STEPS = (
    *("bid.started", "bid.received", "tender.closed", "open.ordered", "share.checked", "factor.opened"),
    *("factor.revealed", "factor.closed", "share.released", "release.gaps", "release.closed", "opening.combined"),
    *("bid.opened", "opening.completed"),
)


def test_a_process_ends_at_the_named_step_and_no_other(tmp_path: Path) -> None:
    order = tmp_path / "strike"
    order.write_text("after commit bid.received")
    for point, what in (("before commit", "bid.received"), ("after commit", "bid.started")):
        assert ends_at(order, point, what) == 0
    assert ends_at(order, "after commit", "bid.received") == signal.SIGKILL
    assert not order.exists(), "the next process lives"
    assert ends_at(order, "after commit", "bid.received") == 0


def ends_at(order: Path, point: str, what: str) -> int:
    """Return the signal that ended a process which reached a point, 0 if none did."""
    child = os.fork()
    if child == 0:
        Points(order).reach(point, what)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not LONG, reason="a whole platform with its institutions: MINGBIAO_CAMPAIGN=long")
def test_the_ceremony_goes_on_where_it_was_killed(
    server: Server, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with clone(server, demo=True) as database, killed_exchange(database, tmp_path) as (exchange, mortal):
        killing = Killing(mortal, ROUNDS)
        closes = [CLOSE + DAY_MS * number for number in range(TENDERS)]
        killed = [KilledTender(exchange.tender(close), killing, close) for close in closes]
        exchange.institutions.round()  # keys and proofs of possession
        for each in killed:
            each.tender.publish()
        exchange.institutions.round()  # admission
        for each in killed:
            for key in ("qinghe", "bolin", "yunfan"):
                each.submit(key)
        for each in killed:
            each.end()
            assert each.wrong_numbers() == {}, each.tender.market.tender
            assert each.tender.verdicts() == dict.fromkeys(each.tender.sealed, ("OK", []))
        assert mortal.deaths == killing.killed.total() == ROUNDS
        exchange.settle()
        log = Counter(h.hex() for h in exchange.market.world.log_order())
        assert not_logged_once(killing.told, log) == {}
        assert exchange.audit() == []
        report = killed[0].tender.verify()
        assert (report["found"], report["code"]) == ([], 0)
        assert {step.split(maxsplit=2)[2] for step in killing.killed if " object" not in step} >= set(STEPS)
        record_property("kills", dict(sorted(killing.killed.items())))
        # Negative control: an acknowledgement whose record is nowhere, or there twice, is found.
        assert not_logged_once(["00" * 32, killing.told[0]], log + Counter(killing.told[:1])) == {
            "00" * 32: 0,
            killing.told[0]: 2,
        }
