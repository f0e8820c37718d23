"""Refusals for time, and what is the platform's doing (TE1 T4.3), each with its signed acknowledgement."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from tests.support.databases import Server, clone
from tests.support.market import CLOSE, SYSTEM, Bidder, Market, open_market
from trading.audit.ledger import Ledger
from trading.bids.rules.refusals import platform_caused
from trading.crypto.signatures import SignedDocument, sign_document
from trading.demo.cast import BIDDERS
from trading.kernel.canonical import loads_object
from trading.kernel.events import Event
from trading.notices import drafting
from trading.notices import service as notices


def require_code(market: Market, bidder: Bidder, wire: dict[str, object], code: str, status: int = 422) -> None:
    answer = bidder.post("envelope", wire)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    ack = loads_object(SignedDocument.from_wire(problem["ack"]).doc)
    assert (ack["decision"], ack["code"], ack["h"]) == ("refused", code, problem["h"])
    assert market.bodies("bid.refused")[-1]["code"] == code


def record(market: Market, kind: str, **body: object) -> None:
    with market.runtime.ledger.begin(SYSTEM) as uow:
        uow.record(Event(kind=kind, subject="host:database", body={"host": "database", **body}))


def cancel(market: Market) -> None:
    with market.runtime.ledger.read() as conn:
        texts = {"text_zh": "采购任务取消。", "text_en": "The purchase is cancelled."}
        raw = drafting.closing_draft(conn, market.tender, at=market.now(), kind="cancellation", texts=texts)
    signed = sign_document(raw, market.stage.signers["agency", "agency"])
    notices.cancel(market.runtime.ledger, market.stage.actors["reviewer"], market.tender, signed, "task cancelled")


def with_short_locks(market: Market, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Return the same market with a web process that waits 200 ms for a lock instead of 4 s."""
    monkeypatch.setattr("trading.db.LOCK_TIMEOUT_MS", 200)
    ledger = Ledger(market.database.engine(), registry=market.runtime.ledger.registry)
    return dataclasses.replace(market, runtime=dataclasses.replace(market.runtime, ledger=ledger))


def test_refusals_for_time(
    server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("deadline")
    with clone(server, demo=True) as database, open_market(database, directory, BIDDERS) as market:
        for each in (market, other := dataclasses.replace(market, custodians=[])):
            each.draft()
            each.prove_local_keys()
            each.publish()
        bidder, cancelled = Bidder(market, BIDDERS[0]), Bidder(other, BIDDERS[0])
        cancelled.start()
        sealed = cancelled.seal(100_00)
        cancelled.upload(sealed.parts, sealed)
        cancel(other)
        require_code(other, cancelled, sealed.envelope.wire(), "bid.closed")

        bidder.start()
        first = bidder.seal(100_00)
        bidder.upload(first.parts, first)
        busy_then_accepted(market, monkeypatch, bidder, first.envelope.wire())

        second = bidder.seal(90_00, seq=2, supersedes=first.envelope.sha256)
        bidder.upload(second.parts, second)
        record(market, "clock.hold", reason="drill")
        market.advance_to(CLOSE)
        require_code(market, bidder, second.envelope.wire(), "clock.hold")
        assert market.kinds().count("tender.closed") == 0  # nothing is closed while the clock is on hold
        record(market, "clock.released", size=1)
        require_code(market, bidder, second.envelope.wire(), "bid.late")
        assert bidder.post("envelope", first.envelope.wire()).status_code == 200
        late = bidder.put_part(b"another part", "0" * 64)
        assert late.get_json()["code"] == "bid.late"
        assert (
            bidder.put_part(first.parts["main"], loads_object(first.envelope.doc)["parts"][0]["sha256"]).status_code
            == 201
        )

        refused = {body["code"]: body for body in market.bodies("bid.refused")}
        late_body = refused["bid.late"]
        assert late_body["received_at"] >= CLOSE
        assert platform_caused("bid.late", received_at=CLOSE, queue_ms=1, close=CLOSE)
        assert not platform_caused(
            "bid.late", received_at=late_body["received_at"], queue_ms=late_body["queue_ms"], close=CLOSE
        )
        market.advance_to(CLOSE + 10_000)
        kinds = market.kinds()
        assert (kinds.count("closing.blocked"), kinds.count("tender.closed")) == (1, 0)  # a void deadline (TE1 T3)
        one_bid_is_not_opened(market, extend(market))


def extend(market: Market) -> int:
    """Move the deadline by an hour; return the new one."""
    later = CLOSE + 3_600_000
    with market.runtime.ledger.read() as conn:
        texts = {"text_en": "Moved.", "text_zh": "延期。"}
        draft = drafting.extension_draft(conn, market.tender, at=market.now(), new_close=later, texts=texts)
    signer = market.stage.signers["agency", "agency"]
    schedules = {place: sign_document(raw, signer) for place, raw in draft.schedules.items()}
    signed, reviewer = sign_document(draft.notice, signer), market.stage.actors["reviewer"]
    ledger = market.runtime.ledger
    notices.extend(ledger, reviewer, market.tender, signed, schedules, cause="clock", affects_bids=False)
    return later


def one_bid_is_not_opened(market: Market, close: int) -> None:
    """The lot fails at the close (OPN-02) and no order can be made; the bid stays sealed."""
    market.advance_to(close + 10_000)
    kinds = market.kinds()
    assert [kinds.count(kind) for kind in ("tender.closed", "opening.refused", "lot.failed")] == [1, 1, 1]
    lot = market.client().get(f"/api/v1/procedures/{market.tender}").get_json()["lots"][0]
    assert lot["phase"] == "failed"
    h = Bidder(market, BIDDERS[0]).client.get("/api/v1/bids").get_json()["bids"]
    received = next(row["versions"][0]["h"] for row in h if row["tender"] == market.tender)
    assert market.client().get(f"/api/v1/receipts/{received}").status_code == 404


def busy_then_accepted(
    market: Market, monkeypatch: pytest.MonkeyPatch, bidder: Bidder, wire: dict[str, object]
) -> None:
    """While somebody holds the procedure the answer is ``busy``, and the same bytes are taken afterwards."""
    hasty = dataclasses.replace(bidder, market=with_short_locks(market, monkeypatch))
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with market.runtime.ledger.upkeep() as conn:
            conn.exec_driver_sql("SELECT 1 FROM record.procedure WHERE id = %s FOR UPDATE", (market.procedure_id,))
            holding.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert holding.wait(10)
        require_code(market, hasty, wire, "busy", status=503)
    finally:
        done.set()
        holder.join()
    assert hasty.post("envelope", wire).status_code == 201
