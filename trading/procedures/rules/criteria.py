"""The criteria tree of a lot and its price preference, as the documents fix them before the first bid (DOC-11, DOC-15).

``read_criteria`` and ``read_preference`` check form only. What the law says about them is asked by
``require_lawful_tree`` and ``require_lawful_deduction``: points add up to 100 (MET-02), the price weighs enough
(87-55), objective criteria have intervals with matching scores (DOC-15), deductions lie in the lawful range (PRF-01).
Points and percentages are decimal strings in documents and exact fractions in arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from trading.kernel.errors import RuleBroken
from trading.procedures.rules.fields import Fields
from trading.procedures.rules.policies import Category, Method
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Compare, Edition

FULL_SCORE: Final = 100  # the scale of 87-55: weights are shares of it

_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_POINTS: Final = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{0,1}[1-9])?\Z")
_VALUE: Final = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{0,5}[1-9])?\Z")
_TITLE: Final = 200
_TEXT: Final = 4_000
_MOST_CRITERIA: Final = 60
_MOST_BANDS: Final = 40


class CriterionKind(StrEnum):
    """How a criterion is scored: by the formula, by intervals that leave no choice, or by judgement."""

    PRICE = "price"
    OBJECTIVE = "objective"
    SUBJECTIVE = "subjective"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One interval of an objective criterion: values from ``low``, below ``high`` (None: without end), give points."""

    low: str
    high: str | None
    points: str
    text_zh: str
    text_en: str

    def to_json(self) -> dict[str, Any]:
        """Return the object as it stands in specifications and notices."""
        texts = {"text_en": self.text_en, "text_zh": self.text_zh}
        return {"from": self.low, "points": self.points, "to": self.high, **texts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One line of the criteria tree. ``step`` is the grain of subjective points."""

    id: str
    kind: CriterionKind
    max: str
    step: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    bands: tuple[Band, ...]

    @property
    def most(self) -> Fraction:
        """The largest number of points."""
        return Fraction(self.max)

    def to_json(self) -> dict[str, Any]:
        """Return the object as it stands in specifications and notices."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in {"bands", "kind"}}
        return {**plain, "bands": [band.to_json() for band in self.bands], "kind": self.kind.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Deductions in per cent of the quote, which add up, each taken of the quote itself.

    For small or micro enterprises, for consortia or subcontracts with them, and for domestic products where others
    compete (None: the documents grant no such deduction).
    """

    small_micro: str
    consortium: str
    domestic: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return the object as it stands in specifications and notices."""
        plain = {"consortium": self.consortium, "small_micro": self.small_micro}
        return plain if self.domestic is None else {**plain, "domestic": self.domestic}


def read_criteria(fields: Fields) -> tuple[Criterion, ...] | None:
    """Read ``criteria`` of a lot: null or absent for a ranking by price, else its lines in their order."""
    if fields.empty("criteria"):
        return None
    found = tuple(_criterion(child) for child in fields.children("criteria", _MOST_CRITERIA))
    if len({criterion.id for criterion in found}) != len(found):
        fields.fail("criteria", "duplicate")
    return found


def _criterion(fields: Fields) -> Criterion:
    return Criterion(
        id=fields.text("id", 32, _ID),
        kind=fields.choice("kind", CriterionKind),
        max=fields.text("max", 6, _POINTS) or "0",
        step=fields.text("step", 6, _POINTS) or "0",
        title_zh=fields.text("title_zh", _TITLE),
        title_en=fields.text("title_en", _TITLE),
        text_zh=fields.text("text_zh", _TEXT),
        text_en=fields.text("text_en", _TEXT),
        bands=tuple(_band(child) for child in fields.children("bands", _MOST_BANDS, least=0)),
    )


def _band(fields: Fields) -> Band:
    return Band(
        low=fields.text("from", 20, _VALUE) or "0",
        high=None if fields.empty("to") else fields.text("to", 20, _VALUE) or "0",
        points=fields.text("points", 6, _POINTS) or "0",
        text_zh=fields.text("text_zh", _TITLE),
        text_en=fields.text("text_en", _TITLE),
    )


def read_preference(fields: Fields) -> Preference | None:
    """Read ``preference`` of a lot; null or absent: no deduction, as on a reserved lot (PRF-01)."""
    if fields.empty("preference"):
        return None
    child = fields.child("preference")
    return Preference(
        small_micro=child.text("small_micro", 6, _POINTS) or "0",
        consortium=child.text("consortium", 6, _POINTS) or "0",
        domestic=None if child.empty("domestic") else child.text("domestic", 6, _POINTS) or "0",
    )


def read_category(fields: Fields) -> Category:
    """Read ``category`` of a lot; absent means goods, as before lots could be services."""
    return fields.choice("category", Category) if fields.has("category") else Category.GOODS


def require_lawful_tree(
    criteria: Sequence[Criterion],
    category: Category,
    edition: Edition,
    regime: Regime,
    method: Method = Method.COMPREHENSIVE_SCORING,
) -> None:
    """Refuse a criteria tree that the documents must not contain.

    Raises:
        RuleBroken: ``criteria.sum``, ``criteria.one_price`` (rule of the method; quality first scores no price),
            ``criteria.price_weight`` (MET-02, MET-03), ``criteria.price_weight_high`` (MET-03; a weight equal to a
            bound is lawful), ``criteria.step``, ``criteria.bands``, ``criteria.bands_unexpected`` (DOC-15).
    """
    total = sum((criterion.most for criterion in criteria), Fraction(0))
    if total != FULL_SCORE:
        raise RuleBroken("criteria.sum", method.rule, total=decimal_of(total))
    prices = [criterion for criterion in criteria if criterion.kind is CriterionKind.PRICE]
    if len(prices) != (0 if method is Method.QUALITY_FIRST else 1):
        raise RuleBroken("criteria.one_price", method.rule, count=len(prices))
    for key in _WEIGHTS.get((method, category), ()):
        _require_weight(prices[0], key, edition, regime, method)
    for criterion in criteria:
        _require_scale(criterion)


def _require_weight(price: Criterion, key: Key, edition: Edition, regime: Regime, method: Method) -> None:
    if not edition.has(key, regime) or edition.allows(key, regime, price.most):
        return
    bound = decimal_of(edition.fraction(key, regime) * FULL_SCORE)
    if edition.row(key, regime).compare is Compare.AT_MOST:
        raise RuleBroken("criteria.price_weight_high", method.rule, weight=price.max, maximum=bound)
    raise RuleBroken("criteria.price_weight", method.rule, weight=price.max, minimum=bound)


# The bounds of the price's weight, by method and by what is bought; works and framework agreements have none.
_WEIGHTS: Final = {
    (Method.COMPREHENSIVE_SCORING, Category.GOODS): (Key.PRICE_WEIGHT_MIN_GOODS,),
    (Method.COMPREHENSIVE_SCORING, Category.SERVICES): (Key.PRICE_WEIGHT_MIN_SERVICES,),
    (Method.CONSULTATION_SCORING, Category.GOODS): (Key.CONSULTATION_GOODS_MIN, Key.CONSULTATION_GOODS_MAX),
    (Method.CONSULTATION_SCORING, Category.SERVICES): (Key.CONSULTATION_SERVICES_MIN, Key.CONSULTATION_SERVICES_MAX),
}


def _require_scale(criterion: Criterion) -> None:
    if criterion.kind is CriterionKind.OBJECTIVE:
        if not _consistent(criterion):
            raise RuleBroken("criteria.bands", "DOC-15", criterion=criterion.id)
        return
    if criterion.bands:
        raise RuleBroken("criteria.bands_unexpected", "DOC-15", criterion=criterion.id)
    step = Fraction(criterion.step)
    if criterion.kind is CriterionKind.SUBJECTIVE and (not step or criterion.most % step):
        raise RuleBroken("criteria.step", "DOC-15", criterion=criterion.id, step=criterion.step)


def _consistent(criterion: Criterion) -> bool:
    """Say whether the bands cover every value once: from the first on without a gap, the last without an end."""
    bands = criterion.bands
    if not bands or bands[-1].high is not None or max(Fraction(band.points) for band in bands) != criterion.most:
        return False
    inner = all(band.high is not None and Fraction(band.low) < Fraction(band.high) for band in bands[:-1])
    return inner and all(left.high == right.low for left, right in pairwise(bands))


def require_lawful_deduction(
    preference: Preference, edition: Edition, regime: Regime, category: Category = Category.GOODS
) -> None:
    """Refuse deductions outside the lawful range, both ends of which are lawful.

    Raises:
        RuleBroken: ``preference.out_of_range`` (PRF-01 for small and micro enterprises, PRF-02 for consortia; PRF-03
            and PRF-04 for works), ``preference.domestic`` (PRF-06: goods only, and exactly the share of the edition).
    """
    for percent, low, high, rule in _ranges(preference, category):
        share = Fraction(percent)
        if not edition.has(low, regime):
            continue
        if not (edition.allows(low, regime, share) and edition.allows(high, regime, share)):
            bounds = [decimal_of(edition.fraction(key, regime) * FULL_SCORE) for key in (low, high)]
            raise RuleBroken("preference.out_of_range", rule, percent=percent, least=bounds[0], most=bounds[1])
    if preference.domestic is not None:
        key = Key.DOMESTIC_DISCOUNT
        known = edition.has(key, regime) and category is Category.GOODS
        if not known or not edition.allows(key, regime, Fraction(preference.domestic)):
            share = edition.fraction(key, regime) if edition.has(key, regime) else Fraction(0)
            raise RuleBroken(
                "preference.domestic", "PRF-06", percent=preference.domestic, share=decimal_of(share * FULL_SCORE)
            )


def _ranges(preference: Preference, category: Category) -> tuple[tuple[str, Key, Key, str], ...]:
    if category is Category.WORKS:
        return (
            (preference.small_micro, Key.WORKS_SMALL_MICRO_MIN, Key.WORKS_SMALL_MICRO_MAX, "PRF-03"),
            (preference.consortium, Key.WORKS_CONSORTIUM_MIN, Key.WORKS_CONSORTIUM_MAX, "PRF-04"),
        )
    return (
        (preference.small_micro, Key.SMALL_MICRO_MIN, Key.SMALL_MICRO_MAX, "PRF-01"),
        (preference.consortium, Key.SME_CONSORTIUM_MIN, Key.SME_CONSORTIUM_MAX, "PRF-02"),
    )


def decimal_of(value: Fraction) -> str:
    """Return a finite decimal as text without superfluous zeros, e.g. ``0.5``.

    Raises:
        ValueError: The fraction has no finite decimal. A bug of the caller, which rounds first.
    """
    places = 0
    while value.denominator != 1 and places < _PLACES and (value * 10**places).denominator != 1:
        places += 1
    scaled = value * 10**places
    if scaled.denominator != 1:
        raise ValueError(f"{value} is no finite decimal")
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    cut = len(digits) - places
    return ("-" if value < 0 else "") + digits[:cut] + ("." + digits[cut:] if places else "")


_PLACES: Final = 12
