"""Use cases: register an organisation, enrol a key at the desk, revoke it (P6.2)."""

from __future__ import annotations

from trading.accounts import service as accounts
from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument, spki_kid, verify_es256
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode, hex_bytes
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.parties import model, store
from trading.parties.model import Enrolment, SigningKey

_FIELDS = {"account", "alg", "challenge", "created", "key", "org", "role", "typ", "v"}


def register_organisation(
    ledger: Ledger, actor: Actor, *, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]
) -> Recorded:
    """Enter an organisation, whose identity the desk has verified, into the register."""
    event = model.register_organisation(code, roles)
    with ledger.begin(actor) as uow:
        recorded = uow.record(event)
        store.add_organisation(uow, recorded, code=code, name_zh=name_zh, name_en=name_en, roles=roles)
    return recorded


def parse_enrolment(signed: SignedDocument) -> Enrolment:
    """Return the enrolment after the proof of possession: the document is signed by the very key it names."""
    document = loads_object(signed.doc)
    if set(document) != _FIELDS or document["typ"] != "mb.key-enrol" or document["v"] != 1:
        raise InvalidInput("doc.bad_field", "not an mb.key-enrol document of version 1")
    if document["alg"] != "ES256":
        raise RuleBroken("key.alg_unsupported", "P7.2", alg=document["alg"])
    try:
        spki, challenge = b64u_decode(document["key"]), hex_bytes(document["challenge"], 32)
    except (ValueError, TypeError) as error:
        raise InvalidInput("doc.bad_field", "key or challenge") from error
    kid = spki_kid(spki)
    own = [signature for signature in signed.sigs if signature["kid"] == kid]
    if len(own) != 1:
        raise RuleBroken("sig.missing", "P6.2", kid=kid)
    verify_es256(spki, signed.doc, own[0])
    return Enrolment(
        account=str(document["account"]),
        alg="ES256",
        challenge=challenge,
        kid=kid,
        org=str(document["org"]),
        role=str(document["role"]),
        spki=spki,
    )


def enrol_key(ledger: Ledger, staff: tuple[Actor, Actor], signed: SignedDocument) -> Recorded:
    """Register the key of an enrolment document by a desk act of two staff members (P6.2 items 3 and 4)."""
    enrolment = parse_enrolment(signed)
    accounts.use_challenge(ledger, enrolment.account, enrolment.challenge)
    with ledger.begin(staff[0]) as uow:
        existing = store.lock_key(uow, enrolment.kid)
        approvers = (staff[0].account, staff[1].account)
        recorded = uow.record(model.enrol(enrolment, approvers=approvers, existing=existing, second_factor=False))
        store.add_key(uow, recorded, _active(enrolment))
    return recorded


def _active(enrolment: Enrolment) -> SigningKey:
    return SigningKey(
        kid=enrolment.kid,
        org_code=enrolment.org,
        role=enrolment.role,
        alg=enrolment.alg,
        spki=enrolment.spki,
        active=True,
    )


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
