"""Checks of the documents: AL-07 (form, name, signatures, keys), AL-08 (named documents present), AL-12 (demo)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verifier.bundle import BundleFault
from verifier.canonical import MAX_DOCUMENT, NotCanonical, admit, admit_object
from verifier.doctypes import DOCUMENT_RULES, SIGNATURE_LIST, SIGNERS_OF_TYPE, TRANSCRIPT_RULES
from verifier.encoding import b64u_decode
from verifier.es256 import SignatureFault, verify_es256
from verifier.evidence import Document, Evidence, Logged
from verifier.fields import FieldFault
from verifier.hashing import hex_digest
from verifier.keys import KeyEvent, Signer, UnknownAlgorithm
from verifier.records import CONFIDENTIAL_DOCUMENTS, NAMED_DOCUMENTS, TRANSCRIPT_FIELD, is_practice
from verifier.report import Check

# Everything else of a ceremony is public only after ``opening.completed`` (S11).
ALWAYS_PUBLIC = (
    "mb.closing-confirmation",
    "mb.contract",
    "mb.edition",
    "mb.notice",
    "mb.schedule",
    "sb1.custodian-key",
    "sb1.policy",
)
AL_07 = "documents: canonical, hash is the name, signatures, keys valid at their position, one key one role"


def load_documents(evidence: Evidence) -> None:
    """AL-07, first half: admit every document; those that break a rule are not used further."""
    check = evidence.report.check("AL-07", AL_07)
    for path in evidence.bundle.under("docs/"):
        if path.endswith(".sig"):
            if path[:-4] + ".json" not in evidence.bundle:
                check.fail(path, "signatures without their document")
            continue
        try:
            document = _admit_document(evidence, path)
        except (BundleFault, NotCanonical, FieldFault) as error:
            check.fail(path, str(error))
            continue
        check.passed()
        evidence.add_document(document)


def _admit_document(evidence: Evidence, path: str) -> Document:
    data = evidence.bundle.read(path, MAX_DOCUMENT)
    if path != f"docs/{hex_digest(data)}.json":
        raise NotCanonical("the hash of the bytes is not the name")
    value = admit_object(data)
    typ = value.get("typ")
    if not isinstance(typ, str) or typ not in DOCUMENT_RULES:
        raise FieldFault(f"unknown document type {typ!r}")
    DOCUMENT_RULES[typ](value, typ)
    if typ == "sb1.transcript":
        TRANSCRIPT_RULES[value["tier"]](value["items"], typ)
    sigs: list[dict[str, Any]] = []
    signature_path = path[:-5] + ".sig"
    if signature_path in evidence.bundle:
        sigs = admit(evidence.bundle.read(signature_path, MAX_DOCUMENT))
        SIGNATURE_LIST(sigs, signature_path)
    return Document(hex_digest(data), typ, data, value, sigs)


def check_documents(evidence: Evidence) -> None:
    """AL-07, second half: signatures by keys that the reader trusts, at the position of use."""
    check = evidence.report.check("AL-07", AL_07)
    _load_keys(evidence, check)
    for logged in evidence.records:
        for sha256, _ in named_documents(logged):
            document = evidence.documents.get(sha256)
            if document is not None and document.used_at is None:
                document.used_at = logged.n
    for document in evidence.documents.values():
        _check_signatures(evidence, check, document)
    for kid, roles in evidence.keys.role_clashes():
        check.fail(f"key {kid}", f"one key in several roles: {', '.join(sorted(roles))}")


def named_documents(logged: Logged) -> Iterator[tuple[str, str]]:
    """Yield (sha256, typ) of the documents that a record names; transcripts and secrets are looked up elsewhere."""
    for table in (NAMED_DOCUMENTS, CONFIDENTIAL_DOCUMENTS):
        for name, typ in table.get(logged.kind, {}).items():
            if name in logged.body:
                yield logged.body[name], typ
    if logged.kind == "opening.completed":
        for sha256 in logged.body[TRANSCRIPT_FIELD]:
            yield sha256, "sb1.transcript"


def _load_keys(evidence: Evidence, check: Check) -> None:
    ring = evidence.keys
    for logged in evidence.of_kind("key.registered"):
        body = logged.body
        event = KeyEvent(
            logged.n, body["kid"], body["org"], body["role"], body["spki_sha256"], body.get("enrol_sha256")
        )
        ring.registered.setdefault(event.kid, []).append(event)
    for logged in evidence.of_kind("key.revoked"):
        ring.revoked.setdefault(logged.body["kid"], []).append(KeyEvent(logged.n, logged.body["kid"]))
    for document in evidence.of_type("mb.key-enrol"):
        key, value = b64u_decode(document.value["key"]), document.value
        kid = hex_digest(key)
        events = ring.registered.get(kid, [])
        if any((event.org, event.role) != (value["org"], value["role"]) for event in events):
            check.fail(document.place, "organisation or role differs from the key's registration")
        if any(event.enrol_sha256 not in (None, document.sha256) for event in events):
            check.fail(document.place, "the key's registration names another enrolment")
        ring.spki[kid] = key


def _check_signatures(evidence: Evidence, check: Check, document: Document) -> None:
    required = SIGNERS_OF_TYPE[document.typ]
    if document.typ == "mb.schedule" and document.value["cause"] is not None:
        required = ()
    if _is_hidden(evidence, document):
        required = ()
    if not required and document.sigs:
        check.fail(document.place, f"a document of type {document.typ} is not signed")
    fail = check.note if _confessed(evidence, document) else check.fail
    unknown = False
    for signature in document.sigs:
        try:
            document.signers.append(_signer_of(evidence, document, signature))
            check.passed()
        except SignatureFault as error:
            fail(document.place, str(error))
        except UnknownAlgorithm as error:
            unknown = True
            check.gap(document.place, str(error))
    for role in required:
        if role not in ("self", "any") and document.signed_by(role) is None:
            report = check.gap if unknown else fail
            report(document.place, f"no valid signature in the role {role}")
        elif role in ("self", "any") and not document.signers and not unknown:
            check.fail(document.place, "no valid signature")


def _is_hidden(evidence: Evidence, document: Document) -> bool:
    """Return whether this is the policy or schedule of a probe's lot, which was never published: nobody signs it."""
    if document.typ not in ("sb1.policy", "mb.schedule"):
        return False
    tender = document.value["tender"]
    published = any(logged.procedure == tender for logged in evidence.of_kind("tender.published"))
    return not published and any(
        logged.procedure == tender and document.sha256 in (logged.body["policy_sha256"], logged.body["schedule_sha256"])
        for logged in evidence.of_kind("probe.opened")
    )


def _confessed(evidence: Evidence, document: Document) -> bool:
    """Return whether the log itself says that this document does not count: S10 row 1, or left out malformed (D7)."""
    if document.typ == "ed1.contribution":
        left_out = {"party": document.value["party"], "reason": "malformed"}
        return any(
            logged.body["spec_sha256"] == document.value["spec_sha256"] and left_out in logged.body["left_out"]
            for logged in evidence.of_kind("draw.sealed")
        )
    return document.typ == "sb1.envelope" and any(
        logged.body["bid"] == document.value["bid"] and logged.body["verdict"] == "PLATFORM_BAD_INTAKE"
        for logged in evidence.of_kind("bid.verdict")
    )


def _signer_of(evidence: Evidence, document: Document, signature: dict[str, Any]) -> Signer:
    if document.typ == "mb.key-enrol":
        key, value = b64u_decode(document.value["key"]), document.value
        if signature["kid"] == hex_digest(key) and signature["alg"] == value["alg"] == "ES256":
            verify_es256(key, document.data, signature)
            return Signer(signature["kid"], value["role"], value["org"])
    return evidence.keys.verify(document.data, signature, document.used_at)


def check_named_documents(evidence: Evidence) -> None:
    """AL-08, second half: each document that a record names is there and of the right type, if the tier holds it."""
    check = evidence.report.check("AL-08", "record kinds and bodies known; documents named by records present")
    if not evidence.holds("public") or evidence.header["kind"] in ("receipt", "bidder"):
        return
    _check_subject(evidence, check)
    completed = {place_of(logged) for logged in evidence.of_kind("opening.completed")}
    for logged in evidence.records:
        if is_practice(logged.procedure):
            continue
        public = evidence.header["kind"] == "public" and not logged.kind.startswith("draw.")
        veiled = public and place_of(logged) not in completed
        for name, typ in NAMED_DOCUMENTS.get(logged.kind, {}).items():
            if name not in logged.body:
                continue
            found = evidence.documents.get(logged.body[name])
            text = f"{name} {logged.body[name]}: no {typ} of this hash in docs/"
            if found is None and veiled and not any(each in ALWAYS_PUBLIC for each in typ.split("|")):
                check.note(logged.place, f"{typ} is not published before the opening is complete")
                continue
            check.require(logged.place, text, holds=found is not None and found.typ in typ.split("|"))
        if logged.kind == "opening.completed":
            _check_transcripts(evidence, check, logged)


def place_of(logged: Logged) -> tuple[str | None, str | None, str | None]:
    """Return procedure, lot and stage of a record, as far as it names them."""
    return logged.procedure, logged.body.get("lot"), logged.body.get("stage")


def _check_subject(evidence: Evidence, check: Check) -> None:
    """A bundle of one procedure shows records of it and of no other; otherwise all its checks would be empty."""
    named = evidence.header["procedure"]
    if evidence.header["kind"] not in ("public", "auditor"):
        return
    own = [logged for logged in evidence.records if logged.procedure == named]
    shown = {(logged.body.get("lot"), logged.body.get("stage")) for logged in own}
    wanted = (evidence.header["lot"], evidence.header["stage"])
    holds = named is not None and bool(own) and (None in wanted or wanted in shown)
    check.require("bundle.json", "shows no record of the procedure, lot and stage it names", holds=holds)
    for logged in evidence.records:
        if logged.procedure not in (None, named):
            check.fail(logged.place, f"belongs to another procedure, {logged.procedure}")


def _check_transcripts(evidence: Evidence, check: Check, logged: Logged) -> None:
    found = {sha256: evidence.document(sha256, "sb1.transcript") for sha256 in logged.body[TRANSCRIPT_FIELD]}
    tiers = [document.value["tier"] for document in found.values() if document is not None]
    absent = ", ".join(sha256 for sha256, document in found.items() if document is None)
    for tier in ("bidders", "audit"):
        if evidence.holds(tier):
            text = f"no sb1.transcript of tier {tier}; not in docs/: {absent or 'none of those named'}"
            check.require(logged.place, text, holds=tiers.count(tier) == 1)
        elif tier in tiers and tier == "audit":
            check.fail(logged.place, "the audit transcript is in a bundle of a lower tier: secrets are disclosed")


def check_demo(evidence: Evidence, *, production: bool) -> None:
    """AL-12: demo flags of origin and policies agree; ``--production`` refuses a demo (P13)."""
    check = evidence.report.check("AL-12", "demo flag of origin and policies agree")
    demo = evidence.trust.origin.startswith("demo.")
    policies = [*evidence.of_type("sb1.policy"), *evidence.of_type("ed1.policy")]
    evidence.report.demo = demo or any(document.value["demo"] for document in policies)
    for document in policies:
        holds = document.value["demo"] == demo
        check.require(document.place, "demo flag of the policy differs from the kind of origin", holds=holds)
    check.passed()
    if production and evidence.report.demo:
        check.fail("bundle", "demo policy or demo log with --production: results prove nothing")
