"""Use cases: register an organisation, register a key of the platform, revoke a key (P6.2)."""

from __future__ import annotations

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.documents import store as documents
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.parties import model, queries, store
from trading.parties.model import SigningKey
from trading.parties.rules.documents import KEY_REVOKE


def register_organisation(
    ledger: Ledger, actor: Actor, *, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]
) -> Recorded:
    """Enter an organisation, whose identity the desk has verified, into the register."""
    event = model.register_organisation(code=code, name_zh=name_zh, name_en=name_en, roles=roles)
    with ledger.begin(actor) as uow:
        recorded = uow.record(event)
        store.add_organisation(uow, recorded, code=code, name_zh=name_zh, name_en=name_en, roles=roles)
    return recorded


def state_affiliation(
    ledger: Ledger, actor: Actor, first: str, second: str, *, affiliated: bool, ground: str
) -> Recorded:
    """State that two organisations of the register are affiliated, or are not any more.

    Raises:
        NotFound: One of them is not in the register.
        RuleBroken: ``organisation.itself``.
    """
    event = model.state_affiliation(first, second, affiliated=affiliated, ground=ground)
    with ledger.begin(actor) as uow:
        known = queries.organisations(uow.connection, (first, second))
        for code in (first, second):
            if code not in known:
                raise NotFound(code)
        return uow.record(event)


def register_platform_key(
    ledger: Ledger, staff: tuple[Actor, Actor], *, kid: str, org: str, role: str, alg: str, public_key: bytes
) -> Recorded | None:
    """Register a key that has no enrolment document: log, witness, acknowledgement. None if it already is."""
    with ledger.begin(staff[0]) as uow:
        if store.lock_key(uow, kid) is not None:
            return None
        event = model.key_registered(
            kid=kid,
            org=org,
            role=role,
            alg=alg,
            spki_sha256=kid,
            approvers=(staff[0].account, staff[1].account),
            second_factor=False,
        )
        recorded = uow.record(event)
        key = SigningKey(kid=kid, org_code=org, role=role, alg=alg, spki=public_key, active=True)
        store.add_key(uow, recorded, key)
    return recorded


def revoke_key(ledger: Ledger, staff: tuple[Actor, Actor], kid: str, reason: str) -> Recorded:
    """Revoke a key by a desk act of two staff members (P6.2 item 5)."""
    if staff[0].account == staff[1].account:
        raise RuleBroken("key.needs_two_people", "P6.2")
    with ledger.begin(staff[0]) as uow:
        key = store.lock_key(uow, kid, for_update=True)
        if key is None:
            raise NotFound(kid)
        recorded = uow.record(model.revoke(key, reason))
        store.mark_revoked(uow, recorded, kid)
    return recorded


def revoke_key_by_document(ledger: Ledger, actor: Actor, signed: SignedDocument) -> Recorded:
    """Revoke a key by a document that an active key of the same organisation signed, the key itself included.

    Raises:
        NotFound: The actor's organisation has no such key.
        InvalidInput: ``doc.…``, ``sig.invalid``.
        RuleBroken: ``sig.missing``: no signature of an active key of the organisation; ``sig.key_revoked``.
    """
    content = KEY_REVOKE.read(signed.doc)
    with ledger.begin(actor) as uow:
        key = store.lock_key(uow, content["kid"], for_update=True)
        if key is None or key.org_code != actor.organisation:
            raise NotFound("key")
        signers = [store.lock_key(uow, signature["kid"]) for signature in signed.sigs]
        own = [each for each in signers if each is not None and each.active and each.org_code == key.org_code]
        if not own:
            raise RuleBroken("sig.missing", "P6.2", kid=key.kid)
        for signature in signed.sigs:
            for signer in own:
                if signature["kid"] == signer.kid:
                    verify_es256(signer.spki, signed.doc, signature)
        recorded = uow.record(model.revoke(key, content["reason"], signed.sha256))
        store.mark_revoked(uow, recorded, key.kid)
        documents.add(uow, recorded, None, signed)
    return recorded
