"""From which share of mean, second lowest quote and ceiling on a price must be explained, if the documents raise it.

财库〔2026〕2号 (B10.3): the edition's shares hold unless the buyer raises them in the documents, up to the edition's
maximum, which is itself lawful. None of them may be lowered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from trading.kernel.errors import RuleBroken
from trading.procedures.rules.criteria import FULL_SCORE, decimal_of
from trading.procedures.rules.fields import Fields
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

_PERCENT: Final = re.compile(r"[1-9][0-9]?(\.[0-9]?[1-9])?\Z")
_KEYS: Final = {
    "mean": Key.ABNORMAL_LOW_OF_MEAN,
    "second_lowest": Key.ABNORMAL_LOW_OF_SECOND,
    "ceiling": Key.ABNORMAL_LOW_OF_CEILING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AbnormalShares:
    """k1 of the mean, k2 of the second lowest quote, k3 of the ceiling: per cent as decimal strings."""

    mean: str
    second_lowest: str
    ceiling: str

    def to_json(self) -> dict[str, str]:
        """Return the object as it stands in specifications and notices."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_abnormal(fields: Fields) -> AbnormalShares | None:
    """Read ``abnormal`` of a lot; null or absent: the shares of the edition hold."""
    if fields.empty("abnormal"):
        return None
    child = fields.child("abnormal")
    return AbnormalShares(**{name: child.text(name, 5, _PERCENT) or "1" for name in AbnormalShares.__slots__})


def share_of(shares: AbnormalShares | None, name: str, edition: Edition, regime: Regime) -> Fraction:
    """Return the share that holds for ``mean``, ``second_lowest`` or ``ceiling``, as an exact fraction of one."""
    if shares is None:
        return edition.fraction(_KEYS[name], regime)
    return Fraction(getattr(shares, name)) / FULL_SCORE


def require_lawful_shares(shares: AbnormalShares, edition: Edition, regime: Regime) -> None:
    """Refuse a share below that of the edition or above its maximum; both bounds are lawful.

    Raises:
        RuleBroken: ``abnormal.out_of_range`` (B10.3) with ``least`` and ``most``; ``abnormal.unexpected`` (B10.3) where
            the edition has no such check.
    """
    if not edition.has(Key.ABNORMAL_LOW_CHECK, regime) or not edition.flag(Key.ABNORMAL_LOW_CHECK, regime):
        raise RuleBroken("abnormal.unexpected", "B10.3")
    most = edition.fraction(Key.ABNORMAL_LOW_MAX, regime)
    for name, key in _KEYS.items():
        least, share = edition.fraction(key, regime), share_of(shares, name, edition, regime)
        if not (least <= share and edition.allows(Key.ABNORMAL_LOW_MAX, regime, share * FULL_SCORE)):
            bounds = {"least": decimal_of(least * FULL_SCORE), "most": decimal_of(most * FULL_SCORE)}
            raise RuleBroken("abnormal.out_of_range", "B10.3", share=getattr(shares, name), **bounds)
