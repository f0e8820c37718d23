"""What records say of the pool (AL1 L11.3). Dossiers and reasons are compared by digest (ADR 0045)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Fold, Replayed, State
from trading.documents.folds import named
from trading.pool import model
from trading.pool.tables import (
    appraisal,
    pool_act,
    pool_dossier,
    pool_file,
    pool_note,
    pool_sanction,
    specialty_tree,
)

REPLAYED: Final = (
    Replayed(table=pool_file.name, key=("number",)),
    Replayed(table=pool_dossier.name, key=("number",)),
    Replayed(table=pool_act.name, key=("entry_id",)),
    Replayed(table=pool_sanction.name, key=("entry_id",)),
    Replayed(table=pool_note.name, key=("entry_id", "number")),
    Replayed(table=appraisal.name, key=("seat",)),
    Replayed(table=specialty_tree.name, key=("version",)),
)


def _file(state: State, number: str) -> dict[str, object]:
    return state.row("pool_file", number)


def _act(state: State, record: Mapping[str, Any], duty: str) -> None:
    row = state.row("pool_act", state.entry_id)
    row.update(duty=duty, what=record["kind"], by_account=record["actor"])


def _applied(state: State, record: Mapping[str, Any]) -> None:
    batch = record["body"].get("batch")
    for each in record["body"]["files"]:
        commit = bytes.fromhex(each["commit"])
        empty = dict.fromkeys(("rule", "until", "trained_at"), None)
        _file(state, each["number"]).update(
            commit=commit, regime=each["regime"], via=each["via"], state=each["state"], batch=batch, **empty
        )
        state.row("pool_dossier", each["number"])["body_commit"] = commit
    if batch is not None:
        _act(state, record, model.KEEPS)


def _moved(to: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        _file(state, record["body"]["number"])["state"] = to

    return fold


def _amended(state: State, record: Mapping[str, Any]) -> None:
    number, commit = record["body"]["number"], bytes.fromhex(record["body"]["commit"])
    _file(state, number)["commit"] = commit
    state.row("pool_dossier", number)["body_commit"] = commit


def _noted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    row = state.row("pool_note", state.entry_id, body["number"])
    row["text_commit"] = bytes.fromhex(body["reason_commit"])
    _act(state, record, model.QUALIFIES)


def _refused(state: State, record: Mapping[str, Any]) -> None:
    _noted(state, record)
    _file(state, record["body"]["number"]).update(state="refused", rule=record["body"]["rule"])


def _qualified(state: State, record: Mapping[str, Any]) -> None:
    _act(state, record, model.QUALIFIES)
    for each in record["body"]["items"]:
        _file(state, each["number"]).update(state="admitted", until=each["until"])


def _ordered(state: State, record: Mapping[str, Any]) -> None:
    _noted(state, record)
    if record["body"]["act"] == "removed":
        _file(state, record["body"]["number"]).update(state="ended", rule="EXP-29")


def _disciplined(state: State, record: Mapping[str, Any]) -> None:
    _noted(state, record)
    body = record["body"]
    state.row("pool_sanction", state.entry_id).update(
        number=body["number"],
        measure=body["measure"],
        rule=body["rule"],
        amount=body.get("amount"),
        until=body.get("until"),
        at=record["at"],
    )


def _renewed(state: State, record: Mapping[str, Any]) -> None:
    _act(state, record, model.QUALIFIES)
    _file(state, record["body"]["number"])["until"] = record["body"]["until"]


def _trained(state: State, record: Mapping[str, Any]) -> None:
    _act(state, record, model.KEEPS)
    _file(state, record["body"]["number"])["trained_at"] = record["body"]["trained_at"]


def _lapsed(state: State, record: Mapping[str, Any]) -> None:
    for number in record["body"]["numbers"]:
        _file(state, number).update(state="ended", rule=record["body"]["rule"])


def _published(state: State, record: Mapping[str, Any]) -> None:
    digest = record["body"]["tree_sha256"]
    named(state, digest)
    state.facts.setdefault("unsigned", set()).add(digest)  # a table of the classification, which nobody signs
    _act(state, record, model.KEEPS)
    state.row("specialty_tree", record["body"]["version"])["sha256"] = bytes.fromhex(digest)


def _appraised(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("appraisal", body["seat"]).update(
        marks=body["marks"], remark=body["remark"], late=body["late"], answer=None, rating=None
    )


def _answered(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("appraisal", body["seat"]).update(answer=body["answer"], rating=body["rating"])


FOLDS: Final[Mapping[str, Fold]] = {
    "pool.applied": _applied,
    "pool.recommended": _moved("waiting"),
    "pool.withdrawn": _moved("withdrawn"),
    "pool.amended": _amended,
    "pool.refused": _refused,
    "pool.qualified": _qualified,
    "pool.ordered": _ordered,
    "pool.disciplined": _disciplined,
    "pool.renewed": _renewed,
    "pool.trained": _trained,
    "pool.lapsed": _lapsed,
    "specialty.published": _published,
    "appraisal.given": _appraised,
    "appraisal.answered": _answered,
}
