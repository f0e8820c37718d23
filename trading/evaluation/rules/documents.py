"""Documents of the evaluation: ``mb.score-sheet`` of one member and lot, ``mb.evaluation-report`` of the committee.

Both are derived by the platform and signed by the members' second factor; the record names their SHA-256. A sheet holds
a random salt, so that the commitment recorded at its signing says nothing about the scores before all have signed.
The report says what 87-58 wants (B10.7) in values; members stand in it by their seats, whose names are published with
the result (EXP-14).
"""

from __future__ import annotations

from typing import Any, Final

from trading.kernel.fields import (
    Table,
    array,
    decimal,
    digest,
    instant,
    integer,
    itself,
    matching,
    nullable,
    record,
    sorted_by,
    text,
)


def _bid(item: dict[str, Any]) -> str:
    return str(item["bid"])


_SCORE: Final = record({"comment": nullable(text), "criterion": text, "points": decimal})
SHEET: Final = Table(
    "mb.score-sheet",
    {
        "items": sorted_by(_bid, record({"bid": text, "scores": array(_SCORE)})),
        "lot": text,
        "reason": nullable(text),
        "salt": matching(r"[0-9a-f]{64}"),
        "seat": text,
        "stage": text,
        "tender": text,
        "version": integer(1),
    },
)

_UNITS: Final = record({"id": text, "units": decimal})
_FINDING: Final = record(
    {
        "bid": text,
        "deviations": array(_UNITS),
        "outcome": text,
        "preference": nullable(text),
        "reason": nullable(text),
        "step": text,
    },
    optional=frozenset({"deviations"}),
)
_DOUBT: Final = record(
    {
        "bid": text,
        "criterion": text,
        "expected": nullable(text),
        "explanation": nullable(text),
        "found": text,
        "ground": text,
        "seat": nullable(text),
    }
)
_LINE: Final = record(
    {
        "bid": text,
        "bidder": text,
        "evaluated_price": integer(),
        "deviations": array(_UNITS),
        "preference": nullable(text),
        "price": integer(),
        "price_points": text,
        "rank": nullable(integer(1)),
        "reason": nullable(text),
        "score": nullable(text),
        "scores": nullable(array(record({"criterion": text, "sum": decimal}))),
    },
    optional=frozenset({"deviations", "price_points"}),  # of methods alone that have them (MET-05, MET-06)
)
_LOT: Final = record(
    {
        "doubts": array(_DOUBT),
        "failure": nullable(text),
        "findings": array(_FINDING),
        "items": sorted_by(_bid, _LINE),
        "lot": text,
        "method": text,
        "sheets": array(digest),
        "stage": text,
    }
)


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["lot"], item["stage"]


REPORT: Final = Table(
    "mb.evaluation-report",
    {
        "drafted_at": instant,
        "edition_sha256": digest,
        "lots": sorted_by(_place, _LOT),
        "number": integer(1),
        "replaced": array(record({"by": text, "reason": text, "seat": text})),
        "seats": sorted_by(itself, text),
        "tender": text,
    },
)
