"""The five wrong ways to take bids, to close and to log that AL1 L4.7 names: what the storm's checker must find.

They are put over the product's functions for the length of one test; nothing of them is in the product.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import pytest
from sqlalchemy import Connection

from tests.support.storm import Storm
from tests.support.storm_checker import AFTER_CLOSE, NOT_IN_MANIFEST, NOT_LOGGED
from trading.audit.ledger import UnitOfWork
from trading.audit.model import Capture, Recorded
from trading.audit.runtime import Runtime
from trading.audit.sequencer.queue import AuditQueue
from trading.bids import closing, model, queries
from trading.bids.model import ManifestItem
from trading.db import to_ms
from trading.kernel.errors import RuleBroken
from trading.procedures import queries as procedure_queries
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow

#: Puts one wrong way over the product.
Variant: TypeAlias = Callable[[Storm, pytest.MonkeyPatch], None]

_WINDOW: Final = """
    SELECT log.platform_time() AS now, phase, close_at FROM record.lot
     WHERE procedure_id = %s AND number = %s AND stage = %s
"""
_LOCK_AND_READ: Final = """
    WITH locked AS (SELECT q.id FROM record.procedure q WHERE q.reference = %s FOR UPDATE)
    SELECT b.reference, b.head_sha256, b.head_h, b.seq, b.lot
      FROM locked LEFT JOIN record.bid b ON b.procedure_id = locked.id AND b.head_kind = 'envelope'
"""
_ABOVE: Final = """
    SELECT e.id, e.h FROM log.audit_queue q JOIN log.audit_entry e ON e.id = q.entry_id
     WHERE e.id > %s ORDER BY e.id LIMIT %s
"""


def _pause() -> None:
    threading.Event().wait(secrets.randbelow(30_000) / 1_000_000)


def capture_in_the_web_process(storm: Storm, patch: pytest.MonkeyPatch) -> None:
    """The host's clock decides, and nothing is locked."""

    def act_begin(self: UnitOfWork, procedure_id: int, lot: str, stage: str) -> Capture:
        self.at = storm.runtime.clock.now_ms()
        _pause()
        row = self.connection.exec_driver_sql(_WINDOW, (procedure_id, lot, stage)).one()
        return Capture(received_at=self.at, phase=row.phase, close_at=to_ms(row.close_at), hold=False)

    patch.setattr(UnitOfWork, "act_begin", act_begin)


def _at_once() -> None:
    """Between check and write: nothing."""


def plain_check_then_insert(
    _storm: object, patch: pytest.MonkeyPatch, between: Callable[[], object] = _at_once
) -> None:
    """The database's clock decides, in one statement with the phase, and nothing is locked."""

    def act_begin(self: UnitOfWork, procedure_id: int, lot: str, stage: str) -> Capture:
        row = self.connection.exec_driver_sql(_WINDOW, (procedure_id, lot, stage)).one()
        self.at = to_ms(row.now)
        between()
        return Capture(received_at=self.at, phase=row.phase, close_at=to_ms(row.close_at), hold=False)

    patch.setattr(UnitOfWork, "act_begin", act_begin)


def entry_before_the_lock(_storm: object, patch: pytest.MonkeyPatch, between: Callable[[], object] = _at_once) -> None:
    """The closer writes what it sees, and only then locks the procedure."""

    def close_lot(runtime: Runtime, reference: str, number: str, stage: str, *, heartbeat_size: int) -> Recorded | None:
        with runtime.ledger.begin(closing._CLOSER, patient=True) as uow:
            row = procedure_queries.find(uow.connection, reference)
            lot = procedure_queries.find_lot(uow.connection, row.id, number, stage)
            if lot.close_at is None or uow.at < lot.close_at:
                raise RuleBroken("close.too_early", "TE1 T5")
            between()
            event = model.close(
                items=queries.manifest(uow.connection, row.id, number, stage),
                lot=number,
                stage=stage,
                closes_at=lot.close_at,
                closed_at=uow.at,
                heartbeat_size=heartbeat_size,
                policy_sha256=lot.policy_sha256 or "",
                schedule_sha256=lot.schedule_sha256 or "",
                procedure=reference,
                procedure_id=row.id,
            )
            recorded = uow.record(event)
            uow._recorded = False  # rule L forbids what follows
            rows.lock_for_update(uow, reference)
            rows.move_lot(uow, recorded, lot, phase="closed")
        return recorded

    patch.setattr(closing, "close_lot", close_lot)


def manifest_in_the_statement_of_the_lock(_storm: object, patch: pytest.MonkeyPatch) -> None:
    """One statement locks and reads, so that it reads what was there before it waited."""
    read = threading.local()

    def lock_for_update(uow: UnitOfWork, reference: str) -> ProcedureRow:
        found = uow.connection.exec_driver_sql(_LOCK_AND_READ, (reference,)).all()
        read.bids = [row for row in found if row.reference is not None]
        return procedure_queries.find(uow.connection, reference)

    def manifest(_conn: Connection, _procedure_id: int, number: str, _stage: str) -> tuple[ManifestItem, ...]:
        return tuple(
            ManifestItem(bid=row.reference, envelope_sha256=row.head_sha256.hex(), h=row.head_h.hex(), seq=row.seq)
            for row in read.bids
            if row.lot == number
        )

    patch.setattr(rows, "lock_for_update", lock_for_update)
    patch.setattr(queries, "manifest", manifest)


def sequencer_by_cursor(_storm: object, patch: pytest.MonkeyPatch) -> None:
    """The sequencer asks for ids above the last one, and so never sees what committed out of order."""
    last = 0

    def drain(self: AuditQueue, limit: int) -> list[tuple[int, bytes]]:
        nonlocal last
        found: list[tuple[int, bytes]] = self._cursor.execute(_ABOVE, (last, limit)).fetchall()
        last = found[-1][0] if found else last
        return found

    patch.setattr(AuditQueue, "drain", drain)


VARIANTS: Mapping[Variant, frozenset[str]] = {
    capture_in_the_web_process: frozenset({NOT_IN_MANIFEST, AFTER_CLOSE}),
    plain_check_then_insert: frozenset({NOT_IN_MANIFEST, AFTER_CLOSE}),
    entry_before_the_lock: frozenset({NOT_IN_MANIFEST}),
    manifest_in_the_statement_of_the_lock: frozenset({NOT_IN_MANIFEST}),
    sequencer_by_cursor: frozenset({NOT_LOGGED}),
}
