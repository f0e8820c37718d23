"""Use cases: register an organisation, register a key of the platform, revoke a key (P6.2)."""

from __future__ import annotations

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.parties import model, store
from trading.parties.model import SigningKey


def register_organisation(
    ledger: Ledger, actor: Actor, *, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]
) -> Recorded:
    """Enter an organisation, whose identity the desk has verified, into the register."""
    event = model.register_organisation(code, roles)
    with ledger.begin(actor) as uow:
        recorded = uow.record(event)
        store.add_organisation(uow, recorded, code=code, name_zh=name_zh, name_en=name_en, roles=roles)
    return recorded


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
