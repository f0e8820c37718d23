"""Bundles exported by a real platform: clean ones raise no alarm at any stage, and every tampering is found and named.

One tender is played from notice to result over the API, with custodian agents and the opening station, and exported as
it goes on. ``test_tamper`` does the same on bundles that a test wrote by the protocols; here nothing is made by hand.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.campaigns.test_tamper import Dice
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.journey import Exchange, Tender, open_exchange, verified
from tests.support.make_bundle import Files
from tests.support.tampering import BY_FILES, rewritten_log
from tests.support.verifying import failures, memory_bundle
from trading.disclosure.rules.tiers import Tier
from verifier.progress import Progress
from verifier.report import Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle

ROUNDS = 400 if LONG else 51
CLEAN = 60 if LONG else 8
PRICES = {"qinghe": 98_000_00, "bolin": 99_000_00, "yunfan": 97_000_00}
LOG = "log"
KINDS = (Tier.BIDDERS.value, Tier.AUDIT.value, LOG)


@dataclass
class Story:
    """A tender that was played to its end, and the bundles that were exported on the way, by stage and kind."""

    exchange: Exchange
    tender: Tender
    exported: dict[str, Path] = field(default_factory=dict)
    finished: dict[str, Files] = field(default_factory=dict)

    def export(self, stage: str, *, always: bool = False) -> None:
        """Export every kind of bundle; a short run does so at its last stage only, and one kind at each other."""
        folder, kinds = self.exchange.market.directory, [*(tier.value for tier in Tier), LOG]
        for kind in kinds if LONG or always else kinds[len(self.exported) % len(kinds) :][:1]:
            target = folder / f"{stage}-{kind}.zip"
            if kind == LOG:
                self.exchange.export_log(target)
            else:
                self.tender.export(Tier(kind), target)
            self.exported[f"{stage}-{kind}"] = target

    def files(self, kind: str) -> Files:
        """Return the files of a bundle of the finished tender."""
        if kind not in self.finished:
            with zipfile.ZipFile(self.exported[f"concluded-{kind}"]) as archive:
                self.finished[kind] = {name: archive.read(name) for name in archive.namelist()}
        return self.finished[kind]

    def judge(self, files: Files) -> Report:
        """Return the verifier's report, with the trust file that the supervisor hands out."""
        signed, report = self.exchange.institutions.trust, Report("Trust: given by the test", trusted=True)
        trust = read_trust(signed.doc, signed.sigs_bytes)
        verify_bundle(memory_bundle(files), trust, report, Options(), Progress())
        return report


@pytest.fixture(scope="module")
def story(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("story")
    with clone(server, demo=True) as database, open_exchange(database, directory) as exchange:
        story = Story(exchange, exchange.tender())
        play(story)
        yield story


def play(story: Story) -> None:
    tender, institutions = story.tender, story.exchange.institutions
    institutions.round()  # keys and proofs of possession
    tender.publish()
    institutions.round()  # admission
    story.export("published")
    for key, price in PRICES.items():
        tender.submit(key, price)
    story.export("submitted")
    tender.close()
    story.export("closed")
    tender.order_opening()
    institutions.round()
    story.export("ordered")
    tender.reveal(*PRICES)
    institutions.round()
    assert tender.end_release() == []
    story.export("released")
    tender.open()
    story.export("opened")
    assert tender.rank().first is not None
    story.export("concluded", always=True)


def test_clean_exports_raise_no_alarm_at_any_stage(story: Story) -> None:
    while len(story.exported) < CLEAN:
        story.export(f"again-{len(story.exported)}")
    for name, bundle in story.exported.items():
        report = verified(bundle, story.exchange.trust_file)
        assert (report["found"], report["code"]) == ([], 0), name


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_tampering_is_found_and_its_place_named(story: Story, seed: int) -> None:
    dice = Dice(seed)
    tampering = (*BY_FILES, rewritten_log(story.exchange.market.world.signer))[seed % (len(BY_FILES) + 1)]
    kind = LOG if tampering not in BY_FILES else KINDS[dice.below(len(KINDS))]
    files = story.files(kind)
    # Bundles are made of chance, so a tampering may happen to change nothing, as when it swaps two equal files.
    attempts = (tampering(files, dice) for _ in range(20))
    tampered, place = next(made for made in attempts if made[0] != files)
    report = story.judge(tampered)
    found = "\n".join(line for lines in failures(report).values() for line in lines)
    assert report.exit_code == 1, f"{tampering.__name__} in the bundle {kind} was not found"
    assert place in found, f"{tampering.__name__} at {place} was found elsewhere:\n{found}"
