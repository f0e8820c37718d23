"""The whole ceremony in one process, and the negative list of SB1 S18.4: each case by its own cheat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from agents.sealing import SealedBid
from agents.station import conduct
from agents.station.combine import Secrets
from agents.station.reading import Opened
from tests.build.ceremony import Bidder, World
from tests.build.opening import Opening
from trading.bids.rules.price import build_price, pad_price
from trading.crypto.envelope import derive_identity, encrypt_part
from trading.crypto.keys import hpke_seal, release_info, share_info
from trading.crypto.shares import commit_share, deal
from trading.crypto.signatures import sign_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.orders import parse_order
from trading.openings.rules.transcripts import parse_transcript
from trading.openings.rules.verdicts import Code, Finding, Verdict

ALL = (1, 2, 3, 4, 5)
Change = Callable[[World, Bidder, dict[str, Any]], None]


def resigned(world: World, change: Change) -> Callable[[Bidder], SignedDocument]:
    """Return how a dishonest bidder changes its own envelope before signing it."""

    def make(bidder: Bidder) -> SignedDocument:
        body = loads_object(bidder.done.envelope.doc)
        change(world, bidder, body)
        return sign_document(dumps(body), bidder.signer)

    return make


def opening(tmp_path: Path, change: Change | None = None, *, others: int = 1, factor: bool = True) -> Opening:
    """A lot with honest bidders and, last, the bidder under test; closed."""
    world = World(tmp_path / "agents", factor=factor).publish()
    for total in range(others):
        world.submit(10_000 + total)
    world.submit(9_999, replace=None if change is None else resigned(world, change))
    world.close()
    return Opening(world, tmp_path)


def run(
    stage: Opening,
    *,
    checkers: Iterable[int] = ALL,
    releasers: Iterable[int] = ALL,
    revealing: Iterable[Bidder] | None = None,
    factors: dict[str, bytes] | None = None,
    before_close: Callable[[Opening], None] = lambda _stage: None,
) -> dict[str, Opened]:
    """Run the ceremony of a closed lot and return the opened bids."""
    stage.order()
    stage.check(*checkers)
    stage.reveal(*(stage.world.bidders if revealing is None else revealing), factors=factors)
    stage.release(*releasers)
    before_close(stage)
    stage.close_release()
    box = stage.box()
    conduct.combine(box, stage)  # type: ignore[arg-type]  # the platform in memory has the client's methods
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    results = conduct.open_all(box, evaluated, lambda result: stage.post_result(result.result()))
    return {result.combined.source.bid: result for result in results}


def suspect(stage: Opening, results: dict[str, Opened]) -> Opened:
    """Return the result of the bidder under test, after checking that every other bid opened."""
    last = stage.world.bidders[-1].bid
    for bid, result in results.items():
        if bid != last:
            assert result.verdict.code is Code.OK
    return results[last]


def faults(result: Opened) -> list[tuple[str, int]]:
    return [(fault.code.value, fault.custodian) for fault in result.verdict.faults]


def test_the_whole_ceremony(tmp_path: Path) -> None:
    stage = opening(tmp_path, others=2)
    results = run(stage)
    assert [result.verdict.code for result in results.values()] == [Code.OK] * 3
    totals = {bid: result["opened"]["price"]["total"] for bid, result in stage.results.items()}
    assert totals == {"b-0001": 10_000, "b-0002": 10_001, "b-0003": 9_999}
    assert stage.journal[0] == "combined"
    folder = stage.box().folder.of_bid("b-0003")
    names = {"main.age", "main.identity", "main.opened", "price.age", "price.identity", "price.opened"}
    assert {path.name for path in folder.iterdir()} == names
    assert folder.stat().st_mode & 0o077 == 0


def test_with_the_factor_off(tmp_path: Path) -> None:
    stage = opening(tmp_path, factor=False)
    stage.order()
    stage.check(*ALL)
    stage.world.clock.ms += 700_000
    stage.release(*ALL)
    stage.close_release()
    box = stage.box()
    conduct.combine(box, stage)  # type: ignore[arg-type]
    results = conduct.open_all(box, conduct.evaluate(box, stage), lambda _result: None)  # type: ignore[arg-type]
    assert [result.verdict.code for result in results] == [Code.OK] * 2


def test_nothing_is_combined_before_releases_close_and_nothing_opened_before_it_is_logged(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.release(*ALL)
    box = stage.box()
    with pytest.raises(RuleBroken, match=r"station\.not_closed"):
        conduct.combine(box, stage)  # type: ignore[arg-type]
    stage.close_release()
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    with pytest.raises(RuleBroken, match=r"station\.not_combined"):
        conduct.open_all(box, evaluated, lambda _result: None)
    assert not (box.directory / "revealed").exists()
    stage.steps["combined"] = {"items": [{**item, "verdict": "TOO_FEW_SHARES"} for item in evaluated.items()], "n": 1}
    with pytest.raises(IntegrityFailure):
        conduct.open_all(box, conduct.evaluate(box, stage), lambda _result: None)  # type: ignore[arg-type]
    assert not (box.directory / "revealed").exists()


# Custodians: absent, lying, sending garbage.


def with_custodians(stage: Opening, present: tuple[int, ...]) -> dict[str, Verdict]:
    """Return the result of the combine pass as if only these custodians had answered."""

    def answered(doc: bytes) -> bool:
        return loads_object(doc)["custodian"] in present

    part = replace(
        stage,
        checks=[check for check in stage.checks if answered(b64u_decode(check["doc"]))],
        released=[release for release in stage.released if answered(release.signed.doc)],
    )
    evaluated = conduct.evaluate(stage.box(), part)  # type: ignore[arg-type]
    return {combined.source.bid: combined.verdict for combined in evaluated.bids}


def test_any_two_of_five_absent_change_nothing_but_the_faults(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    run(stage)
    for absent in combinations(ALL, 2):
        present = tuple(index for index in ALL if index not in absent)
        for verdict in with_custodians(stage, present).values():
            assert verdict.code is Code.OK
            assert [(str(fault.code), fault.custodian) for fault in verdict.faults] == [
                ("CUSTODIAN_ABSENT", index) for index in absent
            ]


def test_three_of_five_absent(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    results = run(stage, checkers=(1, 2), releasers=(1, 2))
    assert {result.verdict.code for result in results.values()} == {Code.TOO_FEW_SHARES}
    assert all("verdict" in result for result in stage.results.values())


def test_a_custodian_that_checks_and_then_withholds_is_named(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    result = suspect(stage, run(stage, releasers=(1, 2, 3, 4)))
    assert (result.verdict.code, faults(result)) == (Code.OK, [("CUSTODIAN_NO_RELEASE", 5)])


def _forge_release(stage: Opening, index: int, share: bytes) -> None:
    """Replace the released share of the bidder under test by another value, signed by the lying custodian."""
    logged = next(release for release in stage.released if loads_object(release.signed.doc)["custodian"] == index)
    body, last = loads_object(logged.signed.doc), stage.world.bidders[-1]
    order = parse_order(stage.world.orders[-1].doc)
    info = release_info(index, bytes.fromhex(order.sha256), bytes.fromhex(last.done.envelope.sha256))
    for item in body["items"]:
        if item["bid"] == last.bid:
            item["ct"] = b64u(hpke_seal(order.station_pk, info, share))
    stage.released.remove(logged)
    stage.log_release(stage.world.agents[index - 1].sign(dumps(body)), index)


@pytest.mark.parametrize("share", [bytes(32) + b"\x05", bytes(32) + b"\x04"])
def test_a_lying_custodian_is_named_and_the_bid_opens(tmp_path: Path, share: bytes) -> None:
    stage = opening(tmp_path)
    results = run(stage, before_close=lambda stage: _forge_release(stage, 5, share))
    result = suspect(stage, results)
    assert (result.verdict.code, faults(result)) == (Code.OK, [("CUSTODIAN_BAD_SHARE", 5)])


def _false_bad(stage: Opening, index: int, finding: Finding | None) -> None:
    """Let a custodian say BAD of a good share, and withhold it; optionally the auditor has found out."""
    last = stage.world.bidders[-1]
    check = next(check for check in stage.checks if loads_object(b64u_decode(check["doc"]))["custodian"] == index)
    body = loads_object(b64u_decode(check["doc"]))
    for item in body["items"]:
        if item["bid"] == last.bid:
            item["code"] = "commit_mismatch"
    stage.checks[stage.checks.index(check)] = {**check, **stage.world.agents[index - 1].sign(dumps(body)).wire()}
    logged = next(release for release in stage.released if loads_object(release.signed.doc)["custodian"] == index)
    released = loads_object(logged.signed.doc)
    for item in released["items"]:
        if item["bid"] == last.bid:
            item["ct"] = None
    stage.released.remove(logged)
    stage.log_release(stage.world.agents[index - 1].sign(dumps(released)), index)
    if finding is not None:
        stage.adjudicate(index, {last.bid: finding})


def test_a_false_bad_is_a_fault_of_the_custodian(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    lie = lambda stage: _false_bad(stage, 5, Finding.CUSTODIAN_FAULT)  # noqa: E731
    result = suspect(stage, run(stage, before_close=lie))
    assert (result.verdict.code, faults(result)) == (Code.OK, [("CUSTODIAN_FALSE_BAD", 5)])


# The bidder's factor.


def test_no_factor_and_a_random_factor(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    result = suspect(stage, run(stage, revealing=stage.world.bidders[:-1]))
    assert (result.verdict.code, result.verdict.row, faults(result)) == (Code.BIDDER_NO_FACTOR, 4, [])
    other = opening(tmp_path / "2")
    wrong = {other.world.bidders[-1].bid: b"\x55" * 32}
    result = suspect(other, run(other, factors=wrong))
    assert result.verdict.code is Code.BIDDER_NO_FACTOR


def test_a_revealed_factor_that_the_list_lost(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.list_factors([stage.world.bidders[0].bid])
    stage.release(*ALL)
    stage.close_release()
    box = stage.box()
    conduct.combine(box, stage)  # type: ignore[arg-type]
    items = stage.steps["combined"]["items"]
    assert items[1] == {"bid": "b-0002", "faults": [], "verdict": "PLATFORM_FACTOR_LOST"}


# Bad dealing: the verdict does not depend on who answers.


def _share_5_of_another_secret(world: World, bidder: Bidder, body: dict[str, Any]) -> None:
    ctx = bidder.done.context.bytes()
    share = deal(b"\x77" * 32, ctx, 3, 5).shares[4]
    ct = hpke_seal(world.policy.custodians[4].hpke_pk, share_info(5, ctx), share)
    body["shares"][4] = {"c": commit_share(share, ctx).hex(), "ct": b64u(ct), "i": 5}


def test_a_share_of_another_secret_fails_for_every_three_custodians(tmp_path: Path) -> None:
    stage = opening(tmp_path, _share_5_of_another_secret)
    run(stage)
    for size in (3, 4, 5):
        for present in combinations(ALL, size):
            honest, dishonest = with_custodians(stage, present).values()
            assert honest.code is Code.OK
            assert (dishonest.code, dishonest.row) == (Code.BIDDER_MALFORMED_SEALING, 10)


def _garbage_ct_5(_world: World, _bidder: Bidder, body: dict[str, Any]) -> None:
    ct = b64u_decode(body["shares"][4]["ct"])
    body["shares"][4]["ct"] = b64u(ct[:-1] + bytes([ct[-1] ^ 1]))


def test_a_garbage_ct_matters_only_if_the_bid_then_lacks_shares(tmp_path: Path) -> None:
    stage = opening(tmp_path / "all", _garbage_ct_5)
    assert suspect(stage, run(stage)).verdict.code is Code.OK
    stage = opening(tmp_path / "absent", _garbage_ct_5)
    decide = lambda stage: stage.adjudicate(5, {stage.world.bidders[-1].bid: Finding.DEALT_BAD})  # noqa: E731
    result = suspect(stage, run(stage, checkers=(3, 4, 5), releasers=(3, 4, 5), before_close=decide))
    assert (result.verdict.code, result.verdict.row) == (Code.BIDDER_MALFORMED_SEALING, 8)
    stage = opening(tmp_path / "open", _garbage_ct_5)
    result = suspect(stage, run(stage, checkers=(3, 4, 5), releasers=(3, 4, 5)))
    assert result.verdict.code is Code.PENDING


def test_a_pending_bid_is_decided_by_the_adjudication(tmp_path: Path) -> None:
    stage = opening(tmp_path, _garbage_ct_5)
    last = stage.world.bidders[-1].bid
    assert suspect(stage, run(stage, checkers=(3, 4, 5), releasers=(3, 4, 5))).verdict.code is Code.PENDING
    stage.adjudicate(5, {last: Finding.DEALT_BAD})
    box = stage.box()
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    assert evaluated.items()[-1]["verdict"] == "PENDING"  # the combination stays as it was at release.closed
    again = conduct.open_all(box, evaluated, lambda _result: None)
    assert again[-1].verdict.code is Code.BIDDER_MALFORMED_SEALING


def test_a_finding_after_the_combination_changes_no_opened_bid(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    last = stage.world.bidders[-1]
    lie = lambda stage: _false_bad(stage, 5, None)  # noqa: E731
    before = suspect(stage, run(stage, before_close=lie))
    stage.adjudicate(5, {last.bid: Finding.CUSTODIAN_FAULT})
    box = stage.box()
    again = conduct.open_all(box, conduct.evaluate(box, stage), lambda _result: None)  # type: ignore[arg-type]
    assert (again[-1].verdict, again[-1].verdict.code) == (before.verdict, Code.OK)


@pytest.mark.parametrize("index", [None, 0, 1, 2, 3, 4])
def test_a_changed_commitment(tmp_path: Path, index: int | None) -> None:
    def change(_world: World, _bidder: Bidder, body: dict[str, Any]) -> None:
        if index is None:
            body["seed_commit"] = "5" * 64
        else:
            body["shares"][index]["c"] = "5" * 64

    stage = opening(tmp_path, change)
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row) == (Code.BIDDER_MALFORMED_SEALING, 10)


def test_a_changed_factor_commitment(tmp_path: Path) -> None:
    stage = opening(tmp_path, lambda _w, _b, body: body.update(factor_commit="5" * 64))
    assert suspect(stage, run(stage)).verdict.code is Code.BIDDER_NO_FACTOR


# Copies, altered envelopes.


def test_a_copy_is_named_and_the_original_opens(tmp_path: Path) -> None:
    def copy(world: World, bidder: Bidder, body: dict[str, Any]) -> None:
        body.update(
            {
                name: value
                for name, value in loads_object(world.bidders[0].done.envelope.doc).items()
                if name in {"shares", "parts", "seed_commit", "factor_commit"}
            }
        )
        assert body["bidder"] == bidder.code

    stage = opening(tmp_path, copy)
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row, faults(result)) == (Code.BIDDER_COPIED, 2, [])
    agreed = {loads_object(b64u_decode(check["doc"]))["items"][1]["code"] for check in stage.checks}
    assert agreed == {"hpke_open_failed"}


FIELDS = ["bid", "bidder", "created", "factor_commit", "lot", "parts", "policy_sha256", "seed_commit", "seq", "tender"]


@pytest.mark.parametrize("name", FIELDS)
def test_any_field_changed_and_not_signed_again(tmp_path: Path, name: str) -> None:
    def forge(bidder: Bidder) -> SignedDocument:
        body = loads_object(bidder.done.envelope.doc)
        body[name] = {
            "created": 1,
            "seq": 2,
            "bidder": "91310000XXXX",
            "parts": [{**part, "size": part["size"] + 1} for part in body["parts"]],
        }.get(name, "5" * 64 if name.endswith(("commit", "sha256")) else "other")
        if name == "seq":
            body["supersedes"] = "5" * 64
        return SignedDocument(dumps(body), bidder.done.envelope.sigs)

    world = World(tmp_path / "agents").publish()
    world.submit(10_000)
    world.submit(9_999, replace=forge)
    world.close()
    stage = Opening(world, tmp_path)
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row, faults(result)) == (Code.PLATFORM_BAD_INTAKE, 1, [])
    codes = {loads_object(b64u_decode(check["doc"]))["items"][1]["code"] for check in stage.checks}
    assert codes == {"envelope_invalid"}


@pytest.mark.parametrize("name", ["bid", "seq"])
def test_a_context_field_changed_and_signed_again(tmp_path: Path, name: str) -> None:
    def change(_world: World, bidder: Bidder, body: dict[str, Any]) -> None:
        # The platform logged exactly what was signed; only the secrets belong to another context.
        if name == "bid":
            bidder.bid = "b-0009"
        else:
            bidder.seq, body["supersedes"] = 2, "5" * 64
        body[name] = getattr(bidder, name)

    stage = opening(tmp_path, change)
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row) == (Code.BIDDER_NO_FACTOR, 4)


# Parts.


def test_a_part_that_no_store_has(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    part = loads_object(stage.world.bidders[-1].done.envelope.doc)["parts"][0]["sha256"]
    del stage.world.parts[part]
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row) == (Code.PLATFORM_PART_LOST, 3)


def test_a_stored_part_that_was_altered(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    part = loads_object(stage.world.bidders[-1].done.envelope.doc)["parts"][0]["sha256"]
    stage.world.parts[part] = stage.world.parts[part][:-1] + bytes([stage.world.parts[part][-1] ^ 1])
    assert suspect(stage, run(stage)).verdict.code is Code.PLATFORM_PART_LOST


def test_a_part_altered_on_the_station_after_it_was_hashed(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.release(*ALL)
    stage.close_release()
    box = stage.box()
    conduct.combine(box, stage)  # type: ignore[arg-type]
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    name = loads_object(stage.world.bidders[-1].done.envelope.doc)["parts"][0]["sha256"]
    path = box.folder.ciphertext(name)
    stored = path.read_bytes()
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))  # another byte, whatever it was
    with pytest.raises(IntegrityFailure):
        conduct.open_all(box, evaluated, lambda _result: None)


def _with_part(name: str, make: Callable[[World, Bidder, SealedBid], bytes]) -> Change:
    """Return a change that seals another content as one part, with hash and size made to fit."""

    def change(world: World, bidder: Bidder, body: dict[str, Any]) -> None:
        content = make(world, bidder, bidder.done)
        world.parts[sha256_hex(content)] = content
        for part in body["parts"]:
            if part["name"] == name:
                part |= {"sha256": sha256_hex(content), "size": len(content)}

    return change


def _identity(bidder: Bidder, part: str) -> str:
    sealed = bidder.done
    return derive_identity(sealed.s_c, sealed.s_b, sealed.context.bytes(), part)


def _price(world: World, bidder: Bidder, changes: dict[str, Any] | None = None) -> bytes:
    body = {**loads_object(build_price(world.context_of(bidder), currency="CNY", total=1)), **(changes or {})}
    return dumps(body)


def _second_stanza(_world: World, _bidder: Bidder, sealed: SealedBid) -> bytes:
    """Repeat the X25519 stanza: whoever holds the other key could show another content."""
    head, _, rest = sealed.parts["price"].partition(b"\n--- ")
    stanza = next(b"-> " + text for text in head.split(b"\n-> ") if text.startswith(b"X25519"))
    return head + b"\n" + stanza + b"\n--- " + rest


SEALING: dict[str, Callable[[World, Bidder, SealedBid], bytes]] = {
    "truncated": lambda _w, _b, sealed: sealed.parts["price"][:-20],
    "second stanza": _second_stanza,
    "flipped byte": lambda _w, _b, sealed: sealed.parts["price"][:-1] + bytes([sealed.parts["price"][-1] ^ 1]),
    "identity of main": lambda w, b, _s: encrypt_part(_identity(b, "main"), pad_price(_price(w, b), 4096)),
    "not age": lambda _w, _b, _s: b"hello",
    "armor": lambda _w, _b, _s: b"-----BEGIN AGE ENCRYPTED FILE-----\n",
}


@pytest.mark.parametrize("case", sorted(SEALING))
def test_a_part_that_does_not_open(tmp_path: Path, case: str) -> None:
    stage = opening(tmp_path, _with_part("price", SEALING[case]))
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row) == (Code.BIDDER_MALFORMED_SEALING, 11)


def test_a_wrong_size(tmp_path: Path) -> None:
    stage = opening(tmp_path, lambda _w, _b, body: body["parts"][0].update(size=1))
    assert suspect(stage, run(stage)).verdict.row == 11


CONTENT: dict[str, Callable[[World, Bidder], bytes]] = {
    "names another bid": lambda w, b: pad_price(_price(w, b, {"bid": "b-0001"}), 4096),
    "names another bidder": lambda w, b: pad_price(_price(w, b, {"bidder": "91310000MA1K300001"}), 4096),
    "4095 bytes": lambda w, b: pad_price(_price(w, b), 4095),
    "not canonical": lambda w, b: pad_price(_price(w, b).replace(b",", b", ", 1), 4096),
    "unknown field": lambda w, b: pad_price(_price(w, b, {"discount": 5}), 4096),
    "padded with zero bytes": lambda w, b: _price(w, b).ljust(4096, b"\0"),
}


@pytest.mark.parametrize("case", sorted(CONTENT))
def test_a_price_that_is_not_as_it_must_be(tmp_path: Path, case: str) -> None:
    make = CONTENT[case]
    change = _with_part("price", lambda w, b, _s: encrypt_part(_identity(b, "price"), make(w, b)))
    stage = opening(tmp_path, change)
    result = suspect(stage, run(stage))
    assert (result.verdict.code, result.verdict.row) == (Code.BIDDER_MALFORMED_CONTENT, 12)
    assert "verdict" in stage.results[stage.world.bidders[-1].bid]


def test_a_main_part_that_is_no_archive(tmp_path: Path) -> None:
    change = _with_part("main", lambda _w, b, _s: encrypt_part(_identity(b, "main"), bytes(65536)))
    stage = opening(tmp_path, change)
    assert suspect(stage, run(stage)).verdict.code is Code.BIDDER_MALFORMED_CONTENT


# Rescue.


def test_a_rescue_takes_the_place_of_missing_shares(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    last = stage.world.bidders[-1]
    stage.rescues[last.bid] = Secrets(s_c=last.done.s_c, s_b=last.done.s_b)
    results = run(stage, checkers=(1, 2), releasers=(1, 2))
    assert results[last.bid].verdict.code is Code.OK
    assert results["b-0001"].verdict.code is Code.TOO_FEW_SHARES


def test_a_rescue_never_replaces_the_factor_and_must_re_derive(tmp_path: Path) -> None:
    stage = opening(tmp_path / "factor")
    last = stage.world.bidders[-1]
    stage.rescues[last.bid] = Secrets(s_c=last.done.s_c, s_b=last.done.s_b)
    result = suspect(stage, run(stage, revealing=stage.world.bidders[:-1]))
    assert result.verdict.code is Code.BIDDER_NO_FACTOR
    stage = opening(tmp_path / "wrong")
    last = stage.world.bidders[-1]
    stage.rescues[last.bid] = Secrets(s_c=b"\x01" * 32, s_b=last.done.s_b)
    results = run(stage, checkers=(1, 2), releasers=(1, 2))
    assert results[last.bid].verdict.code is Code.TOO_FEW_SHARES


# Collecting, gaps, another station.


def test_gaps_are_reported_when_all_have_released(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    box = stage.box()
    stage.release(1, 2)
    collected = conduct.collect(box, stage)  # type: ignore[arg-type]
    assert (collected.reported, collected.gaps, collected.good) == (
        False,
        ("b-0001", "b-0002"),
        {"b-0001": 2, "b-0002": 2},
    )
    stage.release(3, 4, 5)
    collected = conduct.collect(box, stage)  # type: ignore[arg-type]
    assert (collected.reported, collected.gaps) == (True, ())
    assert stage.steps["gaps"]["bids"] == []
    assert conduct.collect(box, stage).reported  # type: ignore[arg-type]


def test_gaps_are_reported_when_the_window_is_over_and_name_lost_parts(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.release(1, 2, 3)
    del stage.world.parts[loads_object(stage.world.bidders[0].done.envelope.doc)["parts"][1]["sha256"]]
    box = stage.box()
    stage.world.clock.ms = stage.steps["factor_closed"]["at"] + 899_999
    assert not conduct.collect(box, stage).reported  # type: ignore[arg-type]
    stage.world.clock.ms += 1
    assert conduct.collect(box, stage).reported  # type: ignore[arg-type]
    assert stage.steps["gaps"]["bids"] == ["b-0001"]


def test_another_station_takes_over_and_comes_to_the_same_result(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order("first")
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.release(*ALL)
    stage.order("second")
    with pytest.raises(RuleBroken, match=r"station\.other_key"):
        conduct.collect(stage.box("first"), stage)  # type: ignore[arg-type]
    stage.release(*ALL)
    stage.close_release()
    box = stage.box("second")
    conduct.combine(box, stage)  # type: ignore[arg-type]
    results = conduct.open_all(box, conduct.evaluate(box, stage), lambda _result: None)  # type: ignore[arg-type]
    assert [result.verdict.code for result in results] == [Code.OK] * 2
    assert faults(results[0]) == []


def test_a_release_after_release_closed_is_not_used(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    stage.order()
    stage.check(*ALL)
    stage.reveal(*stage.world.bidders)
    stage.release(1, 2)
    stage.close_release()
    stage.release(3)
    box = stage.box()
    items = conduct.combine(box, stage).items()  # type: ignore[arg-type]
    assert {item["verdict"] for item in items} == {"TOO_FEW_SHARES"}


# Transcripts.


def test_transcripts_of_both_tiers(tmp_path: Path) -> None:
    stage = opening(tmp_path, _garbage_ct_5)
    run(stage)
    box = stage.box()
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    opened = conduct.open_all(box, evaluated, lambda _result: None)
    bidders, audit = (parse_transcript(raw) for raw in conduct.transcripts(evaluated, opened, created=1))
    assert (bidders.tier, audit.tier) == ("bidders", "audit")
    assert len(bidders.release_sha256s) == 5
    shown = loads_object(bidders.raw)["items"][0]
    assert set(shown) == {"bid", "envelope_sha256", "faults", "identity_price", "verdict"}
    secret = audit.items[0]
    sealed = stage.world.bidders[0].done
    assert (secret.s_c, secret.s_b, len(secret.shares)) == (sealed.s_c, sealed.s_b, 5)
    assert secret.identity_main == _identity(stage.world.bidders[0], "main")
    assert len(audit.items[1].shares) == 4


def test_transcripts_that_were_handed_in_are_signed_again_not_made_anew(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    run(stage)
    box = stage.box()
    evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
    opened = conduct.open_all(box, evaluated, lambda _result: None)
    first = conduct.transcript_documents(evaluated, opened, stage)  # type: ignore[arg-type]
    conduct.post_transcripts(stage, first)  # type: ignore[arg-type]
    stage.world.clock.ms += 1
    again = conduct.transcript_documents(conduct.evaluate(box, stage), opened, stage)  # type: ignore[arg-type]
    assert [signed.doc for signed in again] == [signed.doc for signed in first]
    forged = {**loads_object(first[1].doc), "release_sha256s": []}
    stage.drafts[first[1].sha256] = SignedDocument(dumps(forged))
    with pytest.raises(IntegrityFailure):
        conduct.transcript_documents(evaluated, opened, stage)  # type: ignore[arg-type]


def test_the_station_drafts_only_what_agents_accept(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    box = stage.box()
    draft = conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]
    signed = sign_document(draft, stage.world.agency, stage.world.supervisor)
    stage.world.add_order(signed)
    stage.check(1)
    stage.world.closed_body["bids_root"] = "0" * 64
    with pytest.raises(RuleBroken, match=r"order\.root"):
        conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]


def test_the_station_drafts_no_order_before_the_witnesses_say_so(tmp_path: Path) -> None:
    stage = opening(tmp_path)
    box, now = stage.box(), stage.world.clock.ms
    stage.world.clock.ms = stage.world.close_ms - 1_000
    with pytest.raises(RuleBroken, match=r"order\.early"):
        conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]
    stage.world.clock.ms = now
    conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]
