"""The final document and the seed (ED1 D8): a hash over everything fixed before the first unknown bit, and every r."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document
from trading.experts.rules import fields as ed1
from trading.experts.rules.reveals import Outcome
from trading.experts.rules.spec import Spec
from trading.kernel import fields
from trading.kernel.digests import ED1_SEED, tuple_hash
from trading.kernel.errors import RuleBroken

_RULE: Final = "ED1 D8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One valid contribution."""

    commit: bytes
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalDocument(Document):
    """``ed1.final``: derived, unsigned."""

    commits: tuple[Committed, ...]
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """The end of the randomness: final document, seed, and who was void."""

    final: FinalDocument
    seed: bytes
    void: tuple[str, ...]


FINAL: Final = fields.Table(
    "ed1.final",
    {
        "commits": fields.sorted_by(
            lambda item: item.party, fields.record({"commit": ed1.bytes32, "party": ed1.party_id}, Committed)
        ),
        "spec_sha256": fields.digest,
    },
)


def parse_final(raw: bytes) -> FinalDocument:
    """Admit a final document; raises ``InvalidInput`` with a code of P11."""
    return FinalDocument(raw=raw, **FINAL.read(raw))


def make_seed(spec: Spec, outcomes: Sequence[Outcome], beacon: bytes | None = None) -> Seeded:
    """Return final document and seed.

    Args:
        spec: The attempt.
        outcomes: One for each listed contribution, each revealed or recovered.
        beacon: The bytes of the round that the spec names; None iff it names none.

    Raises:
        RuleBroken: ``draw.unrevealed`` (an r is still missing), ``draw.too_few_valid`` (the attempt is cancelled),
            ``draw.beacon`` (missing although named, or given although not).
    """
    missing = [item.party for item in outcomes if item.r is None]
    if missing:
        raise RuleBroken("draw.unrevealed", "ED1 D7", parties=missing)
    if (beacon is None) != (spec.beacon is None):
        raise RuleBroken("draw.beacon", _RULE)
    valid = sorted((item for item in outcomes if item.valid), key=lambda item: item.party)
    if len(valid) < spec.min_valid:
        raise RuleBroken("draw.too_few_valid", "ED1 D7", valid=len(valid), min_valid=spec.min_valid)
    commits = [{"commit": item.commit.hex(), "party": item.party} for item in valid]
    final = parse_final(FINAL.write({"commits": commits, "spec_sha256": spec.sha256}))
    return Seeded(
        final=final,
        seed=seed(final, [item.r for item in valid if item.r is not None], beacon),
        void=tuple(sorted(item.party for item in outcomes if not item.valid)),
    )


def seed(final: FinalDocument, rs: Sequence[bytes], beacon: bytes | None = None) -> bytes:
    """Return the seed; ``rs`` in the order of ``final.commits``."""
    return tuple_hash(ED1_SEED, final.raw, *rs, *(() if beacon is None else (beacon,)))
