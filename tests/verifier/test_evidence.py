"""The evidence of one bid: its row of the audit transcript decides its verdict, and nothing can be bent or left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.made_log import sha256
from tests.support.made_result import transcript_item
from tests.support.made_tender import LOT, Tender
from tests.support.make_bundle import Files, bundle_files, with_list
from tests.support.verifying import failures, told_once, verify
from trading.kernel.canonical import dumps
from verifier.report import Report

Change = Callable[[dict[str, Any]], object]


def evidence(tender: Tender, number: int, change: Change = lambda _document: None) -> Files:
    """The public bundle with what the bidder of one bid may add to it."""
    bid = tender.bids[number]
    audit = next(name for name, (data, _) in tender.documents.items() if b'"tier":"audit"' in data)
    document = {
        "item": transcript_item(tender, bid, "audit"),
        "order_sha256": tender.order_sha256,
        "transcript_sha256": audit,
        "typ": "sb1.audit-item",
        "v": 1,
    }
    change(document)
    data = dumps(document)
    files = {**bundle_files(tender, "public", "public"), f"docs/{sha256(data).hex()}.json": data}
    files |= {f"parts/{sha256(part).hex()}.age": part for part in bid.sealed.parts.values()}
    header = {
        "checkpoint_size": len(tender.log.entries),
        "kind": "public",
        "origin": tender.log.origin,
        "procedure": tender.order["tender"],
        "tier": "public",
        "typ": "mb.bundle",
        "v": 1,
        **LOT,
    }
    return with_list(files, header)


def notes_of(report: Report, check_id: str) -> list[str]:
    return [text for check in report.checks if check.id == check_id for _, text in check.notes]


@pytest.mark.parametrize(
    ("scenario", "number", "told"),
    [
        ("missing_factor", 3, "at fault: the bidder; the bid counts as revoked (撤销)"),
        ("bad_dealing_was_necessary", 2, "at fault: the bidder; the bid counts as revoked (撤销)"),
        ("three_lost", 1, "at fault: the custodians named; the bid counts as withdrawn (撤回)"),
    ],
)
def test_the_evidence_of_one_bid_decides_its_verdict(scenario: str, number: int, told: str) -> None:
    tender = told_once(scenario)
    report = verify(evidence(tender, number), tender)
    assert (failures(report), report.exit_code) == ({}, 0)
    assert any(told in note and tender.bids[number].id in note for note in notes_of(report, "SB-17"))


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "a share left out": (lambda document: document["item"]["shares"].pop(), {"SB-17"}),
    "another share": (lambda document: document["item"]["shares"].__setitem__(0, "00" * 32 + "01"), {"SB-14", "SB-17"}),
    "another factor": (lambda document: document["item"].update(s_b="5a" * 32), {"SB-11", "SB-14", "SB-17"}),
    "another verdict": (lambda document: document["item"].update(verdict="TOO_FEW_SHARES"), {"SB-17"}),
    "other faults": (
        lambda document: document["item"].update(faults=[{"code": "CUSTODIAN_ABSENT", "custodian": 2}]),
        {"SB-17"},
    ),
    "another transcript": (lambda document: document.update(transcript_sha256="5a" * 32), {"SB-17"}),
    "another envelope": (lambda document: document["item"].update(envelope_sha256="5a" * 32), {"SB-17"}),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_nothing_of_it_can_be_bent(name: str) -> None:
    """Negative control of the whole: the same bundle with one value changed fails."""
    change, expected = CHANGES[name]
    tender = told_once("bad_share")
    found = failures(verify(evidence(tender, 1, change), tender))
    assert expected <= found.keys(), found
    assert found.keys() <= {"SB-11", "SB-14", "SB-15", "SB-17"}
