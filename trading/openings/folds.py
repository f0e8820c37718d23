"""What records say of ceremonies, answers, factors and opened bids (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State, differences
from trading.bids.rules.envelope import parse_envelope
from trading.bids.tables import bid, bid_version
from trading.crypto.shares import commit_factor, commit_seed
from trading.documents.folds import content_of
from trading.documents.tables import document
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput
from trading.openings.tables import bid_factor, custodian_answer, opened_bid, opening

REPLAYED: Final = (
    Replayed(table=opening.name, key=("lot", "stage")),
    Replayed(table=custodian_answer.name, key=("kind", "custodian", "doc_sha256")),
)


_LATER: Final = (
    *("factor_ends_at", "factor_list_sha256", "factor_closed_at"),
    *("gaps_at", "gaps", "release_closed_at"),
)


def _opening(state: State, record: Mapping[str, Any]) -> dict[str, object]:
    return state.row("opening", record["body"]["lot"], record["body"]["stage"])


def _ordered(state: State, record: Mapping[str, Any]) -> None:
    body, at = record["body"], record["at"]
    known = state.known("opening", body["lot"], body["stage"])
    row = _opening(state, record)
    row.update(order_sha256=bytes.fromhex(body["order_sha256"]), ordered_at=at)
    if known is None:
        row.update(step="ordered", first_ordered_at=at, **dict.fromkeys(_LATER, None))


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


def _combined(state: State, record: Mapping[str, Any]) -> None:
    _opening(state, record).update(step="combined")
    for item in record["body"]["items"]:
        state.facts.setdefault("combined", {})[item["bid"]] = item["faults"]


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
    "opening.combined": _combined,
    "opening.completed": _step("completed"),
    "share.checked": _answer("check", "check_sha256"),
    "share.released": _answer("release", "release_sha256"),
    "share.adjudicated": _answer("adjudication", "adjudication_sha256"),
    "factor.revealed": _by_bid("revealed"),
    "rescue.accepted": _by_bid("rescued"),
    "bid.opened": _by_bid("opened"),
    "bid.verdict": _by_bid("opened"),
}


def compare_results(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every opened bid whose row is not what its record says, and rows without a record."""
    expected: dict[str, tuple[int, Mapping[str, Any]]] = dict(state.facts.get("opened", {}))
    query = select(opened_bid, bid.c.reference).outerjoin(bid, bid.c.id == opened_bid.c.bid_id)
    for row in conn.execute(query.where(opened_bid.c.procedure_id == state.procedure_id)):
        found = expected.pop(row.reference, None)
        if found is None:
            yield Mismatch(table="opened_bid", id=row.id, column="*", stored=row.reference, expected=None)
            continue
        entry_id, body = found
        faults = state.facts.get("combined", {}).get(row.reference, [])
        for column, value in {"entry_id": entry_id, **_result_columns(body, faults)}.items():
            stored = row._mapping[column]
            if (bytes(stored) if isinstance(stored, memoryview | bytes) else stored) != value:
                yield Mismatch(table="opened_bid", id=row.id, column=column, stored=stored, expected=value)
    for reference, (entry_id, _) in expected.items():
        yield Mismatch(table="opened_bid", id=None, column="*", stored=None, expected=reference, entry_id=entry_id)


def _result_columns(body: Mapping[str, Any], faults: Any) -> dict[str, object]:  # noqa: ANN401 - JSON
    if "verdict" in body:
        nothing = dict.fromkeys(("price", "price_sha256", "manifest_sha256"), None)
        return {"verdict": body["verdict"], "faults": dumps(body["faults"]), **nothing}
    return {
        "verdict": "OK",
        "faults": dumps(faults),
        "price": None if body["price"] is None else dumps(body["price"]),
        "price_sha256": None if body["price_sha256"] is None else bytes.fromhex(body["price_sha256"]),
        "manifest_sha256": None if body["manifest_sha256"] is None else bytes.fromhex(body["manifest_sha256"]),
    }


def compare_factors(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every revealed factor or rescue without its record, unlike what it says, or unlike its commitment."""
    revealed: Mapping[str, tuple[int, Mapping[str, Any]]] = state.facts.get("revealed", {})
    rescued: Mapping[str, tuple[int, Mapping[str, Any]]] = state.facts.get("rescued", {})
    missing = {*revealed, *rescued}
    query = (
        select(bid_factor, bid.c.reference, bid_version.c.bytes)
        .outerjoin(bid, bid.c.id == bid_factor.c.bid_id)
        .outerjoin(bid_version, (bid_version.c.bid_id == bid.c.id) & (bid_version.c.doc_sha256 == bid.c.head_sha256))
    )
    for row in conn.execute(query.where(bid_factor.c.procedure_id == state.procedure_id)).mappings():
        if row["reference"] not in missing:
            yield Mismatch(table="bid_factor", id=row["id"], column="*", stored=row["bid_id"], expected=None)
            continue
        missing.remove(row["reference"])
        entry_id, body = rescued.get(row["reference"]) or revealed[row["reference"]]
        body = revealed.get(row["reference"], (0, {**body, "via": "platform"}))[1]
        expected = {"entry_id": entry_id, "received_at": body["received_at"], "via": body["via"]}
        for column, value in expected.items():
            if row[column] != value:
                yield Mismatch(table="bid_factor", id=row["id"], column=column, stored=row[column], expected=value)
        for column in _broken_commitments(row):
            wanted = "that of the envelope"
            yield Mismatch(table="bid_factor", id=row["id"], column=column, stored="another secret", expected=wanted)
    for reference in sorted(missing):
        entry_id, _ = rescued.get(reference) or revealed[reference]
        yield Mismatch(table="bid_factor", id=None, column="*", stored=None, expected=reference, entry_id=entry_id)


def _broken_commitments(row: RowMapping) -> Iterator[str]:
    """Yield the columns whose secret is not the one that the envelope commits to (SB1 S4.3)."""
    try:
        envelope = parse_envelope(bytes(row["bytes"] or b""))
    except InvalidInput:
        return  # found as a version
    ctx, s_b = envelope.context.bytes(), bytes(row["s_b"])
    if envelope.factor_commit is not None and commit_factor(s_b, ctx) != envelope.factor_commit:
        yield "s_b"
    elif row["s_c"] is not None and commit_seed(bytes(row["s_c"]), s_b, ctx) != envelope.seed_commit:
        yield "s_c"


def compare_answers(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every answer of a custodian that is stored for another order than its document names."""
    columns = (custodian_answer.c.id, custodian_answer.c.order_sha256, document.c.sha256, document.c.bytes)
    joined = select(*columns).join(
        document,
        (document.c.sha256 == custodian_answer.c.doc_sha256)
        & (document.c.procedure_id == custodian_answer.c.procedure_id),
    )
    for row in conn.execute(joined.where(custodian_answer.c.procedure_id == state.procedure_id)):
        content = content_of(bytes(row.bytes), bytes(row.sha256))
        stored, expected = bytes(row.order_sha256).hex(), None if content is None else content["order_sha256"]
        if expected not in {stored, None}:
            yield Mismatch(table="custodian_answer", id=row.id, column="order_sha256", stored=stored, expected=expected)


def compare_orders(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield ceremonies whose number of the order is not the one in the order."""
    query = select(opening.c.id, opening.c.entry_id, opening.c.order_seq, document.c.sha256, document.c.bytes).join(
        document,
        (document.c.sha256 == opening.c.order_sha256) & (document.c.procedure_id == opening.c.procedure_id),
    )
    for row in conn.execute(query.where(opening.c.procedure_id == state.procedure_id)).mappings():
        content = content_of(bytes(row["bytes"]), bytes(row["sha256"]))
        if content is not None:
            yield from differences("opening", row, {"order_seq": content["seq"]})


COMPARE: Final[tuple[Compare, ...]] = (compare_results, compare_factors, compare_answers, compare_orders)
