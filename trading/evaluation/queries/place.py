"""How rows of one lot and stage are found."""

from __future__ import annotations

from typing import Any

from trading.openings.model import Place


def here(table: Any, place: Place) -> tuple[Any, ...]:  # noqa: ANN401 - a table with these columns
    """Return the conditions that a row belongs to a lot and stage."""
    columns = table.c
    return columns.procedure_id == place.procedure_id, columns.lot == place.lot, columns.stage == place.stage
