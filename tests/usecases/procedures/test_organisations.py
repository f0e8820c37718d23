"""A role is one's own organisation's: nobody drafts, reviews, publishes or awards for another (MB-01, security 9.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import pytest

from agents.keys import enrolment
from tests.support.databases import Server, clone
from tests.support.market import CLOSE, LOT, STAGE, WINDOWS, Market, open_market
from tests.support.people import further_account
from trading.accounts import service as accounts
from trading.awards import service as awards
from trading.crypto.signatures import Es256Signer, sign_document
from trading.demo import cast
from trading.evaluation import service as evaluation
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.notices import drafting
from trading.notices import service as notices
from trading.parties import service as parties
from trading.procedures import queries
from trading.procedures import service as procedures

DRAFTER, REVIEWER = (
    Actor(account="a-9", roles=frozenset({role}), organisation=cast.BIDDERS[0].code)
    for role in (Role.AGENCY, Role.REVIEWER)
)
SUPERVISING = Actor(account="a-8", roles=frozenset({Role.REVIEWER}), organisation=cast.SUPERVISOR.code)


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("organisations"), cast.BIDDERS[:1]) as market,
    ):
        yield market


def require_not_permitted(act: Callable[[], object]) -> None:
    with pytest.raises(NotPermitted):
        act()


def test_nobody_acts_for_another_organisation(market: Market) -> None:
    ledger = market.runtime.ledger
    specification = cast.specification(close=CLOSE, windows=WINDOWS)
    require_not_permitted(lambda: procedures.draft(ledger, DRAFTER, specification))
    market.draft()
    require_not_permitted(lambda: procedures.submit_for_review(ledger, DRAFTER, market.tender))
    before = phase(market)
    procedures.submit_for_review(ledger, market.stage.actors["drafter"], market.tender)
    for stranger in (REVIEWER, SUPERVISING):
        require_not_permitted(partial(procedures.return_to_drafter, ledger, stranger, market.tender, "why"))
    procedures.return_to_drafter(ledger, market.stage.actors["reviewer"], market.tender, "why")
    assert phase(market) == before
    market.prove_local_keys()
    procedures.submit_for_review(ledger, market.stage.actors["drafter"], market.tender)
    again = further_account(ledger, "drafter", "drafter-at-buyer", cast.BUYER.code, Role.REVIEWER)
    with pytest.raises(RuleBroken, match=r"review\.same_person"):  # four eyes are two people, not two accounts
        market.publish_as(again)
    affiliates_hold_fewer_than_k(market)
    market.publish_as(market.stage.actors["reviewer"])
    with ledger.read() as conn:
        texts = {"text_zh": "采购任务取消。", "text_en": "The purchase is cancelled."}
        raw = drafting.closing_draft(conn, market.tender, at=market.now(), kind="cancellation", texts=texts)
    signed = sign_document(raw, market.stage.signers["agency", "agency"])
    for stranger in (REVIEWER, SUPERVISING):
        require_not_permitted(partial(notices.cancel, ledger, stranger, market.tender, signed, "task cancelled"))
    assert phase(market) == "published"


def affiliates_hold_fewer_than_k(market: Market) -> None:
    """Agency and operator keep two keys of five; any affiliate makes three, which is k (SB1 S3.1 rule 1)."""
    ledger, desk = market.runtime.ledger, market.stage.desk[0]
    with pytest.raises(NotFound):
        parties.state_affiliation(ledger, desk, cast.AGENCY.code, "91330100MA2B00000X", affiliated=True, ground="x")
    for close, through in ((cast.ASSOCIATION, cast.AGENCY), (cast.NOTARY, cast.CENTRE)):
        between = cast.BIDDERS[0].code  # affiliated through somebody else
        for first, second in ((close.code, between), (between, through.code)):
            parties.state_affiliation(ledger, desk, first, second, affiliated=True, ground="a common owner")
        with pytest.raises(RuleBroken, match=r"policy\.too_close"):
            market.publish_as(market.stage.actors["reviewer"])
        parties.state_affiliation(ledger, desk, close.code, between, affiliated=False, ground="sold")


def phase(market: Market) -> str:
    with market.runtime.ledger.read() as conn:
        return queries.find(conn, market.tender).phase


def test_a_lot_that_does_not_exist_is_not_found(market: Market) -> None:
    ledger, drafter = market.runtime.ledger, market.stage.actors["drafter"]
    market.draft()
    for act in (evaluation.evaluate, awards.determine):
        with pytest.raises(NotFound):
            act(ledger, drafter, market.tender, "9", STAGE)
    with pytest.raises((NotFound, RuleBroken)):
        awards.determine(ledger, drafter, market.tender, LOT, STAGE)


def test_nobody_enrols_a_key_for_another_organisation(market: Market) -> None:
    ledger, stage = market.runtime.ledger, market.stage
    for organisation in (cast.AGENCY, cast.BIDDERS[0]):
        account, challenge = accounts.issue_challenge(ledger, cast.BIDDERS[0].key)
        document = enrolment(
            Es256Signer.generate(),
            account=account,
            challenge=challenge.hex(),
            org=organisation.code,
            role="bidder",
            created=market.now(),
        )
        if organisation == cast.AGENCY:
            require_not_permitted(partial(accounts.enrol_key, ledger, stage.desk, document))
        else:
            assert accounts.enrol_key(ledger, stage.desk, document).body["org"] == organisation.code


def test_the_calendar_is_the_desks(market: Market) -> None:
    days = [(date(2030, 1, 1), False, "元旦")]
    require_not_permitted(partial(procedures.set_calendar, market.runtime.ledger, DRAFTER, days, "gov.cn"))
