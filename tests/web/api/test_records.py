"""The feed of public records: log order, the public head, what waits for its disclosure, cursors that are none."""

from __future__ import annotations

import pytest

from tests.support.covered import QUANTUM, CoveredLog
from tests.support.feeds import FEED
from trading.audit import queries
from trading.audit.rules.chain import record_commitment
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.notices.queries import records
from trading.storage.tiles import CHECKPOINT

BIDS = [{"bid": f"b-{n}", "faults": [], "verdict": "OK"} for n in (1, 2)]


def test_records_open_their_commitments_and_stand_in_log_order(covered: CoveredLog) -> None:
    wanted = [covered.write("tender.published", number) for number in range(1, 6)]
    covered.write("bid.received", 1)
    covered.logged()
    covered.window()
    found = list(covered.crawler(limit=2).new())
    assert [each["h"] for each in found] == wanted
    assert [each["n"] for each in found] == sorted(each["n"] for each in found)
    for each in found:
        record = b64u_decode(each["record"])
        assert record_commitment(bytes.fromhex(each["nonce"]), record).hex() == each["h"]
        assert loads_object(record)["kind"] == "tender.published"
        assert covered.app.test_client().get(f"{FEED}/{each['n']}").get_json() == each
    assert covered.app.test_client().get(f"{FEED}/5").status_code == 404  # the bid


def test_nothing_above_the_public_head_is_told_and_the_cursor_moves_as_the_head_does(covered: CoveredLog) -> None:
    covered.logged()
    assert covered.window() == QUANTUM
    crawler = covered.crawler()
    assert list(crawler.new()) == []
    assert crawler.since == QUANTUM
    for _ in range(3):
        covered.write("bid.received", 1)
    late = covered.write("tender.published", 2)
    covered.logged()
    assert covered.size(CHECKPOINT) > QUANTUM
    assert list(crawler.new()) == []
    assert crawler.since == QUANTUM, "four entries were logged, and nothing tells so"
    place = covered.size(CHECKPOINT) - 1
    assert covered.app.test_client().get(f"{FEED}/{place}").status_code == 404
    head = covered.passed(late)
    assert [each["h"] for each in crawler.new()] == [late]
    assert crawler.since == head


def test_what_waits_is_told_by_the_entry_that_discloses_it(covered: CoveredLog) -> None:
    closed = covered.write("tender.closed")
    early = covered.write("policy.fixed", 2)
    covered.logged()
    covered.window()
    crawler = covered.crawler()
    assert [each["h"] for each in crawler.new()] == [early], "how many bids there are is a secret until the order"
    assert covered.app.test_client().get(f"{FEED}/0").status_code == 404
    ordered = covered.write("open.ordered")
    combined = covered.write("opening.combined", items=BIDS)
    opened = covered.write("bid.opened", bid="b-1")
    refused = covered.write("bid.verdict", bid="b-2")
    covered.passed(refused)
    assert [each["h"] for each in crawler.new()] == [closed, ordered]
    completed = covered.write("opening.completed")
    covered.passed(completed)
    assert [each["h"] for each in crawler.new()] == [combined, opened, refused, completed]
    assert covered.app.test_client().get(f"{FEED}/0").get_json()["h"] == closed
    whole = [early, closed, ordered, combined, opened, refused, completed]
    assert covered.told() == covered.told(limit=1) == whole
    pages = covered.crawler(limit=1)
    assert [len(pages.page()) for _ in range(4)] == [1, 2, 4, 0], "what one entry discloses is not torn apart"


def test_a_page_walks_over_so_many_positions_at_most(covered: CoveredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SPAN", 3)
    first = covered.write("tender.published")
    covered.logged()
    covered.window()
    last = covered.write("tender.changed")
    head = covered.passed(last)
    crawler, pages = covered.crawler(), 0
    found: list[str] = []
    while crawler.since < head:
        found += [each["h"] for each in crawler.page()]
        pages += 1
    assert found == [first, last]
    assert pages == -(-head // 3)


def test_settled_pages_may_be_kept_and_the_newest_is_asked_again(covered: CoveredLog) -> None:
    for _ in range(3):
        covered.write("tender.published")
    covered.logged()
    covered.window()
    client = covered.app.test_client()
    settled = client.get(FEED, query_string={"limit": 2})
    assert settled.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    newest = client.get(FEED)
    assert newest.headers["Cache-Control"] == "public, max-age=5, must-revalidate"
    again = client.get(FEED, headers={"If-None-Match": newest.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    covered.window()
    assert client.get(FEED, headers={"If-None-Match": newest.headers["ETag"]}).status_code == 200
    assert client.get(FEED, query_string={"limit": 2}).data == settled.data


REFUSED = [
    *((f"since={text}", "records.since") for text in ("", "x", "-1", "1.5", "%C2%B2", "0x1", "1" * 16)),
    *((f"limit={text}", "records.limit") for text in ("0", "1001", "x", "-1")),
    (f"since={QUANTUM + 1}", "records.ahead"),
]


def test_a_cursor_that_is_none_is_refused(covered: CoveredLog) -> None:
    assert covered.window() == QUANTUM
    client = covered.app.test_client()
    for query, code in REFUSED:
        answer = client.get(f"{FEED}?{query}")
        problem = answer.get_json()
        assert (answer.status_code, problem["code"]) == (400, code), query
        assert problem["zh"] != problem["en"]
    assert f"has {QUANTUM} entries" in client.get(f"{FEED}?since={QUANTUM + 1}").get_json()["en"]
    for fine in (f"since={QUANTUM}", f"since={QUANTUM - 1}", "limit=1", "limit=1000"):
        assert client.get(f"{FEED}?{fine}").status_code == 200


def test_a_replica_that_lags_behind_costs_nothing(covered: CoveredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica of the database can be behind the files: the cursor then stays where the replica ends."""
    wanted = covered.write("tender.published")
    covered.logged()
    covered.window()
    monkeypatch.setattr(queries, "size", lambda _conn: 0)
    crawler = covered.crawler()
    assert list(crawler.new()) == []
    assert crawler.since == 0
    monkeypatch.undo()
    assert [each["h"] for each in crawler.new()] == [wanted]


def test_before_there_is_a_public_head_there_is_an_empty_feed(covered: CoveredLog) -> None:
    covered.write("tender.published")
    covered.logged()
    assert covered.app.test_client().get(FEED).get_json() == {"next": 0, "records": []}
    assert covered.app.test_client().get(f"{FEED}/0").status_code == 404
