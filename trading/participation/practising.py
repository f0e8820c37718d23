"""Use cases of practice tenders: ask for one, open it for bids, see one's own, whom to trust there (ADR 0061).

A practice tender is a procedure that is never published, so whatever shows what was published knows nothing of it:
pages, feeds, counts, notices, other bidders. Its bids, receipts and opening go the way of all others. What the other
sides do in it, ``trading.practice`` does.
"""

from __future__ import annotations

from typing import Final

from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.bids import service as bids
from trading.bids.rules.schedule import parse_schedule
from trading.bids.rules.trust import TRUST
from trading.custody import service as custody
from trading.documents import store as documents
from trading.kernel.encoding import b64u
from trading.kernel.errors import NotFound
from trading.kernel.events import Event
from trading.kernel.ids import is_practice
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.participation.queries import practice as queries
from trading.participation.queries.practice import Practice
from trading.participation.rules.practice import (
    LOT,
    MOST_A_DAY,
    MOST_AT_ONCE,
    MOST_HERE,
    MOST_TODAY,
    PARTIES,
    STAGE,
    deadline,
    require_room,
    specification,
)
from trading.participation.service import organisation_of
from trading.parties.queries import keys_of
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.rules.lifecycle import LotPhase
from trading.procedures.rules.spec import parse_spec

_ASKING: Final = 0x6D62_7063  # one practice tender is asked for at a time, so that the limits hold


def ask(ledger: Ledger, actor: Actor, minutes: int) -> str:
    """Enter a practice tender for the actor's organisation, with its bid id, and return the reference.

    Bids are taken as soon as the practice custodians have given their keys, for about ``minutes``.

    Raises:
        NotFound: Nobody has set up practice on this platform.
        RuleBroken: ``practice.many_today``, ``practice.many_open``, ``practice.full``.
        InvalidInput: ``minutes`` is none of those that are offered.
    """
    organisation = organisation_of(actor)
    with ledger.begin(actor) as uow:
        conn = uow.connection
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ASKING,))
        if not queries.is_offered(conn):
            raise NotFound("practice")
        require_room(
            uow.at,
            asked_at=queries.asked_at(conn, actor.account, MOST_A_DAY),
            today=queries.asked_at(conn, None, MOST_TODAY),
            own=queries.unfinished(conn, MOST_AT_ONCE, organisation),
            everybody=queries.unfinished(conn, MOST_HERE),
        )
        reference = procedures.enter_practice(uow, parse_spec(specification(deadline(uow.at, minutes))))
        bids.begin(uow, procedure_queries.find(conn, reference), LOT, STAGE, organisation)
    return reference


def open_lot(runtime: Runtime, actor: Actor, reference: str, policy: SignedDocument, schedule: SignedDocument) -> None:
    """Open a practice tender for bids, with documents that its agency has signed; if it is open, nothing happens.

    Raises:
        RuleBroken: ``policy.…``, ``custodian.unproved``.
        NotFound: No such practice tender.
    """
    if not is_practice(reference):
        raise NotFound(reference)
    with runtime.ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = procedure_queries.find_lot(uow.connection, row.id, LOT, STAGE)
        if lot.phase != LotPhase.DRAFT.value:
            return
        checked = custody.require_policy_ready(uow, row.id, policy, agency=row.agency_code, demo=runtime.demo)
        close = parse_schedule(schedule.doc).close
        custody.fix_policy(uow, row.id, checked, policy, schedule.sha256)
        digests = {"policy_sha256": policy.sha256, "schedule_sha256": schedule.sha256}
        event = Event(
            kind="practice.opened",
            subject=f"lot:{LOT}",
            body={**digests, "lot": LOT, "stage": STAGE},
            procedure=reference,
            procedure_id=row.id,
        )
        recorded = uow.record(event)
        documents.add(uow, recorded, row.id, schedule)
        moved = {name: bytes.fromhex(digest) for name, digest in digests.items()}
        procedures.move_lot(uow, recorded, lot, LotPhase.OPEN, close_at=close, **moved)
        uow.wake("bids.close", {"tender": reference, "lot": LOT, "stage": STAGE}, close)


def mine(ledger: Ledger, actor: Actor, now: int) -> tuple[Practice, ...] | None:
    """Return the practice tenders of the actor's organisation, the newest first; None where nobody can practise."""
    organisation = organisation_of(actor)
    with ledger.read() as conn:
        return queries.own(conn, organisation, now) if queries.is_offered(conn) else None


def trust(runtime: Runtime, at: int) -> bytes:
    """Return the trust file of practice tenders, unsigned: it comes from the very platform that is practised with.

    Only organisations of practice are in it, so no client that believes it seals a bid for a real tender.

    Raises:
        NotFound: Nobody has set up practice on this platform.
    """
    with runtime.ledger.read() as conn:
        keys = [(party, key) for party in PARTIES for role in party.keys for key in keys_of(conn, party.code, role)]
    if not keys:
        raise NotFound("practice")
    rows_of = [
        {"alg": key.alg, "key": b64u(key.spki), "kid": key.kid, "name": party.name_zh, "role": key.role}
        for party, key in keys
    ]
    return TRUST.write(
        {
            "institutions": sorted(rows_of, key=lambda row: row["kid"]),
            "issued": at,
            "log_policy": runtime.witness_policy,
            "origin": runtime.origin,
            "release_sha256": [],
            "seq": 1,
            "supersedes": None,
            "tsa": [],
            "x509_roots": [],
        }
    )
