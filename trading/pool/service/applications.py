"""Applications to the pool: by the person or the employer, recommended, withdrawn, amended (EXP-08, EXP-27)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.service import record_access
from trading.experts.rules.identity import Identity
from trading.experts.rules.specialties import require_known
from trading.experts.service import register
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.pool import model, queries, store
from trading.pool.model import Applied
from trading.pool.queries import AppraisalRow, FileRow, SanctionRow
from trading.pool.rules.admission import REGIMES, Candidate, needs_recommendation, require_admissible
from trading.pool.rules.dossier import Dossier, dossier_commit
from trading.rulebook.keys import Regime
from trading.rulebook.loader import edition_at
from trading.rulebook.model import Edition

HOME: Final = "cn"
_CALENDAR: Final = WorkCalendar(zone=CHINA, workdays={})
#: What an expert may change by himself; anything else is a new application or a regulator's act.
AMENDABLE: Final = ("available", "away_from", "away_until", "employers", "mail", "phone", "relatives")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One file with its person, as its owner, his employer or a regulator sees it."""

    row: FileRow
    dossier: Dossier
    sanctions: tuple[SanctionRow, ...]
    appraisals: tuple[AppraisalRow, ...]


def edition_of(at: int) -> Edition:
    """Return the edition in force at an instant (ms)."""
    return edition_at(HOME, at)


def day_of(at: int) -> date:
    """Return the date of an instant (ms) in the platform's zone."""
    return _CALENDAR.date_of(at)


def instant_of(day: date) -> int:
    """Return the first instant (ms) of a day in the platform's zone."""
    return _CALENDAR.start_of(day)


def regime_of(name: str) -> Regime:
    """Return the regime of a pool.

    Raises:
        InvalidInput: ``pool.regime``.
    """
    found = next((each for each in REGIMES if each.value == name), None)
    if found is None:
        raise InvalidInput("pool.regime", name)
    return found


def candidate_of(conn: Connection, dossier: Dossier, numbers: Sequence[str], at: int) -> Candidate:
    """Return what the rules of admission look at: the dossier, and the credit file of the person's numbers."""
    found = queries.punishments(conn, numbers)
    bans = [day_of(each.until) for each in found if each.measure == "ban" and each.until is not None]
    return Candidate(
        dossier=dossier,
        today=day_of(at),
        punished=tuple(day_of(each.at) for each in found),
        banned_until=max(bans, default=None),
    )


def apply(ledger: Ledger, actor: Actor, regime_name: str, dossier: Dossier) -> str:
    """Enter an application and return its number.

    A person applies for himself; an account of the employer applies for its staff, which is its recommendation.

    Raises:
        NotPermitted: The actor is neither the person nor of his employer.
        InvalidInput: ``pool.regime``, ``doc.…``.
        RuleBroken: ``pool.known``, ``pool.specialty``, ``pool.years`` and the other refusals of EXP-07 and EXP-08.
    """
    regime = regime_of(regime_name)
    unit = actor.organisation is not None and actor.organisation == dossier.employer
    if dossier.account != actor.account and not unit:
        raise NotPermitted("an application is made by the person or by his employer")
    body = Dossier.decode(dossier.encode()).encode()
    salt = secrets.token_bytes(32)
    with ledger.begin(actor) as uow:
        store.lock_pool(uow)
        require_known(queries.tree(uow.connection), dossier.specialties)
        _require_new(uow, dossier)
        edition = edition_of(uow.at)
        numbers = queries.numbers_of_person(uow.connection, dossier.identity_no)
        require_admissible(edition, regime, candidate_of(uow.connection, dossier, numbers, uow.at))
        state = "waiting" if unit or not needs_recommendation(edition, regime) else "asked"
        file = Applied(
            number=model.new_number(),
            commit=dossier_commit(salt, body),
            regime=regime.value,
            via="unit" if unit else "expert",
            state=state,
        )
        recorded = uow.record(model.applied([file]))
        store.add_files(uow, recorded, [file])
        store.add_dossiers(uow, recorded, [(file.number, salt, body)])
    return file.number


def _require_new(uow: UnitOfWork, dossier: Dossier) -> None:
    if queries.persons_known(uow.connection, [dossier.identity_no]):
        raise RuleBroken("pool.known", "EXP-08")


def recommend(ledger: Ledger, actor: Actor, number: str) -> None:
    """Recommend an applicant of the actor's own organisation (EXP-27).

    Raises:
        NotFound: No such application of this employer.
        NotPermitted: Nobody recommends himself.
        Conflict: It no longer waits for it.
    """
    with ledger.begin(actor) as uow:
        store.lock_files(uow, [number], "asked")
        found = _readable(uow.connection, number)
        if found.employer != actor.organisation:
            raise NotFound(number)
        if found.account == actor.account:
            raise NotPermitted("nobody recommends himself")
        store.set_files(uow, uow.record(model.event("pool.recommended", number=number)), [number], state="waiting")


def withdraw(ledger: Ledger, actor: Actor, number: str) -> None:
    """Withdraw an application that is not decided.

    Raises:
        NotFound: No such file of this person.
        Conflict: It is decided.
    """
    with ledger.begin(actor) as uow:
        _require_own(uow, actor, number)
        store.lock_files(uow, [number], "asked", "waiting")
        store.set_files(uow, uow.record(model.event("pool.withdrawn", number=number)), [number], state="withdrawn")


def amend(ledger: Ledger, actor: Actor, number: str, **changed: object) -> None:
    """Change what an expert may change by himself: how he is reached, availability, what binds him to recuse (EXP-16).

    Raises:
        NotFound: No such file of this person.
        InvalidInput: ``doc.…``; ``pool.not_amendable``: something else is to be changed.
    """
    if set(changed) - set(AMENDABLE):
        raise InvalidInput("pool.not_amendable", min(set(changed) - set(AMENDABLE)))
    with ledger.begin(actor) as uow:
        before = _require_own(uow, actor, number)
        store.lock_files(uow, [number], "asked", "waiting", "admitted")
        newer = replace(before, **changed)  # type: ignore[arg-type]  # the table below checks every field
        try:
            body = Dossier.decode(newer.encode()).encode()
        except ValueError as error:
            raise InvalidInput("doc.bad_field", str(error)) from error
        salt = secrets.token_bytes(32)
        commit = dossier_commit(salt, body)
        if queries.find(uow.connection, number).state == "admitted":
            register.lock(uow)
        recorded = uow.record(model.event("pool.amended", number=number, commit=commit.hex()))
        store.replace_dossier(uow, recorded, number, salt, body)
        store.set_files(uow, recorded, [number], commit=commit)
        if queries.find(uow.connection, number).state == "admitted":
            register.keep_identities(uow, {number: identity_of(newer)})


def identity_of(dossier: Dossier) -> Identity:
    """Return what the contact service is given of a person."""
    return Identity(
        name=dossier.name,
        mail=dossier.mail,
        phone=dossier.phone.replace("+", "00"),
        employer=dossier.employer_name,
        account=dossier.account,
    )


def _readable(conn: Connection, number: str) -> Dossier:
    text = queries.dossier(conn, number)
    if text is None:
        raise NotFound(number)
    return Dossier.decode(text)


def _require_own(uow: UnitOfWork, actor: Actor, number: str) -> Dossier:
    found = _readable(uow.connection, number)
    if found.account != actor.account:
        raise NotFound(number)
    return found


def own(ledger: Ledger, actor: Actor) -> list[Shown]:
    """Return the files of the person who is signed in, the newest first."""
    with ledger.begin(actor) as uow:
        return [shown(uow.connection, number) for number in queries.numbers_of(uow.connection, actor.account)]


def own_file(ledger: Ledger, actor: Actor, number: str) -> Shown:
    """Return one file of the person who is signed in.

    Raises:
        NotFound: No such file of this person.
    """
    with ledger.begin(actor) as uow:
        _require_own(uow, actor, number)
        return shown(uow.connection, number)


def staff(ledger: Ledger, actor: Actor) -> list[Shown]:
    """Return the applications that wait for the recommendation of the actor's organisation."""
    if not actor.organisation:
        return []
    record_access(ledger, actor, "pool.staff")
    with ledger.begin(actor) as uow:
        return [shown(uow.connection, number) for number in queries.asked_of(uow.connection, actor.organisation)]


def shown(conn: Connection, number: str) -> Shown:
    """Return a file with its person, for a transaction that may read him.

    Raises:
        NotFound: There is none, or it is not for this transaction.
    """
    return Shown(
        row=queries.find(conn, number),
        dossier=_readable(conn, number),
        sanctions=tuple(queries.sanctions(conn, [number])),
        appraisals=tuple(queries.credit_file(conn, number)),
    )


def look(ledger: Ledger, actor: Actor, number: str) -> Shown:
    """Open one person's file for a regulator; the look is recorded before it happens.

    Raises:
        NotPermitted: The actor is no regulator.
        NotFound: There is no such file.
    """
    if Role.AUTHORITY not in actor.roles:
        raise NotPermitted("files of experts are for regulators")
    record_access(ledger, actor, f"pool.file:{number}")
    with ledger.begin(actor) as uow:
        return shown(uow.connection, number)


def search(ledger: Ledger, actor: Actor, name: str) -> list[tuple[str, str]]:
    """Return (name, number) of people whose name begins so; the search is recorded, without the name.

    Raises:
        NotPermitted: The actor is no regulator.
        Conflict: An empty name would list the pool.
    """
    if Role.AUTHORITY not in actor.roles:
        raise NotPermitted("names of experts are for regulators")
    if not name.strip():
        raise Conflict("a search needs a name")
    record_access(ledger, actor, "pool.search")
    with ledger.begin(actor) as uow:
        return queries.by_name(uow.connection, name.strip())
