"""Field tables and signers of every document type (P4.4), and of the objects that are not documents of their own."""

from __future__ import annotations

from verifier.drawtypes import CUSTODIAN_ROLE, DRAW_OPTIONAL, DRAW_TABLES, SHARE_CT, XWING_PK
from verifier.fields import (
    BID,
    BOOL,
    COUNT,
    DECIMAL,
    HEX32,
    INDEX,
    INT,
    MS,
    NAME,
    ORG,
    SEQ,
    STAGE,
    TEXT,
    FieldRule,
    any_object,
    array,
    blob,
    choice,
    integer,
    matching,
    nullable,
    shape,
)
from verifier.papertypes import PAPER_OPTIONAL, PAPER_TABLES

FACTOR_TEXT = matching(r"([0-9a-f]{64})?")
CHECK_CODE = choice("ok", "envelope_invalid", "hpke_open_failed", "bad_length", "bad_index", "commit_mismatch")
PARTY_ROLE = choice("bidder", "agency", "supervisor", "custodian", "centre", "station-operator", "contributor", "ack")
VERDICT_CODES = (
    "OK",
    "PLATFORM_BAD_INTAKE",
    "BIDDER_COPIED",
    "PLATFORM_PART_LOST",
    "BIDDER_NO_FACTOR",
    "PLATFORM_FACTOR_LOST",
    "TOO_FEW_SHARES",
    "BIDDER_MALFORMED_SEALING",
    "PENDING",
    "BIDDER_MALFORMED_CONTENT",
)
VERDICT = choice(*VERDICT_CODES)
FAULT_CODE = choice("CUSTODIAN_FALSE_BAD", "CUSTODIAN_BAD_SHARE", "CUSTODIAN_ABSENT", "CUSTODIAN_NO_RELEASE")
FAULTS = array(shape({"code": FAULT_CODE, "custodian": INDEX}), by="custodian")
SIGNATURE_OBJECT = shape({"alg": choice("ES256", "CMS", "SM2SM3"), "kid": HEX32, "sig": blob()})
SIGNATURE_LIST = array(SIGNATURE_OBJECT, by="kid", least=1)

_LOT = {"lot": NAME, "stage": STAGE, "tender": NAME}
_CTX = {"bid": BID, "bidder": ORG, "bidder_kid": HEX32, "policy_sha256": HEX32, "seq": SEQ, **_LOT}
_LEAF = {"bid": BID, "envelope_sha256": HEX32, "h": HEX32, "seq": SEQ}
_PART = shape({"alg": choice("age-encryption.org/v1"), "name": choice("main", "price"), "sha256": HEX32, "size": COUNT})
_PRICE_ITEM = shape({"amount": INT, "code": TEXT, "quantity": DECIMAL, "unit_price": DECIMAL})
_EXTENSION = shape(
    {
        "extend_ms": integer(1_800_000),
        "look_back_ms": COUNT,
        "min_outage_ms": COUNT,
        "triggers": array(choice("clock", "outage", "refusal"), by=""),
    }
)
_TRANSCRIPT_ITEM = {
    "bid": BID,
    "envelope_sha256": HEX32,
    "faults": FAULTS,
    "identity_price": nullable(NAME),
    "verdict": VERDICT,
}
_AUDIT_ITEM = {
    **_TRANSCRIPT_ITEM,
    "identity_main": nullable(NAME),
    "manifest_sha256": nullable(HEX32),
    "price_sha256": nullable(HEX32),
    "s_b": nullable(FACTOR_TEXT),
    "s_c": nullable(HEX32),
    "shares": nullable(array(matching(r"[0-9a-f]{66}"))),
}
_TRANSCRIPT = {"created": MS, "order_sha256": HEX32, "release_sha256s": array(HEX32)}

# typ -> (fields without typ and v, roles that must sign; a set inside means one of them)
_TABLES: dict[str, tuple[dict[str, FieldRule], tuple[str, ...]]] = {
    "mb.schedule": (
        {
            "cause": choice(None, "clock", "outage", "refusal"),
            "close": MS,
            "evidence": array(HEX32),
            "extension_rule": nullable(_EXTENSION),
            "factor_window_ms": COUNT,
            "intake": nullable(shape({"origin": NAME, "vkey": NAME})),
            "objection_ms": COUNT,
            "release_window_ms": COUNT,
            "rescue_ms": COUNT,
            "seq": SEQ,
            "share_check_ms": COUNT,
            "supersedes": nullable(HEX32),
            **_LOT,
        },
        ("agency",),
    ),
    "mb.closing-confirmation": (
        {"close": MS, "created": MS, "reason": NAME, **_LOT},
        ("agency", "supervisor"),
    ),
    "mb.key-enrol": (
        {
            "account": NAME,
            "alg": choice("ES256", "CMS", "SM2SM3"),
            "challenge": HEX32,
            "created": MS,
            "key": blob(),
            "org": NAME,
            "role": PARTY_ROLE,
        },
        ("self",),
    ),
    "mb.key-revoke": ({"created": MS, "kid": HEX32, "reason": TEXT}, ("any",)),
    "mb.trust": (
        {
            "institutions": array(
                shape({"alg": NAME, "key": blob(), "kid": HEX32, "name": NAME, "role": PARTY_ROLE}), by="kid"
            ),
            "issued": MS,
            "log_policy": NAME,
            "origin": NAME,
            "release_sha256": array(HEX32),
            "seq": SEQ,
            "supersedes": nullable(HEX32),
            "tsa": array(shape({"cert": blob(), "name": NAME})),
            "x509_roots": array(blob()),
        },
        ("supervisor",),
    ),
    "mb.ack": (
        {
            "code": nullable(NAME),
            "decision": choice("accepted", "refused"),
            "doc_sha256": HEX32,
            "h": HEX32,
            "origin": NAME,
            "promise_ms": COUNT,
            "received_at": MS,
        },
        ("ack",),
    ),
    "sb1.policy": (
        {
            "bidder_factor": BOOL,
            "custodians": array(
                shape({"hpke_pk": XWING_PK, "i": INDEX, "kid": HEX32, "name": NAME, "role": CUSTODIAN_ROLE}),
                by="i",
                least=3,
            ),
            "demo": BOOL,
            "k": integer(2, 16),
            "parts": array(choice("main", "price"), by="", least=1),
            "price_bytes": nullable(integer(4096, 524_288)),
            "suite": choice("SB1-XWING-AGE"),
            "supersedes": nullable(HEX32),
            **_LOT,
        },
        ("agency",),
    ),
    "sb1.custodian-key": (
        {
            "created": MS,
            "hpke_pk": XWING_PK,
            "name": NAME,
            "role": CUSTODIAN_ROLE,
            "suite": choice("SB1-XWING-AGE"),
            **_LOT,
        },
        ("custodian",),
    ),
    "sb1.share-check": (
        {
            "created": MS,
            "custodian": INDEX,
            "items": array(shape({"bid": BID, "code": CHECK_CODE})),
            "order_sha256": HEX32,
        },
        ("custodian",),
    ),
    "sb1.release": (
        {
            "created": MS,
            "custodian": INDEX,
            "factor_list_sha256": nullable(HEX32),
            "items": array(shape({"bid": BID, "ct": nullable(SHARE_CT)})),
            "order_sha256": HEX32,
        },
        ("custodian",),
    ),
    "sb1.key-disclosure": (
        {"created": MS, "custodian": INDEX, "order_sha256": HEX32, "seed": HEX32},
        ("custodian",),
    ),
    "sb1.non-release": (
        {
            "created": MS,
            "custodian": INDEX,
            "envelopes": array(HEX32, by=""),
            "lot": NAME,
            "policy_sha256": HEX32,
            "stage": STAGE,
        },
        ("custodian",),
    ),
    "sb1.key-destroyed": ({"created": MS, "custodian": INDEX, "policy_sha256": HEX32}, ("custodian",)),
    "sb1.envelope": (
        {
            "created": MS,
            "factor_commit": nullable(HEX32),
            "parts": array(_PART, by="name", least=1),
            "seed_commit": HEX32,
            "shares": array(shape({"c": HEX32, "ct": SHARE_CT, "i": INDEX}), by="i", least=3),
            "supersedes": nullable(HEX32),
            **_CTX,
        },
        ("bidder",),
    ),
    "sb1.withdrawal": ({"created": MS, "supersedes": HEX32, **_CTX}, ("bidder",)),
    "sb1.price": (
        {
            "bid": BID,
            "bidder": ORG,
            "currency": matching(r"[A-Z]{3}"),
            "items": array(_PRICE_ITEM),
            "total": INT,
            **_LOT,
        },
        (),
    ),
    "sb1.manifest": (
        {
            "bid": BID,
            "bidder": ORG,
            "files": array(shape({"digest": HEX32, "path": NAME, "salt": HEX32, "size": COUNT}), by="path"),
            **_LOT,
        },
        (),
    ),
    "sb1.intake-list": (
        {"created": MS, "envelopes": array(HEX32, by=""), "lot": NAME, "policy_sha256": HEX32, "stage": STAGE},
        ("supervisor",),
    ),
    "sb1.intake-receipt": ({"bid": BID, "proof": NAME}, ()),
    "sb1.open-order": (
        {
            "bids": array(shape({**_LEAF, "bidder": ORG, "n": COUNT, "objection_h": nullable(HEX32)}), by="bid"),
            "bids_root": HEX32,
            "checkpoint": NAME,
            "close": MS,
            "closed_h": HEX32,
            "closed_n": COUNT,
            "created": MS,
            "omitted": array(shape({**_LEAF, "rejected_h": HEX32}), by="bid"),
            "policy_sha256": HEX32,
            "schedule_sha256": HEX32,
            "seq": SEQ,
            "station_pk": XWING_PK,
            "supersedes": nullable(HEX32),
            **_LOT,
        },
        ("agency", "supervisor"),
    ),
    "sb1.objection-decision": (
        {
            "created": MS,
            "decision": choice("add", "reject"),
            "envelope_sha256": HEX32,
            "objection_h": HEX32,
            "order_sha256": HEX32,
        },
        ("supervisor",),
    ),
    "sb1.adjudication": (
        {
            "created": MS,
            "custodian": INDEX,
            "items": array(shape({"bid": BID, "finding": choice("custodian_fault", "dealt_bad")})),
            "order_sha256": HEX32,
        },
        ("supervisor",),
    ),
    "sb1.factor-ack": (
        {"bid": BID, "created": MS, "envelope_sha256": HEX32, "factor_sha256": HEX32},
        ("supervisor|custodian",),
    ),
    "sb1.factor": ({"bid": BID, "envelope_sha256": HEX32, "s_b": HEX32}, ()),
    "sb1.rescue": ({"bid": BID, "envelope_sha256": HEX32, "s_b": FACTOR_TEXT, "s_c": HEX32}, ()),
    "sb1.factor-list": (
        {
            "created": MS,
            "items": array(shape({"bid": BID, "envelope_sha256": HEX32, "result": choice("missing", "valid")})),
            "order_sha256": HEX32,
        },
        ("agency", "supervisor"),
    ),
    "sb1.audit-item": ({"item": shape(_AUDIT_ITEM), "order_sha256": HEX32, "transcript_sha256": HEX32}, ()),
    "sb1.transcript": ({"items": array(any_object), "tier": choice("audit", "bidders"), **_TRANSCRIPT}, ()),
}
_TABLES.update(PAPER_TABLES)
_TABLES.update(DRAW_TABLES)
_OPTIONAL: dict[str, dict[str, FieldRule]] = {
    **DRAW_OPTIONAL,
    **PAPER_OPTIONAL,
    "sb1.price": {"terms": any_object},
}

SIGNERS_OF_TYPE = {typ: signers for typ, (_, signers) in _TABLES.items()}
SIGNERS_OF_TYPE["sb1.transcript"] = ("station-operator", "supervisor")
DOCUMENT_RULES = {
    typ: shape({"typ": choice(typ), "v": choice(1), **table}, _OPTIONAL.get(typ)) for typ, (table, _) in _TABLES.items()
}
TRANSCRIPT_RULES = {
    "bidders": array(shape(_TRANSCRIPT_ITEM)),
    "audit": array(shape(_AUDIT_ITEM)),
}
BUNDLE_RULE = shape(
    {
        "checkpoint_size": COUNT,
        "files": array(shape({"path": NAME, "sha256": HEX32, "size": COUNT}), by="path"),
        "kind": choice("receipt", "bidder", "public", "auditor", "audit", "draw", "custodian-job"),
        "lot": nullable(NAME),
        "origin": NAME,
        "procedure": nullable(NAME),
        "stage": nullable(STAGE),
        "tier": choice("log", "public", "bidders", "audit"),
        "typ": choice("mb.bundle"),
        "v": choice(1),
    }
)
