"""Signing in over HTTP as every person of the demonstration: a way in that does not work would be no way in."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar
from typing import Final
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from trading.accounts.service.demonstration import WayIn

_TOKEN: Final = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_TIMEOUT_S: Final = 20


def can_enter(base_url: str, way: WayIn) -> bool:
    """Sign in with password and a recovery code, the last one; say whether the workspace opens, and sign out again."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))

    def ask(path: str, fields: dict[str, str] | None = None) -> tuple[str, str]:
        data = None if fields is None else urlencode(fields).encode()
        request = Request(f"{base_url}{path}", data=data, headers={"Origin": base_url})  # noqa: S310 - http of this machine
        with browser.open(request, timeout=_TIMEOUT_S) as answer:
            return answer.url, answer.read().decode()

    _, page = ask("/signin")
    fields = {"login": way.login, "password": way.password, "code": way.recovery[-1], "next": "/workspace"}
    arrived, page = ask("/signin", {**fields, "csrf_token": _token(page)})
    if not arrived.endswith("/workspace"):
        return False
    ask("/signout", {"csrf_token": _token(page)})
    arrived, _ = ask("/workspace")
    return "/signin" in arrived


def _token(page: str) -> str:
    found = _TOKEN.search(page)
    if found is None:
        raise ValueError("a page without a form")
    return found[1]
