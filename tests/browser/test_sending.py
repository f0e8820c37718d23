"""What the browser has sealed goes up in pieces, and late becomes a bid: after cuts, a reload, elsewhere (S7, F23, G7).

A bidder whose first version stands seals replacements, whose way is cut at random bytes; the connection is reset as a
lost one is. Half of the browsers go on by themselves, half die of every cut: their page is loaded again, and goes on
with what lies on the disk. Bytes are counted on the way. ``MINGBIAO_CAMPAIGN=long`` makes 200 cuts over files of 1 KB,
5 MB and 60 MB, the last of which takes 14 cuts each time; a normal run one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Request, Route

from agents.sealing import SealedBid
from tests.browser.test_sealing import BARE, CHEAP, Edit, edited, kept, refused
from tests.support.browser_sealing import Fault, SealingPage
from tests.support.buckets import Call, S3Server, Way
from tests.support.campaigns import LONG, among
from tests.support.cutting import Way as Cuts
from tests.support.cutting import way_to
from tests.support.databases import Server, clone
from tests.support.doorman import doorman
from tests.support.market import Bidder, Market, open_market
from trading.bids.rules.package import OpeningPackage
from trading.crypto.envelope import derive_identity
from trading.demo import cast
from trading.kernel.encoding import b64u
from trading.openings.rules.factors import make_factor, make_rescue
from trading.storage.local import LocalStore
from trading.storage.s3 import S3Store
from verifier.age import open_age

KB, MB = 1_000, 1_000_000
CHUNK = 4 * 2**20
#: Size of the file, cuts of one upload, uploads in a sample and in the long run: 200 cuts in all.
SIZES = ((KB, 1, 1, 60), (5 * MB, 2, 0, 35), (60 * MB, 14, 0, 5))  # bytes, cuts a round, rounds of a sample and of all
HEAD_BYTES = 2_000  # more than the lines of one request take
QUICK: Edit = ("calls.js", "FIRST_PAUSE_MS = 1000", "FIRST_PAUSE_MS = 10")
DIES: Edit = ("uploading.js", "ATTEMPTS = 8", "ATTEMPTS = 1")
START = """(token) => {
    window.sent = window.sealing.worker.ask("send", { token }).then(() => "sent", ({ code }) => code);
}"""
GREEDY: Edit = ("uploading.js", "CHUNK = 4 *", "CHUNK = 8 *")
KINDS: tuple[tuple[Edit, ...], ...] = ((DIES,), ()) if LONG else ((DIES,),)


@dataclass
class Desk:
    """A bidder with a standing version, and the way from its browsers to the platform."""

    browser: Browser
    bidder: Bidder
    first: SealedBid
    way: Cuts
    address: str
    wrong: list[str] = field(default_factory=list)
    stood: int = 0

    @property
    def market(self) -> Market:
        return self.bidder.market

    @property
    def token(self) -> str:
        return self.market.stage.tokens[self.bidder.key]

    @contextmanager
    def machine(self, *edits: Edit) -> Iterator[SealingPage]:
        """A browser with a disk of its own."""
        context = self.browser.new_context()
        for module, old, new in (CHEAP, QUICK, *edits):
            context.route(f"**/static/seal/{module}", edited(old, new))
        page = context.new_page()
        page.goto(f"{self.address}{BARE}")
        try:
            yield SealingPage(page, self.bidder.signer, self.bidder.signer.private_key).prepare()
        finally:
            context.close()

    def seal(self, sealing: SealingPage, size: int) -> OpeningPackage:
        """Seal the next version, open it again, keep its package: it may be sent."""
        seq, before = self.newest()
        policy = self.market.current_policy
        sealing.seal_random(self.bidder.context(seq + 1), policy, size, supersedes=before)
        return kept(sealing)

    def newest(self) -> tuple[int, str]:
        (row,) = self.bidder.client.get("/api/v1/bids").get_json()["bids"]
        newest = row["versions"][-1]
        return newest["seq"], newest["sha256"]

    def first_stands(self) -> bool:
        (row,) = self.bidder.client.get("/api/v1/bids").get_json()["bids"]
        return row["standing"] == "envelope" and [version["seq"] for version in row["versions"]] == [1]

    def at_cut(self) -> None:
        """The connection is lost: the earlier version stands."""
        if self.first_stands():
            self.stood += 1
        else:
            self.wrong.append("the earlier version does not stand")

    def round(self, sealing: SealingPage, size: int, plan: list[int]) -> list[str]:
        """Seal and upload a replacement whose way is cut after so many bytes each; return what is wrong."""
        package = self.seal(sealing, size)
        self.way.sent = self.way.connections = self.way.cuts = 0
        self.way.plan, self.way.at_cut = plan, self.at_cut
        self.wrong.clear()
        while not self._send(sealing):
            pass
        return self.wrong + self._wrong_amount(package) + self._wrong_bytes(package)

    def _send(self, sealing: SealingPage) -> bool:
        """Send to the end, or to the cut of which this browser dies; return whether it came to the end."""
        try:
            sealing.ask("send", token=self.token)
        except Fault as fault:
            self.wrong += [] if fault.code == "cut" else [f"fault {fault.code}"]
            waiting, self.way.plan = self.way.plan, []
            sealing.reload()
            place = {"bid": sealing.shown["bid"], "seq": sealing.shown["seq"]}
            assert sealing.ask("find", place=place)["seq"] == place["seq"]
            self.way.plan = waiting
            return False
        return True

    def _wrong_amount(self, package: OpeningPackage) -> list[str]:
        whole = sum(part.size for part in package.envelope.parts)
        again = self.way.sent - whole - HEAD_BYTES * self.way.connections
        return [f"{again} bytes were sent again"] if again > self.way.cuts * CHUNK else []

    def _wrong_bytes(self, package: OpeningPackage) -> list[str]:
        objects, wrong = self.market.runtime.objects, []
        assert isinstance(objects, LocalStore)
        for part in package.envelope.parts:
            if objects.stat(part.sha256) != part.size:
                wrong.append(f"the part {part.name} is not stored")
                continue
            for _ in objects.chunks(part.sha256):  # hashed again to the end
                pass
            objects._path(part.sha256).unlink()  # the disk is for the next one
        return wrong + [f"{name} was left" for name in objects.pieces.uploads()]


@pytest.fixture(scope="module")
def desk(browser: Browser, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory, organisation = tmp_path_factory.mktemp("sending"), cast.BIDDERS[0]
    with (
        clone(server, demo=True) as database,
        open_market(database, directory, (organisation,)) as market,
        market.serving() as base,
        way_to(base) as (address, way),
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        bidder = Bidder(market, organisation)
        bidder.start()
        first = bidder.seal(100_00)
        assert bidder.submit(first).status_code in {201, 202}
        yield Desk(browser, bidder, first, way, address)


def test_a_cut_upload_goes_on_and_the_earlier_version_stands(
    desk: Desk,
    record_property: Any,  # noqa: ANN401 - pytest's own
) -> None:
    wrong, cuts, planned, desk.stood = [], 0, 0, 0
    with ExitStack() as machines:
        kinds = [machines.enter_context(desk.machine(*edits)) for edits in KINDS]
        for size, each, sample, full in SIZES:
            rounds = among(full // 5, alone=full) if LONG else sample
            planned += rounds * each
            for number in range(rounds):
                plan = [1 + secrets.randbelow(max(1, size // each)) for _ in range(each)]
                found = desk.round(kinds[number % len(kinds)], size, plan)
                wrong += [f"{size} bytes, no. {number}: {what}" for what in found]
                cuts += desk.way.cuts
    assert wrong == []
    assert cuts == desk.stood == planned
    record_property("cuts", cuts)


@pytest.mark.skipif(not LONG, reason="a control of the long run")
def test_control_chunks_that_are_too_large_are_found(desk: Desk) -> None:
    with desk.machine(GREEDY) as sealing:
        assert any("sent again" in what for what in desk.round(sealing, 5 * MB, [5 * MB - 50 * KB]))


def test_where_senders_reach_the_bucket_chunks_go_there(
    desk: Desk, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the platform, which reads and counts them; a bucket that does not take them keeps nobody from sending."""
    store = S3Store(s3.outside(), tmp_path / "spool")
    monkeypatch.setitem(desk.market.app.extensions, "runtime", replace(desk.market.runtime, objects=store))

    def refuses(call: Call) -> None:
        call.status = HTTPStatus.FORBIDDEN if call.method == "PUT" else None

    asked: list[str] = []
    with desk.machine() as sealing:
        sealing.page.on("request", lambda request: asked.append(_call_of_chunk(request)))
        for look, ways in ((doorman(), ["POST pieces"] * 2), (refuses, ["POST pieces", "PATCH"])):
            asked.clear()
            with s3.on(Way(before=look)) as way:
                parts = desk.seal(sealing, KB).envelope.parts
                sealing.ask("send", token=desk.token)
                put = [call for call in way.calls if call.method == "PUT"]
            assert [store.stat(part.sha256) for part in parts] == [part.size for part in parts]
            assert [each for each in asked if each] == ways * 2
            assert len(put) == 2
            assert all("Authorization" not in call.headers for call in put), "the bucket never sees the token"
    assert list(store.pieces.uploads()) == []
    assert desk.first_stands()


def _call_of_chunk(request: Request) -> str:
    found = re.search(r"/bids/[a-z0-9-]+/uploads/[a-z0-9]+(/pieces)?", request.url)
    return "" if found is None else request.method + (" pieces" if found[1] else "")


def test_what_is_ready_outlives_its_page_and_goes_on_elsewhere(desk: Desk) -> None:
    place: dict[str, Any] = {"bid": desk.bidder.bid, "seq": 2}
    with desk.machine() as sealing:
        sealing.seal_random(desk.bidder.context(2), desk.market.current_policy, KB, supersedes=desk.newest()[1])
        sealing.ask("look")
        _, locked = sealing.keep()
        parts = [sealing.part(name) for name in ("main", "price")]
        sealing.reload()
        assert sealing.ask("find", place=place) is None, "its package has not come back from where it was saved"
        assert refused(lambda: sealing.ask("commit", token=desk.token)).code == "not_ready"
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"passphrase": "another one"}, "package"),
            ({"bid": "b-other"}, "package_other"),
        ]
        for changes, code in (*wrong, ({"seq": 3}, "version_old")):
            assert refused(lambda each={**place, **changes}: sealing.resume(locked, **each)).code == code  # type: ignore[misc]
        assert sealing.ask("find", place=place) is None
        assert [part["file"] is not None for part in sealing.resume(locked, **place)["parts"]] == [True, True]
        assert sealing.reload().ask("find", place=place)["seq"] == 2
    with desk.machine() as elsewhere:
        elsewhere.resume(locked, **place)
        told = elsewhere.ask("stored", token=desk.token)
        assert [(row["confirmed"], row["complete"], row["isHere"]) for row in told] == [(0, False, False)] * 2
        assert refused(lambda: elsewhere.ask("send", token=desk.token)).code == "part_elsewhere"
        elsewhere.resume(locked, parts[1], parts[0][:-1] + bytes([parts[0][-1] ^ 1]), **place)
        assert [row["isHere"] for row in elsewhere.ask("stored", token=desk.token)] == [False, True]
        elsewhere.resume(locked, *parts, **place)
        elsewhere.ask("send", token=desk.token)
    assert desk.first_stands()


@pytest.mark.skipif(not LONG, reason="part of the long run; a cut does the same to a chunk")
def test_pausing_ends_what_is_on_its_way_and_keeps_what_arrived(desk: Desk) -> None:
    with desk.machine() as sealing:
        desk.seal(sealing, KB)
        sealing.page.context.route("**/uploads/*", lambda _route: None)  # no chunk ever arrives
        with sealing.page.expect_request("**/uploads/*"):
            sealing.page.evaluate(START, desk.token)
        sealing.ask("pause")
        assert sealing.page.evaluate("window.sent") == "paused"
        sealing.page.context.unroute("**/uploads/*")
        sealing.ask("send", token=desk.token)
        assert all(row["complete"] for row in sealing.ask("stored", token=desk.token))


def test_the_envelope_comes_last_and_makes_the_bid(desk: Desk) -> None:
    """Sealed and sent on one machine, submitted and withdrawn on another that has the package alone."""
    asked: list[str] = []
    policy, context = desk.market.current_policy, desk.bidder.context(3)
    with desk.machine() as sealing:
        sealing.page.on("request", lambda request: asked.append(_call(request)) if "/api/" in request.url else None)
        package = desk.seal(sealing, KB)
        assert asked == []
        assert refused(lambda: sealing.ask("commit", token=desk.token)).values["content"]["code"] == "bid.part_missing"
        sealing.ask("send", token=desk.token)
        assert desk.first_stands()
        _, locked = sealing.keep()
    assert asked == ["envelope", *["POST uploads", "PATCH uploads"] * 2]
    with desk.machine(DIES) as elsewhere:
        assert elsewhere.hand_in("rehearse", context, policy, token=desk.token)["status"] == 202
        elsewhere.resume(locked, bid=desk.bidder.bid, seq=2)
        elsewhere.ask("send", token=desk.token)
        elsewhere.page.context.route("**/uploads", lambda route: route.abort())
        lost = refused(lambda: elsewhere.ask("send", token=desk.token))
        assert (lost.code, lost.values["confirmed"]) == ("cut", lost.values["size"]), "what arrived is not forgotten"
        elsewhere.page.context.unroute("**/uploads")
        answers = [elsewhere.ask("commit", token=desk.token) for _ in range(2)]
        assert answers[0]["status"] in {201, 202}
        assert len({answer["content"]["h"] for answer in answers}) == 1, "as often as one likes"
        assert desk.newest() == (2, package.envelope.sha256)
        assert not desk.first_stands(), "the control of the campaign"
        _require_secrets(desk, elsewhere, locked, package)
        taken_back = elsewhere.hand_in("withdraw", context, policy, token=desk.token, supersedes=desk.newest()[1])
        assert taken_back["status"] in {201, 202}
    (withdrawn,) = desk.market.bodies("bid.withdrawn")
    assert (withdrawn["bid"], withdrawn["seq"]) == (desk.bidder.bid, 3)
    for part in package.envelope.parts:
        identity = derive_identity(package.s_c, package.s_b, package.envelope.context.bytes(), part.name)
        assert open_age(identity, desk.market.runtime.objects.get(part.sha256))


def _call(request: Request) -> str:
    path = re.sub(r".*/bids/[a-z0-9-]+/", "", request.url).partition("/")[0]
    return f"{request.method} {path}" if path == "uploads" else path


def _require_secrets(desk: Desk, sealing: SealingPage, locked: bytes, package: OpeningPackage) -> None:
    """Of a saved package is sent what the command would send; of another version or bid nothing."""
    bid, standing = package.envelope.bid, package.envelope.sha256
    given: dict[str, Any] = {"token": desk.token, "standing": {"bid": bid, "seq": "2", "sha256": standing}}
    other = {**given, "standing": {"bid": bid, "seq": "1", "sha256": desk.first.envelope.sha256}}
    elsewhere = {**given, "standing": {"bid": "b-other", "seq": "2", "sha256": standing}}
    sent: list[Any] = []

    def take(route: Route) -> None:
        sent.append((urlsplit(route.request.url).path.rpartition("/")[2], route.request.post_data_json))
        route.fulfill(status=201, json={"state": "logged"})

    for act in ("factor", "rescue"):
        sealing.page.context.route(f"**/{act}", take)
    for act in ("reveal", "rescue"):
        assert sealing.with_package(act, locked, **other) == "package_version"
        assert sealing.with_package(act, locked, **elsewhere) == "package_elsewhere"
        assert sealing.with_package(act, locked, "another one", **given) == "package"
        assert sealing.with_package(act, locked[:-1], **given) == "package"
    assert sent == []
    assert [sealing.with_package(act, locked, **given) for act in ("reveal", "rescue")] == [None, None]
    documents = {
        "factor": make_factor(bid, standing, package.s_b),
        "rescue": make_rescue(bid, standing, s_b=package.s_b, s_c=package.s_c),
    }
    assert sent == [(act, {"doc": b64u(document), "sigs": []}) for act, document in documents.items()]
