"""``mb.contract``: what agency and supplier sign, between the parties of the award and at its price (CON-01)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.fields import Table, digest, instant, integer, matching, record, text

_PARTY: Final = record({"code": text, "name_en": text, "name_zh": text})
_TABLE: Final = Table(
    "mb.contract",
    {
        "agency": _PARTY,
        "award_h": digest,
        "bid": text,
        "buyer": _PARTY,
        "created": instant,
        "currency": matching(r"[A-Z]{3}"),
        "lot": text,
        "number": text,
        "price": integer(0),
        "sign_before": instant,
        "stage": text,
        "supplier": _PARTY,
        "tender": text,
        "terms_en": text,
        "terms_zh": text,
        "title_en": text,
        "title_zh": text,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A parsed contract with its exact bytes; ``price`` in minor units, ``sign_before`` the end of the legal time."""

    raw: bytes
    tender: str
    lot: str
    stage: str
    number: str
    bid: str
    award_h: str
    currency: str
    price: int
    created: int
    sign_before: int
    buyer: Mapping[str, str]
    agency: Mapping[str, str]
    supplier: Mapping[str, str]
    title_zh: str
    title_en: str
    terms_zh: str
    terms_en: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Return tender, lot and stage."""
        return self.tender, self.lot, self.stage


def parse_contract(raw: bytes) -> Contract:
    """Parse a contract.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return Contract(raw=raw, **_TABLE.read(raw))


def build_contract(fields: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a contract; they parse, or it is a bug."""
    return _TABLE.write(fields)
