"""What a bundle of a draw opens besides its documents: leaves of the selected, and the keys for the auditor (ED1 D11).

Both are unsigned: commitments in the signed spec and in the log bind every value. Layout: docs/bundle-format.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.experts.rules import fields as ed1
from trading.experts.rules.pool import OpenedLeaf
from trading.experts.rules.spec import Spec
from trading.kernel import fields


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedReason:
    """The reason of the disposition at log index ``n``, with the salt of its commitment."""

    n: int
    reason: str
    salt: bytes


#: So many exclusions stand in one document: each takes at most 64 bytes of the 1 MiB of P12.
AT_ONCE: Final = 15_000
#: A pool of ``ed1.MAX_POOL`` has no more parts.
MOST_PARTS: Final = 1_000
_OF_ATTEMPT: Final = {"attempt": ed1.attempt_number, "draw": ed1.draw_id, "spec_sha256": fields.digest}
LEAVES: Final = fields.Table(
    "mb.draw-leaves",
    {
        **_OF_ATTEMPT,
        "leaves": fields.sorted_by(
            lambda row: row["index"],
            fields.record(
                {
                    "attrs": fields.text,
                    "index": ed1.pool_index,
                    "proof": fields.array(ed1.bytes32),
                    "salt": ed1.bytes32,
                }
            ),
        ),
    },
)
_EXCLUDED: Final = fields.sorted_by(
    lambda row: row["index"], fields.record({"index": ed1.pool_index, "reason": ed1.reason_code})
)
KEYS: Final = fields.Table(
    "mb.draw-keys",
    {
        **_OF_ATTEMPT,
        "exclusions": _EXCLUDED,
        "k_draw": ed1.bytes32,
        "k_x": ed1.bytes32,
        "reasons": fields.sorted_by(
            lambda row: row["n"],
            fields.record({"n": fields.integer(0), "reason": ed1.reason_code, "salt": ed1.bytes32}),
        ),
        "parts": fields.integer(1, MOST_PARTS),
    },
    optional=frozenset({"parts"}),
)
EXCLUSIONS: Final = fields.Table(
    "mb.draw-exclusions",
    {**_OF_ATTEMPT, "exclusions": _EXCLUDED, "part": fields.integer(1, MOST_PARTS)},
)


def make_leaves(spec: Spec, leaves: Iterable[OpenedLeaf]) -> bytes:
    """Return ``mb.draw-leaves``: one opened leaf for each index that any result of the attempt selected."""
    rows = [
        {
            "attrs": leaf.attrs.decode("ascii"),
            "index": leaf.index,
            "proof": [item.hex() for item in leaf.proof],
            "salt": leaf.salt.hex(),
        }
        for leaf in sorted(leaves, key=lambda leaf: leaf.index)
    ]
    return LEAVES.write({**_of(spec), "leaves": rows})


def make_keys(
    spec: Spec, k_draw: bytes, k_x: bytes, exclusions: Mapping[int, str], reasons: Iterable[OpenedReason]
) -> list[bytes]:
    """Return ``mb.draw-keys``, for auditors after the result: both keys, the exclusions, the reasons given.

    Exclusions beyond ``AT_ONCE`` follow by index in documents ``mb.draw-exclusions``, numbered from 1 to ``parts``.
    """
    opened = sorted(reasons, key=lambda item: item.n)
    rows = [{"index": index, "reason": exclusions[index]} for index in sorted(exclusions)]
    first, *further = [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)] or [[]]
    keys = KEYS.write(
        {
            **_of(spec),
            **({"parts": len(further)} if further else {}),
            "exclusions": first,
            "k_draw": k_draw.hex(),
            "k_x": k_x.hex(),
            "reasons": [{"n": item.n, "reason": item.reason, "salt": item.salt.hex()} for item in opened],
        }
    )
    parts = enumerate(further, 1)
    return [keys, *(EXCLUSIONS.write({**_of(spec), "exclusions": listed, "part": part}) for part, listed in parts)]


def _of(spec: Spec) -> dict[str, Any]:
    return {"attempt": spec.attempt, "draw": spec.draw, "spec_sha256": spec.sha256}
