"""Pages of an evaluation: the room of a procedure, the agency's examination, the member's votes, sheets and report."""

from __future__ import annotations

from trading.evaluation.views import agency, desk, files, member, pausing, report, room, signing
from trading.evaluation.views.blueprint import blueprint

__all__ = ["agency", "blueprint", "desk", "files", "member", "pausing", "report", "room", "signing"]
