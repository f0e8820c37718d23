"""The platform as a contributor sees it: docs/draw-api.md over HTTP. What it says is checked by others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from agents.contributor.desk import Desk
from agents.http import Answer, Unreachable, call, require_base
from agents.polls import authorization
from trading.kernel.signed import SignedDocument


class Platform:
    """One platform, spoken to with the contributor's key."""

    def __init__(self, desk: Desk) -> None:
        """Take the address that the desk was set up with.

        Raises:
            InvalidInput: ``http.bad_address``.
        """
        self._desk = desk
        self._base = require_base(desk.api)

    def draws(self) -> list[dict[str, Any]]:
        """Return the draws whose spec names this key."""
        listed = self._get("/api/v1/draws").get("draws")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise Unreachable("the list of draws is malformed")
        return listed

    def package(self, draw: str, attempt: int) -> dict[str, Any]:
        """Return the package of an attempt."""
        return self._get(_path(draw, attempt))

    def seal(self, draw: str, attempt: int) -> dict[str, Any]:
        """Return the witnessed seal; 409 before there is one."""
        return self._get(_path(draw, attempt) + "/seal")

    def outcome(self, draw: str, attempt: int) -> dict[str, Any]:
        """Return the final document with its proofs; 409 before the seed."""
        return self._get(_path(draw, attempt) + "/outcome")

    def post(self, draw: str, attempt: int, what: str, document: SignedDocument) -> dict[str, Any]:
        """Send a contribution or a reveal; the same bytes again give the same receipt."""
        return _object(self._call("POST", f"{_path(draw, attempt)}/{what}", document.wire()))

    def _get(self, path: str) -> dict[str, Any]:
        return _object(self._call("GET", path, None))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        header = authorization(self._desk.signer, self._desk.trust.origin, self._desk.clock.now_ms())
        return call(method, self._base + path, authorization=header, body=body)


def _path(draw: str, attempt: int) -> str:
    return f"/api/v1/draws/{quote(draw, safe='')}/{attempt}"


def _object(answer: Answer) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise Unreachable("the answer is no object")
    return value
