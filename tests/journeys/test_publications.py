"""A real tender, opened by custodians and awarded, as its feed and its open data tell it at every state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.support.databases import Server, clone
from tests.support.journey import MARGIN, Exchange, Tender, open_exchange
from tests.support.market import CLOSE
from tests.support.ocds_schema import DATA, checker
from trading.assembly import SUBSCRIPTIONS
from trading.audit.queries import is_relayed
from trading.audit.relay import relay
from trading.crypto.signatures import sign_document
from trading.embedded.processes import wait_until
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import RuleBroken
from trading.notices.queries import publications
from trading.notices.rules import exact_json
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import record_package

PRICES = {"qinghe": 98_000_05, "bolin": 99_000_00, "yunfan": 97_000_00, "songtao": 96_000_50}
SECRET = ("bids", "tenderers", "numberOfTenderers", "awards")


@dataclass
class Told:
    """One tender and what the open data said of it after each act."""

    exchange: Exchange
    tender: Tender

    def publish(self) -> list[dict[str, Any]]:
        """Do a worker's rounds until everything is published; return the releases of the tender so far."""
        runtime = self.exchange.market.runtime

        def settled() -> bool:
            relay(runtime, SUBSCRIPTIONS)
            self.exchange.market.work()
            with runtime.ledger.read() as conn:
                return is_relayed(conn)

        assert wait_until(settled, 30.0)
        with runtime.ledger.upkeep() as conn:
            # A worker that forgets how far it came: every entry is relayed again, and nothing is published twice. Nor
            # does demonstration time wait for a worker that does its rounds only here.
            conn.exec_driver_sql("DELETE FROM desk.cursor")
        with runtime.ledger.read() as conn:
            found = publications.of_procedure(conn, self.tender.market.tender, Channel.OCDS)
        return [exact_json.loads(each.content or b"") for each in found]


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("publications")) as exchange,
    ):
        yield Told(exchange=exchange, tender=exchange.tender())


def require_valid(releases: list[dict[str, Any]]) -> None:
    if (DATA / "ocds-1.1.5-schema.zip").is_file():
        assert [checker().faults(each) for each in releases] == [[] for _ in releases]
        package = record_package(releases, uri="https://ggzy.example", base_url="https://ggzy.example")
        assert checker().faults_of_record(package) == []


def test_a_tender_is_told_step_by_step(told: Told) -> None:
    exchange, tender = told.exchange, told.tender
    assert told.publish() == []  # a draft is nobody's business
    exchange.institutions.round()
    tender.publish()
    exchange.institutions.round()
    releases = told.publish()
    assert [each["tag"] for each in releases] == [["tender"]]
    require_valid(releases)

    for key, price in PRICES.items():
        tender.submit(key, price)
    assert told.publish() == releases  # bids leave no trace
    exchange.market.advance_to(CLOSE + 2 * MARGIN)
    assert told.publish() == releases  # nor does the close
    assert not any(name in releases[0] or name in releases[0]["tender"] for name in SECRET)

    tender.order_opening()
    exchange.institutions.round()
    tender.reveal("qinghe", "bolin", "songtao")
    exchange.institutions.round()
    tender.end_release()
    assert told.publish() == releases  # until everything is read out
    tender.open()
    opened = told.publish()
    assert [each["tag"] for each in opened] == [["tender"], ["tenderUpdate"]]
    require_valid(opened)
    require_bids(opened[-1], tender)

    tender.award()
    require_nobody_else_is_announced(tender)
    tender.announce(tender.closing_notice("result"))
    awarded = told.publish()
    assert [each["tag"] for each in awarded] == [["tender"], ["tenderUpdate"], ["award"]]
    require_valid(awarded)
    (award,) = awarded[-1]["awards"]
    assert award["value"] == {"amount": Decimal("96000.50"), "currency": "CNY"}
    assert award["relatedBids"] == [tender.bidders["songtao"].bid]
    assert awarded[:2] == opened  # what was released never changes


def require_nobody_else_is_announced(tender: Tender) -> None:
    """What the agency signs about the award is what the record says of it, or it is not published (NOT-09)."""
    notice = loads_object(tender.closing_notice("result").doc)
    agency = tender.market.stage.signers["agency", "agency"]
    line = notice["lots"][0]
    second = {"bid": tender.bidders["qinghe"].bid, "bidder": tender.bidders["qinghe"].organisation.code}
    for change in ({"price": line["award"]["price"] - 1}, second, {"winner": notice["buyer"]}):
        changed = {**notice, "lots": [{**line, "award": {**line["award"], **change}}]}
        with pytest.raises(RuleBroken, match=r"notice\.award_differs"):
            tender.announce(sign_document(dumps(changed), agency))


def require_bids(release: dict[str, Any], tender: Tender) -> None:
    """The prices that were read out, and a bid that its bidder did not let open."""
    bids = {each["id"]: each for each in release["bids"]["details"]}
    for key, price in PRICES.items():
        shown = bids[tender.bidders[key].bid]
        if key == "yunfan":
            assert (shown["status"], shown["description"]) == ("withdrawn", "BIDDER_NO_FACTOR")
            assert "value" not in shown
        else:
            assert shown["value"]["amount"] == Decimal(price).scaleb(-2)
    assert release["tender"]["numberOfTenderers"] == len(PRICES)


def test_evidence_and_state_hold_with_the_proofs_of_publication(told: Told) -> None:
    report = told.tender.verify()
    assert (report["found"], report["code"]) == ([], 0)
    assert told.exchange.audit() == []
    proofs = told.tender.bodies("notice.publication")
    assert len(proofs) == 3 * len(Channel)
    assert len({(each["entry_h"], each["channel"]) for each in proofs}) == len(proofs)
