"""Gaps, release close, combination, results of the opening (SB1 S9.7 to S9.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.bids import queries as bids
from trading.bids.rules.fields import bid_id, custodian_index, organisation_code
from trading.bids.rules.price import parse_price_document
from trading.kernel import fields
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import Conflict, InvalidInput, NotFound
from trading.kernel.roles import Actor
from trading.openings import queries, store
from trading.openings.model import NotYet, bid_event, lot_event
from trading.openings.rules.verdicts import AFTER_PENDING, Code, Fault, FaultCode, settled_faults
from trading.openings.rules.windows import may_combine, may_report_gaps
from trading.openings.service import session as sessions
from trading.openings.service.session import Session

_FAULT: Final = fields.record({"code": fields.one_of(*FaultCode), "custodian": custodian_index})
_FAULTS: Final = fields.sorted_by(lambda fault: fault["custodian"], _FAULT)
_VERDICT: Final = fields.record({"bid": bid_id, "faults": _FAULTS, "verdict": fields.one_of(*Code)})
_GAPS: Final = fields.sorted_by(fields.itself, bid_id)
_COMBINED: Final = fields.sorted_by(lambda item: item["bid"], _VERDICT)
_OPENED: Final = fields.record(
    {
        "bid": bid_id,
        "bidder": organisation_code,
        "envelope_sha256": fields.digest,
        "manifest_sha256": fields.nullable(fields.digest),
        "price": lambda value: value,  # a whole document of its own; its parser admits it
        "price_sha256": fields.nullable(fields.digest),
    }
)


def _require_form(reader: fields.Reader, value: object, name: str) -> None:
    try:
        reader(value)
    except ValueError as error:
        raise InvalidInput("doc.bad_field", f"{name}: {error}") from error


def report_gaps(ledger: Ledger, actor: Actor, where: tuple[str, str, str], gaps: list[str]) -> Recorded:
    """Record which bids lack shares or a part; nothing missing closes the release at once (S9.7).

    Raises:
        InvalidInput: Not bids of the order, sorted.
        NotYet: Custodians may still release.
        Conflict: Other gaps were reported.
    """
    _require_form(_GAPS, gaps, "bids")
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        row = session.begun()
        if row.gaps_at is not None:
            return _same(uow.connection, session, "release.gaps", {**_place(session), "bids": gaps})
        order = sessions.document(uow.connection, row.order_sha256)
        if not set(gaps) <= {bid["bid"] for bid in order["bids"]}:
            raise InvalidInput("doc.bad_field", "a bid that the order does not have")
        if not may_report_gaps(sessions.ceremony(uow.connection, session), uow.at):
            raise NotYet("custodians may still release")
        recorded = uow.record(lot_event("release.gaps", session.place, bids=gaps))
        store.move(uow, recorded, row, gaps_at=uow.at, gaps=gaps, step="gaps")
        wait = session.schedule["rescue_ms"] if gaps else 0
        uow.wake("openings.advance", sessions.arg(session.place), uow.at + wait)
    return recorded


def combined(ledger: Ledger, actor: Actor, where: tuple[str, str, str], items: list[dict[str, Any]]) -> Recorded:
    """Record the verdicts of every bid of the order before the first part is decrypted (S9.8).

    Raises:
        InvalidInput: Not exactly the bids of the order with a verdict each.
        NotYet: Before ``release.closed``.
        Conflict: Another combination stands.
    """
    _require_form(_COMBINED, items, "items")
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        row = session.begun()
        if row.step in {"combined", "completed"}:
            return _same(uow.connection, session, "opening.combined", {**_place(session), "items": items})
        if not may_combine(sessions.ceremony(uow.connection, session)):
            raise NotYet("the release is not closed yet")
        order = sessions.document(uow.connection, row.order_sha256)
        if [item["bid"] for item in items] != [bid["bid"] for bid in order["bids"]]:
            raise InvalidInput("doc.bad_field", "items are not the bids of the order, in its order")
        recorded = uow.record(lot_event("opening.combined", session.place, "电子招标投标办法 30", items=items))
        store.move(uow, recorded, row, step="combined")
    return recorded


def opened(ledger: Ledger, actor: Actor, where: tuple[str, str, str], body: dict[str, Any]) -> Recorded:
    """Record one opened bid: ``bid.opened`` (S9.9). The transcripts settle whether it is true.

    Raises:
        InvalidInput: A field is missing or ill-formed, or the price does not hash to ``price_sha256``.
        NotYet: Before ``opening.combined``.
        NotFound: Not a bid of the order.
        Conflict: Another result stands, or the combination said that the bid does not open.
    """
    _require_form(_OPENED, body, "opened")
    price = _price(body)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        item = _combined_item(uow.connection, session, body["bid"])
        if _has_result(uow.connection, session, body["bid"]):
            return _same(uow.connection, session, "bid.opened", body)
        if item["verdict"] != Code.OK:
            raise Conflict("the combination said that this bid does not open")
        head = bids.heads_of_lot(uow.connection, session.place.procedure_id, session.place.lot, session.place.stage)
        own = head[body["bid"]]
        if (own.head_sha256, own.bidder) != (body["envelope_sha256"], body["bidder"]):
            raise InvalidInput("doc.bad_field", "bidder or envelope_sha256")
        recorded = uow.record(bid_event("bid.opened", session.place, body["bid"], body, "电子招标投标办法 30"))
        store.add_result(
            uow,
            recorded,
            session.place,
            bid_id=own.id,
            verdict=Code.OK.value,
            faults=list(item["faults"]),
            manifest_sha256=body["manifest_sha256"],
            price=price,
            price_sha256=body["price_sha256"],
        )
    return recorded


def _price(body: Mapping[str, Any]) -> bytes | None:
    """Return the canonical bytes of the price document; None for a stage without one."""
    if (body["price"] is None) != (body["price_sha256"] is None):
        raise InvalidInput("doc.bad_field", "price and price_sha256 go together")
    if body["price"] is None:
        return None
    try:
        raw = dumps(body["price"])
    except ValueError as error:
        raise InvalidInput("doc.bad_field", "price") from error
    document = parse_price_document(raw)
    if sha256_hex(raw) != body["price_sha256"] or (document.bid, document.bidder) != (body["bid"], body["bidder"]):
        raise InvalidInput("doc.bad_field", "price: another bid or bidder, or another hash than price_sha256")
    return raw


def not_opened(ledger: Ledger, actor: Actor, where: tuple[str, str, str], body: dict[str, Any]) -> Recorded:
    """Record why one bid did not open: ``bid.verdict`` (S9.9, S10); ``PENDING`` may be followed by a final one (row 9).

    Raises:
        InvalidInput: A field is missing or ill-formed.
        NotYet: Before ``opening.combined``, or before the adjudication that a final verdict follows.
        NotFound: Not a bid of the order.
        Conflict: Another result stands, or verdict and faults differ from the combination.
    """
    _require_form(_VERDICT, body, "verdict")
    if body["verdict"] == Code.OK:
        raise InvalidInput("doc.bad_field", "a bid that opens has no verdict but its content")
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        item = _combined_item(uow.connection, session, body["bid"])
        known = queries.results(uow.connection, session.place).get(body["bid"])
        is_final = item["verdict"] == Code.PENDING != body["verdict"]
        if known is not None and not (is_final and known.verdict == Code.PENDING):
            return _same(uow.connection, session, "bid.verdict", body)
        _require_faults(uow.connection, session, item, body, is_final=is_final)
        head = bids.heads_of_lot(uow.connection, session.place.procedure_id, session.place.lot, session.place.stage)
        recorded = uow.record(bid_event("bid.verdict", session.place, body["bid"], body, "电子招标投标办法 31"))
        bid_row = head[body["bid"]].id
        told = {"verdict": body["verdict"], "faults": list(body["faults"])}
        if known is None:
            store.add_result(uow, recorded, session.place, bid_id=bid_row, **told)
        else:
            store.settle_result(uow, recorded, bid_row, **told)
    return recorded


def _require_faults(
    conn: Connection, session: Session, item: Mapping[str, Any], body: Mapping[str, Any], *, is_final: bool
) -> None:
    """Compare a verdict with the combination; a final one with what the adjudications since then add to it."""
    if not is_final:
        if item["faults"] != body["faults"] or item["verdict"] not in {Code.OK, body["verdict"]}:
            raise Conflict("verdict and faults differ from the combination")
        return
    findings = queries.findings(conn, session.place).get(body["bid"])
    if findings is None:
        raise NotYet("the shares of this bid are not adjudicated yet")
    before = [Fault(custodian=fault["custodian"], code=FaultCode(fault["code"])) for fault in item["faults"]]
    expected = [fault.as_json() for fault in settled_faults(before, findings)]
    if body["verdict"] not in AFTER_PENDING or body["faults"] != expected:
        raise Conflict("the verdict does not follow from combination and adjudications")


def _combined_item(conn: Connection, session: Session, bid: str) -> dict[str, Any]:
    if session.begun().step not in {"combined", "completed"}:
        raise NotYet("no opening.combined yet")
    records = [
        record
        for record in queries.entries(conn, session.place, ("opening.combined",))
        if record["body"].items() >= _place(session).items()
    ]
    for item in records[-1]["body"]["items"]:
        if item["bid"] == bid:
            return dict(item)
    raise NotFound("bid")


def _place(session: Session) -> dict[str, Any]:
    return {"lot": session.place.lot, "stage": session.place.stage}


def _has_result(conn: Connection, session: Session, bid: str) -> bool:
    return bid in queries.results(conn, session.place)


def _same(conn: Connection, session: Session, kind: str, body: Mapping[str, Any]) -> Recorded:
    """Return the earlier record of a repeated call, or refuse a different one."""
    for record in reversed(queries.entries(conn, session.place, (kind,))):
        if record["body"] == body:
            return recorded_by_id(conn, record["id"])
    raise Conflict(f"another {kind} stands")
