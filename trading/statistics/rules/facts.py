"""What statistics read of a procedure: its newest release, and nothing else.

Each release is a picture of the whole procedure, so the newest one tells everything that was published of it; the order
in which releases are read makes no difference. Releases of other publishers may lack members: what is not told is None.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trading.kernel.canonical import MAX_INTEGER
from trading.kernel.money import minor_digits
from trading.notices.rules import exact_json

#: Stands for what a release does not tell.
UNTOLD: Final = "-"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SCHEME: Final = "CN-USCC"
_DIVISION: Final = slice(2, 8)
_CODE: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One lot. Instants in ms, amounts in minor units of ``currency``; None is what was not published (yet)."""

    number: str
    status: str
    opened_at: int | None
    bids: int | None
    ended_at: int | None
    ceiling: int | None
    price: int | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """One procedure.

    Attributes:
        ocid: Open contracting id.
        published_at: First publication of its notice, ms.
        region: Six digits of GB/T 2260: where the buyer was registered, as its credit code says.
        kind: Kind of the procedure in the words of the release (``procurementMethodDetails``).
        agency: Id of the organisation that runs it.
        agency_name: Its name.
        is_direct: Whether it was awarded without a call.
        complaints: How many were published; None if releases of this procedure do not tell of complaints.
        lots: In the order of the release.
    """

    ocid: str
    published_at: int | None
    region: str
    kind: str
    agency: str
    agency_name: str
    is_direct: bool
    complaints: int | None
    lots: tuple[Lot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A release as read: ``place`` orders the releases of one procedure, the newest is the greatest."""

    ocid: str
    place: tuple[int, int, str]
    tender: Tender


def read(raw: bytes) -> Picture:
    """Read one release.

    Of two releases with the same instant the longer is the newer: a picture only grows within one act.

    Raises:
        ValueError: It is no release: not JSON, or without ``ocid``, ``id`` or ``date``.
    """
    release = exact_json.loads(raw)
    told = _object(release)
    ocid, name, at = told.get("ocid"), told.get("id"), instant(told.get("date"))
    if not isinstance(ocid, str) or not isinstance(name, str) or at is None:
        raise ValueError("a release has ocid, id and date")
    return Picture(ocid=ocid, place=(at, len(raw), name), tender=tender_of(told))


def newest(pictures: Iterable[Picture]) -> dict[str, Picture]:
    """Return the newest picture of each procedure, by ocid."""
    found: dict[str, Picture] = {}
    for each in pictures:
        keep(found, each)
    return found


def keep(found: dict[str, Picture], picture: Picture) -> None:
    """Take a picture among the newest, unless a newer one of its procedure is there."""
    before = found.get(picture.ocid)
    if before is None or before.place < picture.place:
        found[picture.ocid] = picture


def tender_of(release: Mapping[str, Any]) -> Tender:
    """Return what statistics read of a release."""
    tender = _object(release.get("tender"))
    agency = _object(tender.get("procuringEntity")) or _object(release.get("buyer"))
    complaints = release.get("complaints")
    return Tender(
        ocid=str(release["ocid"]),
        published_at=instant(_object(tender.get("tenderPeriod")).get("startDate")),
        region=_region(release),
        kind=_text(tender.get("procurementMethodDetails")),
        agency=_text(agency.get("id")),
        agency_name=_text(agency.get("name")),
        is_direct=tender.get("procurementMethod") == "direct",
        complaints=len(complaints) if isinstance(complaints, list) else None,
        lots=tuple(_lot(release, tender, each) for each in _objects(tender.get("lots"))),
    )


def instant(value: object) -> int | None:
    """Return an RFC 3339 date and time in ms; None if it is none or has no zone."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // _MILLISECOND


def minor(value: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return an amount of OCDS in minor units and its currency; None if it is not whole in them, or there is none."""
    currency, amount = value.get("currency"), value.get("amount")
    if not isinstance(currency, str) or not isinstance(amount, int | Decimal) or isinstance(amount, bool):
        return None
    try:
        scaled = Decimal(amount).scaleb(minor_digits(currency))
    except InvalidOperation:
        return None
    whole = scaled == scaled.to_integral_value() if scaled.is_finite() else False
    return (int(scaled), currency) if whole and abs(scaled) <= MAX_INTEGER else None


def _lot(release: Mapping[str, Any], tender: Mapping[str, Any], lot: Mapping[str, Any]) -> Lot:
    number = str(lot.get("id", ""))
    award = _award(release, number)
    ceiling, price = minor(_object(lot.get("value"))), minor(_object(award.get("value")))
    same = ceiling is not None and price is not None and ceiling[1] == price[1]
    return Lot(
        number=number,
        status=_text(lot.get("status")),
        opened_at=_opened_at(tender, number),
        bids=_bids(release, number),
        ended_at=instant(award.get("date")),
        ceiling=ceiling[0] if ceiling else None,
        price=price[0] if price and (same or ceiling is None) else None,
        currency=ceiling[1] if ceiling else price[1] if price else None,
    )


def _award(release: Mapping[str, Any], lot: str) -> Mapping[str, Any]:
    """Return the award or failure of a lot; of several the active one, then the newest."""
    found = [each for each in _objects(release.get("awards")) if lot in _list(each.get("relatedLots"))]
    order = sorted(found, key=lambda each: (each.get("status") == "active", instant(each.get("date")) or 0))
    return order[-1] if order else {}


def _opened_at(tender: Mapping[str, Any], lot: str) -> int | None:
    """Return when the opening of a lot was complete: the instant of its published opening record."""
    found = [
        instant(each.get("datePublished"))
        for each in _objects(tender.get("documents"))
        if each.get("documentType") == "x_openingRecord" and lot in _list(each.get("relatedLots"))
    ]
    return min((at for at in found if at is not None), default=None)


def _bids(release: Mapping[str, Any], lot: str) -> int | None:
    for each in _objects(_object(release.get("bids")).get("statistics")):
        count = each.get("value")
        if each.get("measure") == "bids" and each.get("relatedLot") == lot and type(count) is int and count >= 0:
            return count
    return None


def _region(release: Mapping[str, Any]) -> str:
    """Return the administrative division in the buyer's unified social credit code (GB 32100-2015, characters 3–8)."""
    scheme, _, code = _text(_object(release.get("buyer")).get("id")).rpartition("-")
    division = code[_DIVISION]
    told = scheme == _SCHEME and len(code) == _CODE and division.isascii() and division.isdigit()
    return division if told else UNTOLD


def _text(value: object) -> str:
    return unicodedata.normalize("NFC", value).replace("\0", "") or UNTOLD if isinstance(value, str) else UNTOLD


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]
