"""The desk of the agency by plain form posts, from draft to contract, on real PostgreSQL."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.build.tenders import ms
from tests.support.columns import CONTRACTS, missed_columns, owner_of, unnamed
from tests.support.databases import Server, clone
from tests.support.journey import Exchange, open_exchange
from tests.support.people import signed_in
from tests.support.row_mutations import FEW, RowMutations
from trading.accounts import service as accounts
from trading.bids.rules.schedule import parse_schedule
from trading.contracts import service as contracts
from trading.contracts.drafting import Terms, contract_draft
from trading.crypto.signatures import Es256Signer, sign_document
from trading.demo import cast
from trading.evaluation import store as rankings
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor, Role
from trading.notices.rules.documents import parse_notice
from trading.parties.queries import keys_of
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service
from trading.procedures.rules.extension import ExtensionRule
from trading.procedures.rules.failure import Failure
from trading.procedures.rules.lifecycle import LotPhase

HIDDEN = re.compile(r'<input[^>]*name="(csrf_token|offer|version)"[^>]*value="([^"]*)"')
OFFERED = re.compile(r'data-document="([^"]+)"')
DAY = 86_400_000
PDF = b"%PDF-1.7\n1 0 obj\n"


@dataclass
class Desk:
    """One platform whose agency works by its pages; ``reference`` once the draft is handed on."""

    exchange: Exchange
    draft: str = ""
    reference: str = ""
    clients: dict[str, FlaskClient] = field(default_factory=dict)

    def client(self, login: str) -> FlaskClient:
        if login not in self.clients:
            self.clients[login] = signed_in(self.exchange.market.app.test_client(), login)
        return self.clients[login]

    def get(self, login: str, path: str, status: int = 200) -> str:
        answer = self.client(login).get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, login: str, path: str, shown_at: str | None = None, **fields: Any) -> TestResponse:  # noqa: ANN401 - fields of a form
        """Send a form as a browser does: with the hidden fields of the page that shows it."""
        page = self.client(login).get(shown_at or path).text
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(page)}
        kept = {name: value for name, value in hidden.items() if name != "offer"}
        return self.client(login).post(path, data={**kept, **fields}, content_type="multipart/form-data")

    def sign(self, login: str, page: str, path: str, signer: Es256Signer) -> TestResponse:
        """Sign every document that a page offers, as its script does."""
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(page)}
        documents = [b64u_decode(text) for text in OFFERED.findall(page)]
        assert documents, page
        signatures = [[place, signer.sign(doc)] for place, doc in enumerate(documents)]
        return self.client(login).post(path, data={**hidden, "signatures": json.dumps(signatures)})

    @property
    def agency_key(self) -> Es256Signer:
        return self.exchange.market.stage.signers["agency", "agency"]

    def row(self) -> procedures.ProcedureRow:
        with self.exchange.market.runtime.ledger.read() as conn:
            return procedures.find(conn, self.reference)

    def lot(self) -> procedures.LotRow:
        with self.exchange.market.runtime.ledger.read() as conn:
            return procedures.lots_of(conn, procedures.find(conn, self.reference).id)[0]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return self.exchange.market.bodies(kind)


@pytest.fixture
def desk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("desk"), cast.BIDDERS[:3]) as exchange,
    ):
        yield Desk(exchange)


SUBJECT = {
    "title_zh": "临江县第二小学课桌椅采购",
    "title_en": "School furniture",
    "buyer": cast.BUYER.code,
    "supervisor": cast.SUPERVISOR.code,
    "text_zh": "采购课桌椅。",
    "text_en": "School furniture is bought.",
}
LOT = {
    "title_zh": "课桌椅",
    "title_en": "Desks and chairs",
    "category": "goods",
    "budget": "1,500,000.00",
    "ceiling": "",
    "items-0-code": "A05010201",
    "items-0-name_zh": "课桌椅",
    "items-0-name_en": "Desk and chair",
    "items-0-quantity": "420.50",
    "items-0-unit": "套",
}
DATES: dict[str, Any] = {
    "issue_day": "",
    "close_day": "2026-03-31",
    "close_time": "10:00",
    "supply_day": "",
    "questions_day": "",
    "validity_days": "90",
    "extension": "yes",
    "triggers": ["clock", "outage", "refusal"],
    "extend_minutes": "90",
}


def drafted(desk: Desk) -> None:
    started = desk.post("drafter", "/agency/drafts", "/agency")
    assert started.status_code == 303
    desk.draft = started.location.split("/")[-2]
    base = f"/agency/drafts/{desk.draft}"
    assert desk.post("drafter", f"{base}/subject", **SUBJECT).status_code == 303
    assert desk.post("drafter", f"{base}/lots/1", **LOT).status_code == 303
    method = {"method": "lowest_evaluated_price", "small_micro": "10", "consortium": "4"}
    assert desk.post("drafter", f"{base}/lots/1/method", **method).status_code == 303
    assert desk.post("drafter", f"{base}/dates", **DATES).status_code == 303
    assert desk.post("drafter", f"{base}/sealing", n="5", k="3", bidder_factor="yes").status_code == 303


def attach(desk: Desk, name: str, data: bytes) -> TestResponse:
    base = f"/agency/drafts/{desk.draft}/documents"
    return desk.post("drafter", base, file=(io.BytesIO(data), name))


def handed_on(desk: Desk) -> None:
    base = f"/agency/drafts/{desk.draft}"
    sent = desk.post("drafter", f"{base}/submit", f"{base}/check")
    assert sent.status_code == 303, sent.text
    desk.reference = sent.location.rsplit("/", 1)[-1]
    market = desk.exchange.market
    market.tender = desk.reference
    market.procedure_id = desk.row().id


def keys_given(desk: Desk) -> None:
    path = f"/agency/procedures/{desk.reference}/custodians"
    with desk.exchange.market.runtime.ledger.read() as conn:
        kids = [key.kid for each in cast.CUSTODIANS for key in keys_of(conn, each.code, "custodian")]
    assert desk.get("reviewer", path).count("未询问") + desk.get("reviewer", path).count("Not asked") >= 5
    assert desk.post("reviewer", path, keepers=kids).status_code == 303
    assert desk.post("reviewer", path, keepers=kids).status_code == 303  # asked once each, however often it is sent
    desk.exchange.institutions.round()
    desk.exchange.institutions.round()


def published(desk: Desk) -> None:
    path = f"/agency/procedures/{desk.reference}/publish"
    page = desk.get("reviewer", path)
    answer = desk.sign("reviewer", page, path, desk.agency_key)
    assert answer.status_code == 303, answer.text


def test_the_whole_path_by_hand(desk: Desk) -> None:
    drafted(desk)
    attach_documents(desk)
    returned_and_revised(desk)
    keys_given(desk)
    published(desk)
    readable_by_everyone(desk)
    corrected(desk)
    ranked(desk)
    awarded(desk)
    contracted(desk)
    with owner_of(desk.exchange.market.database, CONTRACTS) as owner:
        assert missed_columns(owner, *CONTRACTS) == unnamed(*CONTRACTS)
        assert RowMutations(owner, CONTRACTS).missed(FEW) == []


def attach_documents(desk: Desk) -> None:
    assert attach(desk, "C:\\fakepath\\招标文件 <1>.pdf", PDF).status_code == 303
    page = desk.get("drafter", f"/agency/drafts/{desk.draft}/documents")
    assert "招标文件 &lt;1&gt;.pdf" in page
    for name, data in {
        "run.exe": b"MZ",
        "image.pdf": b"PK\x03\x04",
        "empty.txt": b"",
        "a.docx": b"PK\x03\x04x",
    }.items():
        refused = attach(desk, name, data)
        assert refused.status_code == 422, name
        assert name in refused.text
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("word/document.xml", "<w/>")
    assert attach(desk, "合同.docx", archive.getvalue()).status_code == 303


def returned_and_revised(desk: Desk) -> None:
    handed_on(desk)
    base = f"/agency/procedures/{desk.reference}"
    assert "MB-01" not in desk.get("reviewer", f"{base}/review")
    preview = desk.get("reviewer", f"{base}/preview")
    assert "¥1,500,000.00" in preview
    assert "招标文件 &lt;1&gt;.pdf" in preview
    empty = desk.post("reviewer", f"{base}/review", reason=" ")
    assert empty.status_code == 422  # B4.11: the drafter must know what to change
    assert desk.post("reviewer", f"{base}/review", reason="预算写错了").status_code == 303
    assert "预算写错了" in desk.get("drafter", f"/agency/drafts/{desk.draft}")
    changed = {**LOT, "budget": "1,600,000.00"}
    assert desk.post("drafter", f"/agency/drafts/{desk.draft}/lots/1", **changed).status_code == 303
    handed_on(desk)
    page = desk.get("reviewer", f"{base}/review")
    assert "¥1,500,000.00" in page
    assert "¥1,600,000.00" in page
    assert [len(desk.records(kind)) for kind in ("procedure.drafted", "procedure.submitted")] == [2, 2]


def readable_by_everyone(desk: Desk) -> None:
    public = desk.exchange.market.client()
    page = public.get(f"/procedures/{desk.reference}").text
    assert "招标文件 &lt;1&gt;.pdf" in page
    link = re.search(r'href="(/procedures/[^"]+/files/[0-9a-f]{64})"', page)
    assert link is not None
    file = public.get(link[1])
    assert file.headers["Content-Disposition"].startswith("attachment; ")
    assert public.get(link[1].replace("/files/", "/documents/") + ".json").status_code == 404
    digest = link[1].rsplit("/", 1)[-1]
    assert public.get(f"/procedures/{desk.reference}/files/{'0' * 64}").status_code == 404
    notice = parse_notice(public.get(f"/procedures/{desk.reference}/documents/{notice_of(desk, 1)}.json").data)
    told = {each["sha256"]: each for each in notice.documents}
    assert told[digest]["size"] == len(file.data)
    assert notice.lots[0]["ceiling"] == notice.lots[0]["budget"] == 160_000_000  # DOC-09: no ceiling, so the budget
    consent(desk, page, str(notice.lots[0]["schedule_sha256"]))


def consent(desk: Desk, page: str, schedule_sha256: str) -> None:
    """The rule that the agency consented to stands on the page and in the signed schedule (MB-03, TE1 T2)."""
    assert "最多顺延三次" in page
    assert "截止时平台不能保证时钟准确" in page
    assert "平台因自身原因拒收了按时到达的投标" in page
    address = f"/procedures/{desk.reference}/documents/{schedule_sha256}.json"
    rule = parse_schedule(desk.exchange.market.client().get(address).data).extension_rule
    triggers = ("clock", "outage", "refusal")
    assert rule == ExtensionRule(
        extend_ms=90 * 60_000, look_back_ms=120 * 60_000, min_outage_ms=10 * 60_000, triggers=triggers
    )


def notice_of(desk: Desk, number: int) -> str:
    page = desk.exchange.market.client().get(f"/procedures/{desk.reference}/notices/{number}").text
    found = re.search(r"/documents/([0-9a-f]{64})\.json", page)
    assert found is not None
    return found[1]


def corrected(desk: Desk) -> None:
    base = f"/agency/procedures/{desk.reference}"
    begun = desk.post("drafter", f"{base}/corrections", base)
    path = begun.location
    fields = {
        **{name: SUBJECT[name] for name in ("title_zh", "title_en", "text_en")},
        "text_zh": "采购课桌椅四百二十套。",
        "lots-0-title_zh": LOT["title_zh"],
        "lots-0-title_en": LOT["title_en"],
        "lots-0-budget": "1600000.00",
        "lots-0-ceiling": "1550000.00",
        "close_day": "2026-04-08",
        "close_time": "10:00",
        "supply_day": "",
        "questions_day": "",
        "validity_days": "90",
    }
    assert desk.post("drafter", path, **fields).status_code == 303
    compare = f"{path}/compare"
    page = desk.get("drafter", f"{compare}?lang=en")
    assert "¥1,550,000.00" in page
    assert "at least 15 days are left" in page
    assert desk.post("drafter", compare).status_code == 303
    assert desk.get("drafter", f"{path}/publish", status=403)
    signing = desk.get("reviewer", f"{path}/publish")
    assert desk.sign("reviewer", signing, f"{path}/publish", desk.agency_key).status_code == 303
    lot = desk.lot()
    assert (lot.ceiling, lot.close_at) == (155_000_000, ms("2026-04-08 10:00:00"))
    assert len(desk.records("procedure.amended")) == 1
    shown = desk.exchange.market.client().get(f"/procedures/{desk.reference}/notices/2?lang=en").text
    assert "Price ceiling" in shown


def ranked(desk: Desk) -> None:
    """Put a ranking where the committee would: the evaluation is another part's."""
    market, row, lot = desk.exchange.market, desk.row(), desk.lot()
    items = [
        {"bid": f"b-{n}", "bidder": bidder.code, "evaluated_price": price, "price": price, "rank": n, "reason": None}
        for n, (bidder, price) in enumerate(
            zip(cast.BIDDERS[:3], (120_000_000, 130_000_000, 140_000_000), strict=True), 1
        )
    ]
    extra = {"preference": None, "score": None, "scores": None}
    body = {
        "currency": "CNY",
        "edition_sha256": row.edition_sha256,
        "items": [{**item, **extra} for item in items],
        "lot": lot.number,
        "members": None,
        "method": "lowest_evaluated_price",
        "stage": lot.stage,
        "tie": None,
    }
    kind = next(each for each in market.runtime.ledger.registry if each.name == "bids.ranked")
    body = {name: body.get(name) for name in kind.fields}
    with market.runtime.ledger.begin(Actor.system("worker")) as uow:
        event = Event(
            kind="bids.ranked",
            subject="lot:1",
            body=body,
            procedure=row.reference,
            procedure_id=row.id,
            article="87-54",
        )
        recorded = uow.record(event)
        rankings.add(uow, recorded, row.id, body)
        procedure_service.move_lot(uow, recorded, lot, LotPhase.EVALUATED)


def awarded(desk: Desk, *, notice: int = 3) -> None:
    base = f"/agency/procedures/{desk.reference}"
    assert "AWD-09" in desk.get("drafter", base)
    assert "清河课桌椅有限公司" in desk.get("drafter", f"{base}/lots/1/award?lang=zh")
    assert desk.post("drafter", f"{base}/lots/1/award").status_code == 303
    assert desk.lot().phase == "determined"
    assert desk.get("drafter", f"{base}/result", status=403)
    texts = {"text_zh": "清河公司中标。", "text_en": "Qinghe wins."}
    signing = desk.post("reviewer", f"{base}/result", **texts)
    assert signing.status_code == 200, signing.text
    done = desk.sign("reviewer", signing.text, f"{base}/result", desk.agency_key)
    assert done.status_code == 303, done.text
    told = loads_object(
        desk.exchange.market.client().get(f"/procedures/{desk.reference}/documents/{notice_of(desk, notice)}.json").data
    )
    assert told["lots"][0]["award"]["winner"]["name_zh"] == "清河课桌椅有限公司"  # NOT-09
    assert told["lots"][0]["award"]["evaluated_price"] == 120_000_000


def contracted(desk: Desk) -> None:
    base = f"/agency/procedures/{desk.reference}/lots/1/contract"
    assert "CON-01" in desk.get("drafter", base)
    terms = {"number": "合-2026-1", "terms_zh": "按招标文件。", "terms_en": "As tendered."}
    signing = desk.post("drafter", base, **terms)
    assert desk.sign("drafter", signing.text, base, desk.agency_key).status_code == 303
    mine = f"/bidder/contracts/{desk.reference}/1"
    assert desk.reference in desk.get("qinghe", "/bidder/contracts")
    assert desk.get("bolin", mine, status=404)
    page = desk.get("qinghe", mine)
    wrong = desk.sign("qinghe", page, mine, desk.exchange.market.stage.signers["bolin", "bidder"])
    assert wrong.status_code == 422
    signer = desk.exchange.market.stage.signers["qinghe", "bidder"]
    assert desk.sign("qinghe", desk.get("qinghe", mine), mine, signer).status_code == 303
    assert desk.lot().phase == "contracted"
    assert desk.records("contract.signed")[0]["price"] == 120_000_000
    filed = desk.post("drafter", f"{base}/filing", base, filing="财采备 2026-15")
    assert filed.status_code == 303
    assert [each["filing"] for each in desk.records("contract.filed")] == ["财采备 2026-15"]
    publish = f"{base}/publish"
    signing = desk.post("reviewer", publish, text_zh="合同公告。", text_en="Contract notice.")
    assert desk.sign("reviewer", signing.text, publish, desk.agency_key).status_code == 303
    assert desk.lot().phase == "contract_published"
    public = desk.exchange.market.client()
    assert public.get(f"/procedures/{desk.reference}").status_code == 200
    assert len(desk.records("contract.published")) == 1


def test_what_the_desk_refuses(desk: Desk) -> None:
    drafted(desk)
    dates_outside_the_law(desk)
    saved_by_another(desk)
    of_another_organisation(desk)
    attach_documents(desk)
    handed_on(desk)
    not_while_reviewed(desk)
    blocked_without_custodians(desk)
    approved_by_its_drafter(desk)
    keys_given(desk)
    published(desk)
    corrected_too_late(desk)
    cancelled(desk)


def dates_outside_the_law(desk: Desk) -> None:
    path = f"/agency/drafts/{desk.draft}/dates"
    early = desk.post("drafter", path, **{**DATES, "close_day": "2026-03-20"})
    assert early.status_code == 422
    assert "2026-03-23 00:00:00" in early.text  # C50: the earliest lawful instant
    assert "DOC-04" in early.text
    assert "政府采购法第三十五条" in early.text
    rest = desk.post("drafter", path, **{**DATES, "close_day": "2026-03-28"})  # a Saturday
    assert rest.status_code == 422
    assert "2026-03-30 10:00:00" in rest.text
    beyond = desk.post("drafter", path, **{**DATES, "close_day": "2027-01-15"})
    assert beyond.status_code == 422
    assert "TIM-07" in beyond.text
    late = desk.post("drafter", path, **{**DATES, "questions_day": "2026-03-30"})
    assert "2026-03-26 23:59:59" in late.text
    assert "OBJ-09" in late.text
    hasty = desk.post("drafter", path, **{**DATES, "extend_minutes": "29"})
    assert hasty.status_code == 422
    assert "至少 30" in hasty.text
    short = desk.post("drafter", path, **{**DATES, "supply_day": "2026-03-05"})
    assert "DOC-02" in short.text
    page = desk.get("drafter", path)
    offered = re.findall(r'<option[^>]*value="(2026-\d\d-\d\d)"', page.split('id="close_day"')[1].split("</select>")[0])
    assert offered[0] == "2026-03-23"
    assert not {"2026-03-22", "2026-03-28", "2026-04-06"} & set(offered)  # Sunday, Saturday, Qingming
    submit = desk.post("drafter", f"/agency/drafts/{desk.draft}/submit", f"/agency/drafts/{desk.draft}/check")
    assert submit.status_code == 422  # the short supply is still saved, and still unlawful
    assert desk.post("drafter", path, **DATES).status_code == 303


def saved_by_another(desk: Desk) -> None:
    path = f"/agency/drafts/{desk.draft}/subject"
    stale = desk.post("drafter", path, **{**SUBJECT, "title_en": "Typed and not lost", "version": "1"})
    assert stale.status_code == 422
    assert "Typed and not lost" in stale.text
    assert "Typed and not lost" not in desk.get("drafter", path)


def of_another_organisation(desk: Desk) -> None:
    ledger = desk.exchange.market.runtime.ledger
    accounts.create_account(ledger, login="other", org_code=cast.BUYER.code, roles=(Role.AGENCY,))
    base = f"/agency/drafts/{desk.draft}"
    for path in ("", "/subject", "/lots/1", "/lots/1/method", "/dates", "/documents", "/check", "/preview"):
        desk.get("other", base + path, status=404)
    desk.get("qinghe", base, status=403)


def not_while_reviewed(desk: Desk) -> None:
    path = f"/agency/drafts/{desk.draft}/subject"
    assert desk.post("drafter", path, **{**SUBJECT, "title_en": "Too late"}).status_code == 422
    assert attach(desk, "late.pdf", PDF).status_code == 409
    assert desk.row().title_en == SUBJECT["title_en"]


def blocked_without_custodians(desk: Desk) -> None:
    page = desk.get("reviewer", f"/agency/procedures/{desk.reference}/publish?lang=en")
    assert "data-document" not in page
    desk.get("drafter", f"/agency/procedures/{desk.reference}/publish", status=403)


def approved_by_its_drafter(desk: Desk) -> None:
    """Whoever drafted any version approves none (MB-01), even after a colleague revised it."""
    ledger = desk.exchange.market.runtime.ledger
    accounts.create_account(ledger, login="both", org_code=cast.AGENCY.code, roles=(Role.AGENCY, Role.REVIEWER))
    base = f"/agency/procedures/{desk.reference}"
    assert desk.post("reviewer", f"{base}/review", reason="改").status_code == 303
    edited = desk.post("both", f"/agency/drafts/{desk.draft}/subject", **SUBJECT)
    assert edited.status_code == 303
    sent = desk.post("both", f"/agency/drafts/{desk.draft}/submit", f"/agency/drafts/{desk.draft}/check")
    assert sent.status_code == 303
    assert "MB-01" in desk.get("both", f"{base}/review")
    assert desk.post("both", f"{base}/review", reason="改").status_code == 422
    assert desk.post("reviewer", f"{base}/review", reason="改").status_code == 303
    handed_on(desk)  # revised by the drafter again: the other one is still no second person
    assert desk.row().drafted_by != desk.exchange.market.stage.actors["reviewer"].account
    assert "MB-01" in desk.get("both", f"{base}/review")


def corrected_too_late(desk: Desk) -> None:
    """A change that affects bids within the legal lead needs a later deadline (NOT-05)."""
    desk.exchange.market.advance_to(ms("2026-03-20 09:00:00"))
    desk.clients.clear()
    base = f"/agency/procedures/{desk.reference}"
    path = desk.post("both", f"{base}/corrections", base).location
    with desk.exchange.market.runtime.ledger.read() as conn:
        spec = loads_object(procedures.find(conn, desk.reference).spec)
    fields = {
        **{name: spec[name] for name in ("title_zh", "title_en", "text_zh", "text_en")},
        "lots-0-title_zh": LOT["title_zh"],
        "lots-0-title_en": LOT["title_en"],
        "lots-0-budget": "1500000.00",
        "lots-0-ceiling": "1400000.00",
        "close_day": "2026-03-31",
        "close_time": "10:00",
        "supply_day": "",
        "questions_day": "2026-03-26",
        "validity_days": "90",
    }
    assert desk.post("both", path, **fields).status_code == 303
    page = desk.get("both", f"{path}/compare?lang=en")
    assert "2026-04-07 10:00:00" in page  # 15 days later is a Saturday, then a holiday
    assert desk.post("both", f"{path}/compare").status_code == 303
    signing = desk.get("reviewer", f"{path}/publish")
    refused = desk.sign("reviewer", signing, f"{path}/publish", desk.agency_key)
    assert refused.status_code == 422
    assert desk.lot().ceiling == 150_000_000
    assert desk.post("both", f"{path}/reopen", f"{path}/compare").status_code == 303
    assert desk.post("both", path, **{**fields, "close_day": "2026-04-08"}).status_code == 303
    assert desk.post("both", f"{path}/compare").status_code == 303
    own = desk.sign("both", desk.get("both", f"{path}/publish"), f"{path}/publish", desk.agency_key)
    assert own.status_code == 422  # MB-01: its author
    signing = desk.get("reviewer", f"{path}/publish")
    assert desk.sign("reviewer", signing, f"{path}/publish", desk.agency_key).status_code == 303
    assert desk.lot().ceiling == 140_000_000
    assert desk.lot().close_at == ms("2026-04-08 10:00:00")


def cancelled(desk: Desk) -> None:
    path = f"/agency/procedures/{desk.reference}/cancel"
    texts = {"text_zh": "任务取消。", "text_en": "The task is cancelled."}
    assert desk.post("reviewer", path, **texts).status_code == 422  # EVL-08: without a ground
    signing = desk.post("reviewer", path, reason="采购任务取消", **texts)
    assert desk.sign("reviewer", signing.text, path, desk.agency_key).status_code == 303
    assert desk.records("procedure.cancelled")[0]["reason"] == "采购任务取消"
    assert desk.lot().phase == "cancelled"
    assert desk.exchange.audit() == []


def test_contract_and_failure(desk: Desk) -> None:
    drafted(desk)
    attach_documents(desk)
    handed_on(desk)
    keys_given(desk)
    published(desk)
    failed(desk)
    ranked(desk)
    awarded(desk, notice=3)
    refused_contracts(desk)


def failed(desk: Desk) -> None:
    """A failed lot gets its notice; it is put there as the closer would (OPN-02), and back for what follows."""
    base = f"/agency/procedures/{desk.reference}"
    desk.get("reviewer", f"{base}/failure", status=404)
    market, row, lot = desk.exchange.market, desk.row(), desk.lot()
    with market.runtime.ledger.begin(Actor.system("worker")) as uow:
        recorded = uow.record(procedure_service.lot_failed(row, lot, Failure(reason="fewer_than_three", rule="OPN-02")))
        procedure_service.move_lot(uow, recorded, lot, LotPhase.FAILED)
    signing = desk.post("reviewer", f"{base}/failure", text_zh="流标。", text_en="It failed.")
    assert desk.sign("reviewer", signing.text, f"{base}/failure", desk.agency_key).status_code == 303
    assert len(desk.records("failure.published")) == 1
    assert desk.exchange.audit() == []
    assert "NOT-10" not in desk.get("reviewer", base)  # nothing is left to announce


def refused_contracts(desk: Desk) -> None:
    market = desk.exchange.market
    ledger, drafter = market.runtime.ledger, market.stage.actors["drafter"]
    qinghe, signer = market.stage.actors["qinghe"], market.stage.signers["qinghe", "bidder"]
    terms = Terms(number="1", terms_zh="甲", terms_en="a")
    with ledger.read() as conn:
        good = contract_draft(conn, desk.reference, ("1", "all"), at=market.now(), terms=terms)
    said = loads_object(good)
    other = said["supplier"] | {"code": cast.BIDDERS[1].code}
    for changes in ({"price": said["price"] - 1}, {"supplier": other}):
        with pytest.raises(RuleBroken) as refusal:
            contracts.offer(ledger, drafter, desk.reference, sign_document(dumps({**said, **changes}), desk.agency_key))
        assert (refusal.value.code, refusal.value.rule_id) == ("contract.other_than_award", "CON-01")
    with pytest.raises(RuleBroken) as refusal:
        contracts.offer(ledger, drafter, desk.reference, sign_document(good, signer))
    assert refusal.value.code == "sig.key_unknown"
    contracts.offer(ledger, drafter, desk.reference, sign_document(good, desk.agency_key))
    other_text = dumps({**said, "terms_zh": "乙"})
    contracts.offer(ledger, drafter, desk.reference, sign_document(other_text, desk.agency_key))
    with pytest.raises(RuleBroken) as refusal:
        contracts.sign(ledger, qinghe, desk.reference, "1", "all", sign_document(good, signer))
    assert refusal.value.code == "contract.replaced"
    market.advance_to(said["sign_before"])
    with pytest.raises(RuleBroken) as refusal:
        contracts.sign(ledger, qinghe, desk.reference, "1", "all", sign_document(other_text, signer))
    assert (refusal.value.code, refusal.value.rule_id) == ("contract.too_late", "CON-01")
    assert desk.records("contract.signed") == []
