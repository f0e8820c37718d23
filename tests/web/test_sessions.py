"""Sessions stand on the server; pages take the session, the API takes a token, public pages take neither."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.people import signed_in
from trading.accounts import service as accounts
from trading.accounts.queries import host_ms
from trading.accounts.service.sessions import ABSOLUTE_MS, IDLE_MS, sessions_of
from trading.accounts.tables import session
from trading.audit.ledger import Ledger
from trading.kernel.roles import Role
from trading.web.sessions import safe_next

ORG = "12110108MA0DEM0025"


@pytest.fixture
def drafter(ledger: Ledger) -> str:
    return accounts.create_account(ledger, login="drafter", org_code=ORG, roles=(Role.AGENCY,), name="李雯")


def test_a_page_of_people_sends_strangers_to_sign_in_and_back(client: FlaskClient) -> None:
    answer = client.get("/workspace?lang=en")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.headers["Location"] == "/signin?next=/workspace?lang%3Den"
    assert client.get("/workspace", headers={"Accept": "application/json"}).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "target",
    ["//[", "//evil.example", "/\\evil.example", "/\t/evil.example", "/\t/[evil", "https://evil.example", "evil"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(app: Flask, target: str) -> None:
    """An address that cannot be parsed is no fault of the platform either."""
    for asked, kept in ((target, "/workspace"), ("/bidder?lot=1", "/bidder?lot=1")):
        with app.test_request_context("/signin", query_string={"next": asked}):
            assert safe_next("/workspace") == kept


@pytest.mark.usefixtures("drafter")
def test_the_workspace_of_somebody_signed_in(client: FlaskClient) -> None:
    answer = signed_in(client, "drafter").get("/workspace")
    assert answer.status_code == HTTPStatus.OK
    assert "李雯" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("drafter")
def test_public_pages_do_not_depend_on_who_reads(app: Flask) -> None:
    nobody = app.test_client().get("/help")
    somebody = signed_in(app.test_client(), "drafter").get("/help")
    assert (nobody.data, str(nobody.headers)) == (somebody.data, str(somebody.headers))


@pytest.mark.usefixtures("drafter")
def test_a_token_opens_no_page_and_a_session_no_api(app: Flask, ledger: Ledger) -> None:
    token = accounts.issue_token(ledger, "drafter", ("write:openings",))
    page = app.test_client().get("/workspace", headers={"Authorization": f"Bearer {token}"})
    assert page.status_code == HTTPStatus.SEE_OTHER
    api = signed_in(app.test_client(), "drafter").post("/api/v1/procedures/x/lots/1/bids", json={})
    assert api.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.usefixtures("drafter")
@pytest.mark.parametrize(("column", "age"), [("seen_at", IDLE_MS), ("created_at", ABSOLUTE_MS)])
def test_a_session_grows_old(client: FlaskClient, ledger: Ledger, column: str, age: int) -> None:
    signed_in(client, "drafter")
    for old, status in ((age - 60_000, HTTPStatus.OK), (age, HTTPStatus.SEE_OTHER)):
        with ledger.upkeep() as conn:
            now = host_ms(conn)
            fresh = {"seen_at": now, "created_at": now, column: now - old}
            conn.execute(session.update().values(**fresh))
        assert client.get("/workspace").status_code == status


def test_ended_means_ended_on_the_server(client: FlaskClient, ledger: Ledger, drafter: str) -> None:
    signed_in(client, "drafter")
    (own,) = sessions_of(ledger, drafter)
    accounts.end_session(ledger, drafter, own.id)
    assert client.get("/workspace").status_code == HTTPStatus.SEE_OTHER
    assert sessions_of(ledger, drafter) == []


def test_a_closed_account_is_out_at_the_next_request(client: FlaskClient, ledger: Ledger, drafter: str) -> None:
    signed_in(client, "drafter")
    assert client.get("/workspace").status_code == HTTPStatus.OK
    accounts.close_account(ledger, drafter)
    assert client.get("/workspace").status_code == HTTPStatus.SEE_OTHER
