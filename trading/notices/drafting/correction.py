"""Unsigned corrections: what changes field by field, and the new schedule of each lot whose deadline moves (NOT-05)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.documents import queries as documents
from trading.kernel.calendar import CHINA
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import RuleBroken
from trading.notices.drafting.head import head
from trading.notices.drafting.tender import LotDraft, offered_lot, said
from trading.notices.rules.documents import build_notice
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.amendment import Amendment, amend
from trading.procedures.rules.lifecycle import Act
from trading.procedures.rules.spec import ProcedureSpec, Windows, parse_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionDraft:
    """Unsigned correction notice and the new schedule of each lot that it moves."""

    notice: bytes
    schedules: dict[tuple[str, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendmentDraft:
    """Unsigned correction, new schedules of the lots whose deadline or windows move, and the changes told."""

    notice: bytes
    schedules: dict[tuple[str, str], bytes]
    amendment: Amendment


def extension_draft(
    conn: Connection, reference: str, *, at: int, new_close: int, texts: dict[str, str]
) -> ExtensionDraft:
    """Return a correction that moves the deadline of every open lot to ``new_close`` (ms).

    Args:
        conn: Where to read.
        reference: The procedure.
        at: Instant of publication (ms).
        new_close: The later deadline (ms).
        texts: ``text_zh`` and ``text_en`` of the correction.
    """
    row = procedures.find(conn, reference)
    spec = parse_spec(loads_object(row.spec))
    lots = _open_lots(conn, row)
    schedules, offered = _moved(spec, lots, {"close": new_close})
    changes = [
        {"field": f"lot {lot.number} close", "new": str(new_close), "old": str(schedule.close)}
        for lot, _digest, schedule in lots
    ]
    fields = {**head(conn, row, at=at, kind="correction"), **said(spec), **texts, "changes": changes, "lots": offered}
    return ExtensionDraft(notice=build_notice(fields), schedules=schedules)


def amendment_draft(
    conn: Connection, reference: str, *, at: int, specification: ProcedureSpec, declared: bool
) -> AmendmentDraft:
    """Return a correction that leaves ``specification`` in force (NOT-05, DOC-18).

    Args:
        conn: Where to read.
        reference: The procedure.
        at: Instant of publication (ms).
        specification: What shall be in force.
        declared: Whether the drafter says that the change of texts may affect bids.

    Raises:
        RuleBroken: ``amendment.…`` as ``procedures.rules.amendment.amend``; ``act.wrong_phase``: no lot is open.
    """
    row = procedures.find(conn, reference)
    before = parse_spec(loads_object(row.spec))
    amendment = amend(before, specification, declared=declared, zone=CHINA)
    lots = _open_lots(conn, row)
    if not lots:
        raise RuleBroken("act.wrong_phase", "B4.1", act=Act.AMEND.value, phase=row.phase)
    moves: dict[str, Any] = {}
    if specification.close != before.close:
        moves["close"] = specification.close
    if specification.windows != before.windows:
        moves |= {name: getattr(specification.windows, name) for name in Windows.__slots__}
    schedules, offered = _moved(specification, lots, moves)
    titles = {"title_zh": specification.title_zh, "title_en": specification.title_en}
    changes = amendment.to_json()
    fields = {**head(conn, row, at=at, kind="correction"), **titles, **said(specification), "changes": changes}
    return AmendmentDraft(notice=build_notice({**fields, "lots": offered}), schedules=schedules, amendment=amendment)


def _open_lots(conn: Connection, row: ProcedureRow) -> list[tuple[LotRow, str, Schedule]]:
    """Return the open lots of a procedure, each with the digest of its schedule and the schedule."""
    found = []
    for lot in procedures.lots_of(conn, row.id):
        stored = None if lot.schedule_sha256 is None else documents.get(conn, bytes.fromhex(lot.schedule_sha256))
        if stored is not None and lot.phase == "open":
            found.append((lot, stored.sha256, parse_schedule(stored.doc)))
    return found


def _moved(
    spec: ProcedureSpec, lots: list[tuple[LotRow, str, Schedule]], moves: Mapping[str, Any]
) -> tuple[dict[tuple[str, str], bytes], list[dict[str, Any]]]:
    """Return the next schedules, if anything moves, and the lots as the correction offers them."""
    schedules: dict[tuple[str, str], bytes] = {}
    offered = []
    for lot, digest, schedule in lots:
        raw = schedule.raw
        if moves:
            raw = dumps({**loads_object(schedule.raw), **moves, "seq": schedule.seq + 1, "supersedes": digest})
            schedules[(lot.number, lot.stage)] = raw
        draft = LotDraft(lot=lot.number, stage=lot.stage, policy=b"", schedule=raw)
        offered.append({**offered_lot(spec, draft, lot), "policy_sha256": lot.policy_sha256})
    return schedules, offered
