"""A whole case of TE1 T6: the clock is bad at the deadline, which moves by rule; a bid in the new time counts."""

from __future__ import annotations

import json
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from agents.sealing import SealedBid
from tests.support.databases import Server, clone
from tests.support.exporting import Exporter
from tests.support.market import CLOSE, SYSTEM, Bidder, Market, open_market
from tests.support.people import signed_in
from tests.support.polling import eventually
from trading.assembly import SUBSCRIPTIONS
from trading.audit.relay import relay
from trading.audit.replay import replay
from trading.bids.rules.schedule import DRAIN_MS, parse_schedule
from trading.bids.service import Arrival, Refused, submit
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.signatures import SignedDocument, sign_document
from trading.demo.cast import BIDDERS
from trading.demo.stage import trust_document
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.queries.page import page
from trading.notices.service import Correction
from trading.openings.service import confirming
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow
from trading.procedures.rules.spec import parse_spec

MINUTE = 60_000
RULE = {"extend_ms": 30 * MINUTE, "look_back_ms": 0, "min_outage_ms": 0, "triggers": ["clock"]}
BY_REFUSAL = {**RULE, "look_back_ms": 30 * MINUTE, "triggers": ["refusal"]}
EARLY, LATER = BIDDERS[:2], BIDDERS[2]


def record(market: Market, kind: str, **body: object) -> str:
    """Record something about the clock as its host would; return the commitment."""
    with market.runtime.ledger.begin(SYSTEM) as uow:
        return uow.record(Event(kind=kind, subject="host:database", body={"host": "database", **body})).h.hex()


def lot_of(market: Market) -> LotRow:
    with market.runtime.ledger.read() as conn:
        return procedures.find_lot(conn, market.procedure_id, "1", "all")


def submitted(bidder: Bidder, amount: int) -> None:
    bidder.start()
    assert bidder.submit(bidder.seal(amount)).status_code == 201


def published(market: Market, rule: dict[str, Any] | None) -> None:
    """Publish with or without consent, and take two bids."""
    market.draft(extension_rule=rule)
    market.prove_local_keys()
    market.publish()
    for bidder, amount in zip(EARLY, (98_000_00, 99_000_00), strict=True):
        submitted(Bidder(market, bidder), amount)


def hold_around_the_deadline(market: Market) -> list[str]:
    """Be on hold from shortly before to shortly after; return the evidence."""
    late = Bidder(market, LATER)
    late.start()
    sealed = late.seal(97_000_00)
    late.upload(sealed.parts, sealed)
    market.advance_to(CLOSE - 1_000)
    begun = record(market, "clock.hold", reason="drill")
    market.advance_to(CLOSE + 500)
    refused = late.post("envelope", sealed.envelope.wire())
    assert refused.get_json()["code"] == "clock.hold"  # and not bid.late: an extension is being decided
    assert market.bodies("tender.changed") == []
    return [begun, record(market, "clock.released", size=1)]


def is_moved(market: Market) -> bool:
    market.work()
    return market.kinds().count("tender.changed") == 1


def refusals_around_the_deadline(market: Market) -> list[str]:
    """Refuse two that waited inside the platform until it had passed, then one that was late; return the evidence."""
    late = Bidder(market, LATER)
    late.start()
    sealed = late.seal(97_000_00)
    late.upload(sealed.parts, sealed)
    market.advance_to(CLOSE + 500)
    refused = [submitted_before(late, sealed, seconds) for seconds in (3.0, 2.0, 0.0)]
    assert [(each.reason.code, each.received_at >= CLOSE) for each in refused] == [("bid.late", True)] * 3
    return [refused[1].h.hex()]


def submitted_before(bidder: Bidder, sealed: SealedBid, seconds: float) -> Refused:
    """Submit what has been waiting for so long since its last byte was read."""
    runtime, actor = bidder.market.runtime, bidder.market.stage.actors[bidder.key]
    arrival = Arrival(bid=bidder.bid, signed=sealed.envelope, last_byte=time.monotonic() - seconds)
    with pytest.raises(Refused) as refusal:
        submit(runtime.ledger, runtime.objects, actor, arrival)
    return refusal.value


def moved(market: Market, evidence: list[str], cause: str = "clock") -> int:
    """The deadline has moved, with everything that says so; return it."""
    eventually(lambda: is_moved(market))
    (published,), (changed,) = market.bodies("tender.published"), market.bodies("tender.changed")
    assert (changed["cause"], changed["evidence"]) == (cause, evidence)
    assert changed["notice_sha256"] == published["notice_sha256"]
    lot = lot_of(market)
    assert lot.schedule_sha256 == changed["schedule_sha256"]
    assert lot.close_at is not None
    with market.runtime.ledger.read() as conn:
        stored = documents.get(conn, bytes.fromhex(changed["schedule_sha256"]))
        (shown,) = page(conn, market.tender, market.now()).lots
    assert stored is not None
    assert stored.sigs == b"[]"  # nobody signs: the agency's consent is in the schedule before
    schedule = parse_schedule(stored.doc)
    assert (schedule.close, schedule.seq, schedule.supersedes) == (lot.close_at, 2, published["schedule_sha256"])
    assert lot.close_at % MINUTE == 0
    assert 0 <= lot.close_at - (CLOSE + 30 * MINUTE) < 3 * MINUTE
    assert (shown.is_void, shown.is_blocked, shown.close_at) == (False, False, lot.close_at)
    return lot.close_at


def corrected(market: Market, close: int) -> None:
    """A correction of the text leaves the deadline where the rule has moved it (TE1 T6, NOT-05)."""
    ledger, signer = market.runtime.ledger, market.stage.signers["agency", "agency"]
    with ledger.read() as conn:
        spec = parse_spec(loads_object(procedures.find(conn, market.tender).spec))
        spec = replace(spec, text_en="Corrected.")
        draft = drafting.amendment_draft(conn, market.tender, at=market.now(), specification=spec, declared=False)
    assert draft.schedules == {}
    notice = sign_document(draft.notice, signer)
    correction = Correction(specification=spec, author="a-drafter", declared=False, notice=notice, schedules={})
    notices.amend(ledger, market.stage.actors["reviewer"], market.tender, correction)
    assert lot_of(market).close_at == close


def told_everyone(market: Market) -> None:
    """The move is published like every change of a deadline, once (NOT-31)."""
    relay(market.runtime, SUBSCRIPTIONS)
    market.work()
    assert market.client().get("/feed.atom?lang=zh").text.count("截止时间按规则顺延") == 1


def test_the_deadline_moves_by_rule_and_a_bid_in_the_new_time_counts(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:3]) as market:
        published(market, RULE)
        close = moved(market, hold_around_the_deadline(market))
        corrected(market, close)
        submitted(Bidder(market, LATER), 97_000_00)
        market.advance_to(close + DRAIN_MS + 1_000)
        (closed,) = market.bodies("tender.closed")
        assert (closed["count"], closed["close"]) == (3, close)
        assert market.bodies("closing.blocked") == []
        told_everyone(market)
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        assert exporter.complaints() == {}
        assert exporter.states["TE-02"] == ["ok"] * 4
        with database.connect("trading_auditor") as conn:
            assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []


def nobody_is_told_who_was_refused(market: Market, bundle: Path, h: str) -> None:
    """What the public can read names one commitment, and neither the refusals nor the refused (ADR 0052)."""
    with zipfile.ZipFile(bundle) as files:
        told = {name: files.read(name).decode(errors="replace") for name in files.namelist() if name != "verify.py"}
    for path in (f"/procedures/{market.tender}", f"/log/entries/{h}", f"/log/explorer/commitment/{h}", "/feed.atom"):
        told[path] = market.client().get(path, follow_redirects=True).text
    assert any(h in text for text in told.values())
    assert [name for name, text in told.items() if LATER.code in text or "bid.refused" in text] == []


def test_a_refusal_by_the_platforms_own_fault_moves_the_deadline(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundle of the public has neither the refusals nor their number; that of the auditors recomputes the move."""
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:3]) as market:
        published(market, BY_REFUSAL)
        evidence = refusals_around_the_deadline(market)
        close = moved(market, evidence, "refusal")
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        assert exporter.complaints() == {}
        nobody_is_told_who_was_refused(market, exporter.folder / "public.zip", evidence[0])
        submitted(Bidder(market, LATER), 97_000_00)
        market.advance_to(close + DRAIN_MS + 1_000)
        (closed,) = market.bodies("tender.closed")
        assert (closed["count"], closed["close"]) == (3, close)
        assert exporter.complaints() == {}
        assert exporter.states["TE-02"] == ["ok"] * 4
        with database.connect("trading_auditor") as conn:
            assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []


HIDDEN = re.compile(r'<input[^>]*name="(csrf_token|offer)"[^>]*value="([^"]*)"')


class Signer:
    """One person at the desk of the opening, with the key of this browser."""

    def __init__(self, market: Market, login: str, key: str) -> None:
        self.client = signed_in(market.app.test_client(), login)
        self.key = market.stage.signers[key, key]
        self.desk = f"/procedures/{market.tender}/lots/1/opening/desk"

    def propose(self, why: str) -> str:
        """Put the paper on the desk; return its address."""
        shown = self.client.get(f"{self.desk}?lang=zh").text
        assert why in shown
        made = self.client.post(f"{self.desk}/confirmation", data=dict(HIDDEN.findall(shown)))
        assert made.status_code == 303
        return made.location

    def sign(self, path: str) -> TestResponse:
        shown = self.client.get(path).text
        offered = re.search(r'data-document="([^"]+)"', shown)
        assert offered is not None
        document = SignedDocument.from_wire({"doc": offered[1], "sigs": []}).doc
        signatures = json.dumps([[0, self.key.sign(document)]])
        return self.client.post(path, data={**dict(HIDDEN.findall(shown)), "signatures": signatures})


def is_blocked(market: Market, times: int) -> bool:
    market.work()
    return market.kinds().count("closing.blocked") == times


def both_confirm(market: Market, why: str) -> None:
    """Agency and supervisor sign that the deadline counts; one of them alone confirms nothing."""
    agency, supervisor = Signer(market, "drafter", "agency"), Signer(market, "supervisor", "supervisor")
    confirmed = market.kinds().count("closing.confirmed")
    path = agency.propose(why)
    assert supervisor.propose(why) == path  # asking twice makes one paper
    assert agency.sign(path).status_code == 303
    market.work()
    kinds = market.kinds()
    assert (kinds.count("tender.closed"), kinds.count("closing.confirmed")) == (0, confirmed)
    assert supervisor.sign(path).status_code == 303


def test_without_consent_agency_and_supervisor_may_confirm_the_deadline(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:3]) as market:
        published(market, None)
        with pytest.raises(RuleBroken, match=r"closing\.not_blocked"):
            confirming.proposal(market.runtime.ledger, *market.place)
        hold_around_the_deadline(market)
        market.advance_to(CLOSE + DRAIN_MS)
        eventually(lambda: is_blocked(market, 1))
        both_confirm(market, "平台不能保证时钟准确")
        eventually(lambda: is_blocked(market, 2))  # what was refused during the hold is a reason of its own
        both_confirm(market, "平台因自身原因")
        market.work()
        (closed,), confirmed = market.bodies("tender.closed"), market.bodies("closing.confirmed")
        assert (closed["close"], closed["count"]) == (CLOSE, 2)
        assert [body["reason"] for body in confirmed] == ["clock", "refusal"]
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        assert exporter.complaints() == {}
        with database.connect("trading_auditor") as conn:
            assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []
