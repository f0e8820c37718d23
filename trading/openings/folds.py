"""What records say of ceremonies, answers, factors and opened bids (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.bids.tables import bid
from trading.kernel.canonical import dumps
from trading.openings.tables import bid_factor, custodian_answer, opened_bid, opening

REPLAYED: Final = (
    Replayed(table=opening.name, key=("lot", "stage")),
    Replayed(table=custodian_answer.name, key=("kind", "custodian", "doc_sha256")),
)


def _opening(state: State, record: Mapping[str, Any]) -> dict[str, object]:
    return state.row("opening", record["body"]["lot"], record["body"]["stage"])


def _ordered(state: State, record: Mapping[str, Any]) -> None:
    body, at = record["body"], record["at"]
    known = state.known("opening", body["lot"], body["stage"])
    row = _opening(state, record)
    row.update(order_sha256=bytes.fromhex(body["order_sha256"]), ordered_at=at)
    if known is None:
        row.update(step="ordered", order_seq=1, first_ordered_at=at)
    else:
        row.pop("order_seq", None)  # the number stands in the order itself


def _factor_opened(state: State, record: Mapping[str, Any]) -> None:
    _opening(state, record).update(step="factor", factor_ends_at=record["body"]["ends_at"])


def _factor_closed(state: State, record: Mapping[str, Any]) -> None:
    _opening(state, record).update(
        step="factor_closed",
        factor_list_sha256=bytes.fromhex(record["body"]["factor_list_sha256"]),
        factor_closed_at=record["at"],
    )


def _gaps(state: State, record: Mapping[str, Any]) -> None:
    _opening(state, record).update(step="gaps", gaps_at=record["at"], gaps=record["body"]["bids"])


def _release_closed(state: State, record: Mapping[str, Any]) -> None:
    _opening(state, record).update(step="release_closed", release_closed_at=record["at"])


def _step(step: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        _opening(state, record).update(step=step)

    return fold


def _answer(kind: str, digest_name: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        body = record["body"]
        state.row("custodian_answer", kind, body["custodian"], bytes.fromhex(body[digest_name])).update(
            lot=body["lot"], stage=body["stage"]
        )

    return fold


def _by_bid(name: str) -> Fold:
    def fold(state: State, record: Mapping[str, Any]) -> None:
        state.facts.setdefault(name, {})[record["body"]["bid"]] = (state.entry_id, record["body"])

    return fold


FOLDS: Final[Mapping[str, Fold]] = {
    "open.ordered": _ordered,
    "factor.opened": _factor_opened,
    "factor.closed": _factor_closed,
    "release.gaps": _gaps,
    "release.closed": _release_closed,
    "opening.combined": _step("combined"),
    "opening.completed": _step("completed"),
    "share.checked": _answer("check", "check_sha256"),
    "share.released": _answer("release", "release_sha256"),
    "share.adjudicated": _answer("adjudication", "adjudication_sha256"),
    "factor.revealed": _by_bid("revealed"),
    "bid.opened": _by_bid("opened"),
    "bid.verdict": _by_bid("opened"),
}


def compare_results(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every opened bid whose row is not what its record says, and rows without a record."""
    expected: dict[str, tuple[int, Mapping[str, Any]]] = dict(state.facts.get("opened", {}))
    query = select(opened_bid, bid.c.reference).join(bid, bid.c.id == opened_bid.c.bid_id)
    for row in conn.execute(query.where(opened_bid.c.procedure_id == state.procedure_id)):
        found = expected.pop(row.reference, None)
        if found is None:
            yield Mismatch(table="opened_bid", id=row.id, column="*", stored=row.reference, expected=None)
            continue
        entry_id, body = found
        for column, value in {"entry_id": entry_id, **_result_columns(body)}.items():
            stored = row._mapping[column]
            if (bytes(stored) if isinstance(stored, memoryview | bytes) else stored) != value:
                yield Mismatch(table="opened_bid", id=row.id, column=column, stored=stored, expected=value)
    for reference in expected:
        yield Mismatch(table="opened_bid", id=None, column="*", stored=None, expected=reference)


def _result_columns(body: Mapping[str, Any]) -> dict[str, object]:
    if "verdict" in body:
        return {"verdict": body["verdict"], "faults": dumps(body["faults"]), "price": None, "price_sha256": None}
    return {
        "verdict": "OK",
        "price": None if body["price"] is None else dumps(body["price"]),
        "price_sha256": None if body["price_sha256"] is None else bytes.fromhex(body["price_sha256"]),
        "manifest_sha256": None if body["manifest_sha256"] is None else bytes.fromhex(body["manifest_sha256"]),
    }


def compare_factors(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every revealed factor without its record, or received at another instant than it says."""
    expected: Mapping[str, tuple[int, Mapping[str, Any]]] = state.facts.get("revealed", {})
    query = select(bid_factor.c.id, bid_factor.c.received_at, bid_factor.c.via, bid.c.reference).join(
        bid, bid.c.id == bid_factor.c.bid_id
    )
    for row in conn.execute(query.where(bid_factor.c.procedure_id == state.procedure_id)):
        found = expected.get(row.reference)
        if found is None:
            yield Mismatch(table="bid_factor", id=row.id, column="*", stored=row.reference, expected=None)
            continue
        for column in ("received_at", "via"):
            if row._mapping[column] != found[1][column]:
                stored, value = row._mapping[column], found[1][column]
                yield Mismatch(table="bid_factor", id=row.id, column=column, stored=stored, expected=value)


COMPARE: Final[tuple[Compare, ...]] = (compare_results, compare_factors)
