"""What records say of procedures, lots and the calendar (AL1 L11.3).

A draft's lots stand in its specification, which the record names by its hash: so lots are compared one by one with what
the records after it say, and with the schedule document that the newest record names.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.documents.folds import content_of
from trading.documents.tables import document
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.procedures.rules.catalogue import stages_of
from trading.procedures.rules.lifecycle import LotPhase
from trading.procedures.tables import calendar_day, lot, procedure

REPLAYED: Final = (Replayed(table=procedure.name, key=("reference",)), Replayed(table=calendar_day.name, key=("day",)))

Lots = dict[tuple[str, str], dict[str, Any]]


def _lots(state: State) -> Lots:
    lots: Lots = state.facts.setdefault("lots", {})
    return lots


def _move_lot(state: State, record: Mapping[str, Any], **values: Any) -> None:  # noqa: ANN401 - column values
    body = record["body"]
    _lots(state).setdefault((body["lot"], body["stage"]), {}).update(entry_id=state.entry_id, **values)


def move_procedure(state: State, record: Mapping[str, Any], act: Hashable, **values: Any) -> None:  # noqa: ANN401 - column values
    """Apply an act that moves the procedure row once, however many records it writes; ``act`` tells acts apart."""
    if state.facts.get("act") == act:
        return
    state.facts["act"] = act
    row = state.row("procedure", record["procedure"])
    version = row.get("version")
    row.update(version=version + 1 if isinstance(version, int) else 1, **values)


def _drafted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.facts |= {"spec_sha256": body["spec_sha256"], "drafted": state.entry_id}
    edition = {"edition_id": body["edition_id"], "edition_sha256": bytes.fromhex(body["edition_sha256"])}
    columns = {"drafted_by": record["actor"], "published_at": None, "regime": body["regime"], **edition}
    move_procedure(state, record, ("drafted", state.entry_id), phase="draft", **columns)


def _submitted(state: State, record: Mapping[str, Any]) -> None:
    move_procedure(state, record, ("submitted", state.entry_id), phase="review")


def _returned(state: State, record: Mapping[str, Any]) -> None:
    move_procedure(state, record, ("returned", state.entry_id), phase="draft")


def _policy_fixed(state: State, record: Mapping[str, Any]) -> None:
    _move_lot(state, record, policy_sha256=bytes.fromhex(record["body"]["policy_sha256"]))


def _published(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    _move_lot(state, record, phase="open", schedule_sha256=bytes.fromhex(body["schedule_sha256"]))
    move_procedure(state, record, body["notice_sha256"], phase="published", published_at=record["at"])
    for column in ("edition_id", "edition_sha256"):  # from now on those that the notice names
        state.rows["procedure"][record["procedure"],].pop(column, None)


def _hidden_opened(state: State, record: Mapping[str, Any]) -> None:
    """A lot that takes bids and is published nowhere: a probe's, or one to practise in."""
    named = {name: bytes.fromhex(record["body"][name]) for name in ("policy_sha256", "schedule_sha256")}
    _move_lot(state, record, phase="open", **named)


def _changed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    _move_lot(state, record, schedule_sha256=bytes.fromhex(body["schedule_sha256"]))
    if not body["evidence"]:  # a deadline that moved by rule leaves notice and procedure as they are (TE1 T6)
        move_procedure(state, record, body["notice_sha256"])


def _amended(state: State, record: Mapping[str, Any]) -> None:
    state.facts["spec_sha256"] = record["body"]["spec_sha256"]
    move_procedure(state, record, record["body"]["notice_sha256"])


def _named(state: State, record: Mapping[str, Any]) -> None:
    move_procedure(state, record, record["body"]["notice_sha256"])


def _contract_published(state: State, record: Mapping[str, Any]) -> None:
    _move_lot(state, record, phase="contract_published")
    move_procedure(state, record, record["body"]["notice_sha256"])


def _cancelled(state: State, record: Mapping[str, Any]) -> None:
    for values in _lots(state).values():
        if not LotPhase(values["phase"]).finished:
            values.update(phase="cancelled", entry_id=state.entry_id)
    move_procedure(state, record, record["body"]["notice_sha256"], phase="cancelled")


def _phase(phase: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        _move_lot(state, record, phase=phase)

    return fold


def _ordered(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    if _lots(state).get((body["lot"], body["stage"]), {}).get("phase") == "closed":
        _move_lot(state, record, phase="opening")  # a later order for another station moves nothing


def _concluded(state: State, record: Mapping[str, Any]) -> None:
    _move_lot(state, record, phase="concluded")
    move_procedure(state, record, record["body"]["notice_sha256"])


def _calendar(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    for day in body["days"]:
        state.row("calendar_day", date.fromisoformat(day["day"])).update(
            is_workday=day["is_workday"], name=day["name"], source=body["source"]
        )


FOLDS: Final[Mapping[str, Fold]] = {
    "procedure.drafted": _drafted,
    "procedure.submitted": _submitted,
    "procedure.returned": _returned,
    "policy.fixed": _policy_fixed,
    "tender.published": _published,
    "practice.opened": _hidden_opened,
    "probe.opened": _hidden_opened,
    "tender.changed": _changed,
    "procedure.amended": _amended,
    "procedure.cancelled": _cancelled,
    "tender.closed": _phase("closed"),
    "lot.failed": _phase("failed"),
    "open.ordered": _ordered,
    "opening.completed": _phase("opened"),
    "bids.ranked": _phase("evaluated"),
    "award.determined": _phase("determined"),
    "result.published": _concluded,
    "failure.published": _named,
    "contract.signed": _phase("contracted"),
    "contract.published": _contract_published,
    "calendar.changed": _calendar,
}


def compare_lots(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every lot that differs from its records, that is gone, or whose deadline is not that of its schedule."""
    if state.procedure_id is None:
        return
    gone = set(_lots(state))
    for row in conn.execute(select(lot).where(lot.c.procedure_id == state.procedure_id)):
        gone.discard((row.number, row.stage))
        drafted = {"phase": "draft", "policy_sha256": None, "schedule_sha256": None}
        drafted["entry_id"] = state.facts.get("drafted")
        expected = {**drafted, **_lots(state).get((row.number, row.stage), {})}
        for column, value in expected.items():
            stored = row._mapping[column]
            if (bytes(stored) if isinstance(stored, memoryview) else stored) != value:
                yield Mismatch(table="lot", id=row.id, column=column, stored=stored, expected=value)
        close = _close_of(conn, expected["schedule_sha256"])
        if row.close_at != close:
            yield Mismatch(table="lot", id=row.id, column="close_at", stored=row.close_at, expected=close)
    for place in sorted(gone):
        entry_id = _lots(state)[place]["entry_id"]
        yield Mismatch(table="lot", id=None, column="*", stored=None, expected=place, entry_id=entry_id)


def _close_of(conn: Connection, schedule_sha256: bytes | None) -> int | None:
    if schedule_sha256 is None:
        return None
    found = conn.execute(select(document.c.bytes).where(document.c.sha256 == schedule_sha256).limit(1)).scalar()
    content = None if found is None else content_of(bytes(found), schedule_sha256)
    return None if content is None else int(content["close"])


def compare_specification(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield a procedure whose stored specification is not the one that the record names."""
    if state.procedure_id is None:
        return
    for row in conn.execute(select(procedure.c.id, procedure.c.spec).where(procedure.c.id == state.procedure_id)):
        stored, expected = sha256(bytes(row.spec)).hex(), state.facts.get("spec_sha256")
        if stored != expected:
            yield Mismatch(table="procedure", id=row.id, column="spec", stored=stored, expected=expected)
            continue
        yield from _compare_columns(conn, row.id, loads_object(bytes(row.spec)), _lots(state).keys())


# Column to the field of the specification that it repeats for searching.
_OF_PROCEDURE: Final = {
    "kind": "kind",
    "jurisdiction": "jurisdiction",
    "title_zh": "title_zh",
    "title_en": "title_en",
    "buyer_code": "buyer",
    "agency_code": "agency",
    "supervisor_code": "supervisor",
}
_OF_LOT: Final = ("ceiling", "currency", "title_zh", "title_en")


def _compare_columns(
    conn: Connection, procedure_id: int, spec: Mapping[str, Any], moved: Collection[tuple[str, str]]
) -> Iterator[Mismatch]:
    """Yield the columns of a procedure and its lots that differ from the specification, and lots that are gone.

    ``moved`` lots have records of their own; ``compare_lots`` misses them.
    """
    for row in conn.execute(select(procedure).where(procedure.c.id == procedure_id)).mappings():
        for column, field in _OF_PROCEDURE.items():
            if row[column] != spec[field]:
                stored, expected = row[column], spec[field]
                yield Mismatch(table="procedure", id=row["id"], column=column, stored=stored, expected=expected)
    declared = {(each["lot"], stage): each for each in spec["lots"] for stage in stages_of(spec["kind"])}
    gone = declared.keys() - moved
    for row in conn.execute(select(lot).where(lot.c.procedure_id == procedure_id)).mappings():
        place = (row["number"], row["stage"])
        gone.discard(place)
        if place not in declared:
            yield Mismatch(table="lot", id=row["id"], column="*", stored=place, expected=None)
            continue
        for column in _OF_LOT:
            stored, expected = row[column], declared[place][column]
            if stored != expected:
                yield Mismatch(table="lot", id=row["id"], column=column, stored=stored, expected=expected)
    for place in sorted(gone):
        yield Mismatch(table="lot", id=None, column="*", stored=None, expected=place)


COMPARE: Final[tuple[Compare, ...]] = (compare_lots, compare_specification)
