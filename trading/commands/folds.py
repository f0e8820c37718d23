"""What ``mingbiao verify-audit`` replays: the folds and tables that the packages declare. No discovery by magic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trading.audit.replay import Compare, Fold, Replayed

FOLDS: Final[Mapping[str, Fold]] = {}
REPLAYED: Final[tuple[Replayed, ...]] = ()
COMPARES: Final[tuple[Compare, ...]] = ()
