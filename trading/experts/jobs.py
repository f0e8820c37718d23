"""Errands of experts and draws."""

from __future__ import annotations

from trading.experts.service import advance, register

ERRANDS = {"experts.advance": advance.run, "experts.snapshot": register.take_snapshot}
