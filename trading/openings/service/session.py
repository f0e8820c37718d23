"""What every step loads first: the procedure under its lock, the lot, policy, schedule and the state of the windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.documents.cache import DOCUMENTS
from trading.kernel.errors import IntegrityFailure, NotFound, RuleBroken
from trading.openings import queries, store
from trading.openings.model import Place
from trading.openings.queries import OpeningRow
from trading.openings.rules.windows import Ceremony, WindowLengths
from trading.procedures import queries as procedure_queries
from trading.procedures import store as procedures
from trading.procedures.queries import LotRow, ProcedureRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One lot and stage in its ceremony; ``opening`` is None before the first order."""

    place: Place
    procedure: ProcedureRow
    lot: LotRow
    policy: dict[str, Any]
    schedule: dict[str, Any]
    opening: OpeningRow | None

    @property
    def custodian_count(self) -> int:
        """Return n_c of the policy."""
        return len(self.policy["custodians"])

    def begun(self) -> OpeningRow:
        """Return the ceremony's row.

        Raises:
            NotFound: Before the first order.
            RuleBroken: ``act.wrong_phase``: the procedure was cancelled meanwhile; what is sealed stays sealed.
        """
        if self.opening is None:
            raise NotFound("opening")
        if self.lot.phase == "cancelled":
            raise RuleBroken("act.wrong_phase", "B4.1", phase=self.lot.phase)
        return self.opening


def load(uow: UnitOfWork, reference: str, lot: str, stage: str, *, move: bool) -> Session:
    """Lock and load: ``FOR UPDATE`` if the step moves the ceremony, ``FOR SHARE`` for a participant (AL1 L4.6)."""
    procedure = procedures.lock_for_update(uow, reference) if move else procedures.lock_for_share(uow, reference)
    place = Place(procedure=reference, procedure_id=procedure.id, lot=lot, stage=stage)
    row = store.lock_opening_or_none(uow, place) if move else queries.opening_row(uow.connection, place)
    return _session(uow.connection, procedure, place, row)


def read(conn: Connection, reference: str, lot: str, stage: str) -> Session:
    """Load without locks, for reading and for drafts."""
    procedure = procedure_queries.find(conn, reference)
    place = Place(procedure=reference, procedure_id=procedure.id, lot=lot, stage=stage)
    return _session(conn, procedure, place, queries.opening_row(conn, place))


def _session(conn: Connection, procedure: ProcedureRow, place: Place, row: OpeningRow | None) -> Session:
    lot = procedure_queries.find_lot(conn, procedure.id, place.lot, place.stage)
    return Session(
        place=place,
        procedure=procedure,
        lot=lot,
        policy=document(conn, lot.policy_sha256),
        schedule=document(conn, lot.schedule_sha256),
        opening=row,
    )


def document(conn: Connection, digest: str | None) -> dict[str, Any]:
    """Return the stored document with this digest, parsed.

    Raises:
        IntegrityFailure: A row names no document, or one that is not stored.
    """
    if digest is None:
        raise IntegrityFailure("the lot names no document")
    return DOCUMENTS.get(conn, bytes.fromhex(digest))


def arg(place: Place) -> dict[str, str]:
    """Return the argument of the errand that looks at this ceremony again."""
    return {"tender": place.procedure, "lot": place.lot, "stage": place.stage}


def ceremony(conn: Connection, session: Session) -> Ceremony:
    """Return the recorded instants of the ceremony for the rules of its windows."""
    row = session.begun()
    answered = [
        (answer.kind, answer.custodian)
        for answer in queries.answers(conn, session.place, "check", "release")
        if answer.order_sha256 == row.order_sha256
    ]
    checks = {custodian for kind, custodian in answered if kind == "check"}
    releases = {custodian for kind, custodian in answered if kind == "release"}
    return Ceremony(
        lengths=WindowLengths.of_schedule(session.schedule),
        bidder_factor=session.policy["bidder_factor"],
        first_ordered_at=row.first_ordered_at,
        newest_ordered_at=row.ordered_at,
        open_objections=queries.open_objections(conn, session.place),
        all_checked=len(checks) == session.custodian_count,
        factor_ends_at=row.factor_ends_at,
        factor_closed_at=row.factor_closed_at,
        all_released=len(releases) == session.custodian_count,
        gaps_at=row.gaps_at,
        gaps=row.gaps,
        release_closed_at=row.release_closed_at,
        combined=row.step in {"combined", "completed"},
    )
