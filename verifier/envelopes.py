"""Whether an envelope stands up to SB1 S7.2 items 2 to 4 without sign-in, and what makes it a copy (S7.3, S10)."""

from __future__ import annotations

from verifier.encoding import b64u_decode
from verifier.evidence import Document
from verifier.hashing import hex_digest
from verifier.lot import Lot, Version

ENVELOPE_LIMIT = 65536


def envelope_faults(lot: Lot, version: Version) -> list[str]:
    """Return what is wrong with a received envelope apart from its signature; empty if nothing is."""
    document, policy = version.document, lot.policy
    if document is None:
        return ["the envelope is missing or malformed"]
    value, body = document.value, version.logged.body
    named = lot.evidence.document(value["policy_sha256"], "sb1.policy")
    faults = []
    if len(document.data) > ENVELOPE_LIMIT:
        faults.append("longer than 64 KiB")
    if (value["tender"], value["lot"], value["stage"]) != (lot.procedure, lot.lot, lot.stage):
        faults.append("names another tender, lot or stage")
    others = [name for name in ("bid", "bidder", "seq") if value[name] != body[name]]
    faults += [f"{name} differs from the bid.received record" for name in others]
    if (value["supersedes"] is None) != (value["seq"] == 1):
        faults.append("supersedes is null, but not exactly at seq 1")
    if named is None:
        return [*faults, "its policy is not in the bundle"] if policy is not None else faults
    return faults + _policy_faults(document, named)


def _policy_faults(envelope: Document, policy: Document) -> list[str]:
    value, terms = envelope.value, policy.value
    faults = []
    if [share["i"] for share in value["shares"]] != [custodian["i"] for custodian in terms["custodians"]]:
        faults.append("the share indices are not those of the policy")
    if [part["name"] for part in value["parts"]] != terms["parts"]:
        faults.append("the parts are not those of the policy")
    if (value["factor_commit"] is None) == terms["bidder_factor"]:
        faults.append("factor_commit does not fit the mode of the policy")
    return faults


def signature_faults(version: Version) -> list[str]:
    """Return what is wrong with the signature of a received or withdrawn version (S7.2 item 3)."""
    document, body = version.document, version.logged.body
    if document is None:
        return []
    faults = []
    signer = document.signed_by("bidder")
    if signer is None or signer.kid != document.value["bidder_kid"]:
        faults.append("no valid signature by the key named in bidder_kid")
    elif signer.name != body["bidder"]:
        faults.append("signed by a key of another organisation")
    return faults


def fingerprints(envelope: Document) -> set[tuple[str, str]]:
    """Return the values that may not repeat inside a lot (S7.3 step 5), as (kind, hash)."""
    value = envelope.value
    found = {("seed_commit", value["seed_commit"])}
    if value["factor_commit"] is not None:
        found.add(("factor_commit", value["factor_commit"]))
    found.update(("part", part["sha256"]) for part in value["parts"])
    return found | {("ct", hex_digest(b64u_decode(share["ct"]))) for share in value["shares"]}


def is_copy(lot: Lot, envelope: Document) -> bool:
    """Return whether a share ciphertext or part repeats that of another bidder's envelope of the lot (S10 row 2)."""
    own = {item for item in fingerprints(envelope) if item[0] in ("part", "ct")}
    for versions in lot.versions().values():
        for version in versions:
            other = version.document
            if version.logged.kind != "bid.received" or other is None:
                continue
            if other.value["bidder"] != envelope.value["bidder"] and own & fingerprints(other):
                return True
    return False
