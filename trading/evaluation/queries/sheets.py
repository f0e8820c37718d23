"""What members have signed and handed in, and the scores that are open."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from trading.evaluation.queries.place import here
from trading.evaluation.tables import (
    recheck_explanation,
    score_sheet,
    scoring,
    sheet_renewal,
    sheet_signature,
)
from trading.kernel.digests import sha256_hex
from trading.openings.model import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRow:
    """The newest version of a sheet that a member has signed; ``sheet_commit`` in hex.

    ``changes`` says that it takes the place of one that the member had signed before; ``bids`` conformed when it was
    signed (None: not known), ``echo`` in hex shows that the sheet is there.
    """

    seat: str
    version: int
    sheet_commit: str
    handed_in: bool
    changes: bool
    bids: frozenset[str] | None = None
    echo: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether the sheet is handed in or was shown to be there; older signatures were never asked (ADR 0078)."""
        return self.handed_in or self.echo is not None or self.bids is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalRow:
    """A member cannot hand in what was signed; ``answer`` None until the supervisor has made the signature void."""

    seat: str
    version: int
    reason: str
    answer: str | None


def signatures_of(conn: Connection, place: Place) -> dict[str, SignatureRow]:
    """Return the newest version of every seat that signed its sheet and still sits."""
    query = select(sheet_signature).where(*here(sheet_signature, place), ~sheet_signature.c.void)
    found: dict[str, SignatureRow] = {}
    for row in conn.execute(query.order_by(sheet_signature.c.version)):
        found[row.seat] = SignatureRow(
            seat=row.seat,
            version=row.version,
            sheet_commit=bytes(row.sheet_commit).hex(),
            handed_in=row.handed_in,
            changes=row.seat in found,
            bids=None if row.bids is None else frozenset(row.bids),
            echo=None if row.echo is None else bytes(row.echo).hex(),
        )
    return found


def last_version(conn: Connection, place: Place, seat: str) -> int:
    """Return how many sheets were ever signed on a seat, void ones included."""
    query = select(func.coalesce(func.max(sheet_signature.c.version), 0))
    return int(conn.execute(query.where(*here(sheet_signature, place), sheet_signature.c.seat == seat)).scalar_one())


def scoring_of(conn: Connection, place: Place) -> tuple[str, ...] | None:
    """Return the SHA-256 of the sheets that are open, None while they are closed."""
    query = select(scoring.c.sheets).where(*here(scoring, place), scoring.c.opened)
    found = conn.execute(query).scalar_one_or_none()
    return None if found is None else tuple(found)


def was_opened(conn: Connection, place: Place, sheet_commit: str) -> bool:
    """Whether a sheet has been open before, even if a replacement has closed the scores of the lot again."""
    found = conn.execute(select(scoring.c.sheets).where(*here(scoring, place))).scalar_one_or_none()
    return found is not None and sheet_commit in found


def sheet_documents(conn: Connection, place: Place) -> list[tuple[str, int, bytes]]:
    """Return seat, version and bytes of every sheet that this transaction may see."""
    query = select(score_sheet.c.seat, score_sheet.c.version, score_sheet.c.bytes).where(*here(score_sheet, place))
    rows = conn.execute(query.order_by(score_sheet.c.seat, score_sheet.c.version))
    return [(row.seat, row.version, bytes(row.bytes)) for row in rows]


def newest_sheet(conn: Connection, place: Place, seat: str) -> bytes | None:
    """Return the newest sheet that a seat has handed in, as far as this transaction may see it."""
    return next((raw for name, _, raw in reversed(sheet_documents(conn, place)) if name == seat), None)


def opened_sheet(conn: Connection, place: Place, seat: str) -> bytes | None:
    """Return the newest sheet of a seat that has been open, even if scores are closed again."""
    own = [raw for name, _, raw in sheet_documents(conn, place) if name == seat]
    return next((raw for raw in reversed(own) if was_opened(conn, place, sha256_hex(raw))), None)


def renewals_of(conn: Connection, place: Place) -> list[RenewalRow]:
    """Return who has asked to score again, by seat and version."""
    query = select(sheet_renewal).where(*here(sheet_renewal, place))
    rows = conn.execute(query.order_by(sheet_renewal.c.seat, sheet_renewal.c.version))
    return [RenewalRow(seat=row.seat, version=row.version, reason=row.reason, answer=row.answer) for row in rows]


def recheck_explanations(conn: Connection, place: Place) -> dict[tuple[str, str, str], str]:
    """Return the explanations of unusual scores: (bid, criterion, seat) → words."""
    query = select(recheck_explanation).where(*here(recheck_explanation, place))
    return {(row.bid_reference, row.criterion, row.seat): row.reason for row in conn.execute(query)}
