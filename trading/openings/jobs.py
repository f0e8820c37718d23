"""Errands of openings."""

from __future__ import annotations

from trading.openings.service import advance, unopened

ERRANDS = {"openings.advance": advance.run, "openings.non_release": unopened.ask}
