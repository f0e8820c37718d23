"""Bids through the API before the deadline: receipts, repetitions, refusals with their evidence (SB1 S7, AL1 L8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from agents.bid.platform import Platform
from agents.bid.receipts import check_receipt, of_version
from tests.support.market import CLOSE, LOT, STAGE, Bidder, Market
from tests.support.polling import eventually
from trading.audit.rules.proof import verify_receipt
from trading.bids.rules.fields import AGE
from trading.bids.rules.trust import parse_trust
from trading.bids.tables import bid_fingerprint, bid_version
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document, verify_es256
from trading.demo.cast import BIDDERS, numbered_bidder
from trading.demo.stage import trust_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.parties import service as parties
from trading.storage.objects import StoreAway
from verifier.attachment import attached_proof

T = TypeVar("T")

_numbers: Iterator[int] = iter(range(12))


@pytest.fixture
def bidder(market: Market) -> Bidder:
    """A bidder with a bid id that no other test uses."""
    bidder = Bidder(market, numbered_bidder(next(_numbers)))
    bidder.start()
    return bidder


def require_refused(
    market: Market, answer: TestResponse, code: str, doc_sha256: str, status: int = 422
) -> dict[str, Any]:
    """Check a refusal and its signed acknowledgement, and that the record stands in the log."""
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.mimetype == "application/problem+json"
    assert problem["zh"]
    assert problem["en"]
    signed = SignedDocument.from_wire(problem["ack"])
    assert market.runtime.ack is not None
    verify_es256(market.runtime.ack.spki, signed.doc, signed.sigs[0])
    ack = loads_object(signed.doc)
    assert (ack["decision"], ack["code"], ack["doc_sha256"]) == ("refused", code, doc_sha256)
    assert ack["h"] == problem["h"]
    refused = market.bodies("bid.refused")[-1]
    assert (refused["code"], refused["envelope_sha256"]) == (code, doc_sha256)
    assert refused["received_at"] == problem["received_at"] == ack["received_at"]
    return problem


def wire_of(document: dict[str, Any], signer: Es256Signer) -> tuple[dict[str, Any], str]:
    signed = sign_document(dumps(document), signer)
    return signed.wire(), signed.sha256


def test_start_gives_one_bid_id_with_the_policy_package(market: Market) -> None:
    bidder, path = Bidder(market, BIDDERS[0]), f"/api/v1/procedures/{market.tender}/lots/{LOT}/bids"
    eventually(lambda: len(bidder.client.post(path, json={"stage": STAGE}).get_json()["receipts"]) == 2)
    first = bidder.client.post(path, json={"stage": STAGE})
    again = bidder.client.post(path, json={})
    assert first.status_code == 201
    assert first.get_json()["bid"] == again.get_json()["bid"]
    policy = SignedDocument.from_wire(first.get_json()["policy"])
    assert policy.sha256 == market.current_policy.sha256
    assert len(first.get_json()["custodian_keys"]) == market.current_policy.n
    for text in first.get_json()["receipts"]:
        verify_receipt(
            text.encode(), origin=market.runtime.origin, policy=market.world.policy, verify=verify_note_signature
        )


def test_two_starts_at_once_give_one_id(market: Market) -> None:
    bidder = Bidder(market, BIDDERS[1])
    found = in_parallel(8, lambda: bidder.client.post(
        f"/api/v1/procedures/{market.tender}/lots/{LOT}/bids", json={}
    ).get_json()["bid"])  # fmt: skip
    assert len(set(found)) == 1
    assert sum(body["bid"] == found[0] for body in market.bodies("bid.started")) == 1


def test_submitted_bid_gets_a_receipt_that_verifies(market: Market, bidder: Bidder) -> None:
    sealed = bidder.seal(100_00)
    answer = bidder.submit(sealed)
    content = answer.get_json()
    assert answer.status_code == 201
    verified = verify_receipt(
        content["receipt"].encode(), origin=market.runtime.origin, policy=market.world.policy,
        verify=verify_note_signature,
    )  # fmt: skip
    assert verified.record["kind"] == "bid.received"
    assert verified.record["body"]["envelope_sha256"] == sealed.envelope.sha256
    assert verified.receipt.entry.h.hex() == content["h"]
    ack = loads_object(SignedDocument.from_wire(content["ack"]).doc)
    assert (ack["decision"], ack["code"], ack["h"]) == ("accepted", None, content["h"])
    own = {row["bid"]: row for row in bidder.client.get("/api/v1/bids").get_json()["bids"]}
    assert [version["sha256"] for version in own[bidder.bid]["versions"]] == [sealed.envelope.sha256]


def test_receipt_is_the_bidders_own_before_the_opening(market: Market, bidder: Bidder) -> None:
    h = bidder.submit(bidder.seal(100_00)).get_json()["h"]
    assert bidder.client.get(f"/api/v1/receipts/{h}").get_json()["state"] in {"logged", "witnessed"}
    file = bidder.client.get(f"/api/v1/receipts/{h}", headers={"Accept": "text/plain"})
    assert file.data.startswith(b"c2sp.org/tlog-proof@v1\n")
    printed = {"Accept": "application/pdf"}
    paper = bidder.client.get(f"/api/v1/receipts/{h}?lang=en", headers=printed)
    assert paper.mimetype == "application/pdf"
    assert attached_proof(paper.data).partition(b"index")[0] == file.data.partition(b"index")[0]
    for who in ("", "supervisor", BIDDERS[2].key):
        for headers in ({}, printed):
            assert market.client(who).get(f"/api/v1/receipts/{h}", headers=headers).status_code == 404


def test_the_bidders_own_client_is_answered_over_http(market: Market, bidder: Bidder, tmp_path: Path) -> None:
    sealed, trust = bidder.seal(100_00), parse_trust(trust_document(market.stage, "0" * 64).doc)
    with market.serving() as base:
        platform = Platform(base, market.stage.tokens[bidder.key], attempts=1)
        assert platform.start(market.tender, LOT, STAGE).body["bid"] == bidder.bid
        for name, data in sealed.parts.items():
            (tmp_path / name).write_bytes(data)
            answer = platform.put_part(bidder.bid, name, tmp_path / name, sha256_hex(data))
            assert answer.body == {"sha256": sha256_hex(data), "size": len(data)}
        sent = platform.post(bidder.bid, "envelope", sealed.envelope.wire())
        expected = of_version("sb1.envelope", sealed.envelope.sha256, bidder.bid)
        check_receipt(sent.body["receipt"].encode(), trust, expected)
        newest = platform.receipt(sent.body["h"]).body["receipt"]
        check_receipt(newest.encode(), trust, expected)


def test_respond_async_does_not_wait(bidder: Bidder) -> None:
    sealed = bidder.seal(100_00)
    bidder.upload(sealed.parts, sealed)
    answer = bidder.post("envelope", sealed.envelope.wire(), Prefer="respond-async")
    assert answer.status_code == 202
    assert "receipt" not in answer.get_json()
    assert answer.headers["Location"].endswith(answer.get_json()["h"])


def test_the_same_envelope_twenty_times_is_one_record(market: Market, bidder: Bidder) -> None:
    sealed = bidder.seal(100_00)
    bidder.upload(sealed.parts, sealed)
    answers = in_parallel(20, lambda: bidder.post("envelope", sealed.envelope.wire(), Prefer="respond-async"))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["h"] for answer in answers}) == 1
    assert sum(body["bid"] == bidder.bid for body in market.bodies("bid.received")) == 1
    again = bidder.post("envelope", sealed.envelope.wire())
    assert again.status_code == 200
    assert again.get_json()["h"] == answers[0].get_json()["h"]
    with market.runtime.ledger.read() as conn:
        query = select(func.count()).where(bid_version.c.doc_sha256 == bytes.fromhex(sealed.envelope.sha256))
        assert conn.execute(query).scalar_one() == 1


def test_replace_withdraw_and_submit_again(market: Market, bidder: Bidder) -> None:
    first = bidder.seal(100_00)
    bidder.submit(first)
    second = bidder.seal(90_00, seq=2, supersedes=first.envelope.sha256)
    assert bidder.submit(second).status_code == 201
    withdrawal = {
        **loads_object(bidder.context(3).bytes()),
        "created": CLOSE,
        "supersedes": second.envelope.sha256,
        "typ": "sb1.withdrawal",
        "v": 1,
    }
    wire, digest = wire_of(withdrawal, bidder.signer)
    assert bidder.post("withdrawal", wire).status_code == 201
    assert bidder.post("withdrawal", wire).status_code == 200
    assert market.bodies("bid.withdrawn")[-1]["withdrawal_sha256"] == digest
    third = bidder.seal(80_00, seq=4, supersedes=digest)
    assert bidder.submit(third).status_code == 201
    kinds = [row["kind"] for row in bidder.client.get("/api/v1/bids").get_json()["bids"][-1]["versions"]]
    assert kinds[-4:] == ["envelope", "envelope", "withdrawal", "envelope"]


def test_refusals_say_what_stands_and_leave_it(market: Market) -> None:
    bidder = Bidder(market, BIDDERS[2])
    bidder.start()
    first = bidder.seal(100_00)
    bidder.submit(first)
    again = bidder.seal(90_00)  # seq 1 once more
    bidder.upload(again.parts, again)
    problem = require_refused(
        market, bidder.post("envelope", again.envelope.wire()), "bid.version_conflict", again.envelope.sha256
    )
    assert (problem["stands"]["seq"], problem["stands"]["sha256"]) == (1, first.envelope.sha256)
    assert problem["rule_id"] == "SB1 S7.3"


def test_part_refusals(market: Market) -> None:
    bidder = Bidder(market, BIDDERS[3])
    bidder.start()
    sealed = bidder.seal(100_00)
    envelope, digest = sealed.envelope.wire(), sealed.envelope.sha256
    require_refused(market, bidder.post("envelope", envelope), "bid.part_missing", digest)
    bad = bidder.put_part(sealed.parts["price"], "0" * 64)
    assert bad.get_json()["code"] == "bid.part_mismatch"
    assert bidder.put_part(b"", "nothing").status_code == 400
    assert market.runtime.objects.stat(sha256_hex(sealed.parts["price"])) is None
    bidder.upload(sealed.parts, sealed)
    document = loads_object(sealed.envelope.doc)
    document["parts"][0]["size"] += 1
    wire, changed = wire_of(document, bidder.signer)
    require_refused(market, bidder.post("envelope", wire), "bid.part_mismatch", changed)
    junk = b"no age file at all"
    bidder.put_part(junk, sha256_hex(junk))
    document = loads_object(sealed.envelope.doc)
    document["parts"][0] = {"alg": AGE, "name": "main", "sha256": sha256_hex(junk), "size": len(junk)}
    wire, changed = wire_of(document, bidder.signer)
    require_refused(market, bidder.post("envelope", wire), "bid.part_shape", changed)
    assert bidder.post("envelope", envelope).status_code == 201  # control: the unchanged envelope is taken


def test_signature_and_document_refusals(market: Market, bidder: Bidder) -> None:
    sealed = bidder.seal(100_00)
    bidder.upload(sealed.parts, sealed)
    envelope = sealed.envelope
    digest = envelope.sha256

    def post(signed: SignedDocument) -> TestResponse:
        return bidder.post("envelope", signed.wire())

    require_refused(market, post(SignedDocument(envelope.doc)), "sig.missing", digest)
    stranger = sign_document(envelope.doc, Es256Signer.generate())
    require_refused(market, post(stranger), "sig.key_unknown", digest)
    other = market.stage.signers[BIDDERS[0].key, "bidder"]
    require_refused(market, post(sign_document(envelope.doc, other)), "sig.key_unknown", digest)
    forged = {**envelope.sigs[0], "sig": sign_document(b"{}", bidder.signer).sigs[0]["sig"]}
    require_refused(market, post(SignedDocument(envelope.doc, (forged,))), "sig.invalid", digest)
    spaced = sign_document(envelope.doc.replace(b",", b", ", 1), bidder.signer)
    require_refused(market, post(spaced), "doc.not_canonical", spaced.sha256)
    document = loads_object(envelope.doc)
    unknown = sign_document(dumps({**document, "more": 1}), bidder.signer)
    require_refused(market, post(unknown), "doc.unknown_field", unknown.sha256)
    superseded = sign_document(dumps({**document, "policy_sha256": "0" * 64}), bidder.signer)
    require_refused(market, post(superseded), "policy.mismatch", superseded.sha256)
    foreign = sign_document(dumps({**document, "bidder": BIDDERS[0].code}), bidder.signer)
    require_refused(market, post(foreign), "policy.mismatch", foreign.sha256)
    assert bidder.client.post(f"/api/v1/bids/{bidder.bid}/envelope", data=b"{").status_code == 400
    assert post(envelope).status_code == 201


def test_copied_envelope_is_refused(market: Market, bidder: Bidder) -> None:
    victim = Bidder(market, BIDDERS[0])
    victim.start()
    sealed = victim.seal(100_00)
    assert victim.submit(sealed).status_code == 201
    before = fingerprints(market)
    document = {**loads_object(sealed.envelope.doc), **loads_object(bidder.context(1).bytes())}
    for name, data in sealed.parts.items():
        assert bidder.put_part(data, sha256_hex(data)).status_code == 201, name
    wire, digest = wire_of(document, bidder.signer)
    require_refused(market, bidder.post("envelope", wire), "bid.copied", digest)
    assert fingerprints(market) == before


def fingerprints(market: Market) -> int:
    with market.runtime.ledger.upkeep() as conn:
        return conn.execute(select(func.count()).select_from(bid_fingerprint)).scalar_one()


def test_foreign_bids_do_not_exist(market: Market, bidder: Bidder) -> None:
    sealed = bidder.seal(100_00)
    stranger = Bidder(market, BIDDERS[4], bid=bidder.bid)
    refusals = len(market.bodies("bid.refused"))
    assert stranger.put_part(sealed.parts["price"], sha256_hex(sealed.parts["price"])).status_code == 404
    for action in ("envelope", "withdrawal", "rehearsal"):
        assert stranger.post(action, sealed.envelope.wire()).status_code in {400, 404}, action
    assert stranger.post("envelope", sealed.envelope.wire()).status_code == 404
    assert all(row["bid"] != bidder.bid for row in stranger.client.get("/api/v1/bids").get_json()["bids"])
    assert len(market.bodies("bid.refused")) == refusals


def test_tokens_are_needed_and_must_have_the_scope(market: Market, bidder: Bidder) -> None:
    path = f"/api/v1/bids/{bidder.bid}/envelope"
    assert market.client().post(path, json={}).status_code == 401
    client = market.app.test_client()
    assert client.post(path, json={}, headers={"Authorization": "Bearer pt_wrong"}).status_code == 401
    assert market.client("supervisor").post(path, json={}).status_code == 403
    assert market.client("supervisor").get("/api/v1/bids").status_code == 403


def test_a_revoked_key_signs_no_more_bids(market: Market) -> None:
    organisation = BIDDERS[4]
    key = Es256Signer.generate()
    parties.register_platform_key(
        market.runtime.ledger, market.stage.desk, kid=key.kid, org=organisation.code, role="bidder", alg="ES256",
        public_key=key.spki,
    )  # fmt: skip
    market.stage.signers[organisation.key, "bidder"] = key
    bidder = Bidder(market, organisation)
    bidder.start()
    sealed = bidder.seal(100_00)
    bidder.upload(sealed.parts, sealed)
    parties.revoke_key(market.runtime.ledger, market.stage.desk, key.kid, "lost")
    answer = bidder.post("envelope", sealed.envelope.wire())
    require_refused(market, answer, "sig.key_revoked", sealed.envelope.sha256)


def in_parallel(count: int, act: Callable[[], T]) -> list[T]:
    """Call ``act`` in ``count`` threads that begin together; return what they returned."""
    barrier = threading.Barrier(count)
    results: list[T] = []
    failures: list[Exception] = []

    def run() -> None:
        barrier.wait()
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    return results


@pytest.mark.parametrize("text", ["\0", "\ud800", "a\0b"])
def test_a_text_that_nothing_can_have_is_malformed(market: Market, text: str) -> None:
    client, start = market.client(BIDDERS[0].key), f"/api/v1/procedures/{market.tender}/lots/{LOT}/bids"
    for body in ({"stage": text}, {"stage": STAGE, text: 1}, {"stage": STAGE, "more": [text]}):
        assert client.post(start, json=body).get_json()["code"] == "body.malformed"
    assert client.post(start, json={"stage": STAGE, "more": "\\u0000 as it is written"}).status_code == 201


def test_a_signature_object_of_another_form_is_refused(bidder: Bidder) -> None:
    alg: Any
    for alg in ([], {}, 1, None):
        answer = bidder.post("envelope", {"doc": "e30", "sigs": [{"alg": alg, "kid": "0" * 64, "sig": "AA"}]})
        assert answer.get_json()["code"] == "doc.bad_field"


def test_a_store_that_is_away_is_a_refusal_by_the_platform(
    market: Market, bidder: Bidder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded, so that it can move the deadline (TE1 T6), and the same bytes are taken afterwards."""
    sealed = bidder.seal(5_000_000)
    bidder.upload(sealed.parts, sealed)

    def away(*_arguments: object) -> Iterator[bytes]:
        raise StoreAway("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(market.runtime.objects), "chunks", away)
        answer = bidder.post("envelope", sealed.envelope.wire())
    require_refused(market, answer, "busy", sealed.envelope.sha256, status=503)
    assert market.bodies("bid.refused")[-1]["queue_ms"] >= 0
    assert bidder.post("envelope", sealed.envelope.wire()).status_code == 201
