"""Bodies of the records about experts outside a draw: pool, standing, committees, seats, appraisals."""

from __future__ import annotations

from verifier.drawtypes import DRAW_ID
from verifier.fields import (
    BOOL,
    COUNT,
    HEX32,
    MS,
    NAME,
    SEQ,
    TEXT,
    FieldRule,
    any_object,
    array,
    choice,
    nullable,
    shape,
)

_KEPT = shape({"expert": NAME, "sealed_sha256": HEX32})
_POOL_FILE = shape({"commit": HEX32, "number": NAME, "regime": NAME, "state": NAME, "via": NAME})
_DISCIPLINED = {"measure": NAME, "number": NAME, "reason_commit": HEX32, "rule": NAME}
_STANDING = choice("removed", "resumed", "suspended")
EXPERT_BODIES: dict[str, dict[str, FieldRule]] = {
    "expert.identities_kept": {"kept": array(_KEPT, by="expert")},
    "pool.snapshot": {"key_commit": HEX32, "register_size": COUNT, "root": HEX32, "seq": SEQ, "size": COUNT},
    "committee.planned": {"plan_sha256": HEX32},
    "committee.drawing": {"draw": DRAW_ID, "request_sha256": HEX32},
    "committee.appointed": {"holder_commit": HEX32, "seat": NAME},
    "committee.formed": {"attempt": SEQ, "draw": DRAW_ID, "seats": array(any_object), "state": NAME},
    "seat.declared": {"declaration": TEXT, "seat": NAME},
    "seat.left": {"reason_commit": nullable(HEX32), "seat": NAME, "state": NAME},
    "panel.disclosed": {"members": array(any_object)},
    "pool.recommended": {"number": NAME},
    "pool.withdrawn": {"number": NAME},
    "pool.amended": {"commit": HEX32, "number": NAME},
    "pool.refused": {"number": NAME, "reason_commit": HEX32, "rule": NAME},
    "pool.qualified": {"change_sha256": HEX32, "items": array(shape({"number": NAME, "until": MS}), by="number")},
    "pool.ordered": {"act": _STANDING, "change_sha256": HEX32, "number": NAME, "reason_commit": HEX32},
    "pool.renewed": {"number": NAME, "until": MS},
    "pool.trained": {"number": NAME, "trained_at": MS},
    "pool.lapsed": {"numbers": array(NAME), "rule": NAME},
    "specialty.published": {"tree_sha256": HEX32, "version": SEQ},
    "appraisal.given": {"late": BOOL, "marks": NAME, "remark": TEXT, "seat": NAME},
    "appraisal.answered": {"answer": TEXT, "rating": SEQ, "seat": NAME},
}
#: Bodies that have fields which need not be there.
EXPERT_RULES: dict[str, FieldRule] = {
    "pool.applied": shape({"files": array(_POOL_FILE)}, {"batch": NAME}),
    "pool.disciplined": shape(_DISCIPLINED, {"amount": COUNT, "until": MS}),
    "seat.signed_in": shape(
        {"holder_commit": nullable(HEX32), "seat": NAME, "second_factor": BOOL}, {"promise_sha256": HEX32}
    ),
}
