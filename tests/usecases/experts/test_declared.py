"""What experts declare in their files keeps them out of a draw, under seal before any randomness (ED1 D4, EXP-15, 16).

Everybody who is free of ties declines, so that the walk asks every eligible expert: whoever is bound to buyer or agency
or is away would be the last to be asked, and is seated where he declares nothing (the control).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.support.databases import Database
from tests.support.made_committee import STRATUM, CommitteeMaker
from tests.support.made_pool import BUREAU, EMPLOYER, PoolMaker, code
from tests.support.market import Market
from tests.usecases.experts.test_open_seats import _verified as verified
from trading.demo import cast
from trading.experts import queries
from trading.experts.rules import disclosed
from trading.experts.rules.identity import Identity
from trading.experts.service import advance, calls
from trading.experts.service.attempts import spec_of
from trading.kernel.errors import InvalidInput
from trading.kernel.roles import Actor, Role
from trading.pool.rules.dossier import Dossier
from trading.pool.service import applications
from trading.pool.service.applications import day_of

NEED, FREE = 4, 8
BOUND = ("employer", "relative", "absent", "travelling")


def people(maker: CommitteeMaker) -> PoolMaker:
    """A regulator with the supervisor's key, and the experts' employers."""
    pool = PoolMaker(maker.ledger, signer=maker.stage.signers["supervisor", "supervisor"])
    pool.account("bureau", BUREAU, Role.AUTHORITY)
    return pool


def declared(maker: CommitteeMaker) -> dict[str, dict[str, object]]:
    """What each of the bound says, and of one who is away on other days alone."""
    day = day_of(maker.now() + 24 * 3_600_000)
    return {
        "employer": {"employers": (code(99), cast.BUYER.code)},
        "relative": {"relatives": (cast.AGENCY.code,)},
        "absent": {"available": False},
        "travelling": {"away_from": day.isoformat(), "away_until": day.isoformat()},
        "back": {
            "away_from": (day - timedelta(days=9)).isoformat(),
            "away_until": (day - timedelta(days=1)).isoformat(),
        },
    }


def admitted(maker: CommitteeMaker, *, silent: bool = False) -> dict[str, str]:
    """Bring twelve experts into the pool through their applications; return the number of each by name."""
    pool, told = people(maker), declared(maker)
    names = [*BOUND, "back", *(f"free-{number}" for number in range(FREE - 1))]
    numbers = {}
    for place, name in enumerate(names):
        changes: dict[str, object] = {"employers": (code(200 + place),), "specialties": ("A0501",)}
        changes |= {} if silent else told.get(name, {})
        changes["employers"] = tuple(sorted(changes["employers"]))  # type: ignore[call-overload]  # codes
        who = maker.account(f"expert-{name}", cast.CENTRE, Role.EXPERT)
        own = {"account": who.account, "employer": code(200 + place), "mail": f"{name}@example.org"}
        unit = Actor(account=f"unit-{place}", organisation=code(200 + place), roles=frozenset({Role.BIDDER}))
        numbers[name] = applications.apply(maker.ledger, unit, "GP", pool.dossier(place, **{**own, **changes}))
        maker.people[numbers[name]] = Identity(
            name="林一鸣", mail=f"{name}@example.org", phone="", employer="江北省设计院", account=who.account
        )
    pool.admit(*numbers.values())
    return numbers


def walked(market: Market, maker: CommitteeMaker) -> tuple[str, list[str]]:
    """Draw; the free decline and the bound accept. Return the draw and the addresses that were called."""
    maker.plan(market.tender, need=NEED)
    draw = maker.seeded(market.tender)

    def offered() -> bool:
        for address, given in maker.open_calls():
            choice = calls.ACCEPT if address.partition("@")[0] in BOUND else calls.DECLINE
            calls.answer(maker.ledger, given, choice, "busy")
        return maker._offers(draw, "ed1.result")

    maker.until(offered)
    return draw, sorted({address for address, _ in maker.postbox.codes("/draws/call/")})


def test_declarations_stand_in_the_vector_with_their_reasons(market: Market, maker: CommitteeMaker) -> None:
    numbers = admitted(maker)
    draw, called = walked(market, maker)
    row = maker.row(draw)
    with maker.contact_ledger.read() as conn:
        spec = spec_of(conn, row)
        pool, reasons = maker.contact.pool(conn, row, spec)
    found = {pool.entrants[index].id: reason for index, reason in reasons.items()}
    assert found == {
        numbers["employer"]: "conflict",
        numbers["relative"]: "conflict",
        numbers["absent"]: "unavailable",
        numbers["travelling"]: "unavailable",
    }
    assert [(item.id, item.count) for item in spec.excluded] == [(STRATUM, len(BOUND))]
    assert len(called) == FREE
    assert not [each for each in called if each.partition("@")[0] in BOUND]
    maker.sign(draw, "ed1.result")
    maker.work()
    assert advance.next_attempt(maker.ledger, maker.actor("centre"), draw) == 2, "all seats are open"


def test_whoever_declares_nothing_is_drawn(market: Market, maker: CommitteeMaker) -> None:
    """The control: the same people, who say nothing in their files."""
    numbers = admitted(maker, silent=True)
    draw, called = walked(market, maker)
    assert {f"{name}@example.org" for name in BOUND} <= set(called)  # the walk ends with the fourth of them
    with maker.contact_ledger.read() as conn:
        row = maker.row(draw)
        spec = spec_of(conn, row)
        pool, reasons = maker.contact.pool(conn, row, spec)
        last = {each.index: each.state for each in queries.steps(conn, draw, 1)}
    assert (reasons, spec.excluded[0].count) == ({}, 0)
    seated = {pool.entrants[index].id for index, state in last.items() if state == "SELECTED"}
    assert seated == {numbers[name] for name in BOUND}


def test_a_vector_with_declarations_is_recomputed_by_an_auditor(
    market: Market, maker: CommitteeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list is disclosed in two documents here, as that of a hundred thousand exclusions is in many."""
    monkeypatch.setattr(disclosed, "AT_ONCE", len(BOUND) - 1)
    admitted(maker)
    maker.plan(market.tender, need=NEED)
    draw = maker.drawn(market.tender)
    verified(market, maker, draw, tmp_path)
    with maker.ledger.read() as conn:
        typs = [paper.typ for paper in queries.papers(conn, draw)]
    assert (typs.count("mb.draw-keys"), typs.count("mb.draw-exclusions")) == (1, 1)


def test_only_who_prepares_draws_may_ask(demo_database: Database) -> None:
    query = text("SELECT * FROM record.bound_experts(ARRAY['x'], '2026-01-01')")
    for role in ("trading_worker", "trading_contact"):
        with demo_database.connect(role) as conn:
            assert conn.execute(query).all() == []
    for role in ("trading_web", "trading_reader", "trading_auditor"):
        with demo_database.connect(role) as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(query)


def test_an_absence_has_two_ends_in_their_order() -> None:
    whole = PoolMaker.dossier(None, away_from="2026-03-01", away_until="2026-03-01")  # type: ignore[arg-type]
    assert Dossier.decode(whole.encode()) == whole
    for first, last in (("2026-03-02", "2026-03-01"), ("2026-03-01", None), (None, "2026-03-01")):
        wrong = PoolMaker.dossier(None, away_from=first, away_until=last)  # type: ignore[arg-type]  # no self is used
        with pytest.raises(InvalidInput):
            Dossier.decode(wrong.encode())
    assert EMPLOYER in whole.encode()
