"""Pages of the pool: the applicant's, the regulator's, the keeper's."""

from __future__ import annotations

from trading.pool.views.applicant import blueprint as applicant_pages
from trading.pool.views.appraising import blueprint as appraisal_pages
from trading.pool.views.authority import blueprint as authority_pages
from trading.pool.views.keeper import blueprint as keeper_pages

__all__ = ["applicant_pages", "appraisal_pages", "authority_pages", "keeper_pages"]
