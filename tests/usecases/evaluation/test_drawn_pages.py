"""Pages of opened files: drawn one after another, there as soon as each is, for those alone who may read the file."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.support.market import LOT
from tests.support.sitting import OFFER, PRICES, SEATS, committee, seat_everybody
from tests.usecases.evaluation.test_files import Worker, _at_once, worker  # noqa: F401 - fixtures
from tests.usecases.evaluation.test_pages import Room, examine, fill, hand_in, hold, room, sign  # noqa: F401 - a fixture
from trading.audit.errands import Postponed
from trading.evaluation import service
from trading.evaluation.queries import DrawnFile, drawings_of
from trading.evaluation.service import pages
from trading.inspection.findings import Verdict
from trading.inspection.pages import measure

pytestmark = pytest.mark.usefixtures("_at_once")


def drawings(worker: Worker) -> dict[str, DrawnFile]:  # noqa: F811 - the one of the fixture
    with worker.runtime.ledger.read() as conn:
        return drawings_of(conn, worker.room.sitting.bids["songtao"])


def test_who_may_read_a_file_sees_its_pages_and_nobody_else(worker: Worker) -> None:  # noqa: F811
    room = worker.room  # noqa: F811 - the one of the fixture
    examine(room)
    bid = room.of("songtao", "bids")
    worker.work()
    found = worker.files("songtao")
    offer = found["offer/offer.pdf"]
    assert drawings(worker)[offer.sha256] == DrawnFile(sha256=offer.sha256, pages=3, finished=True, drawn=3, missing=0)
    assert drawings(worker).keys() == {offer.sha256, found["offer/photo.png"].sha256}, "nothing of what was kept away"
    for number in range(1, len(OFFER) + 1):
        for size in ("large", "small"):
            address = f"{bid}/files/{offer.sha256}/pages/{number}/{size}.png"
            image = room.get("m-a1", address)
            assert (image.status_code, image.mimetype) == (200, "image/png")
            assert max(measure(image.data)) <= (2_100 if size == "large" else 480)
            assert image.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'; sandbox" in image.headers["Content-Security-Policy"]
            for who, status in (("drafter", 200), ("idle", 404), ("other", 404)):
                assert room.get(who, address).status_code == status, who
    for path, each in found.items():
        wanted = 200 if path in {"offer/offer.pdf", "offer/photo.png"} else 404
        assert room.get("m-a1", f"{bid}/files/{each.sha256}/pages/1/large.png").status_code == wanted, path
    elsewhere = f"{room.of('bolin', 'bids')}/files/{offer.sha256}/pages/1/large.png"
    assert room.get("m-a1", elsewhere).status_code == HTTPStatus.NOT_FOUND, "another bid's"
    assert room.get("m-a1", f"{bid}/files/{offer.sha256}/pages/4/large.png").status_code == HTTPStatus.NOT_FOUND
    _require_reading(room)


def _require_reading(room: Room) -> None:  # noqa: F811 - the one of the fixture
    """The bid page by page, and where words stand in it; white space and case do not count."""
    address = f"{room.of('songtao', 'bids')}/pages"
    first = room.get("m-a1", address).text
    assert "songtao: " in first, "the letter has no pages, so its text is one"
    hits = room.get("m-a1", f"{address}?q=EACH+room+with+in+one").text
    assert "stands on 1 page." in hits
    assert "<mark>each room within one</mark>" in hits
    place = hits.partition("offer/offer.pdf")[0].rpartition('href="')[2]
    assert ".2" in place.partition("#")[0], "the way leads to page 2"
    assert "stands on no page" in room.get("m-a1", f"{address}?q=nowhere").text
    assert "stands on no page" in room.get("m-a1", f"{address}?q=%25").text, "a sign of patterns is a sign"
    for who, status in (("drafter", 200), ("idle", 404), ("other", 404)):
        assert room.get(who, address).status_code == status, who


def test_drawing_is_told_while_it_goes_on_and_goes_on_after_a_pause(
    worker: Worker,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examine(worker.room)
    monkeypatch.setitem(pages.run.__globals__, "AT_ONCE", 2)
    bid = worker.room.sitting.bids["songtao"]
    monkeypatch.setattr("trading.evaluation.service.files.DRAW", "evaluation.draw.later")  # nobody takes it up
    worker.work()
    offer = worker.files("songtao")["offer/offer.pdf"]
    address = f"{worker.room.of('songtao', 'bids')}/pages"
    assert "waits to be drawn" in worker.room.get("m-a1", address).text
    again = pages.run(worker.runtime, {"bid": bid})
    assert again is not None, "there is more to draw"
    assert drawings(worker)[offer.sha256] == DrawnFile(sha256=offer.sha256, pages=3, finished=False, drawn=2, missing=0)
    shown = worker.room.get("m-a1", f"{address}?at={offer.sha256[:16]}.3").text
    assert "2 of 3 pages drawn" in shown
    assert "This page is being drawn." in shown
    while pages.run(worker.runtime, {"bid": bid}) is not None:
        pass
    assert {each.finished for each in drawings(worker).values()} == {True}
    shown = worker.room.get("m-a1", f"{address}?at={offer.sha256[:16]}.3").text
    assert "being drawn" not in shown
    assert pages.run(worker.runtime, {"bid": bid}) is None, "once more changes nothing"


def test_a_file_that_cannot_be_fetched_waits_and_another_bid_has_nothing_to_draw(
    worker: Worker,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trading.evaluation.service.files.DRAW", "evaluation.draw.later")  # nobody takes it up
    worker.work()
    lost = next(each for each in worker.files("songtao").values() if each.path == "offer/offer.pdf")
    store = worker.runtime.opened
    assert store is not None
    store.remove(lost.sha256)
    with pytest.raises(Postponed):
        pages.run(worker.runtime, {"bid": worker.room.sitting.bids["songtao"]})
    assert pages.run(worker.runtime, {"bid": worker.room.sitting.bids["bolin"]}) is None
    assert lost.verdict is Verdict.CLEAN


def test_two_bids_stand_side_by_side_with_ones_own_scores_alone(worker: Worker) -> None:  # noqa: F811  # EXP-22
    room = worker.room  # noqa: F811 - the one of the fixture
    examine(room)
    worker.work()
    for seat in SEATS:
        fill(room, seat, "47.5" if seat == "m-a1" else "30")
        sign(room, seat)
    hold(room)
    hand_in(room, "m-a1")
    other = room.sitting.bids["songtao"]
    beside = f"{room.of('bolin', 'sheet')}/beside/{other}?criterion=plan"
    assert "47.5" in room.get("m-a1", beside).text
    assert "47.5" not in room.get("m-b2", beside).text
    for who, status in (("drafter", 404), ("idle", 404), ("other", 404)):
        assert room.get(who, beside).status_code == status, who
    for wrong in (f"{room.of('bolin', 'sheet')}/beside/{room.sitting.bids['bolin']}", beside + "s"):
        assert room.get("m-a1", wrong).status_code == HTTPStatus.NOT_FOUND
    assert len(PRICES) > 2
    assert LOT


def test_a_sealed_evaluation_shows_no_page_of_a_bid(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """EXP-18: while a seat cannot be filled, nobody reads on, at the desk or past it."""
    room = worker.room  # noqa: F811 - the one of the fixture
    examine(room)
    worker.work()
    sitting, offer = room.sitting, next(iter(worker.files("songtao").values()))
    sheet = room.of("songtao", "sheet")
    ways = (sheet, f"{sheet}/beside/{sitting.bids['bolin']}?criterion=plan", f"{room.of('songtao', 'bids')}/pages")
    assert [room.get("m-a1", way).status_code for way in ways] == [HTTPStatus.OK] * 3
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}))
    service.seal(sitting.ledger, sitting.agency, sitting.reference, "Nobody can come today.")
    refused = [room.get("m-a1", way) for way in ways]
    stopped, nothing = HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND
    assert [answer.status_code for answer in refused] == [stopped, stopped, nothing]
    assert all(offer.sha256[:16] not in answer.text for answer in refused)
