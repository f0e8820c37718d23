"""The bidder's part in the opening, in a real Chromium: the factor in its window, the seed in a rescue (S9.5, S9.6).

A normal run takes a page of the gallery and a platform that answers what it is told; ``MINGBIAO_CAMPAIGN=long``
a live ceremony of four bidders, of whom two confirm and rescue by keyboard, with two of five custodians.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from agents.sealing import SealedBid
from agents.station import conduct
from tests.browser.test_sealing import BARE, BIDDER, CHEAP, LOT, edited, kept, opened
from tests.browser.test_sending import QUICK
from tests.support.at_the_desk import AtTheDesk, at_the_desk
from tests.support.browser_sealing import PASSPHRASE, SealingPage
from tests.support.browsers import violations
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.journey import MARGIN, Exchange, Tender, open_exchange
from tests.support.market import CLOSE, WINDOWS
from tests.support.polling import eventually
from trading.bids.rules.package import OpeningPackage, build_package
from trading.bids.rules.policy import Policy
from trading.crypto.packages import lock_package
from trading.demo.cast import BIDDERS
from trading.kernel.encoding import b64u, b64u_decode
from trading.openings.rules.factors import make_factor, make_rescue

PRICES = {"bolin": 126_450_00, "yunfan": 127_300_00, "songtao": 128_600_00}
ANSWERING = ("agency", "notary")  # two of five custodians, where three are needed
#: By act: language, button, and what is said of a wrong passphrase, of a platform that stays away, and of what arrived.
PAGES = (
    (
        *("reveal", "en", "Confirm the opening of my bid"),
        *("does not open with this passphrase", "did not answer", "was received at"),
    ),
    ("rescue", "zh", "用两个秘密补救我的投标", "无法用此口令打开", "平台没有回应", "你的补救已于"),
)


# The pages alone.


def page_of(act: str, route: Route, package: OpeningPackage) -> None:
    """The page of the gallery, about the version of this package."""
    answer, envelope = route.fetch(), package.envelope
    told = f'data-bid="{envelope.bid}" data-seq="{envelope.seq}" data-standing="{envelope.sha256}"'
    text, count = re.subn(r'data-bid="[^"]+" data-seq="[^"]+" data-standing="[^"]+"', told, answer.text())
    assert count == 1, act
    route.fulfill(response=answer, body=text)


@pytest.mark.parametrize(
    ("act", "language", "label", "wrong", "away", "says"), PAGES if LONG else PAGES[:1], ids=lambda word: word[:6]
)
def test_the_page_sends_what_the_act_needs_and_nothing_else(
    browser: Browser, gallery_url: str, act: str, language: str, label: str, wrong: str, away: str, says: str
) -> None:
    with opened(browser, gallery_url, CHEAP, QUICK) as sealing:
        sealing.seal(LOT.context(BIDDER), LOT.policy, files={})
        package, (name, locked) = kept(sealing), sealing.keep()
        page, sent = sealing.page, list[Any]()
        page.context.route(f"**/gallery/{act}-begun*", lambda route: page_of(act, route, package))
        page.context.route("**/api/**", lambda route: route.abort())
        page.goto(f"{gallery_url}/gallery/{act}-begun?lang={language}")
        told, button = page.locator("[data-revealed]"), page.get_by_role("button", name=label)
        page.set_input_files("[data-saved]", {"name": name, "mimeType": "application/octet-stream", "buffer": locked})
        for phrase, expected in (("another passphrase", wrong), (PASSPHRASE, away)):
            page.locator("[data-passphrase]").fill(phrase)
            button.press("Enter")
            expect(told).to_contain_text(expected)
        handed = page.locator("[data-handed] a")
        assert handed.count() == (act == "reveal")
        if act == "reveal":
            with page.expect_download() as saved:
                handed.press("Enter")
            assert saved.value.path().read_bytes() == documents(package)["factor"]
            assert violations(page) == []
        page.context.route("**/api/**", lambda route: take(route, sent))
        button.press("Enter")
        expect(told).to_contain_text(says)
        expect(page.locator("[data-receipt] a")).to_have_attribute("download", re.compile(r"-1\.\w+\.tlog-proof"))
        expect(button).to_be_hidden()
        assert violations(page) == []
    name = {"reveal": "factor", "rescue": "rescue"}[act]
    path = f"/api/v1/bids/{package.envelope.bid}/{name}"
    assert sent == [("POST", path, {"doc": b64u(documents(package)[name]), "sigs": []})]


def documents(package: OpeningPackage) -> dict[str, bytes]:
    """Return what may be sent of a package."""
    bid, standing = package.envelope.bid, package.envelope.sha256
    return {
        "factor": make_factor(bid, standing, package.s_b),
        "rescue": make_rescue(bid, standing, s_b=package.s_b, s_c=package.s_c),
    }


def take(route: Route, sent: list[Any]) -> None:
    sent.append((route.request.method, urlsplit(route.request.url).path, route.request.post_data_json))
    route.fulfill(status=201, json={"n": 5, "received_at": 1_790_000_000_000, "receipt": "…", "state": "logged"})


# A live ceremony.


@dataclass
class Ceremony:
    """A tender whose bidders sit before their own pages; ``packages`` are what they saved, by bidder and version."""

    exchange: Exchange
    tender: Tender
    browser: Browser
    packages: dict[tuple[str, int], bytes] = field(default_factory=dict)
    desks: dict[str, AtTheDesk] = field(default_factory=dict)

    def publish(self) -> None:
        institutions = self.exchange.institutions
        institutions.round()
        self.tender.publish()
        institutions.round()

    def seal_in_browser(self, key: str) -> None:
        """Seal and send two versions from Chromium; the second is the one that is opened."""
        bidder = self.tender.start(key)
        context = self.browser.new_context()
        context.route("**/static/seal/package.js", edited(*CHEAP[1:]))
        page = context.new_page()
        page.goto(f"{self.exchange.base}{BARE}")
        sealing = SealingPage(page, bidder.signer, bidder.signer.private_key).prepare()
        token, before = self.tender.market.stage.tokens[key], None
        for seq in (1, 2):
            sealing.seal(bidder.context(seq), self.tender.market.current_policy, supersedes=before)
            before = kept(sealing).envelope.sha256
            self.packages[key, seq] = sealing.keep()[1]
            sealing.ask("send", token=token)
            assert sealing.ask("commit", token=token)["status"] == 201
        sealing.seal(LOT.context(BIDDER), LOT.policy)
        kept(sealing)
        self.packages["elsewhere", 1] = sealing.keep()[1]
        context.close()

    def seal_by_program(self, key: str) -> None:
        sealed = self.tender.submit(key, PRICES[key])
        self.packages[key, 1] = lock_package(package_of(sealed, self.tender.market.current_policy), PASSPHRASE, work=2)

    def sit(self, stack: ExitStack, key: str, language: str) -> AtTheDesk:
        market, base = self.tender.market, self.exchange.base
        self.desks[key] = stack.enter_context(at_the_desk(self.browser, base, market, key, language))
        return self.desks[key]

    def name(self, key: str, seq: int) -> str:
        return f"{self.tender.bidders[key].bid}-{seq}.mbkey"

    def give(self, key: str, seq: int) -> None:
        """Let a bidder choose its package of a version."""
        self.desks[key].choose(self.name(key, seq), self.packages[key, seq])

    def check_shares(self) -> None:
        """Let the windows before the factors end, with some custodians silent."""
        market = self.tender.market
        self.exchange.institutions.round(*ANSWERING)
        opened = max(WINDOWS["objection_ms"], WINDOWS["share_check_ms"])
        market.advance_to(self.tender.order.created + opened + 2 * MARGIN)

    def end_factors(self) -> None:
        self.tender.market.advance_to(self.tender.bodies("factor.opened")[0]["ends_at"] + 1_000)

    def sign_list(self) -> None:
        station = self.tender.station
        listed = station.get("/documents?typ=sb1.factor-list").get_json()["documents"][-1]
        assert station.sign(b64u_decode(listed["doc"]), "agency", "supervisor").get_json()["h"]

    def report_gaps(self) -> tuple[str, ...]:
        """Collect the few releases, let their time end, report what is missing."""
        box, client, market = self.tender.station.box, self.tender.station.client, self.tender.market
        self.exchange.institutions.round(*ANSWERING)
        eventually(lambda: len(self.tender.station.get("/releases").get_json()["releases"]) == len(ANSWERING))
        market.advance_to(market.now() + WINDOWS["release_window_ms"] + MARGIN)
        collected = conduct.collect(box, client)
        assert collected.reported
        return tuple(collected.gaps)

    def close_release(self) -> None:
        market = self.tender.market
        market.advance_to(market.now() + WINDOWS["rescue_ms"] + MARGIN)
        market.work()
        eventually(lambda: self.tender.station.get().get_json()["steps"]["release_closed"] is not None)


def package_of(sealed: SealedBid, policy: Policy) -> bytes:
    """Return what the command keeps of a bid."""
    return build_package(sealed.envelope, created=CLOSE, policy_sha256=policy.sha256, s_c=sealed.s_c, s_b=sealed.s_b)


@pytest.fixture
def ceremony(browser: Browser, server: Server, tmp_path: Path) -> Iterator[Ceremony]:
    with clone(server, demo=True) as database, open_exchange(database, tmp_path, BIDDERS[:4]) as exchange:
        yield Ceremony(exchange, exchange.tender(), browser)


@pytest.mark.skipif(not LONG, reason="a live ceremony in Chromium: `python3 run.py test long confirming`")
def test_a_live_opening_confirmed_and_rescued_in_the_browser(ceremony: Ceremony) -> None:
    ceremony.publish()
    ceremony.seal_in_browser("qinghe")
    for key in PRICES:
        ceremony.seal_by_program(key)
    ceremony.tender.close()
    with ExitStack() as stack:
        for key, language in (("qinghe", "en"), ("bolin", "zh"), ("yunfan", "en"), ("songtao", "zh")):
            ceremony.sit(stack, key, language)
        nobody_confirms_early(ceremony)
        two_confirm_by_keyboard(ceremony)
        nobody_confirms_late(ceremony)
        two_rescue_by_keyboard(ceremony)
        nobody_rescues_late(ceremony)
        everybody_sees_what_became_of_it(ceremony)


def nobody_confirms_early(ceremony: Ceremony) -> None:
    """Before the order and before the window: what is stored stands, and what to have ready."""
    for _ in range(2):
        for key, says in (("qinghe", "nothing is missing"), ("bolin", "不缺任何东西")):
            assert ceremony.desks[key].open("/seal") == 422
            assert says in ceremony.desks[key].page.locator("main").inner_text()
        if not ceremony.tender.bodies("open.ordered"):
            ceremony.tender.order_opening()
    assert "Have the opening package and its passphrase ready" in lot_of(ceremony, "qinghe")


def lot_of(ceremony: Ceremony, key: str) -> str:
    """Return what the page of the lot says to a bidder."""
    assert ceremony.desks[key].open() == 200
    return str(ceremony.desks[key].page.locator("main").inner_text())


def two_confirm_by_keyboard(ceremony: Ceremony) -> None:
    """Every wrong file and passphrase is named, nothing is sent, and then the right ones are taken."""
    ceremony.check_shares()
    wrong = {
        "qinghe": (
            "No file is chosen",
            "does not open with this passphrase",
            "tender T-2026-7k3m9q2d",
            "version 1, and version 2",
        ),
        "bolin": ("没有选择文件", "无法用此口令打开", "投标编号 " + LOT.context(BIDDER).bid, ""),
    }
    for key, (nothing, phrase, elsewhere, version) in wrong.items():
        desk, seq = ceremony.desks[key], 2 if key == "qinghe" else 1
        desk.begin("reveal")
        desk.send("reveal", PASSPHRASE, nothing)
        ceremony.give(key, seq)
        desk.send("reveal", "another one", phrase)
        desk.choose("other.mbkey", ceremony.packages["elsewhere", 1])
        desk.send("reveal", PASSPHRASE, elsewhere)
        if version:
            ceremony.give(key, 1)
            desk.send("reveal", PASSPHRASE, version)
        assert (
            ceremony.tender.bodies("factor.revealed") == ceremony.tender.bodies("factor.refused") == []
            or key != "qinghe"
        )
        ceremony.give(key, seq)
        desk.send("reveal", PASSPHRASE)
    assert "You have confirmed the opening of your bid." in lot_of(ceremony, "qinghe")
    assert ceremony.desks["qinghe"].open("/seal") == 200
    assert ceremony.desks["qinghe"].page.url.endswith("#opening"), "there is nothing more to do"
    yunfan = ceremony.desks["yunfan"]
    yunfan.begin("reveal")
    ceremony.give("yunfan", 1)
    yunfan.send("reveal", PASSPHRASE)
    assert len(ceremony.tender.bodies("factor.revealed")) == 3


def nobody_confirms_late(ceremony: Ceremony) -> None:
    """Who begins in the window and sends after it is refused by the platform, who comes after it by the page."""
    songtao = ceremony.desks["songtao"]
    songtao.begin("reveal")
    ceremony.give("songtao", 1)
    ceremony.end_factors()
    songtao.send("reveal", PASSPHRASE, "解密窗口已经结束")
    assert songtao.open("/seal") == 422
    assert "没有收到你的确认" in songtao.page.locator("main").inner_text()
    assert [body["code"] for body in ceremony.tender.bodies("factor.refused")] == ["factor.late"]
    ceremony.sign_list()


def two_rescue_by_keyboard(ceremony: Ceremony) -> None:
    """One as soon as too few custodians called its share good, one when the gaps are told."""
    assert "Rescue your bid now." in lot_of(ceremony, "qinghe")
    assert "补救" not in ceremony.desks["songtao"].page.locator("main").inner_text(), "a rescue is no confirmation"
    desk = ceremony.desks["qinghe"]
    desk.begin("rescue")
    desk.choose("other.mbkey", ceremony.packages["elsewhere", 1])
    desk.send("rescue", PASSPHRASE, "tender T-2026-7k3m9q2d")
    ceremony.give("qinghe", 2)
    desk.send("rescue", PASSPHRASE)
    assert "Your rescue was received." in lot_of(ceremony, "qinghe")
    gaps = ceremony.report_gaps()
    assert ceremony.tender.bidders["bolin"].bid in gaps
    assert "补救你的投标：还剩" in lot_of(ceremony, "bolin")
    ceremony.desks["bolin"].begin("rescue")
    ceremony.give("bolin", 1)
    ceremony.desks["bolin"].send("rescue", PASSPHRASE)


def nobody_rescues_late(ceremony: Ceremony) -> None:
    yunfan = ceremony.desks["yunfan"]
    yunfan.begin("rescue")
    ceremony.give("yunfan", 1)
    ceremony.close_release()
    yunfan.send("rescue", PASSPHRASE, "The rescue window is over")
    assert "the rescue window is over" in lot_of(ceremony, "yunfan")
    assert len(ceremony.tender.bodies("rescue.accepted")) == 2


def everybody_sees_what_became_of_it(ceremony: Ceremony) -> None:
    ceremony.tender.open()
    verdicts = {key: verdict for key, (verdict, _) in ceremony.tender.verdicts().items()}
    assert verdicts == {
        "qinghe": "OK",
        "bolin": "OK",
        "yunfan": "TOO_FEW_SHARES",  # the control: without a rescue two custodians of five open nothing
        "songtao": "BIDDER_NO_FACTOR",
    }
    assert "1,234,567.00" in lot_of(ceremony, "qinghe")
    assert "126,450.00" in lot_of(ceremony, "bolin")
    assert ceremony.tender.verify()["code"] == 0
