"""A committee drawn before the opening: whoever works for a bidder leaves it as soon as the bidders are known.

Nobody can know it at the draw; even an exclusion's count would have hinted at the bidders (ED1 D4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.databases import Server, clone
from tests.support.journey import Exchange, Tender, open_exchange
from tests.support.made_committee import STRATUM, CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import CLOSE, SYSTEM
from tests.support.sitting import PRICES
from trading.audit.demo_clock import jump
from trading.demo.cast import BIDDERS
from trading.experts import queries
from trading.experts.rules.identity import Identity
from trading.experts.rules.register import Act, Item
from trading.experts.service import seats
from trading.experts.service.attempts import spec_of
from trading.kernel.errors import RuleBroken

NEED = 4
_HOUR_MS = 3_600_000
STRANGERS = 3  # one too few to fill the seats, and as many of bidders: both get some, however the seed falls
ABSENT = 2  # who decline: a stratum holds twice its need


@dataclass
class Drawn:
    """A tender with sealed bids, and a committee that has its seats; ``staff`` are experts whom bidders employ."""

    exchange: Exchange
    tender: Tender
    maker: CommitteeMaker
    staff: frozenset[str]

    def states(self) -> dict[str, str]:
        """Return the state of every seat by the address of its expert."""
        with self.maker.ledger.read() as conn:
            members = {row.index: row for row in queries.members(conn, self.tender.market.procedure_id)}
            committee = queries.committee_row(conn, self.tender.market.procedure_id)
            assert committee is not None
            draw = queries.find_draw(conn, committee.draw or "")
        with self.maker.contact_ledger.read() as conn:
            pool, _ = self.maker.contact.pool(conn, draw, spec_of(conn, draw))
        return {pool.entrants[index].id: row.state for index, row in members.items() if index is not None}


@pytest.fixture
def drawn(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("recusal")) as exchange,
    ):
        tender = exchange.tender_with_bids(PRICES)
        market = tender.market
        maker = CommitteeMaker(
            runtime=market.runtime,
            stage=market.stage,
            contact_ledger=contact_ledger(database),
            worker_ledger=worker_ledger(database),
            jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
        )
        maker.set_up()
        maker.admit(STRANGERS, accounts_for=STRANGERS)
        maker.admit(ABSENT, prefix="A")
        bidding = [each for each in BIDDERS if each.key in PRICES][:STRANGERS]
        staff = {f"B{number:07d}": each for number, each in enumerate(bidding)}
        people = {
            name: Identity(
                name=f"乙{name}", mail=f"{name.lower()}@example.org", phone="", employer="投标单位", account=None
            )
            for name in staff
        }
        items = [Item(id=name, strata=(STRATUM,), unit=each.code) for name, each in staff.items()]
        maker.change(Act.ADMITTED, items, people)
        market.advance_to(CLOSE - _HOUR_MS)  # a draw is held at most so long before the evaluation (EXP-11)
        maker.plan(market.tender, need=NEED, evaluation_at=CLOSE + 2 * _HOUR_MS)
        maker.drawn(market.tender, declining="planted-a")
        yield Drawn(exchange, tender, maker, frozenset(staff))


def test_whoever_a_bidder_employs_leaves_when_the_opening_is_ordered(drawn: Drawn) -> None:
    tender, maker = drawn.tender, drawn.maker
    before = drawn.states()
    assert len(before) == NEED
    assert set(before.values()) == {"expected"}
    assert drawn.staff & before.keys()
    address, code = next(found for found in maker.seat_codes().items() if found[0].startswith("planted-"))
    stranger = maker.account_of(address)
    seats.sign_in(maker.ledger, stranger, code, promised=True)
    with pytest.raises(RuleBroken, match="bidders_unknown"):  # nobody can deny an interest in whom nobody knows
        seats.declare(maker.ledger, stranger, tender.market.tender, seats.NONE)
    tender.close()
    maker.work()
    assert drawn.states() == before | {next(n for n, who in maker.people.items() if who.mail == address): "present"}
    tender.order_opening()
    maker.until(lambda: not _sitting(drawn) & drawn.staff)
    seats.declare(maker.ledger, stranger, tender.market.tender, seats.NONE)
    gone = {name for name, state in drawn.states().items() if state == "recused"}
    assert gone == drawn.staff & before.keys()
    left = [body for body in tender.bodies("seat.left") if body["state"] == "recused"]
    assert len(left) == len(gone)
    assert {body["reason_commit"] is None for body in left} == {False}
    assert drawn.exchange.audit() == []


def _sitting(drawn: Drawn) -> set[str]:
    return {name for name, state in drawn.states().items() if state in seats.SITTING}
