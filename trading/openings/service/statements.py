"""What custodians say outside the questions of an order: disclosures, non-release, destroyed keys (SB1 S9.4, S12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.policy import parse_policy
from trading.crypto.signatures import verify_es256
from trading.custody import service as custody
from trading.custody.rules.documents import parse_key_destroyed, parse_non_release
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import lot_event
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties import store as keys
from trading.parties.model import SigningKey
from trading.parties.queries import organisation_by_code


def require_custodian(uow: UnitOfWork, session: Session, asked: int, says: int, signed: SignedDocument) -> None:
    """Require that the custodian of index ``asked`` in the policy signed the document, and nobody else.

    Raises:
        InvalidInput: Another index or signer; ``sig.invalid``.
        RuleBroken: ``sig.key_revoked``.
    """
    row = next((item for item in session.policy["custodians"] if item["i"] == says), None)
    if row is None or says != asked or [sig["kid"] for sig in signed.sigs] != [row["kid"]]:
        raise InvalidInput("doc.bad_field", "custodian")
    key = keys.lock_key(uow, row["kid"])
    if key is None or not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=row["kid"])
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def ask_for_disclosure(uow: UnitOfWork, session: Session, custodian: int, order_sha256: str) -> None:
    """Ask a custodian that reported BAD to disclose its share key to the supervisor, who adjudicates (S9.4)."""
    code = session.procedure.supervisor_code
    supervisor = organisation_by_code(uow.connection, code)
    if supervisor is None:
        raise IntegrityFailure(f"organisation {code} is missing")
    request = {
        "auditor": supervisor.name_zh,
        "lot": session.place.lot,
        "order_sha256": order_sha256,
        "policy_sha256": session.lot.policy_sha256,
        "stage": session.place.stage,
        "tender": session.place.procedure,
    }
    kid = next(row["kid"] for row in session.policy["custodians"] if row["i"] == custodian)
    custody.ask(uow, kid, session.place.procedure_id, JobKind.DISCLOSE, custodian, request)


def disclosed(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, content: Mapping[str, Any]
) -> Recorded:
    """Record that a custodian gave its share key to an auditor; the document itself never comes here (S9.4)."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=False)
        facts = {"auditor": content["auditor"], "disclosure_sha256": content["disclosure_sha256"]}
        return uow.record(lot_event("custodian.key_disclosed", session.place, custodian=custodian, **facts))


def not_released(
    ledger: Ledger,
    actor: Actor,
    where: tuple[str, str, str],
    custodian: int,
    envelopes: Sequence[str],
    signed: SignedDocument,
) -> None:
    """Keep a signed statement of non-release (S12). It proves itself, so no record is made of it."""
    statement = parse_non_release(signed.doc)
    if (statement.lot, statement.stage) != where[1:] or statement.envelopes != tuple(envelopes):
        raise InvalidInput("doc.bad_field", "the statement is about another lot, or other envelopes than were asked")
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        require_custodian(uow, session, custodian, statement.custodian, signed)
        if statement.policy_sha256 != session.lot.policy_sha256:
            raise InvalidInput("doc.bad_field", "policy_sha256")
        if queries.draft_by_digest(uow.connection, signed.sha256) is None:
            store.save_draft(uow, session.place, "sb1.non-release", signed, known=False)


def destroyed(ledger: Ledger, actor: Actor, institution: SigningKey, signed: SignedDocument) -> Recorded | None:
    """Record that a custodian destroyed its share key of a policy (S12); None if that is recorded already.

    Raises:
        NotFound: No such policy.
        InvalidInput: The institution has another index in it, or did not sign.
    """
    statement = parse_key_destroyed(signed.doc)
    with ledger.read() as conn:
        found = stored.get(conn, bytes.fromhex(statement.policy_sha256))
    if found is None or found.typ != "sb1.policy":
        raise NotFound("policy")
    policy = parse_policy(found.doc)
    own = next((row.i for row in policy.custodians if row.kid == institution.kid), 0)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, policy.tender, policy.lot, policy.stage, move=True)
        require_custodian(uow, session, own, statement.custodian, signed)
        if stored.get(uow.connection, bytes.fromhex(signed.sha256)) is not None:
            return None
        index, digest = statement.custodian, signed.sha256
        event = lot_event("custodian.key_destroyed", session.place, custodian=index, destroyed_sha256=digest)
        recorded = uow.record(event)
        documents.add(uow, recorded, session.place.procedure_id, signed)
    return recorded
