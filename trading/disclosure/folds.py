"""What records say of requests for disclosure and of the annual table's other sources (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Compare, Fold, Replayed, State
from trading.disclosure.tables import annual_declared, disclosure_contest, disclosure_request, gazette_print
from trading.kernel.canonical import dumps

REPLAYED: Final = (
    Replayed(table=disclosure_request.name, key=("number",)),
    Replayed(table=disclosure_contest.name, key=("entry_id",)),
    Replayed(table=gazette_print.name, key=("document",)),
    Replayed(table=annual_declared.name, key=("year",)),
)
COMPARE: Final[tuple[Compare, ...]] = ()
_LATER: Final = (
    *("received_on", "handler", "extended_by", "extension_reason"),
    *("outcome", "ground", "reason", "fee_waived", "replied_at"),
)


def _request(state: State, record: Mapping[str, Any]) -> dict[str, object]:
    return state.row(disclosure_request.name, record["body"]["number"])


def _begun(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    _request(state, record).update(
        channel=body["channel"],
        commit=bytes.fromhex(body["commit"]),
        asked_at=record["at"],
        **dict.fromkeys(_LATER),
    )


def _received(state: State, record: Mapping[str, Any]) -> None:
    if "commit" in record["body"]:
        _begun(state, record)
    _request(state, record).update(received_on=record["body"]["received_on"], handler=record["actor"])


def _extended(state: State, record: Mapping[str, Any]) -> None:
    _request(state, record).update(extended_by=record["actor"], extension_reason=record["body"]["reason"])


def _replied(state: State, record: Mapping[str, Any]) -> None:
    told = {name: record["body"][name] for name in ("outcome", "ground", "reason", "fee_waived")}
    _request(state, record).update(replied_at=record["at"], **told)


def _contested(state: State, record: Mapping[str, Any]) -> None:
    state.row(disclosure_contest.name, state.entry_id).update(record["body"])


def _printed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    row = state.row(gazette_print.name, bytes.fromhex(body["document"]))
    row.update(issue=body["issue"], printed_on=body["printed_on"])


def _declared(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row(annual_declared.name, body["year"]).update(
        of_year=dumps(body["of_year"]).decode(),
        cumulative=dumps(body["cumulative"]).decode(),
        source=body["source"],
        reason=body["reason"],
    )


FOLDS: Final[Mapping[str, Fold]] = {
    "disclosure.asked": _begun,
    "disclosure.received": _received,
    "disclosure.extended": _extended,
    "disclosure.replied": _replied,
    "disclosure.contested": _contested,
    "gazette.printed": _printed,
    "annual.declared": _declared,
}
