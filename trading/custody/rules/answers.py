"""What an agent posts: an answer to a job, or a refusal (docs/custodian-jobs.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.custody.rules.jobs import JobKind
from trading.kernel import fields
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

#: Kinds whose answer is a document signed by the institution, with its type.
SIGNED_ANSWERS: Final[Mapping[JobKind, str]] = {
    JobKind.KEY: "sb1.custodian-key",
    JobKind.CHECK: "sb1.share-check",
    JobKind.RELEASE: "sb1.release",
    JobKind.NON_RELEASE: "sb1.non-release",
    JobKind.DRAW_KEY: "ed1.custodian-key",
    JobKind.DRAW_CHECK: "ed1.share-check",
    JobKind.DRAW_RELEASE_KEY: "ed1.key-release",
}
_PLAIN: Final[Mapping[JobKind, Mapping[str, fields.Reader]]] = {
    JobKind.PROVE: {"challenge": fields.digest, "custodian_key_sha256": fields.digest},
    JobKind.ADMIT: {"policy_sha256": fields.digest, "schedule_sha256": fields.digest},
    JobKind.REHEARSE: {
        "bid": fields.matching(r"[a-z0-9-]{1,40}"),
        "ok": fields.flag,
        "rehearsal_sha256": fields.digest,
    },
    JobKind.DISCLOSE: {"auditor": fields.text, "disclosure_sha256": fields.digest},
    JobKind.DRAW_PROVE: {"challenge": fields.digest, "custodian_key_sha256": fields.digest},
    JobKind.DRAW_ADMIT: {"policy_sha256": fields.digest},
}
_MAX_RECOVERIES: Final = 64
_REFUSAL: Final = {"code": fields.matching(r"[a-z_]+(\.[a-z_]+)*"), "detail": fields.matching(r"(?s).{0,2000}")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an agent did not answer; ``code`` is stable."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Exactly one of the four is set. ``content`` are the fields of an unsigned answer.

    ``documents`` are the recoveries of a draw, one for each party that the agent has a good share of.
    """

    document: SignedDocument | None = None
    documents: tuple[SignedDocument, ...] | None = None
    content: Mapping[str, Any] | None = None
    refusal: Refusal | None = None


def read_answer(kind: JobKind | None, body: Mapping[str, Any]) -> Answer:
    """Read the posted body of an answer to a job of ``kind``; ``None`` is a statement without a job (destruction).

    The document inside is admitted by its own parser and its signature checked by the caller.

    Raises:
        InvalidInput: ``answer.malformed``, or what the wire form refuses.
    """
    if body.keys() == {"job", "refusal"}:
        return Answer(refusal=_read(_REFUSAL, body["refusal"], Refusal))
    if body.keys() != {"answer", "job"} or (body["job"] is None) != (kind is None):
        raise InvalidInput("answer.malformed", "an answer has a job and either an answer or a refusal")
    if kind is None or kind in SIGNED_ANSWERS:
        return Answer(document=SignedDocument.from_wire(body["answer"]))
    if kind is JobKind.DRAW_RECOVER:
        return Answer(documents=_recoveries(body["answer"]))
    return Answer(content=_read(_PLAIN[kind], body["answer"]))


def _recoveries(value: object) -> tuple[SignedDocument, ...]:
    wires = value.get("recoveries") if isinstance(value, Mapping) and value.keys() == {"recoveries"} else None
    if not isinstance(wires, list) or len(wires) > _MAX_RECOVERIES:
        raise InvalidInput("answer.malformed", "recoveries")
    return tuple(SignedDocument.from_wire(wire) for wire in wires)


def _read(table: Mapping[str, fields.Reader], value: object, into: Any = None) -> Any:  # noqa: ANN401 - as fields.record
    try:
        return fields.record(table, into)(value)
    except ValueError as error:
        raise InvalidInput("answer.malformed", str(error)) from error
