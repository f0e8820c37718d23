"""How contributors take part in a draw of experts; the specification is docs/draw-api.md."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from sqlalchemy import Connection

from trading.api.bodies import DOCUMENT_BODY, answer, runtime, signed_body
from trading.api.submissions import Submission, respond
from trading.api.tokens import institution
from trading.audit.queries import records_of_draw
from trading.audit.service import reader, receipt
from trading.experts import queries
from trading.experts.model import NotYet
from trading.experts.queries import DrawRow
from trading.experts.rules.policy import parse_policy
from trading.experts.service import contributions
from trading.experts.service.contributions import Taken
from trading.experts.service.custodians import listed_contributions
from trading.kernel.signed import SignedDocument
from trading.web.limits import body_limit
from trading.web.permissions import signed

blueprint = Blueprint("draw_api", __name__, url_prefix="/api/v1/draws")


@blueprint.get("")
@signed("contributor")
def listed() -> Response:
    """Return the draws whose spec names the key."""
    key = institution("contributor")
    with runtime().ledger.read() as conn:
        found = contributions.own_draws(conn, key)
    rows = [{"attempt": row.attempt, "draw": row.draw, "party": party.id, "state": row.state} for row, party in found]
    return answer({"draws": rows})


@blueprint.get("/<draw>/<int:attempt>")
@signed("contributor")
def package(draw: str, attempt: int) -> Response:
    """Return what a contributor checks before it commits: policy, custodian keys, spec, and their receipts."""
    key = institution("contributor")
    with runtime().ledger.read() as conn:
        row, _, _ = contributions.own_draw(conn, key, draw, attempt)
        policy = queries.signed_document(conn, row.policy_sha256)
        offered = {each.kid: each.doc_sha256 for each in queries.share_keys(conn, draw)}
        custodians = [offered[each.kid] for each in parse_policy(policy.doc).custodians]
        return answer(
            {
                "attempt": row.attempt,
                "custodian_keys": [queries.signed_document(conn, digest).wire() for digest in custodians],
                "draw": row.draw,
                "policy": policy.wire(),
                "policy_proof": _proof(conn, row, "draw.policy_fixed"),
                "spec": queries.signed_document(conn, row.spec_sha256 or "").wire(),
                "spec_proof": _proof(conn, row, "draw.specified"),
                "state": row.state,
            }
        )


@blueprint.post("/<draw>/<int:attempt>/contributions")
@signed("contributor")
@body_limit(DOCUMENT_BODY)
def contribute(draw: str, attempt: int) -> Response:
    """Take a contribution; the last one before the seal counts."""
    key, document = institution("contributor"), signed_body()
    return _taken(contributions.contribute(runtime().ledger, key, draw, attempt, document), document)


@blueprint.get("/<draw>/<int:attempt>/seal")
@signed("contributor")
def seal(draw: str, attempt: int) -> Response:
    """Return the witnessed seal with the contributions it lists; 409 before there is one."""
    key = institution("contributor")
    with runtime().ledger.read() as conn:
        row, _, _ = contributions.own_draw(conn, key, draw, attempt)
        proof = _need(_proof(conn, row, "draw.sealed"))
        wires = [queries.signed_document(conn, digest).wire() for digest, _ in listed_contributions(conn, row).values()]
        return answer({"contributions": wires, "proof": proof, "sealed_h": row.sealed_h})


@blueprint.post("/<draw>/<int:attempt>/reveals")
@signed("contributor")
@body_limit(DOCUMENT_BODY)
def reveal(draw: str, attempt: int) -> Response:
    """Take a reveal after the seal."""
    key, document = institution("contributor"), signed_body()
    return _taken(contributions.reveal(runtime().ledger, key, draw, attempt, document), document)


@blueprint.get("/<draw>/<int:attempt>/outcome")
@signed("contributor")
def outcome(draw: str, attempt: int) -> Response:
    """Return final document and seed with their proofs, for ``confirm``; 409 before the seed."""
    key = institution("contributor")
    with runtime().ledger.read() as conn:
        row, _, _ = contributions.own_draw(conn, key, draw, attempt)
        bodies = [record.data["body"] for record in records_of_draw(conn, draw) if record.kind == "draw.seeded"]
        seeded = next((body for body in bodies if body["attempt"] == attempt), None)
        if seeded is None:
            raise NotYet("the seed is not in the log yet")
        return answer(
            {
                "final": queries.signed_document(conn, seeded["final_sha256"]).wire(),
                "proof": _need(_proof(conn, row, "draw.seeded")),
                "seal_proof": _need(_proof(conn, row, "draw.sealed")),
                "sealed_h": row.sealed_h,
                "seed": seeded["seed"],
                "void": seeded["void"],
            }
        )


def _taken(taken: Taken, document: SignedDocument) -> Response:
    recorded = taken.recorded
    return respond(
        Submission(h=recorded.h, doc_sha256=document.sha256, received_at=recorded.at, repeated=taken.repeated)
    )


def _proof(conn: Connection, row: DrawRow, kind: str) -> str | None:
    """Return the receipt of the attempt's record of a kind once a quorum has witnessed it."""
    for record in records_of_draw(conn, row.draw):
        # A policy is fixed once; a later attempt under it has a record of its own.
        if record.kind == kind and record.data["body"]["attempt"] == row.attempt:
            issued = receipt(conn, reader(runtime().log_dir), record.h)
            return issued.text.decode() if issued is not None and issued.state.is_witnessed else None
    return None


def _need(proof: Any) -> str:  # noqa: ANN401 - text or nothing
    if not isinstance(proof, str):
        raise NotYet("the record is not witnessed yet")
    return proof
