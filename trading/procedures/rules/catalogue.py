"""Which kinds of procedure exist, and under which editions: (code, edition) to one frozen kind."""

from __future__ import annotations

from typing import Final

from trading.kernel.errors import NotFound
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.kinds.request_for_quotation import REQUEST_FOR_QUOTATION
from trading.procedures.rules.kinds.works_tender_tl import WORKS_TENDER_TL
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.rulebook.model import Edition

KINDS: Final = (OPEN_TENDER_GP, WORKS_TENDER_TL, REQUEST_FOR_QUOTATION)
_BY_CODE: Final = {kind.code: kind for kind in KINDS}


def kind_of(code: str, edition: Edition) -> ProcedureKind:
    """Return the kind called ``code``, if the edition has the numbers that it reads.

    Raises:
        NotFound: There is no such kind, or it did not exist in law on the day of the edition.
    """
    kind = _BY_CODE.get(code)
    if kind is not None:
        competition, periods = kind.competition, kind.periods
        keys = (competition.minimum, competition.recount, periods.preparation, periods.supply, periods.lead)
        if all(edition.has(key, kind.regime) for key in keys):
            return kind
    raise NotFound(f"kind {code} under edition {edition.id}")


def stages_of(code: str) -> tuple[str, ...]:
    """Return the stages in which bids of a kind are opened, under any edition; none for an unknown kind."""
    return next((kind.submission.stages for kind in KINDS if kind.code == code), ())
