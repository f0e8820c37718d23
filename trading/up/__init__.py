"""``mingbiao up``: the whole platform on one machine, its servers included (ADR 0027)."""

from __future__ import annotations

from trading.up.platform import Platform

__all__ = ["Platform"]
