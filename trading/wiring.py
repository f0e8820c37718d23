"""Explicit lists of what the packages declare: pages, kinds of records. No discovery by magic (architecture 2)."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from trading.audit import model as audit
from trading.audit.views import blueprint as log_pages
from trading.awards import model as awards
from trading.bids import model as bids
from trading.custody import model as custody
from trading.evaluation import model as evaluation
from trading.kernel.events import EventKind
from trading.notices import model as notices
from trading.notices.views import blueprint as notice_pages
from trading.openings import model as openings
from trading.parties import model as parties
from trading.procedures import model as procedures
from trading.web.health import blueprint as health
from trading.web.help import blueprint as help_pages

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (health, help_pages, log_pages, notice_pages)

EVENTS: Final[tuple[EventKind, ...]] = (
    *audit.EVENTS,
    *parties.EVENTS,
    *procedures.EVENTS,
    *custody.EVENTS,
    *bids.EVENTS,
    *openings.EVENTS,
    *evaluation.EVENTS,
    *awards.EVENTS,
    *notices.EVENTS,
)
