"""The article under which a step of a procedure is recorded, by the law that the procedure runs under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trading.rulebook.keys import Regime

_GROUNDS: Final[Mapping[str, Mapping[Regime, str]]] = {
    "award.determined": {Regime.GP: "政府采购法实施条例 43", Regime.TL: "招标投标法实施条例 55"},
    "contract.published": {Regime.GP: "政府采购法实施条例 50"},
    "failure.published": {Regime.GP: "政府采购法 36", Regime.TL: "招标投标法实施条例 44"},
    "lot.failed": {Regime.GP: "政府采购法 36", Regime.TL: "招标投标法实施条例 44"},
    "procedure.amended": {Regime.GP: "政府采购法实施条例 31", Regime.TL: "招标投标法实施条例 21"},
    "procedure.cancelled": {Regime.GP: "政府采购法 36", Regime.TL: "招标投标法实施条例 31"},
    "result.published": {Regime.GP: "政府采购法实施条例 43", Regime.TL: "招标投标法 45"},
    "tender.changed": {Regime.GP: "政府采购法实施条例 31", Regime.TL: "招标投标法实施条例 21"},
    "tender.published": {Regime.GP: "政府采购法 35", Regime.TL: "招标投标法 24"},
}


def ground(kind: str, regime: str) -> str | None:
    """Return the article of a record of this kind, or None where that law has none; ``KeyError`` is a bug."""
    return _GROUNDS[kind].get(Regime(regime))
