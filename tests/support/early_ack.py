"""A web application that answers before it commits: what the checker of the kill campaign must find (G1, F01).

It is loaded by gunicorn in place of ``wsgi:app`` and is no part of the product. The act itself is the product's own;
only its last step, the commit, waits a moment in a thread of its own while the acknowledgement is already on its way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trading.app import create_app
from trading.audit import store
from trading.audit.ledger import _UNIT, Ledger, UnitOfWork, _connect
from trading.config import Settings
from trading.kernel.roles import Actor

DELAY_S = 0.15


@contextmanager
def _begin_early(
    self: Ledger, actor: Actor, *, request: str | None = None, patient: bool = False, at: int | None = None
) -> Iterator[UnitOfWork]:
    connection = _connect(self._engine)
    captured = store.open_act(connection, actor, at)
    unit = UnitOfWork(
        connection=connection, actor=actor, at=captured, request=request, patient=patient, _registry=self.registry
    )
    connection.info[_UNIT] = unit
    try:
        yield unit
    except BaseException:
        connection.info.pop(_UNIT, None)
        connection.close()
        raise

    def commit_later() -> None:
        time.sleep(DELAY_S)
        connection.info.pop(_UNIT, None)
        connection.commit()
        connection.close()

    threading.Thread(target=commit_later).start()


Ledger.begin = _begin_early  # type: ignore[method-assign]
app = create_app(Settings.from_env("web"))
