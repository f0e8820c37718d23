"""Pages of the ceremony: the desk of its people, and what a custodian's agent has done."""

from trading.openings.views import on_the_spot  # registers its pages
from trading.openings.views.ceremony import blueprint

__all__ = ["blueprint", "on_the_spot"]
