"""The only file that talks to RQ: ring for an errand. A lost ring delays and never loses; the sweep finds the row."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

QUEUES: Final = ("steps",)
_JOB: Final = "worker.run_errand"
_KEEP_S: Final = 60


class Doorbell:
    """Rings by enqueuing a job that carries only the errand's id."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._queue = Queue(QUEUES[0], connection=self._redis, serializer=JSONSerializer)

    def ring(self, errand_id: int, due_at: int) -> bool:
        """Ask a worker to look at the errand; False if Redis did not take it."""
        with suppress(RedisError, OSError):
            self._queue.enqueue_call(
                _JOB,
                args=(errand_id,),
                job_id=f"e{errand_id}-{due_at}",
                result_ttl=_KEEP_S,
                failure_ttl=_KEEP_S,
                timeout=600,
            )
            return True
        return False
