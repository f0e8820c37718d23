"""What the fields of records are called on a page; one without a title keeps the name that the protocol gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trading.web.locale import lazy as _

#: In the order in which a page shows them.
_TITLES: Final[Mapping[str, object]] = {
    "lot": _("Lot"),
    "stage": _("Stage"),
    "bid": _("Bid"),
    "bidder": _("Bidder"),
    "draw": _("Draw"),
    "attempt": _("Attempt"),
    "party": _("Contributor"),
    "seq": _("Version"),
    "number": _("Number"),
    "received_at": _("Received, server time"),
    "via": _("Received through"),
    "queue_ms": _("Waited in the queue, milliseconds"),
    "close": _("Deadline"),
    "closed_at": _("Closed at"),
    "count": _("Number of bids"),
    "currency": _("Currency"),
    "price": _("Price in the smallest unit (fen)"),
    "method": _("Method"),
    "reason": _("Reason"),
    "channel": _("Channel"),
    "url": _("Address"),
    "seed": _("Seed"),
    "bids_root": _("Root of the list of bids"),
    "contract_sha256": _("Contract, SHA-256"),
    "contribution_sha256": _("Contribution, SHA-256"),
    "edition_sha256": _("Edition of the rules, SHA-256"),
    "entry_h": _("Commitment of what was published"),
    "envelope_sha256": _("Sealed envelope, SHA-256"),
    "final_sha256": _("Outcome of the contributions, SHA-256"),
    "notice_sha256": _("Notice, SHA-256"),
    "order_sha256": _("Opening order, SHA-256"),
    "policy_sha256": _("Policy, SHA-256"),
    "ranked_h": _("Commitment of the ranking"),
    "result_sha256": _("Result, SHA-256"),
    "reveal_sha256": _("Revealed contribution, SHA-256"),
    "schedule_sha256": _("Schedule, SHA-256"),
    "sha256": "SHA-256",
    "sig_sha256": _("Bidder's signature, SHA-256"),
    "spec_sha256": _("Specification, SHA-256"),
    "transcript_sha256s": _("Transcripts, SHA-256"),
    "withdrawal_sha256": _("Withdrawal, SHA-256"),
}
_INSTANTS: Final = frozenset({"close"})


def field_title(name: str) -> str:
    """Return the title of a field in the reader's language, else its name."""
    return str(_TITLES.get(name, name))


def is_instant(name: str) -> bool:
    """Whether a number in this field is an instant in ms."""
    return name in _INSTANTS or name.endswith("_at")


def place_of(name: str) -> tuple[int, str]:
    """Return a key that sorts fields as a page shows them; those without a title come last, by name."""
    places = list(_TITLES)
    return (places.index(name) if name in _TITLES else len(places), name)
