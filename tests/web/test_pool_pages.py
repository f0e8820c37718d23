"""The pool's pages with valid forms and no browser: apply, recommend, qualify, suspend, discipline, amend, refuse."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.made_pool import EMPLOYER, PoolMaker, identity_no
from tests.support.people import code_of, signed_in
from trading.audit.ledger import Ledger
from trading.kernel.encoding import b64u_decode
from trading.pool import queries
from trading.pool.service import applications

HIDDEN = re.compile(r'<input[^>]*name="(csrf_token|offer|version)"[^>]*value="([^"]*)"')
DOCUMENT = re.compile(r'data-document="([^"]+)"')
FIELDS: dict[str, Any] = {
    "regime": "TL",
    "name": "林一鸣",
    "identity_no": identity_no(1),
    "birth": "1970-01-01",
    "mail": "lin@example.org",
    "phone": "13800000000",
    "employer": EMPLOYER,
    "employer_name": "江北省设计院",
    "region": "110101",
    "title": "3",
    "title_name": "高级工程师",
    "years": "12",
    "specialties": ["A0201", "A032001"],
    "employers": EMPLOYER,
    "available": "y",
}


@pytest.fixture
def pool(ledger: Ledger) -> PoolMaker:
    return PoolMaker(ledger).set_up()


class Desk:
    """People of the pool at their pages."""

    def __init__(self, app: Flask, pool: PoolMaker) -> None:
        self.app, self.pool = app, pool

    def post(self, login: str, path: str, page: str | None = None, **fields: object) -> TestResponse:
        """Open a page, fill in its form, sign what it offers, and send it."""
        client = signed_in(self.app.test_client(), login)
        shown = client.get(page or path)
        assert shown.status_code == HTTPStatus.OK, (page or path, shown.text[:2000])
        values: dict[str, object] = {**dict(HIDDEN.findall(shown.text)), **fields}
        if 'name="code"' in shown.text:
            values["code"] = code_of(self.pool.ledger, login)
        if offered := DOCUMENT.findall(shown.text):
            signed = [self.pool.signer.sign(b64u_decode(doc)) for doc in offered]
            values["signatures"] = json.dumps([[place, each] for place, each in enumerate(signed)])
        return client.post(path, data=values)

    def done(self, login: str, path: str, page: str | None = None, **fields: object) -> str:
        answer = self.post(login, path, page, **fields)
        assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
        return answer.location

    def shown(self, login: str, path: str) -> str:
        answer = signed_in(self.app.test_client(), login).get(path)
        assert answer.status_code == HTTPStatus.OK, answer.text
        return answer.text


@pytest.fixture
def desk(app: Flask, pool: PoolMaker) -> Desk:
    return Desk(app, pool)


def file_of(pool: PoolMaker) -> queries.FileRow:
    with pool.ledger.read() as conn:
        (row,) = queries.by_number(conn).rows
    return row


def test_a_file_from_the_application_to_its_sanctions(desk: Desk, pool: PoolMaker) -> None:
    assert desk.done("lin", "/experts/apply", **FIELDS) == "/experts/mine"
    number = file_of(pool).number
    assert desk.done("unit", f"/experts/staff/{number}/recommend", "/experts/staff") == "/experts/staff"
    admit = f"/standing/admit?number={number}&level=C&level=P"
    assert desk.done("bureau", admit) == "/standing"
    assert (file_of(pool).state, file_of(pool).standing) == ("admitted", "active")
    order = f"/standing/files/{number}/"
    for act, standing in (("suspended", "suspended"), ("resumed", "active")):
        desk.done("bureau", f"{order}{act}", reason="群众举报，先行核查")
        assert file_of(pool).standing == standing
    fined: dict[str, Any] = {"measure": "fine", "yuan": "5000", "reason": "未按规定回避"}
    assert desk.done("bureau", f"/standing/files/{number}/discipline", **fined) == f"/standing/files/{number}"
    assert "未按规定回避" in desk.shown("bureau", f"/standing/files/{number}")
    assert "未按规定回避" in desk.shown("lin", "/experts/mine")


def test_an_expert_says_when_he_is_away_and_what_binds_him(desk: Desk, pool: PoolMaker) -> None:
    desk.done("lin", "/experts/apply", **FIELDS)
    number = file_of(pool).number
    path = f"/experts/mine/{number}"
    told: dict[str, Any] = {"mail": "lin@example.org", "phone": "13800000000", "available": "y"}
    away = {**told, "away_from": "2026-08-01", "away_until": "2026-08-15", "relatives": EMPLOYER}
    for wrong in ({**away, "away_until": "2026-07-31"}, {**away, "away_until": ""}):
        refused = desk.post("lin", path, **wrong)
        assert (refused.status_code, "截止日不早于起始日" in refused.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    assert desk.done("lin", path, **away) == "/experts/mine"
    assert "2026-08-01 至 2026-08-15 不能" in desk.shown("lin", "/experts/mine")
    (mine,) = applications.own(pool.ledger, pool.actors["lin"])
    assert (mine.dossier.away_from, mine.dossier.away_until) == ("2026-08-01", "2026-08-15")
    assert mine.dossier.relatives == (EMPLOYER,)
    desk.done("lin", path, **told)
    (mine,) = applications.own(pool.ledger, pool.actors["lin"])
    assert (mine.dossier.away_from, mine.dossier.relatives) == (None, ())


def test_a_form_that_does_not_fit_says_so_at_its_field(desk: Desk, pool: PoolMaker) -> None:
    """The control: the same forms with one value that the rules do not admit."""
    refused = desk.post("lin", "/experts/apply", **{**FIELDS, "years": "7"})
    assert (refused.status_code, "年限" in refused.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    with pool.ledger.read() as conn:
        assert queries.by_number(conn).rows == ()
    desk.done("lin", "/experts/apply", **FIELDS)
    number = file_of(pool).number
    early = desk.post("bureau", f"/standing/files/{number}/refuse", rule="EXP-08", reason="")
    assert early.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    desk.done("bureau", f"/standing/files/{number}/refuse", rule="EXP-08", reason="材料不齐")
    assert (file_of(pool).state, file_of(pool).rule) == ("refused", "EXP-08")
