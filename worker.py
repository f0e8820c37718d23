"""The worker: imports the product once, then works off rung errands and sweeps for what nobody rang. No business here.

Dangerous assumption: every errand may run twice, also at the same time; its handler is written for that. Redis may die
at any moment: the loop waits for it and the sweep finds every errand in the database meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from trading.assembly import ERRANDS, SUBSCRIPTIONS, open_runtime, require_conditions
from trading.audit import errands, relay
from trading.audit import jobs as stamps
from trading.bids import jobs as bids
from trading.commands.folds import FOLDS, REPLAYED
from trading.config import Settings
from trading.disclosure import jobs as auditing
from trading.doorbell import QUEUES

SWEEP_S: Final = 5.0
HANDLERS: Final = {**ERRANDS, **auditing.errands(FOLDS, REPLAYED)}
_LOG = logging.getLogger("mingbiao.worker")
_SETTINGS = Settings.from_env("worker")
_RUNTIME = open_runtime(_SETTINGS, pool_size=4)
_ARMING = stamps.Arming(stamps.arm, bids.arm)


def run_errand(errand_id: int) -> bool:
    """Run one errand; the job that RQ calls."""
    return errands.run(_RUNTIME, HANDLERS, errand_id)


def run_relay() -> int:
    """Make errands of new entries of the log; the job that RQ calls when the log has grown."""
    return relay.relay(_RUNTIME, SUBSCRIPTIONS)


def sweep() -> None:
    """Run the relay and every errand that is due, whether or not anybody rang."""
    _ARMING.arm(_RUNTIME)
    run_relay()
    with _RUNTIME.ledger.read() as conn:
        found = errands.due(conn, errands.platform_ms(conn))
    for errand in found:
        try:
            run_errand(errand.id)
        except Exception:  # noqa: BLE001 - the worker's edge: the errand keeps its error and its new due instant
            _LOG.exception("errand %s %s failed", errand.name, errand.id)


def _sweep_forever() -> None:
    while True:
        time.sleep(SWEEP_S)
        try:
            sweep()
        except Exception:  # noqa: BLE001 - the database may be away; the next round looks again
            _LOG.exception("the sweep failed")


def main() -> None:
    """Work until stopped."""
    logging.basicConfig(level=logging.INFO)
    for sentence in _SETTINGS.lacks:
        _LOG.warning(sentence)
    require_conditions(_RUNTIME)
    threading.Thread(target=_sweep_forever, daemon=True).start()
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
