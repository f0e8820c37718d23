"""What the records say of one attempt: its spec, what became of its contributions, which causes to end it hold."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.crypto.shares import combine, deal
from trading.experts import queries
from trading.experts.queries import DrawRow
from trading.experts.rules.checks import Finding, parse_adjudication
from trading.experts.rules.contributions import parse_contribution
from trading.experts.rules.results import AFTER_SEAL, STOPPED, TOO_FEW_VALID, UNRECOVERABLE
from trading.experts.rules.reveals import RECOVERY_MS, Outcome, parse_recovery, parse_reveal, settle
from trading.experts.rules.spec import Spec, parse_spec
from trading.experts.service.custodians import listed_contributions, policy_of
from trading.kernel.errors import NotFound
from trading.procedures import queries as procedures


def spec_of(conn: Connection, row: DrawRow) -> Spec:
    """Return the spec of an attempt.

    Raises:
        NotFound: It is not signed yet.
    """
    if row.spec_sha256 is None:
        raise NotFound("spec")
    return parse_spec(queries.signed_document(conn, row.spec_sha256).doc)


def dealt_bad(conn: Connection, row: DrawRow) -> frozenset[str]:
    """Return the contributions that an adjudication found badly dealt."""
    found = set()
    for each in queries.answers(conn, row.draw, row.attempt, "adjudication"):
        document = parse_adjudication(queries.signed_document(conn, each.sha256).doc)
        found |= {item.doc_sha256 for item in document.items if item.finding is Finding.DEALT_BAD}
    return frozenset(found)


def outcomes_of(conn: Connection, row: DrawRow) -> list[Outcome]:
    """Return what became of every listed contribution so far (D7)."""
    policy, sealed_h = policy_of(conn, row), row.sealed_h or ""
    given = queries.answers(conn, row.draw, row.attempt, "reveal", "recovery")
    raw = {each.sha256: queries.signed_document(conn, each.sha256).doc for each in given}
    reveals = [parse_reveal(raw[each.sha256]) for each in given if each.kind == "reveal"]
    recoveries = [parse_recovery(raw[each.sha256]) for each in given if each.kind == "recovery"]
    listed = listed_contributions(conn, row)
    bad = dealt_bad(conn, row)
    return [
        settle(
            parse_contribution(doc),
            sealed_h,
            policy,
            reveals=[item for item in reveals if item.party == party],
            recoveries=[item for item in recoveries if item.party == party],
            deal=deal,
            combine=combine,
        )
        for party, (digest, doc) in sorted(listed.items())
        if digest not in bad
    ]


def holds(conn: Connection, row: DrawRow, reason: str, at: int) -> bool:
    """Recompute whether a cause of D13 applies."""
    if reason not in AFTER_SEAL:
        return False
    if reason == STOPPED:
        phases = {lot.phase for lot in procedures.lots_of(conn, row.tender_id)}
        return phases <= {"failed", "cancelled"}
    if row.state != "sealed":
        return False
    outcomes = outcomes_of(conn, row)
    if reason == UNRECOVERABLE:
        late = row.sealed_at is not None and at >= row.sealed_at + RECOVERY_MS
        return late and any(item.r is None for item in outcomes)
    if reason == TOO_FEW_VALID:
        valid = sum(item.valid for item in outcomes)
        return all(item.r is not None for item in outcomes) and valid < spec_of(conn, row).min_valid
    return False
