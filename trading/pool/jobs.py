"""Errands of the pool."""

from __future__ import annotations

from trading.pool.service import imports, upkeep

ERRANDS = {imports.ERRAND: imports.run, upkeep.LAPSE: upkeep.lapse}
