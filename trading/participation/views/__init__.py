"""Pages of the bidder's desk: my tenders, the workspace of one, its lots, the price form, sealing, the own log."""

from trading.participation.views import lots, practice, sealing, tenders  # noqa: F401 - they add their routes
from trading.participation.views.blueprint import blueprint

__all__ = ["blueprint"]
