"""Denied by default: every route declares who may call it, and a forgotten one answers nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.build.gallery import gallery
from trading.kernel.roles import Actor, Role
from trading.web import permissions
from trading.web.permissions import allow, current_actor, public, signed


def test_every_route_declares_itself(samples_app: Flask) -> None:
    rows = list(permissions.table(samples_app))
    assert rows
    assert [row.rule for row in rows if row.permission is None] == []


# What a stranger may send: attempts to sign in and to register, an answer to a call or a statement against its record,
# by the code that was mailed; a checkpoint to be compared, which changes nothing. Else what is public only reads.
FROM_STRANGERS = {
    *("/signin", "/register", "/account/setup/<token>", "/demo/people", "/log/compare"),
    *("/draws/call/<code>", "/draws/contest/<code>", "/disclosure/ask"),
}


def test_public_pages_only_read(samples_app: Flask) -> None:
    changing = {
        row.rule
        for row in permissions.table(samples_app)
        if row.permission is not None and row.permission.public and row.methods != ("GET",)
    }
    assert {rule for rule in changing if not rule.startswith("/api/")} == FROM_STRANGERS


def test_the_table_as_a_page(samples_app: Flask) -> None:
    text = permissions.as_markdown(samples_app)
    assert "| `/procedures/<reference>` | GET | public | any | – | – | `notices.procedure` |" in text


def app_for(folder: Path, actor: Actor | None) -> Flask:
    """Return an application whose requests are made by ``actor``."""
    app = gallery(folder, load_actor=lambda: actor)

    @app.get("/forgotten")
    def forgotten() -> str:
        return "nobody may see this"

    @app.get("/desk")
    @allow(Role.DESK, relation="own_org")
    def desk() -> str:
        return current_actor().account

    @app.get("/signed")
    @signed("custodian")
    def with_document() -> str:
        return "checked by the use case"

    return app


def test_a_forgotten_route_answers_nobody(tmp_path: Path) -> None:
    for actor in (None, Actor(account="a-1", roles=frozenset(Role))):
        answer = app_for(tmp_path, actor).test_client().get("/forgotten")
        assert (answer.status_code, "nobody may see" in answer.text) == (403, False)


def test_only_the_roles_named_may_call(tmp_path: Path) -> None:
    stranger = app_for(tmp_path, None).test_client()
    assert stranger.get("/desk").headers["Location"] == "/signin?next=/desk"
    assert stranger.get("/desk", headers={"Accept": "application/json"}).status_code == 401
    for role in Role:
        answer = app_for(tmp_path, Actor(account="a-7", roles=frozenset({role}))).test_client().get("/desk")
        assert answer.status_code == (200 if role is Role.DESK else 403), role
    assert app_for(tmp_path, Actor(account="a-7")).test_client().get("/desk").status_code == 403


def test_signed_requests_reach_their_use_case(tmp_path: Path) -> None:
    assert app_for(tmp_path, None).test_client().get("/signed").status_code == 200


def test_a_public_page_never_asks_who_reads_it(tmp_path: Path) -> None:
    def must_not_be_called() -> Actor | None:
        raise AssertionError("a public page asked for the reader")

    assert gallery(tmp_path, load_actor=must_not_be_called).test_client().get("/help").status_code == 200


def test_declarations_are_checked() -> None:
    with pytest.raises(ValueError, match="without roles"):
        allow()
    with pytest.raises(ValueError, match="relation"):
        allow(Role.DESK, relation="cousin")
    with pytest.raises(ValueError, match="twice"):
        public(public(lambda: None))
