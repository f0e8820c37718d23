"""Registering, setting up, signing in, keys and the service desk, through the pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
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
from trading.accounts.service import Part, credentials, requests
from trading.accounts.service.credentials import SetupKind
from trading.audit.ledger import Ledger
from trading.crypto.passwords import Passwords
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


@pytest.mark.parametrize("kind", list(SetupKind))
def test_a_new_authenticator_ends_the_tokens_of_programs(ledger: Ledger, kind: SetupKind) -> None:
    """Whoever took an account over may have made a token, which is good for a year."""
    quick = Passwords(memory_kib=64, passes=1)
    account = accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    with ledger.upkeep() as conn:
        recovery = credentials.set_factors(conn, account, quick.hash(PASSWORD), codes.new_secret())
        link = credentials.issue_setup(conn, account, kind)
    token = accounts.issue_token(ledger, "li.wen", ("read:own",))
    secret = credentials.setup_of(ledger, link).secret
    typed = digits(secret, ledger) if kind is SetupKind.FACTORS else recovery[0]
    credentials.complete_setup(ledger, quick, link, password=f"{PASSWORD}, another", code=typed)
    with ledger.upkeep() as conn:
        assert (accounts.authenticate(conn, token) is None) is (kind is SetupKind.FACTORS)


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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_attempt_to_sign_in_tells_nothing(client: FlaskClient, ledger: Ledger, language: str) -> None:
    """Unknown and known logins, wrong password and wrong digits: the same status and the same page (F53)."""
    account = accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    with ledger.upkeep() as conn:
        credentials.set_factors(conn, account, Passwords(memory_kib=64, passes=1).hash(PASSWORD), codes.new_secret())
    pages = set()
    for login, password in (("nobody", PASSWORD), ("li.wen", "no"), ("li.wen", PASSWORD)):
        data = {"login": login, "password": password, "code": "000000"}
        answer = client.post(f"/signin?lang={language}", data=data)
        pages.add((answer.status_code, answer.text.replace(login, "")))
    assert len(pages) == 1
    assert pages.pop()[0] == HTTPStatus.UNPROCESSABLE_ENTITY


def test_registering_tells_nothing_about_who_is_registered(client: FlaskClient, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    known = client.post("/register", data=FORM)
    fresh = client.post("/register", data=FORM | {"login": "somebody.else"})
    assert known.status_code == fresh.status_code == HTTPStatus.OK
    number = re.compile(r"R-[0-9a-z]{8}")
    assert number.sub("", known.text) == number.sub("", fresh.text)


def test_nobody_lists_the_experts_whose_accounts_the_centre_keeps(app: Flask, ledger: Ledger) -> None:
    """Their colleagues on paper would otherwise read the pool by name (security 9.2, 12)."""
    for login, role in (("clerk", Role.CENTRE), ("clerk2", Role.CENTRE), ("lu", Role.EXPERT), ("xu", Role.EXPERT)):
        accounts.create_account(ledger, login=login, org_code=DESK, roles=(role,), name=f"姓名{login}")
    for login in ("clerk", "lu"):
        page = signed_in(app.test_client(), login).get("/account").text
        assert "姓名clerk2" in page
        assert "姓名xu" not in page


def test_the_people_of_a_demonstration_are_nowhere_else(client: FlaskClient) -> None:
    assert client.get("/demo/people").status_code == HTTPStatus.NOT_FOUND
    assert client.post("/demo/people", data={"login": "li.wen"}).status_code == HTTPStatus.NOT_FOUND
    assert "/demo/people" not in client.get("/signin").text


def test_a_visitor_takes_a_part(app: Flask, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="drafter", org_code=FIRM, roles=(Role.AGENCY,), name="李雯")
    runtime = replace(app.extensions["runtime"], demo=True, passwords=Passwords(memory_kib=64, passes=1))
    app.extensions["runtime"] = runtime
    folder = app.extensions["settings"].data_dir
    part = Part(login="drafter", title_zh="编制人", title_en="Drafter", note_zh="编制。", note_en="Drafts.")
    (way,) = accounts.open_ways_in(runtime, folder, [part])
    assert (folder / "demo-people.json").stat().st_mode & 0o777 == 0o600
    client = app.test_client()
    page = client.get("/demo/people")
    assert "编制人" in page.text
    assert digits(way.secret, ledger) in page.text
    assert client.post("/demo/people", data={"login": "desk1"}).status_code == HTTPStatus.NOT_FOUND
    assert client.post("/demo/people", data={"login": "drafter"}).headers["Location"] == "/workspace"
    assert "李雯" in client.get("/workspace").text
    typed = {"login": "drafter", "password": way.password, "code": way.recovery[0]}
    assert app.test_client().post("/signin", data=typed).headers["Location"] == "/workspace"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_this_site_alone(client: FlaskClient, ledger: Ledger, target: str) -> None:
    account = accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    with ledger.upkeep() as conn:
        encoded = Passwords(memory_kib=64, passes=1).hash(PASSWORD)
        recovery = credentials.set_factors(conn, account, encoded, codes.new_secret())
    data = {"login": "li.wen", "password": PASSWORD, "code": recovery[0], "next": target}
    assert client.post("/signin", data=data).headers["Location"] == "/workspace"


def test_a_step_up_gives_the_session_a_new_token(client: FlaskClient, ledger: Ledger) -> None:
    accounts.create_account(ledger, login="li.wen", org_code=FIRM, roles=(Role.BIDDER,))
    signed_in(client, "li.wen")
    before = client.get_cookie("mb_session")
    assert client.post("/account/recovery-codes", data={"code": code_of(ledger, "li.wen")}).status_code == HTTPStatus.OK
    after = client.get_cookie("mb_session")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert client.get("/workspace").status_code == HTTPStatus.OK
    client.set_cookie("mb_session", before.value)
    assert client.get("/workspace").status_code == HTTPStatus.SEE_OTHER
