"""A price file from a template of the tender's items: the arithmetic of the price form, for people without its script.

The template and the price file are plain JSON that the bidder's page writes and reads as well (``static/price.js``);
both sides are held together by one table of cases (tests/vectors/quotes.json). Neither leaves this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from trading.evaluation.rules.arithmetic import amount_of
from trading.kernel.canonical import MAX_INTEGER
from trading.kernel.errors import InvalidInput

_SHARE: Final = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?\Z")
_WHOLE: Final = 100  # per cent
SME_CLAIMS: Final = ("small_micro", "consortium")
LONGEST_DELIVERY: Final = 36_500  # days; a century is a slip of the finger
_UNIT_PRICE: Final = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.[0-9]{1,6})?\Z")
_QUANTITY: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateItem:
    """One item as the notice states it; ``quantity`` is an exact decimal."""

    code: str
    name: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a price file of one lot needs to be made from; ``ceiling`` in minor units of ``currency`` or None."""

    currency: str
    ceiling: int | None
    items: tuple[TemplateItem, ...]


def read_template(path: Path) -> Template:
    """Read the template that the page of the lot offers.

    Raises:
        InvalidInput: ``price.malformed``.
    """
    try:
        value = json.loads(path.read_bytes())
        items = tuple(
            TemplateItem(**{name: str(item[name]) for name in TemplateItem.__slots__}) for item in value["items"]
        )
        if any(_QUANTITY.match(item.quantity) is None for item in items):
            raise ValueError("a quantity is no decimal")
        ceiling = value["ceiling"]
        return Template(currency=str(value["currency"]), ceiling=None if ceiling is None else int(ceiling), items=items)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput("price.malformed", f"{path}: {error}") from error


def plain(decimal: str) -> str:
    """Return a decimal without superfluous zeros and separators, as the document wants it (P3 rule 3).

    Raises:
        InvalidInput: ``price.malformed``.
    """
    if _UNIT_PRICE.match(decimal) is None:
        raise InvalidInput("price.malformed", f"{decimal!r} is not an amount such as 1234.56 with at most 6 decimals")
    whole, _, fraction = decimal.replace(",", "").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def quote(template: Template, unit_prices: Mapping[str, str], terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a price file.

    Each amount is quantity × unit price, rounded half up to the minor unit as the committee computes it (87-59); the
    total is their sum, so that nothing contradicts itself.

    Args:
        template: Items of the lot in the order of the notice.
        unit_prices: Code of each item to its unit price in major units.
        terms: ``delivery_days``, ``sme`` and perhaps ``domestic_share`` (PRF-06), checked by ``require_terms``.

    Raises:
        InvalidInput: ``price.malformed``: a price is missing, of no item, or the total is out of range.
    """
    codes = [item.code for item in template.items]
    if set(unit_prices) != set(codes):
        raise InvalidInput("price.malformed", f"one unit price for each of {', '.join(codes)}")
    amounts = [
        amount_of(Fraction(item.quantity), Fraction(plain(unit_prices[item.code])), template.currency)
        for item in template.items
    ]
    rows = [
        {
            "amount": amount,
            "code": item.code,
            "quantity": plain(item.quantity),
            "unit_price": plain(unit_prices[item.code]),
        }
        for item, amount in zip(template.items, amounts, strict=True)
    ]
    total = sum(amounts)
    if not 0 < total <= MAX_INTEGER:
        raise InvalidInput("price.malformed", "the total is zero or too large")
    require_terms(terms)
    return {"currency": template.currency, "items": rows, "terms": dict(terms), "total": total}


def require_terms(terms: Mapping[str, Any]) -> None:
    """Refuse terms that the platform reads out and that are not what they should be, ``price.malformed``."""
    days, claim = terms.get("delivery_days"), terms.get("sme")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 0 < days <= LONGEST_DELIVERY):
        raise InvalidInput("price.malformed", f"delivery_days is a whole number from 1 to {LONGEST_DELIVERY}")
    if claim is not None and claim not in SME_CLAIMS:
        raise InvalidInput("price.malformed", f"sme is null, {' or '.join(SME_CLAIMS)}")
    share = terms.get("domestic_share", "0")
    if not isinstance(share, str) or _SHARE.match(share) is None or Fraction(share) > _WHOLE:
        raise InvalidInput("price.malformed", "domestic_share is a decimal from 0 to 100 with at most 2 places")
