"""What records say of the register, of draws and of committees (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Compare, Fold, Replayed, State
from trading.documents.folds import named
from trading.experts import comparing
from trading.experts.model import REGISTER_KINDS
from trading.experts.tables import (
    committee,
    committee_member,
    draw,
    draw_answer,
    draw_contest,
    draw_share_key,
    draw_step,
    expert_identity,
    panel_name,
    pool_snapshot,
    seat_holder,
)

REPLAYED: Final = (
    Replayed(table=expert_identity.name, key=("entry_id", "expert_id")),
    Replayed(table=pool_snapshot.name, key=("seq",)),
    Replayed(table=draw.name, key=("draw", "attempt")),
    Replayed(table=draw_answer.name, key=("draw", "attempt", "kind", "sha256")),
    Replayed(table=draw_contest.name, key=("statement_commit",)),
    Replayed(table=draw_share_key.name, key=("doc_sha256",)),
    Replayed(table=draw_step.name, key=("draw", "attempt", "index_no", "state")),
    Replayed(table=committee.name, key=("procedure_id",)),
    Replayed(table=committee_member.name, key=("seat",)),
    Replayed(table=seat_holder.name, key=("seat",)),
    Replayed(table=panel_name.name, key=("seat",)),
)


def _register(state: State, record: Mapping[str, Any]) -> None:
    digest = record["body"]["change_sha256"]
    named(state, digest)
    state.facts.setdefault("register", []).append((digest, state.entry_id))


def _identities(state: State, record: Mapping[str, Any]) -> None:
    for each in record["body"]["kept"]:
        row = state.row("expert_identity", state.entry_id, each["expert"])
        row["sealed_sha256"] = bytes.fromhex(each["sealed_sha256"])


def _snapshot(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("pool_snapshot", body["seq"]).update(
        register_size=body["register_size"],
        root=bytes.fromhex(body["root"]),
        size=body["size"],
        key_commit=bytes.fromhex(body["key_commit"]),
    )


def _draw(state: State, record: Mapping[str, Any]) -> dict[str, object]:
    return state.row("draw", record["body"]["draw"], record["body"]["attempt"])


def _policy_fixed(state: State, record: Mapping[str, Any]) -> None:
    digest = record["body"]["policy_sha256"]
    named(state, digest)
    empty = dict.fromkeys(("spec_sha256", "specified_at", "sealed_at", "seed", "seeded_at", "result_sha256"), None)
    body = record["body"]
    state.facts.setdefault("procedure_commits", {})[body["draw"], body["attempt"]] = body.get("procedure_commit")
    _draw(state, record).update(state="policy_fixed", policy_sha256=bytes.fromhex(digest), result_seq=0, **empty)


def _specified(state: State, record: Mapping[str, Any]) -> None:
    digest = record["body"]["spec_sha256"]
    named(state, digest)
    _draw(state, record).update(state="specified", spec_sha256=bytes.fromhex(digest), specified_at=record["at"])


def _sealed(state: State, record: Mapping[str, Any]) -> None:
    _draw(state, record).update(state="sealed", sealed_at=record["at"])
    key = record["body"]["draw"], record["body"]["attempt"]
    state.facts.setdefault("sealed", {})[key] = state.entry_id


def _seeded(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    named(state, body["final_sha256"])
    _draw(state, record).update(state="seeded", seed=bytes.fromhex(body["seed"]), seeded_at=record["at"])


def _result(state: State, record: Mapping[str, Any]) -> None:
    row = _draw(state, record)
    row.update(state="resulted", result_sha256=bytes.fromhex(record["body"]["result_sha256"]))
    row.pop("result_seq", None)  # the number stands in the result itself, which comparing.py reads
    _answer("result", "result_sha256")(state, record)


def _ended(to: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        _draw(state, record).update(state=to)

    return fold


def _cancelled(state: State, record: Mapping[str, Any]) -> None:
    _ended("cancelled")(state, record)
    _answer("cancel", "cancel_sha256")(state, record)


def _answer(kind: str, field: str, **columns: str) -> Fold:
    """Return the fold of a record that names what somebody gave; ``columns`` are filled from body fields."""

    def fold(state: State, record: Mapping[str, Any]) -> None:
        body = record["body"]
        named(state, body[field])
        row = state.row("draw_answer", body["draw"], body["attempt"], kind, bytes.fromhex(body[field]))
        given = {column: body[name] for column, name in columns.items()}
        row.update({"party": "", "custodian": 0, "via": "platform", **given})

    return fold


def _step(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    kind, commit = body.get("state", "CALLED"), body.get("reason_commit")
    state.row("draw_step", body["draw"], body["attempt"], body["index"], kind).update(
        stratum=body["stratum"], reason_commit=None if commit is None else bytes.fromhex(commit), at=record["at"]
    )


def _contested(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    commit = bytes.fromhex(body["statement_commit"])
    state.facts.setdefault("contested", {})[body["draw"], body["attempt"], body["index"]] = commit
    state.row("draw_contest", commit).update(
        draw=body["draw"], attempt=body["attempt"], index_no=body["index"], stratum=body["stratum"], state="open"
    )


def _contest_decided(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    # Of one index one contest at a time is open: the newest.
    commit = state.facts.get("contested", {}).get((body["draw"], body["attempt"], body["index"]))
    state.row("draw_contest", commit).update(state="upheld" if body["upheld"] else "dismissed")


def _challenged(state: State, record: Mapping[str, Any]) -> None:
    if state.procedure_id is not None:
        return  # of a lot: custody's own table
    body = record["body"]
    named(state, body["custodian_key_sha256"])
    state.row("draw_share_key", bytes.fromhex(body["custodian_key_sha256"])).update(
        draw=record["subject"].removeprefix("draw:"),
        challenge_sha256=bytes.fromhex(body["challenge_sha256"]),
        state="challenged",
    )


def _proved(state: State, record: Mapping[str, Any]) -> None:
    if state.procedure_id is None:
        state.row("draw_share_key", bytes.fromhex(record["body"]["custodian_key_sha256"])).update(state="proved")


def _committee(state: State) -> dict[str, object]:
    return state.row("committee", state.procedure_id)


def _planned(state: State, record: Mapping[str, Any]) -> None:
    digest = record["body"]["plan_sha256"]
    named(state, digest)
    row = _committee(state)
    # A plan that is widened after its draw has begun leaves the draw under way.
    row.update(state=row.get("state", "planned"), draw=row.get("draw"), plan_sha256=bytes.fromhex(digest))


def _drawing(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    named(state, body["request_sha256"])
    _committee(state).update(state="drawing", draw=body["draw"])


def _appointed(state: State, record: Mapping[str, Any]) -> None:
    drawn = dict.fromkeys(("stratum", "attempt", "index_no"), None)
    body = record["body"]
    state.row("committee_member", body["seat"]).update(kind="representative", state="expected", **drawn)
    _held(state, body)


def _held(state: State, body: Mapping[str, Any]) -> None:
    state.row("seat_holder", body["seat"])["holder_commit"] = bytes.fromhex(body["holder_commit"])


def _formed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    for seat in body["seats"]:
        state.row("committee_member", seat["seat"]).update(
            kind="expert",
            stratum=seat["stratum"],
            state="expected",
            attempt=body["attempt"],
            index_no=seat["index"],
        )
    _committee(state).update(state=body["state"])


def _signed_in(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("committee_member", body["seat"]).update(state="present")
    if body["holder_commit"] is not None:
        _held(state, body)
    states = {row["state"] for row in state.rows["committee_member"].values()}
    known = state.known("committee", state.procedure_id) or {}
    if known.get("state") == "drawn" and "expected" not in states:
        _committee(state).update(state="seated")


def _left(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("committee_member", body["seat"]).update(state=body["state"])
    _committee(state).update(state="drawn" if body["reason_commit"] is None else "drawing")


def _disclosed(state: State, record: Mapping[str, Any]) -> None:
    for member in record["body"]["members"]:
        state.row("panel_name", member["seat"]).update(name=member["name"], employer=member["employer"])


FOLDS: Final[Mapping[str, Fold]] = {
    **dict.fromkeys(REGISTER_KINDS, _register),
    "expert.identities_kept": _identities,
    "pool.snapshot": _snapshot,
    "draw.policy_fixed": _policy_fixed,
    "draw.specified": _specified,
    "draw.escrowed": _answer("escrow", "escrow_sha256", party="use"),
    "draw.committed": _answer("contribution", "contribution_sha256", party="party", via="via"),
    "draw.share_checked": _answer("check", "check_sha256", custodian="custodian"),
    "draw.adjudicated": _answer("adjudication", "adjudication_sha256", custodian="custodian"),
    "draw.waived": _answer("waiver", "waiver_sha256"),
    "draw.sealed": _sealed,
    "draw.revealed": _answer("reveal", "reveal_sha256", party="party", via="via"),
    "draw.recovered": _answer("recovery", "recovery_sha256", party="party", custodian="custodian", via="via"),
    "draw.seeded": _seeded,
    "draw.called": _step,
    "draw.disposed": _step,
    "draw.contested": _contested,
    "draw.contest_decided": _contest_decided,
    "draw.result": _result,
    "draw.key_ordered": _answer("key_order", "order_sha256"),
    "draw.cancelled": _cancelled,
    "draw.disclosed": _ended("disclosed"),
    "custodian.challenged": _challenged,
    "custodian.proved": _proved,
    "committee.planned": _planned,
    "committee.drawing": _drawing,
    "committee.appointed": _appointed,
    "committee.formed": _formed,
    "seat.signed_in": _signed_in,
    "seat.left": _left,
    "panel.disclosed": _disclosed,
}


COMPARE: Final[tuple[Compare, ...]] = comparing.COMPARE
