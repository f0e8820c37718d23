"""Every page in every state, in both languages, light and dark: axe finds nothing, and narrow pages do not run over."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.build.samples import samples
from tests.support.browsers import overflows, violations
from tests.support.campaigns import LONG

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 700}
NAMES = [sample.name for sample in samples()]
PAGES = list({sample.template: sample.name for sample in reversed([*samples()])}.values())  # each in its first state


def looks() -> list[tuple[str, str, tuple[str, ...]]]:
    """Every state of every page in both languages and schemes; in a short run each page once, its looks in turn."""
    if LONG:
        return [(name, language, ("light", "dark")) for name in NAMES for language in ("zh", "en")]
    whole = [(language, (scheme,)) for language in ("zh", "en") for scheme in ("light", "dark")]
    return [(name, *whole[zlib.crc32(name.encode()) % 4]) for name in PAGES]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(("name", "language", "schemes"), looks())
def test_a_page_is_accessible_and_fits(
    page: Page, gallery_url: str, name: str, language: str, schemes: tuple[str, ...]
) -> None:
    first, *others = schemes
    page.emulate_media(color_scheme=first)  # type: ignore[arg-type]  # one of its two words
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto(f"{gallery_url}/gallery/{name}?lang={language}")
    assert violations(page) == []
    for scheme in others:  # nothing but colours differs
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(page, "color-contrast") == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert overflows(page) <= 0


def test_axe_finds_what_is_wrong(page: Page, gallery_url: str) -> None:
    """The control: a picture without words, a grey on grey, and a line as wide as two screens."""
    page.goto(f"{gallery_url}/gallery/{NAMES[0]}?lang=en")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x>')")
    page.evaluate("document.querySelector('main').style.cssText = 'color:#bbb;background:#ccc;min-width:2600px'")
    found = " ".join(violations(page))
    assert "image-alt" in found
    assert "color-contrast" in found
    assert len(violations(page, "color-contrast")) == 1
    assert overflows(page) > 0
