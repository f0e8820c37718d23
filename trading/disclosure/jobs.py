"""Errands of the auditor's pages: the full verification, with its bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from trading.audit import verifying
from trading.audit.errands import Handler
from trading.audit.replay import Compare, Fold, Replayed, replay
from trading.audit.rules.policy import parse_policy
from trading.audit.runtime import Runtime
from trading.audit.verifying import ERRAND, MOST_FINDINGS, STATE, Check, Run, run_of

_STEPS: Final = 100  # how often the bar moves at most
_ONE_PICTURE: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def errands(
    folds: Mapping[str, Fold], tables: Sequence[Replayed], compares: Sequence[Compare]
) -> Mapping[str, Handler]:
    """Return the handler of full verifications; what is replayed is known above this package only."""

    def verify(runtime: Runtime, arg: Mapping[str, Any]) -> None:
        run = replace(run_of(arg), state="running", done=0, total=0, checks=())
        verifying.save(runtime.ledger, run)
        run = _log(runtime, run)
        state = _state(runtime, folds, tables, compares)
        with runtime.ledger.read() as conn:
            now = runtime.ledger.platform_time(conn)
        verifying.save(runtime.ledger, replace(run, state="done", ended_at=now, checks=(*run.checks, state)))

    return {ERRAND: verify}


def _log(runtime: Runtime, run: Run) -> Run:
    """Check the log's files and the records in the database, moving the bar as it goes."""
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal run, told
        run = replace(run, done=done, total=total)
        if done * _STEPS // max(total, 1) > told:
            told = done * _STEPS // max(total, 1)
            verifying.save(runtime.ledger, run)

    policy = parse_policy(runtime.witness_policy)
    with runtime.ledger.read() as conn:
        size, checks = verifying.verify_log(conn, runtime.log_dir, runtime.origin, policy, progress)
    return replace(run, size=size, checks=tuple(checks))


def _state(
    runtime: Runtime, folds: Mapping[str, Fold], tables: Sequence[Replayed], compares: Sequence[Compare]
) -> Check:
    """Replay every history and compare it with the stored rows, in one picture of the database."""
    try:
        with runtime.ledger.read() as conn:
            conn.execute(_ONE_PICTURE)
            found = replay(conn, folds, tables, compares)
    except SQLAlchemyError as error:
        return verifying.failed(STATE, error)  # a role that may not see every row cannot compare them
    return Check(name=STATE, ok=not found, details=tuple(_told(found))[:MOST_FINDINGS])


def _told(found: Sequence[Any]) -> Iterator[str]:
    for each in found:
        yield f"{each.table} {each.id} {each.column}"
