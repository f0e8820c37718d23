"""What a bidder types as its price: an amount, or a JSON file with items and terms. Money is exact or refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from agents.bid.quoting import require_terms
from trading.bids.rules.context import BidContext
from trading.bids.rules.price import PriceItem, build_price
from trading.kernel.canonical import MAX_INTEGER
from trading.kernel.errors import InvalidInput

#: Minor units of currencies that differ from the usual hundredth (ISO 4217).
_MINOR_DIGITS: Final = {"JPY": 0, "KRW": 0, "VND": 0, "KWD": 3, "BHD": 3, "OMR": 3}
_USUAL_DIGITS: Final = 2
_AMOUNT = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,20})(?:\.[0-9]{1,10})?")
_FIELDS: Final = frozenset({"currency", "items", "terms", "total"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceInput:
    """A price before it is bound to a bid; ``total`` and amounts in minor units."""

    currency: str
    total: int
    items: tuple[PriceItem, ...] = ()
    terms: dict[str, Any] | None = field(default=None)

    def document(self, context: BidContext) -> bytes:
        """Return the canonical price of one version.

        Raises:
            InvalidInput: ``price.malformed``.
        """
        try:
            return build_price(context, currency=self.currency, total=self.total, items=self.items, terms=self.terms)
        except ValueError as error:
            raise InvalidInput("price.malformed", str(error)) from error


def of_amount(amount: str, currency: str) -> PriceInput:
    """Return the price of an amount in major units such as ``1234567.89``; what is finer than a minor unit is refused.

    Raises:
        InvalidInput: ``price.malformed``.
    """
    # Decimal alone would also take 1e9, 1_0 and digits of other scripts.
    if _AMOUNT.fullmatch(amount) is None:
        raise InvalidInput("price.malformed", f"{amount!r} is not an amount such as 1234.56 or 1,234.56")
    minor = Decimal(amount.replace(",", "")).scaleb(_MINOR_DIGITS.get(currency, _USUAL_DIGITS))
    if minor != int(minor) or minor > MAX_INTEGER:
        raise InvalidInput("price.malformed", f"{amount!r} is finer than a minor unit or too large")
    return PriceInput(currency=currency, total=int(minor))


def of_file(path: Path) -> PriceInput:
    """Return the price of a JSON file: ``currency``, ``total`` (minor units), and if wanted ``items`` and ``terms``.

    Raises:
        InvalidInput: ``price.malformed``.
    """
    try:
        value = json.loads(path.read_bytes(), parse_float=_no_float)
        if not isinstance(value, dict) or value.keys() - _FIELDS:
            raise ValueError(f"an object of {', '.join(sorted(_FIELDS))}")
        items = tuple(PriceItem(**item) for item in value.get("items", []))
        terms = value.get("terms", {})
        if not isinstance(terms, dict):
            raise TypeError("terms is an object")
        require_terms(terms)
        return PriceInput(currency=value["currency"], total=value["total"], items=items, terms=terms or None)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput("price.malformed", f"{path}: {error}") from error


def _no_float(text: str) -> None:
    raise ValueError(f"{text}: amounts are integers in minor units, quantities are texts")


def major(total: int, currency: str) -> str:
    """Return an amount in minor units as people read it."""
    digits = _MINOR_DIGITS.get(currency, _USUAL_DIGITS)
    return f"{Decimal(total).scaleb(-digits):,f} {currency}"
