"""Closing the log that a database belongs to, and continuing it in a new one (AL1 L13).

A log whose files are lost or whose key is compromised is closed, not repaired. Its end is the last checkpoint that a
quorum of witnesses has cosigned and that the stored records lead to. What stood behind it, or was not logged yet, goes
into the new log; what stands before keeps its place. The number of a record therefore counts through all logs: its
place is its index plus the final sizes of the logs before its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, insert, update

from trading.audit import queries
from trading.audit.files import EarlierLog, earlier_logs, write_earlier
from trading.audit.ledger import Ledger
from trading.audit.model import ClosedLog, CurrentLog
from trading.audit.queries import SEQUENCER_LOCK
from trading.audit.rules.chain import check_chain, entry_bytes, genesis
from trading.audit.rules.note import Checkpoint, VerifiedCheckpoint
from trading.audit.rules.policy import Policy
from trading.audit.rules.tiles import GrowingTree
from trading.audit.service import verified_note
from trading.audit.tables import closed_log, cursor, origin
from trading.kernel.errors import Conflict, InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.head import HeadStore
from trading.storage.tiles import CHECKPOINT, WITNESSED, TileStore

CONTINUED: Final = "log.continued"
_ACTOR: Final = Actor.system("release")
_PAGE: Final = 5_000
_PATIENCE_S: Final = 1.0  # the server lets go of a stopped sequencer's lock a moment later
_RETRY_S: Final = 0.05
_DEMO_PREFIX: Final = "demo."
_KEEP: Final = """
    INSERT INTO log.dropped_position (origin, n, entry_id, p, t)
    SELECT %(origin)s, n - %(base)s, entry_id, p, t FROM log.log_position WHERE n >= %(end)s
"""
_QUEUE: Final = """
    WITH behind AS (DELETE FROM log.log_position WHERE n >= %s RETURNING entry_id)
    INSERT INTO log.audit_queue SELECT entry_id FROM behind
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What closing has done: the log, how many of its entries go into the next one, whether its tiles were rebuilt."""

    log: ClosedLog
    dropped: int
    rebuilt: bool


def close_log(ledger: Ledger, log_dir: Path, policy: Policy, *, reason: str, checkpoint: bytes | None = None) -> Closed:
    """Close the log of the database at its last witnessed checkpoint; its sequencer neither appends nor signs again.

    Args:
        ledger: Of the owner of the database.
        log_dir: Of the log. Where its tiles are lost they are rebuilt from the stored records, up to the end.
        policy: Of the log.
        reason: Why; it will stand in the record that begins the next log.
        checkpoint: The final checkpoint if it is not the one under ``log_dir``: from a witness, the supervisor, a
            receipt.

    Raises:
        Conflict: A sequencer runs, or the log is closed.
        InvalidInput: ``log.no_checkpoint``, ``log.not_witnessed``, ``log.other_history`` (the stored records do not
            lead to this checkpoint), ``note.…`` or ``checkpoint.…``.
    """
    with ledger.upkeep() as conn:
        current = _alone(conn)
        if current.is_closed:
            raise Conflict(f"the log {current.origin} is closed")
        note, final = _final(log_dir, policy, current, checkpoint)
        tree = _tree(conn, current, final)
        HeadStore(log_dir / "head").close(current.origin)
        conn.exec_driver_sql("SET ROLE trading_owner")
        log = ClosedLog(base=current.base, origin=current.origin, size=final.size, checkpoint=note, reason=reason)
        now = func.log.platform_time()
        row = {"base": log.base, "origin": log.origin, "size": log.size, "checkpoint": note, "reason": reason}
        conn.execute(insert(closed_log).values(**row, closed_at=now))
        dropped = _drop(conn, log)
        rebuilt = _rebuild(TileStore(log_dir / "tiles"), tree, log)
    return Closed(log=log, dropped=dropped, rebuilt=rebuilt)


def continue_log(ledger: Ledger, new_origin: str, policy: Policy, *, old_log_dir: Path, log_dir: Path) -> ClosedLog:
    """Begin a new log after the closed one: its first record is ``log.continued``; return the log that it continues.

    Args:
        ledger: Of the owner of the database.
        new_origin: Name of the new log; none of the earlier ones.
        policy: Of the new log. It lists the keys of both logs, the earlier first, and the final checkpoint of the old
            one still meets its quorum: it is all that later readers will have to verify with.
        old_log_dir: Of the closed log.
        log_dir: Of the new log, empty.

    Raises:
        Conflict: A sequencer runs, or the log is not closed.
        InvalidInput: ``log.origin``, ``log.policy``, ``log.not_witnessed``, ``log.not_empty``.
    """
    with ledger.begin(_ACTOR) as uow:
        conn = uow.connection
        current = _alone(conn)
        closed = queries.closed_logs(conn)
        if not current.is_closed:
            raise Conflict(f"the log {current.origin} is not closed")
        last = closed[-1]
        _require_name(new_origin, [each.origin for each in closed])
        _require_policy(policy, new_origin, closed)
        if HeadStore(log_dir / "head").read() is not None:
            raise InvalidInput("log.not_empty", f"a log lies in {log_dir}")
        earlier = earlier_logs(old_log_dir / "tiles")
        mine = EarlierLog(origin=last.origin, size=last.size, tiles=(old_log_dir / "tiles").absolute())
        write_earlier(log_dir / "tiles", (*earlier, mine))
        conn.exec_driver_sql("SET ROLE trading_owner")
        conn.execute(update(origin).values(origin=new_origin, base=last.end))
        body = {"old_checkpoint": last.checkpoint.decode(), "old_origin": last.origin, "reason": last.reason}
        uow.record(Event(kind=CONTINUED, subject="log", body=body))
    return last


def _alone(conn: Connection) -> CurrentLog:
    """Keep every sequencer away until the end of the transaction; return the log of the database."""
    deadline = time.monotonic() + _PATIENCE_S
    while not conn.exec_driver_sql("SELECT pg_try_advisory_xact_lock(%s)", (SEQUENCER_LOCK,)).scalar_one():
        if time.monotonic() >= deadline:
            raise Conflict("a sequencer runs on this database: stop it first")
        time.sleep(_RETRY_S)
    return queries.current_log(conn)


def _final(log_dir: Path, policy: Policy, current: CurrentLog, given: bytes | None) -> tuple[bytes, Checkpoint]:
    note = TileStore(log_dir / "tiles").read(WITNESSED) if given is None else given
    if note is None:
        raise InvalidInput("log.no_checkpoint", f"{log_dir} holds no witnessed checkpoint")
    verified = _witnessed(note, current.origin, policy)
    if verified.checkpoint.size == 0:
        raise InvalidInput("log.no_checkpoint", "an empty log has nothing to continue")
    return note, verified.checkpoint


def _witnessed(note: bytes, of: str, policy: Policy) -> VerifiedCheckpoint:
    verified = verified_note(note, of, policy)
    if not policy.is_met(verified.times.keys()):
        raise InvalidInput("log.not_witnessed", f"no quorum has cosigned size {verified.checkpoint.size} of {of}")
    return verified


def _tree(conn: Connection, current: CurrentLog, final: Checkpoint) -> GrowingTree:
    """Return the tree of the stored records up to the final checkpoint, whose root it has."""
    tree, previous, t = GrowingTree(), genesis(current.origin), 0
    while tree.size < final.size:
        first = current.base + tree.size
        rows = queries.logged_records(conn, first, min(first + _PAGE, current.base + final.size))
        entries = [entry_bytes(row.h, row.n - current.base, row.p, row.t) for row in rows]
        if not entries:
            raise InvalidInput("log.other_history", f"the database ends at {tree.size}: restore its records first")
        previous = check_chain(entries, first=tree.size, previous=previous, t=t)
        t = rows[-1].t
        tree.extend(entries)
    if tree.root() != final.root:
        raise InvalidInput("log.other_history", f"the stored records have another root at size {final.size}")
    return tree


def _drop(conn: Connection, log: ClosedLog) -> int:
    """Queue again what stands behind the final checkpoint, and set those back who have read it; return how much."""
    dropped = conn.exec_driver_sql(_KEEP, {"origin": log.origin, "base": log.base, "end": log.end}).rowcount
    if dropped:
        conn.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        conn.exec_driver_sql("ALTER TABLE log.log_position DISABLE TRIGGER c_frozen")
        conn.exec_driver_sql(_QUEUE, (log.end,))
        conn.exec_driver_sql("ALTER TABLE log.log_position ENABLE ALWAYS TRIGGER c_frozen")
        conn.execute(update(cursor).where(cursor.c.n > log.end).values(n=log.end))
    return dropped


def _rebuild(tiles: TileStore, tree: GrowingTree, log: ClosedLog) -> bool:
    """Write the files that readers need where the log's own are lost; return whether they were."""
    if tiles.read(CHECKPOINT) is not None:
        if tiles.first_witnessed(log.size) is None:
            tiles.keep_witnessed(log.size, log.checkpoint)
        return False
    tiles.begin()
    for path, data in tree.take_files():
        tiles.write(path, data, durable=True)
    tiles.keep_witnessed(log.size, log.checkpoint)
    tiles.write(CHECKPOINT, log.checkpoint, durable=True)
    return True


def _require_name(name: str, used: list[str]) -> None:
    if name in used:
        raise InvalidInput("log.origin", f"{name} is the name of a closed log")
    if name.startswith(_DEMO_PREFIX) != used[-1].startswith(_DEMO_PREFIX):
        raise InvalidInput("log.origin", "a demonstration is not continued as a real log, nor the reverse")


def _require_policy(policy: Policy, name: str, closed: list[ClosedLog]) -> None:
    names = list(dict.fromkeys(log.key.name for log in policy.logs))
    wanted = [*(each.origin for each in closed), name]
    if names != wanted:
        raise InvalidInput("log.policy", f"the policy lists the logs {names} instead of {wanted}")
    for each in closed:
        _witnessed(each.checkpoint, each.origin, policy)
