"""The opening hall and the papers of a ceremony, by hand in the browser, from the sealed lot to the signed record."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from agents.station import conduct
from tests.support.ceremony import Station
from tests.support.databases import Server, clone
from tests.support.feeds import Crawler
from tests.support.market import CLOSE, WINDOWS, open_market
from tests.support.people import signed_in
from tests.support.polling import eventually
from tests.web.api.test_ceremony import PRICES, Play
from trading.accounts import service as accounts
from trading.assembly import ERRANDS
from trading.audit import errands, verifying
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import verify_receipt
from trading.audit.service import witnessed
from trading.commands.evidence import write
from trading.commands.folds import FOLDS, REPLAYED
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.demo import cast
from trading.demo.cast import BIDDERS
from trading.disclosure import jobs as auditing
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.roles import Actor, Role
from trading.openings import queries
from trading.openings.rules.answers import make_share_check
from trading.openings.rules.orders import parse_order
from trading.openings.rules.verdicts import Check
from trading.openings.service import answers
from trading.openings.service.documents import stored_document
from trading.web import streams
from trading.web.streams import MIMETYPE
from verifier.attachment import attached_proof

DOCUMENT = re.compile(r"docs/[0-9a-f]{64}\.json\Z")
WAITING = "In a moment"  # instead of a receipt that is not in the log yet
HIDDEN = re.compile(r'<input[^>]*name="(csrf_token|offer)"[^>]*value="([^"]*)"')
PAPER = re.compile(r'href="(/procedures/[^"]+/opening/desk/[0-9a-f]{64})"')

WORDS, REPLY = "Our delivery time was not read out.", "It stands in the record: 30 days."
SPOT_MS = 5 * 60_000  # opening.objection_on_the_spot

#: Custodians whose agents work; the fifth reports a share and then falls silent.
ANSWERING = ("agency", "centre", "supervisor", "notary")


class Hall:
    """One ceremony whose agency and supervisor sign on pages; the station still works by its commands."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.market = play.market
        self.base = f"/procedures/{play.market.tender}/lots/1/opening"
        self.keys: dict[str, Es256Signer] = {
            "drafter": play.market.stage.signers["agency", "agency"],
            "supervisor": play.market.stage.signers["supervisor", "supervisor"],
            "operator": play.market.stage.signers["centre", "station-operator"],
        }

    def public(self, path: str = "", **headers: str) -> TestResponse:
        return self.market.client().get(self.base + path, headers=headers)

    def page(self, language: str = "en") -> str:
        return self.public(f"?lang={language}").text

    def state(self, language: str = "en") -> dict[str, object]:
        found: dict[str, object] = self.public(f"/state?lang={language}").get_json()
        return found

    def events(self, last: str = "") -> list[dict[str, str]]:
        """Return the messages that a reader gets who has those up to ``last``."""
        headers = {"Accept": MIMETYPE, **({"Last-Event-ID": last} if last else {})}
        with self.public("/events?once", **headers) as answer:  # a stream that is not closed keeps its place
            assert (answer.status_code, answer.mimetype) == (200, MIMETYPE)
            return messages(answer.get_data(as_text=True))

    def person(self, login: str) -> FlaskClient:
        return signed_in(self.market.app.test_client(), login)

    def sign(self, login: str, path: str, *, key: str | None = None) -> TestResponse:
        """Open a paper and sign what it offers with a key of this browser."""
        client = self.person(login)
        shown = client.get(path)
        assert shown.status_code == 200
        fields = dict(HIDDEN.findall(shown.text))
        offered = re.search(r'data-document="([^"]+)"', shown.text)
        assert offered is not None, shown.text
        document = SignedDocument.from_wire({"doc": offered[1], "sigs": []}).doc
        signature = self.keys[key or login].sign(document)
        return client.post(path, data={**fields, "signatures": json.dumps([[0, signature]])})

    def papers(self, login: str) -> list[str]:
        """Return the addresses of the papers on the desk, the newest first."""
        return list(dict.fromkeys(PAPER.findall(self.person(login).get(f"{self.base}/desk").text)))

    def submit(self, login: str, path: str, **fields: str) -> TestResponse:
        client = self.person(login)
        hidden = dict(HIDDEN.findall(client.get(path).text))
        return client.post(path, data={**hidden, **fields})


def messages(text: str) -> list[dict[str, str]]:
    """Return the messages of a stream, each as its fields."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip()]
    found = [dict(line.split(": ", 1) for line in block if ": " in line) for block in blocks]
    return [each for each in found if "event" in each]


@pytest.fixture
def hall(server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    monkeypatch.setattr(streams, "LOOK_S", 0.0)  # no test waits until a shared value is old
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("hall"), BIDDERS) as market,
        market.serving() as base,
    ):
        play = Play(market, base)
        try:
            play.publish()
            yield Hall(play)
        finally:
            play.institutions.close()


def test_a_ceremony_by_hand(hall: Hall) -> None:
    sealed(hall)
    station = ordered(hall)
    objected(hall)
    checked(hall)
    listed(hall)
    opened(hall, station)
    watched(hall)
    audited(hall)


def sealed(hall: Hall) -> None:
    """Before the order nothing depends on bids, not even on whether there are any."""
    before = (hall.page(), hall.state(), hall.person("supervisor").get("/supervision/log").text)
    tag = hall.public("/state").headers["ETag"]
    hall.play.bid()
    after = (hall.page(), hall.state(), hall.person("supervisor").get("/supervision/log").text)
    assert without_clock(before[0]) == without_clock(after[0])
    assert before[1]["version"] == after[1]["version"]
    assert "Bid received" not in after[2]
    assert hall.public("/state", **{"If-None-Match": tag}).status_code == 304
    assert [each["event"] for each in hall.events()] == ["state", "clock"][:1]
    assert hall.public("/events").status_code == 406, "whoever reads every address must not hang here"
    assert "There is no paper yet" in hall.person("drafter").get(f"{hall.base}/desk?lang=en").text
    hall.market.advance_to(CLOSE + 10_000)
    assert "The opening is being prepared" in hall.page()
    assert "4 bid" not in hall.page(), "closed, and still nobody is told how many there are"


def without_clock(text: str) -> str:
    return re.sub(r'data-now="\d+"|<span class="countdown".*?</span>', "", text)


def ordered(hall: Hall) -> Station:
    directory = hall.market.directory / "station"
    station = Station.at(hall.market, hall.play.base, hall.play.institutions.trust, directory)
    eventually(lambda: station.get().status_code == 200)
    station.post("/documents", SignedDocument(station.draft_order()).wire())
    (paper,) = hall.papers("drafter")
    assert "4" in hall.person("supervisor").get(paper + "?lang=en").text
    refused = hall.sign("drafter", paper, key="operator")
    assert refused.status_code in {403, 422}, "a key that has no say in an order"
    assert hall.sign("drafter", paper).status_code == 303
    assert "Waits for others" in hall.person("drafter").get(f"{hall.base}/desk?lang=en").text
    assert "open.ordered" not in hall.market.kinds()
    assert hall.sign("supervisor", paper).status_code == 303
    assert hall.market.kinds().count("open.ordered") == 1
    eventually(lambda: "Step 3 of 10" in hall.page())
    text = hall.page()
    assert "4 bids were in the log" in text
    assert all(each.name_en in text or each.name_zh in text for each in BIDDERS if each.key != "songtao")
    assert not any(f"{price // 100:,}.00" in text for price in PRICES.values())
    eventually(lambda: any(each["event"] == "record" for each in hall.events()))  # as soon as it is logged
    (record,) = [each for each in hall.events() if each["event"] == "record"]
    assert json.loads(record["data"])["kind"] == "open.ordered"
    assert [each["event"] for each in hall.events(record["id"])] == ["state"], "nothing twice after a return"
    return station


def objected(hall: Hall) -> None:
    """A bidder objects with nothing but its receipt; the supervisor decides on a page and signs."""
    songtao, path = hall.play.bidders["songtao"], f"{hall.base}/objection"
    rows = songtao.client.get("/api/v1/bids").get_json()["bids"]
    h = next(version["h"] for row in rows for version in row["versions"] if version["kind"] == "envelope")
    receipt = songtao.client.get(f"/api/v1/receipts/{h}").get_json()["receipt"]
    assert raise_objection(hall, "songtao", path, b"no receipt").status_code == 422
    assert raise_objection(hall, "bolin", path, receipt.encode()).status_code == 422, "of another organisation"
    assert raise_objection(hall, "songtao", path, receipt.encode()).status_code == 303
    eventually(lambda: "1 objection waits for its decision" in hall.page())
    desk = hall.person("supervisor").get(f"{hall.base}/desk").text
    (decide,) = set(re.findall(r'href="([^"]+/desk/objections/[0-9a-f]{64})"', desk))
    assert hall.person("drafter").get(decide).status_code == 403
    assert hall.submit("supervisor", decide).status_code == 422, "a choice is needed"
    answer = hall.submit("supervisor", decide, decision="reject")
    assert answer.status_code == 303
    assert hall.submit("supervisor", decide, decision="reject").headers["Location"] == answer.headers["Location"]
    assert hall.sign("supervisor", answer.headers["Location"]).status_code == 303
    assert hall.market.kinds().count("objection.decided") == 1
    eventually(lambda: "1 raised, 1 decided" in hall.page())
    assert "Rejected" in hall.person("songtao").get(f"{path}?lang=en").text
    assert "Songtao" not in hall.person("bolin").get(f"{path}?lang=en").text


def raise_objection(hall: Hall, login: str, path: str, receipt: bytes) -> TestResponse:
    client = hall.person(login)
    hidden = dict(HIDDEN.findall(client.get(path).text))
    data: Mapping[str, object] = {**hidden, "receipt": (io.BytesIO(receipt), "bid.tlog-proof")}
    return client.post(path, data=data, content_type="multipart/form-data")


def checked(hall: Hall) -> None:
    custodian = hall.person("notary-custodian")
    lot = f"/custodian/lots/{hall.market.tender}/1?lang=en"
    assert "Your agent checks its shares" in custodian.get(lot).text
    reported(hall)
    hall.play.institutions.round(*ANSWERING)
    text = custodian.get(lot).text
    assert "Your shares of all 4 bids open and match their commitments" in text
    assert "5 of 5 custodians have checked" in text
    assert custodian.get("/custodian").status_code == 200
    assert custodian.get("/custodian/lots/T-2026-00000000/1").status_code == 404


def reported(hall: Hall) -> None:
    """One custodian reports a share; the supervisor decides about it on a page and signs."""
    ledger = hall.market.runtime.ledger
    key = hall.market.stage.signers["association", "custodian"]
    with ledger.read() as conn:
        row = queries.ceremony_row(conn, hall.market.tender, "1")
        assert row.opening is not None
        order = parse_order(stored_document(conn, row.opening.order_sha256).doc)
    index = next(each.i for each in hall.market.current_policy.custodians if each.kid == key.kid)
    codes = dict.fromkeys(order.bid_ids, Check.OK) | {order.bid_ids[0]: Check.HPKE_OPEN_FAILED}
    document = make_share_check(order, codes, custodian=index, created=hall.market.now())
    actor = Actor.party(key.kid, cast.ASSOCIATION.code)
    assert answers.check_shares(ledger, actor, hall.market.place, index, sign_document(document, key))
    path = f"{hall.base}/desk/reports/{index}"
    assert path in hall.person("supervisor").get(f"{hall.base}/desk").text
    assert hall.person("drafter").get(path).status_code == 403
    assert hall.submit("supervisor", path).status_code == 422
    decided = hall.submit("supervisor", path, **{f"bid-{order.bid_ids[0]}": "custodian_fault"})
    assert decided.status_code == 303
    assert hall.sign("supervisor", decided.headers["Location"]).status_code == 303
    assert hall.market.kinds().count("share.adjudicated") == 1
    assert hall.person("supervisor").get(path).status_code == 404, "decided"


def listed(hall: Hall) -> None:
    hall.market.advance_to(hall.market.now() + WINDOWS["objection_ms"] + 5_000)  # of the order, however long it took
    assert "Bidders confirm the opening of their own bid" in hall.page()
    for key in ("qinghe", "bolin", "mingde"):
        answer = hall.play.bidders[key].post("factor", SignedDocument(hall.play.factor(key)).wire())
        assert answer.status_code == 201, answer.get_json()
    hall.market.advance_to(hall.market.bodies("factor.opened")[0]["ends_at"] + 1_000)
    hall.market.work()
    paper = next(each for each in hall.papers("supervisor") if "List of confirmed bids" in shown(hall, each))
    assert "not confirmed: counts as revoked" in shown(hall, paper)
    assert hall.sign("supervisor", paper).status_code == 303
    assert hall.sign("drafter", paper).status_code == 303
    assert hall.market.kinds().count("factor.closed") == 1


def shown(hall: Hall, path: str) -> str:
    return hall.person("supervisor").get(f"{path}?lang=en").text


def opened(hall: Hall, station: Station) -> None:
    assert (
        "Your shares are awaited"
        in hall.person("notary-custodian").get(f"/custodian/lots/{hall.market.tender}/1?lang=en").text
    )
    hall.play.institutions.round(*ANSWERING)
    eventually(lambda: len(station.get("/releases").get_json()["releases"]) == len(ANSWERING))
    assert "Custodians who can still give theirs" in hall.page()
    assert (
        "Your shares are released"
        in hall.person("notary-custodian").get(f"/custodian/lots/{hall.market.tender}/1?lang=en").text
    )
    hall.market.advance_to(hall.market.now() + WINDOWS["release_window_ms"])  # the fifth custodian does not answer
    conduct.collect(station.box, station.client)
    hall.market.work()
    eventually(lambda: station.get().get_json()["steps"]["release_closed"] is not None)
    conduct.combine(station.box, station.client)
    eventually(lambda: station.get().get_json()["steps"]["combined"] is not None)
    assert "0 of 4 bids have their result" in hall.page()
    assert object_(hall, "bolin", WORDS).status_code == 422, "not everything is read out yet"
    assert hall.public("/record.json").status_code == 404, "nothing of one bid before the results of all"
    evaluated = conduct.evaluate(station.box, station.client)
    opened = conduct.open_all(station.box, evaluated, lambda result: station.client.post_result(result.result()))
    text = hall.page()
    assert "did not confirm in time" in text
    assert [rule in text for rule in ("OPN-05", "SUB-09")] == [True, True]  # revoked; the security may be kept
    for key in ("qinghe", "bolin", "mingde"):
        assert f"{PRICES[key] // 100:,}.00" in text
    papers = conduct.transcript_documents(evaluated, opened, station.client)
    for signed in papers:
        station.post("/documents", signed.wire())
        assert hall.sign("drafter", f"{hall.base}/desk/{signed.sha256}", key="operator").status_code == 303
    spoken(hall, f"{hall.base}/desk/{papers[0].sha256}")
    for signed in papers:
        assert hall.sign("supervisor", f"{hall.base}/desk/{signed.sha256}").status_code == 303
    assert hall.market.kinds().count("opening.completed") == 1
    eventually(lambda: any("opening.completed" in each["data"] for each in hall.events() if each["event"] == "record"))
    acts = [each for each in hall.events() if each["event"] == "record"]
    kinds = [json.loads(each["data"])["kind"] for each in acts]
    assert (kinds[0], kinds[-1], kinds.count("share.released"), kinds.count("bid.result")) == (
        "open.ordered", "opening.completed", len(ANSWERING), 4
    )  # fmt: skip
    for place, each in enumerate(acts):  # from wherever a reader comes back, it gets the rest once
        rest = [again["id"] for again in hall.events(each["id"]) if again["event"] == "record"]
        assert rest == [later["id"] for later in acts[place + 1 :]]
    assert "The opening is complete" in hall.page()
    assert "live.js" in hall.page(), "bidders may still object"
    hall.market.advance_to(hall.market.now() + SPOT_MS)
    assert object_(hall, "mingde", "too late").status_code == 422
    assert "live.js" not in hall.page(), "nothing follows any more"
    receipts_offered(hall)
    recorded(hall)


def object_(hall: Hall, login: str, words: str) -> TestResponse:
    client = hall.person(login)
    hidden = dict(HIDDEN.findall(client.get(f"{hall.base}/objection").text))  # a page that always has a form
    return client.post(f"{hall.base}/on-the-spot", data={**hidden, "text": words})


def spoken(hall: Hall, paper: str) -> None:
    """A bidder objects on the spot, the agency answers, and the record waits for it (OPN-11)."""
    assert object_(hall, "songtao", WORDS).status_code == 403, "its bid is not on the list"
    assert object_(hall, "bolin", " no ").status_code == 422
    for _again in range(2):
        assert object_(hall, "bolin", f" {WORDS}\n").status_code == 303
    assert hall.market.kinds().count("opening.objected") == 1
    eventually(lambda: "1 raised, 0 answered" in hall.page())
    assert WORDS in hall.page()
    refused = hall.sign("supervisor", paper)
    assert refused.status_code == 422
    assert "opening.completed" not in hall.market.kinds(), "somebody waits for an answer"
    desk = hall.person("drafter").get(f"{hall.base}/desk").text
    (path,) = set(re.findall(r'href="([^"]+/desk/on-the-spot/[0-9a-f]{64})"', desk))
    assert path not in hall.person("supervisor").get(f"{hall.base}/desk").text
    assert hall.person("supervisor").get(path).status_code == 403
    drafter = hall.person("drafter")
    hidden = dict(HIDDEN.findall(drafter.get(path).text))
    for words, status in (("", 422), (REPLY, 303), (REPLY, 303), (REPLY + "?", 409)):  # the same answer again is one
        assert drafter.post(path, data={**hidden, "text": words}).status_code == status
    assert hall.market.kinds().count("opening.answered") == 1
    assert REPLY in hall.page()
    assert REPLY in hall.person("bolin").get(f"{hall.base}/on-the-spot").text
    assert WORDS not in hall.person("mingde").get(f"{hall.base}/on-the-spot").text


def recorded(hall: Hall) -> None:
    """The record as page, in text, for programs and on paper says the same."""
    record = hall.public("/record.json").get_json()
    prices = {each["bidder"]: each["price"] and each["price"]["minor"] for each in record["bids"]}
    codes = {each.key: each.code for each in BIDDERS}
    assert prices == {codes[key]: PRICES.get(key) for key in ("qinghe", "bolin", "mingde")} | {codes["yunfan"]: None}
    assert [each["number"] for each in record["bids"]] == [1, 2, 3, 4]
    assert [(each["text"], each["answer"]["text"]) for each in record["objections"]] == [(WORDS, REPLY)]
    assert {act["h"] for act in record["acts"]} >= {record["completed"]["h"]}
    for view in ("?lang=en&view=text", "?lang=en&by=price"):
        text = hall.public(view).text
        assert all(f"{PRICES[key] // 100:,}.00" in text for key in ("qinghe", "bolin", "mingde"))
        assert ("<table" in text.partition("Receipts of the opening")[0]) == ("view" not in view)
    sheet = hall.public("/record.pdf?lang=en")
    assert (sheet.status_code, sheet.mimetype) == (200, "application/pdf")
    policy = parse_policy(hall.market.runtime.witness_policy)
    attached = attached_proof(sheet.data)
    verified = verify_receipt(attached, origin=hall.market.runtime.origin, policy=policy, verify=verify_note_signature)
    assert verified.record["kind"] == "opening.completed"


def receipts_offered(hall: Hall) -> None:
    """The page of the opening and that of the notice offer receipts that anybody may have and that verify."""
    client, policy = hall.market.client(), parse_policy(hall.market.runtime.witness_policy)
    offered = {"": {"tender.closed", "open.ordered", "opening.completed"}, "notice": {"tender.published"}}
    for page, kinds in offered.items():
        path = f"/procedures/{hall.market.tender}/notices/1" if page else hall.base
        eventually(partial(_all_logged, client, path))
        text = client.get(f"{path}?lang=en").text
        proofs = dict.fromkeys(re.findall(r'href="(/log/entries/[0-9a-f]{64})\.tlog-proof"', text))
        found = {}
        for each in proofs:
            proof, pdf = client.get(f"{each}.tlog-proof").data, client.get(f"{each}.pdf?lang=en")
            verified = verify_receipt(
                proof, origin=hall.market.runtime.origin, policy=policy, verify=verify_note_signature
            )
            newest = client.get(f"/api/v1/receipts/{each.rpartition('/')[2]}").get_json()["receipt"]
            found[verified.record["kind"]] = attached_proof(pdf.data) == proof == newest.encode()
        assert found == dict.fromkeys(kinds, True)


def _all_logged(client: FlaskClient, path: str) -> bool:
    return WAITING not in client.get(f"{path}?lang=en").text


def watched(hall: Hall) -> None:
    """The supervisor's lamps and log, and what others may not see."""
    supervisor = hall.person("supervisor")
    text = supervisor.get(f"/supervision/procedures/{hall.market.tender}?lang=en").text
    assert "Opening at the deadline" in text
    assert "Done in time" in text
    assert "DOC-04" in text
    assert "Opening completed" in supervisor.get("/supervision/log?lang=en").text
    assert supervisor.get("/supervision/procedures/T-2026-00000000").status_code == 404
    other = accounts.create_account(
        hall.market.runtime.ledger, login="elsewhere", org_code=cast.numbered_bidder(77).code, roles=(Role.SUPERVISOR,)
    )
    assert other
    stranger = hall.person("elsewhere")
    assert stranger.get(f"/supervision/procedures/{hall.market.tender}").status_code == 404
    assert stranger.get(f"{hall.base}/desk").status_code == 404
    assert "T-2026" not in stranger.get("/supervision").text


def audited(hall: Hall) -> None:
    """Bundle, log, proof and full verification; every look at what is not public leaves a record."""
    eventually(lambda: "Opening completed" in hall.person("auditor").get("/audit/log?lang=en").text)
    bundle_of_the_auditor(hall)
    evidence_of_a_bid(hall)
    evidence_at_the_installation(hall)
    page = hall.person("auditor").get("/audit/log?kind=opening.completed").text
    (record,) = set(re.findall(r'href="(/audit/log/[0-9a-f]{64})"', page))
    assert "transcript_sha256s" in hall.person("auditor").get(record).text
    assert hall.person("auditor").get(record + ".tlog-proof").text.startswith("c2sp.org/tlog-proof")
    received = hall.market.bodies("bid.opened")[0]["envelope_sha256"]
    assert received not in hall.person("auditor").get("/audit/log").text
    what_is_not_public(hall)
    what_everybody_reads(hall)
    assert hall.person("auditor").get(f"/audit/log/{'0' * 64}").status_code == 404
    first = verified(hall)
    made = [(check.name, check.ok) for check in first.checks if check.name != verifying.APART]
    assert made == [(name, True) for name in ("chain", "tiles", "notes", "tokens", "positions", "records", "state")], (
        first
    )
    assert first.ok is True
    text = hall.person("auditor").get("/audit/verification?lang=en").text
    assert "Verified" in text
    assert "Every tile is what the entries hash to" in text
    damaged(hall)


def what_is_not_public(hall: Hall) -> None:
    """To be shown a record that is not public, or its proof, is an act that leaves a record (F58)."""
    client, before = hall.person("auditor"), hall.market.kinds().count("admin.read")
    told = client.get("/audit/log?kind=objection.raised").text
    path = re.findall(r'href="(/audit/log/[0-9a-f]{64})"', told)[0]
    shown = client.get(f"{path}?lang=en").text
    assert "This record is not public" in shown
    assert "order_sha256" not in shown
    assert client.get(f"{path}.tlog-proof").status_code == 405
    assert hall.market.kinds().count("admin.read") == before
    hidden = dict(HIDDEN.findall(shown))
    assert client.post(path).status_code == 400, "without the token of the form"
    assert "order_sha256" in client.post(path, data=hidden).text
    assert client.post(f"{path}.tlog-proof", data=hidden).text.startswith("c2sp.org/tlog-proof")
    assert hall.market.kinds().count("admin.read") == before + 2
    found = client.get("/supervision/accesses?what=proof:").text
    assert f"proof:{hall.market.tender}:{path.rpartition('/')[2]}" in found
    assert f"record:{hall.market.tender}" not in found
    assert f"record:{hall.market.tender}" in hall.person("supervisor").get("/supervision/accesses").text
    assert hall.market.tender not in hall.person("elsewhere").get("/supervision/accesses").text
    number = re.findall(r"sought=(\d+)", shown)[-1]
    assert client.get(f"/audit/log?sought={int(number) - 1}").headers["Location"] == path


def what_everybody_reads(hall: Hall) -> None:
    """The feed of the whole ceremony: in order, nothing before it is disclosed, and every page of an entry holds."""
    client = hall.market.client()
    kinds = [loads_object(b64u_decode(each["record"]))["kind"] for each in Crawler(client).new()]
    assert kinds.index("tender.closed") == kinds.index("open.ordered") - 1
    last = kinds.index("opening.completed")
    assert {"opening.combined", "bid.opened", "bid.verdict"} >= set(kinds[last - 5 : last])
    assert kinds.count("bid.opened") + kinds.count("bid.verdict") == 4
    found = client.get("/log/explorer", query_string={"reference": hall.market.tender, "kind": "bid.opened"}).text
    places = re.findall(r'href="/log/explorer/(\d+)"', found)
    assert len(places) == kinds.count("bid.opened")
    page = client.get(f"/log/explorer/{places[0]}?lang=en").text
    assert "It holds" in page
    assert "Not after" in page


def bundle_of_the_auditor(hall: Hall) -> None:
    client = hall.person("auditor")
    trust = hall.market.directory / "trust.wire.json"
    trust.write_bytes(hall.play.institutions.trust.wire_bytes())
    path = f"/audit/bundles/{hall.market.tender}"
    hidden = dict(HIDDEN.findall(client.get("/audit").text))
    assert client.post(path).status_code == 400, "without the token of the form"
    eventually(lambda: is_witnessed(hall))
    with client.post(path, data=hidden) as answer:
        names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert any(name.startswith("parts/") for name in names)
    assert f"bundle.auditor:{hall.market.tender}" in client.get("/supervision/accesses").text
    assert hall.market.kinds().count("admin.read") >= 1
    assert hall.person("supervisor").post(path, data=hidden).status_code in {400, 403}


def evidence_of_a_bid(hall: Hall) -> None:
    """A bidder gets what proves the result of its own bid, on its page and by the API; nobody gets that of another."""
    tender, own = hall.market.tender, hall.play.bidders["yunfan"]
    path, api = f"/procedures/{tender}/lots/1/evidence.zip", f"/api/v1/bids/{own.bid}/evidence"
    assert f'href="{path}"' in hall.person("yunfan").get(f"/bidder/tenders/{tender}/lots/1").text
    for answer in (hall.person("yunfan").get(path), own.client.get(api)):
        assert answer.headers["Cache-Control"] == "no-store", "it holds the secrets of the bid"
        with answer, zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
            told = [loads_object(bundle.read(name)) for name in bundle.namelist() if name.startswith("docs/")
                    and name.endswith(".json")]  # fmt: skip
        assert [each["item"]["bid"] for each in told if each["typ"] == "sb1.audit-item"] == [own.bid]
    assert hall.play.bidders["qinghe"].client.get(api).status_code == 404
    assert hall.person("supervisor").get(path).status_code == 403
    shown = next(each for each in own.client.get("/api/v1/bids").get_json()["bids"] if each["bid"] == own.bid)
    assert shown["opening"]["result"] == {
        "at_fault": "bidder",
        "effect": "revoked",
        "faults": [],
        "rules": ["OPN-05", "SUB-09"],
        "security": "forfeitable",
        "verdict": "BIDDER_NO_FACTOR",
    }


def evidence_at_the_installation(hall: Hall) -> None:
    """The command: who takes the evidence of another's bid is recorded, and most get nothing."""
    folder = hall.market.directory / "evidence"
    folder.mkdir()
    runtime, data_dir, own = hall.market.runtime, hall.market.directory, hall.play.bidders["yunfan"]
    eventually(lambda: is_witnessed(hall))

    def read() -> list[str]:
        return [body["what"] for body in hall.market.bodies("admin.read") if body["what"].startswith("evidence:")]

    for who, recorded in (("yunfan", 0), ("supervisor", 1), ("auditor", 2)):
        target = folder / f"{who}.zip"
        write(runtime, data_dir, who, own.bid, target)
        assert target.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(target) as bundle:
            kinds = [loads_object(bundle.read(name))["typ"] for name in bundle.namelist() if DOCUMENT.match(name)]
        assert kinds.count("sb1.audit-item") == 1
        assert read() == [f"evidence:{hall.market.tender}:{own.bid}"] * recorded, who
    for who, bid in (("qinghe", own.bid), ("drafter", own.bid), ("supervisor", "b-none")):
        with pytest.raises(NotFound):
            write(runtime, data_dir, who, bid, folder / "refused.zip")
    with pytest.raises(Conflict):
        write(runtime, data_dir, "yunfan", own.bid, folder / "yunfan.zip")
    assert sorted(path.name for path in folder.iterdir()) == ["auditor.zip", "supervisor.zip", "yunfan.zip"]


def is_witnessed(hall: Hall) -> bool:
    """Whether every record so far stands in a witnessed checkpoint, so that a bundle can be made."""
    note = witnessed(hall.market.runtime)
    return note is not None and note.size >= len(hall.market.kinds())


def verified(hall: Hall) -> verifying.Run:
    """Ask for a verification on its page, let the worker run it, return what it found."""
    client = hall.person("auditor")
    hidden = dict(HIDDEN.findall(client.get("/audit/verification").text))
    assert client.post("/audit/verification", data=hidden).status_code == 303
    assert client.post("/audit/verification", data=hidden).status_code == 303, "asking twice is one run"
    waiting = client.get("/audit/verification?lang=en").text
    assert "Verification waits for a worker" in waiting
    runtime = hall.market.runtime
    handlers = {**ERRANDS, **auditing.errands(FOLDS, REPLAYED)}
    with runtime.ledger.read() as conn:
        due = [each for each in errands.due(conn, errands.platform_ms(conn)) if each.name == verifying.ERRAND]
    assert len(due) == 1
    assert errands.run(runtime, handlers, due[0].id)
    with runtime.ledger.read() as conn:
        run = verifying.newest(conn)[0]
    assert (run.state, run.done) == ("done", run.total)
    assert run.total == verifying.PASSES * run.size
    return run


def damaged(hall: Hall) -> None:
    """Negative control: one byte of a tile, and the check that finds it is named."""
    tiles = (path for path in (hall.market.runtime.log_dir / "tile" / "0").rglob("*") if path.is_file())
    newest = max(tiles, key=lambda path: path.stat().st_mtime_ns)
    whole = newest.read_bytes()
    newest.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        run = verified(hall)
    finally:
        newest.write_bytes(whole)
    assert [check.name for check in run.checks if check.ok is False] == ["tiles"]
    assert "Not verified" in hall.person("auditor").get("/audit/verification?lang=en").text
