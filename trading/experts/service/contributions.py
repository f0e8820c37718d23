"""What contributors hand in: contributions before the seal, reveals after it (ED1 D6.2, D7)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.crypto.signatures import verify_es256
from trading.documents import store as documents
from trading.experts import queries, store
from trading.experts.model import NotYet, draw_event
from trading.experts.queries import DrawRow
from trading.experts.rules.contributions import parse_contribution, require_of_spec
from trading.experts.rules.reveals import counts, parse_reveal
from trading.experts.rules.spec import Party, Spec
from trading.experts.service.attempts import spec_of
from trading.experts.service.custodians import ask_checks, attempt_of, listed_contributions, policy_of
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.parties import store as keys
from trading.parties.model import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was recorded; ``repeated`` for the same document again."""

    recorded: Recorded
    repeated: bool


def own_draw(conn: Connection, key: SigningKey, draw: str, attempt: int) -> tuple[DrawRow, Spec, Party]:
    """Return an attempt in which this key contributes.

    Raises:
        NotFound: There is none, or it is of others.
    """
    row = queries.find_draw(conn, draw, attempt)
    spec = spec_of(conn, row)
    for party in spec.parties:
        if party.kid == key.kid:
            return row, spec, party
    raise NotFound(draw)


def own_draws(conn: Connection, key: SigningKey) -> list[tuple[DrawRow, Party]]:
    """Return the attempts that wait for something of this key or have ended lately, oldest first."""
    found = []
    for row in queries.draws_in(conn, "specified", "sealed", "seeded", "resulted"):
        party = next((each for each in spec_of(conn, row).parties if each.kid == key.kid), None)
        if party is not None:
            found.append((row, party))
    return found


def contribute(
    ledger: Ledger, key: SigningKey, draw: str, attempt: int, signed: SignedDocument, *, via: str = "platform"
) -> Taken:
    """Record a contribution; until the seal another one of the same party takes its place.

    Raises:
        NotFound: No attempt of this key.
        InvalidInput: Malformed, another spec, another party's name; a signature that does not verify.
        RuleBroken: ``sig.…``; ``draw.sealed``: the commit phase is over.
    """
    document = parse_contribution(signed.doc)
    with ledger.begin(Actor.party(key.kid, key.org_code)) as uow:
        row, spec, party = _mine(uow, key, draw, attempt)
        _require_own(uow, party, signed)
        require_of_spec(document, spec, policy_of(uow.connection, row))
        if document.party != party.id:
            raise InvalidInput("draw.not_a_party", document.party)
        known = _known(uow.connection, row, "contribution", signed.sha256)
        if known is not None:
            return Taken(recorded=known, repeated=True)
        if row.state != "specified":
            raise RuleBroken("draw.sealed", "ED1 D7")
        event = draw_event("committed", attempt_of(row), contribution_sha256=signed.sha256, party=party.id, via=via)
        recorded = uow.record(event)
        documents.add(uow, recorded, None, signed)
        store.add_answer(uow, recorded, row, "contribution", signed.sha256, party=party.id, via=via)
        ask_checks(uow.connection, row, [signed.sha256])
        uow.wake("experts.advance", {"draw": row.draw}, uow.at)
    return Taken(recorded=recorded, repeated=False)


def reveal(
    ledger: Ledger, key: SigningKey, draw: str, attempt: int, signed: SignedDocument, *, via: str = "platform"
) -> Taken:
    """Record a reveal; one whose r does not open the commitment is refused and counts as absent.

    Raises:
        NotFound: No attempt of this key, or no listed contribution of it.
        NotYet: There is no seal yet.
        InvalidInput: Malformed, another seal, a wrong r; a signature that does not verify.
        RuleBroken: ``draw.reveal_late``: the seed is determined.
    """
    document = parse_reveal(signed.doc)
    with ledger.begin(Actor.party(key.kid, key.org_code)) as uow:
        row, _, party = _mine(uow, key, draw, attempt)
        _require_own(uow, party, signed)
        known = _known(uow.connection, row, "reveal", signed.sha256)
        if known is not None:
            return Taken(recorded=known, repeated=True)
        if row.sealed_h is None:
            raise NotYet("the draw is not sealed yet")
        if row.state != "sealed":
            raise RuleBroken("draw.reveal_late", "ED1 D7")
        listed = listed_contributions(uow.connection, row).get(party.id)
        if listed is None:
            raise NotFound("contribution")
        if document.party != party.id or not counts(document, parse_contribution(listed[1]), row.sealed_h):
            raise InvalidInput("draw.wrong_reveal", "not of this contribution and this seal")
        event = draw_event("revealed", attempt_of(row), party=party.id, reveal_sha256=signed.sha256, via=via)
        recorded = uow.record(event)
        documents.add(uow, recorded, None, signed)
        store.add_answer(uow, recorded, row, "reveal", signed.sha256, party=party.id, via=via)
        uow.wake("experts.advance", {"draw": row.draw}, uow.at)
    return Taken(recorded=recorded, repeated=False)


def _mine(uow: UnitOfWork, key: SigningKey, draw: str, attempt: int) -> tuple[DrawRow, Spec, Party]:
    store.lock_draw(uow, draw, attempt)
    return own_draw(uow.connection, key, draw, attempt)


def _require_own(uow: UnitOfWork, party: Party, signed: SignedDocument) -> None:
    if len(signed.sigs) != 1 or signed.sigs[0]["kid"] != party.kid:
        raise RuleBroken("sig.missing", "ED1 D5", kid=party.kid)
    key = keys.lock_key(uow, party.kid)
    if key is None or not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=party.kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def _known(conn: Connection, row: DrawRow, kind: str, digest: str) -> Recorded | None:
    for each in queries.answers(conn, row.draw, row.attempt, kind):
        if each.sha256 == digest:
            return recorded_by_id(conn, each.entry_id)
    return None
