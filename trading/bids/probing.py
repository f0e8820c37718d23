"""The hidden lots of the synthetic bidders, and what these tell of the platform (TE1 T6, ADR 0054).

A probe's lot is the lot of a draft that is never published. So whatever shows what was published knows nothing of it:
pages, feeds, counts, statistics, bundles, other bidders. Its bids go the way of every bid (``bids.service``), and
nobody can open them: the keys of its custodians are thrown away as they are made.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, text

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.queries import placed
from trading.audit.tables import audit_entry
from trading.bids import model, queries, store
from trading.bids.rules import hidden
from trading.bids.rules.hidden import LOT, NEVER_MS, STAGE
from trading.bids.rules.outages import SILENT_MS, VANTAGES, Probe
from trading.bids.rules.policy import MIN_CUSTODIANS
from trading.bids.rules.probing import Round, not_told, recovers
from trading.crypto.keys import SEED_BYTES, xwing_public_key
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, IntegrityFailure, NotFound
from trading.kernel.events import Event
from trading.kernel.ids import new_bid_reference
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.lifecycle import LotPhase
from trading.procedures.rules.spec import parse_spec

RECOVER: Final = "bids.recover"
#: Written as in the partial indexes audit_entry_probe and audit_entry_probe_lot.
_IS_PROBE: Final = text("audit_entry.kind = 'availability.state'")
IS_LOT: Final = text("audit_entry.kind = 'probe.opened'")
_OPENING: Final = 0x6D62_7072  # one hidden lot is opened at a time
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLot:
    """The hidden lot of one vantage point, with the bid id of its synthetic bidder and the policy that it seals to."""

    vantage: str
    bidder: str
    tender: str
    bid: str
    policy: bytes

    def told(self) -> dict[str, str]:
        """Return what the synthetic bidder must know of it."""
        return {
            "bid": self.bid,
            "bidder": self.bidder,
            "policy": b64u(self.policy),
            "tender": self.tender,
            "vantage": self.vantage,
        }


def open_lot(ledger: Ledger, actor: Actor, vantage: str) -> ProbeLot:
    """Return the hidden lot of a vantage point, opened for the organisation of its synthetic bidder if need be.

    Raises:
        Conflict: Another organisation has the vantage point, or this one another.
    """
    bidder = actor.organisation
    if vantage not in VANTAGES or bidder is None:
        raise ValueError(f"{vantage} is no vantage point, or the actor has no organisation")
    with ledger.begin(actor) as uow:
        uow.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_OPENING,))
        for record in _opened(uow.connection):
            told = (record["body"]["vantage"] == vantage, record["body"]["bidder"] == bidder)
            if all(told):
                return _known(uow.connection, record)
            if any(told):
                raise Conflict(f"{vantage} has a synthetic bidder, or {bidder} has another vantage point")
        reference = procedures.enter(uow, parse_spec(hidden.specification(bidder)))
        row = procedure_queries.find(uow.connection, reference)
        keys = [xwing_public_key(secrets.token_bytes(SEED_BYTES)) for _ in range(MIN_CUSTODIANS)]
        policy = hidden.policy(reference, keys)
        _open(uow, row, bidder, vantage, SignedDocument(policy))
        bid = _start(uow, row, bidder)
        return ProbeLot(vantage=vantage, bidder=bidder, tender=reference, bid=bid, policy=policy)


def _known(conn: Connection, record: Mapping[str, Any]) -> ProbeLot:
    """Return a hidden lot that is there already."""
    body, row = record["body"], procedure_queries.find(conn, record["procedure"])
    bid = queries.bid_of(conn, row.id, LOT, STAGE, body["bidder"])
    policy = queries.policy(conn, body["policy_sha256"])
    if bid is None or policy is None:
        raise IntegrityFailure(f"the hidden lot of {body['vantage']} is not whole")
    told = {name: body[name] for name in ("bidder", "vantage")}
    return ProbeLot(**told, tender=row.reference, bid=bid, policy=policy.raw)


def _open(uow: UnitOfWork, row: ProcedureRow, bidder: str, vantage: str, policy: SignedDocument) -> None:
    schedule = SignedDocument(hidden.schedule(row.reference))
    body = {
        "bidder": bidder,
        "lot": LOT,
        "policy_sha256": policy.sha256,
        "schedule_sha256": schedule.sha256,
        "stage": STAGE,
        "vantage": vantage,
    }
    event = Event(kind="probe.opened", subject=f"lot:{LOT}", body=body, procedure=row.reference, procedure_id=row.id)
    recorded = uow.record(event)
    for document in (policy, schedule):
        documents.add(uow, recorded, row.id, document)
    rows.move_lot(
        uow,
        recorded,
        procedure_queries.find_lot(uow.connection, row.id, LOT, STAGE),
        phase=LotPhase.OPEN.value,
        close_at=NEVER_MS,
        policy_sha256=bytes.fromhex(policy.sha256),
        schedule_sha256=bytes.fromhex(schedule.sha256),
    )


def _start(uow: UnitOfWork, row: ProcedureRow, bidder: str) -> str:
    bid = new_bid_reference()
    event = model.start(bid=bid, bidder=bidder, lot=LOT, stage=STAGE, procedure=row.reference, procedure_id=row.id)
    store.add_head(
        uow,
        uow.record(event),
        procedure_id=row.id,
        lot_number=LOT,
        stage=STAGE,
        reference=bid,
        bidder=bidder,
    )
    return bid


def tell(ledger: Ledger, actor: Actor, rounds: Sequence[Round]) -> int:
    """Record what the synthetic bidder of the actor's organisation found, and return until when it has told (ms).

    What it has told before is passed over, so that it may tell again what nobody answered. The end of a failure is
    looked into at once (T6: "at each recovery").

    Raises:
        NotFound: The organisation has no probe.
        RuleBroken: ``probe.ahead``.
    """
    with ledger.begin(actor) as uow:
        own = _own(uow.connection, actor.organisation or "")
        if own is None:
            raise NotFound("probe")
        rows.lock_for_update(uow, own[0])
        vantage = own[1]
        before = [each for each in probes(uow.connection, uow.at) if each["body"]["vantage"] == vantage]
        told_until = _told_until(uow.connection, vantage)
        fresh = not_told(rounds, told_until, uow.at)
        told = [_record(uow, vantage, each) for each in fresh]
        if recovers(map(Probe.of, (*before, *told)), [each["h"] for each in told]):
            uow.wake(RECOVER, {}, uow.at)
    return max((each.end for each in fresh), default=told_until)


def _told_until(conn: Connection, vantage: str) -> int:
    bodies = (record["body"] for _, record in _newest_first(conn))
    return next((body["from"] + body["ms"] for body in bodies if body["vantage"] == vantage), 0)


def _record(uow: UnitOfWork, vantage: str, found: Round) -> dict[str, Any]:
    body = {**found.to_json(), "vantage": vantage}
    recorded = uow.record(Event(kind="availability.state", subject=f"vantage:{vantage}", body=body))
    return {"body": body, "h": recorded.h.hex()}


def _opened(conn: Connection) -> Iterator[dict[str, Any]]:
    """Yield the record of every hidden lot: one for each vantage point."""
    for record in conn.execute(select(audit_entry.c.record).where(IS_LOT)).scalars():
        yield loads_object(bytes(record))


def _own(conn: Connection, organisation: str) -> tuple[str, str] | None:
    """Return reference and vantage point of an organisation's hidden lot, or None."""
    own = (each for each in _opened(conn) if each["body"]["bidder"] == organisation)
    return next(((each["procedure"], each["body"]["vantage"]) for each in own), None)


def probes(conn: Connection, since: int) -> list[dict[str, Any]]:
    """Return what the vantage points told of the time after ``since`` (ms), in log order, as ``placed`` gives it.

    Of each the last good round before comes, too, so that every failure is whole, unless it is older than a day.
    """
    waited, first = set(VANTAGES), None
    for entry_id, record in _newest_first(conn):
        body = record["body"]
        if body["ok"] and body["from"] + body["ms"] <= since:
            waited.discard(body["vantage"])
        if record["at"] < since - SILENT_MS:
            break
        first = entry_id
        if not waited:
            break
    return [] if first is None else list(placed(conn, _IS_PROBE, audit_entry.c.id >= first))


def _newest_first(conn: Connection) -> Iterator[tuple[int, Mapping[str, Any]]]:
    query = select(audit_entry.c.id, audit_entry.c.record).where(_IS_PROBE).order_by(audit_entry.c.id.desc())
    page = conn.execute(query.limit(_PAGE)).all()
    while page:
        for row in page:
            yield row.id, loads_object(bytes(row.record))
        page = conn.execute(query.where(audit_entry.c.id < page[-1].id).limit(_PAGE)).all()
