"""The verifier of the verify page recomputes every golden formula as the command does, and finds the same lies."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.build.golden_formulas import Golden
from tests.verifier.test_formulas import CASES, LIES, drawn_case, story_of
from tests.verifier.test_scoring import MASK_LIES, TENDER, Story, masked_story

ASK = """async ({ records, documents, tender }) => {
    const names = ["checks_ranking", "lot", "report"];
    const [ranking, { Lot }, { Check }] =
        await Promise.all(names.map((name) => import(`/static/verify/${name}.js`)));
    const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    const held = new Map(documents.map((each) => [each.sha256, { ...each, data: bytes(each.data) }]));
    const check = new Check("RK-01");
    const logged = records.map((record, n) => ({
        n, at: 0, t: 0, h: `${n}`, procedure: tender, place: `entry ${n}`, record: { ...record, subject: "lot:1" },
        ...record,
    }));
    const evidence = {
        document: (sha256) => held.get(sha256) ?? null, ofKind: (kind) => logged.filter((each) => each.kind === kind),
        ofType: (typ) => [...held.values()].filter((each) => each.typ === typ), holds: () => true,
    };
    await ranking.checkRanking(new Lot(evidence, logged, "1", "all"), check);
    return check.asData();
}"""


@pytest.fixture(scope="module")
def verifier(browser: Browser, gallery_url: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{gallery_url}/gallery/verify?lang=en")
    return page


def found(page: Page, told: Story) -> dict[str, Any]:
    documents = [
        {"sha256": each.sha256, "typ": each.typ, "value": each.value, "data": b64encode(each.data).decode()}
        for each in told.documents.values()
    ]
    report: dict[str, Any] = page.evaluate(ASK, {"records": told.records, "documents": documents, "tender": TENDER})
    return report


@pytest.mark.parametrize("golden", [*CASES, drawn_case()], ids=lambda golden: golden.name)
def test_the_browser_recomputes_the_golden_ranking(verifier: Page, golden: Golden) -> None:
    report = found(verifier, story_of(golden))
    assert (report["state"], report["failures"], report["gaps"]) == ("ok", [], [])


@pytest.mark.parametrize("golden", CASES[::4], ids=lambda golden: golden.name)
@pytest.mark.parametrize("lie", [lie for lie, _ in LIES], ids=lambda lie: lie.__name__)
def test_the_browser_finds_the_same_lies(verifier: Page, golden: Golden, lie: Callable[[Story], None]) -> None:
    told = story_of(golden)
    lie(told)
    report = found(verifier, told)
    assert report["state"] in {"fail", "not_checked"}
    assert len(report["failures"]) + len(report["gaps"]) == len(told.complaints())


def test_the_browser_sums_sheets_of_masked_bidders(verifier: Page) -> None:
    report = found(verifier, masked_story())
    assert (report["state"], report["failures"], report["gaps"]) == ("ok", [], [])


@pytest.mark.parametrize("lie", [lie for lie, _ in MASK_LIES], ids=lambda lie: lie.__name__)
def test_the_browser_finds_lies_about_letters(verifier: Page, lie: Callable[[Story], None]) -> None:
    told = masked_story()
    lie(told)
    assert found(verifier, told)["state"] == "fail"
