"""What a browser needs to recompute seed, tickets and order of every attempt: exact documents and the trail (ED1 D15).

Everything here is public after the award (D11) and stands in the bundle of the draw, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from trading.experts import queries
from trading.experts.queries import DrawRow, StepRow
from trading.experts.rules.disclosed import LEAVES
from trading.experts.rules.finals import make_seed
from trading.experts.rules.pool import Stratum
from trading.experts.service.attempts import outcomes_of, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProof:
    """One attempt that got a seed.

    Attributes:
        number: Of the attempt.
        spec: ``ed1.spec``, its exact text.
        final: ``ed1.final``, its exact text.
        revealed: (party, r in hex) of every valid contribution.
        seed: As recorded, in hex.
        strata: Of the spec.
        trail: Every call and disposition, in the order of the log.
        result: The last ``ed1.result``, its exact text; empty for an attempt that ended without one.
        leaves: ``mb.draw-leaves``, the opened places of everybody whom a result seated; empty without a result.
    """

    number: int
    spec: str
    final: str
    revealed: tuple[tuple[str, str], ...]
    seed: str
    strata: tuple[Stratum, ...]
    trail: tuple[StepRow, ...]
    result: str = ""
    leaves: str = ""


def proofs_of(conn: Connection, rows: Iterable[DrawRow]) -> tuple[AttemptProof, ...]:
    """Return the proofs of the attempts that got a seed, in their order; the caller knows that they are public."""
    seeded = sorted((row for row in rows if row.seed is not None), key=lambda row: row.attempt)
    return tuple(_proof(conn, row) for row in seeded)


def _proof(conn: Connection, row: DrawRow) -> AttemptProof:
    spec, outcomes = spec_of(conn, row), outcomes_of(conn, row)
    made, papers = make_seed(spec, outcomes), queries.papers(conn, row.draw)
    return AttemptProof(
        number=row.attempt,
        spec=spec.raw.decode(),
        final=made.final.raw.decode(),
        revealed=tuple((item.party, item.r.hex()) for item in outcomes if item.valid and item.r is not None),
        seed=(row.seed or b"").hex(),
        strata=spec.strata,
        trail=tuple(queries.steps(conn, row.draw, row.attempt)),
        result=_text(queries.signed_document(conn, row.result_sha256).doc if row.result_sha256 else b""),
        leaves=_text(*(each.doc for each in papers if each.typ == LEAVES.typ and each.attempt == row.attempt)),
    )


def _text(*documents: bytes) -> str:
    return documents[-1].decode() if documents else ""
