"""A whole tender over HTTP: key ceremony, bids, deadline, opening, results (SB1 S1), as its people run it."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import pytest
from werkzeug.test import TestResponse

from agents.custodian.statements import acknowledge
from agents.sealing import SealedBid
from agents.station import conduct
from tests.support.ceremony import Institutions, Station
from tests.support.databases import Server, clone
from tests.support.market import CLOSE, SYSTEM, WINDOWS, Bidder, Market, open_market
from tests.support.people import signed_in
from tests.support.polling import eventually
from trading.audit.service import wait_witnessed
from trading.crypto.signatures import SignedDocument, sign_document
from trading.demo import cast
from trading.demo.cast import BIDDERS
from trading.demo.stage import enrol
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_procedure
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u_decode
from trading.kernel.events import Event
from trading.openings.rules.decisions import make_objection_decision
from trading.openings.rules.factors import make_factor, make_rescue
from trading.openings.rules.transcripts import parse_transcript
from verifier.command import run

PRICES = {"qinghe": 98_000_00, "bolin": 99_000_00, "yunfan": 97_000_00, "songtao": 96_000_00, "mingde": 95_000_00}


class Play:
    """The state that the acts below share, in their order."""

    def __init__(self, market: Market, base: str) -> None:
        self.market = market
        self.institutions = Institutions(market, base)
        self.bidders = {each.key: Bidder(market, each) for each in BIDDERS}
        self.sealed: dict[str, SealedBid] = {}
        self.base = base

    def factor(self, key: str) -> bytes:
        sealed = self.sealed[key]
        return make_factor(self.bidders[key].bid, sealed.envelope.sha256, sealed.s_b)

    def publish(self) -> None:
        self.market.draft()
        self.institutions.ask_for_keys()
        self.institutions.round()  # keys, then proofs of possession
        self.market.publish()
        self.institutions.round()  # admission
        assert self.market.kinds().count("custodian.proved") == 5

    def bid(self) -> None:
        for key, bidder in self.bidders.items():
            bidder.start()
            self.sealed[key] = bidder.seal(PRICES[key] if key != "qinghe" else 120_000_00)
            assert bidder.submit(self.sealed[key]).status_code == 201
        first = self.sealed["qinghe"].envelope.sha256
        self.sealed["qinghe"] = self.bidders["qinghe"].seal(PRICES["qinghe"], seq=2, supersedes=first)
        assert self.bidders["qinghe"].submit(self.sealed["qinghe"]).status_code == 201
        self.withdraw("songtao")

    def withdraw(self, key: str) -> None:
        bidder = self.bidders[key]
        more = {"created": 1, "supersedes": self.sealed[key].envelope.sha256, "typ": "sb1.withdrawal", "v": 1}
        document = dumps({**loads_object(bidder.context(2).bytes()), **more})
        assert bidder.post("withdrawal", sign_document(document, bidder.signer).wire()).status_code == 201

    def rehearse(self) -> None:
        bidder = self.bidders["bolin"]
        table = {**loads_object(self.sealed["bolin"].envelope.doc), "stage": "rehearsal", "typ": "sb1.rehearsal"}
        del table["parts"]
        document = sign_document(dumps(table), bidder.signer)
        assert bidder.post("rehearsal", document.wire()).status_code == 202
        self.institutions.round()
        shown = next(row for row in bidder.client.get("/api/v1/bids").get_json()["bids"] if row["bid"] == bidder.bid)
        # The shares were dealt for the real bid, so under the rehearsal's ctx none of them may open (S6.4).
        assert [row["ok"] for row in shown["rehearsal"]] == [False] * 5

    def close(self) -> None:
        late = self.bidders["bolin"].seal(1, seq=2, supersedes=self.sealed["bolin"].envelope.sha256)
        self.bidders["bolin"].upload(late.parts, late)
        self.market.advance_to(CLOSE)
        refused = self.bidders["bolin"].post("envelope", late.envelope.wire())
        assert (refused.status_code, refused.get_json()["code"]) == (422, "bid.late")
        assert refused.get_json()["stands"]["sha256"] == self.sealed["bolin"].envelope.sha256
        assert refused.get_json()["article"]
        repeated = self.bidders["bolin"].post("envelope", self.sealed["bolin"].envelope.wire())
        assert repeated.status_code == 200  # the same bytes again, even after the deadline
        assert self.bidders["bolin"].post("factor", SignedDocument(self.factor("bolin")).wire()).status_code == 422
        self.market.advance_to(CLOSE + 10_000)
        assert self.market.bodies("tender.closed")[0]["count"] == 4

    def order(self) -> Station:
        directory = self.market.directory / "station"
        station = Station.at(self.market, self.base, self.institutions.trust, directory)
        eventually(lambda: station.get().status_code == 200)
        assert station.get(who="bolin").status_code == 403
        document = station.draft_order()
        order = loads_object(document)
        assert [row["bid"] for row in order["bids"]] == sorted(
            bidder.bid for key, bidder in self.bidders.items() if key != "songtao"
        )
        fewer = dumps({**order, "bids": order["bids"][1:]})
        refused = station.post("/documents", SignedDocument(fewer).wire())
        assert (refused.status_code, refused.get_json()["code"]) == (422, "order.root")
        draft = station.post("/documents", SignedDocument(document).wire()).get_json()
        assert draft["needs"] == ["agency", "supervisor"]
        assert station.sign(document, "agency").get_json()["needs"] == ["supervisor"]
        assert station.sign(document, "supervisor").get_json()["h"]
        again = station.sign(document, "agency").get_json()
        assert (again["needs"], bool(again["h"])) == ([], True)
        return station

    def objection(self, station: Station) -> None:
        songtao = self.bidders["songtao"]
        h = next(
            version["h"]
            for row in songtao.client.get("/api/v1/bids").get_json()["bids"]
            for version in row["versions"]
            if version["kind"] == "envelope"
        )
        receipt = songtao.client.get(f"/api/v1/receipts/{h}").get_json()["receipt"]
        body = {"bid": songtao.bid, "receipt": receipt}
        assert station.post("/objections", body, "bolin").status_code == 404
        raised = station.post("/objections", body, "songtao")
        assert raised.status_code == 201
        assert station.post("/objections", body, "songtao").get_json()["h"] == raised.get_json()["h"]
        decision = make_objection_decision(
            add=False,
            envelope_sha256=self.sealed["songtao"].envelope.sha256,
            objection_h=raised.get_json()["h"],
            order_sha256=conduct.fetch(station.box, station.client).order.sha256,
            created=self.market.now(),
        )
        assert station.sign(decision, "agency").status_code == 403
        assert station.sign(decision, "supervisor").get_json()["h"]

    def reveal(self, station: Station) -> None:
        self.institutions.round()  # share checks
        assert self.market.kinds().count("share.checked") == 5
        self.market.advance_to(CLOSE + 10_000 + WINDOWS["objection_ms"] + 5_000)
        assert self.market.kinds().count("factor.opened") == 1
        assert "Begin to confirm" in self.sealing_page().text
        qinghe, bolin, mingde = (self.bidders[key] for key in ("qinghe", "bolin", "mingde"))
        wrong = make_factor(qinghe.bid, self.sealed["qinghe"].envelope.sha256, b"\x01" * 32)
        refused = qinghe.post("factor", SignedDocument(wrong).wire())
        assert (refused.status_code, refused.get_json()["code"]) == (422, "factor.mismatch")
        assert refused.get_json()["ack"]
        answer = qinghe.post("factor", SignedDocument(self.factor("qinghe")).wire())
        assert answer.status_code == 201
        assert (
            qinghe.post("factor", SignedDocument(self.factor("qinghe")).wire()).get_json()["h"]
            == answer.get_json()["h"]
        )
        stranger = Bidder(self.market, bolin.organisation, bid=qinghe.bid)
        assert stranger.post("factor", SignedDocument(self.factor("qinghe")).wire()).status_code == 404
        assert bolin.post("factor", SignedDocument(self.factor("bolin")).wire()).status_code == 201
        early = make_rescue(
            bolin.bid, self.sealed["bolin"].envelope.sha256, s_b=self.sealed["bolin"].s_b, s_c=self.sealed["bolin"].s_c
        )
        assert bolin.post("rescue", SignedDocument(early).wire()).get_json()["code"] == "rescue.early"
        # The fourth bidder hands its factor to the notary, who acknowledges it now and forwards it after the window.
        acknowledge(self.institutions.agent("notary"), self.factor("mingde"), lambda _words: None)
        ends_at = self.market.bodies("factor.opened")[0]["ends_at"]
        self.market.advance_to(ends_at + 1_000)
        late = self.bidders["yunfan"].post("factor", SignedDocument(self.factor("yunfan")).wire())
        assert late.get_json()["code"] == "factor.late"
        assert self.sealing_page().location.endswith("#opening")
        self.institutions.round("notary")
        assert [body["via"] for body in self.market.bodies("factor.revealed")] == ["platform", "platform", "custodian"]
        assert mingde.client.get("/api/v1/bids").get_json()["bids"][0]["opening"]["factor_revealed"]
        assert station.get("/factors").status_code == 409

    def sealing_page(self) -> TestResponse:
        """What a bidder who has signed in just now sees."""
        page = f"/bidder/tenders/{self.market.tender}/lots/1/seal?lang=en"
        return signed_in(self.market.app.test_client(), "bolin").get(page)

    def release(self, station: Station) -> None:
        self.market.work()
        lists = station.get("/documents?typ=sb1.factor-list").get_json()["documents"]
        assert len(lists) == 2  # before and after what the notary forwarded
        stale, newest = (b64u_decode(row["doc"]) for row in lists)
        assert station.sign(stale, "agency").get_json()["code"] == "factor.list_differs"
        self.record_of_clock("clock.hold", reason="drill")
        assert station.sign(newest, "agency", "supervisor").get_json()["code"] == "window.hold"
        self.record_of_clock("clock.released", size=1)
        assert station.sign(newest, "agency", "supervisor").get_json()["h"]
        assert station.post("/gaps", {"bids": []}).status_code == 409
        self.institutions.round()
        eventually(lambda: len(station.get("/releases").get_json()["releases"]) == 5)
        assert station.post("/combined", {"items": []}).status_code == 409
        collected = conduct.collect(station.box, station.client)
        assert (collected.gaps, collected.reported) == ((), True)
        self.market.work()
        assert self.market.kinds().count("release.closed") == 1

    def record_of_clock(self, kind: str, **body: object) -> None:
        with self.market.runtime.ledger.begin(SYSTEM) as uow:
            uow.record(Event(kind=kind, subject="host:database", body={"host": "database", **body}))

    def parts(self, station: Station) -> None:
        digest = loads_object(self.sealed["bolin"].envelope.doc)["parts"][0]["sha256"]
        whole = station.get(f"/parts/{digest}")
        assert whole.data == self.sealed["bolin"].parts["main"]
        ranged = self.market.client("drafter").get(f"{station.path}/parts/{digest}", headers={"Range": "bytes=10-19"})
        assert (ranged.status_code, ranged.data) == (206, whole.data[10:20])
        withdrawn = loads_object(self.sealed["songtao"].envelope.doc)["parts"][0]["sha256"]
        assert station.get(f"/parts/{withdrawn}").status_code == 404

    def open(self, station: Station) -> None:
        eventually(lambda: station.get().get_json()["steps"]["release_closed"] is not None)
        assert station.post("/results", {"verdict": {"bid": "b-1", "faults": [], "verdict": "OK"}}).status_code == 400
        conduct.combine(station.box, station.client)
        eventually(lambda: station.get().get_json()["steps"]["combined"] is not None)
        evaluated = conduct.evaluate(station.box, station.client)
        for _again in range(2):  # reporting twice changes nothing
            conduct.open_all(station.box, evaluated, lambda result: station.client.post_result(result.result()))
        opened = conduct.open_all(station.box, evaluated, lambda _result: None)
        verdicts = {result.combined.source.bid: result.verdict.code.value for result in opened}
        assert verdicts == {
            self.bidders[key].bid: "BIDDER_NO_FACTOR" if key == "yunfan" else "OK"
            for key in ("qinghe", "bolin", "yunfan", "mingde")
        }
        first = self.market.bodies("bid.opened")[0]
        other = {"opened": {**first, "manifest_sha256": "0" * 64}}
        assert station.post("/results", other).status_code == 409
        totals = {body["bid"]: body["price"]["total"] for body in self.market.bodies("bid.opened")}
        assert totals == {self.bidders[key].bid: PRICES[key] for key in ("qinghe", "bolin", "mingde")}
        documents = conduct.transcript_documents(evaluated, opened, station.client)
        self.two_operators_are_no_supervisor(station, *(signed.doc for signed in documents))
        for signed in documents:
            if parse_transcript(signed.doc).tier == "bidders":
                wrong = loads_object(signed.doc)
                wrong["items"][0]["verdict"] = "PENDING"
                bad = station.post("/documents", SignedDocument(dumps(wrong)).wire()).get_json()
                assert bad["code"] == "transcript.differs"
            answer = station.sign(signed.doc, "station-operator", "supervisor").get_json()
            assert answer["needs"] == []
        assert self.market.kinds().count("opening.completed") == 1

    def two_operators_are_no_supervisor(self, station: Station, first: bytes, second: bytes) -> None:
        """A transcript with two signatures of one role waits for the other role."""
        document = loads_object(first)
        another = dumps({**document, "created": document["created"] + 1})
        station.sign(another, "station-operator")
        operator = enrol(self.market.stage, cast.AGENCY, "station-operator", "drafter")
        answer = station.post("/documents", sign_document(another, operator).wire()).get_json()
        assert answer["needs"] == ["supervisor"]
        station.sign(second, "station-operator", "supervisor")
        assert "opening.completed" not in self.market.kinds()

    def after(self, station: Station) -> None:
        h = bytes.fromhex(self.market.bodies("tender.closed")[0]["bids_root"])
        assert len(h) == 32
        received = station.get().get_json()["bids"][0]["h"]
        assert wait_witnessed(self.market.runtime, bytes.fromhex(received), 10) is not None
        shown = self.market.client().get(f"/api/v1/receipts/{received}")
        assert shown.get_json()["state"] == "witnessed"  # whoever knows h may see it now
        lot = self.market.client().get(f"/api/v1/procedures/{self.market.tender}").get_json()["lots"][0]
        assert lot["phase"] == "opened"

    def verify(self) -> None:
        """Let the offline verifier judge the auditor's bundle of what just happened."""
        trust = self.institutions.trust
        extras = BundleExtras(verifier=b"", trust=trust.doc, trust_sigs=trust.sigs_bytes)
        target = self.market.directory / "bundle.zip"
        export_procedure(self.market.runtime, self.market.tender, Tier.AUDIT, target, extras)
        trust_file = self.market.directory / "trust.wire.json"
        trust_file.write_bytes(trust.wire_bytes())
        said = StringIO()
        with redirect_stdout(said):
            code = run([str(target), "--trust", str(trust_file)], b"")
        assert code == 0, said.getvalue()


def test_a_tender_from_key_ceremony_to_transcripts(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("ceremony")
    with (
        clone(server, demo=True) as database,
        open_market(database, directory, BIDDERS) as market,
        market.serving() as base,
    ):
        play = Play(market, base)
        try:
            play.publish()
            play.bid()
            play.rehearse()
            play.close()
            station = play.order()
            play.objection(station)
            play.reveal(station)
            play.release(station)
            play.parts(station)
            play.open(station)
            play.after(station)
            play.verify()
        finally:
            play.institutions.close()
