"""Disclosure by hand: a citizen asks, the office answers, an earlier year is declared and shown as it was printed."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.support.people import signed_in
from trading.accounts import service as accounts
from trading.audit.ledger import Ledger
from trading.disclosure.forms import codes
from trading.kernel.roles import Role

VECTOR: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors" / "annual_2012.toml").read_text(encoding="utf-8")
)
CODE = "12110108MA0P000035"
ASKED = {"name": "王小明", "contact": "wang@example.org", "text": "2025年度办公家具采购的验收报告"}


def post(client: FlaskClient, path: str, **fields: object) -> Any:  # noqa: ANN401 - the answer of the test client
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)
    assert found is not None
    return client.post(path, data={"csrf_token": found[1], **fields}, headers={"Accept-Language": "zh"})


def office(app: Flask, ledger: Ledger) -> FlaskClient:
    accounts.create_account(ledger, login="open1", org_code=CODE, roles=(Role.CENTRE,))
    return signed_in(app.test_client(), "open1")


def test_a_citizen_asks_without_an_account_and_reads_the_reply(app: Flask, ledger: Ledger) -> None:
    public = app.test_client()
    assert post(public, "/disclosure/ask", **(ASKED | {"text": "?"})).status_code == 422
    asked = post(public, "/disclosure/ask", **ASKED)
    number = re.search(r"D-\d{4}-[0-9A-Z]{10}", asked.text)
    assert number is not None
    page = f"/disclosure/requests/{number[0]}"
    desk = office(app, ledger)
    handle = f"/disclosure/office/{number[0]}"
    shown = desk.get(handle)
    assert ASKED["name"] in shown.text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', shown.text)
    assert token is not None
    day = re.search(r"\d{4}-\d{2}-\d{2}", public.get(page).text)
    assert day is not None
    for act, fields, status in (
        ("reply", {"ground": "internal", "reason": "讨论记录", "fee_waived": "0"}, 422),
        ("receipt", {"received_on": "2000-01-01"}, 422),
        ("receipt", {"received_on": day[0]}, 303),
        ("extension", {"why": "征求意见"}, 422),
        ("reply", {"ground": "internal", "reason": "", "fee_waived": "0"}, 422),
        ("reply", {"ground": "internal", "reason": "讨论记录", "fee_waived": "1.234"}, 422),
        ("reply", {"ground": "internal", "reason": "讨论记录", "fee_waived": "10.50"}, 303),
    ):
        answer = desk.post(f"{handle}/{act}", data={"csrf_token": token[1], **fields})
        assert answer.status_code == status, (act, fields, answer.text)
    seen = public.get(page, headers={"Accept-Language": "zh"}).text
    assert "政府信息公开条例第十六条" in seen
    assert "¥10.50" in seen
    for secret in ASKED.values():
        assert secret not in seen + public.get("/disclosure").text
    assert app.test_client().get(handle).status_code == 303, "to the page where one signs in"


def test_the_table_of_2012_is_shown_as_it_was_printed(app: Flask, ledger: Ledger) -> None:
    desk, public, path = office(app, ledger), app.test_client(), "/disclosure/annual/2012"
    assert public.get(path).status_code == 404
    numbers: dict[str, object] = {}
    for code, (_title, _unit, of_year, cumulative) in zip(codes(), VECTOR["rows"], strict=True):
        numbers |= {f"y_{code}": of_year, f"a_{code}": cumulative}
    told = {"year": 2012, "source": "2012年度报告", "reason": "平台建立之前的年度", **numbers}
    form = "/disclosure/office/declared"
    refused = post(desk, form, **(told | {"y_proactive_docs_web": 44}))
    assert refused.status_code == 422
    assert "web_within_documents" in refused.text
    assert post(desk, form, **told).status_code == 303
    rows = list(csv.reader(io.StringIO(public.get(f"{path}.csv").text.removeprefix("\ufeff"))))
    assert rows[0][:4] == ["指标名称", "计量单位", "2012年度", "历年累计"]
    assert [row[:4] for row in rows[1:]] == VECTOR["rows"]
    page = public.get(path, headers={"Accept-Language": "zh"}).text
    cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>.*?</t[dh]>", page, re.DOTALL)]
    assert [cells[place : place + 4] for place in range(4, len(cells), 4)] == VECTOR["rows"]
    assert "2012 年度政务公开统计" in public.get("/disclosure", headers={"Accept-Language": "zh"}).text
    assert post(desk, form, **told).status_code == 422


def test_appeals_and_prints_are_noted_by_the_office(app: Flask, ledger: Ledger) -> None:
    desk = office(app, ledger)
    path = "/disclosure/office/contests"
    assert post(desk, path, route="review", number="", noted_on="2020-01-01").status_code == 422
    assert post(desk, path, route="review", number="D-0", noted_on="2020-01-01").status_code == 422
    assert post(desk, path, route="appeal", number="", noted_on="2020-01-01").status_code == 303
    path = "/disclosure/office/gazette"
    assert post(desk, path, document="0" * 64, issue="1", printed_on="2020-01-01").status_code == 422
    path = "/disclosure/office"
    paper = {**ASKED, "channel": "letter"}
    assert post(desk, path, **paper, received_on="9999-01-01").status_code == 422
    assert post(desk, path, **paper, received_on="2020-01-01").status_code == 303
    assert "D-" in desk.get(path).text
