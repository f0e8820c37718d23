"""A draw recomputed on the reader's device: as the server for several draws, and red for a changed byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.build.pages_draws import attempt_proof
from tests.support.browsers import violations
from trading.experts.rules.tickets import order
from trading.web.headers import CONTENT_SECURITY_POLICY

SAMPLE = "draw-proof-recomputed"
DRAWS = range(1, 6)
Change = Callable[[str], str]


def unchanged(text: str) -> str:
    return text


@contextmanager
def shown(browser: Browser, url: str, change: Change = unchanged, *, script: bool = True) -> Iterator[Page]:
    """Open the page under the platform's own policy, with its bytes changed on the way."""
    context = browser.new_context(java_script_enabled=script)

    def as_the_platform_sends_it(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers, "content-security-policy": CONTENT_SECURITY_POLICY}
        route.fulfill(response=answer, headers=headers, body=change(answer.text()))

    page = context.new_page()
    page.route(re.compile(f"/gallery/{SAMPLE}"), as_the_platform_sends_it)
    try:
        page.goto(f"{url}/gallery/{SAMPLE}?lang=en", wait_until="networkidle")
        if script:
            expect(page.locator("[data-attempt][data-done=yes]")).to_have_count(len(DRAWS))
        yield page
    finally:
        context.close()


def verdicts(page: Page, number: int) -> list[str]:
    found: list[str] = page.locator(f"[data-attempt='{number}'] [data-stratum]").evaluate_all(
        "rows => rows.map((row) => row.dataset.holds)"
    )
    return found


def test_the_browser_finds_the_seeds_and_orders_of_the_server(browser: Browser, gallery_url: str) -> None:
    with shown(browser, gallery_url) as page:
        orders = []
        for number in DRAWS:
            made = attempt_proof(number)
            part = page.locator(f"[data-attempt='{number}']")
            assert part.locator("[data-computed]").text_content() == made.seed
            for item in made.strata:
                expected = " ".join(map(str, order(bytes.fromhex(made.seed), item.id, item.a, item.b)))
                row = part.locator(f"[data-stratum='{item.id}']")
                assert row.locator("[data-order]").text_content() == expected
                expect(row.locator("[data-verdict]")).to_contain_text("✓ holds")
                orders.append(expected)
        assert len(set(orders)) > len(DRAWS)  # the draws differ; of four indices two orders may be the same
        assert violations(page) == []


def _other(digit: str) -> str:
    return "1" if digit == "0" else "0"


def in_revealed(text: str) -> str:
    r = attempt_proof(3).revealed[0][1]
    return text.replace(r, _other(r[0]) + r[1:])


def in_seed(text: str) -> str:
    made = attempt_proof(3).seed
    return text.replace(made, made[:-1] + _other(made[-1]))


def in_final(text: str) -> str:
    commit = re.findall(r'"commit":"([0-9a-f]{64})', attempt_proof(3).final)[1]
    return text.replace(commit, _other(commit[0]) + commit[1:])


def in_trail(text: str) -> str:
    first = attempt_proof(3).trail[0]
    head, mark, tail = text.partition('data-attempt="3"')
    other = next(step.index for step in attempt_proof(3).trail if step.index != first.index)
    return head + mark + tail.replace(f'data-step="{first.index}|', f'data-step="{other}|', 1)


@pytest.mark.parametrize("change", [in_revealed, in_seed, in_final])
def test_a_changed_byte_is_found_in_its_own_draw(browser: Browser, gallery_url: str, change: Change) -> None:
    with shown(browser, gallery_url, change) as page:
        assert {number: verdicts(page, number) for number in DRAWS} == {
            number: ["no", "no"] if number == 3 else ["yes", "yes"] for number in DRAWS
        }
        expect(page.locator("[data-attempt='3'] [data-verdict]").first).to_contain_text("✗ does not hold")


def test_a_changed_byte_of_the_specification_is_found_everywhere(browser: Browser, gallery_url: str) -> None:
    """All draws of this page have one specification; ``min_valid`` decides nothing here and still is covered."""
    with shown(browser, gallery_url, lambda text: text.replace("min_valid&#34;:3", "min_valid&#34;:2")) as page:
        assert {each for number in DRAWS for each in verdicts(page, number)} == {"no"}


def test_a_call_out_of_order_is_found_in_its_stratum(browser: Browser, gallery_url: str) -> None:
    with shown(browser, gallery_url, in_trail) as page:
        assert verdicts(page, 3) == ["no", "yes"]
        assert verdicts(page, 2) == ["yes", "yes"]


def test_without_scripts_the_page_names_the_command(browser: Browser, gallery_url: str) -> None:
    with shown(browser, gallery_url, script=False) as page:
        expect(page.locator("[data-attempt='1'] [data-without]")).to_contain_text("python3 verify.py")
        expect(page.locator("[data-attempt='1'] [data-results]")).to_be_hidden()
