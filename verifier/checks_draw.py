"""Checks of a draw up to its seal: ED-01 to ED-04 (ED1 D15)."""

from __future__ import annotations

from typing import Any

from verifier.checks_bids import check_institution, check_proof_of_possession, custodian_faults
from verifier.dealing import share_commitment
from verifier.draw import DRAW_KINDS, Attempt, spec_faults
from verifier.drawing import dealing_context
from verifier.encoding import b64u_decode
from verifier.evidence import Document, Logged
from verifier.hpke import HpkeAbsent, HpkeFault, hpke_open, hpke_public_key, share_info
from verifier.report import Check
from verifier.shamir import SHARE_BYTES

SIGNED_BY_BOTH = ("centre", "supervisor")
INDEPENDENT_PARTIES = ("notary", "supervisor")
BEFORE_SEAL = ("escrowed", "committed", "share_checked", "adjudicated", "waived")
AFTER_SEAL = ("revealed", "recovered")
ESCROW_COMMITS = {"ed1.pool-key": "pool_key_commit", "ed1.exclusion-key": "exclusion_key_commit"}


def require_both(check: Check, document: Document) -> None:
    """Require the signatures of centre and supervisor."""
    holds = all(document.signed_by(role) is not None for role in SIGNED_BY_BOTH)
    check.require(document.place, "not signed by centre and supervisor", holds=holds)


def check_draw_policy(attempt: Attempt, check: Check) -> None:
    """ED-01: policy signed, in the log before the spec, custodians by the rules, keys proved (as SB-01, SB-02)."""
    policy, spec = attempt.policy, attempt.spec
    if spec is None:
        return
    if policy is None:
        check.fail(attempt.place, "the policy that the spec names is not in the bundle")
        return
    require_both(check, policy)
    check.require(policy.place, "names another draw", holds=policy.value["draw"] == attempt.draw)
    for text in custodian_faults(policy.value["custodians"], policy.value["k"]):
        check.fail(policy.place, text)
    specified = attempt.first("specified")
    fixed = [
        logged
        for logged in attempt.evidence.of_kind("draw.policy_fixed")
        if logged.body["policy_sha256"] == policy.sha256 and specified is not None and logged.n < specified.n
    ]
    check.require(policy.place, "was not fixed in the log before the spec", holds=bool(fixed))
    for custodian in policy.value["custodians"]:
        _check_draw_custodian(attempt, check, policy, custodian, fixed)


def _check_draw_custodian(
    attempt: Attempt, check: Check, policy: Document, custodian: dict[str, Any], fixed: list[Logged]
) -> None:
    place = f"{policy.place} custodian {custodian['i']}"
    documents = attempt.evidence.of_type("ed1.custodian-key")
    document = next((item for item in documents if item.value["hpke_pk"] == custodian["hpke_pk"]), None)
    if document is None:
        check.fail(place, "no ed1.custodian-key document with its key")
        return
    check_institution(attempt.evidence, check, place, document, custodian)
    told = {**custodian, "draw": attempt.draw, "suite": policy.value["suite"]}
    same = all(document.value[name] == told[name] for name in ("draw", "name", "role", "suite"))
    check.require(place, "the key document was made for another draw, name or role", holds=same)
    if fixed:
        check_proof_of_possession(attempt.evidence, check, fixed[0], document)


def check_spec(attempt: Attempt, check: Check) -> None:
    """ED-02: spec signed and consistent in itself, contributors pinned, one spec per attempt."""
    for name in attempt.withheld():
        check.fail(attempt.place, f"no draw.{name} record, though later steps are recorded")
    spec = attempt.spec
    if spec is None:
        return
    require_both(check, spec)
    value = spec.value
    named = (value["draw"], value["attempt"]) == (attempt.draw, attempt.number)
    check.require(spec.place, "names another draw or attempt than its record", holds=named)
    for text in spec_faults(value):
        check.fail(spec.place, text)
    _check_parties(attempt, check, spec)
    others = {
        document.sha256
        for document in attempt.evidence.of_type("ed1.spec")
        if (document.value["draw"], document.value["attempt"]) == (attempt.draw, attempt.number)
    } | {logged.body["spec_sha256"] for logged in attempt.all("specified")}
    for other in sorted(others - {spec.sha256}):
        check.fail(attempt.place, f"SPEC_FORK: a second spec {other} of this attempt")


def _check_parties(attempt: Attempt, check: Check, spec: Document) -> None:
    rows = spec.value["parties"]
    pinned = [attempt.evidence.trust.institutions.get(row["kid"]) for row in rows]
    for row, institution in zip(rows, pinned):
        holds = institution is not None and institution.role == "contributor"
        check.require(spec.place, f"the key of {row['id']} is no contributor's in the trust file", holds=holds)
    names = [institution.name for institution in pinned if institution is not None]
    check.require(spec.place, "two contributors of one organisation", holds=len(set(names)) == len(names))
    independent = any(row["id"] in INDEPENDENT_PARTIES for row in rows)
    check.require(spec.place, "neither supervisor nor notary contributes", holds=independent)


def check_draw_order(attempt: Attempt, check: Check) -> None:
    """ED-03: order in the log, a witnessed checkpoint between seal and first answer, commit phase, one seal."""
    specified, sealed, seeded = attempt.first("specified"), attempt.sealed, attempt.first("seeded")
    if specified is None:
        return
    for logged in attempt.records:
        name = logged.kind[len(DRAW_KINDS) :]
        if name in BEFORE_SEAL:
            early = logged.n > specified.n and (sealed is None or logged.n < sealed.n)
            check.require(logged.place, f"{logged.kind} not between spec and seal", holds=early)
        elif name in AFTER_SEAL:
            between = sealed is not None and sealed.n < logged.n and (seeded is None or logged.n < seeded.n)
            check.require(logged.place, f"{logged.kind} not between seal and seed", holds=between)
        elif name in ("called", "disposed"):
            after = seeded is not None and seeded.n < logged.n
            check.require(logged.place, f"{logged.kind} before the seed", holds=after)
    if sealed is not None:
        _check_seal(attempt, check, specified, sealed)


def _check_seal(attempt: Attempt, check: Check, specified: Logged, sealed: Logged) -> None:
    for other in attempt.all("sealed")[1:]:
        check.fail(other.place, "SEAL_FORK: a second seal of this attempt")
    answers = [document for name in AFTER_SEAL for document in _answers(attempt, name)]
    for document in answers:
        if document.value["sealed_h"] != sealed.h and document.signers:
            check.fail(document.place, "SEAL_FORK: answers a seal that is not the one in the log")
    spec = attempt.spec
    named = spec is not None and sealed.body["spec_sha256"] == spec.sha256 and specified.n < sealed.n
    check.require(sealed.place, "the seal does not follow and name the spec", holds=named)
    if sealed.body["left_out"] and spec is not None:
        waited = sealed.at - specified.at
        text = f"sealed after {waited} ms though somebody is left out; commit_ms is {spec.value['commit_ms']}"
        check.require(sealed.place, text, holds=waited >= spec.value["commit_ms"])
    firsts = [logged.n for name in AFTER_SEAL for logged in attempt.all(name)]
    if firsts:
        sizes = [note.checkpoint.size for note in attempt.evidence.notes if note.witnessed]
        holds = any(sealed.n < size <= min(firsts) for size in sizes)
        check.require(sealed.place, "no witnessed checkpoint between the seal and the first answer to it", holds=holds)


def _answers(attempt: Attempt, name: str) -> list[Document]:
    named, typ = {"revealed": ("reveal_sha256", "ed1.reveal"), "recovered": ("recovery_sha256", "ed1.recovery")}[name]
    return [document for _, document in attempt.pairs(name, named, typ)]


def check_contributions(attempt: Attempt, check: Check) -> None:
    """ED-04: every party listed or left out with its reason; signatures, share checks or waivers; both escrows."""
    spec, sealed = attempt.spec, attempt.sealed
    _check_adjudicated(attempt, check)
    if spec is None or sealed is None:
        return
    parties = [row["id"] for row in spec.value["parties"]]
    told = [row["party"] for name in ("contributions", "left_out") for row in sealed.body[name]]
    check.require(sealed.place, "not every contributor stands exactly once in the seal", holds=sorted(told) == parties)
    for row in sealed.body["contributions"]:
        _check_listed(attempt, check, sealed, row["party"], row["contribution_sha256"])
    for row in sealed.body["left_out"]:
        _check_left_out(attempt, check, sealed, row["party"], row["reason"])
    for use, commit in ESCROW_COMMITS.items():
        _check_escrow(attempt, check, sealed, use, spec.value[commit])
    k, count = attempt.size
    for _, waiver in attempt.pairs("waived", "waiver_sha256", "ed1.waiver"):
        require_both(check, waiver)
    if attempt.waived():
        left = count - len(attempt.waived())
        check.require(sealed.place, f"waivers leave {left} checks, fewer than k + 1", holds=left >= k + 1)


def _committed(attempt: Attempt, party: str, sealed: Logged) -> list[tuple[Logged, Document]]:
    pairs = attempt.pairs("committed", "contribution_sha256", "ed1.contribution")
    return [(logged, document) for logged, document in pairs if logged.body["party"] == party and logged.n < sealed.n]


def _check_listed(attempt: Attempt, check: Check, sealed: Logged, party: str, sha256: str) -> None:
    place = f"{sealed.place} {party}"
    committed = _committed(attempt, party, sealed)
    document = next((item for _, item in committed if item.sha256 == sha256), None)
    if document is None:
        check.fail(place, "the listed contribution was not committed before the seal")
        return
    for text in contribution_faults(attempt, document, party):
        check.fail(place, text)
    missing = attempt.lacking(sha256)
    check.require(place, f"custodians {missing} did not say ok before the seal", holds=not missing)
    after = [item for _, item in committed[[item for _, item in committed].index(document) + 1 :]]
    accepted = [item for item in after if not attempt.lacking(item.sha256)]
    check.require(place, "a later accepted contribution of the party was passed over", holds=not accepted)


def contribution_faults(attempt: Attempt, document: Document, party: str) -> list[str]:
    """Return what anyone can see to be wrong with a contribution (D6.2)."""
    value, spec = document.value, attempt.spec
    faults = []
    if spec is None or (value["draw"], value["spec_sha256"]) != (attempt.draw, spec.sha256):
        faults.append("the contribution was made for another draw or spec")
    if value["party"] != party or not attempt.by_party(document):
        faults.append("the contribution is not signed by the key that the spec gives for the party")
    if [share["i"] for share in value["shares"]] != list(range(1, attempt.size[1] + 1)):
        faults.append("the contribution has not one share for every custodian")
    return faults


def _check_left_out(attempt: Attempt, check: Check, sealed: Logged, party: str, reason: str) -> None:
    place, committed = f"{sealed.place} {party}", _committed(attempt, party, sealed)
    if reason == "absent":
        earlier = [logged for logged in attempt.all("committed") if logged.body["party"] == party]
        holds = not any(logged.n < sealed.n for logged in earlier)
        check.require(place, "CONTRIBUTION_SUPPRESSED: left out as absent, but it had committed", holds=holds)
        check.note(place, "PARTY_ABSENT")
        return
    last = committed[-1][1] if committed else None
    if reason == "malformed":
        holds = last is None or bool(contribution_faults(attempt, last, party))
        check.require(place, "left out as malformed, but nothing is wrong with the contribution", holds=holds)
        return
    findings = {
        row["doc_sha256"]
        for logged, document in attempt.pairs("adjudicated", "adjudication_sha256", "ed1.adjudication")
        for row in document.value["items"]
        if row["finding"] == "dealt_bad" and logged.n < sealed.n
    }
    holds = last is not None and last.sha256 in findings
    check.require(place, "left out as dealt_bad without an adjudication that says so", holds=holds)


def _check_escrow(attempt: Attempt, check: Check, sealed: Logged, use: str, commit: str) -> None:
    found = [
        document
        for logged, document in attempt.pairs("escrowed", "escrow_sha256", "ed1.escrow")
        if document.value["use"] == use and logged.n < sealed.n
    ]
    accepted = [document for document in found if not attempt.lacking(document.sha256)]
    check.require(sealed.place, f"no escrow of {use} that every custodian accepted", holds=bool(accepted))
    for document in accepted[-1:]:
        value, spec = document.value, attempt.spec
        fits = value["commit"] == commit and spec is not None and value["spec_sha256"] == spec.sha256
        check.require(document.place, "the escrow is not of the key that the spec commits to", holds=fits)


def _check_adjudicated(attempt: Attempt, check: Check) -> None:
    """Adjudications decide exactly what was called bad; recomputed where the tier holds the disclosed key (S9.4)."""
    for _, document in attempt.pairs("adjudicated", "adjudication_sha256", "ed1.adjudication"):
        check.require(
            document.place, "not signed by the supervisor", holds=document.signed_by("supervisor") is not None
        )
        told = attempt.codes().get(document.value["custodian"], {})
        reported = {name for name, code in told.items() if code not in ("ok", "doc_invalid")}
        named = {row["doc_sha256"] for row in document.value["items"]}
        check.require(document.place, "decides what the custodian never called bad", holds=named <= reported)
        for disclosure in attempt.evidence.of_type("ed1.key-disclosure"):
            same = ("custodian", "spec_sha256")
            if all(disclosure.value[name] == document.value[name] for name in same):
                _recompute_findings(attempt, check, document, disclosure)


def _recompute_findings(attempt: Attempt, check: Check, document: Document, disclosure: Document) -> None:
    index, seed = document.value["custodian"], bytes.fromhex(disclosure.value["seed"])
    rows = attempt.policy.value["custodians"] if attempt.policy else []
    try:
        fits = [hpke_public_key(seed)] == [b64u_decode(row["hpke_pk"]) for row in rows if row["i"] == index]
        for row in document.value["items"]:
            found = share_finding(attempt, row["doc_sha256"], index, seed) if fits else "custodian_fault"
            text = f"{row['doc_sha256']}: finding {row['finding']}, recomputed {found}"
            check.require(document.place, text, holds=found in (None, row["finding"]))
    except HpkeAbsent as error:
        check.gap(disclosure.place, str(error))


def share_finding(attempt: Attempt, sha256: str, index: int, seed: bytes) -> str | None:
    """Return what a disclosed key proves about a share of a contribution or escrow."""
    document = attempt.evidence.documents.get(sha256)
    if document is None or document.typ not in ("ed1.contribution", "ed1.escrow"):
        return None
    value = document.value
    holder, use = (value["party"], document.typ) if "party" in value else ("centre", value["use"])
    context = dealing_context(value, holder, use)
    share = next((item for item in value["shares"] if item["i"] == index), None)
    if share is None:
        return None
    try:
        opened = hpke_open(seed, share_info(index, context), b64u_decode(share["ct"]))
    except HpkeFault:
        return "dealt_bad"
    good = len(opened) == SHARE_BYTES and opened[-1] == index
    good = good and share_commitment(opened, context).hex() == share["c"]
    return "custodian_fault" if good else "dealt_bad"
