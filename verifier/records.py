"""Registry of record kinds and the fields of their bodies (AL1 L1.1, L2), and which documents a record names."""

from __future__ import annotations

from verifier.disclosurerecords import DISCLOSURE_RULES
from verifier.doctypes import FAULTS, VERDICT
from verifier.drawtypes import DRAW_ID, KEY_USE, PARTY_ID, STRATUM_ID
from verifier.expertrecords import EXPERT_BODIES, EXPERT_RULES
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
    SEQ,
    STAGE,
    TEXT,
    FieldRule,
    any_object,
    array,
    blob,
    choice,
    matching,
    nullable,
    shape,
)

RECORD_FIELDS = shape(
    {
        "actor": NAME,
        "article": nullable(NAME),
        "at": MS,
        "body": any_object,
        "kind": matching(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"),
        "on_behalf_of": nullable(NAME),
        "procedure": nullable(NAME),
        "request": nullable(NAME),
        "subject": NAME,
        "v": choice(1),
    }
)
RECEIPT_EXTRA = shape(
    {
        "n": COUNT,
        "nonce": HEX32,
        "p": HEX32,
        "record": blob(),
        "t": MS,
        "typ": choice("al1.receipt"),
        "v": choice(1),
    },
    {"q": HEX32},
)

_LOT_BODY = {"lot": NAME, "stage": STAGE}
_BID = {"bid": BID, "bidder": NAME, **_LOT_BODY}
_MASK = shape({"bid": BID, "mask": NAME})
_SPEC = {"spec_sha256": HEX32}
_DAY = shape({"day": matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "is_workday": BOOL, "name": TEXT})
_RANKED = shape(
    {
        "bid": BID,
        "bidder": NAME,
        "evaluated_price": INT,
        "price": INT,
        "rank": nullable(SEQ),
        "reason": nullable(NAME),
    },
    {
        "preference": nullable(NAME),
        "score": nullable(NAME),
        "scores": nullable(array(shape({"criterion": NAME, "sum": DECIMAL}))),
        "price_points": NAME,
        "deviations": array(shape({"id": NAME, "units": DECIMAL})),
    },
)
_RANKING = {
    "currency": NAME,
    "edition_sha256": HEX32,
    "items": array(_RANKED, by="bid"),
    "method": NAME,
    "tie": nullable(shape({"bids": array(BID), "rule": NAME, "seed": HEX32})),
    **_LOT_BODY,
}
_WORKINGS = {
    **dict.fromkeys(("ceiling_reduction", "ceiling_weight", "reduction"), nullable(DECIMAL)),
    "benchmark": NAME,
    "places": SEQ,
    "price": matching(r"[1-9][0-9]*(/[1-9][0-9]*)?"),
    "seed": nullable(HEX32),
}
_FORMULA = {"formula": shape({"id": NAME, "version": SEQ}), "workings": shape({}, _WORKINGS)}
_STEP = choice("qualification", "conformity", "price")
_OUTCOME = choice("conforming", "invalid")
_PREFERENCE = choice(None, "small_micro", "consortium", "domestic", "small_micro+domestic", "consortium+domestic")
_MEMBERSHIP = dict.fromkeys(("account", "jurisdiction", "org", "person", "role"), NAME)
_KEY = {
    "alg": NAME,
    "approved_by": array(NAME),
    "kid": HEX32,
    "org": NAME,
    "role": NAME,
    "second_factor": BOOL,
    "spki_sha256": HEX32,
}
_BODIES: dict[str, dict[str, FieldRule]] = {
    "organisation.registered": {"code": NAME, "name_en": TEXT, "name_zh": TEXT, "roles": array(NAME)},
    "organisation.affiliation_stated": {"affiliated": BOOL, "codes": array(NAME, by=""), "ground": TEXT},
    "membership.granted": _MEMBERSHIP,
    "membership.ended": {**_MEMBERSHIP, "reason": TEXT},
    "calendar.changed": {"days": array(_DAY), "source": TEXT},
    "procedure.drafted": {"edition_id": NAME, "edition_sha256": HEX32, "regime": NAME, **_SPEC},
    "procedure.submitted": {**_SPEC, "reason": nullable(TEXT)},
    "procedure.returned": {**_SPEC, "reason": nullable(TEXT)},
    "procedure.cancelled": {"notice_sha256": HEX32, "reason": TEXT},
    "custodian.challenged": {"challenge_sha256": HEX32, "custodian_key_sha256": HEX32},
    "custodian.proved": {"challenge": HEX32, "custodian_key_sha256": HEX32},
    "custodian.key_disclosed": {"auditor": NAME, "custodian": INDEX, "disclosure_sha256": HEX32, **_LOT_BODY},
    "custodian.key_destroyed": {"custodian": INDEX, "destroyed_sha256": HEX32, **_LOT_BODY},
    "policy.fixed": {"policy_sha256": HEX32, "schedule_sha256": HEX32, **_LOT_BODY},
    "tender.published": {"notice_sha256": HEX32, "schedule_sha256": HEX32, **_LOT_BODY},
    "tender.changed": {
        "cause": nullable(TEXT),
        "evidence": array(HEX32),
        "notice_sha256": HEX32,
        "schedule_sha256": HEX32,
        **_LOT_BODY,
    },
    "question.asked": {"asker_sha256": HEX32, "lot": nullable(NAME), "question": NAME, "text_sha256": HEX32},
    "answer.drafted": {"content_sha256": HEX32, "question": NAME, "version": SEQ},
    "answer.published": {
        "answer_en": TEXT,
        "answer_zh": TEXT,
        "effect": choice("affects", "amends", "explains"),
        "lot": nullable(NAME),
        "notice": nullable(SEQ),
        "number": SEQ,
        "question": NAME,
        "question_en": TEXT,
        "question_zh": TEXT,
        "version": SEQ,
    },
    "rehearsal.checked": {"bid": BID, "results": array(shape({"custodian": INDEX, "ok": BOOL}))},
    "bid.started": _BID,
    "probe.opened": {
        "bidder": NAME,
        "policy_sha256": HEX32,
        "schedule_sha256": HEX32,
        "vantage": NAME,
        **_LOT_BODY,
    },
    "practice.opened": {"policy_sha256": HEX32, "schedule_sha256": HEX32, **_LOT_BODY},
    "bid.refused": {"code": NAME, "envelope_sha256": HEX32, "queue_ms": COUNT, "received_at": MS},
    "bid.replicated": {"envelope_sha256": HEX32, "store": NAME},
    "bid.destroyed": {"envelope_sha256s": array(HEX32), "store": NAME},
    "deadline.reached": {"close": MS, **_LOT_BODY},
    "tender.closed": {
        "bids_root": HEX32,
        "close": MS,
        "closed_at": MS,
        "count": COUNT,
        "heartbeat_size": COUNT,
        "policy_sha256": HEX32,
        "schedule_sha256": HEX32,
        **_LOT_BODY,
    },
    "opening.refused": {"reason": NAME, **_LOT_BODY},
    "closing.blocked": {"reason": NAME, **_LOT_BODY},
    "closing.confirmed": {"doc_sha256": HEX32, "reason": NAME, **_LOT_BODY},
    "lot.failed": {"reason": NAME, "rule": NAME, **_LOT_BODY},
    "open.ordered": {"order_sha256": HEX32, **_LOT_BODY},
    "objection.raised": {"bid": BID, "envelope_sha256": HEX32, "order_sha256": HEX32, **_LOT_BODY},
    "objection.decided": {"decision_sha256": HEX32, "order_sha256": HEX32, **_LOT_BODY},
    "share.checked": {"check_sha256": HEX32, "custodian": INDEX, **_LOT_BODY},
    "share.adjudicated": {"adjudication_sha256": HEX32, "custodian": INDEX, **_LOT_BODY},
    "share.released": {"custodian": INDEX, "release_sha256": HEX32, **_LOT_BODY},
    "release.gaps": {"bids": array(BID, by=""), **_LOT_BODY},
    "release.closed": _LOT_BODY,
    "rescue.accepted": {"bid": BID, "envelope_sha256": HEX32, "received_at": MS},
    "factor.opened": {"ends_at": MS, **_LOT_BODY},
    "factor.revealed": {
        "bid": BID,
        "envelope_sha256": HEX32,
        "received_at": MS,
        "via": choice("platform", "supervisor", "custodian"),
    },
    "factor.refused": {"bid": BID, "code": NAME, "envelope_sha256": HEX32, "received_at": MS},
    "factor.closed": {"factor_list_sha256": HEX32, **_LOT_BODY},
    "opening.combined": {"items": array(shape({"bid": BID, "faults": FAULTS, "verdict": VERDICT})), **_LOT_BODY},
    "bid.opened": {
        "bid": BID,
        "bidder": NAME,
        "envelope_sha256": HEX32,
        "manifest_sha256": nullable(HEX32),
        "price": nullable(any_object),
        "price_sha256": nullable(HEX32),
    },
    "bid.verdict": {"bid": BID, "faults": FAULTS, "verdict": VERDICT},
    "bid.inspected": {"bid": BID, "clean": COUNT, "list_sha256": HEX32, "quarantined": COUNT, "warned": COUNT},
    "opening.objected": {"text": TEXT, **_LOT_BODY},
    "opening.answered": {"objected_h": HEX32, "text": TEXT, **_LOT_BODY},
    "opening.completed": {"transcript_sha256s": array(HEX32, by=""), **_LOT_BODY},
    "evaluation.started": {"lots": array(shape(_LOT_BODY), by="lot stage"), "seats": array(NAME, by="")},
    "evaluation.sealed": {"reason": TEXT, "seats": array(NAME, by="", least=1)},
    "evaluation.resumed": {"seats": array(NAME, by="")},
    "time.asked": {"round": COUNT, "seat": NAME},
    "evaluation.extended": {"asking": COUNT, "members": COUNT, "round": COUNT},
    "member.replaced": {"by": NAME, "reason": TEXT, "seat": NAME},
    "bid.examined": {
        "outcome": _OUTCOME,
        "preference": _PREFERENCE,
        "reason": nullable(TEXT),
        "rule": NAME,
        "step": _STEP,
        **_BID,
    },
    "bid.voted": {
        "bid": BID,
        "grants": BOOL,
        "outcome": _OUTCOME,
        "reason": nullable(TEXT),
        "seat": NAME,
        "step": _STEP,
        **_LOT_BODY,
    },
    "explanation.asked": {"bid": BID, "due_at": MS, "triggers": array(NAME), **_LOT_BODY},
    "explanation.given": {"bid": BID, "text": TEXT, **_LOT_BODY},
    "sheet.signed": {"seat": NAME, "second_factor": BOOL, "sheet_commit": HEX32, "version": SEQ, **_LOT_BODY},
    "sheet.held": {"echo": HEX32, "seat": NAME, "version": SEQ, **_LOT_BODY},
    "sheets.outdated": {
        "bids": array(BID, by=""),
        "sheets": array(shape({"seat": NAME, "version": SEQ})),
        **_LOT_BODY,
    },
    "sheet.handed_in": {"reason": nullable(TEXT), "seat": NAME, "sheet_commit": HEX32, "version": SEQ, **_LOT_BODY},
    "renewal.asked": {"reason": TEXT, "seat": NAME, "version": SEQ, **_LOT_BODY},
    "sheet.voided": {"reason": TEXT, "seat": NAME, "version": SEQ, **_LOT_BODY},
    "masks.committed": {"bids": array(BID, by=""), "commit": HEX32, **_LOT_BODY},
    "masks.revealed": {"masks": array(_MASK, by="bid"), "named": array(BID, by=""), "seed": HEX32, **_LOT_BODY},
    "scores.opened": {"sheets": array(HEX32, by=""), **_LOT_BODY},
    "recheck.explained": {"bid": BID, "criterion": NAME, "reason": TEXT, "seat": NAME, **_LOT_BODY},
    "report.drafted": {"number": SEQ, "report_sha256": HEX32},
    "report.signed": {"dissent": nullable(TEXT), "report_sha256": HEX32, "seat": NAME, "second_factor": BOOL},
    "evaluation.reported": {"report_sha256": HEX32},
    "procedure.amended": {"notice_sha256": HEX32, **_SPEC},
    "failure.published": {"notice_sha256": HEX32, **_LOT_BODY},
    "contract.signed": {"bid": BID, "bidder": NAME, "contract_sha256": HEX32, "price": INT, **_LOT_BODY},
    "contract.published": {"contract_sha256": HEX32, "notice_sha256": HEX32, **_LOT_BODY},
    "notice.publication": {
        "channel": choice("atom", "ocds", "page"),
        "entry_h": HEX32,
        "number": SEQ,
        "sha256": HEX32,
        "url": TEXT,
    },
    "opendata.published": {"manifest_sha256": HEX32, "period": NAME},
    "statistics.published": {"bulletin_sha256": HEX32, "month": NAME},
    "contract.filed": {"contract_sha256": HEX32, "filing": TEXT, **_LOT_BODY},
    "award.determined": {"bid": BID, "bidder": NAME, "price": INT, "ranked_h": HEX32, **_LOT_BODY},
    "result.published": {"notice_sha256": HEX32, **_LOT_BODY},
    "availability.state": {"from": MS, "ms": COUNT, "ok": BOOL, "reason": nullable(TEXT), "vantage": NAME},
    "clock.state": {
        "dispersion_us": COUNT,
        "host": NAME,
        "leap": NAME,
        "offset_us": INT,
        "sources": array(shape({"name": NAME, "offset_us": INT, "reach": COUNT}), by="name"),
        "stratum": COUNT,
        "synchronised": BOOL,
    },
    "clock.hold": {"host": NAME, "reason": NAME},
    "clock.released": {"host": NAME, "size": COUNT},
    "clock.jumped": {"from": MS, "to": MS},
    "tst.anchored": {"gen_time": MS, "root": HEX32, "size": COUNT, "token_sha256": HEX32, "tsa": NAME},
    "witness.missed": {"since": MS, "witness": NAME},
    "log.continued": {"old_checkpoint": NAME, "old_origin": NAME, "reason": TEXT},
    "log.delayed": {"from": MS, "to": MS},
    "log.pad": {},
    "config.changed": {"what": TEXT},
    "release.installed": {"what": TEXT},
    "admin.read": {"what": TEXT},
    "data.erased": {"commitment": HEX32, "ground": TEXT},
}
_RECEIVED = {
    **_BID,
    "envelope_sha256": HEX32,
    "queue_ms": COUNT,
    "received_at": MS,
    "seq": SEQ,
    "sig_sha256": HEX32,
    "via": choice("platform", "intake"),
}
_WITHDRAWN = {**_BID, "received_at": MS, "seq": SEQ, "sig_sha256": HEX32, "withdrawal_sha256": HEX32}
_VIA = choice("platform", "supervisor", "custodian")
_WALKED = {"index": COUNT, "stratum": STRATUM_ID}
_BYTES = matching(r"([0-9a-f]{2})+")
_DRAWS: dict[str, dict[str, FieldRule]] = {
    "policy_fixed": {"policy_sha256": HEX32},
    "specified": {"spec_sha256": HEX32},
    "escrowed": {"escrow_sha256": HEX32, "use": KEY_USE},
    "committed": {"contribution_sha256": HEX32, "party": PARTY_ID, "via": _VIA},
    "share_checked": {"check_sha256": HEX32, "custodian": INDEX},
    "adjudicated": {"adjudication_sha256": HEX32, "custodian": INDEX},
    "waived": {"waiver_sha256": HEX32},
    "sealed": {
        "contributions": array(shape({"contribution_sha256": HEX32, "party": PARTY_ID}), by="party"),
        "left_out": array(shape({"party": PARTY_ID, "reason": choice("absent", "malformed", "dealt_bad")}), by="party"),
        "spec_sha256": HEX32,
    },
    "revealed": {"party": PARTY_ID, "reveal_sha256": HEX32, "via": _VIA},
    "recovered": {"custodian": INDEX, "party": PARTY_ID, "recovery_sha256": HEX32, "via": _VIA},
    "seeded": {"beacon": nullable(_BYTES), "final_sha256": HEX32, "seed": HEX32, "void": array(PARTY_ID, by="")},
    "called": _WALKED,
    "disposed": {
        "reason_commit": nullable(HEX32),
        "state": choice("EXCLUDED", "LIMIT", "RECUSED", "REFUSED", "REPLACED", "SELECTED", "UNREACHABLE"),
        **_WALKED,
    },
    "contested": {"statement_commit": HEX32, **_WALKED},
    "contest_decided": {"upheld": BOOL, **_WALKED},
    "result": {"result_sha256": HEX32},
    "key_ordered": {"order_sha256": HEX32},
    "cancelled": {"cancel_sha256": HEX32},
    "disclosed": {"procedure": NAME, "salt": HEX32},
}
_BODIES.update({f"draw.{name}": {"attempt": SEQ, "draw": DRAW_ID, **fields} for name, fields in _DRAWS.items()})
REGISTER_ACTS = ("admitted", "changed", "removed", "resumed", "suspended")
_BODIES.update({f"expert.{act}": {"change_sha256": HEX32} for act in REGISTER_ACTS})
_BODIES.update(EXPERT_BODIES)
BODY_RULES: dict[str, FieldRule] = {kind: shape(fields) for kind, fields in _BODIES.items()}
BODY_RULES["draw.policy_fixed"] = shape(_BODIES["draw.policy_fixed"], {"procedure_commit": HEX32})
BODY_RULES.update(EXPERT_RULES)
BODY_RULES.update(DISCLOSURE_RULES)
BODY_RULES["key.registered"] = shape(_KEY, {"enrol_sha256": HEX32})
BODY_RULES["key.revoked"] = shape({"kid": HEX32, "reason": TEXT}, {"revoke_sha256": HEX32})
BODY_RULES["bids.ranked"] = shape(_RANKING, {"members": nullable(SEQ), **_FORMULA})
_UNITS = {"deviations": array(shape({"id": NAME, "units": DECIMAL}), by="id")}
for _name in ("bid.examined", "bid.voted"):
    BODY_RULES[_name] = shape(_BODIES[_name], _UNITS)
BODY_RULES["sheet.signed"] = shape(_BODIES["sheet.signed"], {"bids": array(BID, by="")})
BODY_RULES["bid.received"] = shape(_RECEIVED, {"intake_receipt_sha256": HEX32})
BODY_RULES["tender.closed"] = shape(_BODIES["tender.closed"], {"intake_list_sha256": HEX32})
BODY_RULES["bid.withdrawn"] = shape(_WITHDRAWN, {"queue_ms": COUNT})
_CUSTODIAN_KEY = "sb1.custodian-key|ed1.custodian-key"

# Fields that name a document, with the type it must have; of optional ones, where they are there.
NAMED_DOCUMENTS: dict[str, dict[str, str]] = {
    "policy.fixed": {"policy_sha256": "sb1.policy", "schedule_sha256": "mb.schedule"},
    "tender.published": {"notice_sha256": "mb.notice", "schedule_sha256": "mb.schedule"},
    "tender.changed": {"notice_sha256": "mb.notice", "schedule_sha256": "mb.schedule"},
    "procedure.cancelled": {"notice_sha256": "mb.notice"},
    "result.published": {"notice_sha256": "mb.notice"},
    "failure.published": {"notice_sha256": "mb.notice"},
    "procedure.amended": {"notice_sha256": "mb.notice"},
    **{kind: {"contract_sha256": "mb.contract"} for kind in ("contract.filed", "contract.signed")},
    "contract.published": {"contract_sha256": "mb.contract", "notice_sha256": "mb.notice"},
    **{f"custodian.{act}": {"custodian_key_sha256": _CUSTODIAN_KEY} for act in ("challenged", "proved")},
    "custodian.key_destroyed": {"destroyed_sha256": "sb1.key-destroyed"},
    "bid.received": {"envelope_sha256": "sb1.envelope", "intake_receipt_sha256": "sb1.intake-receipt"},
    "bid.withdrawn": {"withdrawal_sha256": "sb1.withdrawal"},
    "closing.confirmed": {"doc_sha256": "mb.closing-confirmation"},
    "tender.closed": {"intake_list_sha256": "sb1.intake-list"},
    "open.ordered": {"order_sha256": "sb1.open-order"},
    "objection.decided": {"decision_sha256": "sb1.objection-decision"},
    "share.checked": {"check_sha256": "sb1.share-check"},
    "share.adjudicated": {"adjudication_sha256": "sb1.adjudication"},
    "share.released": {"release_sha256": "sb1.release"},
    "factor.closed": {"factor_list_sha256": "sb1.factor-list"},
    "bids.ranked": {"edition_sha256": "mb.edition"},
    "draw.policy_fixed": {"policy_sha256": "ed1.policy"},
    "draw.specified": {"spec_sha256": "ed1.spec"},
    "draw.escrowed": {"escrow_sha256": "ed1.escrow"},
    "draw.committed": {"contribution_sha256": "ed1.contribution"},
    "draw.share_checked": {"check_sha256": "ed1.share-check"},
    "draw.adjudicated": {"adjudication_sha256": "ed1.adjudication"},
    "draw.waived": {"waiver_sha256": "ed1.waiver"},
    "draw.revealed": {"reveal_sha256": "ed1.reveal"},
    "draw.recovered": {"recovery_sha256": "ed1.recovery"},
    "draw.seeded": {"final_sha256": "ed1.final"},
    "draw.result": {"result_sha256": "ed1.result"},
    "draw.key_ordered": {"order_sha256": "ed1.key-order"},
    "draw.cancelled": {"cancel_sha256": "ed1.cancel"},
    **{f"expert.{act}": {"change_sha256": "ed1.register-change"} for act in REGISTER_ACTS},
}
# Secret until, or for ever outside, the audit tier; looked up there and never required of another tier.
CONFIDENTIAL_DOCUMENTS = {"custodian.key_disclosed": {"disclosure_sha256": "sb1.key-disclosure"}}
# ``opening.completed`` names the transcripts of all tiers in one sorted array.
TRANSCRIPT_FIELD = "transcript_sha256s"


def is_practice(procedure: str | None) -> bool:
    """Return whether a record is of a practice tender: nothing comes of it, and bundles hold no document of it.

    Nobody can hide a tender so: its reference stands in every envelope, and a real one never begins like this.
    """
    return procedure is not None and procedure.startswith("PRACTICE-")
