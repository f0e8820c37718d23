"""Requests to the service desk: made by an applicant or a user, granted by two different people of the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from trading.accounts.queries import actor_of, host_ms
from trading.accounts.rules.requests import (
    COLLEAGUES,
    FIRST_ROLE,
    Request,
    RequestKind,
    require_credit_code,
    require_two_people,
)
from trading.accounts.service import keys, limits
from trading.accounts.service.credentials import SetupKind, issue_setup
from trading.accounts.service.people import NewAccount, grant_all, insert_account
from trading.accounts.tables import account, request
from trading.audit.ledger import Ledger, UnitOfWork
from trading.crypto.signatures import SignedDocument
from trading.kernel import canonical
from trading.kernel.errors import Conflict, NotFound, NotPermitted, RuleBroken
from trading.kernel.events import Event
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor, Role
from trading.parties import model as parties
from trading.parties import queries as organisations
from trading.parties import store as party_rows


def ask_organisation(ledger: Ledger, body: Mapping[str, str], *, address: str) -> str:
    """Ask to register an organisation with its first account; return the number of the request.

    Args:
        ledger: Where.
        body: ``code``, ``name_zh``, ``name_en``, ``role``, ``login``, ``name``, ``mail``.
        address: Of the applicant, for the limit alone.

    Raises:
        RuleBroken: ``organisation.code_wrong``, ``organisation.role_unknown``, ``attempts.too_many``. Whether the
            organisation or the login is known already is told to nobody here; the desk sees it.
    """
    require_credit_code(body["code"])
    if body["role"] not in FIRST_ROLE:
        raise RuleBroken("organisation.role_unknown")
    limits.take(ledger, "register", address)
    with ledger.upkeep() as conn:
        return _insert(conn, RequestKind.ORGANISATION, body["code"], None, dict(body))


def ask_user(ledger: Ledger, actor: Actor, *, login: str, name: str, mail: str, role: Role) -> str:
    """Ask for one more account of the own organisation.

    Raises:
        NotPermitted: Colleagues of this role are not asked for this way.
    """
    if role not in {each for own in actor.roles for each in COLLEAGUES.get(own, ())}:
        raise NotPermitted(f"{role} is not for colleagues of {actor.account}")
    body = {"login": login, "mail": mail, "name": name, "role": role.value}
    with ledger.upkeep() as conn:
        return _insert(conn, RequestKind.USER, actor.organisation or "", actor.account, body)


def ask_setup(ledger: Ledger, staff: Actor, account_id: str) -> str:
    """Start a reset for somebody who stands at the desk: one person asks, another grants, the owner sets (8)."""
    with ledger.upkeep() as conn:
        owner = actor_of(conn, account_id)
        found = _insert(conn, RequestKind.SETUP, owner.organisation or "", owner.account, {"account": owner.account})
    first = approve(ledger, staff, found)
    assert first is None  # noqa: S101 - a first approval never grants
    return found


def ask_key(ledger: Ledger, actor: Actor, signed: SignedDocument) -> bool:
    """Hand in an enrolment document. A key that an active key vouches for is registered at once, and True returned;
    any other waits for two people of the desk (P6.2 item 3).

    Raises:
        NotPermitted: The document is of another account or organisation, or of a role that is not this person's.
        InvalidInput, RuleBroken: ``doc.…``, ``sig.…``, ``key.…``.
    """  # noqa: D205 - one sentence
    parsed = keys.parse_enrolment(signed)
    if parsed.account != actor.account or parsed.role not in keys.key_roles_of(actor):
        raise NotPermitted(f"{actor.account} enrols no {parsed.role} key of {parsed.account}")
    enrolment = keys.admit_enrolment(ledger, signed)
    with ledger.begin(actor) as uow:
        voucher = keys.countersigned_by(uow, enrolment, signed)
        if voucher is None:
            body = {"kid": enrolment.kid, "role": enrolment.role, "signed": signed.wire()}
            _insert(uow.connection, RequestKind.KEY, enrolment.org, actor.account, body)
            return False
        keys.register(uow, enrolment, signed, approvers=(actor.account, f"key:{voucher}"), second_factor=True)
    return True


def waiting(ledger: Ledger) -> list[Request]:
    """Return what waits for the desk, the oldest first."""
    with ledger.upkeep() as conn:
        query = select(request).where(request.c.state == "waiting").order_by(request.c.created_at, request.c.id)
        return [_request(row) for row in conn.execute(query)]


def find_request(ledger: Ledger, request_id: str) -> Request:
    """Return one request.

    Raises:
        NotFound: There is none.
    """
    with ledger.upkeep() as conn:
        row = conn.execute(select(request).where(request.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFound(request_id)
    return _request(row)


def requests_of(ledger: Ledger, actor: Actor) -> list[Request]:
    """Return what this person asked for and is not decided."""
    with ledger.upkeep() as conn:
        query = select(request).where(request.c.asked_by == actor.account, request.c.state == "waiting")
        return [_request(row) for row in conn.execute(query.order_by(request.c.created_at, request.c.id))]


def refuse_request(ledger: Ledger, staff: Actor, request_id: str, reason: str) -> None:
    """Refuse a request; one person is enough to say no.

    Raises:
        NotFound, Conflict: There is none, or it is decided.
    """
    with ledger.begin(staff) as uow:
        _lock(uow, request_id)
        uow.connection.execute(update(request).where(request.c.id == request_id).values(state="refused", reason=reason))
        uow.record(Event(kind="config.changed", subject=f"request:{request_id}", body={"what": "request.refused"}))


def approve(ledger: Ledger, staff: Actor, request_id: str) -> str | None:
    """Approve a request. The first approval is noted; the second, by another person, grants it.

    Returns:
        After the second approval the token of a set-up link for a new account or a reset, shown once; else None.

    Raises:
        NotFound, Conflict: There is none, or it is decided.
        RuleBroken: ``request.own``, ``request.same_person``, and whatever the granted act refuses.
    """
    with ledger.begin(staff) as uow:
        found = _lock(uow, request_id)
        people = _people(uow.connection, found.asked_by, found.first_by, staff.account)
        require_two_people(
            asker=people.get(found.asked_by or ""),
            first=people.get(found.first_by or ""),
            second=people[staff.account],
        )
        if found.first_by is None:
            statement = update(request).where(request.c.id == request_id).values(first_by=staff.account)
            uow.connection.execute(statement)
            return None
        uow.connection.execute(update(request).where(request.c.id == request_id).values(state="approved"))
        return _GRANT[found.kind](uow, found, (found.first_by, staff.account))


def _grant_organisation(uow: UnitOfWork, found: Request, _staff: tuple[str, str]) -> str:
    body = found.body
    if organisations.organisation_by_code(uow.connection, found.subject) is not None:
        raise RuleBroken("organisation.known", None, value=found.subject)
    new = NewAccount(
        login=body["login"],
        org_code=found.subject,
        roles=(FIRST_ROLE[body["role"]],),
        name=body["name"],
        mail=body["mail"],
    )
    insert_account(uow, new)
    token = issue_setup(uow.connection, new.id, SetupKind.FACTORS)
    names = {"name_zh": body["name_zh"], "name_en": body["name_en"]}
    recorded = uow.record(parties.register_organisation(code=found.subject, roles=(body["role"],), **names))
    party_rows.add_organisation(uow, recorded, code=found.subject, roles=(body["role"],), **names)
    grant_all(uow, new)
    return token


def _grant_user(uow: UnitOfWork, found: Request, _staff: tuple[str, str]) -> str:
    body = found.body
    new = NewAccount(
        login=body["login"],
        org_code=found.subject,
        roles=(Role(body["role"]),),
        name=body["name"],
        mail=body["mail"],
    )
    insert_account(uow, new)
    token = issue_setup(uow.connection, new.id, SetupKind.FACTORS)
    grant_all(uow, new)
    return token


def _grant_setup(uow: UnitOfWork, found: Request, _staff: tuple[str, str]) -> str:
    return issue_setup(uow.connection, str(found.body["account"]), SetupKind.FACTORS)


def _grant_key(uow: UnitOfWork, found: Request, staff: tuple[str, str]) -> None:
    signed = SignedDocument.from_wire(found.body["signed"])
    keys.register(uow, keys.parse_enrolment(signed), signed, approvers=staff, second_factor=True)


_GRANT: Final[Mapping[RequestKind, Callable[[UnitOfWork, Request, tuple[str, str]], str | None]]] = {
    RequestKind.ORGANISATION: _grant_organisation,
    RequestKind.USER: _grant_user,
    RequestKind.SETUP: _grant_setup,
    RequestKind.KEY: _grant_key,
}


def _insert(conn: Connection, kind: RequestKind, subject: str, asked_by: str | None, body: Mapping[str, Any]) -> str:
    request_id = f"R-{random_name(8)}"
    conn.execute(
        request.insert().values(
            id=request_id,
            kind=kind.value,
            subject=subject,
            asked_by=asked_by,
            body=canonical.dumps(dict(body)),
            created_at=host_ms(conn),
            first_by=None,
            state="waiting",
            reason="",
        )
    )
    return request_id


def _lock(uow: UnitOfWork, request_id: str) -> Request:
    row = uow.connection.execute(select(request).where(request.c.id == request_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(request_id)
    if row.state != "waiting":
        raise Conflict(f"{request_id} is {row.state}")
    return _request(row)


def _request(row: Row[Any]) -> Request:
    return Request(
        id=row.id,
        kind=RequestKind(row.kind),
        subject=row.subject,
        asked_by=row.asked_by,
        body=canonical.loads_object(bytes(row.body)),
        created_at=row.created_at,
        first_by=row.first_by,
        state=row.state,
    )


def _people(conn: Connection, *accounts: str | None) -> dict[str, str]:
    """Return the person behind each account."""
    query = select(account.c.id, account.c.person).where(account.c.id.in_([each for each in accounts if each]))
    return {row.id: row.person for row in conn.execute(query)}
