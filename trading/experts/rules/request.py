"""``mb.draw-request``: with which custodians, contributors and windows the centre begins a draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.experts.rules import fields as ed1
from trading.kernel import fields


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRequest:
    """The centre's choices before anything random exists; lengths of time in ms."""

    raw: bytes
    call_ms: int
    commit_ms: int
    created: int
    custodians: tuple[str, ...]  # kids of the institutions' signing keys
    draw: str
    k: int
    parties: tuple[str, ...]  # kids of the contributors' keys
    reveal_ms: int
    tender: str


_KIDS: Final = fields.sorted_by(fields.itself, fields.digest, least=3, most=ed1.MAX_CUSTODIANS)
REQUEST: Final = fields.Table(
    "mb.draw-request",
    {
        "call_ms": fields.integer(1),
        "commit_ms": fields.duration,
        "created": fields.instant,
        "custodians": _KIDS,
        "draw": ed1.draw_id,
        "k": fields.integer(2, ed1.MAX_CUSTODIANS),
        "parties": _KIDS,
        "reveal_ms": fields.duration,
        "tender": fields.text,
    },
)


def parse_request(raw: bytes) -> DrawRequest:
    """Parse a request; raises ``InvalidInput`` ``doc.…``."""
    return DrawRequest(raw=raw, **REQUEST.read(raw))


def write_request(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a request.

    Raises:
        ValueError: The body does not fit the table. A bug.
    """
    return REQUEST.write(body)
