"""Errands of openings."""

from __future__ import annotations

from trading.openings.service import advance

ERRANDS = {"openings.advance": advance.run}
