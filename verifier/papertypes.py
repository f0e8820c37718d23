"""Field tables and signers of notices, contracts, score sheets, reports and editions (P4.4)."""

from __future__ import annotations

from verifier.fields import (
    BID,
    BOOL,
    COUNT,
    DECIMAL,
    HEX32,
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
    choice,
    either,
    matching,
    nullable,
    shape,
)

_PAPER_LOT = {"lot": NAME, "stage": STAGE, "tender": NAME}
_PARTY = shape({"code": ORG, "name_en": TEXT, "name_zh": TEXT})
_ITEM = shape({"code": TEXT, "name_en": TEXT, "name_zh": TEXT, "quantity": DECIMAL, "unit": TEXT})
_TENDER_DOCUMENT = shape({"media": TEXT, "name": TEXT, "sha256": HEX32, "size": COUNT})
_BAND = shape({"from": DECIMAL, "points": DECIMAL, "text_en": TEXT, "text_zh": TEXT, "to": nullable(DECIMAL)})
_CRITERION = shape(
    {
        "bands": array(_BAND),
        "id": NAME,
        "kind": choice("price", "objective", "subjective"),
        "max": DECIMAL,
        "step": DECIMAL,
        "text_en": TEXT,
        "text_zh": TEXT,
        "title_en": TEXT,
        "title_zh": TEXT,
    }
)
_SHEET_BID = matching(r"[a-z0-9-]{1,40}|[A-Z]{1,3}")  # of a masked bidder the letter (ADR 0072)
_SCORED = shape({"comment": nullable(TEXT), "criterion": NAME, "points": DECIMAL})
_TRIM = shape({"highest": COUNT, "lowest": COUNT, "quotes": COUNT})
_FACTOR = shape({"id": NAME, "title_en": TEXT, "title_zh": TEXT, "unit": choice("amount", "percent"), "value": DECIMAL})
_FORMULA_TERMS = shape(
    {},
    {
        **dict.fromkeys(("above", "band", "below", "elimination", "floor"), DECIMAL),
        **dict.fromkeys(("ceiling_reduction", "ceiling_weight", "reduction"), array(DECIMAL)),
        **dict.fromkeys(("benchmarks", "technical", "ties"), array(NAME)),
        "factors": array(_FACTOR),
        "instruments": BOOL,
        "trim": array(_TRIM),
    },
)
_NOTICE_LOT = shape(
    {
        "ceiling": nullable(COUNT),
        "currency": matching(r"[A-Z]{3}"),
        "items": array(_ITEM),
        "lot": NAME,
        "method": NAME,
        "policy_sha256": nullable(HEX32),
        "schedule_sha256": nullable(HEX32),
        "stage": STAGE,
        "tie_rule": NAME,
        "title_en": TEXT,
        "title_zh": TEXT,
    },
    {
        "budget": nullable(COUNT),
        "abnormal": shape({"ceiling": DECIMAL, "mean": DECIMAL, "second_lowest": DECIMAL}),
        "category": choice("goods", "services", "works"),
        "criteria": nullable(array(_CRITERION, least=1)),
        "formula": _FORMULA_TERMS,
        "masked": BOOL,
        "preference": nullable(shape({"consortium": DECIMAL, "small_micro": DECIMAL}, {"domestic": DECIMAL})),
    },
)
_AWARD = shape(
    {"bid": BID, "bidder": ORG, "price": INT},
    {"evaluated_price": INT, "score": nullable(DECIMAL), "sme": nullable(NAME), "winner": _PARTY},
)
_CONTRACT_LOT = shape(
    {
        "contract_sha256": HEX32,
        "currency": matching(r"[A-Z]{3}"),
        "lot": NAME,
        "price": INT,
        "signed_at": MS,
        "stage": STAGE,
        "supplier": _PARTY,
    }
)
_RESULT_LOT = shape(
    {
        "award": nullable(_AWARD),
        "lot": NAME,
        "ranked_h": nullable(HEX32),
        "reason": nullable(NAME),
        "stage": STAGE,
    }
)

# typ -> (fields besides typ and v, roles that must have signed)
PAPER_TABLES: dict[str, tuple[dict[str, FieldRule], tuple[str, ...]]] = {
    "mb.notice": (
        {
            "agency": _PARTY,
            "buyer": _PARTY,
            "changes": array(shape({"field": TEXT, "new": TEXT, "old": TEXT})),
            "edition_sha256": HEX32,
            "kind": choice("tender", "correction", "result", "failed", "cancellation", "contract"),
            "lots": array(either(_NOTICE_LOT, _RESULT_LOT, _CONTRACT_LOT), by="lot stage"),
            "number": SEQ,
            "procedure_kind": NAME,
            "published_at": MS,
            "regime": NAME,
            "supersedes": nullable(HEX32),
            "supervisor": TEXT,
            "tender": NAME,
            "text_en": TEXT,
            "text_zh": TEXT,
            "title_en": TEXT,
            "title_zh": TEXT,
        },
        ("agency",),
    ),
    "mb.contract": (
        {
            "agency": _PARTY,
            "award_h": HEX32,
            "bid": BID,
            "buyer": _PARTY,
            "created": MS,
            "currency": matching(r"[A-Z]{3}"),
            "number": TEXT,
            "price": INT,
            "sign_before": MS,
            "supplier": _PARTY,
            "terms_en": TEXT,
            "terms_zh": TEXT,
            "title_en": TEXT,
            "title_zh": TEXT,
            **_PAPER_LOT,
        },
        ("agency", "bidder"),
    ),
    "mb.score-sheet": (
        {
            "items": array(shape({"bid": _SHEET_BID, "scores": array(_SCORED)}), by="bid"),
            "reason": nullable(TEXT),
            "salt": HEX32,
            "seat": NAME,
            "version": SEQ,
            **_PAPER_LOT,
        },
        (),
    ),
    "mb.evaluation-report": (
        {
            "drafted_at": MS,
            "edition_sha256": HEX32,
            "lots": array(any_object, by="lot stage"),
            "number": SEQ,
            "replaced": array(shape({"by": NAME, "reason": TEXT, "seat": NAME})),
            "seats": array(NAME, by=""),
            "tender": NAME,
        },
        (),
    ),
    "mb.edition": (
        {
            "id": NAME,
            "jurisdiction": NAME,
            "parameters": array(
                shape(
                    {
                        "key": NAME,
                        "rule": array(NAME),
                        "source": TEXT,
                        "unit": TEXT,
                        "value": either(INT, BOOL, TEXT),
                    }
                ),
                by="key",
            ),
        },
        (),
    ),
}
PAPER_OPTIONAL: dict[str, dict[str, FieldRule]] = {
    "mb.notice": {
        "bid_validity_days": nullable(COUNT),
        "documents": array(_TENDER_DOCUMENT, by="name"),
        "experts": array(TEXT),
        "questions_until": nullable(MS),
        "supply_ends_at": nullable(MS),
    },
}
