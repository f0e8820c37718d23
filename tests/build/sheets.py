"""The golden sheet: what a member types, and the bytes and digest that program and browser both make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.build.scores import CRITERIA
from trading.evaluation.rules.commitment import Heading, MadeSheet, make_sheet
from trading.evaluation.rules.sheets import Score, check_sheet, scored

FILE: Final = Path(__file__).parents[1] / "vectors" / "sheets.json"
SALT: Final = bytes(range(32))
CELLS: Final = {
    "b-2m7k9d4x": {"warranty": ("5", ""), "plan": ("30.50", "  工期清楚，“三批”供货\t")},
    "b-11a": {"warranty": ("10.0", "see § 3"), "plan": ("0", 'quote " and \\ and \u0007')},
}
REASON: Final = " I had overlooked the annex. "


def typed() -> dict[str, dict[str, Score]]:
    return {
        bid: {name: Score(points=points, comment=comment or None) for name, (points, comment) in row.items()}
        for bid, row in CELLS.items()
    }


def made() -> MadeSheet:
    heading = Heading(
        tender="T-2026-7k3m9q2d", lot="1", stage="all", seat="m-6t1v3n8ryc0e", version=2, reason=REASON.strip()
    )
    return make_sheet(heading, check_sheet(CRITERIA, list(CELLS), typed()), SALT)


def vector() -> dict[str, Any]:
    """Return the file: ``task`` and ``cells`` as the page has them, ``reason``, ``salt``, then what both must make."""
    sheet = made()
    return {
        "task": {
            "tender": "T-2026-7k3m9q2d",
            "lot": "1",
            "stage": "all",
            "seat": "m-6t1v3n8ryc0e",
            "version": 2,
            "changes": True,
            "bids": sorted(CELLS),
            "criteria": [
                {
                    "id": each.id,
                    "kind": each.kind.value,
                    "max": each.max,
                    "step": each.step,
                    "bands": [band.points for band in each.bands or ()],
                }
                for each in scored(CRITERIA)
            ],
            "kept": {},
            "own": {},
        },
        "cells": {
            bid: {name: {"points": points, "comment": comment} for name, (points, comment) in row.items()}
            for bid, row in CELLS.items()
        },
        "reason": REASON,
        "salt": SALT.hex(),
        "document": sheet.raw.decode(),
        "sha256": sheet.commit,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vector(), ensure_ascii=False, indent=1) + "\n")
