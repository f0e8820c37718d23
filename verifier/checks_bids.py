"""Checks of policy, schedule, envelopes and close: SB-01 to SB-08 and SB-18 (SB1 S17)."""

from __future__ import annotations

from typing import Any

from verifier.bounds import QUESTIONABLE, lower_ms, time_verdict, upper_ms
from verifier.canonical import canonical_bytes
from verifier.envelopes import envelope_faults, fingerprints, signature_faults
from verifier.evidence import Document, Evidence, Logged
from verifier.hashing import hex_digest
from verifier.intake import intake_upper
from verifier.lot import Lot, Version
from verifier.merkle import root_of
from verifier.report import Check


def check_policy(lot: Lot, check: Check) -> None:
    """SB-01: agency's signature, the admission rules of S3.1, custodian keys signed by pinned institutions."""
    if lot.missing("policy.fixed"):
        check.fail(lot.place, "no policy.fixed record, though later steps are recorded")
    for _, policy in lot.pairs("policy.fixed", "policy_sha256", "sb1.policy"):
        value = policy.value
        check.require(policy.place, "not signed by an agency", holds=policy.signed_by("agency") is not None)
        here = (value["tender"], value["lot"], value["stage"]) == (lot.procedure, lot.lot, lot.stage)
        check.require(policy.place, "names another tender, lot or stage", holds=here)
        for text in _admission_faults(value):
            check.fail(policy.place, text)
        for custodian in value["custodians"]:
            _check_custodian(lot, check, policy, custodian)


def custodian_faults(rows: list[dict[str, Any]], k: int) -> list[str]:
    """Return what is wrong with the custodians of a policy by rules 1 to 3 of S3.1, which draws follow, too."""
    count = len(rows)
    faults = []
    if [row["i"] for row in rows] != list(range(1, count + 1)):
        faults.append("custodian indices are not 1 to n in order")
    if not 2 <= k <= count - 1:
        faults.append("k is not at least 2 and below the number of custodians")
    if sum(row["role"] in ("agency", "operator") for row in rows) >= k:
        faults.append("operator and agency hold k or more keys together")
    repeated = [name for name in ("name", "hpke_pk", "kid") if len({row[name] for row in rows}) != count]
    return faults + [f"two custodians share the same {name}" for name in repeated]


def _admission_faults(policy: dict[str, Any]) -> list[str]:
    rows, k = policy["custodians"], policy["k"]
    faults = custodian_faults(rows, k)
    independent = any(row["role"] in ("supervisor", "notary") for row in rows)
    if not policy["bidder_factor"] and (k < 3 or not independent):
        faults.append("without bidder factor k must be 3 and supervisor or notary a custodian")
    size = policy["price_bytes"]
    if (size is None) == ("price" in policy["parts"]) or (size or 0) % 4096:
        faults.append("price_bytes does not fit the parts, or is not a multiple of 4096")
    return faults


def custodian_key(lot: Lot, custodian: dict[str, Any]) -> Document | None:
    """Return the signed sb1.custodian-key document of a policy row."""
    for document in lot.evidence.of_type("sb1.custodian-key"):
        if document.value["hpke_pk"] == custodian["hpke_pk"]:
            return document
    return None


def _check_custodian(lot: Lot, check: Check, policy: Document, custodian: dict[str, Any]) -> None:
    place, document = f"{policy.place} custodian {custodian['i']}", custodian_key(lot, custodian)
    if document is None:
        check.fail(place, "no sb1.custodian-key document with its key")
        return
    check_institution(lot.evidence, check, place, document, custodian)
    same = all(document.value[name] == policy.value[name] for name in ("lot", "stage", "suite", "tender"))
    own = all(document.value[name] == custodian[name] for name in ("name", "role"))
    check.require(place, "the key document was made for another lot, name or role", holds=same and own)


def check_institution(
    evidence: Evidence, check: Check, place: str, document: Document, custodian: dict[str, Any]
) -> None:
    """Require that a custodian's key document is signed by the pinned institution of its policy row."""
    pinned, signer = evidence.trust.institutions.get(custodian["kid"]), document.signed_by("custodian")
    fits = signer is not None and signer.kid == custodian["kid"]
    check.require(place, "the key document is not signed by the institution of the policy", holds=fits)
    named = pinned is not None and (pinned.role, pinned.name) == ("custodian", custodian["name"])
    check.require(place, "the institution is not a custodian of this name in the trust file", holds=named)


def check_possession(lot: Lot, check: Check) -> None:
    """SB-02: the policy is in the log before bids, and each share key was proved before the policy."""
    fixed = lot.pairs("policy.fixed", "policy_sha256", "sb1.policy")
    closed = lot.closed
    if closed is not None:
        named = any(document.sha256 == closed.body["policy_sha256"] for _, document in fixed)
        check.require(closed.place, "the policy of the close was never fixed", holds=named)
    for logged, policy in fixed:
        check.passed()
        for custodian in policy.value["custodians"]:
            document = custodian_key(lot, custodian)
            if document is not None:
                check_proof_of_possession(lot.evidence, check, logged, document)
        for versions in lot.versions().values():
            for version in versions:
                early = version.document is not None and version.document.value["policy_sha256"] == policy.sha256
                if early and version.logged.n < logged.n:
                    check.fail(version.logged.place, "sealed under a policy that was fixed only later")


def check_proof_of_possession(evidence: Evidence, check: Check, fixed: Logged, document: Document) -> None:
    """Require a challenge and its answer for a share key before its policy was fixed (S3.2)."""
    challenged, proved = (
        [
            logged
            for logged in evidence.of_kind(kind)
            if logged.body["custodian_key_sha256"] == document.sha256 and logged.n < fixed.n
        ]
        for kind in ("custodian.challenged", "custodian.proved")
    )
    holds = any(
        before.n < after.n and before.body["challenge_sha256"] == hex_digest(bytes.fromhex(after.body["challenge"]))
        for before in challenged
        for after in proved
    )
    text = "no challenge and fitting answer before the policy was fixed"
    check.require(f"{fixed.place} {document.place}", text, holds=holds)


def check_schedule(lot: Lot, check: Check) -> None:
    """SB-03: the close of successive schedules is never earlier, and the close entry follows the last one."""
    schedules, closed = lot.schedules, lot.closed
    for (_, before), (logged, after) in zip(schedules, schedules[1:]):
        check.require(logged.place, "close moves earlier", holds=after.value["close"] >= before.value["close"])
    if schedules:
        check.passed()
    if closed is not None and schedules:
        last = schedules[-1][1]
        same = (closed.body["schedule_sha256"], closed.body["close"]) == (last.sha256, last.value["close"])
        check.require(closed.place, "close or schedule are not those of the last schedule", holds=same)


def bad_intake(lot: Lot, version: Version) -> bool:
    """Return whether the log itself calls this envelope a fault of the platform (S10 row 1), so it is no surprise."""
    verdicts = [logged for logged in lot.all("bid.verdict") if logged.body["bid"] == version.logged.body["bid"]]
    return bool(verdicts) and verdicts[-1].body["verdict"] == "PLATFORM_BAD_INTAKE"


def check_envelopes(lot: Lot, check: Check) -> None:
    """SB-04: fields, lengths, policy and mode of every received envelope."""
    for version in _received(lot):
        check.passed()
        for text in envelope_faults(lot, version):
            report = check.note if bad_intake(lot, version) else check.fail
            report(f"{version.logged.place} envelope {version.sha256[:16]}…", text)


def _received(lot: Lot) -> list[Version]:
    return [
        version for versions in lot.versions().values() for version in versions if version.logged.kind == "bid.received"
    ]


def check_bid_signatures(lot: Lot, check: Check) -> None:
    """SB-05: signature by a key registered before and not revoked; the record names the signature as received."""
    for versions in lot.versions().values():
        for version in versions:
            document = version.document
            if document is None:
                continue
            report = check.note if bad_intake(lot, version) else check.fail
            for text in signature_faults(version):
                report(f"{version.logged.place} {document.place}", text)
            hashes = [hex_digest(canonical_bytes(signature)) for signature in document.sigs]
            holds = version.logged.body["sig_sha256"] in hashes
            check.require(version.logged.place, "sig_sha256 is not the hash of the signature", holds=holds)


def check_versions(lot: Lot, check: Check) -> None:
    """SB-06: every listed bid was received as the order says, and its versions form an unbroken chain."""
    by_bid = lot.versions()
    for bid, versions in sorted(by_bid.items()):
        before: Version | None = None
        for expected, version in enumerate(versions, 1):
            place, document = version.logged.place, version.document
            check.require(
                place, f"bid {bid}: version {version.seq} instead of {expected}", holds=version.seq == expected
            )
            named = document.value["supersedes"] if document is not None else None
            holds = document is None or named == (before.sha256 if before else None)
            check.require(place, f"bid {bid}: supersedes is not the version before", holds=holds)
            before = version
    for order_logged, order in lot.orders:
        for row in order.value["bids"]:
            found = [
                version.logged for version in by_bid.get(row["bid"], []) if version.sha256 == row["envelope_sha256"]
            ]
            holds = any((logged.n, logged.h) == (row["n"], row["h"]) for logged in found)
            text = f"bid {row['bid']}: no bid.received record at entry {row['n']} with this envelope"
            check.require(order_logged.place, text, holds=holds)


def check_on_time(lot: Lot, check: Check) -> None:
    """SB-07: received before the close entry and before the close, with the time verdict of T7."""
    closed = lot.closed
    if lot.missing("tender.closed"):
        check.fail(lot.place, "no tender.closed record, though later steps are recorded")
    for version in [version for versions in lot.versions().values() for version in versions]:
        logged = version.logged
        if closed is None:
            continue
        close = closed.body["close"]
        check.require(logged.place, "received after the close entry", holds=logged.n < closed.n)
        check.require(logged.place, "received_at is not before the close", holds=logged.body["received_at"] < close)
        notes = lot.evidence.notes
        bounds = upper_ms(logged.n, notes), lower_ms(logged.n, notes), intake_upper(lot, logged)
        verdict = time_verdict(logged.n, closed.n, close, *bounds)
        check.require(logged.place, "QUESTIONABLE: shown too long after the close", holds=verdict != QUESTIONABLE)


def manifest_leaf(row: dict[str, Any]) -> bytes:
    """Return the leaf data of a bid in ``bids_root`` (S8)."""
    return canonical_bytes({name: row[name] for name in ("bid", "envelope_sha256", "h", "seq")})


def valid_heads(lot: Lot, closed: Logged) -> list[dict[str, Any]]:
    """Return the manifest rows that the records give: of each bid the newest version before the close (S8).

    A withdrawn bid and one sealed under another policy have no row.
    """
    rows = []
    for bid, versions in sorted(lot.versions().items(), key=lambda item: item[0].encode()):
        before = [version for version in versions if version.logged.n < closed.n]
        if not before or before[-1].logged.kind != "bid.received":
            continue
        head = before[-1]
        if head.document is None or head.document.value["policy_sha256"] == closed.body["policy_sha256"]:
            rows.append({"bid": bid, "envelope_sha256": head.sha256, "h": head.logged.h, "seq": head.seq})
    return rows


def check_manifest(lot: Lot, check: Check) -> None:
    """SB-08: ``bids_root`` and ``count`` from the records; a public bundle opens the bids only after the order."""
    closed = lot.closed
    if closed is None:
        return
    rows = valid_heads(lot, closed)
    if not lot.evidence.whole_log and not lot.orders and closed.body["count"] != len(rows):
        check.note(closed.place, "the bids of a lot that was not opened are not disclosed")
        return
    order = lot.order
    added = {row["bid"] for row in order.value["bids"] if row["objection_h"] is not None} if order else set()
    for bid in sorted(added):
        check.note(closed.place, f"bid {bid} was missing from the manifest and was added by an objection")
    rows = [row for row in rows if row["bid"] not in added]
    count, root = closed.body["count"], root_of([manifest_leaf(row) for row in rows]).hex()
    check.require(closed.place, f"count is {count}, the records show {len(rows)} bids", holds=count == len(rows))
    text = "bids_root is not the root of the bids received"
    check.require(closed.place, text, holds=closed.body["bids_root"] == root)


def check_fingerprints(lot: Lot, check: Check) -> None:
    """SB-18: no seed, factor, part or share ciphertext twice inside the lot."""
    seen: dict[tuple[str, str], str] = {}
    for version in _received(lot):
        if version.document is None:
            continue
        check.passed()
        for item in sorted(fingerprints(version.document)):
            other = seen.setdefault(item, version.sha256)
            if other != version.sha256:
                text = f"{item[0]} {item[1][:16]}… also stands in envelope {other[:16]}…"
                check.fail(f"{version.logged.place} envelope {version.sha256[:16]}…", text)
