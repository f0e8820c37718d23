"""Registering, setting up, signing in, keys and the service desk, through the pages."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from agents.keys import enrolment
from tests.support.people import code_of, signed_in
from trading.accounts import service as accounts
from trading.accounts.rules import codes
from trading.accounts.service import requests
from trading.audit.ledger import Ledger
from trading.crypto.signatures import Es256Signer
from trading.kernel.credit_code import check_character
from trading.kernel.encoding import b64u_decode
from trading.kernel.roles import Role
from trading.parties.queries import all_keys_of

DESK = "12110108MA0DEM0033"
BODY = "91110108MA0FRM001"
FIRM = BODY + check_character(BODY)
PASSWORD = "seven unlikely words in a row"  # noqa: S105 - of a test
FORM = {
    "code": FIRM,
    "name_zh": "清河课桌椅有限公司",
    "name_en": "",
    "role": "bidder",
    "name": "李雯",
    "mail": "li@qinghe.example",
    "login": "li.wen",
}


@pytest.fixture
def app(app: Flask) -> Flask:
    app.config["WTF_CSRF_ENABLED"] = False  # test_csrf.py is about it
    return app


@pytest.fixture
def staff(app: Flask, ledger: Ledger) -> tuple[FlaskClient, FlaskClient]:
    for login in ("desk1", "desk2"):
        accounts.create_account(ledger, login=login, org_code=DESK, roles=(Role.DESK,))
    return signed_in(app.test_client(), "desk1"), signed_in(app.test_client(), "desk2")


def approve(client: FlaskClient, ledger: Ledger, number: str, login: str) -> TestResponse:
    return client.post(f"/desk/requests/{number}", data={"code": code_of(ledger, login)})


def digits(secret: str, ledger: Ledger) -> str:
    with ledger.upkeep() as conn:
        now = conn.execute(text("SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint")).scalar_one()
    return codes.code_at(secret, codes.step_at(now))


def test_from_registration_to_the_workspace(
    client: FlaskClient, ledger: Ledger, staff: tuple[FlaskClient, FlaskClient]
) -> None:
    answer = client.post("/register", data=FORM)
    number = re.search(r"R-[0-9a-z]{8}", answer.text)
    assert number is not None
    assert FORM["name_zh"] in staff[0].get("/desk/requests").text
    assert approve(staff[0], ledger, number[0], "desk1").status_code == HTTPStatus.SEE_OTHER
    again = approve(staff[0], ledger, number[0], "desk1")
    assert again.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, "the same person twice"
    granted = approve(staff[1], ledger, number[0], "desk2")
    link = re.search(r"/account/setup/[\w-]+", granted.text)
    assert link is not None
    page = client.get(link[0])
    secret = re.search(r"[A-Z2-7]{32}", page.text)
    assert secret is not None
    typed = {"password": PASSWORD, "repeated": PASSWORD, "code": digits(secret[0], ledger)}
    weak = client.post(link[0], data=typed | {"password": "password1234", "repeated": "password1234"})
    assert weak.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    done = client.post(link[0], data=typed)
    assert done.status_code == HTTPStatus.OK
    recovery = re.findall(r"[a-z2-7]{5}-[a-z2-7]{5}-[a-z2-7]{5}", done.text)
    assert len(recovery) == 10
    assert client.get(link[0]).status_code == HTTPStatus.NOT_FOUND, "a link works once"
    used = client.post("/signin", data={"login": "li.wen", "password": PASSWORD, "code": typed["code"]})
    assert used.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, "the digits of the set-up are spent"
    entered = client.post("/signin", data={"login": "li.wen", "password": PASSWORD, "code": recovery[0]})
    assert entered.headers["Location"] == "/workspace"
    assert "李雯" in client.get("/workspace").text
    assert client.post("/signout").headers["Location"] == "/signed-out"
    assert client.get("/workspace").status_code == HTTPStatus.SEE_OTHER


def test_a_mistyped_code_is_found_and_everything_typed_stays(client: FlaskClient) -> None:
    answer = client.post("/register?lang=en", data=FORM | {"code": FIRM[:-1] + ("0" if FIRM[-1] != "0" else "1")})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "The check character of the unified social credit code does not fit" in answer.text
    assert answer.text.count("check character") >= 2, "in the summary and at the field"
    assert "李雯" in answer.text
    assert "<title>Error: " in answer.text


def test_a_key_of_a_program_is_registered_by_two_people(
    app: Flask, ledger: Ledger, staff: tuple[FlaskClient, FlaskClient]
) -> None:
    accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    client = signed_in(app.test_client(), "li.wen")
    first = enrol(client, ledger, Es256Signer.generate(), None)
    assert first.status_code == HTTPStatus.SEE_OTHER
    (waiting,) = requests.waiting(ledger)
    for who, login in zip(staff, ("desk1", "desk2"), strict=True):
        assert approve(who, ledger, waiting.id, login).status_code == HTTPStatus.SEE_OTHER
    with ledger.read() as conn:
        (key,) = all_keys_of(conn, FIRM)
    assert key.active


def test_an_active_key_vouches_for_the_next_and_revokes(app: Flask, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    one = accounts.create_account(ledger, login="desk1", org_code=DESK, roles=(Role.DESK,))
    two = accounts.create_account(ledger, login="desk2", org_code=DESK, roles=(Role.DESK,))
    known, fresh = Es256Signer.generate(), Es256Signer.generate()
    account, challenge = accounts.issue_challenge(ledger, "li.wen")
    document = enrolment(known, account=account, challenge=challenge.hex(), org=FIRM, role="bidder", created=1)
    with ledger.upkeep() as conn:
        pair = (accounts.actor_of(conn, one), accounts.actor_of(conn, two))
    accounts.enrol_key(ledger, pair, document)
    client = signed_in(app.test_client(), "li.wen")
    assert enrol(client, ledger, fresh, known).status_code == HTTPStatus.SEE_OTHER
    assert requests.waiting(ledger) == [], "no desk is needed"
    page = client.get(f"/account/keys/{known.kid}/revoke")
    offer = re.search(r'name="offer"[^>]*value="([^"]+)"', page.text)
    raw = re.search(r'data-document="([^"]+)"', page.text)
    assert offer is not None
    assert raw is not None
    signature = fresh.sign(b64u_decode(raw[1]))
    body = {
        "offer": offer[1],
        "signatures": json.dumps([[0, signature]]),
        "code": code_of(ledger, "li.wen"),
    }
    assert client.post(f"/account/keys/{known.kid}/revoke", data=body).status_code == HTTPStatus.SEE_OTHER
    with ledger.read() as conn:
        assert {key.kid: key.active for key in all_keys_of(conn, FIRM)} == {known.kid: False, fresh.kid: True}


def enrol(client: FlaskClient, ledger: Ledger, signer: Es256Signer, voucher: Es256Signer | None) -> TestResponse:
    page = client.post("/account/keys/new", data={"role": "bidder", "code": code_of(ledger, "li.wen")})
    found = {name: re.search(rf'data-{name}="([^"]+)"', page.text) for name in ("account", "org", "challenge")}
    account, org, challenge = (match[1] if match else "" for match in found.values())
    signed = enrolment(signer, account=account, challenge=challenge, org=org, role="bidder", created=1)
    if voucher is not None:
        signed = signed.with_signature(voucher.sign(signed.doc))
    return client.post("/account/keys", data={"document": signed.wire_bytes().decode()})
