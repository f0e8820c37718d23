"""Order decides: steps out of order, keys used too early or after their revocation, notes that come too late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.made_bidding import bid_round, close_bidding, submit
from tests.support.made_log import mth, sha256
from tests.support.made_opening import factor_window, order_opening, release_shares
from tests.support.made_result import open_bids, rank
from tests.support.made_tender import CLOSE, LOT, MINUTE, SCENARIOS, Scenario, Tender
from tests.support.verifying import failures, verify_told


def until_bidding(scenario: Scenario) -> Tender:
    tender = Tender(scenario)
    tender.register()
    tender.fix_policy()
    tender.publish()
    return tender


def until_close(scenario: Scenario) -> Tender:
    tender = until_bidding(scenario)
    bid_round(tender)
    close_bidding(tender)
    tender.log.witness(tender.now)
    return tender


def finish(tender: Tender) -> dict[str, list[str]]:
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return failures(verify_told(tender))


def the_rest(tender: Tender) -> None:
    order_opening(tender)
    factor_window(tender)
    release_shares(tender)
    open_bids(tender)
    rank(tender)


CLEAN = SCENARIOS["clean"]


def test_the_helpers_tell_a_clean_story() -> None:
    tender = until_close(CLEAN)
    the_rest(tender)
    assert finish(tender) == {}


def test_every_prefix_of_the_story_is_a_clean_bundle() -> None:
    tender = until_bidding(CLEAN)
    assert finish(tender) == {}
    bid_round(tender)
    assert finish(tender) == {}
    close_bidding(tender)
    assert finish(tender) == {}
    order_opening(tender)
    assert finish(tender) == {}
    factor_window(tender)
    assert finish(tender) == {}
    release_shares(tender)
    assert finish(tender) == {}
    open_bids(tender)
    assert finish(tender) == {}


def revoke(tender: Tender, kid: str) -> None:
    tender.now += 1000
    tender.log.append(
        "key.revoked", {"kid": kid, "reason": "lost"}, at=tender.now, subject=f"key:{kid}", procedure=None
    )


def test_a_key_revoked_before_the_bid_makes_it_invalid() -> None:
    tender = until_bidding(CLEAN)
    revoke(tender, tender.bids[2].signer.kid)
    bid_round(tender)
    close_bidding(tender)
    found = finish(tender)
    assert {"AL-07", "SB-05"} <= found.keys()
    assert "was revoked before entry" in found["AL-07"][0]


def test_a_key_revoked_after_the_bid_does_not() -> None:
    tender = until_close(CLEAN)
    revoke(tender, tender.bids[2].signer.kid)
    the_rest(tender)
    assert finish(tender) == {}


def test_an_institution_key_revoked_before_its_use() -> None:
    tender = until_close(CLEAN)
    revoke(tender, tender.supervisor.kid)
    the_rest(tender)
    assert {"AL-07", "SB-09", "SB-11", "SB-17"} <= finish(tender).keys()


def test_a_bid_logged_after_the_close_entry() -> None:
    tender = until_bidding(CLEAN)
    bid_round(tender)
    close_bidding(tender)
    tender.log.witness(tender.now)
    submit(tender, tender.bids[0])
    assert {"SB-07"} <= finish(tender).keys()


def test_a_bid_shown_to_witnesses_long_after_the_close_is_questionable() -> None:
    tender = until_bidding(CLEAN)
    bid_round(tender)
    tender.wait(CLOSE + MINUTE)
    tender.log.witness(tender.now)
    tender.twist = lambda kind, fields: {**fields, "received_at": CLOSE - 1} if kind == "bid.received" else fields
    submit(tender, tender.bids[0])
    tender.close += 2 * MINUTE
    tender.twist = lambda _, fields: {**fields, "close": CLOSE} if "close" in fields else fields
    close_bidding(tender)
    assert any("QUESTIONABLE" in text for text in finish(tender)["TE-05"])


def test_an_early_close_is_proven_by_the_witnesses() -> None:
    tender = until_bidding(CLEAN)
    bid_round(tender)
    body = {
        "bids_root": mth([]).hex(),
        "close": CLOSE,
        "closed_at": CLOSE + 5000,
        "count": 0,
        "heartbeat_size": 1,
        "policy_sha256": tender.policy_sha256,
        "schedule_sha256": tender.schedule_sha256,
        **LOT,
    }
    tender.record("tender.closed", body)
    assert any("EARLY CLOSING" in text for text in finish(tender)["TE-04"])


def test_the_heartbeat_needs_a_quorum_after_the_close() -> None:
    tender = until_bidding(CLEAN)
    bid_round(tender)
    close_bidding(tender)
    size = tender.closed_body["heartbeat_size"]
    tender.log.notes[size] = [note for note in tender.log.notes[size] if note.count("witness") < 3][:1] or [
        "".join(line for line in tender.log.notes[size][0].splitlines(keepends=True) if "witness2" not in line)
    ]
    assert "TE-03" not in finish(tender), "two of three are a quorum"
    del tender.log.notes[size]
    assert "TE-03" in finish(tender)


def test_opening_before_the_releases_ended() -> None:
    tender = until_close(CLEAN)
    order_opening(tender)
    factor_window(tender)
    open_bids(tender)
    release_shares(tender)
    rank(tender)
    assert {"SB-13", "SB-17"} <= finish(tender).keys()


def test_releases_before_the_factor_list() -> None:
    tender = until_close(CLEAN)
    order_opening(tender)
    release_shares(tender)
    factor_window(tender)
    open_bids(tender)
    rank(tender)
    assert {"SB-12"} <= finish(tender).keys()


def test_windows_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    tender = until_close(CLEAN)
    monkeypatch.setattr(tender, "wait", lambda _: None)
    the_rest(tender)
    assert len(finish(tender)["TE-09"]) >= 2


@pytest.mark.parametrize(
    "kind",
    [
        "policy.fixed",
        "tender.published",
        "deadline.reached",
        "tender.closed",
        "open.ordered",
        "factor.opened",
        "factor.closed",
        "release.closed",
        "opening.combined",
        "opening.completed",
        "bids.ranked",
        "award.determined",
    ],
)
def test_a_withheld_milestone_is_missed(kind: str) -> None:
    tender = until_close(CLEAN)
    the_rest(tender)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    tender.hidden |= {entry.n for entry in tender.log.entries if entry.kind == kind}
    report = verify_told(tender, "public", "bidders")
    assert any(f"no {kind} record" in text for rows in failures(report).values() for text in rows)


def test_records_far_from_their_entry_time() -> None:
    tender = until_bidding(CLEAN)
    tender.log.append("config.changed", {"what": "x"}, at=tender.now, subject="config", procedure=None)
    tender.log.append("log.pad", {}, at=tender.now + 70_000, subject="log", procedure=None)
    late = tender.log.append("config.changed", {"what": "y"}, at=tender.now, subject="config", procedure=None)
    tender.checkpoint = tender.log.witness(tender.now + 80_000)
    found = failures(verify_told(tender, "audit", "audit"))
    assert found.keys() == {"TE-06"}
    assert found["TE-06"][0].startswith(f"records/{late.n}.json: t and at are 70040 ms apart")
    body = {"from": tender.now - 1, "to": tender.now + 70_000}
    tender.log.append("log.delayed", body, at=tender.now + 71_000, subject="log", procedure=None)
    tender.checkpoint = tender.log.witness(tender.now + 80_000)
    assert failures(verify_told(tender, "audit", "audit")) == {}


def test_one_key_in_two_roles() -> None:
    tender = until_bidding(CLEAN)
    tender.operator = replace(tender.bids[0].signer, role="station-operator")
    found = finish(tender)
    assert any("one key in several roles" in text for text in found["AL-07"])
    assert sha256(tender.operator.spki).hex() in found["AL-07"][-1]


def test_few_bids_fail_at_the_close() -> None:
    tender = until_bidding(CLEAN)
    tender.bids = tender.bids[:2]
    bid_round(tender)
    close_bidding(tender)
    tender.record("opening.refused", {"reason": "fewer_than_three", **LOT})
    tender.record("lot.failed", {"reason": "fewer_than_three", "rule": "OPN-02", **LOT})
    assert finish(tender) == {}
    tender.hidden |= {bid.entry.n for bid in tender.bids if bid.entry}
    assert failures(verify_told(tender, "public", "bidders")) == {}


def test_enough_bids_do_not_fail_at_the_close() -> None:
    tender = until_close(CLEAN)
    tender.record("lot.failed", {"reason": "fewer_than_three", "rule": "OPN-02", **LOT})
    assert finish(tender).keys() == {"RK-01"}
