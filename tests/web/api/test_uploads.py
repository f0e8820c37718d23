"""Parts in chunks: what counts, what is refused, who learns of it, and that nothing is left behind (SB1 S7.1, F23)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import BinaryIO

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from tests.support.market import CLOSE, Bidder, Market
from tests.web.api.test_submissions import in_parallel
from trading.app import create_app
from trading.assembly import ERRANDS
from trading.audit import errands
from trading.audit.ledger import Ledger
from trading.audit.tables import errand as errand_table
from trading.bids import jobs
from trading.bids.rules import uploads as rules
from trading.bids.tables import upload, upload_piece
from trading.bids.uploads import SWEEP, SWEEP_EVERY_MS, sweep
from trading.demo.cast import BIDDERS, numbered_bidder
from trading.storage.objects import MAX_PART
from trading.storage.pieces import LocalPieces

CHUNK = 8
DAY_MS = 86_400_000


@dataclass
class Sender:
    """A bidder who sends parts in chunks, through whichever process."""

    bidder: Bidder
    client: FlaskClient

    @property
    def market(self) -> Market:
        return self.bidder.market

    @property
    def path(self) -> str:
        return f"/api/v1/bids/{self.bidder.bid}/uploads"

    def begin(self, data: bytes, **changes: object) -> TestResponse:
        body = {"length": len(data), "name": "main", "sha256": hashlib.sha256(data).hexdigest()} | changes
        return self.client.post(self.path, json=body)

    def append(self, where: str, offset: int, chunk: bytes) -> TestResponse:
        return self.client.patch(where, data=chunk, headers={"Upload-Offset": str(offset)})

    def offset(self, where: str) -> int | None:
        answer = self.client.head(where)
        assert answer.status_code in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}
        return int(answer.headers["Upload-Offset"]) if answer.status_code == HTTPStatus.NO_CONTENT else None

    def is_stored(self, data: bytes) -> bool:
        digest = hashlib.sha256(data).hexdigest()
        parts = {part["sha256"] for row in self.client.get("/api/v1/bids").get_json()["bids"] for part in row["parts"]}
        return digest in parts and self.market.runtime.objects.get(digest) == data


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LEAST_CHUNK", CHUNK)
    monkeypatch.setattr(rules, "MOST_CHUNK", 2 * CHUNK)


@pytest.fixture(scope="module")
def bidder(market: Market) -> Bidder:
    bidder = Bidder(market, numbered_bidder(12))
    bidder.start()
    return bidder


@pytest.fixture
def sender(bidder: Bidder) -> Iterator[Sender]:
    """Every test begins, and ends, without an upload."""
    yield Sender(bidder, bidder.client)
    with bidder.market.runtime.ledger.upkeep() as conn:
        conn.execute(upload.delete())
    assert sweep(bidder.market.runtime, {}) is not None
    assert list(bidder.market.runtime.objects.pieces.uploads()) == []


def rows(market: Market) -> tuple[int, int]:
    with market.runtime.ledger.upkeep() as conn:
        counts = [
            conn.execute(select(func.count()).select_from(table)).scalar_one() for table in (upload, upload_piece)
        ]
    return counts[0], counts[1]


def part(name: str, size: int = 20) -> bytes:
    return (name.encode() * size)[:size]


def code_of(answer: TestResponse) -> tuple[int, str]:
    problem = answer.get_json()
    assert problem["zh"]
    assert problem["en"]
    return answer.status_code, problem["code"]


def test_a_part_in_chunks_is_stored_as_one_that_came_whole(sender: Sender) -> None:
    data = part("whole")
    begun = sender.begin(data)
    where = begun.headers["Location"]
    assert begun.status_code == HTTPStatus.CREATED
    assert (
        begun.headers["Upload-Limit"]
        == f"max-size={MAX_PART}, min-append-size=4194304, max-append-size=8388608, max-age=604800"
    )
    first = sender.append(where, 0, data[:8])
    told = [first.headers[name] for name in ("Upload-Offset", "Upload-Length", "Upload-Complete", "Cache-Control")]
    assert (first.status_code, told) == (HTTPStatus.OK, ["8", "20", "?0", "no-store"])
    assert sender.offset(where) == 8
    assert not sender.is_stored(data)
    last = sender.append(where, 8, data[8:])
    assert (last.status_code, last.headers["Upload-Complete"]) == (HTTPStatus.CREATED, "?1")
    assert sender.is_stored(data)
    assert sender.offset(where) is None
    assert rows(sender.market) == (0, 0)
    again = sender.begin(data)
    assert (again.status_code, again.get_json()["complete"], "Location" in again.headers) == (200, True, False)
    assert sender.bidder.put_part(data, hashlib.sha256(data).hexdigest()).status_code == HTTPStatus.CREATED


def test_the_same_part_goes_on_where_it_stopped_and_the_next_process_knows(sender: Sender) -> None:
    """Another process with the same database and store: nothing is in the memory of the first."""
    data = part("resumed")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    market = sender.market
    other = create_app(market.app.extensions["settings"], market.runtime).test_client()
    other.environ_base["HTTP_AUTHORIZATION"] = sender.client.environ_base["HTTP_AUTHORIZATION"]
    second = Sender(sender.bidder, other)
    begun = second.begin(data)
    assert (begun.headers["Location"], begun.headers["Upload-Offset"]) == (where, "8")
    assert second.append(where, 8, data[8:16]).status_code == HTTPStatus.OK
    assert sender.append(where, 16, data[16:]).status_code == HTTPStatus.CREATED
    assert sender.is_stored(data)


def test_a_chunk_elsewhere_is_told_the_right_offset(sender: Sender) -> None:
    data = part("elsewhere", 40)
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    for offset in (0, 7, 9, 16):
        answer = sender.append(where, offset, data[offset : offset + 8])
        assert code_of(answer) == (HTTPStatus.CONFLICT, "upload.offset")
        assert (answer.headers["Upload-Offset"], answer.get_json()["facts"]["offset"]) == ("8", 8)
    assert sender.append(where, 8, data[8:16]).status_code == HTTPStatus.OK


def test_refusals_keep_what_was_there(sender: Sender) -> None:
    data = part("kept", 40)
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    assert code_of(sender.append(where, 8, data[8:15])) == (400, "upload.chunk_size")
    assert code_of(sender.append(where, 8, data[8:25])) == (400, "upload.chunk_size")
    assert code_of(sender.append(where, 8, bytes(8 * 1024 * 1024 + 1))) == (413, "too_large")
    assert code_of(sender.append(where, 8, b"x" * 33)) == (400, "bid.part_mismatch")
    for name in ("Upload-Offset", "x"):
        answer = sender.client.patch(where, data=b"x" * 8, headers={name: "-8"})
        assert code_of(answer) == (400, "body.malformed")
    for changes in ({"length": 41}, {"name": "price"}):
        assert code_of(sender.begin(data, **changes)) == (400, "bid.part_mismatch")
    malformed: tuple[dict[str, object], ...] = (
        {"length": "40"},
        {"length": -1},
        {"length": True},
        {"length": 1 << 53},
        {"sha256": "0"},
        {"name": 1},
    )
    for each in malformed:
        assert code_of(sender.begin(data, **each)) == (400, "body.malformed")
    assert code_of(sender.begin(data, name="other")) == (400, "policy.mismatch")
    assert code_of(sender.begin(data, sha256="1" * 64, length=MAX_PART + 1)) == (413, "bid.part_too_large")
    assert sender.offset(where) == 8


def test_a_wrong_digest_leaves_nothing(sender: Sender) -> None:
    data = part("digest")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    assert code_of(sender.append(where, 8, b"?" * 12)) == (400, "bid.part_mismatch")
    assert sender.offset(where) is None
    assert rows(sender.market) == (0, 0)
    assert list(sender.market.runtime.objects.pieces.uploads()) == []
    assert sender.market.runtime.objects.stat(hashlib.sha256(data[:8] + b"?" * 12).hexdigest()) is None


def test_a_chunk_that_is_cut_counts_for_nothing(sender: Sender) -> None:
    data = part("cut")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    # As gunicorn shows a connection that ends early: there is just no more.
    cut = {"wsgi.input_terminated": True, "HTTP_UPLOAD_OFFSET": "8", "CONTENT_LENGTH": "12"}
    answer = sender.client.patch(where, input_stream=BytesIO(data[8:11]), environ_overrides=cut)
    assert code_of(answer) == (400, "upload.cut")
    assert (sender.offset(where), rows(sender.market)) == (8, (1, 1))
    assert sender.append(where, 8, data[8:]).status_code == HTTPStatus.CREATED
    assert sender.is_stored(data)


def test_of_many_writers_at_one_offset_one_counts(sender: Sender) -> None:
    """Each sends other bytes; what is stored is what one of them sent, and nothing of the others stays."""
    first, numbers = b"+" * 8, iter(range(8))
    wanted = first + b"0" * 8
    where = sender.begin(wanted + b"!").headers["Location"]
    sender.append(where, 0, first)
    answers = in_parallel(8, lambda: sender.append(where, 8, str(next(numbers)).encode() * 8))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {answer.headers["Upload-Offset"] for answer in answers} == {"16"}
    assert rows(sender.market) == (1, 2)
    pieces = sender.market.runtime.objects.pieces
    assert isinstance(pieces, LocalPieces)
    assert len(list((pieces._root / where.rsplit("/", 1)[1]).iterdir())) == 2


def test_many_who_finish_at_once_store_one_part(sender: Sender) -> None:
    data = part("finished")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    answers = in_parallel(6, lambda: sender.append(where, 8, data[8:]))
    assert HTTPStatus.CREATED in {answer.status_code for answer in answers}
    assert {answer.status_code for answer in answers} <= {201, 404, 409}
    assert sender.is_stored(data)
    assert rows(sender.market) == (0, 0)


def test_a_kill_before_or_after_storing_is_cured_by_going_on(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    market, data = sender.market, part("killed")
    where = sender.begin(data).headers["Location"]

    class Killed(BaseException):
        pass

    def dies(*_arguments: object) -> None:
        raise Killed

    sender.append(where, 0, data[:16])
    with monkeypatch.context() as patch:  # every byte is counted, nothing is stored
        patch.setattr("trading.bids.service.keep_part", dies)
        with pytest.raises(Killed):
            sender.append(where, 16, data[16:])
    begun = sender.begin(data)
    assert (begun.headers["Upload-Offset"], begun.headers["Upload-Complete"]) == ("20", "?0")
    with monkeypatch.context() as patch:  # it is stored, the upload is still there
        patch.setattr("trading.bids.uploads._end", dies)
        with pytest.raises(Killed):
            sender.append(where, 20, b"")
    assert sender.is_stored(data)
    assert rows(market) == (1, 2)
    assert sender.begin(data).get_json()["complete"]
    assert rows(market) == (0, 0)


def test_a_lost_piece_is_an_incident_and_the_part_is_sent_anew(sender: Sender) -> None:
    data = part("lost")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    sender.market.runtime.objects.pieces.discard(where.rsplit("/", 1)[1])
    assert code_of(sender.append(where, 8, data[8:])) == (500, "integrity")
    assert sender.begin(data).headers["Upload-Offset"] == "0"


def test_nobody_else_learns_of_an_upload(sender: Sender) -> None:
    """Foreign and missing look the same, header for header, in every call (security 9.1)."""
    data = part("secret")
    where = sender.begin(data).headers["Location"]
    missing = where[:-4] + "0000"
    for who, status in ((BIDDERS[4].key, 404), ("supervisor", 403), ("", 401)):
        client = sender.market.client(who)
        for method in ("HEAD", "PATCH", "DELETE"):
            fields = {"Upload-Offset": "0"}
            foreign, unknown = (
                client.open(each, method=method, headers=fields, data=b"x" * 8) for each in (where, missing)
            )
            assert foreign.status_code == status
            assert (foreign.status_code, str(foreign.headers), foreign.data) == (
                unknown.status_code, str(unknown.headers), unknown.data,
            )  # fmt: skip
        assert Sender(sender.bidder, client).begin(data).status_code == status
    assert sender.client.head(missing).status_code == HTTPStatus.NOT_FOUND
    assert sender.offset(where) == 0


def test_what_another_bid_has_stored_is_not_known_here(sender: Sender) -> None:
    """Whoever has the digest of a foreign part cannot learn whether it is there, nor take it over unsent."""
    stranger, data = Bidder(sender.market, numbered_bidder(13)), part("foreign")
    stranger.start()
    assert stranger.put_part(data, hashlib.sha256(data).hexdigest()).status_code == HTTPStatus.CREATED
    begun = sender.begin(data)
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (HTTPStatus.CREATED, "0")
    assert not sender.is_stored(data)


def test_a_bid_has_few_uploads_and_the_one_longest_untouched_gives_way(sender: Sender) -> None:
    places = [sender.begin(part(name)).headers["Location"] for name in "abcd"]
    with sender.market.runtime.ledger.upkeep() as conn:  # their order in time
        for number, where in enumerate(places):
            changed = update(upload).where(upload.c.id == where.rsplit("/", 1)[1])
            conn.execute(changed.values(touched_at=upload.c.touched_at - 10 + number))
    sender.begin(part("e"))
    assert [sender.offset(where) for where in places] == [None, 0, 0, 0]


def test_an_organisation_is_refused_when_it_has_too_many(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_OF_ORGANISATION", 2)
    for name in "ab":
        assert sender.begin(part(name)).status_code == HTTPStatus.CREATED
    assert code_of(sender.begin(part("c"))) == (422, "upload.too_many")
    assert sender.begin(part("a")).status_code == HTTPStatus.CREATED, "one that is on its way goes on"


def test_given_up(sender: Sender) -> None:
    data = part("up")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    assert sender.client.delete(where).status_code == HTTPStatus.NO_CONTENT
    assert sender.client.delete(where).status_code == HTTPStatus.NOT_FOUND
    assert rows(sender.market) == (0, 0)
    assert sender.begin(data).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize(("age_ms", "stays"), [(7 * DAY_MS - 60_000, True), (7 * DAY_MS, False)])
def test_what_nobody_touches_is_swept(sender: Sender, age_ms: int, *, stays: bool) -> None:
    market, data = sender.market, part("old")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(update(upload).values(touched_at=upload.c.touched_at - age_ms))
    again = sweep(market.runtime, {})
    assert again is not None
    assert 0 <= again - market.now() + 1000 <= SWEEP_EVERY_MS + 1000
    assert (sender.offset(where) == 8) == stays
    assert bool(list(market.runtime.objects.pieces.uploads())) == stays


def test_pieces_without_an_upload_are_swept_and_those_of_one_are_not(sender: Sender) -> None:
    pieces, data = sender.market.runtime.objects.pieces, part("swept")
    where = sender.begin(data).headers["Location"]
    sender.append(where, 0, data[:8])
    pieces.put("orphan", BytesIO(b"left by a process that died"))
    sweep(sender.market.runtime, {})
    assert list(pieces.uploads()) == [where.rsplit("/", 1)[1]]
    assert sender.append(where, 8, data[8:]).status_code == HTTPStatus.CREATED


def test_the_sweep_has_one_round_however_many_uploads_there_are(sender: Sender) -> None:
    """Its errand is seen by operators, so it must not count (G4)."""
    runtime = sender.market.runtime
    jobs.arm(runtime)
    assert jobs.arm(runtime) == 0
    with runtime.ledger.read() as conn:
        (errand,) = [each for each in errands.due(conn, sender.market.now()) if each.name == SWEEP]
    assert not errands.run(runtime, ERRANDS, errand.id)
    assert sender.market.open_errands().count(SWEEP) == 1
    with runtime.ledger.upkeep() as conn:  # this market's time is not to pass hour by hour
        conn.execute(errand_table.delete().where(errand_table.c.name == SWEEP))


def test_an_upload_that_ends_while_a_chunk_arrives(sender: Sender) -> None:
    """The bytes were written for nothing: the piece goes, and so does its folder."""
    data = part("ends")
    where = sender.begin(data).headers["Location"]
    pieces = sender.market.runtime.objects.pieces
    put = pieces.put

    def slow(name: str, source: BinaryIO) -> tuple[str, int]:
        found = put(name, source)
        assert sender.client.delete(where).status_code == HTTPStatus.NO_CONTENT
        put(name, BytesIO(b"of another writer"))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "put", slow)
        assert code_of(sender.append(where, 0, data[:8])) == (404, "not_found")
    assert rows(sender.market) == (0, 0)


@pytest.mark.parametrize(("now", "code"), [(CLOSE - 1, None), (CLOSE, "bid.late"), (CLOSE + 1, "bid.late")])
def test_at_the_deadline_uploads_end(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, now: int, code: str | None
) -> None:
    data = part(f"late {now}")
    where = sender.begin(data).headers["Location"]
    monkeypatch.setattr(Ledger, "platform_time", staticmethod(lambda _conn: now))
    for answer in (sender.append(where, 0, data[:8]), sender.begin(data)):
        assert answer.get_json().get("code") == code
