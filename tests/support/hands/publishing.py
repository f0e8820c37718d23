"""Custodians keep the keys with agents of their own; the second person reads, signs in the browser and publishes."""

from __future__ import annotations

from tests.support.hands.drafting import TITLE_EN
from tests.support.hands.world import PLACE, World
from trading.custody import queries as custody
from trading.demo import cast
from trading.demo.scenes import custodians
from trading.procedures import queries as procedures


def start_custodians(world: World) -> None:
    """Five institutions start their agents."""
    custodians.start_agents(world.play)


def ask_for_keys(world: World) -> None:
    """The drafter asks every institution for a key; their agents answer, and the page tells so."""
    page = f"/agency/procedures/{world.reference}/custodians"
    drafter = world.person("drafter").open(page)
    for box in drafter.page.locator("[name=keepers]").all():
        box.check()
    drafter.press("Ask for a key", says="5 questions sent.")
    world.play.until(lambda: _proved(world) == len(cast.CUSTODIANS), "proved keys")
    assert "The tender can be published." in drafter.open(page).text()


def publish(world: World) -> None:
    """The second person reads what the public will see, signs three documents and publishes."""
    reviewer = world.person("reviewer").open("/workspace").follow("Procedures").follow(TITLE_EN)
    reviewer.follow("Second person: read, return or publish")
    reviewer.follow("Read it as the public will see it").page.go_back()
    reviewer.follow("Go on to sign and publish")
    assert "To be signed: 3 documents" in reviewer.text()
    reviewer.sign(says="Published.")
    with world.read() as conn:
        assert procedures.find(conn, world.reference).phase == "published"
    world.play.until(lambda: _admitted(world), "custodians that keep the policy")
    world.play.wait_published()


def see_custodian(world: World) -> None:
    """A custodian sees what its agent did."""
    world.person("notary-custodian").open("/workspace").follow("Your custodian agent").follow(f"{TITLE_EN} · Lot 1")


def _proved(world: World) -> int:
    with world.read() as conn:
        keys = custody.keys_of_lot(conn, world.play.procedure_id, *PLACE)
    return sum(key.state == "proved" for key in keys)


def _admitted(world: World) -> bool:
    with world.read() as conn:
        return not any(custody.waiting(conn, kid, 0) for kid in world.custodian_kids)
