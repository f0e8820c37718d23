"""A bidder finds the tender and asks; the agency answers everybody, and its second person publishes the answer."""

from __future__ import annotations

from typing import Final

from tests.support.hands.drafting import TITLE_EN
from tests.support.hands.world import World

QUESTION: Final = "书架的层板可以用实木多层板吗？"
ANSWER_ZH: Final = "可以，承重要求不变。"
ANSWER_EN: Final = "It may; the load that a shelf must bear stays the same."


def find(world: World) -> None:
    """A bidder searches as anybody does, reads the notice, and follows the tender."""
    bidder = world.person("qinghe").open("/workspace").follow("My tenders").follow("Find notices")
    bidder.fill(q="shelves").press("Search").follow(TITLE_EN)
    assert "Double-sided shelf" in bidder.text()
    bidder.follow("Take part as a bidder").press("Follow this tender")
    bidder.page.get_by_role("button", name="Follow no longer").wait_for()


def ask(world: World) -> None:
    """The bidder asks; nobody sees who asked."""
    bidder = world.person("qinghe").follow("Questions and answers")
    bidder.fill(text=QUESTION).press("Submit the question")
    assert QUESTION in bidder.text()


def answer(world: World) -> None:
    """The drafter writes the answer, the reviewer publishes it, everybody reads it."""
    desk = f"/agency/procedures/{world.reference}"
    drafter = world.person("drafter").open(desk).follow("Questions and answers").follow(QUESTION)
    assert "清河" not in drafter.text()
    drafter.fill(question_zh=QUESTION, answer_zh=ANSWER_ZH, answer_en=ANSWER_EN)
    drafter.press("Save the draft")
    reviewer = world.person("reviewer").open(desk).follow("Questions and answers").follow(QUESTION)
    reviewer.press("Publish the answer to everybody")
    bidder = world.person("qinghe").open(f"/bidder/tenders/{world.reference}").follow("Questions and answers")
    bidder.follow("Answered to everybody: no. 1")
    assert ANSWER_EN in bidder.text()
