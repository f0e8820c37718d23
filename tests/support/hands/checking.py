"""Supervisor and auditor at their pages, and what everybody can take away: bundles that the offline verifier passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.support.hands.drafting import TITLE_EN
from tests.support.hands.person import Person
from tests.support.hands.world import World
from trading.demo import people

_BAR: Final = re.compile(r"\d+ %")


def supervise(world: World) -> None:
    """The supervisor sees the lamps of the time limits and the log as it grows."""
    supervisor = world.person("supervisor").open("/workspace").follow("Supervision").follow(TITLE_EN)
    assert world.reference in supervisor.text()
    supervisor.open("/supervision/log")


def verify(world: World) -> None:
    """The auditor starts a full verification, sees its bar, and its end without loading the page again."""
    auditor = world.person("auditor").open("/workspace").follow("Audit").follow("Full verification")
    auditor.press("Verify everything now")
    auditor.page.locator("progress, .checks").first.wait_for()
    auditor.page.get_by_role("heading", name=re.compile("^Verified")).wait_for(timeout=60_000)
    assert not auditor.page.locator(".check-no").count()


def take_bundles(world: World, target: Path) -> list[Path]:
    """Download the bundle for everybody, the auditors' one and that of the draw, each from its page."""
    world.play.wait_witnessed()
    auditor = world.person("auditor").open("/audit")
    anybody = world.person("public").open(f"/procedures/{world.reference}/lots/1/result")
    anybody.follow("Draw of the committee")
    return [
        _download(auditor, "link", "Public bundle", target / "public.zip"),
        _download(auditor, "button", "Auditors' bundle, recorded", target / "audit.zip"),
        _download(anybody, "link", "Download the bundle of the draw", target / "draw.zip"),
    ]


def verified(world: World, bundle: Path) -> str:
    """Return what ``mingbiao verify`` says of a bundle with the supervisor's trust file; anything but PASS raises."""
    return people.run("verify", str(bundle), "--trust", str(world.play.stage.folder / "trust.json"))


def _download(person: Person, role: str, name: str, target: Path) -> Path:
    with person.page.expect_download() as waiting:
        person.page.locator("main").get_by_role(role, name=name).first.click()  # type: ignore[arg-type]  # two words
    waiting.value.save_as(target)
    return target
