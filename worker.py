"""The worker: imports the product once, then works off rung errands and sweeps for what nobody rang. No business here.

Dangerous assumption: every errand may run twice, also at the same time; its handler is written for that. Redis may die
at any moment: the loop waits for it and the sweep finds every errand in the database meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from trading.assembly import ERRANDS, SUBSCRIPTIONS, open_runtime, require_conditions
from trading.audit import errands, relay, scripts
from trading.audit import jobs as stamps
from trading.bids import jobs as bids
from trading.commands.folds import FOLDS, REPLAYED
from trading.config import Settings
from trading.disclosure import jobs as auditing
from trading.doorbell import QUEUES
from trading.opendata import jobs as opendata
from trading.statistics import jobs as statistics

SWEEP_S: Final = 5.0
LENGTHY_S: Final = 1.0
HANDLERS: Final = {**ERRANDS, **auditing.errands(FOLDS, REPLAYED)}
_LOG = logging.getLogger("mingbiao.worker")
_SETTINGS = Settings.from_env("worker")
_RUNTIME = open_runtime(_SETTINGS, pool_size=10)  # two for each thread
_ARMING = stamps.Arming(stamps.arm, bids.arm, scripts.tell, opendata.arm, statistics.arm)


def run_errand(errand_id: int) -> bool:
    """Run one errand; the job that RQ calls."""
    return errands.run(_RUNTIME, HANDLERS, errand_id)


def run_relay() -> int:
    """Make errands of new entries of the log; the job that RQ calls when the log has grown."""
    return relay.relay(_RUNTIME, SUBSCRIPTIONS)


def sweep() -> None:
    """Run the relay and every errand that is due, whether or not anybody rang; lengthy ones go their own way."""
    _ARMING.arm(_RUNTIME)
    run_relay()
    run_due(errands.SWIFT)


def run_due(lane: str) -> None:
    """Run what is due of one lane, one after the other. Nobody rings for a lengthy one."""
    with _RUNTIME.ledger.read() as conn:
        found = errands.due(conn, errands.platform_ms(conn), lane=lane)
    for errand in found:
        try:
            run_errand(errand.id)
        except Exception:  # noqa: BLE001 - the worker's edge: the errand keeps its error and its new due instant
            _LOG.exception("errand %s %s failed", errand.name, errand.id)


def _forever(round_of: Callable[[], None], every_s: float) -> None:
    while True:
        time.sleep(every_s)
        try:
            round_of()
        except Exception:  # noqa: BLE001 - the database may be away; the next round looks again
            _LOG.exception("the sweep failed")


def main() -> None:
    """Work until stopped."""
    logging.basicConfig(level=logging.INFO)
    for sentence in _SETTINGS.lacks:
        _LOG.warning(sentence)
    require_conditions(_RUNTIME)
    rounds = [(sweep, SWEEP_S), *((partial(run_due, lane), LENGTHY_S) for lane in errands.LENGTHY)]
    for round_of, every_s in rounds:
        threading.Thread(target=_forever, args=(round_of, every_s), daemon=True).start()
    while True:
        try:
            connection = Redis.from_url(_SETTINGS.redis_url or "")
            queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in QUEUES]
            SimpleWorker(queues, connection=connection, serializer=JSONSerializer).work(logging_level="WARNING")
        except (RedisError, OSError) as error:
            _LOG.warning("Redis is away (%s); the sweep goes on", error)
            time.sleep(1.0)
        else:
            return  # asked to stop


if __name__ == "__main__":
    main()
