"""No state changes without the token of a form of ours, from another site, or by GET (security 7.3, F48)."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.people import signed_in
from trading.accounts import service as accounts
from trading.audit.ledger import Ledger
from trading.kernel.roles import Role
from trading.web import permissions
from trading.web.permissions import PEOPLE

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def everybody(app: Flask, ledger: Ledger) -> dict[Role, FlaskClient]:
    """One person per role; supervision stands in a jurisdiction of its own."""
    clients: dict[Role, FlaskClient] = {}
    for role in PEOPLE:
        accounts.create_account(ledger, login=role.value, org_code=role.value, roles=(role,))
        clients[role] = signed_in(app.test_client(), role.value)
    return clients


def changing(app: Flask) -> list[tuple[str, str, frozenset[Role]]]:
    """Return (method, path, roles) of every state-changing route of the pages, variables filled with something."""
    found = []
    for row in permissions.table(app):
        if row.endpoint.partition(".")[0] in app.extensions["api"] or row.permission is None:
            continue
        path = re.sub(r"<int:[^>]+>", "1", row.rule)
        path = re.sub(r"<any\((\w+)[^>]+>", r"\1", path)
        path = re.sub(r"<[^>]+>", "x", path)
        found += [(method, path, row.permission.roles) for method in row.methods if method in UNSAFE]
    return found


def test_every_changing_route_wants_the_token(app: Flask, everybody: dict[Role, FlaskClient]) -> None:
    walked = changing(app)
    assert len(walked) > 20
    for method, path, roles in walked:
        client = everybody[min(roles)] if roles else app.test_client()
        answer = client.open(path, method=method)
        assert answer.status_code == HTTPStatus.BAD_REQUEST, (method, path, answer.status_code)
        assert "这个页面打开得太久" in answer.text, path


def test_another_site_is_refused_before_the_token_is_looked_at(app: Flask, everybody: dict[Role, FlaskClient]) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for method, path, roles in changing(app):
            client = everybody[min(roles)] if roles else app.test_client()
            assert client.open(path, method=method, headers=headers).status_code == HTTPStatus.FORBIDDEN, path


def test_with_the_token_of_the_page_it_works(client: FlaskClient, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.BIDDER,))
    page = signed_in(client, "li.wen").get("/account")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert token is not None
    origin = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/signout", data={"csrf_token": "x" + token[1]}, headers=origin).status_code == 400
    assert client.post("/signout", data={"csrf_token": token[1]}, headers=origin).status_code == HTTPStatus.SEE_OTHER
    assert client.get("/workspace").status_code == HTTPStatus.SEE_OTHER


def test_a_token_of_another_session_is_no_token(app: Flask, ledger: Ledger) -> None:
    tokens = []
    for login in ("li.wen", "zhao.min"):
        accounts.create_account(ledger, login=login, org_code="ORG", roles=(Role.BIDDER,))
        client = signed_in(app.test_client(), login)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/account").text)
        assert token is not None
        tokens.append((client, token[1]))
    (first, _), (_, foreign) = tokens
    assert first.post("/signout", data={"csrf_token": foreign}).status_code == HTTPStatus.BAD_REQUEST


def test_the_api_takes_no_cookie_so_it_needs_no_token(app: Flask, everybody: dict[Role, FlaskClient]) -> None:
    for row in permissions.table(app):
        if row.endpoint.partition(".")[0] in app.extensions["api"] and row.permission and row.permission.roles:
            path = re.sub(r"<[^>]+>", "x", re.sub(r"<int:[^>]+>", "1", row.rule))
            for method in row.methods:
                for role in row.permission.roles:
                    assert everybody[role].open(path, method=method).status_code == HTTPStatus.UNAUTHORIZED, path


def test_the_cookie_of_a_session(app: Flask, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.BIDDER,))
    answer = app.test_client().get("/signin")
    (cookie,) = [each for each in answer.headers.getlist("Set-Cookie") if each.startswith("mb_session=")]
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    assert answer.headers["Cache-Control"] == "no-store"
    assert app.test_client().get("/signin").headers["Cache-Control"] == "no-store"
