"""The web server: threads that slow uploads cannot exhaust, limits on every request, nothing but one socket."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

bind = os.environ.get("LISTEN", "127.0.0.1:8000")

# 20 slow uploads block 2 x 8 threads and leave 2 x 64 untouched. More processes share nothing but the database.
worker_class = "trading.web.balance.BalancedWorker"
workers = 2
threads = 64
backlog = 512

# Each worker imports the application itself: a replaced worker reads fresh code and settings, and no connection, lock
# or thread of a parent is inherited through a fork.
preload_app = False

# The control socket would be a second way in, in a folder other programs of this user share.
control_socket_disable = True

# SIGTERM: stop listening, finish the requests in flight, then end.
graceful_timeout = 30
timeout = 60  # a worker that shows no sign of life is replaced; a slow request alone is no reason
keepalive = 5

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# A list of requests would tell how many bids arrived before the opening (G4), so there is none; errors are logged.
accesslog = None
errorlog = "-"
capture_output = False

umask = 0o077
proc_name = "mingbiao-web"
if Path("/dev/shm").is_dir():  # noqa: S108 - heartbeats must not wait for a disk; the file is unlinked at once
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn's own classes
    """Let nobody give way to a worker that has ended."""
    worker.forget()


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn's own class
    """Leave what was imported out of later collections; end event streams when the worker is asked to stop.

    A full collection over the modules stopped every thread of a worker for 0.4 s in the middle of a rush. A stream
    would hold its thread until the graceful time-out; its reader comes back to another worker at once.
    """
    gc.collect()
    gc.freeze()
    from trading.web.streams import STOPPING  # noqa: PLC0415 - the arbiter itself imports nothing of the product

    before = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: Any) -> None:  # noqa: ANN401 - of the interpreter
        STOPPING.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop)
    worker.log.debug("streams end with this worker")
