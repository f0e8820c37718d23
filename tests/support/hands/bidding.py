"""Bidders seal on their own machines, with exactly the commands that the page shows, and see their receipts there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from agents.passphrases import PACKAGE_VARIABLE
from tests.support.hands.person import Person
from tests.support.hands.world import BIDDERS, PLACE, World
from trading.demo import people
from trading.demo.cast import Organisation
from trading.demo.play import write_secret
from trading.participation.rules.commands import Case, commands
from trading.up.programs import ROOT

#: Yuan for one shelf, by bidder; the one that is played by hand asks least and wins.
PRICES: Final = {"qinghe": "2450.00", "bolin": "2590.50", "yunfan": "2710.00"}
BY_HAND: Final = BIDDERS[0]
OTHERS: Final = BIDDERS[1:]
_PROGRAM: Final = re.compile(r"\bmingbiao (bid [a-z]+ .*)")


class Shell:
    """A bidder's own machine: a folder with its key, token, trust file and documents; it runs what is pasted."""

    def __init__(self, world: World, bidder: Organisation) -> None:
        stage = world.play.stage
        self.home = stage.home(bidder)
        (self.home / "documents").mkdir(exist_ok=True)
        (self.home / "documents" / "设计说明.txt").write_text(f"{bidder.name_zh}：书架设计说明。\n", encoding="utf-8")
        shutil.copy(stage.folder / "trust.json", self.home / "trust.json")

    def run(self, line: str, *, typed: str = "") -> str:
        """Run one command line as it was copied; only the way to the program is this repository's."""
        words = shlex.split(line)
        assert words[0] == "mingbiao"
        environment = people.environment() | {PACKAGE_VARIABLE: "four words of this bidder", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            people.command(*words[1:]),
            cwd=self.home,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


def shown(person: Person) -> dict[str, str]:
    """Return the command lines that stand on the page, by their names."""
    lines = [each.inner_text() for each in person.page.locator(".command pre code").all()]
    found = [(_PROGRAM.fullmatch(line.strip()), line.strip()) for line in lines]
    return {match[1].split()[1]: line for match, line in found if match}


def bid(world: World) -> None:
    """Make a token and a price file in the browser, then seal and submit with the commands of the page."""
    bidder, shell = world.person(BY_HAND.key), Shell(world, BY_HAND)
    write_secret(shell.home / "token.txt", _token(bidder))
    bidder.open(f"/bidder/tenders/{world.reference}").follow("Lot 1").follow("Open the price form")
    _save_price(bidder, shell.home)
    lines = shown(bidder.follow("Back to the lot"))
    for act in ("start", "rehearse", "seal", "submit"):
        shell.run(lines[act])
    bidder.page.reload()
    assert "Nobody, including this platform, can read it before opening." in bidder.text()
    world.play.until(lambda: _witnessed(bidder), "a witnessed receipt on the page")
    assert "receipt.tlog-proof" in shell.run(shown(bidder)["check"])


def _token(bidder: Person) -> str:
    bidder.open("/account/tokens/new")
    bidder.fill(name="client in the office")
    for box in bidder.page.locator("[name=scopes]").all():
        box.check()
    return bidder.confirm().press("Make the token").page.locator("main pre code").inner_text()


def _save_price(bidder: Person, home: Path) -> None:
    bidder.page.get_by_label("Unit price of A05010501").fill(PRICES[BY_HAND.key])
    bidder.page.get_by_label("Delivery in days").fill("20")
    assert "98,000.00" in bidder.text()
    with bidder.page.expect_download() as waiting:
        bidder.page.get_by_role("button", name="Save the price file on this machine").click()
    waiting.value.save_as(home / waiting.value.suggested_filename)
    (home / waiting.value.suggested_filename).chmod(0o600)


def _witnessed(bidder: Person) -> bool:
    bidder.page.reload()
    return "WITNESSED" in bidder.text()


def bid_too(world: World) -> None:
    """Let the other bidders do the same with the same commands, without a browser."""
    with ThreadPoolExecutor(max_workers=len(OTHERS)) as pool:
        for done in [pool.submit(_bid_too, world, each) for each in OTHERS]:
            done.result()


def _bid_too(world: World, bidder: Organisation) -> None:
    shell, lines = Shell(world, bidder), lines_of(world, bidder)
    write_secret(shell.home / "token.txt", world.play.stage.tokens[bidder.key])
    template = next(word for word in shlex.split(lines["price"]) if word.endswith(".template.json"))
    shutil.copy(world.play.stage.folder / "template.json", shell.home / template)
    shell.run(lines["start"])
    shell.run(lines["price"], typed=f"{PRICES[bidder.key]}\n")
    for act in ("seal", "submit"):
        shell.run(lines[act])


def lines_of(world: World, bidder: Organisation) -> dict[str, str]:
    """Return what the page shows to another bidder."""
    lot, stage = PLACE
    case = Case(api=world.platform.base_url, tender=world.reference, lot=lot, stage=stage, organisation=bidder.code)
    return commands(case)


def keep_template(world: World) -> None:
    """Download the template of the price file, which is the same for everybody."""
    bidder = world.person(BY_HAND.key)
    with bidder.page.expect_download() as waiting:
        bidder.page.get_by_role("link", name="Template for the command line").click()
    waiting.value.save_as(world.play.stage.folder / "template.json")


def confirm(world: World) -> None:
    """Confirm the opening: the bidder of the browser as its page says, the others alike."""
    bidder = world.person(BY_HAND.key).open(f"/bidder/tenders/{world.reference}/lots/1")
    assert "Confirm the opening of your bid" in bidder.text()
    Shell(world, BY_HAND).run(shown(bidder)["reveal"])
    for each in OTHERS:
        Shell(world, each).run(lines_of(world, each)["reveal"])
    bidder.page.reload()
    assert "You have confirmed the opening of your bid." in bidder.text()
