"""Pages of an evaluation: the room of a procedure, the agency's examination, the member's votes, sheets and report."""

from __future__ import annotations

from trading.evaluation.views import agency, files, member, pausing, report, room
from trading.evaluation.views.blueprint import blueprint

__all__ = ["agency", "blueprint", "files", "member", "pausing", "report", "room"]
