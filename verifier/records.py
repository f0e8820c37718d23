"""Registry of record kinds and the fields of their bodies (AL1 L1.1, L2), and which documents a record names."""

from __future__ import annotations

from verifier.doctypes import FAULTS, VERDICT
from verifier.fields import (
    BID,
    BOOL,
    COUNT,
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
    }
)
_BODIES: dict[str, dict[str, FieldRule]] = {
    "organisation.registered": {"code": NAME, "roles": array(NAME)},
    "key.registered": {
        "alg": NAME,
        "approved_by": array(NAME),
        "kid": HEX32,
        "org": NAME,
        "role": NAME,
        "second_factor": BOOL,
        "spki_sha256": HEX32,
    },
    "key.revoked": {"kid": HEX32, "reason": TEXT},
    "calendar.changed": {"days": array(_DAY), "source": TEXT},
    "procedure.drafted": _SPEC,
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
    "rehearsal.checked": {"bid": BID, "results": array(shape({"custodian": INDEX, "ok": BOOL}))},
    "bid.started": _BID,
    "bid.withdrawn": {**_BID, "received_at": MS, "seq": SEQ, "sig_sha256": HEX32, "withdrawal_sha256": HEX32},
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
    "opening.completed": {"transcript_sha256s": array(HEX32, by=""), **_LOT_BODY},
    "bids.ranked": {
        "currency": NAME,
        "edition_sha256": HEX32,
        "items": array(_RANKED, by="bid"),
        "method": NAME,
        "tie": nullable(shape({"bids": array(BID), "rule": NAME, "seed": HEX32})),
        **_LOT_BODY,
    },
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
BODY_RULES: dict[str, FieldRule] = {kind: shape(fields) for kind, fields in _BODIES.items()}
BODY_RULES["bid.received"] = shape(_RECEIVED, {"intake_receipt_sha256": HEX32})

# Fields that name a document, with the type it must have.
NAMED_DOCUMENTS: dict[str, dict[str, str]] = {
    "policy.fixed": {"policy_sha256": "sb1.policy", "schedule_sha256": "mb.schedule"},
    "tender.published": {"notice_sha256": "mb.notice", "schedule_sha256": "mb.schedule"},
    "tender.changed": {"notice_sha256": "mb.notice", "schedule_sha256": "mb.schedule"},
    "procedure.cancelled": {"notice_sha256": "mb.notice"},
    "result.published": {"notice_sha256": "mb.notice"},
    "custodian.challenged": {"custodian_key_sha256": "sb1.custodian-key"},
    "custodian.proved": {"custodian_key_sha256": "sb1.custodian-key"},
    "custodian.key_destroyed": {"destroyed_sha256": "sb1.key-destroyed"},
    "bid.received": {"envelope_sha256": "sb1.envelope"},
    "bid.withdrawn": {"withdrawal_sha256": "sb1.withdrawal"},
    "closing.confirmed": {"doc_sha256": "mb.closing-confirmation"},
    "open.ordered": {"order_sha256": "sb1.open-order"},
    "objection.decided": {"decision_sha256": "sb1.objection-decision"},
    "share.checked": {"check_sha256": "sb1.share-check"},
    "share.adjudicated": {"adjudication_sha256": "sb1.adjudication"},
    "share.released": {"release_sha256": "sb1.release"},
    "factor.closed": {"factor_list_sha256": "sb1.factor-list"},
    "bids.ranked": {"edition_sha256": "mb.edition"},
}
# Secret until, or for ever outside, the audit tier; looked up there and never required of another tier.
CONFIDENTIAL_DOCUMENTS = {"custodian.key_disclosed": {"disclosure_sha256": "sb1.key-disclosure"}}
# ``opening.completed`` names the transcripts of all tiers in one sorted array.
TRANSCRIPT_FIELD = "transcript_sha256s"
