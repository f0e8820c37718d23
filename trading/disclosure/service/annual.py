"""Use cases of the annual table: read it, note a print in the gazette, declare a year before the record (DIS-09)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.disclosure import model, store
from trading.disclosure.queries import annual
from trading.disclosure.rules import requests
from trading.disclosure.rules.annual import AnnualTable, Declared, annual_table, violations
from trading.disclosure.service.requests import require_office
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor

LONGEST_ISSUE, LONGEST_SOURCE = 100, 300


def table_of(conn: Connection, year: int) -> AnnualTable:
    """Return the table of a year from the record.

    Raises:
        NotFound: The year has neither a declared table nor anything of the record before its end.
    """
    facts, declared = annual.facts(conn), [each.table for each in annual.declared(conn)]
    known = [*(fact.day.year for fact in facts), *(each.year for each in declared)]
    if not known or year < min(known):
        raise NotFound(f"annual table of {year}")
    return annual_table(year, facts, declared)


def years(conn: Connection, today: date) -> list[int]:
    """Return the years that have a table, newest first, the running one included."""
    declared = [each.table.year for each in annual.declared(conn)]
    recorded = {fact.day.year for fact in annual.facts(conn)}
    first = min({today.year, *recorded})
    return sorted({*declared, *range(first, today.year + 1)}, reverse=True)


def note_print(ledger: Ledger, actor: Actor, document: bytes, issue: str, printed_on: date) -> Recorded:
    """Note that the gazette printed a document that stands on the platform.

    Raises:
        NotPermitted: Not of the office.
        NotFound: No page of the platform shows such a document.
        RuleBroken: ``gazette.printed``, ``gazette.issue``, ``disclosure.day``.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        if not annual.is_published(uow.connection, document):
            raise NotFound(document.hex())
        if annual.is_printed(uow.connection, document):
            raise RuleBroken("gazette.printed", "DIS-09")
        if not 0 < len(issue.strip()) <= LONGEST_ISSUE:
            raise RuleBroken("gazette.issue", "DIS-09")
        requests.require_day(printed_on, annual.day_of(uow.at), after_year=annual.last_declared(uow.connection))
        event = model.of_report(
            "gazette.printed",
            f"document:{document.hex()}",
            document=document.hex(),
            issue=issue.strip(),
            printed_on=printed_on.isoformat(),
        )
        recorded = uow.record(event)
        store.add_print(uow, recorded, document, issue.strip(), printed_on)
    return recorded


def declare(ledger: Ledger, actor: Actor, table: Declared, *, source: str, reason: str) -> Recorded:
    """Declare the whole table of a year before the record, as it was published then.

    Raises:
        NotPermitted: Not of the office.
        RuleBroken: ``annual.year`` (the record holds that year), ``annual.declared`` (it is declared),
            ``annual.identity`` (the numbers contradict each other), ``annual.source``.
    """
    require_office(actor)
    with ledger.begin(actor) as uow:
        conn = uow.connection
        recorded_years = {fact.day.year for fact in annual.facts(conn)}
        if table.year >= min({annual.day_of(uow.at).year, *recorded_years}):
            raise RuleBroken("annual.year", "DIS-09", year=table.year)
        if table.year in {each.table.year for each in annual.declared(conn)}:
            raise RuleBroken("annual.declared", "DIS-09", year=table.year)
        if broken := violations(table.of_year, table.cumulative):
            raise RuleBroken("annual.identity", "DIS-09", names="、".join(broken))
        if not (source.strip() and reason.strip()) or max(len(source), len(reason)) > LONGEST_SOURCE:
            raise RuleBroken("annual.source", "DIS-09")
        event = model.of_report(
            "annual.declared",
            f"annual:{table.year}",
            cumulative=dict(table.cumulative),
            of_year=dict(table.of_year),
            reason=reason.strip(),
            source=source.strip(),
            year=table.year,
        )
        recorded = uow.record(event)
        store.add_declared(uow, recorded, table, source.strip(), reason.strip())
    return recorded
