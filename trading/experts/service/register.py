"""The register of experts: changes signed by the regulator, identities sealed at once, a nightly snapshot (ED1 D3)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import entry_by_id
from trading.audit.queries import size as log_size
from trading.audit.runtime import Runtime
from trading.crypto.keys import hpke_seal, xwing_kid
from trading.crypto.signatures import verify_es256
from trading.documents import store as documents
from trading.experts import model, queries, store
from trading.experts.model import REGISTER_KINDS, NotYet
from trading.experts.queries import CONTACT_ROLE
from trading.experts.rules.identity import Identity, identity_info
from trading.experts.rules.pool import REGISTER, make_pool, pool_key_commit
from trading.experts.rules.register import Act, Item, fold, make_register_change, parse_register_change
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.kernel.errors import InvalidInput, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.parties import service as parties
from trading.parties import store as keys

_RULE: Final = "ED1 D3"
_SYSTEM: Final = Actor.system("worker")
_NIGHT_MS: Final = 2 * 3_600_000  # two hours after midnight
_SOON_MS: Final = 1_000
#: What an act makes of an expert; a change of his data leaves him as he was.
STATES: Final[Mapping[Act, str]] = {
    Act.ADMITTED: "active",
    Act.CHANGED: "active",
    Act.SUSPENDED: "suspended",
    Act.RESUMED: "active",
    Act.REMOVED: "removed",
}


def register_contact_key(ledger: Ledger, staff: tuple[Actor, Actor], public: bytes, org: str) -> Recorded | None:
    """Register the public key of the contact service, an act of two people of the desk; None if it already is."""
    return parties.register_platform_key(
        ledger, staff, kid=xwing_kid(public), org=org, role=CONTACT_ROLE, alg="SB1-XWING-AGE", public_key=public
    )


def draft_change(conn: Connection, act: Act, items: list[Item], at: int) -> bytes:
    """Return the document that the regulator is asked to sign, following the newest change."""
    rows = [{"id": item.id, "strata": item.strata, "unit": item.unit} for item in items]
    return make_register_change(act, rows, created=at, before=queries.newest_change(conn))


def change_register(
    ledger: Ledger, actor: Actor, signed: SignedDocument, identities: Mapping[str, Identity] | None = None
) -> Recorded:
    """Record a change of the register that the regulator signed, and keep the identities of its people, sealed.

    Args:
        ledger: Where to record.
        actor: Who brings it: a regulator.
        signed: ``ed1.register-change`` with one signature of a supervisor's key.
        identities: Of experts in the change; whoever is admitted needs one.

    Raises:
        NotPermitted: The actor is no regulator.
        InvalidInput: Malformed, or the signature does not verify.
        RuleBroken: ``sig.…``, ``register.…``, ``contact.no_key``.
    """
    require_qualifier(actor)
    with ledger.begin(actor) as uow:
        return apply_change(uow, signed, identities)


def require_qualifier(actor: Actor) -> None:
    """Refuse everybody but regulators: who keeps the pool and draws from it does not say who is in it (SEP-02).

    Raises:
        NotPermitted: The actor is no regulator.
    """
    if not actor.roles & {Role.SUPERVISOR, Role.AUTHORITY}:
        raise NotPermitted("the register is changed by regulators alone")


def lock(uow: UnitOfWork) -> None:
    """Let one change of the register happen at a time; before the first entry of the act."""
    store.lock_register(uow)


def apply_change(uow: UnitOfWork, signed: SignedDocument, identities: Mapping[str, Identity] | None = None) -> Recorded:
    """Do what ``change_register`` says inside an act of its own kind, before the act's first entry.

    Raises:
        InvalidInput, RuleBroken: As ``change_register``.
    """
    change, known = parse_register_change(signed.doc), dict(identities or {})
    act = Act(change.act)
    _require_identities(act, {item.id for item in change.items}, set(known))
    lock(uow)
    _require_regulator(uow, signed)
    queries.register(uow.connection, [item.id for item in change.items]).apply(change)
    recorded = uow.record(model.register_changed(act, signed.sha256))
    documents.add(uow, recorded, None, signed)
    store.put_experts(uow, recorded, change, STATES[act])
    if known:
        keep_identities(uow, known)
    return recorded


def keep_identities(uow: UnitOfWork, identities: Mapping[str, Identity]) -> None:
    """Seal identities to the contact service; each takes the place of an older one."""
    sealed = _sealed(uow.connection, identities)
    store.add_identities(uow, uow.record(model.identities_kept(sealed)), sealed)


def _require_identities(act: Act, changed: set[str], known: set[str]) -> None:
    if known - changed:
        raise InvalidInput("register.identity", f"an identity of nobody in the change: {min(known - changed)}")
    if act is Act.ADMITTED and changed - known:
        raise RuleBroken("register.identity", _RULE, expert=min(changed - known))


def _require_regulator(uow: UnitOfWork, signed: SignedDocument) -> None:
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", _RULE)
    key = keys.lock_key(uow, signed.sigs[0]["kid"])
    if key is None or key.role != "supervisor":
        raise RuleBroken("sig.key_unknown", _RULE, kid=signed.sigs[0]["kid"])
    if not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def _sealed(conn: Connection, identities: Mapping[str, Identity]) -> dict[str, bytes]:
    public = queries.contact_public(conn)
    return {name: hpke_seal(public, identity_info(name), each.encode()) for name, each in sorted(identities.items())}


def settled_size(conn: Connection) -> int:
    """Return a log size at which the register is exactly what its rows say.

    Raises:
        NotYet: The newest change is not in the log yet.
    """
    newest = queries.register_entry(conn)
    size = log_size(conn)
    if newest is not None:
        entry = entry_by_id(conn, newest)
        if entry is None or entry.position is None or entry.position.n >= size:
            raise NotYet("the newest change of the register is not in the log yet")
    return size


def take_snapshot(runtime: Runtime, _arg: Mapping[str, Any]) -> int | None:
    """Commit to the whole register under a fresh key (D3); an errand that comes back every night."""
    with runtime.ledger.begin(_SYSTEM) as uow:
        store.lock_register(uow)
        try:
            size = settled_size(uow.connection)
        except NotYet:
            return uow.at + _SOON_MS
        # The fold of the signed changes and not the rows: what an auditor recomputes.
        found = fold(queries.changes_before(uow.connection, size, REGISTER_KINDS)).entrants()
        if found:
            before = queries.newest_snapshot(uow.connection)
            seq, key = (1 if before is None else before[0] + 1), secrets.token_bytes(32)
            pool = make_pool(key, found)
            body = {
                "key_commit": pool_key_commit(REGISTER, seq, key).hex(),
                "register_size": size,
                "root": pool.root.hex(),
                "seq": seq,
                "size": len(found),
            }
            store.add_snapshot(uow, uow.record(model.snapshot(body)), key)
    return next_night(uow.at)


def next_night(at: int) -> int:
    """Return the next two o'clock at night in China, in ms."""
    calendar = WorkCalendar(zone=CHINA, workdays={})
    tonight = calendar.start_of(calendar.date_of(at)) + _NIGHT_MS
    return tonight if tonight > at else tonight + 24 * 3_600_000


def start_snapshots(ledger: Ledger, at: int | None = None) -> None:
    """Make sure that a snapshot is taken tonight, or at ``at``; the errand repeats itself from then on."""
    with ledger.begin(_SYSTEM) as uow:
        if not store.has_errand(uow.connection, "experts.snapshot"):
            uow.wake("experts.snapshot", {}, next_night(uow.at) if at is None else at)
