"""Hands without a mouse: Tab, Shift+Tab, Space, Enter, arrows and typing; the focus must be seen at every stop."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Locator, Page

MOST_STOPS: Final = 250
# Where the focus is seen from the target, and whether a person can see where it is (WCAG 2.4.7).
_STATE: Final = """target => {
  const here = document.activeElement;
  const style = getComputedStyle(here), box = here.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {
    there: here === target,
    before: Boolean(here.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_PRECEDING),
    body: here === document.body,
    seen: here.matches(":focus-visible") && (ring || style.boxShadow !== "none") && box.width > 0 && box.height > 0,
    what: here.outerHTML.slice(0, 120),
  };
}"""


class Keyboard:
    """The keyboard before one page. Nothing here ever touches a mouse or sets a value by script."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def field(self, label: str) -> Locator:
        """Return the one field with a label."""
        return self._page.get_by_label(label, exact=True)

    def to(self, target: Locator) -> None:
        """Move the focus to ``target``; every stop on the way must show where the focus is.

        A page that follows what happens may put another element into its place meanwhile.
        """
        for _ in range(MOST_STOPS):
            state = self._page.evaluate(_STATE, target.element_handle())
            if state["there"]:
                return
            self._page.keyboard.press("Shift+Tab" if state["before"] and not state["body"] else "Tab")
            stop = self._page.evaluate(_STATE, target.element_handle())
            assert stop["body"] or stop["seen"], f"the focus cannot be seen on {stop['what']}"
        raise AssertionError(f"{target} was not reached with the keyboard")

    def write(self, label: str | Locator, text: str) -> None:
        """Replace what stands in a field."""
        target = self.field(label) if isinstance(label, str) else label
        self.to(target)
        self._page.keyboard.press("ControlOrMeta+a")
        self._page.keyboard.insert_text(text)  # as an input method does; Chinese has no key for each character
        assert target.input_value() == text

    def choose(self, label: str | Locator, value: str) -> None:
        """Choose an option of a list by its value, with the arrow keys."""
        target = self.field(label) if isinstance(label, str) else label
        values: list[str] = target.evaluate("list => [...list.options].map(each => each.value)")
        chosen: int = target.evaluate("list => list.selectedIndex")
        self.to(target)
        steps = values.index(value) - chosen
        for _ in range(abs(steps)):
            self._page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")
        assert target.input_value() == value

    def tick(self, target: Locator) -> None:
        """Choose a radio button or a tick box; Tab stops at a group once, the arrows move inside it."""
        if target.get_attribute("type") == "radio":
            self._arrow_to(target)
        else:
            self.to(target)
        if not target.is_checked():
            self._page.keyboard.press("Space")
        assert target.is_checked()

    def _arrow_to(self, target: Locator) -> None:
        name = target.get_attribute("name")
        group = self._page.locator(f"input[type=radio][name='{name}']")
        checked = [place for place, each in enumerate(group.all()) if each.is_checked()]
        wanted = target.evaluate("(each, name) => [...document.getElementsByName(name)].indexOf(each)", name)
        if not checked:  # Tab stops at the first or the last button of a group without a choice
            self.to(group.first)
            self._page.keyboard.press("Space")
            checked = [0]
        self.to(group.nth(checked[0]))
        for _ in range(abs(wanted - checked[0])):
            self._page.keyboard.press("ArrowDown" if wanted > checked[0] else "ArrowUp")

    def press(self, role: Any, name: str, *, within: str = "main") -> None:  # noqa: ANN401 - a word of playwright's
        """Press a button or follow a link with Enter, and wait for the page that comes."""
        target = self._page.locator(within).get_by_role(role, name=name, exact=True).first
        self.to(target)
        self.enter()

    def enter(self) -> None:
        """Send the form of the field in hand with Enter, and wait for the page that comes."""
        with self._page.expect_navigation():
            self._page.keyboard.press("Enter")
