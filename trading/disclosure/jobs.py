"""Errands of the auditor's pages: the full verification, with its bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, text

from trading.audit import verifying
from trading.audit.errands import Handler
from trading.audit.replay import Fold, Replayed, histories
from trading.audit.runtime import Runtime
from trading.audit.service import known_policy
from trading.audit.verifying import APART, ERRAND, MOST_FINDINGS, STATE, Check, Run, run_of

_STEPS: Final = 100  # how often the bar moves at most
_ONE_PICTURE: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
# Rows that are kept from this role cannot be compared by it: experts' names, sheets of others.
_OPEN: Final = text("""
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'record' AND c.relkind = 'r' AND NOT c.relrowsecurity
       AND has_table_privilege(c.oid, 'SELECT')
""")


def errands(folds: Mapping[str, Fold], tables: Sequence[Replayed]) -> Mapping[str, Handler]:
    """Return the handler of full verifications; what is replayed is known above this package only."""

    def verify(runtime: Runtime, arg: Mapping[str, Any]) -> None:
        run = replace(run_of(arg), state="running", done=0, total=0, checks=())
        verifying.save(runtime.ledger, run)
        run = _log(runtime, run)
        with runtime.ledger.read() as conn:
            conn.execute(_ONE_PICTURE)
            state, now = _state(conn, folds, tables), runtime.ledger.platform_time(conn)
        verifying.save(runtime.ledger, replace(run, state="done", ended_at=now, checks=(*run.checks, *state)))

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

    policy = known_policy(runtime.witness_policy)
    with runtime.ledger.read() as conn:
        roots = runtime.authority_roots()
        size, checks = verifying.verify_log(conn, runtime.log_dir, runtime.origin, policy, roots, progress)
    return replace(run, size=size, checks=tuple(checks))


def _state(conn: Connection, folds: Mapping[str, Fold], tables: Sequence[Replayed]) -> list[Check]:
    """Replay every history and compare it with the stored rows that this role may see."""
    readable = set(conn.execute(_OPEN).scalars())
    compared = [each for each in tables if each.table in readable]
    apart = tuple(sorted({each.table for each in tables} - readable))
    found = histories(conn, folds, compared)
    names = {each.table for each in compared} | {"audit_entry"}
    told = [f"{each.table} {each.id} {each.column}" for each in found if each.table in names]
    checks = [Check(name=STATE, ok=not told, details=tuple(told[:MOST_FINDINGS]))]
    return [*checks, Check(name=APART, ok=None, details=apart)] if apart else checks
