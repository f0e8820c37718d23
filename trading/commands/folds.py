"""What ``mingbiao verify-audit`` replays: the folds and tables that the packages declare. No discovery by magic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trading.accounts import folds as accounts
from trading.audit.replay import Compare, Fold, Replayed, State
from trading.awards import folds as awards
from trading.bids import folds as bids
from trading.clarifications import folds as clarifications
from trading.contracts import folds as contracts
from trading.custody import folds as custody
from trading.disclosure import folds as disclosure
from trading.documents import folds as documents
from trading.evaluation import folds as evaluation
from trading.experts import folds as experts
from trading.notices import folds as notices
from trading.openings import folds as openings
from trading.parties import folds as parties
from trading.pool import folds as pool
from trading.procedures import folds as procedures

_PACKAGES: Final = (
    *(documents, parties, accounts, custody, procedures, notices, bids),
    *(clarifications, openings, experts, pool, evaluation, awards, contracts),
    disclosure,
)


def _merged(tables: Iterable[Mapping[str, Fold]]) -> dict[str, Fold]:
    """Return one fold a kind that applies those of every package, in the order of the trade."""
    lists: dict[str, list[Fold]] = {}
    for table in tables:
        for kind, fold in table.items():
            lists.setdefault(kind, []).append(fold)
    return {kind: _all_of(folds) for kind, folds in lists.items()}


def _all_of(folds: list[Fold]) -> Fold:
    def apply(state: State, record: Mapping[str, Any]) -> None:
        for fold in folds:
            fold(state, record)

    return apply


FOLDS: Final[Mapping[str, Fold]] = _merged(package.FOLDS for package in _PACKAGES)
REPLAYED: Final[tuple[Replayed, ...]] = tuple(table for package in _PACKAGES for table in package.REPLAYED)
COMPARES: Final[tuple[Compare, ...]] = (
    *documents.COMPARE,
    *parties.COMPARE,
    *custody.COMPARE,
    *procedures.COMPARE,
    *notices.COMPARE,
    *bids.COMPARE,
    *clarifications.COMPARE,
    *openings.COMPARE,
    *experts.COMPARE,
    *evaluation.COMPARE,
)
