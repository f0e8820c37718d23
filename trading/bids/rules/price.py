"""The part ``price``: one ``sb1.price`` and spaces up to the policy's size: the size says nothing (SB1 S5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trading.bids.rules.context import BidContext
from trading.bids.rules.fields import SUBJECT, Document
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Table, array, decimal, integer, matching, record, text

_PAD: Final = b" "


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceItem:
    """One line in the order of the tender's item list; ``amount`` in minor units, the others as printed."""

    amount: int
    code: str
    quantity: str
    unit_price: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Document):
    """``sb1.price``; ``raw`` is without the padding. ``total`` and amounts are integer minor units."""

    bid: str
    bidder: str
    lot: str
    stage: str
    tender: str
    currency: str
    items: tuple[PriceItem, ...]
    total: int
    terms: Mapping[str, Any] = field(default_factory=dict)


def _terms(value: object) -> object:
    if not isinstance(value, dict):
        raise InvalidInput("doc.bad_field", "sb1.price: terms: not an object")
    return value


_ITEM: Final = record({"amount": integer(), "code": text, "quantity": decimal, "unit_price": decimal}, PriceItem)
PRICE: Final = Table(
    "sb1.price",
    {
        **SUBJECT,
        "currency": matching(r"[A-Z]{3}"),
        "items": array(_ITEM),
        "terms": _terms,
        "total": integer(),
    },
    optional=frozenset({"terms"}),
)


def subject_of(context: BidContext) -> dict[str, str]:
    """Return what a price and a manifest repeat of the context."""
    return {name: getattr(context, name) for name in SUBJECT}


def build_price(
    context: BidContext,
    *,
    currency: str,
    total: int,
    items: tuple[PriceItem, ...] = (),
    terms: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the canonical bytes of a price without padding.

    Raises:
        ValueError: A value does not fit the table. A bug of the caller, which checks what people typed.
    """
    rows = [
        {"amount": item.amount, "code": item.code, "quantity": item.quantity, "unit_price": item.unit_price}
        for item in items
    ]
    body: dict[str, Any] = {**subject_of(context), "currency": currency, "items": rows, "total": total}
    if terms is not None:
        body["terms"] = dict(terms)
    return PRICE.write(body)


def pad_price(document: bytes, price_bytes: int) -> bytes:
    """Return the part's plaintext: the document and spaces up to exactly ``price_bytes``.

    Raises:
        InvalidInput: ``price.too_large``: the document is larger than the policy allows.
    """
    if len(document) > price_bytes:
        raise InvalidInput("price.too_large", f"{len(document)} bytes; at most {price_bytes}", limit=price_bytes)
    return document.ljust(price_bytes, _PAD)


def parse_price(plaintext: bytes, price_bytes: int, context: BidContext) -> Price:
    """Parse the plaintext of the part ``price``: exact size, padding, canonical document, the subject of the bid.

    Raises:
        InvalidInput: ``price.wrong_size``, ``doc.…``, or ``doc.bad_field`` for a price of another bid.
    """
    if len(plaintext) != price_bytes:
        raise InvalidInput("price.wrong_size", f"{len(plaintext)} bytes instead of {price_bytes}")
    price = parse_price_document(plaintext.rstrip(_PAD))
    require_subject(price, context)
    return price


def parse_price_document(raw: bytes) -> Price:
    """Parse the canonical bytes of a price without padding.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return Price(raw=raw, **PRICE.read(raw))


def require_subject(document: object, context: BidContext) -> None:
    """Refuse content that names another bid, bidder, lot, stage or tender than the context (SB1 S5).

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    for name, expected in subject_of(context).items():
        if getattr(document, name) != expected:
            raise InvalidInput("doc.bad_field", f"the content names another {name}")
