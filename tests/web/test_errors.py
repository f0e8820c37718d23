"""Every error as a page and as a problem document: what happened, what stands, what to do, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError, ProgrammingError

from tests.build.gallery import gallery
from trading.kernel import errors
from trading.web import errors as web_errors
from trading.web import refusals
from trading.web.permissions import public
from trading.wiring import API

ERRORS = {
    "rule": (
        errors.RuleBroken("bid.late", "SUB-01", close=1_778_558_400_000, received_at=1_778_558_400_412),
        422,
        "bid.late",
    ),
    "busy": (errors.RuleBroken("busy", "TE1 T4.3"), 503, "busy"),
    "denied": (errors.NotPermitted("a-1 may not"), 403, "not_permitted"),
    "missing": (errors.NotFound("T-1"), 404, "not_found"),
    "moved": (errors.Conflict("version 3"), 409, "conflict"),
    "malformed": (errors.InvalidInput("doc.bad_field", "lot"), 400, "doc.bad_field"),
    "large": (errors.InvalidInput("doc.too_large", "2 MB"), 413, "doc.too_large"),
    "damaged": (errors.IntegrityFailure("document ab"), 500, "integrity"),
    "bug": (ZeroDivisionError("secret detail"), 500, "internal"),
    "database_away": (OperationalError("SELECT secret", {}, OSError("gone")), 503, "unavailable"),
    "wrong_query": (ProgrammingError("SELECT secret", {}, ValueError("no such column")), 500, "internal"),
}
STATUSES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    410: "gone",
    412: "precondition_failed",
    413: "too_large",
    429: "too_many_requests",
    503: "unavailable",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    app = gallery(tmp_path_factory.mktemp("errors"))

    @app.get("/raise/<name>", endpoint="raise_page")
    @app.get("/api/v1/raise/<name>", endpoint="raise_api")
    @public
    def fail(name: str) -> str:
        raise ERRORS[name][0]

    @app.get("/status/<int:status>")
    @public
    def status(status: int) -> str:
        abort(status)

    @app.post("/take", endpoint=f"{API[0].name}.take")  # programs bring no form with a token
    @public
    def take() -> str:
        return str(len(request.get_data()))

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("language", refusals.LANGUAGES)
@pytest.mark.parametrize("name", ERRORS)
def test_a_page(client: FlaskClient, name: str, language: str) -> None:
    error, status, code = ERRORS[name]
    answer = client.get(f"/raise/{name}?lang={language}")
    assert answer.status_code == status
    refusal = refusals.find(code, "internal")
    text = refusal.say(language, getattr(error, "facts", {}))
    for sentence in (text.happened, text.stands, text.next):
        assert sentence.replace("'", "&#39;") in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert str(error) not in answer.text or not str(error)


@pytest.mark.parametrize("name", ERRORS)
def test_a_problem_document(client: FlaskClient, name: str) -> None:
    _error, status, code = ERRORS[name]
    answer = client.get(f"/api/v1/raise/{name}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body = answer.get_json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["zh"]
    assert body["en"]
    assert client.get(body["type"].partition("#")[0]).status_code == 200
    assert "secret detail" not in answer.text


def test_the_late_bid_names_both_instants_and_the_article(client: FlaskClient) -> None:
    body = client.get("/api/v1/raise/rule").get_json()
    assert body["zh"].startswith("投标截止时间是 12:00:00.000。这次提交在 12:00:00.412 到达")
    assert body["rule_id"] == "SUB-01"
    assert "招标投标法第二十八条" in body["article"]
    assert body["facts"] == {"close": 1_778_558_400_000, "received_at": 1_778_558_400_412}


def test_a_fault_gets_a_reference_of_its_own(client: FlaskClient) -> None:
    first, second = (client.get("/api/v1/raise/bug").get_json()["reference"] for _ in range(2))
    assert first.startswith("E-")
    assert first != second
    assert "reference" not in client.get("/api/v1/raise/missing").get_json()


def test_the_log_names_the_route_and_never_the_code_in_the_address(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = []
    monkeypatch.setattr(web_errors.log, "error", lambda line, *words, **_options: lines.append(line % words))
    assert client.get("/raise/bug?code=kept-secret").status_code == 500
    (line,) = lines
    assert line.endswith(" on GET /raise/<name>")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_page(client: FlaskClient, status: int) -> None:
    assert client.get(f"/status/{status}").status_code == status
    answer = client.get(f"/status/{status}", headers={"Accept": "application/json"})
    assert answer.get_json()["code"] == STATUSES[status]
    if status in {429, 503}:
        assert "text/html" in client.get(f"/status/{status}").content_type
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_unavailable_and_busy_say_when_to_come_back(client: FlaskClient) -> None:
    assert client.get("/status/503").headers["Retry-After"] == "30"
    assert client.get("/raise/busy").headers["Retry-After"] == "1"


def test_a_body_beyond_the_limit_is_refused(client: FlaskClient) -> None:
    assert client.post("/take", data=b"x" * 1_048_576).status_code == 200
    assert client.post("/take", data=b"x" * 1_048_577).status_code == 413


def test_method_not_allowed_names_the_methods(client: FlaskClient) -> None:
    answer = client.get("/take")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_the_gallery_is_not_the_product(tmp_path: Path) -> None:
    """The routes above exist in this test alone."""
    rules = {rule.rule for rule in gallery(tmp_path).url_map.iter_rules()}
    assert "/raise/<name>" not in rules
