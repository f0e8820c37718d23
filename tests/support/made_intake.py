"""A supervisor's intake told by hand: its own log with the witnesses of the platform's, and its list (SB1 S7.6)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tests.support.made_bidding import close_bidding, seal_version, submit
from tests.support.made_log import TYPE_LOG, MadeLog, note_signer
from tests.support.made_opening import factor_window, order_opening, release_shares
from tests.support.made_result import open_bids, rank
from tests.support.made_tender import LOT, SCENARIOS, TENDER, Bid, Tender, Twist

ORIGIN = "intake.example/log"
HANDED = (1, 3)  # bidders whom the platform refuses


@dataclass(frozen=True)
class Handed:
    """An envelope in the intake's log: whose it is, the body of the record, the receipt."""

    bid: Bid
    body: dict[str, Any]
    proof: str


class MadeIntake:
    """The intake of one tender."""

    def __init__(self) -> None:
        self.log = MadeLog(ORIGIN)
        self.log.signer = note_signer(ORIGIN, TYPE_LOG, 8)
        self.handed: dict[str, Handed] = {}

    @property
    def named(self) -> dict[str, str]:
        """What the schedule says of it."""
        return {"origin": ORIGIN, "vkey": self.log.signer.vkey}

    def take(self, tender: Tender, bid: Bid, received_at: int, *, witnessed_at: int = 0, cosigners: int = 3) -> None:
        """Receive the next version of a bid."""
        body = {**seal_version(tender, bid), "received_at": received_at, "via": "intake"}
        entry = self.log.append("bid.received", body, at=received_at, subject=f"bid:{bid.id}", procedure=TENDER)
        note = self.log.witness(witnessed_at or received_at + 500, cosigners=cosigners)
        proof = self.log.proof(entry, note).decode()
        self.handed[body["envelope_sha256"]] = Handed(bid, body, proof)

    def enter(self, tender: Tender, left_out: Collection[int] = ()) -> dict[str, str]:
        """Let the closer obtain the list and enter it, but for the bids of some bidders."""
        for handed in self.handed.values():
            if handed.bid.number in left_out:
                continue
            receipt = {"bid": handed.bid.id, "proof": handed.proof, "typ": "sb1.intake-receipt"}
            body = {**handed.body, "intake_receipt_sha256": tender.document(receipt)}
            handed.bid.entry = tender.record("bid.received", body, f"bid:{handed.bid.id}")
        return {"intake_list_sha256": tender.document(self.list_of(tender), tender.supervisor)}

    def list_of(self, tender: Tender) -> dict[str, Any]:
        """The fields of the list as of now."""
        return {
            "created": tender.now,
            "envelopes": sorted(self.handed),
            "policy_sha256": tender.policy_sha256,
            "typ": "sb1.intake-list",
            **LOT,
        }


def until_close(twist: Twist | None = None) -> tuple[Tender, MadeIntake]:
    """Tell a tender whose schedule names an intake until its deadline nears; some bidders have not bid yet."""
    intake = MadeIntake()

    def naming(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        said = {**fields, "intake": intake.named} if kind == "mb.schedule" else fields
        return said if twist is None else twist(kind, said)

    tender = Tender(SCENARIOS["clean"], naming)
    tender.register()
    tender.fix_policy()
    tender.publish()
    for bid in tender.bids:
        tender.record("bid.started", {"bid": bid.id, "bidder": bid.signer.org, **LOT}, f"bid:{bid.id}", public=False)
        if bid.number not in HANDED:
            submit(tender, bid)
    tender.log.witness(tender.now + 500)
    return tender, intake


def to_the_end(tender: Tender, enter: Callable[[], dict[str, str]]) -> Tender:
    """Close with what ``enter`` does with the list, and tell the rest."""
    tender.enter_listed = enter
    close_bidding(tender)
    tender.log.witness(tender.now)
    order_opening(tender)
    factor_window(tender)
    release_shares(tender)
    open_bids(tender)
    rank(tender)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return tender


def handed_over(twist: Twist | None = None, before_ms: int = 60_000, **how: int) -> tuple[Tender, MadeIntake]:
    """Hand what is left to the intake ``before_ms`` before the deadline; ``how`` as for ``MadeIntake.take``."""
    tender, intake = until_close(twist)
    for number in HANDED:
        intake.take(tender, tender.bids[number], tender.close - before_ms, **how)
    return tender, intake
