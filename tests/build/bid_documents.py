"""Documents of one lot for tests, built from the protocol vectors and freely varied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trading.bids.rules.context import BidContext
from trading.kernel import canonical

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "protocols.json").read_text())
POLICY: dict[str, Any] = json.loads(VECTORS["sb1_open"]["policy"])
ENVELOPE: dict[str, Any] = json.loads(VECTORS["sb1_open"]["envelope"])
CUSTODIAN_KEY: dict[str, Any] = json.loads(VECTORS["sb1_ceremony"]["custodian_key"])
SCHEDULE: dict[str, Any] = {
    "cause": None,
    "close": 1_750_000_000_000,
    "evidence": [],
    "extension_rule": {
        "extend_ms": 7_200_000,
        "look_back_ms": 7_200_000,
        "min_outage_ms": 600_000,
        "triggers": ["clock", "outage", "refusal"],
    },
    "factor_window_ms": 1_800_000,
    "intake": None,
    "lot": "1",
    "objection_ms": 600_000,
    "release_window_ms": 900_000,
    "rescue_ms": 900_000,
    "seq": 1,
    "share_check_ms": 600_000,
    "stage": "price",
    "supersedes": None,
    "tender": "T-1",
    "typ": "mb.schedule",
    "v": 1,
}
CONTEXT = BidContext(
    bid="b-1",
    bidder="91310000XXXX",
    bidder_kid="0" * 64,
    lot="1",
    policy_sha256="1" * 64,
    seq=1,
    stage="all",
    tender="T-1",
)


def raw(document: dict[str, Any], **changes: object) -> bytes:
    """Return canonical bytes of a document with some fields changed."""
    return canonical.dumps({**document, **changes})


def without(document: dict[str, Any], name: str) -> bytes:
    """Return canonical bytes of a document without one field."""
    return canonical.dumps({key: value for key, value in document.items() if key != name})
