"""Challenges for device keys, and the desk act that enrols a key (P6.2)."""

from __future__ import annotations

import secrets

from sqlalchemy import delete

from trading.accounts.queries import actor_of, host_ms
from trading.accounts.tables import challenge
from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument, spki_kid, verify_es256
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode, hex_bytes
from trading.kernel.errors import InvalidInput, NotPermitted, RuleBroken
from trading.kernel.roles import Actor
from trading.parties import model as parties
from trading.parties import store as keys
from trading.parties.model import Enrolment, SigningKey

_FIELDS = {"account", "alg", "challenge", "created", "key", "org", "role", "typ", "v"}

CHALLENGE_MS = 600_000  # P6.2 item 1: valid ten minutes


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
    """Consume a challenge: one statement, so that two simultaneous uses cannot both succeed (F57)."""
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
    """Register the key of an enrolment document by a desk act of two staff members (P6.2 items 3 and 4).

    Raises:
        NotPermitted: The challenge was not issued to this account, or the account is of another organisation.
        RuleBroken: ``key.…``, ``sig.…``.
    """
    enrolment = parse_enrolment(signed)
    use_challenge(ledger, enrolment.account, enrolment.challenge)
    with ledger.upkeep() as conn:
        owner = actor_of(conn, enrolment.account)
    if owner.organisation != enrolment.org:
        raise NotPermitted(f"account {owner.account} is not of {enrolment.org}")
    with ledger.begin(staff[0]) as uow:
        existing = keys.lock_key(uow, enrolment.kid)
        approvers = (staff[0].account, staff[1].account)
        recorded = uow.record(parties.enrol(enrolment, approvers=approvers, existing=existing, second_factor=False))
        keys.add_key(uow, recorded, _active(enrolment))
        documents.add(uow, recorded, None, signed)
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
