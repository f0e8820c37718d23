"""What everybody may read: procedures, lots, notices, the time; and nothing about bids before the opening (SUB-07)."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.support.market import CLOSE, LOT, Bidder, Market
from trading.api.v1 import procedures as listing
from trading.bids.rules.policy import PolicyPackage
from trading.crypto.signatures import SignedDocument
from trading.demo.cast import BIDDERS
from trading.kernel.canonical import loads_object
from trading.web import permissions
from trading.wiring import API


def test_procedures_are_listed_with_their_lots(market: Market) -> None:
    client = market.client()
    listed = client.get("/api/v1/procedures").get_json()["procedures"]
    assert market.tender in [row["tender"] for row in listed]
    one = client.get(f"/api/v1/procedures/{market.tender}").get_json()
    assert [(lot["lot"], lot["close"], lot["phase"]) for lot in one["lots"]] == [("1", CLOSE, "open")]
    lot = client.get(f"/api/v1/procedures/{market.tender}/lots/{LOT}").get_json()
    assert PolicyPackage.from_wire(lot).policy.sha256 == market.current_policy.sha256
    assert client.get(f"/api/v1/procedures/{market.tender}/lots/2").status_code == 404


def test_notices_are_the_signed_documents(market: Market) -> None:
    (notice,) = market.client().get(f"/api/v1/procedures/{market.tender}/notices").get_json()["notices"]
    signed = SignedDocument.from_wire({"doc": notice["doc"], "sigs": notice["sigs"]})
    assert signed.sha256 == notice["sha256"]
    assert loads_object(signed.doc)["tender"] == market.tender


def test_a_draft_does_not_exist(market: Market) -> None:
    other = dataclasses.replace(market, tender="", procedure_id=0, custodians=[])
    other.draft()
    client = market.client()
    assert client.get(f"/api/v1/procedures/{other.tender}").status_code == 404
    assert client.get(f"/api/v1/procedures/{other.tender}/lots/{LOT}").status_code == 404
    assert other.tender not in json.dumps(client.get("/api/v1/procedures").get_json())
    bidder = market.client(BIDDERS[0].key)
    assert bidder.post(f"/api/v1/procedures/{other.tender}/lots/{LOT}/bids", json={}).status_code == 404


def test_pages_follow_the_link(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(market, tender="", procedure_id=0, custodians=[])
    other.draft()
    other.prove_local_keys()
    other.publish()
    monkeypatch.setattr(listing, "PAGE", 1)
    client, url, seen = market.client(), "/api/v1/procedures", []
    while url:
        page = client.get(url)
        seen += [row["tender"] for row in page.get_json()["procedures"]]
        url = page.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert seen == [other.tender, market.tender]
    assert client.get("/api/v1/procedures?before=x").status_code == 400


def test_nothing_public_depends_on_bids(market: Market) -> None:
    paths = ["", f"/{market.tender}", f"/{market.tender}/lots/{LOT}", f"/{market.tender}/notices"]
    before = [market.client().get(f"/api/v1/procedures{path}").data for path in paths]
    bidder = Bidder(market, BIDDERS[1])
    bidder.start()
    version = len(bidder.client.get("/api/v1/bids").get_json()["bids"][0]["versions"])
    assert version == 0
    assert bidder.submit(bidder.seal(1_00)).status_code == 201
    assert [market.client().get(f"/api/v1/procedures{path}").data for path in paths] == before


def test_time_says_how_far_it_may_be_off(market: Market) -> None:
    told = market.client().get("/api/v1/time").get_json()
    assert abs(told["time"] - market.now()) < 60_000
    assert (told["demo"], told["hold"], told["uncertainty_ms"]) == (True, False, None)
    assert told["utc"].endswith("Z")


def test_the_ceremony_is_closed_to_strangers_and_before_the_deadline(market: Market) -> None:
    base = f"/api/v1/procedures/{market.tender}/lots/{LOT}/stages/all/opening"
    assert market.client().get(base).status_code == 401
    assert market.client(BIDDERS[0].key).get(base).status_code == 403
    early = market.client("drafter").get(base)
    assert (early.status_code, early.get_json()["code"]) == (409, "not_yet")
    assert market.client("drafter").get(f"{base}/factors").status_code == 409
    assert market.client("drafter").get(base.replace("/lots/1/", "/lots/9/")).status_code == 404


def test_every_route_of_the_api_declares_who_may_call_it(market: Market) -> None:
    names = {blueprint.name for blueprint in API}
    rows = [row for row in permissions.table(market.app) if row.endpoint.partition(".")[0] in names]
    assert len(rows) > 25
    assert [row.endpoint for row in rows if row.permission is None] == []
    for row in rows:
        assert row.permission is not None
        path = row.rule.replace("<tender>", market.tender).replace("<lot>", "1").replace("<stage>", "all")
        path = path.replace("<bid>", "b-1").replace("<sha256>", "0" * 64).replace("<h>", "0" * 64)
        path = path.replace("<job_id>", "j-1").replace("<int:start>", "0")
        status = market.client().open(path, method=row.methods[0], json={}).status_code
        assert status == 401 if not row.permission.public and not row.permission.signed_by else status < 500, row


def test_an_address_that_nothing_can_have_is_a_bad_request(market: Market) -> None:
    tender = market.tender
    for path in (
        "/procedures?q=%00",
        "/procedures?%00=1",
        "/procedures/%00",
        f"/procedures/{tender}/lots/%00/opening",
        "/api/v1/procedures/%00",
        f"/api/v1/procedures/{tender}/lots/{LOT}?stage=a%00",
    ):
        assert market.client().get(path).status_code == 400, path
    assert market.client(BIDDERS[0].key).post("/api/v1/bids/%00/envelope", json={}).status_code == 400
