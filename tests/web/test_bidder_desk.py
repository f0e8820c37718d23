"""The bidder's desk and the pages of questions on a whole platform: what is shown to whom, and what to nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.support.databases import Server, clone
from tests.support.market import CLOSE, LOT, Bidder, Market, open_market
from tests.support.people import signed_in
from tests.support.polling import eventually
from tests.support.stamping import stamping
from trading.accounts import service as accounts
from trading.audit.rules.note import parse_note
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import verify_receipt
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.crypto.stamps import verify_stamp
from trading.demo import cast
from trading.kernel.canonical import loads_object
from trading.kernel.roles import Role
from verifier.attachment import attached_proof

QINGHE, BOLIN, YUNFAN = (organisation.key for organisation in cast.BIDDERS[:3])
CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
ANSWER = {
    "version": "0",
    "question_zh": "质保期从哪一天算起？",
    "question_en": "",
    "answer_zh": "自验收合格之日起。",
    "answer_en": "",
    "effect": "explains",
    "notice": "",
}


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("desk"), cast.BIDDERS[:3]) as market,
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market


def person(market: Market, login: str) -> FlaskClient:
    return signed_in(market.app.test_client(), login)


def read(client: FlaskClient, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == HTTPStatus.OK, path
    return answer.text


def send(client: FlaskClient, page: str, path: str, **data: str) -> tuple[int, str]:
    token = CSRF.search(client.get(page).text)
    assert token is not None
    headers = {"Accept-Language": "en"}
    answer = client.post(path, data={**data, "csrf_token": token[1]}, headers=headers, follow_redirects=True)
    return answer.status_code, answer.text


def desk_of(market: Market) -> str:
    return f"/bidder/tenders/{market.tender}"


@pytest.fixture(scope="module")
def bidder(market: Market) -> Bidder:
    """The first bidder, with a version, a replacement and a file that belongs to neither."""
    bidder = Bidder(market, cast.BIDDERS[0])
    bidder.start()
    first = bidder.seal(100_000)
    assert bidder.submit(first).status_code in {201, 202}
    second = bidder.seal(90_000, seq=2, supersedes=first.envelope.sha256)
    assert bidder.submit(second).status_code in {201, 202}
    third = bidder.seal(80_000, seq=3, supersedes=second.envelope.sha256)
    bidder.upload(third.parts, third)
    eventually(lambda: "WITNESSED" in read(person(market, QINGHE), f"{desk_of(market)}/lots/1"))
    return bidder


def test_who_follows_a_tender_is_seen_by_nobody_else(market: Market) -> None:
    follower, other = person(market, YUNFAN), person(market, BOLIN)
    assert "You are not taking part in a tender yet" in read(follower, "/bidder")
    status, shown = send(follower, desk_of(market), f"{desk_of(market)}/follow")
    assert (status, "You follow this tender" in shown) == (200, True)
    assert send(follower, desk_of(market), f"{desk_of(market)}/follow")[0] == 200, "any number of times"
    assert market.tender in read(follower, "/bidder")
    assert "You are not taking part in a tender yet" in read(other, "/bidder")
    with market.runtime.ledger.upkeep() as conn:
        assert list(conn.execute(text("SELECT 1 FROM desk.followed_tender"))) == []
    with market.database.engine("trading_reader").connect() as conn, pytest.raises(ProgrammingError):
        conn.execute(text("SELECT 1 FROM desk.followed_tender"))
    assert send(follower, desk_of(market), f"{desk_of(market)}/unfollow")[0] == 200
    assert "You are not taking part in a tender yet" in read(follower, "/bidder")


def test_what_arrived_is_shown_to_its_bidder_alone(market: Market, bidder: Bidder) -> None:
    shown = read(person(market, QINGHE), f"{desk_of(market)}/lots/{LOT}")
    assert "Version 2 was submitted at" in shown
    assert "A new version was not completed. Version 2" in shown
    for fingerprint in re.findall(r'<code class="digest" title="([0-9a-f]{64})">[0-9a-f]{4} ', shown):
        assert fingerprint not in read(person(market, BOLIN), f"{desk_of(market)}/lots/{LOT}")
    assert bidder.bid not in read(person(market, BOLIN), f"{desk_of(market)}/lots/{LOT}")
    assert "Nothing has arrived for this lot" in read(person(market, BOLIN), f"{desk_of(market)}/lots/{LOT}")
    assert "Sealed bid stands" in read(person(market, QINGHE), "/bidder")
    zh = read(person(market, QINGHE), f"{desk_of(market)}/lots/{LOT}", "zh")
    assert "新版本没有提交完" in zh
    assert "开标时只打开第 2 版" in zh


def test_a_receipt_verifies_offline_and_is_the_bidders_own(market: Market, bidder: Bidder) -> None:
    assert bidder.bid
    mine = person(market, QINGHE)
    paths = set(
        re.findall(
            r'href="(/bidder/tenders/[^"]+/receipts/[0-9a-f]{64}\.tlog-proof)"',
            read(mine, f"{desk_of(market)}/lots/{LOT}"),
        )
    )
    assert len(paths) == 2
    for path in paths:
        answer = mine.get(path)
        assert answer.status_code == HTTPStatus.OK
        policy = parse_policy(market.runtime.witness_policy)
        found = verify_receipt(answer.data, origin=market.runtime.origin, policy=policy, verify=verify_note_signature)
        assert found.record["body"]["bidder"] == cast.BIDDERS[0].code
        paper = path.replace(".tlog-proof", ".pdf")
        assert verified_alike(mine.get(paper).data, answer.data)
        for each in (path, paper):
            assert person(market, BOLIN).get(each).status_code == HTTPStatus.NOT_FOUND
            assert market.app.test_client().get(each).status_code in {302, 303, 401}
    notice = read(market.app.test_client(), f"/procedures/{market.tender}/notices/1")
    assert "After the opening" in notice  # the receipt of the notice names its position
    assert ".tlog-proof" not in notice
    for h in ("00" * 32, "zz", "0" * 63):
        for form in ("tlog-proof", "pdf"):
            assert mine.get(f"{desk_of(market)}/receipts/{h}.{form}").status_code == HTTPStatus.NOT_FOUND


def verified_alike(pdf: bytes, proof: bytes) -> bool:
    """Whether a PDF carries a receipt of the same record; its witnesses may have signed meanwhile."""
    return attached_proof(pdf).partition(b"index")[0] == proof.partition(b"index")[0]


def test_time_stamps_lie_beside_the_receipt_for_its_bidder_alone(market: Market, bidder: Bidder) -> None:
    assert bidder.bid
    mine, page = person(market, QINGHE), f"{desk_of(market)}/lots/{LOT}"
    with stamping(market) as authorities:
        assert authorities.stamp() == 2
    shown = read(mine, page)
    assert "STAMPED" in shown
    assert "已写入日志，见证方已会签，并有时间戳" in read(mine, page, "zh")
    paths = re.findall(r'href="(/bidder/tenders/[^"]+/receipts/[0-9a-f]{64}/[a-z.]+-[0-9]+\.tsr)"', shown)
    assert len(set(paths)) == 4  # two versions, two authorities
    roots = {each.name: each.root.der for each in authorities.owned}
    for path in paths:
        receipt, token = mine.get(path.rpartition("/")[0] + ".tlog-proof"), mine.get(path)
        assert (token.status_code, token.mimetype) == (HTTPStatus.OK, "application/timestamp-reply")
        text = parse_note(receipt.data.partition(b"\n\n")[2]).text.encode()
        tsa, _, gen_time = path.rpartition("/")[2].removesuffix(".tsr").rpartition("-")
        assert verify_stamp(token.data, text, [roots[tsa]]).gen_time == int(gen_time)
        assert person(market, BOLIN).get(path).status_code == HTTPStatus.NOT_FOUND
        api = f"/api/v1/receipts/{path.split('/')[-2]}"
        asked = bidder.client.get(api).get_json()
        assert (asked["state"], path.rpartition("/")[2] in asked["tokens"]) == ("stamped", True)
        assert bidder.client.get(f"{api}/{path.rpartition('/')[2]}").data == token.data
        assert market.client(BOLIN).get(f"{api}/{path.rpartition('/')[2]}").status_code == HTTPStatus.NOT_FOUND
    assert mine.get(paths[0].replace(".tsr", "1.tsr")).status_code == HTTPStatus.NOT_FOUND


def test_the_own_log_is_complete_and_signed(market: Market, bidder: Bidder) -> None:
    mine = person(market, QINGHE)
    shown = read(mine, f"{desk_of(market)}/log")
    assert shown.count("Bid received") == 2
    assert QINGHE in shown
    document = SignedDocument.from_wire(mine.get(f"{desk_of(market)}/log.json").data)
    assert market.runtime.ack is not None
    verify_es256(market.runtime.ack.spki, document.doc, document.sigs[0])
    acts = loads_object(document.doc)["acts"]
    assert [act["kind"] for act in acts] == ["bid.started", "bid.received", "bid.received"]
    assert {act["login"] for act in acts} == {QINGHE}
    assert {act["body"]["bid"] for act in acts} == {bidder.bid}
    assert "has done nothing in this tender yet" in read(person(market, BOLIN), f"{desk_of(market)}/log")


def test_only_bidders_have_a_desk_and_only_for_what_is_published(market: Market) -> None:
    draft = "T-2026-00000000"
    for path in (f"/bidder/tenders/{draft}", f"/bidder/tenders/{draft}/log", f"/bidder/tenders/{draft}/questions"):
        assert person(market, QINGHE).get(path).status_code == HTTPStatus.NOT_FOUND
    assert person(market, QINGHE).get(f"{desk_of(market)}/lots/9").status_code == HTTPStatus.NOT_FOUND
    for login in ("drafter", "reviewer", "supervisor", "auditor", "desk1"):
        for path in ("/bidder", desk_of(market), f"{desk_of(market)}/lots/{LOT}", f"{desk_of(market)}/log"):
            assert person(market, login).get(path).status_code == HTTPStatus.FORBIDDEN
    assert person(market, QINGHE).get(f"/agency/{market.tender}/questions").status_code == HTTPStatus.FORBIDDEN


def test_the_price_form_may_send_nothing(market: Market) -> None:
    answer = person(market, QINGHE).get(f"{desk_of(market)}/lots/{LOT}/price?lang=en")
    assert answer.status_code == HTTPStatus.OK
    policy = answer.headers["Content-Security-Policy"]
    assert "connect-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert "<form" not in answer.text, "no input is in a form, so none is ever sent"
    assert "mingbiao bid price" in answer.text
    assert "<noscript>" in answer.text
    other = person(market, QINGHE).get(f"{desk_of(market)}/lots/{LOT}").headers["Content-Security-Policy"]
    assert "connect-src 'none'" not in other, "control: the policy is this page's own"


def test_the_template_holds_the_items_of_the_notice(market: Market) -> None:
    found = json.loads(person(market, QINGHE).get(f"{desk_of(market)}/lots/{LOT}/template.json").data)
    assert (found["tender"], found["lot"], found["currency"]) == (market.tender, LOT, "CNY")
    assert found["items"]


def test_commands_are_those_of_this_bidder_and_lot(market: Market) -> None:
    shown = read(person(market, QINGHE), f"{desk_of(market)}/lots/{LOT}")
    for name in ("start", "price", "rehearse", "seal", "submit", "withdraw", "check"):
        assert f"mingbiao bid {name} --" in shown
    assert f"--tender {market.tender} --lot {LOT} --stage all --org {cast.BIDDERS[0].code}" in shown


def test_a_question_from_asking_to_the_answer_for_all(market: Market) -> None:
    asker, drafter, reviewer = (person(market, login) for login in (BOLIN, "drafter", "reviewer"))
    own, agency = f"{desk_of(market)}/questions", f"/agency/{market.tender}/questions"
    public = f"/procedures/{market.tender}/questions"
    everybody = market.app.test_client()
    before = read(everybody, public)
    assert "Nobody has asked a question yet" in before
    status, shown = send(asker, own, own, lot="", text=f"{cast.BIDDERS[1].name_zh}想问质保期")
    assert (status, "contains your organisation" in shown, "想问质保期" in shown) == (422, True, True)
    status, shown = send(asker, own, own, lot="1", text="质保期从哪一天算起？")
    assert (status, "Your question was received" in shown) == (200, True)
    assert read(everybody, public) == before, "nothing tells that a question was asked"
    assert "质保期" not in read(person(market, QINGHE), own), "other bidders do not see it either"

    listed = read(drafter, agency)
    (path,) = re.findall(rf'href="({re.escape(agency)}/q-[0-9a-z]+)"', listed)
    one = read(drafter, path)
    for page in (listed, one, read(reviewer, agency)):
        for name in (cast.BIDDERS[1].code, cast.BIDDERS[1].name_zh, cast.BIDDERS[1].name_en, BOLIN):
            assert name not in page
    status, shown = send(drafter, path, path, **{**ANSWER, "answer_zh": ""})
    assert (status, "There is a problem" in shown) == (422, True)
    assert send(drafter, path, path, **ANSWER)[0] == 200
    assert read(everybody, public) == before
    assert drafter.post(f"{path}/publication", data={"version": "1"}).status_code in {400, 403}
    status, shown = send(reviewer, path, f"{path}/publication", version="1")
    assert (status, "The answer is published to everybody" in shown) == (200, True)
    for page in (public, f"/procedures/{market.tender}"):
        assert "自验收合格之日起。" in read(everybody, page)
    assert "no. 1" in read(asker, own)


def test_an_answer_that_changes_the_documents_needs_its_correction(market: Market) -> None:
    asker, drafter, reviewer = (person(market, login) for login in (YUNFAN, "drafter", "reviewer"))
    own, agency = f"{desk_of(market)}/questions", f"/agency/{market.tender}/questions"
    assert send(asker, own, own, lot="", text="数量是否改为五百套？")[0] == 200
    (path,) = set(re.findall(rf'href="({re.escape(agency)}/q-[0-9a-z]+)">数量是否', read(drafter, agency)))
    assert send(drafter, path, path, **{**ANSWER, "effect": "amends"})[0] == 422
    assert send(drafter, path, path, **{**ANSWER, "effect": "amends", "notice": "2"})[0] == 200
    status, shown = send(reviewer, path, f"{path}/publication", version="1")
    assert (status, "publish a correction first" in shown) == (422, True)


def test_a_foreign_agency_finds_no_question(market: Market) -> None:
    """Another organisation may have people who draft; it conducts nothing here."""
    accounts.create_account(market.runtime.ledger, login="stranger", org_code=cast.NOTARY.code, roles=(Role.AGENCY,))
    stranger = person(market, "stranger")
    assert stranger.get(f"/agency/{market.tender}/questions").status_code == HTTPStatus.NOT_FOUND
    assert stranger.get(f"/agency/{market.tender}/questions/q-0000000000000000").status_code == HTTPStatus.NOT_FOUND
    own = person(market, "drafter")
    assert own.get(f"/agency/{market.tender}/questions/q-0000000000000000").status_code == HTTPStatus.NOT_FOUND


def test_after_the_deadline_the_desk_tells_what_comes(market: Market, bidder: Bidder) -> None:
    assert bidder.bid
    market.advance_to(CLOSE + 5_000)
    shown = read(person(market, QINGHE), f"{desk_of(market)}/lots/{LOT}")
    assert "mingbiao bid seal" not in shown
    assert "The deadline was" in shown
    failed = person(market, QINGHE).get(f"{desk_of(market)}/lots/{LOT}/seal")  # one bid: nothing is opened
    assert (failed.status_code, failed.location) == (HTTPStatus.SEE_OTHER, f"{desk_of(market)}/lots/{LOT}#opening")
    assert person(market, BOLIN).get(f"{desk_of(market)}/lots/{LOT}/seal").status_code == HTTPStatus.NOT_FOUND
    late = read(person(market, BOLIN), desk_of(market))
    assert "Time is over" in late
    status, _ = send(
        person(market, BOLIN),
        "/bidder/tenders/" + market.tender,
        f"{desk_of(market)}/questions",
        lot="",
        text="现在还能提问吗？",
    )
    assert status == 422
    status, shown = send(
        person(market, QINGHE), desk_of(market), f"{desk_of(market)}/lots/{LOT}/objection", receipt="no receipt"
    )
    assert status in {404, 422}
