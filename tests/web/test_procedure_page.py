"""One procedure, its opening and its result on a real database: what is shown, and what is not shown yet."""

from __future__ import annotations

import hashlib

import pytest
from flask.testing import FlaskClient

from tests.build.records import ACTOR, EDITION, HASH, Records, bidder, register
from tests.web.conftest import NOW, CountQueries
from trading.audit.ledger import Ledger
from trading.notices.queries.ceremony import ceremony
from trading.notices.queries.page import page
from trading.notices.queries.result import result
from trading.notices.rules.progress import LotState, Mark

HOUR = 3_600_000
REFERENCE = "T-2026-7k3m9q2d"
BASE = f"/procedures/{REFERENCE}"


@pytest.fixture
def records(ledger: Ledger) -> Records:
    register(ledger, "BUYER", "AGENCY", "SUPERVISOR", *(bidder(n) for n in range(1, 8)))
    return Records(ledger=ledger, reference=REFERENCE)


def opened(records: Records, phase: str = "opened") -> list[str]:
    """Take lot 1 through its whole opening; the third bid does not open."""
    records.publish({"1": (phase, NOW - HOUR)})
    bids = records.seal("1", 3)
    records.close("1", 3)
    records.order("1", bids, "completed")
    records.read_out(
        {bids[0]: 300_000, bids[1]: 600_000, bids[2]: None}, [{"code": "CUSTODIAN_ABSENT", "custodian": 5}]
    )
    return bids


def test_an_open_procedure(records: Records, ledger: Ledger, client: FlaskClient) -> None:
    records.publish({"1": ("open", NOW + 2 * HOUR)})
    records.seal("1", 4)
    with ledger.read() as conn:
        shown = page(conn, REFERENCE, NOW)
    lot = shown.lots[0]
    assert (lot.state, lot.ceiling, lot.items[0].quantity) == (LotState.OPEN, 500_000, "40")
    assert lot.sealing is not None
    assert (lot.sealing.k, len(lot.sealing.custodians)) == (3, 5)
    assert [step.mark for step in lot.steps[:3]] == [Mark.DONE, Mark.NOW, Mark.NEXT]
    assert shown.buyer.name_en == "BUYER Ltd"
    assert {document.typ for document in shown.documents} == {"mb.edition", "mb.schedule", "sb1.policy"}
    text = client.get(f"{BASE}?lang=zh").text
    assert "12:00:00 之前完整到达的投标才算按时" in text
    assert "人民币伍仟元整" in text


@pytest.mark.parametrize(
    ("phase", "close_at", "state"),
    [
        ("open", NOW + 1, LotState.OPEN),
        ("open", NOW, LotState.CLOSING),
        ("closed", NOW - 1, LotState.CLOSED),
        ("failed", NOW - 1, LotState.FAILED),
        ("cancelled", NOW - 1, LotState.CANCELLED),
        ("concluded", NOW - 1, LotState.PUBLISHED),
    ],
)
def test_the_state_of_a_lot(records: Records, ledger: Ledger, phase: str, close_at: int, state: LotState) -> None:
    records.publish({"1": (phase, close_at)})
    with ledger.read() as conn:
        assert page(conn, REFERENCE, NOW).lots[0].state is state


def test_the_opening_names_bidders_at_once_and_prices_together(
    records: Records, ledger: Ledger, client: FlaskClient
) -> None:
    records.publish({"1": ("opening", NOW - HOUR)})
    bids = records.seal("1", 3)
    records.close("1", 3)
    records.order("1", bids, "combined")
    records.read_out({bids[0]: 300_000, bids[1]: 310_000})
    with ledger.read() as conn:
        partly = ceremony(conn, REFERENCE, "1")
    assert [bid.bidder_en for bid in partly.bids] == [f"{bidder(n)} Ltd" for n in (1, 2, 3)]
    assert not partly.read_out
    assert "3,000.00" not in client.get(f"{BASE}/lots/1/opening").text, "a price before the last bid has its result"
    records.read_out({bids[2]: None}, [{"code": "CUSTODIAN_ABSENT", "custodian": 5}])
    text = client.get(f"{BASE}/lots/1/opening?lang=en").text
    assert "¥3,000.00" in text
    assert "¥3,100.00" in text
    assert "did not confirm in time" in text
    assert "Custodian 5 did not answer" in text
    with ledger.read() as conn:
        complete = ceremony(conn, REFERENCE, "1")
    assert (complete.closing and complete.closing.count, complete.released) == (3, 3)


def test_the_result_ranks_and_gives_reasons(records: Records, ledger: Ledger, client: FlaskClient) -> None:
    bids = opened(records, "determined")
    items = [
        {"bid": bids[0], "bidder": bidder(1), "evaluated_price": 300_000, "price": 300_000, "rank": 1, "reason": None},
        {
            "bid": bids[1],
            "bidder": bidder(2),
            "evaluated_price": 600_000,
            "price": 600_000,
            "rank": None,
            "reason": "above_ceiling",
        },
    ]
    assert client.get(f"{BASE}/lots/1/result").status_code == 404
    records.rank("1", items, (bids[0], bidder(1), 300_000))
    with ledger.read() as conn:
        shown = result(conn, REFERENCE, "1")
    assert [row.rank for row in shown.rows] == [1, None]
    assert shown.awarded is not None
    assert shown.awarded.bid.bidder_code == bidder(1)
    assert [bid.reference for bid in shown.unopened] == [bids[2]]
    text = client.get(f"{BASE}/lots/1/result?lang=en").text
    assert "Price above the ceiling" in text
    assert "<svg" in text
    assert "Award determined" in text


def test_documents_follow_their_tier(records: Records, client: FlaskClient) -> None:
    records.publish({"1": ("opening", NOW - HOUR), "2": ("opening", NOW - HOUR)})
    first, second = records.seal("1", 1), records.seal("2", 1)
    records.order("1", first, "completed")
    records.order("2", second, "combined")
    tiers = [records.document("sb1.transcript", tier=tier) for tier in ("audit", "bidders")]
    secret = records.document("sb1.opening-package", s_c="00")

    def status(data: bytes, kind: str = "json") -> int:
        return client.get(f"{BASE}/documents/{hashlib.sha256(data).hexdigest()}.{kind}").status_code

    policy = records.policies["1"]
    answer = client.get(f"{BASE}/documents/{hashlib.sha256(policy).hexdigest()}.json")
    assert answer.data == policy, "exactly the bytes that were signed"
    assert status(policy, "sig") == 200
    assert [status(each) for each in tiers] == [404, 404], "another opening of the procedure is not complete"
    with records.ledger.begin(ACTOR) as uow:
        recorded = uow.record(records._of_lot("open.ordered", "2", order_sha256=HASH))
        uow.connection.exec_driver_sql(
            "UPDATE record.opening SET step = 'completed', entry_id = %s WHERE procedure_id = %s AND lot = '2'",
            (recorded.entry_id, records.id),
        )
    assert [status(each) for each in tiers] == [404, 200], "shares and secrets never, the bidders' tier afterwards"
    assert status(secret) == 404
    assert status(b"never stored") == 404
    for odd in ("xyz", "AB" * 32, "ab" * 31):
        assert client.get(f"{BASE}/documents/{odd}.json").status_code == 404


def test_procedures_that_share_an_edition_each_show_it_once(
    records: Records, ledger: Ledger, client: FlaskClient
) -> None:
    records.publish({"1": ("open", NOW + HOUR)})
    Records(ledger=ledger, reference="T-2026-other").publish({"1": ("open", NOW + HOUR)})
    with ledger.read() as conn:
        shown = page(conn, REFERENCE, NOW)
    assert [each.typ for each in shown.documents].count("mb.edition") == 1
    for reference in (REFERENCE, "T-2026-other"):
        answer = client.get(f"/procedures/{reference}/documents/{shown.edition_sha256}.json")
        assert (answer.status_code, answer.data) == (200, EDITION)


def test_a_correction_shows_old_and_new(records: Records, client: FlaskClient) -> None:
    records.publish({"1": ("open", NOW + HOUR)})
    change = {"field": "lot 1 close", "new": str(NOW + 48 * HOUR), "old": str(NOW + HOUR)}
    text = {"field": "text_zh", "new": "课桌四十五套", "old": "课桌四十套"}
    data = records.notice(2, "correction", ["1"], [change, text])
    overview = client.get(f"{BASE}?lang=en").text
    assert "2026-05-12 11:00:00" in overview
    assert "2026-05-14 10:00:00" in overview
    full = client.get(f"{BASE}/notices/2?lang=zh").text
    assert "<ins>五</ins>" in full
    assert client.get(f"{BASE}/notices/1?lang=en").text.count("A later notice exists") == 1
    assert client.get(f"{BASE}/documents/{hashlib.sha256(data).hexdigest()}.json").data == data
    assert client.get(f"{BASE}/notices/3").status_code == 404


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing/lots/1/opening", f"/{REFERENCE}/lots/9/opening", f"/{REFERENCE}/lots/1/result"]
)
def test_what_does_not_exist_is_not_found(records: Records, client: FlaskClient, path: str) -> None:
    records.publish({"1": ("open", NOW + HOUR)})
    assert client.get(f"/procedures{path}").status_code == 404


def test_query_budget(records: Records, client: FlaskClient, count_queries: CountQueries) -> None:
    bids = opened(records, "determined")
    item = {"bid": bids[0], "bidder": bidder(1), "evaluated_price": 1, "price": 1, "rank": 1, "reason": None}
    records.rank("1", [item], (bids[0], bidder(1), 1))
    for path, most in (
        (BASE, 7),
        (f"{BASE}/notices/1", 3),
        (f"{BASE}/lots/1/opening", 14),
        (f"{BASE}/lots/1/result", 11),
    ):
        client.get(path)  # documents that never change are read once by a process
        with count_queries() as seen:
            assert client.get(path).status_code == 200
        assert len(seen) <= most, (path, len(seen))
