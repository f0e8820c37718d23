"""Checks of what was opened: secrets, parts, prices and verdicts: SB-11 (B_b) and SB-14 to SB-17 (SB1 S10, S17)."""

from __future__ import annotations

from typing import Any

from verifier.age import AgeError, open_age
from verifier.bundle import BundleFault
from verifier.canonical import canonical_bytes
from verifier.checks_opening import final_verdict, released_bids, revealed_bids, used_releases
from verifier.contents import BOUND_FIELDS, ContentFault, read_price
from verifier.dealing import context_of, share_commitment
from verifier.doctypes import DOCUMENT_RULES
from verifier.evidence import Document, Logged
from verifier.fields import FieldFault
from verifier.hashing import hex_digest
from verifier.lot import Lot
from verifier.report import Check
from verifier.shamir import combine_shares
from verifier.verdicts import (
    Custodian,
    Judge,
    Ruling,
    audit_items,
    dealing_fits,
    factor_fits,
    find_transcript,
    judge_of,
    last_verdict,
    rulings,
    transcript_item,
)

_AS_WITHDRAWN = "the bid counts as withdrawn (撤回), its security is refunded, and its bidder may claim its loss"
_AS_REVOKED = "the bid counts as revoked (撤销), and its security may be kept"
# Who answers for a bid that was not opened, and what that means in law (last columns of S10).
MEANINGS = {
    "PLATFORM_BAD_INTAKE": ("the platform", _AS_WITHDRAWN),
    "PLATFORM_PART_LOST": ("the platform", _AS_WITHDRAWN),
    "PLATFORM_FACTOR_LOST": ("the platform", _AS_WITHDRAWN),
    "TOO_FEW_SHARES": ("the custodians named", _AS_WITHDRAWN),
    "BIDDER_COPIED": ("the bidder", _AS_REVOKED),
    "BIDDER_NO_FACTOR": ("the bidder", _AS_REVOKED),
    "BIDDER_MALFORMED_SEALING": ("the bidder", _AS_REVOKED),
    "BIDDER_MALFORMED_CONTENT": ("the bidder", "the bid is rejected (否决) by the rules of the tender"),
}


def check_factor_values(lot: Lot, check: Check) -> None:
    """SB-11, B_b: every revealed factor is the preimage of its commitment (where the secrets are shown)."""
    if not lot.factor_mode:
        return
    revealed = revealed_bids(lot)
    for place, row in audit_items(lot):
        envelope = lot.envelope(row["envelope_sha256"])
        if row["bid"] in revealed and envelope is not None and row["s_b"]:
            holds = factor_fits(envelope.value, bytes.fromhex(row["s_b"]))
            check.require(place, f"bid {row['bid']}: s_b is not the factor committed to", holds=holds)


def check_shares(lot: Lot, check: Check) -> None:
    """SB-14: good shares equal C_i, combine to s_c, and seed_commit and every C_j follow from it (where shown)."""
    policy = lot.policy
    if policy is None:
        return
    k, gaps, released = policy.value["k"], lot.last("release.gaps"), released_bids(lot)
    for shown, row in audit_items(lot):
        envelope = lot.envelope(row["envelope_sha256"])
        if envelope is None:
            continue
        place, context = f"{shown} bid {row['bid']}", context_of(envelope.value)
        shares = [bytes.fromhex(text) for text in row["shares"] or []]
        wanted = {share["i"]: share["c"] for share in envelope.value["shares"]}
        order = [share[-1] for share in shares]
        check.require(place, "shares are not in the order of their index", holds=order == sorted(set(order)))
        for share in shares:
            holds = share_commitment(share, context).hex() == wanted.get(share[-1])
            check.require(place, f"share {share[-1]} is not the one committed to", holds=holds)
        missing = len(shares) < k and released is not None and row["bid"] in released
        if missing and gaps is not None:
            holds = row["bid"] in gaps.body["bids"]
            check.require(gaps.place, f"bid {row['bid']} lacks shares and was not told to rescue", holds=holds)
        rescued = any(logged.body["bid"] == row["bid"] for logged in lot.all("rescue.accepted"))
        if len(shares) >= k and row["s_c"] and not rescued and order == sorted(set(order)):
            holds = combine_shares(shares[:k]).hex() == row["s_c"]
            check.require(place, "the shares do not combine to s_c", holds=holds)
        if row["verdict"] in ("OK", "BIDDER_MALFORMED_CONTENT"):
            secrets = bytes.fromhex(row["s_c"] or ""), bytes.fromhex(row["s_b"] or "")
            holds = dealing_fits(envelope.value, *secrets, context, k)
            check.require(place, "seed_commit or a C_j does not follow from s_c and s_b", holds=holds)


def check_parts(lot: Lot, check: Check) -> None:
    """SB-15: identities re-derived; stored parts are the ones of the envelope and decrypt (where secrets are shown)."""
    transcript, items = find_transcript(lot, "audit"), {row["bid"]: (at, row) for at, row in audit_items(lot)}
    for bid, ruling in rulings(lot).items():
        if bid not in items:
            if transcript is not None:
                check.fail(transcript.place, f"bid {bid} is missing")
            continue
        at, row = items[bid]
        place = f"{at} bid {bid}"
        for part, identity in ruling.identities.items():
            shown = row.get(f"identity_{part}")
            must = row["verdict"] == "OK"
            holds = shown == identity or (shown is None and not must)
            check.require(place, f"identity of part {part} does not follow from the secrets", holds=holds)
        for part in ruling.unread:
            report = check.fail if part == "price" else check.note
            report(place, f"the ciphertext of part {part} is not in the bundle")
        if ruling.price is not None and row["verdict"] == "OK":
            check.require(place, "price_sha256 differs", holds=row["price_sha256"] == ruling.price.sha256)
        if ruling.manifest_sha256 is not None and row["verdict"] == "OK":
            holds = row["manifest_sha256"] == ruling.manifest_sha256 == _opened_manifest(lot, bid)
            check.require(place, "manifest_sha256 differs", holds=holds)


def _opened_manifest(lot: Lot, bid: str) -> str | None:
    found = opened_record(lot, bid)
    return found.body["manifest_sha256"] if found is not None else None


def opened_record(lot: Lot, bid: str) -> Logged | None:
    """Return the ``bid.opened`` record of a bid."""
    return next((logged for logged in lot.all("bid.opened") if logged.body["bid"] == bid), None)


def check_prices(lot: Lot, check: Check) -> None:
    """SB-16: identity_price opens the price ciphertext of the envelope to the price read out (tier bidders)."""
    policy = lot.policy
    transcript = find_transcript(lot, "bidders") or find_transcript(lot, "audit")
    if policy is None or transcript is None or not lot.evidence.holds("bidders"):
        return
    for logged in lot.all("bid.opened"):
        bid, envelope = logged.body["bid"], lot.envelope(logged.body["envelope_sha256"])
        row = transcript_item(transcript, bid)
        part = _price_part(envelope)
        if envelope is None or row is None or part is None:
            continue
        place, path = f"{logged.place} bid {bid}", f"parts/{part['sha256']}.age"
        if row["identity_price"] is None:
            check.fail(transcript.place, f"bid {bid} was opened, but its identity_price is null")
            continue
        try:
            plaintext = open_age(row["identity_price"], lot.evidence.bundle.read(path))
            price = read_price(plaintext, policy.value["price_bytes"], envelope.value)
        except (AgeError, BundleFault, ContentFault) as error:
            check.fail(path, f"bid {bid}: {error}")
            continue
        size = lot.evidence.bundle.sizes[path] == part["size"]
        check.require(path, "size differs from the envelope", holds=size)
        same = (price.value, price.sha256) == (logged.body["price"], logged.body["price_sha256"])
        check.require(place, "the price read out is not the price in the sealed part", holds=same)


def _price_part(envelope: Document | None) -> dict[str, Any] | None:
    parts = envelope.value["parts"] if envelope is not None else []
    return next((part for part in parts if part["name"] == "price"), None)


def check_verdicts(lot: Lot, check: Check) -> None:
    """SB-17: every verdict recomputed by S10; one result per bid; records and transcripts say the same."""
    order, policy, combined = lot.order, lot.policy, lot.last("opening.combined")
    if lot.missing("opening.completed"):
        check.fail(lot.place, "no opening.completed record, though later steps are recorded")
    if order is None or policy is None or combined is None:
        return
    judge = judge_of(lot, order, policy)
    items = {item["bid"]: item for item in combined.body["items"]}
    for row in order.value["bids"]:
        ruling, item = rulings(lot)[row["bid"]], items.get(row["bid"])
        if item is not None:
            _check_combined(check, combined, item, ruling)
            _check_faults(lot, check, combined.place, item, ruling, judge.custodians(row["bid"]))
        _check_result(lot, check, row, item, ruling)
    for logged in lot.all("bid.opened"):
        _check_opened(lot, check, logged, order)
    for tier in ("bidders", "audit"):
        transcript = find_transcript(lot, tier)
        if transcript is not None:
            _check_transcript(lot, check, transcript, order)
    _check_audit_items(lot, check, order)


def _check_combined(check: Check, logged: Logged, item: dict[str, Any], ruling: Ruling) -> None:
    # Rows 11 and 12 show only when a part is decrypted, after the combination.
    possible = {"OK"} if ruling.row >= 11 else set(ruling.possible)
    text = f"bid {item['bid']}: verdict {item['verdict']}, recomputed {' or '.join(sorted(possible))}"
    check.require(logged.place, text, holds=item["verdict"] in possible)


def _check_faults(
    lot: Lot, check: Check, place: str, item: dict[str, Any], ruling: Ruling, custodians: list[Custodian]
) -> None:
    bid, logged = item["bid"], {row["custodian"]: row["code"] for row in item["faults"]}
    if ruling.faults is not None:
        expected = {row["custodian"]: row["code"] for row in ruling.faults}
        check.require(place, f"bid {bid}: faults {logged}, recomputed {expected}", holds=logged == expected)
        return
    if final_verdict(lot, bid) == "PLATFORM_PART_LOST" and not logged:
        return
    for custodian in custodians:
        said, found = logged.get(custodian.index), custodian.fault
        hidden = found is None and custodian.given and said == "CUSTODIAN_BAD_SHARE"
        text = f"bid {bid} custodian {custodian.index}: fault {said}, the public facts say {found}"
        check.require(place, text, holds=said == found or hidden)


def _check_result(lot: Lot, check: Check, row: dict[str, Any], item: dict[str, Any] | None, ruling: Ruling) -> None:
    bid, completed = row["bid"], lot.last("opening.completed")
    opened = [logged for logged in lot.all("bid.opened") if logged.body["bid"] == bid]
    judged = [logged for logged in lot.all("bid.verdict") if logged.body["bid"] == bid]
    final = final_verdict(lot, bid)
    if completed is not None:
        check.require(completed.place, f"bid {bid} has no result", holds=bool(opened or judged))
    if not opened and not judged:
        return
    place = (opened + judged)[-1].place
    final_once = all(logged.body["verdict"] == "PENDING" for logged in judged[:-1])
    once = len(opened) <= 1 and final_once and not (opened and judged and judged[-1].body["verdict"] != "OK")
    check.require(place, f"bid {bid} has several results", holds=once)
    decided = ruling.settled or ruling
    text = f"bid {bid}: result {final}, recomputed {' or '.join(decided.possible)}"
    check.require(place, text, holds=final in decided.possible)
    if final in MEANINGS:
        party, effect = MEANINGS[final]
        check.note(place, f"bid {bid}: {final}, at fault: {party}; {effect}")
    if final == "PENDING":
        check.gap(place, f"bid {bid}: PENDING until its shares are adjudicated")
    for logged in judged:
        _check_judged(lot, check, logged, item, ruling)


def _check_judged(lot: Lot, check: Check, logged: Logged, item: dict[str, Any] | None, ruling: Ruling) -> None:
    """Compare the faults of a ``bid.verdict``: those of the combination, for a final one those found since then."""
    bid, order, policy = logged.body["bid"], lot.order, lot.policy
    is_final = item is not None and item["verdict"] == "PENDING" != logged.body["verdict"]
    if is_final and ruling.settled is not None and order is not None and policy is not None:
        custodians = Judge(lot, order, policy, logged.n).custodians(bid)
        _check_faults(lot, check, logged.place, logged.body, ruling.settled, custodians)
        return
    same = item is None or logged.body["faults"] == item["faults"]
    check.require(logged.place, f"bid {bid}: faults differ from opening.combined", holds=same)


def _check_opened(lot: Lot, check: Check, logged: Logged, order: Document) -> None:
    body, price = logged.body, logged.body["price"]
    row = next((row for row in order.value["bids"] if row["bid"] == body["bid"]), None)
    holds = row is not None and all(row[name] == body[name] for name in ("bidder", "envelope_sha256"))
    check.require(logged.place, "opens no bid of the order", holds=holds)
    envelope = lot.envelope(body["envelope_sha256"])
    priced = _price_part(envelope) is not None
    check.require(
        logged.place, "price is null, but the bid has one (or the reverse)", holds=priced == (price is not None)
    )
    if price is None or envelope is None:
        return
    check.require(logged.place, "price_sha256 is not the hash of the price", holds=_hashes(price, body["price_sha256"]))
    try:
        DOCUMENT_RULES["sb1.price"](price, "price")
    except FieldFault as error:
        check.fail(logged.place, str(error))
        return
    bound = all(price[name] == envelope.value[name] for name in BOUND_FIELDS)
    check.require(logged.place, "the price names another bid", holds=bound)


def _hashes(price: dict[str, Any], expected: str | None) -> bool:
    # The record is canonical, so serialising its part again gives the bytes that were hashed.
    return hex_digest(canonical_bytes(price)) == expected


def _check_transcript(lot: Lot, check: Check, transcript: Document, order: Document) -> None:
    value = transcript.value
    for role in ("station-operator", "supervisor"):
        check.require(transcript.place, f"not signed by the {role}", holds=transcript.signed_by(role) is not None)
    check.require(transcript.place, "names another order", holds=value["order_sha256"] == order.sha256)
    releases = [document.sha256 for _, document in used_releases(lot)]
    check.require(transcript.place, "names other releases", holds=value["release_sha256s"] == releases)
    rows = [(row["bid"], row["envelope_sha256"]) for row in order.value["bids"]]
    named = [(row["bid"], row["envelope_sha256"]) for row in value["items"]]
    check.require(transcript.place, "does not name the bids of the order, in its order", holds=rows == named)
    for row in value["items"]:
        _check_told(lot, check, transcript.place, row)


def _check_told(lot: Lot, check: Check, place: str, row: dict[str, Any]) -> None:
    """Compare verdict and faults that a transcript tells of a bid with the log."""
    combined = lot.last("opening.combined")
    told = combined.body["items"] if combined is not None else []
    item: dict[str, Any] = next((item for item in told if item["bid"] == row["bid"]), {})
    waiting = row["verdict"] == item.get("verdict") == "PENDING"
    holds = waiting or row["verdict"] == final_verdict(lot, row["bid"])
    check.require(place, f"bid {row['bid']}: another verdict than the log", holds=holds)
    settled = last_verdict(lot, row["bid"]) if item.get("verdict") == "PENDING" and not waiting else None
    same = row["faults"] == (settled.body if settled is not None else item).get("faults")
    check.require(place, f"bid {row['bid']}: other faults than the log", holds=same)


def _check_audit_items(lot: Lot, check: Check, order: Document) -> None:
    """A bidder that gives away the row of its own bid gives that of the transcript in the log, and one."""
    completed = lot.last("opening.completed")
    named = completed.body["transcript_sha256s"] if completed is not None else []
    shown = [(document, document.value) for document in lot.evidence.of_type("sb1.audit-item")]
    here = [(document, value) for document, value in shown if value["order_sha256"] == order.sha256]
    rows = {row["bid"]: row["envelope_sha256"] for row in order.value["bids"]}
    for document, value in here:
        item = value["item"]
        holds = value["transcript_sha256"] in named and rows.get(item["bid"]) == item["envelope_sha256"]
        check.require(document.place, "is no row of the audit transcript of this order", holds=holds)
        _check_told(lot, check, document.place, item)
    once = len({value["item"]["bid"] for _, value in here}) == len(here)
    if here:
        check.require(here[0][0].place, "a bid has several rows", holds=once)
