"""Explicit list of the pages and API resources of the web process. No discovery by magic (architecture 2).

What every process shares (kinds of records, errands, the runtime) is listed in ``trading.assembly``.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from trading.audit.views import blueprint as log_pages
from trading.notices.views import blueprint as notice_pages
from trading.web.health import blueprint as health
from trading.web.help import blueprint as help_pages

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (health, help_pages, log_pages, notice_pages)
