"""What the platform's disclosure rules leave in a bundle is enough for its tier, at every stage of a tender."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.made_bidding import bid_round, close_bidding
from tests.support.made_log import Entry
from tests.support.made_opening import factor_window, order_opening, release_shares
from tests.support.made_result import open_bids, rank
from tests.support.made_tender import SCENARIOS, TENDER, Tender
from tests.support.make_bundle import Files, bundle_files, with_list
from tests.support.verifying import failures, verify
from trading.disclosure.rules.tiers import Tier, shows_document, shows_part, shows_record
from verifier.records import BODY_RULES

PUBLISHED = frozenset(
    {
        *("tender.published", "tender.changed", "policy.fixed", "tender.closed", "opening.refused", "open.ordered"),
        *("share.checked", "share.released", "release.closed", "factor.opened", "factor.closed", "opening.combined"),
        *("bid.opened", "bid.verdict", "opening.completed", "result.published", "bids.ranked", "award.determined"),
        *("lot.failed", "procedure.cancelled"),
    }
)
STEPS: tuple[Callable[[Tender], None], ...] = (
    bid_round,
    close_bidding,
    order_opening,
    factor_window,
    release_shares,
    open_bids,
    rank,
)


def disclosed(tender: Tender, tier: Tier) -> Files:
    """The bundle that the platform's rules make of a told tender."""
    records = [entry for entry in tender.log.entries if entry.value["procedure"] == TENDER]
    completed = any(entry.kind == "opening.completed" for entry in records)
    listed = {bid.id for bid in tender.ordered}

    def shown(entry: Entry) -> bool:
        if entry.kind in ("key.registered", "key.revoked"):
            return True
        return entry in records and shows_record(
            tier, entry.value, published_kind=entry.kind in PUBLISHED, listed=listed, completed=completed, ranked=True
        )

    kind = "auditor" if tier is Tier.AUDIT else "public"
    files = bundle_files(tender, kind, "audit")
    files = {path: data for path, data in files.items() if not path.startswith(("log/", "docs/", "parts/"))}
    for entry in tender.log.entries:
        if shown(entry):
            files[f"log/{entry.n}.tlog-proof"] = tender.log.proof(entry, tender.checkpoint)
    for name, (data, sigs) in tender.documents.items():
        document = json.loads(data)
        if document["typ"] == "mb.key-enrol" or shows_document(tier, document, listed=listed, completed=completed):
            files[f"docs/{name}.json"] = data
            if sigs:
                files[f"docs/{name}.sig"] = json.dumps(sigs, sort_keys=True, separators=(",", ":")).encode()
    for part, data in tender.parts.items():
        sealed = [bid.sealed for bid in tender.ordered]
        names = [row["name"] for bid in sealed for row in bid.value["parts"] if row["sha256"] == part]
        if names and shows_part(tier, names[0], completed=completed):
            files[f"parts/{part}.age"] = data
    header = {
        "checkpoint_size": len(tender.log.entries),
        "kind": kind,
        "lot": None,
        "origin": tender.log.origin,
        "procedure": TENDER,
        "stage": None,
        "tier": tier.value,
        "typ": "mb.bundle",
        "v": 1,
    }
    return with_list(files, header)


def told_until(name: str, steps: int) -> Tender:
    tender = Tender(SCENARIOS[name])
    tender.register()
    tender.fix_policy()
    tender.publish()
    for step in STEPS[:steps]:
        step(tender)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return tender


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
def test_every_stage_of_a_tender_can_be_disclosed(steps: int, tier: Tier) -> None:
    tender = told_until("clean", steps)
    report = verify(disclosed(tender, tier), tender)
    assert (failures(report), report.exit_code) == ({}, 0)


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("name", ["withdrawn", "replaced", "three_lost", "false_bad", "objected", "extended"])
def test_whole_tenders_with_incidents(name: str, tier: Tier) -> None:
    tender = told_until(name, len(STEPS))
    report = verify(disclosed(tender, tier), tender)
    assert (failures(report), report.exit_code) == ({}, 0)


def test_the_published_kinds_are_kinds() -> None:
    assert BODY_RULES.keys() >= PUBLISHED


def test_the_list_of_the_intake_is_shown_of_lots_that_were_opened() -> None:
    """Of another lot it would tell how many envelopes there were; what a receipt names is its bid."""
    named = {"typ": "sb1.intake-list", "lot": "1", "stage": "all"}
    for opened, shown in (({("1", "all")}, True), ({("2", "all")}, False), (set[tuple[str, str]](), False)):
        assert shows_document(Tier.BIDDERS, named, listed=(), completed=True, opened=opened) is shown
        assert not shows_document(Tier.BIDDERS, named, listed=(), completed=False, opened=opened)
        assert shows_document(Tier.AUDIT, named, listed=(), completed=False, opened=opened)
    receipt = {"typ": "sb1.intake-receipt", "bid": "b-1"}
    assert shows_document(Tier.PUBLIC, receipt, listed=("b-1",), completed=True)
    assert not shows_document(Tier.PUBLIC, receipt, listed=(), completed=True)
