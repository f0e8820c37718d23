"""Documents that need several signatures: a draft collects them, the last one makes the record (SB1 S9, TE1 T5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.documents import queries as stored
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotPermitted, RuleBroken
from trading.kernel.roles import Actor
from trading.openings import queries, store
from trading.openings.model import Place
from trading.openings.service import confirming, ordering, transcripts
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties import store as keys
from trading.parties.model import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A document and its signatures so far: the roles that have not signed, and the record's commitment if complete."""

    sha256: str
    typ: str
    needs: tuple[str, ...]
    h: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One type: who signs it (P4.4), what every draft of it must pass, and what its last signature records."""

    needs: tuple[str, ...]
    require: Callable[[UnitOfWork, Session, SignedDocument], None]
    act: Callable[[UnitOfWork, Session, SignedDocument], Recorded | None]


_BOTH: Final = ("agency", "supervisor")
_KINDS: Final[Mapping[str, _Kind]] = {
    confirming.TYP: _Kind(needs=_BOTH, require=confirming.require_confirmation, act=confirming.confirm),
    "sb1.open-order": _Kind(needs=_BOTH, require=ordering.require_order, act=ordering.order),
    "sb1.objection-decision": _Kind(
        needs=("supervisor",), require=ordering.require_decision, act=ordering.decide_objection
    ),
    "sb1.adjudication": _Kind(needs=("supervisor",), require=ordering.require_adjudication, act=ordering.adjudicate),
    "sb1.factor-list": _Kind(needs=_BOTH, require=ordering.require_factor_list, act=ordering.close_factors),
    "sb1.transcript": _Kind(
        needs=("station-operator", "supervisor"), require=transcripts.require_transcript, act=transcripts.complete
    ),
}


def collect(ledger: Ledger, actor: Actor, where: tuple[str, str, str], signed: SignedDocument) -> Collected:
    """Add the signatures of ``signed`` to the draft of the same bytes; record the event when none is missing.

    Raises:
        InvalidInput: Not a document of this ceremony; a signature that does not verify.
        NotPermitted: A signature of a key that has no say here.
        RuleBroken: The step may not happen now, or the document differs from the records.
    """
    typ = str(loads_object(signed.doc).get("typ"))
    if typ not in _KINDS:
        raise InvalidInput("doc.bad_field", f"{typ} is not collected here")
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        held = store.lock_draft(uow, signed.sha256)
        if held is not None and held[1] is not None:
            return Collected(sha256=signed.sha256, typ=typ, needs=(), h=held[1].hex())
        before = SignedDocument(signed.doc) if held is None else SignedDocument.from_parts(signed.doc, held[0])
        merged = _merge(before, signed)
        missing = _missing(uow, session, typ, merged)
        _KINDS[typ].require(uow, session, merged)
        recorded = _KINDS[typ].act(uow, session, merged) if not missing else None
        store.save_draft(uow, session.place, typ, merged, known=held is not None)
        if recorded is not None:
            store.mark_draft(uow, signed.sha256, recorded.h)
    h = None if recorded is None else recorded.h.hex()
    return Collected(sha256=signed.sha256, typ=typ, needs=missing, h=h)


def _merge(before: SignedDocument, new: SignedDocument) -> SignedDocument:
    known = {sig["kid"] for sig in before.sigs}
    return SignedDocument(before.doc, (*before.sigs, *(sig for sig in new.sigs if sig["kid"] not in known)))


def _missing(uow: UnitOfWork, session: Session, typ: str, signed: SignedDocument) -> tuple[str, ...]:
    """Verify every signature against an active key of the right organisation; return the roles still missing."""
    signed_by = set()
    for signature in signed.sigs:
        key = keys.lock_key(uow, signature["kid"])
        if key is None:
            raise RuleBroken("sig.key_unknown", "P7", kid=signature["kid"])
        if not key.active:
            raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
        _require_say(session, typ, key)
        verify_es256(key.spki, signed.doc, signature)
        signed_by.add(key.role)
    return tuple(role for role in _KINDS[typ].needs if role not in signed_by)


def _require_say(session: Session, typ: str, key: SigningKey) -> None:
    """Refuse a signature that the type does not need: who has no part in a document does not stand on it."""
    allowed = {
        "agency": session.procedure.agency_code,
        "supervisor": session.procedure.supervisor_code,
        "station-operator": None,  # the station may be run by the agency or the centre; the key's role decides
    }
    if key.role not in _KINDS[typ].needs or allowed[key.role] not in {None, key.org_code}:
        raise NotPermitted(f"the key {key.kid} has no say in {session.place.procedure}")


def pending(conn: Connection, place: Place, typ: str | None) -> list[tuple[queries.Draft, tuple[str, ...]]]:
    """Return the drafts of a ceremony with the roles that have not signed, oldest first."""
    found = []
    for draft in queries.drafts(conn, place, typ):
        if draft.typ not in _KINDS:
            continue  # rehearsals and statements of non-release are kept beside them
        signed = SignedDocument.from_parts(draft.doc, draft.sigs)
        roles = {key.role for sig in signed.sigs if (key := keys.key_by_kid(conn, sig["kid"])) is not None}
        found.append((draft, tuple(role for role in _KINDS[draft.typ].needs if role not in roles)))
    return found


def stored_document(conn: Connection, sha256: str) -> SignedDocument:
    """Return a recorded document of a ceremony with its signatures.

    Raises:
        IntegrityFailure: A record names it and it is not stored.
    """
    found = stored.get(conn, bytes.fromhex(sha256))
    if found is None:
        raise IntegrityFailure(f"document {sha256} is missing")
    return SignedDocument.from_parts(found.doc, found.sigs)
