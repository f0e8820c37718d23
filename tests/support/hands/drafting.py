"""The agency's first person drafts a small tender with the step form by keyboard alone, and hands it on."""

from __future__ import annotations

from typing import Final

from tests.support.hands.keyboard import Keyboard
from tests.support.hands.person import Person
from tests.support.hands.world import World
from trading.demo import cast
from trading.procedures import queries as procedures

TITLE_ZH: Final = "临江县第二小学图书馆书架采购"
TITLE_EN: Final = "Library shelves, Linjiang No. 2 Primary School"
LOT_EN: Final = "Shelves for the library"
_ITEM: Final = {"code": "A05010501", "name_zh": "双面书架", "name_en": "Double-sided shelf", "quantity": "40"}
_CRITERIA: Final = (
    {"id": "price", "kind": "price", "max": "60", "step": "0.5", "title_zh": "报价", "title_en": "Price"},
    {"id": "design", "kind": "subjective", "max": "40", "step": "1", "title_zh": "设计", "title_en": "Design"},
)


def draft(world: World) -> None:
    """Draft, preview, hand on. Every key is one that a person without a mouse presses."""
    drafter = world.person("drafter")
    keyboard = drafter.open("/workspace").keyboard
    keyboard.press("link", "Procedures")
    drafter.arrived()
    keyboard.press("button", "Draft a new tender")
    _subject(drafter.arrived(), keyboard)
    for step, act in (
        ("Lot 1: what it buys", _lot),
        ("Lot 1: how bids are compared", _method),
        ("Dates", _dates),
        ("Sealing", _sealing),
    ):
        keyboard.press("link", step)
        act(drafter.arrived(), keyboard)
    keyboard.press("link", "Check the draft")
    assert "Form and dates are in order." in drafter.arrived().text()
    keyboard.press("link", "Preview as the public will see it")
    assert TITLE_EN in drafter.arrived().text()
    drafter.page.go_back()  # Alt+Left, which a browser without a window does not know
    keyboard.press("button", "Hand it on")
    drafter.arrived()
    _remember(world, drafter.page.url.rpartition("/")[2])


def _remember(world: World, reference: str) -> None:
    world.play.reference = reference
    with world.play.stage.runtime.ledger.read() as conn:
        row = procedures.find(conn, reference)
    world.play.procedure_id = row.id
    assert row.phase == "review"


def _subject(drafter: Person, keyboard: Keyboard) -> None:
    keyboard.write("Title in Chinese", TITLE_ZH)
    keyboard.write("Title in English", TITLE_EN)
    keyboard.choose("Buyer", cast.BUYER.code)
    keyboard.choose("Supervisor", cast.SUPERVISOR.code)
    keyboard.write("Text of the notice in Chinese", "采购图书馆双面书架四十组。任何供应商均可参加。联系人：采购中心。")
    keyboard.write("Text of the notice in English", "Forty shelves for the library. Everybody may bid.")
    keyboard.press("button", "Save and go on")
    drafter.arrived("Saved.")


def _lot(drafter: Person, keyboard: Keyboard) -> None:
    keyboard.write("Title in Chinese", "图书馆书架")
    keyboard.write("Title in English", LOT_EN)
    keyboard.tick(keyboard.field("Goods"))
    keyboard.write(drafter.page.locator("[name=budget]"), "120,000.00")
    for name, text in {**_ITEM, "unit": "组"}.items():
        keyboard.write(drafter.page.locator(f"[name=items-0-{name}]"), text)
    keyboard.press("button", "Save and go on")
    drafter.arrived("Saved.")


def _method(drafter: Person, keyboard: Keyboard) -> None:
    keyboard.tick(keyboard.field("Comprehensive scoring"))
    keyboard.write(drafter.page.locator("[name=small_micro]"), "10")
    keyboard.write(drafter.page.locator("[name=consortium]"), "4")
    for place, criterion in enumerate(_CRITERIA):
        for name, text in criterion.items():
            field = drafter.page.locator(f"[name=criteria-{place}-{name}]")
            (keyboard.choose if name == "kind" else keyboard.write)(field, text)
        for language, text in (("zh", "按公式或由专家评判"), ("en", "By the formula or by judgement")):
            keyboard.write(drafter.page.locator(f"[name=criteria-{place}-text_{language}]"), text)
        if place == 0:
            keyboard.press("button", "Save and add a row")
            drafter.arrived()
    keyboard.press("button", "Save and go on")
    drafter.arrived("Saved.")


def _dates(drafter: Person, keyboard: Keyboard) -> None:
    days = drafter.page.locator("[name=close_day]")
    lawful: list[str] = days.evaluate("list => [...list.options].map(each => each.value).filter(Boolean)")
    keyboard.choose(days, lawful[0])  # the earliest day that the law allows
    keyboard.press("button", "Save and go on")
    drafter.arrived("Saved.")


def _sealing(drafter: Person, keyboard: Keyboard) -> None:
    keyboard.choose("Custodians of the opening keys", "5")
    keyboard.choose("Custodians needed to open", "3")
    keyboard.tick(keyboard.field("Yes, each bidder confirms the opening of its own bid"))
    keyboard.press("button", "Save and go on")
    drafter.arrived("Saved.")
