"""A key that the browser makes and never gives away: enrolled, let in by the desk, and used to sign (P6.2, P7.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from tests.support.databases import Database
from tests.support.people import code_of, session_cookie
from tests.support.serving import serving
from trading.accounts import service as accounts
from trading.accounts.service import requests
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.kernel.clock import SystemClock
from trading.kernel.roles import Role
from trading.parties.queries import all_keys_of
from trading.storage.local import LocalStore

AGENCY, DESK = "12110108MA0DEM0025", "12110108MA0DEM0033"
STOLEN = """async () => {
  const opening = indexedDB.open("mingbiao", 1);
  await new Promise((done) => { opening.onsuccess = done; });
  const asked = opening.result.transaction("keys").objectStore("keys").getAll();
  await new Promise((done) => { asked.onsuccess = done; });
  const key = asked.result[0].private;
  const tries = ["pkcs8", "jwk"].map((form) => crypto.subtle.exportKey(form, key).then(() => form, () => "refused"));
  return { stored: asked.result.length, tries: await Promise.all(tries), extractable: key.extractable };
}"""


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    ledger = Ledger(database.engine(pool_size=8), registry=REGISTRY, reader=database.engine("trading_reader"))
    runtime = Runtime(
        ledger=ledger,
        objects=LocalStore(tmp_path / "objects"),
        log_dir=tmp_path,
        origin=database.origin,
        demo=False,
        clock=SystemClock(),
    )
    settings = Settings(
        process=Process.WEB,
        demo=False,
        data_dir=tmp_path,
        database_url=database.url("trading_web"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    return create_app(settings, runtime)


def session_cookie_of(app: Flask, base: str, login: str) -> Any:  # noqa: ANN401 - a type that playwright keeps
    name, value = session_cookie(app, login)
    return {"url": base, "name": name, "value": value}


def enter(browser: Browser, app: Flask, base: str, login: str) -> Page:
    context = browser.new_context(base_url=base, locale="en-GB")
    context.add_cookies([session_cookie_of(app, base, login)])
    return context.new_page()


def test_enrol_approve_sign(browser: Browser, app: Flask) -> None:
    ledger: Ledger = app.extensions["runtime"].ledger
    accounts.create_account(ledger, login="drafter", org_code=AGENCY, roles=(Role.AGENCY,))
    for login in ("desk1", "desk2"):
        accounts.create_account(ledger, login=login, org_code=DESK, roles=(Role.DESK,))
    with serving(app) as base:
        page = enter(browser, app, base, "drafter")
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto("/account/keys/new")
        page.get_by_label("Agency or buyer").check()
        page.get_by_label("Six-digit code or recovery code").fill(code_of(ledger, "drafter"))
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Make the key in this browser").click()
        page.get_by_text("The key has proved itself.").wait_for()
        assert page.evaluate(STOLEN) == {"stored": 1, "tries": ["refused", "refused"], "extractable": False}
        (waiting,) = requests.waiting(ledger)
        for login in ("desk1", "desk2"):
            desk = enter(browser, app, base, login)
            desk.goto(f"/desk/requests/{waiting.id}")
            desk.get_by_label("Six-digit code or recovery code").fill(code_of(ledger, login))
            desk.get_by_role("button", name="Approve").click()
            desk.wait_for_url("**/desk/requests")
        page.reload()
        page.get_by_text("On this device").wait_for()
        page.get_by_role("link", name="Revoke").click()
        page.get_by_label("Six-digit code or recovery code").fill(code_of(ledger, "drafter"))
        page.get_by_role("button", name="Sign with this device's key").click()
        page.get_by_text("The key is revoked.").wait_for()
        assert faults == []
    with ledger.read() as conn:
        assert [key.active for key in all_keys_of(conn, AGENCY)] == [False]


def test_without_script_the_page_offers_files(browser: Browser, app: Flask) -> None:
    ledger: Ledger = app.extensions["runtime"].ledger
    accounts.create_account(ledger, login="drafter", org_code=AGENCY, roles=(Role.AGENCY,))
    with serving(app) as base:
        context = browser.new_context(base_url=base, locale="en-GB", java_script_enabled=False)
        context.add_cookies([session_cookie_of(app, base, "drafter")])
        page = context.new_page()
        page.goto("/account/keys/new")
        page.get_by_label("Agency or buyer").check()
        page.get_by_label("Six-digit code or recovery code").fill(code_of(ledger, "drafter"))
        page.get_by_role("button", name="Continue").click()
        page.get_by_text("Make the key with a program instead").click()
        assert page.get_by_role("button", name="Send the enrolment").is_visible()
        assert not page.get_by_role("button", name="Make the key in this browser").is_visible()
