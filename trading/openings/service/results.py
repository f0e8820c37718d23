"""Gaps, release close, combination, results of the opening (SB1 S9.7 to S9.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.bids import queries as bids
from trading.bids.rules.price import parse_price_document
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.openings import queries, store
from trading.openings.model import bid_event, lot_event
from trading.openings.rules.windows import may_combine, may_report_gaps
from trading.openings.service import session as sessions
from trading.openings.service.session import Session


def report_gaps(ledger: Ledger, actor: Actor, where: tuple[str, str, str], gaps: tuple[str, ...]) -> Recorded:
    """Record which bids lack shares or a part; nothing missing closes the release at once (S9.7)."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        row = session.begun()
        if row.gaps_at is not None:
            return _same(uow.connection, session, "release.gaps", row.gaps == gaps)
        if not may_report_gaps(sessions.ceremony(uow.connection, session), uow.at):
            raise RuleBroken("release.open", "SB1 S9.7")
        recorded = uow.record(lot_event("release.gaps", session.place, bids=list(gaps)))
        store.move(uow, recorded, row, gaps_at=uow.at, gaps=list(gaps), step="gaps")
        wait = session.schedule["rescue_ms"] if gaps else 0
        uow.wake("openings.advance", _arg(session), uow.at + wait)
    return recorded


def combined(ledger: Ledger, actor: Actor, where: tuple[str, str, str], items: list[dict[str, Any]]) -> Recorded:
    """Record the verdicts of every bid of the order before the first part is decrypted (S9.8)."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        row = session.begun()
        if row.step in {"combined", "completed"}:
            return _same(uow.connection, session, "opening.combined", None, items=items)
        if not may_combine(sessions.ceremony(uow.connection, session)):
            raise RuleBroken("release.open", "SB1 S9.8")
        order = sessions.document(uow.connection, row.order_sha256)
        if [item["bid"] for item in items] != [bid["bid"] for bid in order["bids"]]:
            raise InvalidInput("doc.bad_field", "items are not the bids of the order, in its order")
        recorded = uow.record(lot_event("opening.combined", session.place, "电子招标投标办法 30", items=items))
        store.move(uow, recorded, row, step="combined")
    return recorded


def opened(ledger: Ledger, actor: Actor, where: tuple[str, str, str], body: dict[str, Any]) -> Recorded:
    """Record one opened bid: ``bid.opened`` (S9.9). The transcripts settle whether it is true."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        item = _combined_item(uow.connection, session, body["bid"])
        before = _result_before(uow.connection, session, body["bid"])
        price_bytes = None if body["price"] is None else dumps(body["price"])
        if price_bytes is not None:
            parse_price_document(price_bytes)
            if sha256_hex(price_bytes) != body["price_sha256"]:
                raise InvalidInput("doc.bad_field", "price_sha256")
        if before is not None:
            return _same(uow.connection, session, "bid.opened", before.price == price_bytes, bid=body["bid"])
        if item["verdict"] != "OK":
            raise Conflict("the combination said that this bid does not open")
        head = bids.heads_of_lot(uow.connection, session.place.procedure_id, session.place.lot, session.place.stage)
        if body["bid"] not in head or head[body["bid"]].head_sha256 != body["envelope_sha256"]:
            raise NotFound("bid")
        recorded = uow.record(bid_event("bid.opened", session.place, body["bid"], body, "电子招标投标办法 30"))
        store.add_result(
            uow,
            recorded,
            session.place,
            bid_id=head[body["bid"]].id,
            verdict="OK",
            faults=list(item["faults"]),
            manifest_sha256=body["manifest_sha256"],
            price=price_bytes,
            price_sha256=body["price_sha256"],
        )
    return recorded


def not_opened(ledger: Ledger, actor: Actor, where: tuple[str, str, str], body: dict[str, Any]) -> Recorded:
    """Record why one bid did not open: ``bid.verdict`` (S9.9, S10)."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        item = _combined_item(uow.connection, session, body["bid"])
        before = _result_before(uow.connection, session, body["bid"])
        if before is not None:
            return _same(uow.connection, session, "bid.verdict", before.verdict == body["verdict"], bid=body["bid"])
        if item["faults"] != body["faults"] or (item["verdict"] != "OK" and item["verdict"] != body["verdict"]):
            raise Conflict("verdict and faults differ from the combination")
        head = bids.heads_of_lot(uow.connection, session.place.procedure_id, session.place.lot, session.place.stage)
        recorded = uow.record(bid_event("bid.verdict", session.place, body["bid"], body, "电子招标投标办法 31"))
        store.add_result(
            uow,
            recorded,
            session.place,
            bid_id=head[body["bid"]].id,
            verdict=body["verdict"],
            faults=list(body["faults"]),
        )
    return recorded


def _combined_item(conn: Any, session: Session, bid: str) -> dict[str, Any]:  # noqa: ANN401 - a connection
    records = [
        record
        for record in queries.entries(conn, session.place, ("opening.combined",))
        if (record["body"]["lot"], record["body"]["stage"]) == (session.place.lot, session.place.stage)
    ]
    if not records:
        raise Conflict("no opening.combined yet")
    for item in records[-1]["body"]["items"]:
        if item["bid"] == bid:
            return dict(item)
    raise NotFound("bid")


def _result_before(conn: Any, session: Session, bid: str) -> queries.Result | None:  # noqa: ANN401 - a connection
    return queries.results(conn, session.place).get(bid)


def _same(
    conn: Any,  # noqa: ANN401 - a connection
    session: Session,
    kind: str,
    equal: bool | None,  # noqa: FBT001 - a comparison already made, None: compare the body below
    **body: Any,  # noqa: ANN401 - JSON values
) -> Recorded:
    """Return the earlier record of a repeated call, or refuse a different one."""
    for record in reversed(queries.entries(conn, session.place, (kind,))):
        found = record["body"]
        if any(found.get(name) != value for name, value in body.items()):
            continue
        if equal is not False:
            return recorded_by_id(conn, record["id"])
    raise Conflict(f"another {kind} stands")


def _arg(session: Session) -> Mapping[str, str]:
    place = session.place
    return {"tender": place.procedure, "lot": place.lot, "stage": place.stage}
