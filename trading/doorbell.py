"""The only file that talks to RQ: ring for an errand or the relay. A lost ring only delays: the sweep looks too."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

QUEUES: Final = ("steps",)
_JOB: Final = "worker.run_errand"
_RELAY: Final = "worker.run_relay"
_KEEP_S: Final = 60


class Doorbell:
    """Rings by enqueuing a job that carries only the errand's id."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._queue = Queue(QUEUES[0], connection=self._redis, serializer=JSONSerializer)

    def ring(self, errand_id: int, due_at: int) -> bool:
        """Ask a worker to look at the errand; False if Redis did not take it."""
        return self._enqueue(_JOB, (errand_id,), f"e{errand_id}-{due_at}")

    def ring_relay(self, head: int) -> bool:
        """Ask a worker to walk the log up to ``head``; False if Redis did not take it."""
        return self._enqueue(_RELAY, (), f"r{head}")

    def _enqueue(self, job: str, args: tuple[int, ...], job_id: str) -> bool:
        with suppress(RedisError, OSError):
            self._queue.enqueue_call(
                job,
                args=args,
                job_id=job_id,
                result_ttl=_KEEP_S,
                failure_ttl=_KEEP_S,
                timeout=600,
            )
            return True
        return False
