"""Answers to what bidders submit: receipt or acknowledgement, refusals with their evidence (AL1 L8, SB1 S7.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from flask import Response, request, url_for

from trading.api.bodies import answer, runtime
from trading.audit.model import Recorded
from trading.audit.rules.proof import ReceiptState
from trading.audit.service import acknowledge, wait_logged
from trading.bids import queries as bids
from trading.bids.service import Accepted, Refused
from trading.kernel.errors import NotFound
from trading.rulebook import loader
from trading.web.errors import problem_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Something that was recorded: commitment of the record, hash of the document (hex), instant of receipt (ms)."""

    h: bytes
    doc_sha256: str
    received_at: int
    repeated: bool = False

    @classmethod
    def accepted(cls, result: Accepted) -> Submission:
        """Return what ``bids.service`` accepted."""
        return cls(h=result.h, doc_sha256=result.doc_sha256, received_at=result.received_at, repeated=result.repeated)

    @classmethod
    def recorded(cls, recorded: Recorded, doc_sha256: str) -> Submission:
        """Return a factor, a rescue or an objection that was recorded."""
        received_at = recorded.body.get("received_at", recorded.at)
        return cls(h=recorded.h, doc_sha256=doc_sha256, received_at=int(received_at))


def respond(submission: Submission) -> Response:
    """Return 201 with the receipt if the record is LOGGED within 2 s, else 202 with the signed acknowledgement.

    ``Prefer: respond-async`` asks for 202 at once. A repetition of what was received before is 200.
    """
    process = runtime()
    content: dict[str, Any] = {
        "ack": _ack(submission, None),
        "h": submission.h.hex(),
        "received_at": submission.received_at,
        "state": ReceiptState.ACKNOWLEDGED.value,
    }
    found = None if _wants_no_waiting() else wait_logged(process, submission.h)
    if found is None:
        response = answer(content, HTTPStatus.ACCEPTED)
    else:
        logged = {"n": found.n, "receipt": found.text.decode(), "state": found.state.value}
        response = answer(content | logged, HTTPStatus.OK if submission.repeated else HTTPStatus.CREATED)
    response.headers["Location"] = url_for("receipts.one", h=submission.h.hex())
    return response


def _wants_no_waiting() -> bool:
    preferences = request.headers.get("Prefer", "").split(",")
    return "respond-async" in {preference.split(";")[0].strip().lower() for preference in preferences}


def _ack(submission: Submission, code: str | None) -> dict[str, Any] | None:
    """Return the signed ``mb.ack`` in its wire form; None where the process has no acknowledgement key."""
    process = runtime()
    if process.ack is None:
        return None
    signed = acknowledge(
        process.ack,
        origin=process.origin,
        h=submission.h,
        doc_sha256=submission.doc_sha256,
        received_at=submission.received_at,
        code=code,
    )
    return signed.wire()


def refused(error: Refused) -> Response:
    """Return the problem document of a recorded refusal, with its signed acknowledgement and what stands.

    422, except ``busy``: that is the platform's doing and the same bytes may simply be sent again (TE1 T4.3).
    """
    problem = problem_of(error.reason, _article_of)
    if problem.status is not HTTPStatus.SERVICE_UNAVAILABLE:
        problem = replace(problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    submission = Submission(h=error.h, doc_sha256=error.doc_sha256, received_at=error.received_at)
    evidence = {
        "ack": _ack(submission, problem.code),
        "h": error.h.hex(),
        "received_at": error.received_at,
        "stands": _standing((request.view_args or {}).get("bid", "")),
    }
    response = answer({**problem.as_json(), **evidence}, problem.status)
    response.mimetype = "application/problem+json"
    response.headers.update(problem.headers)
    return response


def _article_of(rule_id: str) -> str | None:
    rule = loader.builtin().rules.get(rule_id)
    return None if rule is None else rule.article


def _standing(bid: str) -> dict[str, Any] | None:
    """Return the version of the bid that stands whatever was refused; None before the first."""
    with runtime().ledger.read() as conn:
        target = bids.target(conn, bid)
        if target is None:
            raise NotFound("bid")
        head = target.head
        version = None if head.head_sha256 is None else bids.version_by_digest(conn, head.head_sha256)
    if version is None:
        return None
    return {
        "h": version.h.hex(),
        "kind": version.kind,
        "received_at": version.received_at,
        "seq": version.seq,
        "sha256": version.doc_sha256,
    }
