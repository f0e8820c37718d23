"""The pages of draws by hand: agency plans, centre begins, both sign, experts answer and sit; nobody sees a name."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.databases import Database
from tests.support.made_committee import STRATUM, CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import SYSTEM, Market, open_market
from tests.support.people import code_of, signed_in
from tests.usecases.experts.test_open_seats import exhausted
from trading.assembly import REGISTRY
from trading.audit.demo_clock import jump
from trading.evaluation.model import of_procedure
from trading.experts import queries
from trading.experts.rules.register import Act, Item
from trading.kernel.events import Registry

PLANTED = ("隐名专家", "planted-", "隐名单位")
ANYBODY = "Mozilla"


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
def market(demo_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Market]:
    caplog.set_level(logging.ERROR)
    with open_market(demo_database, tmp_path, ()) as market:
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market


@pytest.fixture
def maker(market: Market, demo_database: Database) -> CommitteeMaker:
    made = CommitteeMaker(
        runtime=market.runtime,
        stage=market.stage,
        contact_ledger=contact_ledger(demo_database),
        worker_ledger=worker_ledger(demo_database),
        jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
    )
    made.set_up()
    return made


class Person:
    """Somebody at a browser; a page that names an expert fails at once."""

    def __init__(self, market: Market, login: str | None, *, may_see: tuple[str, ...] = ()) -> None:
        self.market, self.login, self.may_see = market, login, may_see
        client: FlaskClient = market.app.test_client()
        self.client = client if login is None else signed_in(client, login)

    def get(self, path: str) -> TestResponse:
        return self._checked(self.client.get(path))

    def post(self, path: str, page: str | None = None, **fields: object) -> TestResponse:
        """Post a form after opening its page, with its hidden fields and, where it asks, a fresh code."""
        shown = self.get(page or path).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', shown)
        assert token is not None, shown
        values = {"csrf_token": token[1], **fields}
        if 'name="code"' in shown and self.login is not None:
            values["code"] = code_of(self.market.runtime.ledger, self.login)
        return self._checked(self.client.post(path, data=values))

    def _checked(self, answer: TestResponse) -> TestResponse:
        for name in PLANTED:
            assert name not in answer.text or name in self.may_see, answer.request.path
        return answer


def test_the_agency_plans_and_the_refusal_names_the_rule(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    agency, path = Person(market, "drafter"), f"/agency/{market.tender}/committee"
    fields = {
        "stratum1": STRATUM,
        "need1": "3",
        "need2": "0",
        "need3": "0",
        "representatives": "2",
        "evaluation_at": "2026-03-03T09:30",
        "place_zh": "三号评标室",
        "place_en": "Room 3",
    }
    refused = agency.post(path, **fields)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "不得少于 4 人" in refused.text
    lawful = {**fields, "need1": "4", "representatives": "1"}
    never = agency.post(path, **{**lawful, "evaluation_at": "2026-03-03T23:59:60"})
    assert (never.status_code, "闰秒" in never.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    abroad = {**lawful, "evaluation_at": "2026-03-03T07:15+05:45"}  # 9:30 in China
    assert agency.post(path, **abroad).status_code == HTTPStatus.SEE_OTHER
    shown = agency.get(path)
    assert 'value="2026-03-03T09:30"' in shown.text
    assert "三号评标室" in shown.text
    assert Person(market, "supervisor").get(path).status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    centre = Person(market, "centre")
    assert market.tender in centre.get("/draws").text
    begun = centre.post(f"/draws/begin/{market.tender}", commit="1", reveal="1", call="30")
    assert begun.status_code == HTTPStatus.SEE_OTHER
    assert begun.location.startswith("/draws/D-")


def test_everybody_sees_only_what_is_his(market: Market, maker: CommitteeMaker) -> None:
    committee = maker.seated(market.tender)
    draw = committee.draw
    for login in ("centre", "supervisor"):
        page = Person(market, login).get(f"/draws/{draw}")
        assert page.status_code == HTTPStatus.OK
        assert all(member.seat in page.text for member in committee.members)
    assert Person(market, "drafter").get(f"/draws/{draw}").status_code == HTTPStatus.FORBIDDEN
    for path in ("/pool", "/draws"):
        assert Person(market, "centre").get(path).status_code == HTTPStatus.OK
    public = Person(market, None)
    secret = public.get(f"/procedures/{market.tender}/draw")
    assert secret.status_code == HTTPStatus.OK
    assert str(draw) not in secret.text
    anonymous = public.get(f"/draws/public/{draw}")
    assert anonymous.status_code == HTTPStatus.OK
    assert market.tender not in anonymous.text
    assert all(member.seat not in anonymous.text for member in committee.members)
    assert str(draw) in public.get("/draws/public").text


def test_a_call_is_answered_by_its_code_alone(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    maker.seeded(market.tender)
    maker.until(lambda: len(maker.open_calls()) == 4)
    (_, code), (_, other), *_ = maker.open_calls()
    expert = Person(market, None)
    page = expert.get(f"/draws/call/{code}")
    assert page.headers["Referrer-Policy"] == "same-origin"  # the code stands in the address
    assert "三号评标室" in page.text
    assert market.tender not in page.text
    assert expert.post(f"/draws/call/{code}").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    answered = expert.post(f"/draws/call/{code}", choice="accept", reason="busy")
    assert answered.status_code == HTTPStatus.SEE_OTHER
    assert "席位码" in expert.get(f"/draws/call/{code}").text
    expert.post(f"/draws/call/{other}", choice="decline", reason="away")
    assert "已记录" in expert.get(f"/draws/call/{other}").text
    unknown, over = expert.get("/draws/call/nobody"), maker.open_calls()[0][1]
    market.advance_to(market.now() + 1_801_000)
    late = expert.get(f"/draws/call/{over}")
    assert (unknown.status_code, late.status_code) == (HTTPStatus.OK, HTTPStatus.OK)
    assert unknown.text == late.text.replace(over, "nobody")  # a code that is over tells no more than none at all


def test_an_expert_signs_in_and_declares_nothing_about_bidders_whom_nobody_knows(
    market: Market, maker: CommitteeMaker
) -> None:
    maker.admit(12, accounts_for=12)
    maker.plan(market.tender)
    maker.drawn(market.tender)
    address, code = next(iter(maker.seat_codes().items()))
    login = next(name for name, actor in maker.stage.actors.items() if actor == maker.account_of(address))
    expert = Person(market, login)
    wrong = expert.post("/draws/mine", seat_code="wrong", promise="y")
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    taken = expert.post("/draws/mine", seat_code=code, promise="y")
    assert taken.status_code == HTTPStatus.SEE_OTHER
    assert taken.location == f"/draws/mine/{market.tender}"
    assert "come back then" in expert.get(f"{taken.location}?lang=en").text
    early = expert.post(taken.location, declaration="none")
    assert early.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Nobody knows the bidders before the opening" in early.text
    assert market.tender in expert.get("/draws/mine").text
    stranger = next(name for name in maker.stage.actors if name.startswith("expert-") and name != login)
    assert market.tender not in Person(market, stranger).get("/draws/mine").text
    assert Person(market, stranger).get(taken.location).status_code == HTTPStatus.SEE_OTHER


def test_pages_of_a_procedure_lead_to_its_committee_and_draw(market: Market, maker: CommitteeMaker) -> None:
    """Agency, supervisor, centre and everybody find the pages of the draw from those of the procedure."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.begin(market.tender)
    reference = market.tender
    proof, public = f'href="/procedures/{reference}/draw"', f'href="/procedures/{reference}"'
    desk = Person(market, "drafter").get(f"/agency/procedures/{reference}").text
    assert f'href="/agency/{reference}/committee"' in desk
    assert proof in desk
    assert f'href="/evaluation/{reference}"' not in desk  # no bid is opened, so there is no evaluation
    for login in ("supervisor", "centre"):
        watched = Person(market, login).get(f"/supervision/procedures/{reference}").text
        assert f'href="/draws/{draw}"' in watched
        assert proof in watched
        page = Person(market, login).get(f"/draws/{draw}").text
        assert public in page
        assert f'href="/supervision/procedures/{reference}"' in page
    shown = Person(market, None).get(f"/procedures/{reference}").text
    assert 'href="/feed.atom' in shown
    assert draw not in shown  # which draw serves the procedure stays secret until the result


def test_a_shortfall_and_open_seats_say_what_to_do(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(8)
    maker.admit(8, stratum="A0501-N", prefix="N")
    maker.plan(market.tender)
    draw = maker.begin(market.tender)
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    maker.change(Act.SUSPENDED, [Item(id="E0000003", strata=(STRATUM,), unit="UNIT000003")])
    maker.sign(draw)
    agency = Person(market, "drafter")
    committee = f"/agency/{market.tender}/committee"
    maker.until(lambda: "回避之后只有 7 人可以邀请" in agency.get(committee).text)
    assert "回避之后只有 7 人可以邀请" in Person(market, "centre").get(f"/draws/{draw}").text
    fields = {
        "stratum1": STRATUM,
        "need1": "3",
        "stratum2": "A0501-N",
        "need2": "1",
        "need3": "0",
        "representatives": "1",
        "evaluation_at": "2026-03-03T09:30",
        "place_zh": "三号评标室",
        "place_en": "Room 3",
    }
    assert (
        agency.post(committee, **{**fields, "need1": "5", "need2": "1"}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    )
    assert agency.post(committee, **fields).status_code == HTTPStatus.SEE_OTHER
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    assert "回避之后只有" not in agency.get(committee).text


def test_an_expert_contests_by_his_link_and_the_supervisor_decides(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender)
    maker.until(lambda: bool(maker.postbox.codes("/draws/contest/")))
    _, code = maker.postbox.codes("/draws/contest/")[0]
    anybody, link, words = Person(market, None), f"/draws/contest/{code}", "我没有接到任何邀请。"
    shown = anybody.get(link)
    assert shown.headers["Cache-Control"] == "no-store"
    assert "已邀请，尚未答复" in shown.text
    assert market.tender not in shown.text
    assert "链接没有对应的记录" in anybody.get("/draws/contest/guessed").text
    assert anybody.post(link, statement=" ").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert anybody.post(link, statement=words).status_code == HTTPStatus.SEE_OTHER
    assert "等待监督部门决定" in anybody.get(link).text
    supervisor, centre = Person(market, "supervisor"), Person(market, "centre")
    found = re.search(rf"/draws/{draw}/contests/[0-9a-f]{{64}}", supervisor.get(f"/draws/{draw}").text)
    assert found is not None
    assert words in supervisor.get(found[0]).text
    page = centre.get(f"/draws/{draw}").text
    assert "等待监督部门决定" in page
    assert words not in page
    assert found[0] not in page
    assert centre.get(found[0]).status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    assert supervisor.post(found[0], decision="upheld").status_code == HTTPStatus.SEE_OTHER
    assert "异议成立" in anybody.get(link).text


def test_the_centre_begins_a_further_attempt_for_open_seats(market: Market, maker: CommitteeMaker) -> None:
    draw = exhausted(market, maker)
    centre = Person(market, "centre")
    page = centre.get(f"/draws/{draw}").text
    assert "有专业已全部邀请完毕，仍缺 1 人" in page
    assert "开始下一次抽取" in page
    assert "有专业已全部邀请完毕，仍缺 1 人" in Person(market, "drafter").get(f"/agency/{market.tender}/committee").text
    assert centre.post(f"/draws/{draw}/again", f"/draws/{draw}").status_code == HTTPStatus.SEE_OTHER
    assert (maker.row(draw).attempt, maker.row(draw).state) == (2, "policy_fixed")


def test_experts_are_appraised_from_the_pages_where_people_look(market: Market, maker: CommitteeMaker) -> None:
    maker.seated(market.tender)
    agency, given = Person(market, "drafter"), f"/agency/{market.tender}/appraisals"
    assert given in agency.get(f"/agency/{market.tender}/committee").text
    expert_id = next(name for name, who in maker.people.items() if who.mail in maker.seat_codes())
    expert, own = Person(market, f"expert-{expert_id.lower()}"), f"/experts/appraisals/{market.tender}"
    assert own in expert.get("/draws/mine").text
    assert "尚未对你作出评价" in expert.get(own).text
    with maker.ledger.begin(SYSTEM) as uow:
        procedure_id = maker.procedure_id(market.tender)
        uow.record(of_procedure("evaluation.reported", market.tender, procedure_id, report_sha256="0" * 64))
        seat = queries.seat_of(uow.connection, procedure_id, maker.stage.actors[f"expert-{expert_id.lower()}"])
    assert seat is not None
    marks = {"discipline": "5", "criteria": "4", "care": "5", "independence": "4", "remark": "按时到场"}
    assert agency.post(given, seat=seat.seat, **{**marks, "care": "6"}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert agency.post(given, seat=seat.seat, **marks).status_code == HTTPStatus.SEE_OTHER
    assert "按时到场" in expert.get(own).text
    assert expert.post(own, words="谢谢", rating="4").status_code == HTTPStatus.SEE_OTHER
    assert "谢谢" in agency.get(given).text
