"""Field tables and signers of the documents of a draw of experts (ED1 D14), and what they share with bids."""

from __future__ import annotations

from verifier.fields import (
    BOOL,
    COUNT,
    HEX32,
    INDEX,
    MS,
    NAME,
    SEQ,
    TEXT,
    FieldRule,
    array,
    blob,
    choice,
    integer,
    matching,
    nullable,
    shape,
)

XWING_PK = blob(1216)
SHARE_CT = blob(1169)
CUSTODIAN_ROLE = choice("agency", "operator", "supervisor", "notary", "association", "centre", "other")
# Far above any register of experts; a hostile spec must not keep the verifier busy for years.
MAX_POOL = 10_000_000
MAX_PARTS = 1000  # of a list of exclusions
DRAW_ID = matching(r"[!-~]{1,40}")
STRATUM_ID = matching(r"[A-Z0-9_-]{1,24}")
EXPERT_ID = matching(r"[A-Z0-9-]{1,32}")
SITE_ID = matching(r"[1-9][0-9]?")
UNIT_CODE = matching(r"[A-Z0-9-]{0,32}")
PARTY_ID = matching(r"[a-z0-9-]{1,32}")
REASON_CODE = matching(r"[a-z][a-z0-9_]{0,31}")
KEY_USE = choice("ed1.pool-key", "ed1.exclusion-key")
POOL_INDEX = integer(0, MAX_POOL)
SEAT_ROW = shape({"index": COUNT, "stratum": STRATUM_ID})

_DRAW_DEALT = {
    "commit": HEX32,
    "draw": DRAW_ID,
    "shares": array(shape({"c": HEX32, "ct": SHARE_CT, "i": INDEX}), by="i", least=1),
    "spec_sha256": HEX32,
}
_DRAW_ANSWER = {"draw": DRAW_ID, "party": PARTY_ID, "sealed_h": HEX32, "spec_sha256": HEX32}
_DRAW_CHECKED = {"created": MS, "custodian": INDEX, "spec_sha256": HEX32}
_OPENED_LEAF = shape({"attrs": TEXT, "index": COUNT, "proof": array(HEX32), "salt": HEX32})
DRAW_OPTIONAL: dict[str, dict[str, FieldRule]] = {
    "mb.draw-keys": {"parts": integer(1, MAX_PARTS)},
    "mb.committee-plan": {
        "sites": array(shape({"id": SITE_ID, "place_en": TEXT, "place_zh": TEXT}), by="id", least=1),
        "traits": array(choice("above_limit", "legal_expert", "water_works"), by="", least=1),
    },
}
DRAW_TABLES: dict[str, tuple[dict[str, FieldRule], tuple[str, ...]]] = {
    "ed1.policy": (
        {
            "custodians": array(
                shape({"hpke_pk": XWING_PK, "i": INDEX, "kid": HEX32, "name": NAME, "role": CUSTODIAN_ROLE}),
                by="i",
                least=3,
            ),
            "demo": BOOL,
            "draw": DRAW_ID,
            "k": integer(2, 16),
            "suite": choice("SB1-XWING-AGE"),
            "supersedes": nullable(HEX32),
        },
        ("centre", "supervisor"),
    ),
    "ed1.custodian-key": (
        {
            "created": MS,
            "draw": DRAW_ID,
            "hpke_pk": XWING_PK,
            "name": NAME,
            "role": CUSTODIAN_ROLE,
            "suite": choice("SB1-XWING-AGE"),
        },
        ("custodian",),
    ),
    "ed1.spec": (
        {
            "attempt": SEQ,
            "beacon": nullable(shape({"name": NAME, "round": SEQ})),
            "call_ms": integer(1),
            "commit_ms": COUNT,
            "committee": shape({"appointed": COUNT, "representatives": COUNT, "seated": COUNT}),
            "draw": DRAW_ID,
            "excl_root": HEX32,
            "exclusion_key_commit": HEX32,
            "excluded": array(shape({"count": COUNT, "id": STRATUM_ID}), by="id", least=1),
            "limits": array(choice("person", "unit"), by=""),
            "min_valid": integer(2),
            "parties": array(shape({"id": PARTY_ID, "kid": HEX32}), by="id", least=3),
            "policy_sha256": HEX32,
            "pool_key_commit": HEX32,
            "pool_root": HEX32,
            "pool_size": integer(1, MAX_POOL),
            "previous": nullable(HEX32),
            "procedure_commit": HEX32,
            "register_size": COUNT,
            "reveal_ms": COUNT,
            "rule_version": NAME,
            "strata": array(shape({"a": POOL_INDEX, "b": POOL_INDEX, "id": STRATUM_ID, "need": SEQ}), by="id", least=1),
        },
        ("centre", "supervisor"),
    ),
    "ed1.escrow": ({**_DRAW_DEALT, "use": KEY_USE}, ("centre",)),
    "ed1.contribution": ({**_DRAW_DEALT, "party": PARTY_ID}, ("contributor",)),
    "ed1.share-check": (
        {
            **_DRAW_CHECKED,
            "draw": DRAW_ID,
            "items": array(
                shape(
                    {
                        "code": choice(
                            "ok",
                            "doc_invalid",
                            "hpke_open_failed",
                            "bad_length",
                            "bad_index",
                            "commit_mismatch",
                        ),
                        "doc_sha256": HEX32,
                    }
                ),
                by="doc_sha256",
                least=1,
            ),
        },
        ("custodian",),
    ),
    "ed1.key-disclosure": ({**_DRAW_CHECKED, "seed": HEX32}, ("custodian",)),
    "ed1.adjudication": (
        {
            **_DRAW_CHECKED,
            "items": array(
                shape({"doc_sha256": HEX32, "finding": choice("custodian_fault", "dealt_bad")}),
                by="doc_sha256",
                least=1,
            ),
        },
        ("supervisor",),
    ),
    "ed1.waiver": (
        {"created": MS, "custodians": array(INDEX, by="", least=1), "draw": DRAW_ID, "spec_sha256": HEX32},
        ("centre", "supervisor"),
    ),
    "ed1.ack": ({"created": MS, "doc_sha256": HEX32, "draw": DRAW_ID}, ("supervisor|custodian",)),
    "ed1.reveal": ({**_DRAW_ANSWER, "r": HEX32}, ("contributor",)),
    "ed1.recovery": (
        {**_DRAW_ANSWER, "custodian": INDEX, "share": matching(r"[0-9a-f]{66}")},
        ("custodian",),
    ),
    "ed1.final": (
        {"commits": array(shape({"commit": HEX32, "party": PARTY_ID}), by="party"), "spec_sha256": HEX32},
        (),
    ),
    "ed1.key-order": (
        {"created": MS, "draw": DRAW_ID, "hpke_pk": XWING_PK, "spec_sha256": HEX32, "use": KEY_USE},
        ("supervisor",),
    ),
    "ed1.key-release": (
        {"ct": SHARE_CT, "custodian": INDEX, "draw": DRAW_ID, "order_sha256": HEX32},
        ("custodian",),
    ),
    "ed1.cancel": (
        {"attempt": SEQ, "created": MS, "draw": DRAW_ID, "reason": REASON_CODE, "spec_sha256": HEX32},
        ("centre", "supervisor"),
    ),
    "ed1.result": (
        {
            "attempt": SEQ,
            "draw": DRAW_ID,
            "selected": array(SEAT_ROW, by="stratum index"),
            "seed": HEX32,
            "seq": SEQ,
            "spec_sha256": HEX32,
            "supersedes": nullable(HEX32),
            "trail_root": HEX32,
        },
        ("centre", "supervisor"),
    ),
    "ed1.register-change": (
        {
            "act": choice("admitted", "changed", "removed", "resumed", "suspended"),
            "created": MS,
            "items": array(
                shape({"id": EXPERT_ID, "strata": array(STRATUM_ID, by=""), "unit": UNIT_CODE}), by="id", least=1
            ),
            "seq": SEQ,
            "supersedes": nullable(HEX32),
        },
        ("supervisor",),
    ),
    "mb.draw-leaves": (
        {
            "attempt": SEQ,
            "draw": DRAW_ID,
            "leaves": array(_OPENED_LEAF, by="index"),
            "spec_sha256": HEX32,
        },
        (),
    ),
    "mb.draw-keys": (
        {
            "attempt": SEQ,
            "draw": DRAW_ID,
            "exclusions": array(shape({"index": COUNT, "reason": REASON_CODE}), by="index"),
            "k_draw": HEX32,
            "k_x": HEX32,
            "reasons": array(shape({"n": COUNT, "reason": REASON_CODE, "salt": HEX32}), by="n"),
            "spec_sha256": HEX32,
        },
        (),
    ),
    "mb.draw-exclusions": (
        {
            "attempt": SEQ,
            "draw": DRAW_ID,
            "exclusions": array(shape({"index": COUNT, "reason": REASON_CODE}), by="index"),
            "part": integer(1, MAX_PARTS),
            "spec_sha256": HEX32,
        },
        (),
    ),
    "mb.committee-plan": (
        {
            "created": MS,
            "evaluation_at": MS,
            "large": BOOL,
            "place_en": TEXT,
            "place_zh": TEXT,
            "representatives": COUNT,
            "strata": array(shape({"id": STRATUM_ID, "need": SEQ}, {"site": SITE_ID}), by="id", least=1),
            "tender": NAME,
        },
        (),
    ),
    "mb.draw-request": (
        {
            "call_ms": integer(1),
            "commit_ms": COUNT,
            "created": MS,
            "custodians": array(HEX32, by="", least=3),
            "draw": DRAW_ID,
            "k": integer(2, 16),
            "parties": array(HEX32, by="", least=3),
            "reveal_ms": COUNT,
            "tender": NAME,
        },
        (),
    ),
}
