"""Award, result notice, what the bidder reads about itself, and the contract that both sign in their browsers."""

from __future__ import annotations

from typing import Final

from tests.support.hands.bidding import BY_HAND, OTHERS
from tests.support.hands.drafting import TITLE_EN
from tests.support.hands.world import World
from trading.experts import queries as experts

_RESULT: Final = {"text_zh": "书架四十组。联系人：采购中心。", "text_en": "Forty shelves. Ask the procurement agency."}
_CONTRACT: Final = {"text_zh": "采购合同已经签订。", "text_en": "The contract has been signed."}


def determine(world: World) -> None:
    """The drafter determines the award: the law leaves no other choice than the first."""
    drafter = world.person("drafter").open(f"/agency/procedures/{world.reference}").follow("Determine the award")
    assert BY_HAND.name_en in drafter.text()
    drafter.press("Determine the award", says="The award is determined.")


def publish_result(world: World) -> None:
    """The second person publishes the result with the names of the experts, which the contact service gives now."""
    reviewer = world.person("reviewer").open(f"/agency/procedures/{world.reference}")
    reviewer.follow("Second person: publish the result").fill(**_RESULT).push("Make the notice")
    world.play.until(lambda: _named(world), "the names of the committee")
    if "Send this page again in a minute" in reviewer.text():
        reviewer.push("Make the notice")
    reviewer.arrived().sign(says="The result is published.")
    world.play.wait_published()
    result = world.person("public").open(f"/procedures/{world.reference}/lots/1/result")
    assert BY_HAND.name_en in result.text()


def read_result(world: World) -> None:
    """The bidder reads its own rank and score; the others learn nothing of it."""
    bidder = world.person(BY_HAND.key).open(f"/bidder/tenders/{world.reference}/lots/1")
    text = bidder.text()
    assert f"1 of {1 + len(OTHERS)}" in text
    assert "96.00" in text  # 60 points of the lowest price, 36 of the design
    assert "Awarded to you" in text


def contract(world: World) -> None:
    """The agency writes and signs the contract, the supplier signs the same text, the second person publishes it."""
    page = f"/agency/procedures/{world.reference}/lots/1/contract"
    drafter = world.person("drafter").open(page)
    terms = {"terms_zh": "验收合格后三十日内付款。", "terms_en": "Payment 30 days after acceptance."}
    drafter.fill(number="LJ-2026-11", **terms).press("Make the contract").sign(
        says="Signed and offered to the supplier."
    )
    supplier = world.person(BY_HAND.key).open("/workspace").follow("My contracts").follow(TITLE_EN)
    supplier.sign(says="Concluded")
    reviewer = world.person("reviewer").open(page).follow("Publish the contract")
    reviewer.fill(**_CONTRACT).press("Make the notice").sign(says="The contract is published.")
    world.play.wait_published()


def _named(world: World) -> bool:
    with world.read() as conn:
        return bool(experts.panel_of(conn, world.play.procedure_id))
