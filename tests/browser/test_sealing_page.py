"""The sealing page as a bidder uses it, by keyboard: from the trust file to the receipt, on a whole platform (ux 7)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.support.browser_sealing import PASSPHRASE
from tests.support.browsers import overflows, violations
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.market import LOT, Market, open_market
from tests.support.people import code_of, session_cookie
from trading.bids.rules.package import parse_package
from trading.bids.rules.trust import TRUST
from trading.crypto.envelope import derive_identity
from trading.crypto.packages import unlock_package
from trading.demo import cast
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u
from verifier.age import open_age

expect.set_options(timeout=20_000)  # also on a machine that does much else
BIDDER = cast.BIDDERS[0]
ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "templates" / "participation" / "_seal_words.html"
REVEAL_WORDS = ROOT / "templates" / "participation" / "_reveal_words.html"
# The key of the market's bidder, put where static/sign.js would have made it.
PLANT = """async ([jwk, spki, kid, account]) => {
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    await new Promise((resolve, reject) => {
        const opening = indexedDB.open("mingbiao", 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
            const transaction = opening.result.transaction("keys", "readwrite");
            transaction.objectStore("keys").put({ account, role: "bidder", private: key, spki, kid }, kid);
            transaction.oncomplete = () => { opening.result.close(); resolve(); };
        };
    });
}"""


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("page"), (BIDDER,)) as market,
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market


def trust_file(market: Market, *, without: str = "") -> bytes:
    signers = market.stage.signers
    people = [(signers["agency", "agency"], cast.AGENCY.name_zh, "agency")]
    people += [(signers[each.key, "custodian"], each.name_zh, "custodian") for each in cast.CUSTODIANS]
    rows = [
        {"alg": "ES256", "key": b64u(key.spki), "kid": key.kid, "name": name, "role": role}
        for key, name, role in people
        if name != without
    ]
    body: dict[str, Any] = {
        "institutions": sorted(rows, key=lambda row: str(row["kid"])),
        "issued": market.now(),
        "log_policy": market.runtime.witness_policy,
        "origin": market.runtime.origin,
        "release_sha256": [],
        "seq": 1,
        "supersedes": None,
        "tsa": [],
        "x509_roots": [],
    }
    return TRUST.write(body)


def plant_key(page: Page, market: Market) -> None:
    signer = market.stage.signers[BIDDER.key, "bidder"]
    numbers = signer.private_key.private_numbers()
    point = numbers.public_numbers
    d, x, y = (b64u(value.to_bytes(32)) for value in (numbers.private_value, point.x, point.y))
    jwk = {"kty": "EC", "crv": "P-256", "d": d, "x": x, "y": y}
    account = page.get_attribute("[data-sealing]", "data-account")
    page.evaluate(PLANT, [jwk, b64u(signer.spki), signer.kid, account])


def begin(page: Page, market: Market) -> None:
    """Type the second factor and begin."""
    page.goto(f"/bidder/tenders/{market.tender}/lots/{LOT}/seal?lang=en")
    page.get_by_label("Six-digit code or recovery code").fill(code_of(market.runtime.ledger, BIDDER.key))
    page.keyboard.press("Enter")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{name}")).focus()
    page.keyboard.press("Enter")


def price_file(page: Page) -> bytes:
    codes = str(page.get_attribute("[data-sealing]", "data-items")).split(",")
    rows = [{"amount": 100, "code": code, "quantity": "1", "unit_price": "1"} for code in codes]
    terms = {"delivery_days": 30, "sme": None}
    return json.dumps({"currency": "CNY", "items": rows, "terms": terms, "total": 100 * len(rows)}).encode()


def test_from_the_trust_file_to_the_receipt(browser: Browser, market: Market, tmp_path: Path) -> None:
    asked: list[Request] = []
    with market.serving() as address:
        context = browser.new_context(base_url=address, viewport={"width": 320, "height": 700}, accept_downloads=True)
        name, value = session_cookie(market.app, BIDDER.key)
        context.add_cookies([{"url": address, "name": name, "value": value}])
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        begin(page, market)
        expect(page.locator("[data-begin]")).to_contain_text("no active signing key")
        plant_key(page, market)
        begin(page, market)
        expect(page.locator("[data-begin]")).to_contain_text("Your key lies in this browser")
        page.on("request", lambda request: asked.append(request) if "/api/" in request.url else None)

        press(page, "Check the sealing policy")
        expect(page.locator("[data-checked]")).to_contain_text("Choose a trust file")
        page.set_input_files(
            "[data-trust]", file_of("trust.json", trust_file(market, without=cast.CUSTODIANS[1].name_zh))
        )
        press(page, "Check the sealing policy")
        expect(page.locator("[data-checked]")).to_contain_text("not_trusted")
        page.set_input_files("[data-trust]", file_of("trust.json", trust_file(market)))
        press(page, "Check the sealing policy")
        expect(page.locator("[data-checked]")).to_contain_text("holds by your trust file")

        press(page, "Seal$")
        expect(page.locator("[data-sealed]")).to_contain_text("Choose the price file")
        page.set_input_files("[data-price]", file_of("price.json", price_file(page)))
        documents = [
            file_of("技术方案.txt", "方案".encode()),
            file_of("empty.txt", b""),
            file_of("a.pdf", b"%PDF-1.7 cut"),
        ]
        page.set_input_files("[data-files]", documents)
        for doubt in ("This file is empty.", "The file has no end"):
            expect(page.locator("[data-list]")).to_contain_text(doubt)
        press(page, "Seal$")
        expect(page.locator("[data-sealed]")).to_contain_text("Fingerprint of the bid")

        page.fill("[data-passphrase]", PASSPHRASE)
        page.fill("[data-again]", "another passphrase")
        press(page, "Save the opening package")
        expect(page.locator("[data-kept]")).to_contain_text("differ")
        page.fill("[data-again]", PASSPHRASE)
        with page.expect_download() as waiting:
            press(page, "Save the opening package")
        package = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(package)
        assert page.locator("[data-sending]").is_hidden()
        page.set_input_files("[data-saved]", package)
        press(page, "Open it once")
        expect(page.locator("[data-kept]")).to_contain_text("is that of this bid")
        assert [re.sub(r".*/api/v1/", "", each.url) for each in asked] == [
            f"procedures/{market.tender}/lots/{LOT}/bids"
        ]
        assert (overflows(page), violations(page)) == (0, [])

        press(page, "Upload the sealed files")
        expect(page.locator("[data-sent]")).to_contain_text("the bid is not submitted yet")
        expect(page.locator("[data-bars]")).to_contain_text("bytes confirmed (100%)")
        assert (overflows(page), violations(page)) == (0, [])
        begin(page, market)  # the page is lost; what it has sealed is not
        expect(page.locator("[data-found]")).to_contain_text("Part main: the platform has all of it.")
        expect(page.locator("[data-bars]")).not_to_contain_text("(0%)")
        press(page, "Submit the sealed bid")
        expect(page.locator("[data-committed]")).to_have_text(re.compile("Received|Acknowledged"))
        withdraw(page, market)
        assert (overflows(page), violations(page)) == (0, [])
        context.close()
    assert faults == []
    (withdrawn,) = market.bodies("bid.withdrawn")
    assert withdrawn["seq"] == 2
    kept = parse_package(unlock_package(package.read_bytes(), PASSPHRASE))
    (received,) = market.bodies("bid.received")
    assert received["envelope_sha256"] == kept.envelope.sha256
    part = kept.envelope.parts[-1]
    identity = derive_identity(kept.s_c, kept.s_b, kept.envelope.context.bytes(), "price")
    price = loads_object(open_age(identity, market.runtime.objects.get(part.sha256)).rstrip(b" "))
    assert price["terms"] == {"delivery_days": 30, "sme": None}


@pytest.mark.skipif(not LONG, reason="part of the long run; the worker's own tests find the same")
def test_what_does_not_open_again_leaves_the_other_steps_shut(browser: Browser, market: Market) -> None:
    def wrong(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("return product;", "return product ^ 1;"))

    with market.serving() as address:
        context = browser.new_context(base_url=address, accept_downloads=True)
        context.route("**/static/seal/dealing.js", wrong)
        name, value = session_cookie(market.app, BIDDER.key)
        context.add_cookies([{"url": address, "name": name, "value": value}])
        page = context.new_page()
        begin(page, market)
        plant_key(page, market)
        begin(page, market)
        page.check("[data-without]")
        press(page, "Check the sealing policy")
        expect(page.locator("[data-checked]")).to_contain_text("nobody has checked")
        page.set_input_files("[data-price]", file_of("price.json", price_file(page)))
        press(page, "Seal$")
        expect(page.locator("[data-sealed]")).to_contain_text("does not open as it must")
        with page.expect_download() as waiting:
            press_link(page, "Save what was found")
        found = json.loads(Path(waiting.value.path()).read_text())
        assert (found["step"], found["code"]) == ("derivation", "share_commit")
        assert not any(page.locator(f"[data-{step}]").is_visible() for step in ("keeping", "sending", "submitting"))
        context.close()


def withdraw(page: Page, market: Market) -> None:
    """Take back what was just submitted; asked twice."""
    begin(page, market)
    press(page, "Withdraw the bid")
    expect(page.locator("[data-withdrawn]")).to_contain_text("Tick that you take the version back")
    page.check("[data-sure]")
    press(page, "Withdraw the bid")
    expect(page.locator("[data-withdrawn]")).to_have_text(re.compile("Received|Acknowledged"))


def press_link(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).focus()
    page.keyboard.press("Enter")


def file_of(name: str, data: bytes) -> Any:  # noqa: ANN401 - a type that playwright keeps
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


THROWN = r'(?:must\(.*, |code: |word\(|[fF]ault\()"([a-z_]+)"'
OF_THE_PACKAGE = ("reveal.js", "documents.js", "package.js", "calls.js")  # what confirming and rescuing run through


def said_in(words: Path) -> set[str]:
    return set(re.findall(r'data-word="([a-z_]+)"', words.read_text()))


def test_every_code_of_the_scripts_has_words() -> None:
    said = said_in(WORDS) | said_in(REVEAL_WORDS)
    scripts = {path.name: path.read_text() for path in (ROOT / "static" / "seal").glob("*.js")}
    del scripts["libraries.js"]
    source = "".join(scripts.values())
    thrown = set(re.findall(THROWN, source)) | {"trusted", "trusted_by_hand"}
    bugs = {"sealed_before", "not_sealed", "not_looked", "passphrase", "worker"}  # the page never asks out of order
    assert len(thrown) > 45
    assert thrown - said - bugs == {"refused"}, "of which the platform's own words are shown"
    assert said - set(re.findall(r'"([a-z_]+)"', source)) == set()
    of_the_package = set(re.findall(THROWN, "".join(scripts[name] for name in OF_THE_PACKAGE)))
    assert of_the_package - said_in(REVEAL_WORDS) == {"refused", "paused"}, "nobody pauses there"
