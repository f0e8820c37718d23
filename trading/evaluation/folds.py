"""What the records of an evaluation say of its rows (AL1 L11.3).

Sheets are compared by their hash, which the auditor's role sees of the closed ones too, and nothing else of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.audit.tables import audit_entry
from trading.evaluation.tables import (
    evaluation_report,
    examination,
    examination_vote,
    explanation,
    masking,
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
from trading.kernel.canonical import dumps

_BID: Final = ("lot", "stage", "bid_reference")
REPLAYED: Final = (
    Replayed(table=ranking.name, key=("lot", "stage")),
    Replayed(table=sitting.name, key=("procedure_id",)),
    Replayed(table=time_vote.name, key=("round", "seat")),
    Replayed(table=examination.name, key=(*_BID, "step")),
    Replayed(table=examination_vote.name, key=(*_BID, "step", "seat")),
    Replayed(table=explanation.name, key=_BID),
    Replayed(table=sheet_signature.name, key=("lot", "stage", "seat", "version")),
    Replayed(table=score_sheet.name, key=("lot", "stage", "seat", "version")),
    Replayed(table=sheet_renewal.name, key=("lot", "stage", "seat", "version")),
    Replayed(table=scoring.name, key=("lot", "stage")),
    Replayed(table=masking.name, key=("lot", "stage")),
    Replayed(table=recheck_explanation.name, key=(*_BID, "criterion", "seat")),
    Replayed(table=evaluation_report.name, key=("number",)),
    Replayed(table=report_signature.name, key=("number", "seat")),
)
_DECIDED: Final = frozenset({"conformity", "price"})


def _ranked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("ranking", body["lot"], body["stage"]).update(
        method=body["method"], items=dumps(body["items"]), tie=dumps(body["tie"])
    )


def _started(state: State, record: Mapping[str, Any]) -> None:
    state.row("sitting", state.procedure_id).update(
        seats=record["body"]["seats"],
        started_at=record["at"],
        report_number=0,
        reported_at=None,
        sealed_at=None,
        extensions=0,
    )


def _examined(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("examination", body["lot"], body["stage"], body["bid"], body["step"]).update(
        outcome=body["outcome"],
        preference=body["preference"],
        reason=body["reason"],
        deviations=_stored(body),
        void=False,
    )


def _voted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("examination_vote", body["lot"], body["stage"], body["bid"], body["step"], body["seat"]).update(
        outcome=body["outcome"],
        grants=body["grants"],
        reason=body["reason"],
        deviations=_stored(body),
        void=False,
    )


def _stored(body: Mapping[str, Any]) -> bytes | None:
    """Return the deviations of a finding or vote as its row holds them."""
    return dumps(body["deviations"]) if "deviations" in body else None


def _asked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("explanation", body["lot"], body["stage"], body["bid"]).update(
        triggers=body["triggers"], due_at=body["due_at"], text=None
    )


def _given(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("explanation", body["lot"], body["stage"], body["bid"]).update(text=body["text"])


def _signed(state: State, record: Mapping[str, Any]) -> None:
    commit, bids = bytes.fromhex(record["body"]["sheet_commit"]), record["body"].get("bids")
    values = {"sheet_commit": commit, "bids": bids, "echo": None}
    state.row("sheet_signature", *_sheet(record)).update(**values, handed_in=False, void=False)


def _held(state: State, record: Mapping[str, Any]) -> None:
    state.row("sheet_signature", *_sheet(record)).update(echo=bytes.fromhex(record["body"]["echo"]))


def _outdated(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    _forget_echoes(state, body["lot"], body["stage"])
    for each in body["sheets"]:
        state.row("sheet_signature", body["lot"], body["stage"], each["seat"], each["version"]).update(void=True)


def _forget_echoes(state: State, *place: str) -> None:
    """Every other signature of the place, or of the procedure, is shown to be there anew (ADR 0078)."""
    for key, row in list(state.rows.get("sheet_signature", {}).items()):
        if not row["handed_in"] and row["echo"] is not None and _key(key)[: len(place)] == place:
            state.row("sheet_signature", *_key(key)).update(echo=None)


def _handed_in(state: State, record: Mapping[str, Any]) -> None:
    state.row("sheet_signature", *_sheet(record)).update(handed_in=True)
    state.row("score_sheet", *_sheet(record)).update(sheet_sha256=bytes.fromhex(record["body"]["sheet_commit"]))


def _renewal_asked(state: State, record: Mapping[str, Any]) -> None:
    state.row("sheet_renewal", *_sheet(record)).update(reason=record["body"]["reason"], answer=None)


def _sheet_voided(state: State, record: Mapping[str, Any]) -> None:
    _forget_echoes(state, record["body"]["lot"], record["body"]["stage"])
    state.row("sheet_signature", *_sheet(record)).update(void=True)
    state.row("sheet_renewal", *_sheet(record)).update(answer=record["body"]["reason"])


def _sheet(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record["body"][name] for name in ("lot", "stage", "seat", "version"))


def _opened(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("scoring", body["lot"], body["stage"]).update(opened=True, sheets=body["sheets"])


def _masked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("masking", body["lot"], body["stage"]).update(
        commit=bytes.fromhex(body["commit"]), bids=body["bids"], masks=None
    )


def _unmasked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("masking", body["lot"], body["stage"]).update(masks=dumps(body["masks"]))


def _explained(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    key = (body["lot"], body["stage"], body["bid"], body["criterion"], body["seat"])
    state.row("recheck_explanation", *key).update(reason=body["reason"])


def _replaced(state: State, record: Mapping[str, Any]) -> None:
    """Make void what the member said and what was decided with it (EXP-17)."""
    body = record["body"]
    before = state.known("sitting", state.procedure_id) or {}
    seats = sorted({*_names(before.get("seats")), body["by"]} - {body["seat"]})
    state.row("sitting", state.procedure_id).update(seats=seats, report_number=0, reported_at=None)
    _forget_echoes(state)
    for name, own in (("examination_vote", 4), ("sheet_signature", 2)):
        _void(state, name, lambda key, place=own: key[place] == body["seat"])
    _void(state, "examination", lambda key: key[3] in _DECIDED)
    _close(state)


def _sealed(state: State, record: Mapping[str, Any]) -> None:
    state.row("sitting", state.procedure_id).update(sealed_at=record["at"], report_number=0, reported_at=None)


def _resumed(state: State, record: Mapping[str, Any]) -> None:
    """Make void whatever the former committee said (EXP-18)."""
    state.row("sitting", state.procedure_id).update(
        seats=record["body"]["seats"], sealed_at=None, report_number=0, reported_at=None
    )
    _forget_echoes(state)
    for name in ("examination_vote", "sheet_signature"):
        _void(state, name, lambda _: True)
    _void(state, "examination", lambda key: key[3] in _DECIDED)
    _close(state)


def _asked_for_time(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("time_vote", body["round"], body["seat"])


def _extended(state: State, record: Mapping[str, Any]) -> None:
    state.row("sitting", state.procedure_id).update(extensions=record["body"]["round"] + 1)


def _close(state: State) -> None:
    for key, row in state.rows.get("scoring", {}).items():
        if row["opened"]:
            state.row("scoring", *_key(key)).update(opened=False)


def _names(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _key(key: object) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _void(state: State, table: str, concerned: Any) -> None:  # noqa: ANN401 - says of a key whether it is concerned
    for key, row in list(state.rows.get(table, {}).items()):
        if not row["void"] and concerned(_key(key)):
            state.row(table, *_key(key)).update(void=True)


def _drafted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("evaluation_report", body["number"]).update(sha256=bytes.fromhex(body["report_sha256"]))
    state.row("sitting", state.procedure_id).update(report_number=body["number"], reported_at=None)
    state.facts.setdefault("reports", {})[body["report_sha256"]] = body["number"]


def _report_signed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    number = state.facts["reports"][body["report_sha256"]]
    state.row("report_signature", number, body["seat"]).update(dissent=body["dissent"])


def _reported(state: State, record: Mapping[str, Any]) -> None:
    state.row("sitting", state.procedure_id).update(reported_at=record["at"])


FOLDS: Final[Mapping[str, Fold]] = {
    "bids.ranked": _ranked,
    "evaluation.started": _started,
    "bid.examined": _examined,
    "bid.voted": _voted,
    "explanation.asked": _asked,
    "explanation.given": _given,
    "sheet.signed": _signed,
    "sheet.held": _held,
    "sheets.outdated": _outdated,
    "sheet.handed_in": _handed_in,
    "renewal.asked": _renewal_asked,
    "sheet.voided": _sheet_voided,
    "scores.opened": _opened,
    "masks.committed": _masked,
    "masks.revealed": _unmasked,
    "recheck.explained": _explained,
    "member.replaced": _replaced,
    "evaluation.sealed": _sealed,
    "evaluation.resumed": _resumed,
    "time.asked": _asked_for_time,
    "evaluation.extended": _extended,
    "report.drafted": _drafted,
    "report.signed": _report_signed,
    "evaluation.reported": _reported,
}


def compare_commitments(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every ranking whose commitment is not that of its record."""
    query = select(ranking.c.id, ranking.c.h, audit_entry.c.h.label("entry_h")).join(
        audit_entry, audit_entry.c.id == ranking.c.entry_id
    )
    for row in conn.execute(query.where(ranking.c.procedure_id == state.procedure_id)):
        if bytes(row.h) != bytes(row.entry_h):
            yield Mismatch(table="ranking", id=row.id, column="h", stored=row.h, expected=row.entry_h)


COMPARE: Final[tuple[Compare, ...]] = (compare_commitments,)
