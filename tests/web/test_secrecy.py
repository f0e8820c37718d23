"""Before the opening order nobody can tell from a page how many bids there are, or whether there is any (NOT-36, G4).

The same procedure is captured with no bid and with seven; everything a reader receives is compared byte for byte. The
control shows that the comparison sees a count: after the order the pages do differ.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.build.records import ACTOR, Records, bidder, register
from tests.support.databases import Database
from tests.web.conftest import NOW
from trading.audit.ledger import Ledger
from trading.notices.queries.log import ALWAYS

HOUR = 3_600_000
REFERENCE = "T-2026-7k3m9q2d"
PATHS = (
    "/",
    "/procedures",
    "/procedures?q=课桌",
    "/procedures?stage=open",
    "/procedures?stage=opening",
    f"/procedures/{REFERENCE}",
    f"/procedures/{REFERENCE}/notices/1",
    f"/procedures/{REFERENCE}/lots/1/opening",
    f"/procedures/{REFERENCE}/lots/1/result",
    "/verify",
    "/log",
    "/log/checkpoint",
    "/receipts",
    "/help",
    "/livez",
)


@pytest.fixture
def records(ledger: Ledger) -> Records:
    register(ledger, "BUYER", "AGENCY", "SUPERVISOR", *(bidder(n) for n in range(1, 8)))
    return Records(ledger=ledger, reference=REFERENCE)


def everything(client: FlaskClient) -> Iterator[tuple[str, str, int, str, bytes]]:
    """Yield path, language, status, headers and body of every page."""
    for language in ("zh", "en"):
        for path in PATHS:
            answer = client.get(path, headers={"Accept-Language": language})
            yield path, language, answer.status_code, str(answer.headers), answer.data


@pytest.mark.parametrize(("phase", "close_at"), [("open", NOW + HOUR), ("open", NOW - 1), ("closed", NOW - HOUR)])
def test_pages_are_equal_with_no_bid_and_with_seven(
    records: Records, client: FlaskClient, phase: str, close_at: int
) -> None:
    records.publish({"1": (phase, close_at)})
    without = list(everything(client))
    records.seal("1", 7)
    if phase == "closed":
        records.close("1", 7)
    assert list(everything(client)) == without


def test_an_amendment_after_bids_gives_no_position_away(
    records: Records, database: Database, client: FlaskClient
) -> None:
    """Positions would tell how many entries came in between; every record still links to its commitment."""
    records.publish({"1": ("open", NOW + HOUR)})
    records.seal("1", 3)
    records.notice(2, "correction", ["1"])
    number_entries(database)
    text = client.get(f"/procedures/{REFERENCE}?lang=en").text
    assert "Log entry" not in text
    assert "/log/entries/" in text


def test_the_comparison_sees_a_count(records: Records, client: FlaskClient) -> None:
    """Negative control: with the opening order the list of bids is public, and the same comparison fails."""
    records.publish({"1": ("closed", NOW - HOUR)})
    before = list(everything(client))
    records.order("1", records.seal("1", 2))
    assert list(everything(client)) != before


def test_positions_are_shown_once_no_lot_is_sealed(
    records: Records, database: Database, ledger: Ledger, client: FlaskClient
) -> None:
    records.publish({"1": ("opening", NOW - HOUR), "2": ("open", NOW + HOUR)})
    records.order("1", records.seal("1", 1))
    number_entries(database)
    assert "Log entry" not in client.get(f"/procedures/{REFERENCE}?lang=en").text, "lot 2 is still sealed"
    with ledger.begin(ACTOR) as uow:
        uow.record(records._of_lot("lot.failed", "2", reason="fewer_than_three", rule="OPN-02"))
    assert "Log entry" in client.get(f"/procedures/{REFERENCE}?lang=en").text


def number_entries(database: Database) -> None:
    """Give every entry that has none a position, as the sequencer would."""
    with database.connect() as conn:
        conn.exec_driver_sql(
            "INSERT INTO log.log_position (n, entry_id, p, t) "
            "SELECT (SELECT count(*) FROM log.log_position) + row_number() OVER (ORDER BY id) - 1, id, h, 0 "
            "FROM log.audit_entry WHERE id NOT IN (SELECT entry_id FROM log.log_position)"
        )


def test_an_entry_page_tells_only_what_is_public(
    records: Records, database: Database, ledger: Ledger, client: FlaskClient
) -> None:
    records.publish({"1": ("open", NOW + HOUR)})
    records.seal("1", 1)
    number_entries(database)
    with ledger.read() as conn:
        rows = conn.exec_driver_sql("SELECT kind, h FROM log.audit_entry").all()
    by_kind = {kind: bytes(h).hex() for kind, h in rows}
    sealed = client.get(f"/log/entries/{by_kind['bid.received']}?lang=en").text
    assert "Not public" in sealed
    assert REFERENCE not in sealed
    assert "bid.received" not in sealed
    shown = client.get(f"/log/entries/{by_kind['tender.published']}?lang=en").text
    assert REFERENCE in shown
    assert "Shown after the opening" in shown
    public = {h for kind, h in by_kind.items() if kind in ALWAYS}
    for h in (*by_kind.values(), "00" * 32):  # a receipt names its position
        status = 422 if h in public else 404
        for path in (f"/log/entries/{h}.tlog-proof", f"/log/entries/{h}.pdf", f"/api/v1/receipts/{h}"):
            assert client.get(path).status_code == status
    told = client.get(f"/api/v1/receipts/{by_kind['tender.published']}").get_json()
    assert told["code"] == "receipt.after_opening"
    assert client.get(f"/log/entries/{'00' * 32}").status_code == 404
    assert client.get("/log/entries/zz").status_code == 404
    answer = client.get(f"/receipts?h={by_kind['bid.received'].upper()}")
    assert (answer.status_code, answer.location) == (303, f"/log/entries/{by_kind['bid.received']}")


def test_the_result_of_one_bid_is_told_with_those_of_all(
    records: Records, database: Database, ledger: Ledger, client: FlaskClient
) -> None:
    """By its page and by its receipt, as by the feed of records (OPN-04)."""
    records.publish({"1": ("opening", NOW - HOUR)})
    (bid,) = records.seal("1", 1)
    records.order("1", [bid])
    with ledger.begin(ACTOR) as uow:
        uow.record(records._of_lot("opening.combined", "1", items=[{"bid": bid, "verdict": "OK"}]))
    records.read_out({bid: 100})
    number_entries(database)
    with ledger.read() as conn:
        query = "SELECT h FROM log.audit_entry WHERE kind = 'bid.verdict'"
        h = bytes(conn.exec_driver_sql(query).scalar_one()).hex()
    assert "Not public" in client.get(f"/log/entries/{h}?lang=en").text
    assert client.get(f"/api/v1/receipts/{h}").status_code == 404
    with ledger.begin(ACTOR) as uow:
        uow.record(records._of_lot("opening.completed", "1", transcript_sha256s=[]))
    number_entries(database)
    assert "bid.verdict" in client.get(f"/log/entries/{h}?lang=en").text
    assert client.get(f"/api/v1/receipts/{h}").get_json()["state"] == "acknowledged", "this log has no checkpoint"
