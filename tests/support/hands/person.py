"""One person before a browser of his or her own: signed in with two factors, every page looked at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.support.browsers import violations
from tests.support.hands.keyboard import Keyboard

#: Of an address: references, hashes, seats, drafts; what is left names the page.
_NAMES: Final = re.compile(r"/[^/]*[0-9A-Z][^/]*")
CODE: Final = "Six-digit code or recovery code"


@dataclass(slots=True, kw_only=True)
class Looked:
    """The pages that axe has seen, so that each is seen once, and what went wrong in any browser."""

    pages: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def at(self, page: Page) -> None:
        """Let axe look at a page that it has not seen yet."""
        name = _NAMES.sub("/*", urlsplit(page.url).path) + " " + page.locator("h1").first.inner_text()
        if name not in self.pages:
            self.pages.add(name)
            assert violations(page) == [], page.url


@dataclass(slots=True, kw_only=True)
class Person:
    """A person, the page that is open, and where its fresh codes come from."""

    login: str
    page: Page
    looked: Looked
    code: Callable[[], str]

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.looked.faults.append(f"{self.login}: {error}"))

    @property
    def keyboard(self) -> Keyboard:
        """The keyboard before the page."""
        return Keyboard(self.page)

    def open(self, address: str) -> Person:
        """Go to an address of the site."""
        answer = self.page.goto(address)
        assert answer is not None
        assert answer.status == 200, f"{self.login} got {answer.status} at {address}"
        self.looked.at(self.page)
        return self

    def follow(self, name: str) -> Person:
        """Follow the first link of this name."""
        with self.page.expect_navigation():
            self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()
        self.looked.at(self.page)
        return self

    def push(self, name: str) -> None:
        """Press a button and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.locator("main").get_by_role("button", name=name, exact=True).first.click()

    def press(self, name: str, *, says: str = "") -> Person:
        """Press a button; the page that comes must show no problem and say what is expected."""
        self.push(name)
        return self.arrived(says)

    def arrived(self, says: str = "") -> Person:
        """Look at the page that came, which must show no problem and say what is expected."""
        problem = self.page.locator(".problem:visible")
        assert not problem.count(), f"{self.login} at {self.page.url}: {problem.first.inner_text()}"
        if says:
            self.page.get_by_text(says).first.wait_for()
        self.looked.at(self.page)
        return self

    def fill(self, **texts: str) -> Person:
        """Write into fields by their names."""
        for name, text in texts.items():
            self.page.locator(f"main [name='{name}']").first.fill(text)
        return self

    def confirm(self) -> Person:
        """Enter a fresh code of the second factor."""
        self.page.get_by_label(CODE).first.fill(self.code())
        return self

    def sign(self, *, says: str = "") -> Person:
        """Sign what the page offers with the key of this browser."""
        return self.press("Sign with this device's key", says=says)

    def text(self) -> str:
        """Return the words of the page."""
        return self.page.locator("main").inner_text()

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 - what the script answers
        """Ask the page something."""
        return self.page.evaluate(script)
