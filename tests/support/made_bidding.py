"""The told tender from the first envelope to the close entry (SB1 S6 to S8, TE1 T5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.made_bids import SealedBid, Spoil, seal_bid
from tests.support.made_log import mth, sha256
from tests.support.made_tender import LOT, TENDER, Bid, Tender
from trading.kernel.canonical import dumps

STATES_BEFORE_MS = (180_000, 120_000, 60_000)  # when the database host reports its clock, before the deadline


def bid_round(tender: Tender) -> None:
    """Everybody seals and submits; one replaces, one withdraws (S6, S7)."""
    for bid in tender.bids:
        hidden = bid.number == tender.scenario.withdrawn
        tender.record("bid.started", {"bid": bid.id, "bidder": bid.signer.org, **LOT}, f"bid:{bid.id}", public=False)
        submit(tender, bid, public=not hidden)
        tender.log.witness(tender.now + 500)
    if tender.scenario.replaced is not None:
        submit(tender, tender.bids[tender.scenario.replaced])
    if tender.scenario.withdrawn is not None:
        withdraw(tender, tender.bids[tender.scenario.withdrawn])
    tender.log.witness(tender.now + 500)


def context(tender: Tender, bid: Bid) -> dict[str, Any]:
    return {
        "bid": bid.id,
        "bidder": bid.signer.org,
        "bidder_kid": bid.signer.kid,
        "policy_sha256": tender.policy_sha256,
        "seq": len(bid.versions) + 1,
        "tender": TENDER,
        **LOT,
    }


def submit(tender: Tender, bid: Bid, *, public: bool = True) -> None:
    body = seal_version(tender, bid, public=public)
    bid.entry = tender.record("bid.received", body, f"bid:{bid.id}", public=public)


def seal_version(tender: Tender, bid: Bid, *, public: bool = True) -> dict[str, Any]:
    """Seal the next version and return the body of the record that receives it a second from now."""
    scenario = tender.scenario
    garbage = scenario.dealt_bad[0] if scenario.dealt_bad and scenario.dealt_bad[1] == bid.number else None
    sealed = seal_bid(
        bid.signer,
        context(tender, bid),
        tender.policy,
        scenario.totals[bid.number],
        share_keys=tender.share_keys,
        supersedes=bid.sealed.sha256 if bid.versions else None,
        spoil=Spoil(
            foreign_share=scenario.foreign_share == bid.number,
            garbage_ct=garbage,
            wrong_content=scenario.wrong_content == bid.number,
        ),
    )
    if scenario.copied == bid.number:
        sealed = copy_of(tender.bids[0].sealed, sealed)
    bid.versions.append(sealed)
    signature = bid.signer.sign(sealed.envelope)
    if scenario.broken_signature == bid.number:
        signature = bid.signer.sign(sealed.envelope + b" ") | {"kid": bid.signer.kid}
    tender.documents[sealed.sha256] = (sealed.envelope, [signature])
    if not public:
        tender.secret.add(sealed.sha256)
    tender.parts.update({sha256(data).hex(): data for data in sealed.parts.values()})
    return {
        "bid": bid.id,
        "bidder": bid.signer.org,
        "envelope_sha256": sealed.sha256,
        "queue_ms": 3,
        "received_at": tender.now + 1000,
        "seq": len(bid.versions),
        "sig_sha256": sha256(dumps(signature)).hex(),
        "via": "platform",
        **LOT,
    }


def copy_of(victim: SealedBid, own: SealedBid) -> SealedBid:
    """A bid with another bidder's shares and parts under the copier's own name (S10 row 2)."""
    value = {**own.value, "parts": victim.value["parts"], "shares": victim.value["shares"]}
    return replace(own, envelope=dumps(value), value=value, parts=victim.parts)


def withdraw(tender: Tender, bid: Bid) -> None:
    fields = {
        **context(tender, bid),
        "created": tender.now,
        "supersedes": bid.sealed.sha256,
        "typ": "sb1.withdrawal",
    }
    name = tender.document(fields, bid.signer, secret=True)
    signature = tender.documents[name][1][0]
    body = {
        "bid": bid.id,
        "bidder": bid.signer.org,
        "received_at": tender.now + 1000,
        "seq": 2,
        "sig_sha256": sha256(dumps(signature)).hex(),
        "withdrawal_sha256": name,
        **LOT,
    }
    tender.record("bid.withdrawn", body, f"bid:{bid.id}", public=False)
    bid.withdrawn = True


def report_clock(tender: Tender) -> None:
    """The states of the database clock around the deadline (TE1 T3)."""
    for before in STATES_BEFORE_MS:
        tender.wait(tender.close - before)
        body = {
            "dispersion_us": 900,
            "host": "database",
            "leap": "normal",
            "offset_us": -40,
            "sources": [{"name": "ntp.example", "offset_us": -35, "reach": 255}],
            "stratum": 2,
            "synchronised": True,
        }
        twisted = tender.twist("clock.state", body)
        entry = tender.log.append("clock.state", twisted, at=tender.now, subject="host:database", procedure=None)
        tender.hidden.add(entry.n)


def close_bidding(tender: Tender) -> None:
    """Heartbeat and close (T5, S8); with ``objected`` the operator leaves one bid out."""
    report_clock(tender)
    tender.wait(tender.close)
    tender.record("deadline.reached", {"close": tender.close, **LOT})
    size = len(tender.log.entries)
    tender.log.witness(tender.now)
    tender.wait(tender.close + 5000)
    named = tender.enter_listed()
    manifest = [bid for bid in tender.listed() if bid.number != tender.scenario.objected]
    leaves = [sha256(b"\0" + bid.sealed.leaf(bid.h)) for bid in manifest]
    tender.closed_body = {
        "bids_root": mth(leaves).hex(),
        "close": tender.close,
        "closed_at": tender.now + 1000,
        "count": len(manifest),
        "heartbeat_size": size,
        "policy_sha256": tender.policy_sha256,
        "schedule_sha256": tender.schedule_sha256,
        **named,
        **LOT,
    }
    tender.closed = tender.record("tender.closed", tender.closed_body)
