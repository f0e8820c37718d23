"""Errands of awards."""

from __future__ import annotations

from trading.awards import service

ERRANDS = {"awards.deem": service.deem}
