"""The told tender from the open order to the end of the releases (SB1 S9.1 to S9.7)."""

from __future__ import annotations

import secrets

from tests.support.made_log import b64u
from tests.support.made_tender import LOT, MINUTE, TENDER, Bid, Tender


def order_opening(tender: Tender) -> None:
    """Open order, objection window (S9.1, S9.2)."""
    left_out = tender.scenario.objected
    make_order(tender, [bid for bid in tender.listed() if bid.number != left_out], {}, None)
    first_at = tender.now
    if left_out is not None:
        victim = tender.bids[left_out]
        raised = tender.record(
            "objection.raised",
            {"bid": victim.id, "envelope_sha256": victim.sealed.sha256, "order_sha256": tender.order_sha256, **LOT},
        )
        fields = {
            "created": tender.now,
            "decision": "add",
            "envelope_sha256": victim.sealed.sha256,
            "objection_h": raised.h,
            "order_sha256": tender.order_sha256,
            "typ": "sb1.objection-decision",
        }
        decision = tender.document(fields, tender.supervisor)
        decided = tender.record(
            "objection.decided", {"decision_sha256": decision, "order_sha256": tender.order_sha256, **LOT}
        )
        make_order(tender, tender.listed(), {left_out: decided.h}, tender.order_sha256)
    check_shares(tender)
    tender.wait(first_at + 10 * MINUTE)
    if tender.scenario.lost:
        tender.wait(tender.now + 10 * MINUTE)


def make_order(tender: Tender, bids: list[Bid], objection_h: dict[int, str], supersedes: str | None) -> None:
    tender.ordered = bids
    tender.order = {
        "bids": [
            {
                "bid": bid.id,
                "bidder": bid.signer.org,
                "envelope_sha256": bid.sealed.sha256,
                "h": bid.h,
                "n": bid.entry.n if bid.entry else 0,
                "objection_h": objection_h.get(bid.number),
                "seq": len(bid.versions),
            }
            for bid in bids
        ],
        "checkpoint": tender.log.witness(tender.now + 1000),
        "closed_h": tender.closed.h,
        "closed_n": tender.closed.n,
        "created": tender.now,
        "omitted": [],
        "seq": 2 if supersedes else 1,
        "station_pk": b64u(tender.station.public),
        "supersedes": supersedes,
        "tender": TENDER,
        "typ": "sb1.open-order",
        **{name: tender.closed_body[name] for name in ("bids_root", "close", "policy_sha256", "schedule_sha256")},
        **LOT,
    }
    tender.order_sha256 = tender.document(tender.order, tender.agency, tender.supervisor)
    tender.record("open.ordered", {"order_sha256": tender.order_sha256, **LOT})


def check_shares(tender: Tender) -> None:
    """Share checks, adjudication of a BAD (S9.3, S9.4)."""
    bad = tender.scenario.false_bad or tender.scenario.dealt_bad
    for i in range(1, 6):
        if i in tender.scenario.lost:
            continue
        items = [{"bid": bid.id, "code": tender.answer(i, bid)} for bid in tender.ordered]
        fields = {
            "created": tender.now,
            "custodian": i,
            "items": items,
            "order_sha256": tender.order_sha256,
            "typ": "sb1.share-check",
        }
        check = tender.document(fields, tender.institutions[i - 1])
        tender.record("share.checked", {"check_sha256": check, "custodian": i, **LOT})
    if bad is not None and tender.scenario.adjudicated:
        adjudicate(tender, bad[0], tender.bids[bad[1]])


def adjudicate(tender: Tender, custodian: int, bid: Bid) -> None:
    institution, seed = tender.institutions[custodian - 1], tender.share_keys[custodian - 1].seed
    fields = {
        "created": tender.now,
        "custodian": custodian,
        "order_sha256": tender.order_sha256,
        "seed": seed.hex(),
        "typ": "sb1.key-disclosure",
    }
    disclosure = tender.document(fields, institution, secret=True)
    body = {"auditor": "示例市审计局", "custodian": custodian, "disclosure_sha256": disclosure, **LOT}
    tender.record("custodian.key_disclosed", body)
    finding = "custodian_fault" if tender.scenario.false_bad else "dealt_bad"
    fields = {
        "created": tender.now,
        "custodian": custodian,
        "items": [{"bid": bid.id, "finding": finding}],
        "order_sha256": tender.order_sha256,
        "typ": "sb1.adjudication",
    }
    adjudication = tender.document(fields, tender.supervisor)
    tender.record("share.adjudicated", {"adjudication_sha256": adjudication, "custodian": custodian, **LOT})


def factor_window(tender: Tender) -> None:
    """Factor window and list (S9.5)."""
    if not tender.scenario.factor_mode:
        return
    ends_at = tender.now + 1000 + 30 * MINUTE
    tender.record("factor.opened", {"ends_at": ends_at, **LOT})
    items = []
    for bid in tender.ordered:
        result = "valid" if bid in tender.valid_bids() else "missing"
        items.append({"bid": bid.id, "envelope_sha256": bid.sealed.sha256, "result": result})
        if bid.number not in tender.scenario.without_factor:
            body = {
                "bid": bid.id,
                "envelope_sha256": bid.sealed.sha256,
                "received_at": tender.now + 1000,
                "via": "platform",
            }
            tender.record("factor.revealed", body)
    tender.wait(ends_at)
    fields = {"created": tender.now, "items": items, "order_sha256": tender.order_sha256, "typ": "sb1.factor-list"}
    tender.factor_list = tender.document(fields, tender.agency, tender.supervisor)
    tender.record("factor.closed", {"factor_list_sha256": tender.factor_list, **LOT})


def release_shares(tender: Tender) -> None:
    """Releases, gaps, rescue, end of the window (S9.6, S9.7)."""
    tender.releases = []
    for i in range(1, 6):
        if i not in tender.scenario.lost:
            tender.releases.append(release(tender, i))
    if tender.scenario.lost:
        tender.wait(tender.now + 15 * MINUTE)
    lost = tender.scenario.part_lost
    gaps = [bid.id for bid in tender.valid_bids() if len(tender.good_shares(bid)) < 3 or bid.number == lost]
    tender.record("release.gaps", {"bids": gaps, **LOT})
    ends = tender.now + 15 * MINUTE
    for number in sorted(tender.scenario.rescued):
        rescue(tender, tender.bids[number])
    if gaps:
        tender.wait(ends)
    tender.record("release.closed", LOT)
    tender.log.witness(tender.now)


def release(tender: Tender, i: int) -> str:
    items = []
    for bid in tender.valid_bids():
        share = bid.sealed.shares[i - 1] if tender.answer(i, bid) == "ok" else None
        if tender.scenario.bad_release == (i, bid.number):
            share = secrets.token_bytes(32) + bytes([i])
        info = (
            b"mingbiao/sb1/release\0"
            + bytes([i])
            + bytes.fromhex(tender.order_sha256)
            + bytes.fromhex(bid.sealed.sha256)
        )
        items.append({"bid": bid.id, "ct": b64u(tender.station.seal(info, share)) if share is not None else None})
    fields = {
        "created": tender.now,
        "custodian": i,
        "factor_list_sha256": tender.factor_list,
        "items": items,
        "order_sha256": tender.order_sha256,
        "typ": "sb1.release",
    }
    name = tender.document(fields, tender.institutions[i - 1])
    tender.record("share.released", {"custodian": i, "release_sha256": name, **LOT})
    return name


def rescue(tender: Tender, bid: Bid) -> None:
    sealed = bid.sealed
    fields = {
        "bid": bid.id,
        "envelope_sha256": sealed.sha256,
        "s_b": sealed.s_b.hex(),
        "s_c": sealed.s_c.hex(),
        "typ": "sb1.rescue",
    }
    tender.document(fields, secret=True)
    body = {"bid": bid.id, "envelope_sha256": sealed.sha256, "received_at": tender.now + 1000}
    tender.record("rescue.accepted", body)
