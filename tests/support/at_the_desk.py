"""A bidder before its own pages in a real Chromium, by keyboard alone: from the page of the lot to what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.browsers import overflows, violations
from tests.support.hands.keyboard import Keyboard
from tests.support.market import LOT, Market
from tests.support.people import code_of, session_cookie

#: What stands on the pages, by language: link and button of each act, and what is said once it was received.
WORDS: Final[dict[str, dict[str, tuple[str, str, str, str]]]] = {
    "en": {
        "reveal": (
            "Confirm the opening in this browser",
            "Begin to confirm",
            "Confirm the opening of my bid",
            "Your confirmation was received at",
        ),
        "rescue": (
            "Rescue the bid in this browser",
            "Begin the rescue",
            "Rescue my bid with both secrets",
            "Your rescue was received at",
        ),
    },
    "zh": {
        "reveal": ("在浏览器中确认解密", "开始确认", "确认解密我的投标", "你的确认已于"),
        "rescue": ("在浏览器中补救投标", "开始补救", "用两个秘密补救我的投标", "你的补救已于"),
    },
}
NARROW: Final = {"width": 320, "height": 700}
WIDE: Final = {"width": 1280, "height": 900}


@dataclass
class AtTheDesk:
    """One bidder's browser; ``language`` is that of its pages, ``told`` what went wrong in them."""

    market: Market
    page: Page
    login: str
    language: str
    told: list[str] = field(default_factory=list)

    @property
    def keyboard(self) -> Keyboard:
        return Keyboard(self.page)

    @property
    def box(self) -> Any:  # noqa: ANN401 - playwright's
        return self.page.locator("[data-revealed]")

    def open(self, path: str = "") -> int:
        """Open the page of the lot, or one below it, and let axe look; return its status."""
        answer = self.page.goto(f"/bidder/tenders/{self.market.tender}/lots/{LOT}{path}")
        assert answer is not None
        self.look()
        return answer.status

    def look(self) -> None:
        assert violations(self.page) == [], self.page.url
        self.page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # playwright's own type
        assert overflows(self.page) <= 0
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # as above

    def begin(self, act: str) -> None:
        """Go from the page of the lot to the one with the package, with a fresh second factor."""
        link, begin, _, _ = WORDS[self.language][act]
        assert self.open() == 200
        self.keyboard.press("link", link)
        self.look()
        self.keyboard.write(self.page.locator("[name=code]"), code_of(self.market.runtime.ledger, self.login))
        self.keyboard.press("button", begin)
        self.look()

    def choose(self, name: str, data: bytes) -> None:
        """Choose a file in the box that the space bar opens."""
        self.keyboard.to(self.page.locator("[data-saved]"))
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Space")
        chooser.value.set_files(FilePayload(name=name, mimeType="application/octet-stream", buffer=data))

    def send(self, act: str, passphrase: str, says: str = "") -> None:
        """Press the button of the act; the page says so, or that it was received, and has the focus there."""
        _, _, label, received = WORDS[self.language][act]
        self.keyboard.write(self.page.locator("[data-passphrase]"), passphrase)
        button = self.page.get_by_role("button", name=label, exact=True)
        self.keyboard.to(button)
        self.page.keyboard.press("Enter")
        expect(self.box).to_contain_text(says or received)
        expect(self.box).to_be_focused()
        self.look()


@contextmanager
def at_the_desk(browser: Browser, base: str, market: Market, login: str, language: str) -> Iterator[AtTheDesk]:
    """Yield the browser of a bidder who is signed in."""
    context = browser.new_context(base_url=base, locale={"zh": "zh-CN", "en": "en-GB"}[language])
    name, value = session_cookie(market.app, login)
    context.add_cookies([{"name": name, "value": value, "url": base}])
    page = context.new_page()
    found = AtTheDesk(market, page, login, language)
    page.on("pageerror", lambda error: found.told.append(str(error)))
    try:
        yield found
        assert found.told == []
    finally:
        context.close()
