"""Rows of an evaluation. Every write names the record that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.evaluation.queries import DrawnPage, OpenedFile
from trading.evaluation.tables import (
    evaluation_report,
    examination,
    examination_vote,
    explanation,
    mask_seed,
    masking,
    opened_drawing,
    opened_file,
    opened_page,
    ranking,
    recheck_explanation,
    report_signature,
    score_sheet,
    scoring,
    sheet_renewal,
    sheet_signature,
    sitting,
    time_vote,
)
from trading.kernel.canonical import dumps, loads
from trading.kernel.errors import Conflict
from trading.kernel.ids import new_row_id
from trading.openings.model import Place


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int, body: dict[str, Any]) -> None:
    """Insert the ranking that ``recorded`` states; items and tie exactly as in its body."""
    _insert(
        uow,
        recorded,
        ranking,
        procedure_id=procedure_id,
        lot=body["lot"],
        stage=body["stage"],
        method=body["method"],
        items=dumps(body["items"]),
        tie=dumps(body["tie"]),
        h=recorded.h,
    )


def add_sitting(uow: UnitOfWork, recorded: Recorded, procedure_id: int, seats: list[str]) -> None:
    """Insert the sitting that ``recorded`` starts."""
    values = {"seats": seats, "started_at": recorded.at, "report_number": 0, "reported_at": None, "extensions": 0}
    _insert(uow, recorded, sitting, procedure_id=procedure_id, **values)


def set_sitting(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Update the sitting."""
    _update(uow, recorded, sitting, {"procedure_id": procedure_id}, values)


def add_time_vote(uow: UnitOfWork, recorded: Recorded, procedure_id: int, number: int, seat: str) -> None:
    """Keep that a member finds the time too short."""
    _insert(uow, recorded, time_vote, procedure_id=procedure_id, round=number, seat=seat)


def put_finding(uow: UnitOfWork, recorded: Recorded, place: Place, key: tuple[str, str], **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert a finding about (bid, step), or replace the one that stood there."""
    where = {**_place(place), "bid_reference": key[0], "step": key[1]}
    if not _update(uow, recorded, examination, where, {**values, "void": False}):
        _insert(uow, recorded, examination, **where, **values, void=False)


def put_vote(uow: UnitOfWork, recorded: Recorded, place: Place, key: tuple[str, str, str], **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert the vote of (bid, step, seat), or replace the former one of this member."""
    where = {**_place(place), "bid_reference": key[0], "step": key[1], "seat": key[2]}
    if not _update(uow, recorded, examination_vote, where, {**values, "void": False}):
        _insert(uow, recorded, examination_vote, **where, **values, void=False)


def add_explanation(
    uow: UnitOfWork, recorded: Recorded, place: Place, bid: str, *, triggers: list[str], due_at: int
) -> None:
    """Insert a price that must be explained."""
    values = {"bid_reference": bid, "triggers": triggers, "due_at": due_at, "text": None}
    _insert(uow, recorded, explanation, **_place(place), **values)


def set_explanation(uow: UnitOfWork, recorded: Recorded, place: Place, bid: str, words: str) -> None:
    """Keep the bidder's words."""
    _update(uow, recorded, explanation, {**_place(place), "bid_reference": bid}, {"text": words})


def add_signature(uow: UnitOfWork, recorded: Recorded, place: Place) -> None:
    """Insert what a member has signed: the digest of a sheet, and nothing of the sheet."""
    values = {"sheet_commit": bytes.fromhex(recorded.body["sheet_commit"]), "bids": recorded.body["bids"]}
    _insert(uow, recorded, sheet_signature, **_signed(recorded, place), **values, handed_in=False, void=False)


def hold_sheet(uow: UnitOfWork, recorded: Recorded, place: Place) -> None:
    """Keep that a signed sheet is there, as its machine has shown."""
    echo = bytes.fromhex(recorded.body["echo"])
    _update(uow, recorded, sheet_signature, _signed(recorded, place), {"echo": echo})


def outdate_sheets(uow: UnitOfWork, recorded: Recorded, place: Place) -> None:
    """Make signatures void whose sheets are about other bids than those that conform now."""
    _forget_echoes(uow, recorded, _place(place))
    for each in recorded.body["sheets"]:
        _update(uow, recorded, sheet_signature, {**_place(place), **each}, {"void": True})


def _forget_echoes(uow: UnitOfWork, recorded: Recorded, where: Mapping[str, Any]) -> None:
    """Let everybody show anew what is there: among other signatures another echo is right (ADR 0078)."""
    conditions = [sheet_signature.c[name] == value for name, value in where.items()]
    held = [*conditions, ~sheet_signature.c.handed_in, sheet_signature.c.echo.is_not(None)]
    uow.connection.execute(sheet_signature.update().where(*held).values(entry_id=recorded.entry_id, echo=None))


def add_sheet(uow: UnitOfWork, recorded: Recorded, place: Place, document: bytes) -> None:
    """Insert a sheet that was handed in; PostgreSQL refuses it before all have signed (migration 0014)."""
    key = _signed(recorded, place)
    _insert(uow, recorded, score_sheet, **key, bytes=document)
    _update(uow, recorded, sheet_signature, key, {"handed_in": True})


def add_renewal(uow: UnitOfWork, recorded: Recorded, place: Place) -> None:
    """Keep why a member asks to score again."""
    _insert(uow, recorded, sheet_renewal, **_signed(recorded, place), reason=recorded.body["reason"], answer=None)


def void_sheet(uow: UnitOfWork, recorded: Recorded, place: Place) -> None:
    """Make a signature void, with the answer to the member who asked for it."""
    key = _signed(recorded, place)
    _forget_echoes(uow, recorded, _place(place))
    _update(uow, recorded, sheet_signature, key, {"void": True})
    _update(uow, recorded, sheet_renewal, key, {"answer": recorded.body["reason"]})


def open_scores(uow: UnitOfWork, recorded: Recorded, place: Place, sheets: list[str]) -> None:
    """Open the sheets of a lot: from here on the database shows them."""
    values = {"opened": True, "sheets": sheets}
    if not _update(uow, recorded, scoring, _place(place), values):
        _insert(uow, recorded, scoring, **_place(place), **values)


def add_recheck_explanation(
    uow: UnitOfWork, recorded: Recorded, place: Place, key: tuple[str, str, str], words: str
) -> None:
    """Keep why a member stands by an unusual score: key is (bid, criterion, seat)."""
    where = {**_place(place), "bid_reference": key[0], "criterion": key[1], "seat": key[2]}
    if not _update(uow, recorded, recheck_explanation, where, {"reason": words}):
        _insert(uow, recorded, recheck_explanation, **where, reason=words)


def add_report(uow: UnitOfWork, recorded: Recorded, procedure_id: int, number: int, sha256: str) -> None:
    """Insert a drafted report; signatures of an older one no longer count."""
    digest = bytes.fromhex(sha256)
    _insert(uow, recorded, evaluation_report, procedure_id=procedure_id, number=number, sha256=digest)
    set_sitting(uow, recorded, procedure_id, report_number=number, reported_at=None)


def add_report_signature(
    uow: UnitOfWork, recorded: Recorded, procedure_id: int, number: int, *, seat: str, dissent: str | None
) -> None:
    """Insert one member's signature."""
    values = {"number": number, "seat": seat, "dissent": dissent}
    _insert(uow, recorded, report_signature, procedure_id=procedure_id, **values)


def void_member(uow: UnitOfWork, recorded: Recorded, procedure_id: int, seat: str) -> None:
    """Make void what a replaced member said: votes, what they decided, sheets; opened scores close again (EXP-17)."""
    own = {"procedure_id": procedure_id, "seat": seat, "void": False}
    _forget_echoes(uow, recorded, {"procedure_id": procedure_id})
    _update(uow, recorded, examination_vote, own, {"void": True})
    _update(uow, recorded, sheet_signature, own, {"void": True})
    _update(uow, recorded, scoring, {"procedure_id": procedure_id, "opened": True}, {"opened": False})
    for step in ("conformity", "price"):
        decided = {"procedure_id": procedure_id, "step": step, "void": False}
        _update(uow, recorded, examination, decided, {"void": True})


def _place(place: Place) -> dict[str, Any]:
    return {"procedure_id": place.procedure_id, "lot": place.lot, "stage": place.stage}


def _signed(recorded: Recorded, place: Place) -> dict[str, Any]:
    return {**_place(place), "seat": recorded.body["seat"], "version": recorded.body["version"]}


def _insert(uow: UnitOfWork, recorded: Recorded, table: Table, **values: Any) -> None:  # noqa: ANN401 - columns
    uow.connection.execute(table.insert().values(id=new_row_id(), entry_id=recorded.entry_id, **values))


def _update(
    uow: UnitOfWork, recorded: Recorded, table: Table, where: Mapping[str, Any], values: Mapping[str, Any]
) -> bool:
    conditions = [table.c[name] == value for name, value in where.items()]
    result = uow.connection.execute(table.update().where(*conditions).values(entry_id=recorded.entry_id, **values))
    return result.rowcount > 0


def add_files(uow: UnitOfWork, bid: str, files: Sequence[OpenedFile]) -> None:
    """Insert what the files of a bid are; the record of this transaction has the digest of the list."""
    rows = [
        {
            "bid_reference": bid,
            "path": each.path,
            "sha256": bytes.fromhex(each.sha256),
            "size": each.size,
            "kind": each.kind,
            "findings": list(each.findings),
            "preview": each.preview,
        }
        for each in files
    ]
    try:
        uow.connection.execute(opened_file.insert(), rows)
    except IntegrityError as error:
        raise Conflict(f"the files of {bid} are inspected already") from error


def put_drawing(uow: UnitOfWork, bid: str, sha256: str, *, pages: int, finished: bool) -> None:
    """Keep how many pages a file has and whether all are looked at. A table of the desk: no record explains it."""
    key = {"bid_reference": bid, "sha256": bytes.fromhex(sha256)}
    added = insert(opened_drawing).values(**key, pages=pages, finished=finished)
    uow.connection.execute(
        added.on_conflict_do_update(constraint="pk_opened_drawing", set_={"pages": pages, "finished": finished})
    )


def add_page(uow: UnitOfWork, bid: str, sha256: str, page: DrawnPage) -> None:
    """Keep one page of a file; one that another run has drawn stays."""
    large, small = (None if each is None else bytes.fromhex(each) for each in (page.large, page.small))
    values = {"number": page.number, "width": page.width, "height": page.height, "text": page.text}
    key = {"bid_reference": bid, "sha256": bytes.fromhex(sha256)}
    added = insert(opened_page).values(**key, **values, large=large, small=small)
    uow.connection.execute(added.on_conflict_do_nothing())


def add_masking(uow: UnitOfWork, recorded: Recorded, place: Place, commit: str, bids: list[str], seed: bytes) -> None:
    """Insert the commitment of a lot's letters, and keep their seed beside the record."""
    values = {"commit": bytes.fromhex(commit), "bids": bids, "masks": None}
    _insert(uow, recorded, masking, **_place(place), **values)
    uow.connection.execute(mask_seed.insert().values(**_place(place), seed=seed))


def reveal_masks(uow: UnitOfWork, recorded: Recorded, place: Place, masks: list[dict[str, str]]) -> None:
    """Keep the letters that are disclosed."""
    _update(uow, recorded, masking, _place(place), {"masks": dumps(masks)})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MaskingRow:
    """The letters of a lot as kept; whoever has ``seed`` knows every letter, so it is never printed."""

    bids: tuple[str, ...]
    seed: bytes
    revealed: Mapping[str, str] | None  # bid → letter, once disclosed


def masking_of(conn: Connection, place: Place) -> MaskingRow | None:
    """Return what the letters of a lot follow from, None if its bidders are not masked."""
    here = [masking.c[name] == value for name, value in _place(place).items()]
    row = conn.execute(select(masking.c.bids, masking.c.masks).where(*here)).one_or_none()
    if row is None:  # only who may know the letters may ask for their seed
        return None
    kept = [mask_seed.c[name] == value for name, value in _place(place).items()]
    seed = conn.execute(select(mask_seed.c.seed).where(*kept)).scalar_one()
    shown = None if row.masks is None else cast("list[dict[str, str]]", loads(bytes(row.masks)))
    told = None if shown is None else {each["bid"]: each["mask"] for each in shown}
    return MaskingRow(bids=tuple(row.bids), seed=bytes(seed), revealed=told)
