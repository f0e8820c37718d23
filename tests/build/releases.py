"""OCDS releases for statistics: from a few plain words about lots, and a whole market from a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.kernel.calendar import CHINA
from trading.notices.rules import exact_json

KIND = "公开招标"
REGION = "440300"


def moment(text: str) -> str:
    """Return an instant of China as OCDS writes it: a day stands for its noon."""
    at = datetime.fromisoformat(text)
    return (at.replace(hour=12) if len(text) == len("2026-01-01") else at).replace(tzinfo=CHINA).isoformat()


def amount(text: str) -> dict[str, Any]:
    number, _, currency = text.partition(" ")
    return {"amount": Decimal(number), "currency": currency or "CNY"}


def release(number: int | str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the newest release of a procedure.

    Args:
        number: Of the procedure.
        told: ``published``, ``date`` of the release, ``kind``, ``region``, ``agency``, ``method``, ``complaints`` and
            ``lots``, each with ``opened``, ``bids``, ``awarded``, ``failed`` or ``cancelled``, ``ceiling``, ``price``.
    """
    ocid, lots = f"ocds-abc123-T-{number}", list(enumerate(told.get("lots", []), 1))
    body: dict[str, Any] = {
        "ocid": ocid,
        "date": moment(told.get("date", told["published"])),
        "buyer": {"id": f"CN-USCC-91{told.get('region', REGION)}0000000000", "name": "采购人"},
        "tender": {
            "procuringEntity": {"id": f"CN-USCC-{told.get('agency', 'B')}", "name": f"代理{told.get('agency', 'B')}"},
            "procurementMethod": told.get("method", "open"),
            "procurementMethodDetails": told.get("kind", KIND),
            "tenderPeriod": {"startDate": moment(told["published"])},
            "lots": [_lot(place, lot) for place, lot in lots],
            "documents": [_record(place, lot) for place, lot in lots if "opened" in lot],
        },
        "bids": {"statistics": [_count(place, lot) for place, lot in lots if "bids" in lot]},
        "awards": [_award(place, lot) for place, lot in lots if "awarded" in lot or "failed" in lot],
    }
    if "complaints" in told:
        body["complaints"] = [{"id": str(each)} for each in range(told["complaints"])]
    return {"id": f"{ocid}-{body['date']}", **body}


def _lot(place: int, lot: Mapping[str, Any]) -> dict[str, Any]:
    names = {"awarded": "complete", "failed": "unsuccessful", "cancelled": "cancelled"}
    status = next((status for name, status in names.items() if name in lot), "active")
    return {"id": str(place), "status": status, **({"value": amount(lot["ceiling"])} if "ceiling" in lot else {})}


def _record(place: int, lot: Mapping[str, Any]) -> dict[str, Any]:
    at = moment(lot["opened"])
    return {"documentType": "x_openingRecord", "datePublished": at, "relatedLots": [str(place)]}


def _count(place: int, lot: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": f"{place}-bids", "measure": "bids", "value": lot["bids"], "relatedLot": str(place)}


def _award(place: int, lot: Mapping[str, Any]) -> dict[str, Any]:
    if "failed" in lot:
        return {"status": "unsuccessful", "date": moment(lot["failed"]), "relatedLots": [str(place)]}
    price = {"value": amount(lot["price"])} if "price" in lot else {}
    return {"status": "active", "date": moment(lot["awarded"]), "relatedLots": [str(place)], **price}


def written(releases: Sequence[Mapping[str, Any]]) -> list[bytes]:
    return [exact_json.dumps(each) for each in releases]


def market(procedures: int, *, first: str = "2024-01-03") -> Iterator[dict[str, Any]]:
    """Yield the releases of a whole market, four of each procedure: notice, opening, end, contract. No chance in it."""
    begin = datetime.fromisoformat(first)
    for n in range(procedures):
        start = begin + timedelta(days=n * 700 // max(procedures, 1), minutes=n)
        days = [(start + timedelta(days=each)).date().isoformat() for each in (0, 21, 30 + n % 20, 60)]
        lot: dict[str, Any] = {"ceiling": f"{1000 + n * 37}.50"}
        told: dict[str, Any] = {
            "published": days[0],
            "kind": (KIND, "竞争性磋商", "询价")[n % 3],
            "region": ("440300", "110000", "510100", "330100")[n % 4],
            "agency": f"AGENCY{n % 45}",
        }
        yield release(n, told | {"lots": [lot]})
        lot = lot | {"opened": days[1], "bids": 1 + n % 7}
        yield release(n, told | {"date": days[1], "lots": [lot]})
        ended = {"failed": days[2]} if n % 11 == 0 else {"awarded": days[2], "price": f"{900 + n * 33}.25"}
        yield release(n, told | {"date": days[2], "lots": [lot | ended]})
        yield release(n, told | {"date": days[3], "lots": [lot | ended]})
