"""How an attempt ends: ``ed1.result`` or ``ed1.cancel``, and which attempt may follow which (ED1 D10, D13)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document
from trading.experts.rules import fields as ed1
from trading.experts.rules.spec import Spec
from trading.experts.rules.walk import Seat, Walk, trail_root
from trading.kernel import fields
from trading.kernel.errors import RuleBroken

TOO_FEW_VALID: Final = "too_few_valid"
UNRECOVERABLE: Final = "unrecoverable"
BEACON_LATE: Final = "beacon_late"
#: The procedure has ended; no further attempt.
STOPPED: Final = "stopped"
#: The causes after the seal, each recomputable; everything else would be a re-roll with two signatures.
AFTER_SEAL: Final = frozenset({TOO_FEW_VALID, UNRECOVERABLE, BEACON_LATE, STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Document):
    """``ed1.result``: who was selected, and the trail that led there."""

    attempt: int
    draw: str
    selected: tuple[Seat, ...]
    seed: bytes
    seq: int
    spec_sha256: str
    supersedes: str | None
    trail_root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Document):
    """``ed1.cancel``."""

    attempt: int
    created: int
    draw: str
    reason: str
    spec_sha256: str


RESULT: Final = fields.Table(
    "ed1.result",
    {
        "attempt": ed1.attempt_number,
        "draw": ed1.draw_id,
        "selected": fields.sorted_by(
            lambda seat: (seat.stratum, seat.index),
            fields.record({"index": ed1.pool_index, "stratum": ed1.stratum_id}, Seat),
        ),
        "seed": ed1.bytes32,
        "seq": fields.integer(1),
        "spec_sha256": fields.digest,
        "supersedes": fields.nullable(fields.digest),
        "trail_root": ed1.bytes32,
    },
)
CANCEL: Final = fields.Table(
    "ed1.cancel",
    {
        "attempt": ed1.attempt_number,
        "created": fields.instant,
        "draw": ed1.draw_id,
        "reason": ed1.reason_code,
        "spec_sha256": fields.digest,
    },
)


def parse_result(raw: bytes) -> Result:
    """Admit a result; raises ``InvalidInput`` with a code of P11."""
    return Result(raw=raw, **RESULT.read(raw))


def parse_cancel(raw: bytes) -> Cancel:
    """Admit a cancellation; raises ``InvalidInput`` with a code of P11."""
    return Cancel(raw=raw, **CANCEL.read(raw))


def make_result(walk: Walk, seed: bytes, hashes: Sequence[bytes], before: Result | None = None) -> bytes:
    """Return the result of a finished walk.

    Args:
        walk: The walk.
        seed: Of the attempt.
        hashes: h of all its call and disposition entries, in log order.
        before: The result that this one supersedes after a replacement.

    Raises:
        RuleBroken: ``draw.unfinished``: a stratum is open or a call pending.
    """
    if not walk.finished:
        raise RuleBroken("draw.unfinished", "ED1 D10", pending=list(walk.pending))
    return RESULT.write(
        {
            "attempt": walk.spec.attempt,
            "draw": walk.spec.draw,
            "selected": [seat.to_json() for seat in walk.selected],
            "seed": seed.hex(),
            "seq": 1 if before is None else before.seq + 1,
            "spec_sha256": walk.spec.sha256,
            "supersedes": None if before is None else before.sha256,
            "trail_root": trail_root(hashes).hex(),
        }
    )


def make_cancel(spec: Spec, reason: str, *, created: int, sealed: bool, holds: bool = False) -> bytes:
    """Return the cancellation of an attempt.

    Args:
        spec: The attempt.
        reason: A code; after the seal one of ``AFTER_SEAL``.
        created: Instant, ms.
        sealed: Whether ``draw.sealed`` is logged.
        holds: After the seal: whether the caller has recomputed that the cause applies.

    Raises:
        RuleBroken: ``draw.reroll``: after the seal without such a cause.
    """
    if sealed and (reason not in AFTER_SEAL or not holds):
        raise RuleBroken("draw.reroll", "ED1 D13", reason=reason)
    return CANCEL.write(
        {
            "attempt": spec.attempt,
            "created": created,
            "draw": spec.draw,
            "reason": reason,
            "spec_sha256": spec.sha256,
        }
    )


def is_incomplete(result: Result, spec: Spec) -> bool:
    """Return whether a stratum has fewer than it needs; its open seats are filled as D10 says, never by a re-roll."""
    chosen = [seat.stratum for seat in result.selected]
    return any(chosen.count(item.id) < item.need for item in spec.strata)


def require_next_attempt(
    spec: Spec,
    before: Spec | None,
    ended: Cancel | Result | None,
    *,
    sealed: bool,
    specs: Collection[str] = (),
) -> None:
    """Check that an attempt follows the one before it (D5, D13).

    Args:
        spec: The new attempt.
        before: The attempt before it, or the last one of a former committee of the procedure; None: there is none.
        ended: How that ended; its last result, or its cancellation.
        sealed: Whether the former attempt was sealed.
        specs: Hashes of other specs of the same draw and attempt.

    Raises:
        RuleBroken: ``draw.spec_fork``, ``draw.attempt_hidden`` or ``draw.reroll``.
    """
    if set(specs) - {spec.sha256}:
        raise RuleBroken("draw.spec_fork", "ED1 D13", specs=sorted(specs))
    if (spec.previous is None) != (before is None) or (ended is not None and spec.previous != ended.sha256):
        raise RuleBroken("draw.attempt_hidden", "ED1 D13")
    if before is None:
        return
    expected = before.attempt + 1 if spec.draw == before.draw else 1
    if ended is None or spec.attempt != expected:
        raise RuleBroken("draw.attempt_hidden", "ED1 D13")
    if isinstance(ended, Cancel):
        if sealed and ended.reason not in AFTER_SEAL - {STOPPED}:
            raise RuleBroken("draw.reroll", "ED1 D13", reason=ended.reason)
    elif spec.draw == before.draw and not is_incomplete(ended, before):
        raise RuleBroken("draw.reroll", "ED1 D13", reason="complete")
