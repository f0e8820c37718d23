"""Device keys (P6.2): challenges, proof of possession, who may let a key in, and its revocation."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import delete

from trading.accounts.queries import actor_of, host_ms
from trading.accounts.tables import challenge
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument, spki_kid, verify_es256
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode, hex_bytes
from trading.kernel.errors import InvalidInput, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.parties import model as parties
from trading.parties import queries as registered
from trading.parties import store as keys
from trading.parties.model import Enrolment, SigningKey

_FIELDS = {"account", "alg", "challenge", "created", "key", "org", "role", "typ", "v"}

CHALLENGE_MS = 600_000  # P6.2 item 1: valid ten minutes
#: Role of a person → roles of the keys that such a person may enrol for the organisation.
KEY_ROLES: Final = {
    Role.BIDDER: ("bidder",),
    Role.AGENCY: ("agency",),
    Role.REVIEWER: ("agency",),
    Role.SUPERVISOR: ("supervisor", "contributor"),
    Role.AUTHORITY: ("supervisor",),  # it signs changes of the register
    Role.CUSTODIAN: ("custodian", "contributor"),
    Role.CENTRE: ("centre", "station-operator", "contributor"),
    Role.DESK: ("station-operator",),
}


def key_roles_of(actor: Actor) -> list[str]:
    """Return the key roles that this person may enrol, in a fixed order."""
    return sorted({name for role in actor.roles for name in KEY_ROLES.get(role, ())})


def issue_challenge(ledger: Ledger, login: str) -> tuple[str, bytes]:
    """Return (account id, 32 random bytes) for one enrolment, valid ten minutes and once (P6.2 item 1)."""
    value = secrets.token_bytes(32)
    with ledger.upkeep() as conn:
        actor = actor_of(conn, login)
        conn.execute(
            challenge.insert().values(
                challenge=value, account_id=actor.account, expires_at=host_ms(conn) + CHALLENGE_MS
            )
        )
    return actor.account, value


def use_challenge(ledger: Ledger, account_id: str, value: bytes) -> None:
    """Consume a challenge: one statement, so that two simultaneous uses cannot both succeed (F57).

    Raises:
        NotPermitted: It was never issued to this account, or is used or too old.
    """
    with ledger.upkeep() as conn:
        now = host_ms(conn)
        query = (
            delete(challenge)
            .where(challenge.c.challenge == value)
            .returning(challenge.c.account_id, challenge.c.expires_at)
        )
        row = conn.execute(query).one_or_none()
    if row is None or row.account_id != account_id or row.expires_at <= now:
        raise NotPermitted("the challenge is unknown, used or expired")


def parse_enrolment(signed: SignedDocument) -> Enrolment:
    """Return the enrolment after the proof of possession: the document is signed by the very key it names.

    Raises:
        InvalidInput, RuleBroken: ``doc.…``, ``sig.…``, ``key.alg_unsupported``.
    """
    document = loads_object(signed.doc)
    if set(document) != _FIELDS or document["typ"] != "mb.key-enrol" or document["v"] != 1:
        raise InvalidInput("doc.bad_field", "not an mb.key-enrol document of version 1")
    if document["alg"] != "ES256":
        raise RuleBroken("key.alg_unsupported", "P7.2", alg=document["alg"])
    try:
        spki, value = b64u_decode(document["key"]), hex_bytes(document["challenge"], 32)
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
        challenge=value,
        kid=kid,
        org=str(document["org"]),
        role=str(document["role"]),
        sha256=signed.sha256,
        spki=spki,
    )


def admit_enrolment(ledger: Ledger, signed: SignedDocument) -> Enrolment:
    """Check an enrolment document against its account and spend its challenge; the key still needs its authority.

    Raises:
        NotPermitted: The challenge was not issued to this account, or the account is of another organisation.
        InvalidInput, RuleBroken: ``doc.…``, ``sig.…``, ``key.…``.
    """
    enrolment = parse_enrolment(signed)
    use_challenge(ledger, enrolment.account, enrolment.challenge)
    with ledger.upkeep() as conn:
        owner = actor_of(conn, enrolment.account)
    if owner.organisation != enrolment.org:
        raise NotPermitted(f"account {owner.account} is not of {enrolment.org}")
    return enrolment


def enrol_key(ledger: Ledger, staff: tuple[Actor, Actor], signed: SignedDocument) -> Recorded:
    """Register the key of an enrolment document by a desk act of two staff members (P6.2 items 3 and 4).

    Raises:
        NotPermitted: As ``admit_enrolment``.
        RuleBroken: ``key.…``, ``sig.…``.
    """
    enrolment = admit_enrolment(ledger, signed)
    with ledger.begin(staff[0]) as uow:
        approvers = (staff[0].account, staff[1].account)
        return register(uow, enrolment, signed, approvers=approvers, second_factor=False)


def countersigned_by(uow: UnitOfWork, enrolment: Enrolment, signed: SignedDocument) -> str | None:
    """Return the kid of an active key of the same organisation and role that also signed the enrolment, or None.

    Raises:
        InvalidInput: ``sig.invalid``: such a signature does not verify.
    """
    for signature in signed.sigs:
        key = None if signature["kid"] == enrolment.kid else keys.lock_key(uow, signature["kid"])
        if key is not None and key.active and (key.org_code, key.role) == (enrolment.org, enrolment.role):
            verify_es256(key.spki, signed.doc, signature)
            return key.kid
    return None


def register(
    uow: UnitOfWork, enrolment: Enrolment, signed: SignedDocument, *, approvers: tuple[str, ...], second_factor: bool
) -> Recorded:
    """Record a key that has its authority, with its document.

    Raises:
        RuleBroken: ``key.known``, ``key.role_unknown``, ``key.needs_two_people``.
    """
    existing = keys.lock_key(uow, enrolment.kid)
    event = parties.enrol(enrolment, approvers=approvers, existing=existing, second_factor=second_factor)
    recorded = uow.record(event)
    keys.add_key(uow, recorded, _active(enrolment))
    documents.add(uow, recorded, None, signed)
    return recorded


def keys_of_organisation(ledger: Ledger, org_code: str) -> list[SigningKey]:
    """Return the keys of an organisation for people to see, active ones first."""
    with ledger.read() as conn:
        return registered.all_keys_of(conn, org_code)


def _active(enrolment: Enrolment) -> SigningKey:
    return SigningKey(
        kid=enrolment.kid,
        org_code=enrolment.org,
        role=enrolment.role,
        alg=enrolment.alg,
        spki=enrolment.spki,
        active=True,
    )
