"""Use cases of contracts: offered by the agency, signed by the supplier, filed (CON-01, CON-03, CON-09).

The agency signs first and thereby offers; nothing is recorded until the supplier signs the same bytes. One act then
records both signatures. A contract at another price or with another supplier than the award's is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.awards.queries import AwardRow, award_of
from trading.contracts import queries, store
from trading.contracts.rules.documents import Contract, parse_contract
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.documents import store as documents
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.openings.model import Place
from trading.openings.queries import entries
from trading.parties import store as keys
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow, find, find_lot
from trading.procedures.rules.lifecycle import Act, LotPhase, Transition


def offer(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument) -> None:
    """Hand a contract, signed by the agency, to the supplier; technical, because it binds nobody yet.

    Raises:
        RuleBroken: ``contract.other_than_award``, ``contract.too_late``, ``act.wrong_phase``, ``sig.…``.
        InvalidInput: The contract is malformed or of another lot.
    """
    document = parse_contract(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = find_lot(uow.connection, row.id, document.lot, document.stage)
        _require_signed(uow, signed, {"agency": {row.agency_code, row.buyer_code}})
        _step(uow, row, lot, document, actor)
        store.save_offer(uow.connection, row.id, document, signed, by=actor.account, at=uow.at)


def sign(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, signed: SignedDocument) -> Recorded:
    """Sign the offered contract as the supplier; both signatures are recorded in one act.

    Args:
        ledger: Where to record.
        actor: A person of the supplier.
        reference: The procedure.
        lot: Number of the lot.
        stage: Stage of the lot.
        signed: The offered bytes with the supplier's signature, alone or beside the agency's.

    Raises:
        NotFound: No offer waits for this supplier.
        RuleBroken: As ``offer``; ``contract.replaced``: the agency has offered another text meanwhile.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        waiting = queries.offer_of(uow.connection, row.id, lot, stage)
        if waiting is None or waiting.bidder_code != actor.organisation:
            raise NotFound(f"contract of lot {lot}")
        if signed.doc != waiting.document.doc:
            raise RuleBroken("contract.replaced", "CON-01")
        agreed = _merged(waiting.document, signed)
        parties = {"agency": {row.agency_code, row.buyer_code}, "bidder": {waiting.bidder_code}}
        _require_signed(uow, agreed, parties)
        document = parse_contract(agreed.doc)
        lot_row = find_lot(uow.connection, row.id, lot, stage)
        move = _step(uow, row, lot_row, document, actor)
        recorded = uow.record(_signed(row, document, agreed))
        documents.add(uow, recorded, row.id, agreed)
        store.add(uow, recorded, row.id, document)
        store.drop_offer(uow.connection, row.id, lot, stage)
        procedures.move_lot(uow, recorded, lot_row, LotPhase(move.target))
    return recorded


def _signed(row: ProcedureRow, document: Contract, agreed: SignedDocument) -> Event:
    body = {
        "bid": document.bid,
        "bidder": document.supplier["code"],
        "contract_sha256": agreed.sha256,
        "lot": document.lot,
        "price": document.price,
        "stage": document.stage,
    }
    return _event("contract.signed", row, body, "政府采购法 46")


def _event(kind: str, row: ProcedureRow, body: dict[str, object], article: str) -> Event:
    return Event(
        kind=kind,
        subject=f"lot:{body['lot']}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article=article,
    )


def file(ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, filing: str) -> Recorded:
    """Record that the contract was filed with the finance department under a number (CON-03).

    Raises:
        NotFound: There is no signed contract.
        Conflict: It is filed already.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        lot_row = find_lot(uow.connection, row.id, lot, stage)
        signed = queries.contract_of(uow.connection, row.id, lot, stage)
        if signed is None:
            raise NotFound(f"contract of lot {lot}")
        procedures.step(uow.connection, row, Act.FILE_CONTRACT, actor, at=uow.at, lot=lot_row)
        body: dict[str, object] = {"contract_sha256": signed.sha256, "filing": filing, "lot": lot, "stage": stage}
        recorded = uow.record(_event("contract.filed", row, body, "政府采购法 47"))
        store.mark_filed(uow, recorded, signed)
    return recorded


def _step(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, document: Contract, actor: Actor) -> Transition:
    """Hold a contract against the award and the law (CON-01)."""
    award = award_of(uow.connection, row.id, lot.number, lot.stage)
    if award is None:
        raise NotFound(f"award of lot {lot.number}")
    _require_own(row, lot, document, award)
    return procedures.step(
        uow.connection,
        row,
        Act.SIGN_CONTRACT,
        actor,
        at=uow.at,
        lot=lot,
        supplier=award.bidder,
        awarded=(award.bidder, award.price),
        contracted=(document.supplier["code"], document.price),
        concluded_at=concluded_at(uow.connection, row, lot),
    )


def _require_own(row: ProcedureRow, lot: LotRow, document: Contract, award: AwardRow) -> None:
    """Refuse a contract that names another lot, another award or another buyer."""
    here = document.place == (row.reference, lot.number, lot.stage)
    parties = (document.buyer["code"], document.agency["code"]) == (row.buyer_code, row.agency_code)
    if not here or not parties or (document.award_h, document.bid) != (award.h, award.bid):
        raise InvalidInput("doc.bad_field", "the contract names another lot, award or buyer")
    if document.currency != lot.currency:
        raise InvalidInput("doc.bad_field", "the contract is in another currency than the lot")


def concluded_at(conn: Connection, row: ProcedureRow, lot: LotRow) -> int:
    """Return when the result of a lot was published (ms), which is when the award letter goes out (AWD-11).

    Raises:
        RuleBroken: ``act.wrong_phase``: it is not published yet.
    """
    place = Place(procedure=row.reference, procedure_id=row.id, lot=lot.number, stage=lot.stage)
    for record in entries(conn, place, ("result.published",)):
        if (record["body"]["lot"], record["body"]["stage"]) == (lot.number, lot.stage):
            return int(record["at"])
    raise RuleBroken("act.wrong_phase", "B4.1", act=Act.SIGN_CONTRACT.value, phase=lot.phase)


def _merged(before: SignedDocument, signed: SignedDocument) -> SignedDocument:
    known = {signature["kid"] for signature in before.sigs}
    merged = before
    for signature in signed.sigs:
        if signature["kid"] not in known:
            merged = merged.with_signature(signature)
    return merged


def _require_signed(uow: UnitOfWork, signed: SignedDocument, parties: Mapping[str, Collection[str]]) -> None:
    """Exactly one signature a party, by an active key of its role and organisation; locks are taken here."""
    missing = dict(parties)
    for signature in signed.sigs:
        key = keys.lock_key(uow, signature["kid"])
        if key is None or key.org_code not in missing.get(key.role, ()):
            raise RuleBroken("sig.key_unknown", "P7", kid=signature["kid"])
        if not key.active:
            raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
        verify_es256(key.spki, signed.doc, signature)
        del missing[key.role]
    if missing:
        raise RuleBroken("sig.missing", "CON-09")


def readable_by(conn: Connection, actor: Actor, reference: str, lot: str, stage: str) -> tuple[ProcedureRow, LotRow]:
    """Return procedure and lot of a contract that the actor's organisation is the supplier of.

    Raises:
        NotFound: There is none, or it is another's: the two look the same.
    """
    row = find(conn, reference)
    lot_row = find_lot(conn, row.id, lot, stage)
    waiting, signed = queries.offer_of(conn, row.id, lot, stage), queries.contract_of(conn, row.id, lot, stage)
    suppliers = {each.bidder_code for each in (waiting, signed) if each is not None}
    if actor.organisation not in suppliers:
        raise NotFound(f"contract of lot {lot}")
    return row, lot_row
