"""Checks of adjudications and disclosed share keys: SB-10, second half (SB1 S9.4)."""

from __future__ import annotations

from verifier.checks_opening import institution_of
from verifier.dealing import context_of, share_commitment
from verifier.encoding import b64u_decode
from verifier.evidence import Document, Logged
from verifier.hpke import HpkeAbsent, HpkeFault, hpke_open, hpke_public_key, share_info
from verifier.lot import Lot
from verifier.report import Check
from verifier.shamir import SHARE_BYTES

BAD_CODES = ("bad_index", "bad_length", "commit_mismatch", "hpke_open_failed")


def check_adjudications(lot: Lot, check: Check) -> None:
    """SB-10: adjudications signed, complete, after a disclosure; recomputed where the tier holds the disclosed key."""
    for logged, document in lot.pairs("share.adjudicated", "adjudication_sha256", "sb1.adjudication"):
        _check_adjudication(lot, check, logged, document)
        _recompute(lot, check, document)
    for logged, document in lot.pairs("custodian.key_disclosed", "disclosure_sha256", "sb1.key-disclosure"):
        index, signer = logged.body["custodian"], document.signed_by("custodian")
        holds = document.value["custodian"] == index and signer is not None
        holds = holds and signer is not None and signer.kid == institution_of(lot, index)
        check.require(document.place, f"is not the disclosure of custodian {index}", holds=holds)
    _check_disclosures(lot, check)


def _check_adjudication(lot: Lot, check: Check, logged: Logged, document: Document) -> None:
    value = document.value
    index = value["custodian"]
    check.require(document.place, "not signed by the supervisor", holds=document.signed_by("supervisor") is not None)
    reported = [
        row["bid"]
        for _, answer in lot.pairs("share.checked", "check_sha256", "sb1.share-check")
        if (answer.value["custodian"], answer.value["order_sha256"]) == (index, value["order_sha256"])
        for row in answer.value["items"]
        if row["code"] in BAD_CODES
    ]
    named = [row["bid"] for row in value["items"]]
    check.require(document.place, f"does not decide exactly the bids that {index} called bad", holds=named == reported)
    disclosed = [row for row in lot.all("custodian.key_disclosed") if row.body["custodian"] == index]
    refused = all(row["finding"] == "custodian_fault" for row in value["items"])
    holds = refused or any(row.n < logged.n for row in disclosed)
    check.require(document.place, "a finding against a bidder without a disclosed key", holds=holds)


def _check_disclosures(lot: Lot, check: Check) -> None:
    policy, completed = lot.policy, lot.first("opening.completed")
    if policy is None:
        return
    own: dict[str, set[int]] = {}
    for row in policy.value["custodians"]:
        own.setdefault(row["name"], set()).add(row["i"])
    known: dict[str, set[int]] = {}
    for logged in lot.all("custodian.key_disclosed"):
        if completed is None or logged.n < completed.n:
            auditor = logged.body["auditor"]
            known.setdefault(auditor, set(own.get(auditor, ()))).add(logged.body["custodian"])
    for auditor, indices in sorted(known.items()):
        holds = len(indices) < policy.value["k"]
        check.require(lot.place, f"{auditor} knew {len(indices)} share keys before the opening ended", holds=holds)


def _recompute(lot: Lot, check: Check, adjudication: Document) -> None:
    """Open the disputed shares with the disclosed key, as the auditor did (audit tier)."""
    index, policy = adjudication.value["custodian"], lot.policy
    for logged, disclosure in lot.pairs("custodian.key_disclosed", "disclosure_sha256", "sb1.key-disclosure"):
        if logged.body["custodian"] != index or policy is None:
            continue
        seed = bytes.fromhex(disclosure.value["seed"])
        keys = [row["hpke_pk"] for row in policy.value["custodians"] if row["i"] == index]
        try:
            fits = [hpke_public_key(seed)] == [b64u_decode(key) for key in keys]
            for row in adjudication.value["items"]:
                found = finding(lot, row["bid"], index, seed) if fits else "custodian_fault"
                text = f"bid {row['bid']}: finding {row['finding']}, recomputed {found}"
                check.require(adjudication.place, text, holds=found in (None, row["finding"]))
        except HpkeAbsent as error:
            check.gap(disclosure.place, str(error))


def finding(lot: Lot, bid: str, index: int, seed: bytes) -> str | None:
    """Return what a disclosed key proves about a share: the custodian lied, or the bidder dealt it badly."""
    order = lot.order
    rows = order.value["bids"] if order is not None else []
    envelope = next((lot.envelope(row["envelope_sha256"]) for row in rows if row["bid"] == bid), None)
    if envelope is None:
        return None
    context = context_of(envelope.value)
    share = next((share for share in envelope.value["shares"] if share["i"] == index), None)
    if share is None:
        return None
    try:
        opened = hpke_open(seed, share_info(index, context), b64u_decode(share["ct"]))
    except HpkeFault:
        return "dealt_bad"
    good = len(opened) == SHARE_BYTES and opened[-1] == index
    good = good and share_commitment(opened, context).hex() == share["c"]
    return "custodian_fault" if good else "dealt_bad"
