"""Use cases of the bidder's desk: follow a tender, see the own way through it (SUB-07: nobody else is served this)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.queries import entry_by_h
from trading.audit.rules.proof import ReceiptState
from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt, LogReader, reader, receipt
from trading.bids import queries as bids
from trading.bids.model import BidHead
from trading.bids.rules.envelope import parse_envelope
from trading.crypto.signatures import sign_document
from trading.evaluation import queries as evaluation
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import NotFound, NotPermitted
from trading.kernel.ids import is_practice
from trading.kernel.roles import Actor
from trading.notices.queries import page as pages
from trading.notices.queries.result import result as public_result
from trading.notices.queries.values import Lot, Page
from trading.notices.rules.progress import LotState
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.queries import OpeningRow
from trading.openings.service import rehearsals
from trading.participation import store
from trading.participation.queries import own as queries
from trading.participation.queries import practice
from trading.participation.queries.opening import opening_of
from trading.participation.queries.own import Act, MyTender
from trading.participation.queries.values import (
    Examination,
    Opened,
    OpenedItem,
    Outcome,
    OwnLot,
    Rehearsal,
    Version,
)
from trading.participation.rules.tasks import Situation, tasks
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.lifecycle import ProcedurePhase

_PUBLIC: Final = frozenset({ProcedurePhase.PUBLISHED, ProcedurePhase.CANCELLED})


def organisation_of(actor: Actor) -> str:
    """Return the organisation that the actor bids for.

    Raises:
        NotPermitted: It acts for none.
    """
    if actor.organisation is None:
        raise NotPermitted("an account of an organisation is needed")
    return actor.organisation


def _published(conn: Connection, reference: str) -> ProcedureRow:
    row = procedures.find(conn, reference)
    if row.phase not in _PUBLIC:
        raise NotFound(reference)
    return row


def _visible(conn: Connection, reference: str, organisation: str) -> ProcedureRow:
    """Return a published tender, or a practice tender of this very organisation."""
    if not is_practice(reference):
        return _published(conn, reference)
    row = procedures.find(conn, reference)
    if not practice.is_own(conn, row.id, organisation):
        raise NotFound(reference)
    return row


def follow(ledger: Ledger, actor: Actor, reference: str, *, wanted: bool) -> None:
    """Follow a published tender, or follow it no longer. Kept on the desk, in no record: nobody is to know (NOT-36).

    Raises:
        NotFound: No such tender, or it is not published.
    """
    with ledger.begin(actor) as uow:
        row = _published(uow.connection, reference)
        (store.follow if wanted else store.unfollow)(uow, row.id)


def my_tenders(ledger: Ledger, actor: Actor, now: int) -> tuple[MyTender, ...]:
    """Return the tenders that this person follows or its organisation bids in."""
    organisation = organisation_of(actor)
    with ledger.begin(actor) as uow:
        return queries.tenders(uow.connection, actor.account, organisation, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The workspace of one tender."""

    page: Page
    followed: bool
    lots: tuple[OwnLot, ...]


def desk(process: Runtime, actor: Actor, reference: str, now: int) -> Desk:
    """Return the workspace of a tender: its public page and, lot by lot, what this organisation has done.

    Raises:
        NotFound: No such tender, or it is not published.
    """
    organisation = organisation_of(actor)
    with process.ledger.begin(actor) as uow:
        conn = uow.connection
        row = _visible(conn, reference, organisation)
        page = pages.practice_page(conn, row, now) if is_practice(reference) else pages.page(conn, reference, now)
        own = {
            (each.lot, each.stage): each for each in bids.own_bids(conn, organisation) if each.procedure_id == row.id
        }
        lots = tuple(_lot(process, conn, row, lot, own.get((lot.number, lot.stage)), now) for lot in page.lots)
        return Desk(page=page, followed=queries.is_followed(conn, actor.account, row.id), lots=lots)


def _lot(process: Runtime, conn: Connection, row: ProcedureRow, lot: Lot, head: BidHead | None, now: int) -> OwnLot:
    place = Place(procedure=row.reference, procedure_id=row.id, lot=lot.number, stage=lot.stage)
    opening = openings.opening_row(conn, place)
    needs_factor = lot.sealing is None or lot.sealing.bidder_factor
    if head is None:
        return OwnLot(lot=lot, tasks=tasks(Situation(state=lot.state, needs_factor=needs_factor)))
    stored = bids.versions_of_bid(conn, head.id)
    log = reader(process.log_dir)
    versions = tuple(_version(conn, log, each) for each in stored)
    own = None if opening is None else opening_of(conn, place, opening, head, now)
    opened = _opened(conn, place, opening, head)
    outcome = _outcome(conn, place, lot, head) if opened is not None and lot.may_show_result else None
    waiting = _files_waiting(conn, head, stored) if lot.state is LotState.OPEN else 0
    newest = next((each for each in reversed(versions) if each.kind != "rehearsal"), None)
    situation = Situation(
        state=lot.state,
        files_waiting=waiting > 0,
        standing=head.head_kind,
        logged=newest is not None and newest.state is not ReceiptState.ACKNOWLEDGED,
        witnessed=newest is not None and newest.state.is_witnessed,
        needs_factor=needs_factor,
        factor="none" if own is None else own.factor,
        read_out=opened is not None,
        ranked=outcome is not None,
        evaluated=not is_practice(row.reference),
    )
    return OwnLot(
        lot=lot,
        tasks=tasks(situation),
        bid=head.reference,
        versions=versions,
        rehearsals=_rehearsals(conn, head, lot),
        files_waiting=waiting,
        opening=own,
        opened=opened,
        outcome=outcome,
    )


def _version(conn: Connection, log: LogReader, stored: bids.Version) -> Version:
    found = receipt(conn, log, stored.h)
    return Version(
        seq=stored.seq,
        kind=stored.kind,
        sha256=stored.doc_sha256,
        h=stored.h.hex(),
        received_at=stored.received_at,
        state=ReceiptState.ACKNOWLEDGED if found is None else found.state,
        n=None if found is None else found.n,
        tokens=() if found is None else found.tokens,
    )


def _files_waiting(conn: Connection, head: BidHead, versions: Sequence[bids.Version]) -> int:
    """Return how many stored parts belong to no submitted version: uploaded is not submitted (C10)."""
    sent = {part.sha256 for each in versions if each.kind == "envelope" for part in parse_envelope(each.doc).parts}
    return len(bids.parts_of(conn, head.reference).keys() - sent)


def _rehearsals(conn: Connection, head: BidHead, lot: Lot) -> tuple[Rehearsal, ...]:
    """Return what each custodian said; nothing unless a rehearsal was asked for and at least one has answered."""
    said = rehearsals.results_of(conn, head)
    if not said or lot.sealing is None:
        return ()
    return tuple(Rehearsal(custodian=each.name, ok=said.get(each.index)) for each in lot.sealing.custodians)


def _opened(conn: Connection, place: Place, row: OpeningRow | None, head: BidHead) -> Opened | None:
    """Return the own bid as opened, not before all are read out together (20号令 30, OPN-04)."""
    if row is None or row.step != "completed":
        return None
    found = openings.results(conn, place).get(head.reference)
    if found is None:
        return None
    price: dict[str, Any] = {} if found.price is None else loads_object(found.price)
    terms = price.get("terms", {})
    return Opened(
        verdict=found.verdict,
        currency=price.get("currency", "CNY"),
        total=price.get("total"),
        items=tuple(
            OpenedItem(**{name: item[name] for name in OpenedItem.__slots__}) for item in price.get("items", ())
        ),
        delivery_days=terms.get("delivery_days"),
        sme=terms.get("sme"),
        price_sha256=found.price_sha256,
        manifest_sha256=found.manifest_sha256,
    )


def _outcome(conn: Connection, place: Place, lot: Lot, head: BidHead) -> Outcome | None:
    ranking = evaluation.ranking_of(conn, place.procedure_id, place.lot, place.stage)
    item = None if ranking is None else next((each for each in ranking.items if each["bid"] == head.reference), None)
    if ranking is None or item is None:
        return None
    shown = public_result(conn, place.procedure, place.lot, place.stage)
    awarded = shown.awarded
    return Outcome(
        method=ranking.method,
        ranked=sum(each["rank"] is not None for each in ranking.items),
        rank=item["rank"],
        price=item["price"],
        evaluated_price=item["evaluated_price"],
        currency=lot.currency,
        preference=item.get("preference"),
        score=item.get("score"),
        scores=tuple((each["criterion"], each["sum"]) for each in item.get("scores") or ()),
        reason=item["reason"],
        awarded=awarded is not None and awarded.bid.reference == head.reference,
        award_price=shown.award_price,
        published_at=shown.published_at,
        examinations=_examinations(conn, place, head.reference),
    )


def _examinations(conn: Connection, place: Place, bid: str) -> tuple[Examination, ...]:
    """Return the findings about the own bid; the newest one of each step holds."""
    newest: dict[str, Examination] = {}
    for record in openings.entries(conn, place, ("bid.examined",)):
        body = record["body"]
        if body["bid"] == bid and body["lot"] == place.lot:
            newest[body["step"]] = Examination(
                step=body["step"],
                outcome=body["outcome"],
                reason=body["reason"] or "",
                rule=body["rule"],
                preference=body["preference"],
            )
    return tuple(newest.values())


def own_lot(process: Runtime, actor: Actor, reference: str, number: str, now: int) -> tuple[Desk, OwnLot]:
    """Return one lot of the workspace.

    Raises:
        NotFound: No such tender or lot.
    """
    found = desk(process, actor, reference, now)
    for each in found.lots:
        if each.lot.number == number:
            return found, each
    raise NotFound(f"lot {number}")


def own_receipt(process: Runtime, actor: Actor, reference: str, h: bytes) -> IssuedReceipt:
    """Return the receipt of an own record.

    Raises:
        NotFound: Not a record of this organisation in this procedure, or not logged yet.
    """
    organisation = organisation_of(actor)
    with process.ledger.begin(actor) as uow:
        row = _visible(uow.connection, reference, organisation)
        own = {act.h for act in queries.acts(uow.connection, row.id, organisation)}
        if h.hex() not in own or entry_by_h(uow.connection, h) is None:
            raise NotFound(h.hex())
        found = receipt(uow.connection, reader(process.log_dir), h)
    if found is None:
        raise NotFound(h.hex())
    return found


def own_acts(ledger: Ledger, actor: Actor, reference: str) -> tuple[ProcedureRow, tuple[Act, ...], dict[str, str]]:
    """Return the procedure, what the organisation has done in it, and the user names behind the accounts."""
    organisation = organisation_of(actor)
    with ledger.begin(actor) as uow:
        row = _visible(uow.connection, reference, organisation)
        acts = queries.acts(uow.connection, row.id, organisation)
        return row, acts, queries.logins(uow.connection, organisation)


def signed_log(process: Runtime, actor: Actor, reference: str, at: int) -> bytes:
    """Return the own action log as a document in the wire form, signed with the platform's acknowledgement key.

    ``mb.action-log{acts, created, organisation, tender, typ, v}``: each act with the commitment of its record, so that
    every line can be checked against the log and its receipt, and none can be left out unseen: the platform signs it.

    Raises:
        NotFound: No such tender, or this process has no such key.
    """
    row, acts, names = own_acts(process.ledger, actor, reference)
    if process.ack is None:
        raise NotFound("acknowledgement key")
    document = {
        "acts": [{**act.to_json(), "login": names.get(act.actor)} for act in acts],
        "created": at,
        "organisation": organisation_of(actor),
        "tender": row.reference,
        "typ": "mb.action-log",
        "v": 1,
    }
    return sign_document(dumps(document), process.ack).wire_bytes()
