"""Pages of the agency's desk. Every change is a plain form post; only signing needs the script of the browser."""

from __future__ import annotations

from trading.agency.views import contracts, corrections, dates, drafts, files, lots, notices, procedures, review
from trading.agency.views.blueprint import blueprint

__all__ = [
    "blueprint",
    "contracts",
    "corrections",
    "dates",
    "drafts",
    "files",
    "lots",
    "notices",
    "procedures",
    "review",
]
