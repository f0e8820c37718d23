"""Use cases of disclosure on application: ask, register, confirm receipt, extend once, reply, contest (DIS-04 to 08).

A citizen asks without an account and under no name; the office is the staff of the trading centre. Approval of an
extension is another person's than the one who took the request (DIS-06).
"""

from __future__ import annotations

import secrets
from datetime import date

from sqlalchemy import Connection

from trading.accounts.queries import same_person
from trading.accounts.service import limits
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.service import platform_ms, record_access
from trading.disclosure import model, store
from trading.disclosure.queries import annual
from trading.disclosure.queries import requests as queries
from trading.disclosure.queries.requests import Applicant, TimedRequest
from trading.disclosure.rules import requests as rules
from trading.disclosure.rules.requests import Application, Channel, Route
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.service import work_calendar

_SALT_BYTES = 32


def require_office(actor: Actor) -> None:
    """Refuse everybody but the staff of the trading centre.

    Raises:
        NotPermitted: The actor is none.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("requests for disclosure are handled by the trading centre")


def make_application(name: str, contact: str, text: str) -> Application:
    """Return a request with a salt of its own; see ``rules.require_application`` for what is refused."""
    found = Application(
        name=name.strip(), contact=contact.strip(), text=text.strip(), salt=secrets.token_bytes(_SALT_BYTES)
    )
    rules.require_application(found)
    return found


def ask(ledger: Ledger, application: Application, *, address: str) -> str:
    """Take a citizen's request from the web; return its random number.

    Raises:
        RuleBroken: ``attempts.too_many`` for an address that asks too often.
    """
    limits.take(ledger, "disclosure", address)
    with ledger.read() as conn:
        number = model.new_number(annual.day_of(platform_ms(conn)).year)
    with ledger.begin(model.applicant(number)) as uow:
        body = {"channel": Channel.ONLINE.value, "commit": application.commit.hex()}
        recorded = uow.record(model.of_request("disclosure.asked", number, **body))
        store.add_request(uow, recorded, number, Channel.ONLINE, application, received_on=None, handler=None)
    return number


def register(ledger: Ledger, actor: Actor, channel: Channel, application: Application, received_on: date) -> str:
    """Register a request that came in person or by letter; return its number.

    Raises:
        NotPermitted: Not of the office.
        RuleBroken: ``disclosure.day`` (DIS-05).
    """
    require_office(actor)
    if channel is Channel.ONLINE:
        raise ValueError("a request of the web comes from the web")
    with ledger.begin(actor) as uow:
        number = model.new_number(annual.day_of(uow.at).year)
        _require_day(uow, received_on)
        body = {
            "channel": channel.value,
            "commit": application.commit.hex(),
            "received_on": received_on.isoformat(),
        }
        recorded = uow.record(model.of_request("disclosure.received", number, **body))
        store.add_request(uow, recorded, number, channel, application, received_on=received_on, handler=actor.account)
    return number


def confirm(ledger: Ledger, actor: Actor, number: str, received_on: date) -> Recorded:
    """Confirm the receipt of an online request: from that day on the period runs (DIS-05).

    Raises:
        NotPermitted, NotFound: Not of the office; no such request.
        RuleBroken: ``disclosure.confirmed``, ``disclosure.day``.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        row = store.lock_request(uow, number)
        if row.received_on is not None:
            raise RuleBroken("disclosure.confirmed", "DIS-05")
        if received_on < annual.day_of(row.asked_at):
            raise RuleBroken("disclosure.day", "DIS-05", day=received_on.isoformat())
        _require_day(uow, received_on)
        recorded = uow.record(model.of_request("disclosure.received", number, received_on=received_on.isoformat()))
        store.change_request(uow, recorded, number, received_on=received_on.isoformat(), handler=actor.account)
    return recorded


def extend(ledger: Ledger, actor: Actor, number: str, reason: str) -> Recorded:
    """Extend the time to reply once, with a reason that the applicant is told (DIS-06).

    Raises:
        NotPermitted, NotFound: Not of the office; no such request.
        RuleBroken: ``disclosure.unconfirmed``, ``disclosure.replied``, ``disclosure.extended``, ``disclosure.overdue``,
            ``disclosure.reason``; ``review.same_person`` for the person who took the request.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        found = _open_request(uow, number)
        told = reason.strip()
        rules.require_extendable(found.due, annual.day_of(uow.at), told, extended=found.row.extended_by is not None)
        if same_person(uow.connection, actor.account, [str(found.row.handler)]):
            raise RuleBroken("review.same_person", "DIS-06")
        recorded = uow.record(model.of_request("disclosure.extended", number, reason=told))
        store.change_request(uow, recorded, number, extended_by=actor.account, extension_reason=told)
    return recorded


def reply(ledger: Ledger, actor: Actor, number: str, *, ground: str, reason: str, fee_waived: int = 0) -> Recorded:
    """Reply to a request; a late reply is taken, and shown as late.

    Args:
        ledger: The write path.
        actor: Of the office.
        number: Of the request.
        ground: Code of ``rules.grounds``, which says of what kind the reply is.
        reason: In words; it is public and names nobody.
        fee_waived: What was waived or reduced of a fee, in fen (DIS-08).

    Raises:
        NotPermitted, NotFound: Not of the office; no such request.
        RuleBroken: ``disclosure.unconfirmed``, ``disclosure.replied``, ``disclosure.ground``, ``disclosure.reason``,
            ``disclosure.fee``.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        _open_request(uow, number)
        told = reason.strip()
        found = rules.require_reply(ground, told, fee_waived)
        values = {"fee_waived": fee_waived, "ground": ground, "outcome": found.outcome, "reason": told}
        recorded = uow.record(model.of_request("disclosure.replied", number, **values))
        store.change_request(uow, recorded, number, replied_at=recorded.at, **values)
    return recorded


def contest(ledger: Ledger, actor: Actor, route: Route, number: str | None, noted_on: date) -> Recorded:
    """Note a review or a lawsuit about a reply, or an appeal or report about disclosure at all.

    Raises:
        NotPermitted, NotFound: Not of the office; no such request.
        RuleBroken: ``disclosure.day``; ``disclosure.number``: a review or a lawsuit names its request.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        if number is None and route is not Route.APPEAL:
            raise RuleBroken("disclosure.number", "DIS-09")
        if number is not None:
            store.lock_request(uow, number)
        _require_day(uow, noted_on)
        recorded = uow.record(model.contested(route, number, noted_on.isoformat()))
        store.add_contest(uow, recorded, route, number, noted_on)
    return recorded


def look(ledger: Ledger, actor: Actor, number: str) -> Applicant:
    """Hand out who asks for what, which is recorded (F58).

    Raises:
        NotPermitted, NotFound: Not of the office; no such request.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        found = queries.applicant_of(uow.connection, number)
    if found is None:
        raise NotFound(number)
    record_access(ledger, actor, f"disclosure:{number}")
    return found


def timed_requests(conn: Connection, rows: list[queries.RequestRow], now: int) -> list[TimedRequest]:
    """Return requests with their last days."""
    calendar = work_calendar(conn)
    return [queries.timed(row, calendar, now) for row in rows]


def _open_request(uow: UnitOfWork, number: str) -> TimedRequest:
    row = store.lock_request(uow, number)
    if row.received_on is None:
        raise RuleBroken("disclosure.unconfirmed", "DIS-05")
    if row.replied_at is not None:
        raise RuleBroken("disclosure.replied", "DIS-06")
    return queries.timed(row, work_calendar(uow.connection), uow.at)


def _require_day(uow: UnitOfWork, day: date) -> None:
    rules.require_day(day, annual.day_of(uow.at), after_year=annual.last_declared(uow.connection))
