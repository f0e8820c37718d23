"""A told tender whose log is closed in the middle and continued in another one: bundles that span both (AL1 L13).

Numbers of entries and sizes of checkpoints in records and documents count through both logs, as the platform has them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.made_bidding import bid_round, close_bidding
from tests.support.made_log import TYPE_LOG, Entry, MadeLog, note_signer
from tests.support.made_opening import factor_window, order_opening, release_shares
from tests.support.made_result import open_bids, rank
from tests.support.made_tender import Scenario, Tender
from tests.support.make_bundle import Files, bundle_files, make_bundle, trust_file, with_list


class Through:
    """Entries of both logs in a row; only their number is asked for."""

    def __init__(self, log: ContinuedLog) -> None:
        self._log = log

    def __len__(self) -> int:
        return self._log.base + len(self._log.own.entries)


@dataclass
class ContinuedLog:
    """What a story needs of its log, told by a second one; ``closing`` may be twisted before the story goes on."""

    before: MadeLog
    own: MadeLog
    final: str
    base: int = field(init=False)

    def __post_init__(self) -> None:
        self.base = int(self.final.split("\n")[1])

    @property
    def entries(self) -> Through:
        return Through(self)

    @property
    def origin(self) -> str:
        return self.own.origin

    @property
    def policy(self) -> str:
        return f"log {self.before.signer.vkey}\n{self.own.policy}"

    def append(self, kind: str, body: dict[str, Any], *, at: int, subject: str, procedure: str | None) -> Entry:
        entry = self.own.append(kind, body, at=at, subject=subject, procedure=procedure)
        return replace(entry, n=self.base + entry.n)

    def witness(self, at: int, *, cosigners: int = 3) -> str:
        return self.own.witness(at, cosigners=cosigners)

    @property
    def stampers(self) -> dict[str, bytes]:
        return self.own.stampers


def continued(before: MadeLog, final: str, *, at: int, name: str = "-2", seed: int = 8) -> ContinuedLog:
    """Return the log after ``before``, which begins with its ``log.continued``."""
    own = MadeLog(before.origin + name)
    own.signer = note_signer(own.origin, TYPE_LOG, seed)
    told = {"old_checkpoint": final, "old_origin": before.origin, "reason": "密钥可能泄露"}
    own.append("log.continued", told, at=at, subject="log", procedure=None)
    return ContinuedLog(before, own, final)


def tell_in_two(when: str = "after the bids", scenario: Scenario | None = None) -> Tender:
    """Play the whole story; the log is closed and continued at one of three moments."""
    tender = Tender(scenario or Scenario())
    tender.register()
    tender.fix_policy()
    tender.publish()
    if when == "after the publication":
        move(tender)
    bid_round(tender)
    if when == "after the bids":
        move(tender)
    close_bidding(tender)
    tender.log.witness(tender.now)
    if when == "after the close":
        move(tender)
    order_opening(tender)
    factor_window(tender)
    release_shares(tender)
    open_bids(tender)
    rank(tender)
    tender.log.append("log.pad", {}, at=tender.now, subject="log", procedure=None)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return tender


def move(tender: Tender) -> None:
    """Close the log where it is, under a quorum, and go on in the next one."""
    final = tender.log.witness(tender.now + 500)
    tender.wait(tender.now + 1000)
    tender.log = continued(tender.log, final, at=tender.now)  # type: ignore[assignment]  # as much of a log as a story needs
    tender.log.witness(tender.now)


def spanning_bundle(tender: Tender, kind: str = "public", tier: str = "bidders") -> Files:
    """Return a bundle of both logs."""
    both: ContinuedLog = tender.log  # type: ignore[assignment]  # as ``move`` has set it
    base, hidden = both.base, tender.hidden
    files = make_bundle(tender_of(tender, both.own, tender.checkpoint, {n - base for n in hidden}), kind, tier)
    before = bundle_files(tender_of(tender, both.before, both.final, {n for n in hidden if n < base}), kind, tier)
    logs = ("checkpoint", "log/", "records/", "tile/", "checkpoints/", "consistency/", "tst/")
    files |= {f"before/{path}": data for path, data in before.items() if path.startswith(logs)}
    files["trust.json"], files["trust.sig"] = trust_file(tender)
    return listed(files)


def listed(files: Files, **header: str | int) -> Files:
    """Return the files with a ``bundle.json`` that lists them as they are; ``header`` replaces fields of it."""
    return with_list(files, {**json.loads(files["bundle.json"]), **header})


def tender_of(tender: Tender, log: MadeLog, checkpoint: str, hidden: set[int]) -> Tender:
    """Return the tender as one of its logs shows it."""
    part = object.__new__(type(tender))
    part.__dict__.update(tender.__dict__)
    part.log, part.checkpoint, part.hidden = log, checkpoint, hidden
    return part
