"""The pages of practice tenders: marked everywhere, shown to their own bidder and to nobody else (ADR 0061)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import cycle

import pypdfium2
import pytest
from flask.testing import FlaskClient

from tests.support import practice
from tests.support.databases import Server, clone
from tests.support.market import Bidder, Market, open_market
from tests.support.people import signed_in
from tests.support.polling import eventually
from trading.audit.rules.proof import parse_receipt
from trading.audit.service import reader, receipt
from trading.bids.rules.policy import PolicyPackage, parse_policy
from trading.bids.rules.trust import parse_trust
from trading.demo.cast import BIDDERS
from trading.participation import practising, service
from trading.participation.rules.practice import AGENCY, CUSTODIANS, SUPERVISOR
from verifier.attachment import attached_proof

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
RIBBON = {"zh": "模拟：这里不采购任何标的", "en": "Practice: nothing is bought here"}
HERE = "/bidder/practice"


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("practice")
    with clone(server, demo=True) as database, open_market(database, folder, BIDDERS[:2]) as market:
        practice.offer(market.runtime, folder / "practice")
        yield market


@pytest.fixture(scope="module")
def person(market: Market) -> FlaskClient:
    return signed_in(market.app.test_client(), BIDDERS[0].key)


@pytest.fixture(scope="module")
def bidder(market: Market, person: FlaskClient) -> Bidder:
    """Who has asked for a practice tender on the page, and bid in it."""
    token = CSRF.search(person.get(HERE).text)
    assert token is not None
    refused = person.post(HERE, data={"csrf_token": token[1], "minutes": "11"})
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    asked = person.post(HERE, data={"csrf_token": token[1], "minutes": "30"})
    assert asked.status_code == HTTPStatus.SEE_OTHER
    (found,) = practising.mine(market.runtime.ledger, market.stage.actors[BIDDERS[0].key], market.now()) or ()
    market.tender = found.reference
    shown = read(person, HERE)
    assert "being prepared" in shown
    assert 'data-follow="on"' in shown
    assert person.get(desk(market)).status_code == HTTPStatus.NOT_FOUND  # nothing to show before the keys are there
    practice.open_practice(market.runtime, market.directory / "practice", market.tender)
    bidder = Bidder(market, BIDDERS[0])
    path = f"/api/v1/procedures/{market.tender}/lots/1/bids"
    started = bidder.client.post(path, json={"stage": "all"}).get_json()
    bidder.bid, market.policy = started["bid"], parse_policy(PolicyPackage.from_wire(started).policy.doc)
    answer = bidder.submit(bidder.seal(48_000_00))
    assert answer.status_code == HTTPStatus.CREATED
    return bidder


def read(client: FlaskClient, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == HTTPStatus.OK, path
    return answer.text


def desk(market: Market) -> str:
    return f"/bidder/tenders/{market.tender}"


def test_every_page_of_it_says_so(market: Market, person: FlaskClient, bidder: Bidder) -> None:
    assert bidder.bid
    pages = ("", "/lots/1", "/lots/1/price", "/lots/1/seal", "/log")
    paths = (HERE, *(desk(market) + page for page in pages))
    for path, (language, ribbon) in zip(paths, cycle(RIBBON.items()), strict=False):
        shown = read(person, path, language)
        assert ribbon in shown, path
        assert "<title>Practice" in shown or "<title>模拟" in shown, path
        for public in ("/procedures/PRACTICE", "/evidence", "/questions", "/follow"):
            assert public not in shown, path
    assert RIBBON["en"] not in read(person, "/bidder")


def test_nobody_else_finds_it(market: Market, bidder: Bidder) -> None:
    assert bidder.bid
    stranger, public = signed_in(market.app.test_client(), BIDDERS[1].key), market.client()
    for page in ("", "/lots/1", "/lots/1/price", "/lots/1/seal", "/log", "/log.json", "/lots/1/template.json"):
        assert stranger.get(desk(market) + page).status_code == HTTPStatus.NOT_FOUND
    for path in ("", "/lots/1/opening", "/lots/1/result"):
        assert stranger.get(f"/procedures/{market.tender}{path}").status_code == HTTPStatus.NOT_FOUND
    for path in ("", "/lots/1", "/notices"):
        assert public.get(f"/api/v1/procedures/{market.tender}{path}").status_code == HTTPStatus.NOT_FOUND
    lists = ("/", "/procedures", "/feed.atom", "/api/v1/procedures", "/api/v1/records", "/procedures?q=模拟")
    for path in lists:
        assert "PRACTICE" not in public.get(path, headers={"Accept-Language": "zh"}).text, path
    assert market.client(BIDDERS[0].key).get(f"/api/v1/bids/{bidder.bid}/evidence").status_code == HTTPStatus.NOT_FOUND


def test_its_receipt_is_marked_as_file_and_on_paper(market: Market, person: FlaskClient, bidder: Bidder) -> None:
    assert bidder.bid
    actor = market.stage.actors[BIDDERS[0].key]
    _, acts, _ = service.own_acts(market.runtime.ledger, actor, market.tender)
    h = next(each.h for each in acts if each.kind == "bid.received")

    def logged() -> bool:
        with market.runtime.ledger.read() as conn:
            return receipt(conn, reader(market.runtime.log_dir), bytes.fromhex(h)) is not None

    eventually(logged)
    file, answer = (person.get(f"{desk(market)}/receipts/{h}.{form}") for form in ("tlog-proof", "pdf"))
    for each in (file, answer):
        assert f"{market.tender}-" in each.headers["Content-Disposition"]
    assert market.tender.encode() in parse_receipt(attached_proof(answer.data)).record
    sheet = pypdfium2.PdfDocument(answer.data)[0].get_textpage().get_text_bounded()
    assert "模拟项目：不是真实的采购" in sheet


def test_its_trust_file_trusts_nobody_of_a_real_tender(person: FlaskClient, bidder: Bidder) -> None:
    assert bidder.bid
    answer = person.get(f"{HERE}/trust.json")
    assert "PRACTICE-trust.json" in answer.headers["Content-Disposition"]
    names = {each.name for each in parse_trust(answer.data).institutions}
    assert names == {each.name_zh for each in (AGENCY, SUPERVISOR, *CUSTODIANS)}
