"""The price form in a browser: it computes as the client does, saves what the client reads, and tells nobody.

Every request that the page makes is recorded; its own policy is put on the sample as the platform sends it. The control
shows that the recorder sees a page that does send, and that the policy is what stops it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from agents.bid.prices import of_file
from tests.support.browsers import violations
from trading.participation.views.lots import SILENT_POLICY

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "quotes.json").read_text())
PRICES = ("804416.67", "1,250,000", "0.335")
SECRETS = ("804416", "1250000", "1,250,000", "0.335", "3304417", "small_micro")


@dataclass
class Watched:
    """A page on the price form, and every request since it was loaded."""

    page: Page
    requests: list[Request] = field(default_factory=list)

    def note(self, request: Request) -> None:
        self.requests.append(request)

    def told(self) -> str:
        """Return everything that left the page: addresses, headers and bodies."""
        return "\n".join(
            f"{each.method} {each.url} {each.all_headers()} {each.post_data or ''}" for each in self.requests
        )

    def type(self, prices: tuple[str, ...] = PRICES) -> None:
        for number, price in enumerate(prices, 1):
            self.page.fill(f"#price-{number}", price)

    def save(self, target: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.page.click("[data-save]")
        waiting.value.save_as(target)
        return target


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Browser, gallery_url: str) -> Visit:
    @contextmanager
    def visiting(
        *, policy: str | None = SILENT_POLICY, script: bool = True, sample: str = "price-fresh"
    ) -> Iterator[Watched]:
        context = browser.new_context(java_script_enabled=script, accept_downloads=True)

        def as_the_platform_sends_it(route: Route) -> None:
            answer = route.fetch()
            headers = {**answer.headers, **({"content-security-policy": policy} if policy else {})}
            route.fulfill(response=answer, headers=headers)

        page = context.new_page()
        page.route(re.compile(r"/gallery/price-"), as_the_platform_sends_it)
        page.goto(f"{gallery_url}/gallery/{sample}?lang=en", wait_until="networkidle")
        watched = Watched(page)
        page.on("request", watched.note)
        try:
            yield watched
        finally:
            context.close()

    return visiting


def test_no_request_carries_a_price_or_anything_else(visit: Visit, tmp_path: Path) -> None:
    with visit() as watched:
        watched.type()
        watched.page.fill("#delivery", "45")
        watched.page.check("#sme-2")
        watched.page.press("#price-1", "Enter")
        saved = watched.save(tmp_path / "price.json")
        assert "Saved on your machine" in watched.page.inner_text("[data-told]")
        watched.page.wait_for_timeout(1500)  # longer than the countdown's tick
        assert [each.url for each in watched.requests if not each.url.startswith("blob:")] == []
        assert not [secret for secret in SECRETS if secret in watched.told()]
        assert watched.page.evaluate("location.search") == "?lang=en"
        assert watched.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")[:2] == [0, 0]
        watched.page.click("header a[lang='zh-Hans-CN']")
        assert not [secret for secret in SECRETS if secret in watched.told()], "nor does a link tell it"
    found = of_file(saved)
    assert [(item.code, item.quantity, item.unit_price, item.amount) for item in found.items] == [
        ("A02320000", "1", "804416.67", 80_441_667),
        ("A02320001", "2", "1250000", 250_000_000),
        ("A02320002", "3", "0.335", 101),
    ]
    assert (found.total, found.currency) == (330_441_768, "CNY")
    assert found.terms == {"delivery_days": 45, "sme": "small_micro"}


SEND = "fetch('/nowhere?price=' + document.querySelector('#price-1').value).then(() => 'sent', () => 'stopped')"
FORM = """() => { const form = document.createElement('form'); form.method = 'post'; form.action = '/nowhere';
 const field = document.createElement('input'); field.name = 'price';
 field.value = document.querySelector('#price-1').value;
 form.append(field); document.body.append(form); form.submit(); }"""


def test_a_page_that_sends_is_seen_and_the_policy_stops_it(visit: Visit) -> None:
    """The control: without the policy of the price form the same script gets a price out, and the recorder sees it."""
    with visit(policy=None) as watched:
        watched.type()
        assert watched.page.evaluate(SEND) == "sent"
        assert "804416" in watched.told()
    with visit() as watched:
        watched.type()
        assert watched.page.evaluate(SEND) == "stopped"
        watched.page.evaluate(FORM)
        watched.page.wait_for_timeout(300)
        assert "804416" not in watched.told()


def test_amounts_are_those_of_the_client(visit: Visit) -> None:
    with visit() as watched:
        amount = "([quantity, price]) => String(quotes.amount(quantity, price, 'CNY'))"
        for case in CASES:
            found = watched.page.evaluate(amount, [case["quantity"], case["unit_price"]])
            assert found == ("null" if case["amount"] is None else str(case["amount"])), case


def test_what_is_wrong_is_said_twice_and_nothing_is_saved(visit: Visit) -> None:
    with visit() as watched:
        watched.type(("12,34", "1e3", "5"))
        watched.page.fill("#delivery", "0")
        watched.page.click("[data-save]")
        summary = watched.page.inner_text("[data-problems]")
        assert summary.count("Unit price, such as 1234.56") == 2
        assert "Delivery in whole days" in summary
        assert watched.page.locator("[aria-invalid]").count() == 3
        assert watched.page.evaluate("document.activeElement.matches('[data-problems]')")
        assert violations(watched.page) == []
        watched.type(("9999999.99", "9999999", "5"))
        assert "above the ceiling" in watched.page.inner_text("[data-above]")


def test_a_saved_file_is_read_again(visit: Visit, tmp_path: Path) -> None:
    with visit() as watched:
        watched.type()
        watched.page.fill("#delivery", "45")
        saved = watched.save(tmp_path / "price.json")
    with visit() as watched:
        watched.page.set_input_files("#earlier", saved)
        expect(watched.page.locator("#price-1")).not_to_have_value("")
        assert watched.save(tmp_path / "again.json").read_bytes() == saved.read_bytes()
        (tmp_path / "other.json").write_text('{"currency":"CNY","items":[]}')
        watched.page.set_input_files("#earlier", tmp_path / "other.json")
        expect(watched.page.locator("[data-told]")).to_contain_text("not a price file")


def test_without_a_script_the_command_is_explained(visit: Visit) -> None:
    with visit(script=False) as watched:
        assert "mingbiao bid price --template" in watched.page.inner_text("main")
        assert "Without a script this page cannot compute" in watched.page.inner_text("main")
        assert not watched.page.is_visible("#price-form")
        assert "6 days 2 hours" in watched.page.inner_text("[data-left]")
