"""The opening API as the station, the agency and the supervisor call it (docs/opening-api.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agents.http import Refused, call, require_base, save
from agents.station.ceremony import Place, member
from agents.station.combine import Secrets
from agents.station.gathering import Factors, LoggedRelease
from trading.bids.rules.fields import MAX_PART
from trading.kernel.encoding import hex_bytes
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One opening on one platform."""

    base: str
    place: Place
    token: str = field(repr=False)

    def _url(self, path: str) -> str:
        place = self.place
        names = (quote(name, safe="") for name in (place.tender, place.lot, place.stage))
        tender, lot, stage = names
        return f"{self.base}/api/v1/procedures/{tender}/lots/{lot}/stages/{stage}/opening{path}"

    def _get(self, path: str) -> Mapping[str, Any]:
        answer = call("GET", self._url(path), authorization=f"Bearer {self.token}").json()
        return _object(answer)

    def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _object(call("POST", self._url(path), authorization=f"Bearer {self.token}", body=body).json())

    def opening(self) -> Mapping[str, Any]:
        """Return the snapshot of the ceremony."""
        return self._get("")

    def post_document(self, signed: SignedDocument) -> Mapping[str, Any]:
        """Hand in a draft, or one more signature; returns ``h``, ``needs``, ``sha256``, ``typ``."""
        return self._post("/documents", signed.wire())

    def documents(self, typ: str) -> list[Mapping[str, Any]]:
        """Return the documents of a type that wait for signatures or are complete, oldest first."""
        return [_object(item) for item in member(self._get(f"/documents?typ={quote(typ)}"), "documents", list)]

    def releases(self) -> list[LoggedRelease]:
        """Return the releases so far."""
        items = [_object(item) for item in member(self._get("/releases"), "releases", list)]
        return [
            LoggedRelease(
                n=member(item, "n", int),
                signed=SignedDocument.from_wire({"doc": item.get("doc"), "sigs": item.get("sigs")}),
            )
            for item in items
        ]

    def part(self, sha256: str, target: Path) -> str | None:
        """Download a ciphertext into a new file and return its SHA-256; ``None`` if no store has it."""
        try:
            return save(self._url(f"/parts/{sha256}"), target, authorization=f"Bearer {self.token}", limit=MAX_PART)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def factors(self) -> Factors:
        """Return factors and rescues; the platform refuses before ``release.closed``."""
        content = self._get("/factors")
        revealed = [_object(item) for item in member(content, "factors", list)]
        rescued = [_object(item) for item in member(content, "rescues", list)]
        return Factors(
            in_window={
                member(item, "bid", str): _secret(item, "s_b") for item in revealed if member(item, "first_list", bool)
            },
            rescues={
                member(item, "bid", str): Secrets(s_c=_secret(item, "s_c"), s_b=_secret(item, "s_b"))
                for item in rescued
            },
        )

    def post_gaps(self, bids: list[str]) -> None:
        """Report the bids with gaps."""
        self._post("/gaps", {"bids": bids})

    def post_combined(self, items: list[dict[str, object]]) -> None:
        """Report the result of the combine pass."""
        self._post("/combined", {"items": items})

    def post_result(self, result: Mapping[str, Any]) -> None:
        """Report one opened bid or one verdict."""
        self._post("/results", result)


def client_for(api: str, place: Place, token: str) -> Client:
    """Return a client; raises ``InvalidInput`` for an address that is neither https nor on this machine."""
    return Client(base=require_base(api), place=place, token=token)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("station.bad_answer", "not an object")
    return value


def _secret(item: Mapping[str, Any], name: str) -> bytes:
    try:
        return hex_bytes(member(item, name, str))
    except ValueError as error:
        raise InvalidInput("station.bad_answer", f"{name} is not hex") from error
