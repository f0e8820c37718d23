"""The evidence bundle: nobody gets one early, many readers cost one, a new record makes a new one."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.build.records import Records, register
from tests.support.databases import Database
from tests.web.conftest import NOW
from trading.audit.ledger import Ledger
from trading.audit.service import WitnessedNote
from trading.crypto.signatures import SignedDocument
from trading.disclosure import views
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras
from trading.storage.objects import StoreAway

REFERENCE = "T-2026-7k3m9q2d"
URL = f"/procedures/{REFERENCE}/bundle.zip"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Tier]]:
    """Stand in for the log's files and the export, which have tests of their own; list what was exported."""
    calls: list[tuple[str, Tier]] = []

    def export(
        _runtime: object, reference: str, tier: Tier, target: Path, extras: BundleExtras, *, bid: str | None = None
    ) -> None:
        calls.append((reference if bid is None else bid, tier))
        target.write_bytes(b"PK bundle " + extras.trust + str(len(calls)).encode())

    monkeypatch.setattr(views, "export_procedure", export)
    monkeypatch.setattr(views, "witnessed", lambda _runtime: WitnessedNote(note=b"", size=1_000_000, t_low=0, times=()))
    return calls


@pytest.fixture
def records(ledger: Ledger, tmp_path: Path) -> Records:
    register(ledger, "BUYER", "AGENCY", "SUPERVISOR")
    (tmp_path / "trust.wire.json").write_bytes(SignedDocument(b'{"typ":"mb.trust"}').wire_bytes())
    return Records(ledger=ledger, reference=REFERENCE)


def number(database: Database) -> None:
    with database.connect() as conn:
        conn.exec_driver_sql(
            "INSERT INTO log.log_position (n, entry_id, p, t) SELECT (SELECT count(*) FROM log.log_position) + "
            "row_number() OVER () - 1, id, h, 0 FROM log.audit_entry e "
            "WHERE NOT EXISTS (SELECT FROM log.log_position WHERE entry_id = e.id)"
        )


def test_nobody_gets_it_before_the_opening_is_complete(
    records: Records, client: FlaskClient, made: list[tuple[str, Tier]]
) -> None:
    records.publish({"1": ("opening", NOW - 1), "2": ("open", NOW + 1)})
    assert client.get(URL).status_code == 404
    records.order("1", records.seal("1", 1), "completed")
    assert client.get(URL).status_code == 404, "lot 2 still takes bids"
    assert made == []


def test_many_readers_cost_one_bundle(
    records: Records, client: FlaskClient, made: list[tuple[str, Tier]], database: Database, tmp_path: Path
) -> None:
    records.publish({"1": ("opened", NOW - 1)})
    records.order("1", records.seal("1", 1), "completed")
    number(database)
    assert f'href="{URL}"' in client.get(f"/procedures/{REFERENCE}").text
    for _ in range(2):
        with client.get(URL) as answer:
            assert answer.data == b'PK bundle {"typ":"mb.trust"}1'
            assert REFERENCE in answer.headers["Content-Disposition"]
    assert made == [(REFERENCE, Tier.PUBLIC)]
    records.rank("1", [], None)
    number(database)
    with client.get(URL) as answer:
        assert answer.data.endswith(b"2"), "a new record, a new bundle"
    assert len(list((tmp_path / "bundles").iterdir())) == 1, "the old one is gone"


def test_one_that_could_not_be_made_leaves_nothing(
    records: Records,
    client: FlaskClient,
    made: list[tuple[str, Tier]],
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records.publish({"1": ("opened", NOW - 1)})
    records.order("1", records.seal("1", 1), "completed")
    number(database)

    def broken(_runtime: object, _reference: str, _tier: Tier, target: Path, _extras: object, **_of: object) -> None:
        target.write_bytes(b"PK half of it")
        raise StoreAway("the object store went away half way")

    with monkeypatch.context() as patch:
        patch.setattr(views, "export_procedure", broken)
        assert client.get(URL).status_code >= 500
    assert (made, list((tmp_path / "bundles").iterdir())) == ([], [])
    with client.get(URL) as answer:
        assert answer.data.endswith(b"1"), "the next reader gets it"


def test_it_waits_until_the_newest_record_is_witnessed(
    records: Records, client: FlaskClient, made: list[tuple[str, Tier]], database: Database
) -> None:
    records.publish({"1": ("opened", NOW - 1)})
    records.order("1", records.seal("1", 1), "completed")
    number(database)
    records.rank("1", [], None)
    answer = client.get(f"{URL}?lang=en")
    assert (answer.status_code, made) == (422, [])
    assert "has not been signed by enough witnesses yet" in answer.text


def test_without_a_trust_file_there_is_none(
    records: Records, client: FlaskClient, made: list[tuple[str, Tier]], tmp_path: Path, database: Database
) -> None:
    records.publish({"1": ("opened", NOW - 1)})
    records.order("1", records.seal("1", 1), "completed")
    number(database)
    (tmp_path / "trust.wire.json").unlink()
    assert client.get(URL).status_code == 404
    assert made == []
