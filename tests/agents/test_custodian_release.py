"""The release of SB1 S9.7: once, for all, with the signed list of the newest factor.closed; again for a new station."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.custodian import desk
from agents.custodian.agent import Agent
from tests.build.ceremony import SECOND, World
from trading.crypto.keys import XWingPrivateKey, hpke_seal, release_info, share_info
from trading.crypto.shares import commit_share
from trading.crypto.signatures import sign_document
from trading.custody.rules.jobs import read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_release
from trading.openings.rules.factors import make_factor_list

OTHER = XWingPrivateKey.from_seed(b"\x16" * 32)


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    said: list[str] = []
    return desk.answer(agent, read_job(job), said.append)


def code_of(agent: Agent, job: bytes) -> str:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code


def checked(tmp_path: Path, *, factor: bool = True) -> tuple[World, Agent]:
    world = World(tmp_path, factor=factor).publish()
    agent = world.agents[0]
    ask(agent, world.admit_job(agent))
    for total in range(3):
        world.clock.ms += SECOND
        world.submit(100 + total)
    world.close()
    world.order()
    ask(agent, world.check_job(agent))
    return world, agent


@pytest.fixture
def lot(tmp_path: Path) -> tuple[World, Agent]:
    """Three bids, ordered and checked by the agent; the factor list is not made yet."""
    return checked(tmp_path)


def test_only_bids_with_a_valid_factor_are_released(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    factors = world.factor_list(["b-0001", "b-0003"])
    release = parse_release(SignedDocument.from_wire(ask(agent, world.release_job(agent, factors))).doc)
    assert [item.bid for item in release.items] == ["b-0001", "b-0003"]
    assert release.factor_list_sha256 == factors.sha256


def test_an_order_that_was_not_checked_is_not_released(lot: tuple[World, Agent]) -> None:
    world, _agent = lot
    other, factors = world.agents[1], world.factor_list()
    ask(other, world.admit_job(other))
    assert code_of(other, world.release_job(other, factors)) == "release.unchecked"
    ask(other, world.check_job(other))
    ask(other, world.release_job(other, factors))


def test_no_release_before_factor_closed_is_in_the_log(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    factors = world.factor_list(record=False)
    assert code_of(agent, world.release_job(agent, factors)) == "release.factor_list"
    world.record("factor.closed", {"factor_list_sha256": factors.sha256})
    hidden = world.release_job(agent, factors, hide=lambda record: record["kind"] == "factor.closed")
    assert code_of(agent, hidden) == "release.factor_list"
    ask(agent, world.release_job(agent, factors))


def test_with_the_factor_on_a_release_without_a_list_is_refused(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    world.factor_list()
    assert code_of(agent, world.release_job(agent, None)) == "release.factor_list"


@pytest.mark.parametrize("missing", ["agency", "supervisor"])
def test_the_list_needs_both_signatures(lot: tuple[World, Agent], missing: str) -> None:
    world, agent = lot
    factors = world.factor_list()
    signer = world.supervisor if missing == "agency" else world.agency
    weak = sign_document(factors.doc, signer)
    job = world.release_job(agent, weak, without=frozenset({factors.sha256}), extra=[weak])
    assert code_of(agent, job) == "sig.missing"
    ask(agent, world.release_job(agent, factors))


def test_only_the_newest_list_counts(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    first = world.factor_list(["b-0001"])
    newest = world.factor_list(["b-0001", "b-0002"])
    assert code_of(agent, world.release_job(agent, first)) == "release.factor_list"
    ask(agent, world.release_job(agent, newest))


def test_a_list_that_leaves_out_a_bid_of_the_order_is_refused(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    whole = loads_object(make_factor_list(world.newest_order, ["b-0001"], created=world.clock.ms))
    subset = {**whole, "items": whole["items"][:2]}
    signed = world.keep(sign_document(dumps(subset), world.agency, world.supervisor))
    world.record("factor.closed", {"factor_list_sha256": signed.sha256})
    assert code_of(agent, world.release_job(agent, signed)) == "release.subset"


def test_a_list_of_another_order_is_refused(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    body = loads_object(make_factor_list(world.newest_order, ["b-0001"], created=world.clock.ms))
    other = world.keep(world.order(record=False, change={"schedule_sha256": "0" * 64}))
    for order_sha256, code in (("0" * 64, "job.incomplete"), (other.sha256, "release.factor_list")):
        changed = dumps({**body, "order_sha256": order_sha256})
        signed = world.keep(sign_document(changed, world.agency, world.supervisor))
        world.record("factor.closed", {"factor_list_sha256": signed.sha256})
        assert code_of(agent, world.release_job(agent, signed)) == code


def test_the_same_release_again_and_never_another(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    factors = world.factor_list(["b-0001"])
    first = ask(agent, world.release_job(agent, factors))
    world.clock.ms += 60_000
    assert ask(agent, world.release_job(agent, factors)) == first
    more = world.factor_list(["b-0001", "b-0002"])
    assert code_of(agent, world.release_job(agent, more)) == "order.equivocation"


def test_another_station_gets_the_same_shares(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    factors = world.factor_list(["b-0001", "b-0002"])
    ask(agent, world.release_job(agent, factors))
    order = world.order(station_pk=OTHER.public.raw)
    release = parse_release(SignedDocument.from_wire(ask(agent, world.release_job(agent, factors, order))).doc)
    assert release.order_sha256 == order.sha256
    bids = {bid.bid: bid for bid in world.newest_order.bids}
    for item in release.items:
        assert item.ct is not None
        names = bytes.fromhex(order.sha256), bytes.fromhex(bids[item.bid].envelope_sha256)
        share = OTHER.open(release_info(1, *names), item.ct)
        envelope = next(b for b in world.bidders if b.bid == item.bid).done
        c = loads_object(envelope.envelope.doc)["shares"][0]["c"]
        assert commit_share(share, envelope.context.bytes()).hex() == c


def test_another_station_gets_nothing_else(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    factors = world.factor_list(["b-0001"])
    ask(agent, world.release_job(agent, factors))
    order = world.order(station_pk=OTHER.public.raw)
    wider = world.factor_list(["b-0001", "b-0002", "b-0003"])
    assert code_of(agent, world.release_job(agent, wider, order)) == "order.equivocation"
    third = world.order(station_pk=XWingPrivateKey.from_seed(b"\x17" * 32).public.raw)
    assert code_of(agent, world.release_job(agent, wider, third)) == "order.equivocation"


def test_a_grown_order_after_a_release_is_refused(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    ask(agent, world.release_job(agent, world.factor_list()))
    grown = world.order(
        change={
            "omitted": [{"bid": "b-9999", "envelope_sha256": "0" * 64, "h": "0" * 64, "rejected_h": "0" * 64, "seq": 1}]
        }
    )
    assert code_of(agent, world.check_job(agent, grown)).startswith("order.")


def test_a_station_key_that_is_no_key_is_refused(lot: tuple[World, Agent]) -> None:
    world, agent = lot
    order, factors = world.order(station_pk=b"\xff" * 1216), world.factor_list()
    ask(agent, world.check_job(agent, order))
    assert code_of(agent, world.release_job(agent, factors, order)) in {"doc.bad_field", "release.factor_list"}


def test_with_the_factor_off_the_objection_window_must_be_over(tmp_path: Path) -> None:
    world, agent = checked(tmp_path, factor=False)
    ordered_at = world.clock.ms
    world.clock.ms = ordered_at + 599_000
    assert code_of(agent, world.release_job(agent, None)) == "release.early"
    late, note = world.clock.ms + 2 * SECOND, world.log.note(ordered_at + 599_000)
    world.clock.ms = late
    assert code_of(agent, world.release_job(agent, None, note=note)) == "release.early"
    hidden = world.release_job(agent, None, hide=lambda record: record["kind"] == "open.ordered")
    assert code_of(agent, hidden) == "order.not_included"
    release = parse_release(SignedDocument.from_wire(ask(agent, world.release_job(agent, None))).doc)
    assert (len(release.items), release.factor_list_sha256) == (3, None)


# The codes of a share check, and shares that are not good.


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (bytes(32), "bad_length"),
        (bytes(34), "bad_length"),
        (bytes(32) + b"\x02", "bad_index"),
        (bytes(32) + b"\x01", "commit_mismatch"),
        (None, "hpke_open_failed"),
    ],
)
def test_a_bad_share_is_reported_and_not_released(tmp_path: Path, plaintext: bytes | None, code: str) -> None:
    world = World(tmp_path).publish()
    agent = world.agents[0]
    ask(agent, world.admit_job(agent))

    def change(bidder: Any) -> SignedDocument:  # noqa: ANN401 - tests.build.ceremony.Bidder
        body, ctx = loads_object(bidder.done.envelope.doc), bidder.done.context.bytes()
        ct = b64u_decode(body["shares"][0]["ct"])
        # A ct of another length cannot stand in an envelope, so bad_length is provoked below the parser.
        if plaintext is not None and len(plaintext) == 33:
            ct = hpke_seal(world.policy.custodians[0].hpke_pk, share_info(1, ctx), plaintext)
        else:
            ct = ct[:-1] + bytes([ct[-1] ^ 1])
        body["shares"][0]["ct"] = b64u(ct)
        return sign_document(dumps(body), bidder.signer)

    world.submit(1)
    world.submit(2, replace=change)
    world.close()
    world.order()
    check = loads_object(SignedDocument.from_wire(ask(agent, world.check_job(agent))).doc)
    expected = code if plaintext is None or len(plaintext) == 33 else "hpke_open_failed"
    assert [item["code"] for item in check["items"]] == ["ok", expected]
    release = parse_release(SignedDocument.from_wire(ask(agent, world.release_job(agent, world.factor_list()))).doc)
    assert release.items[0].ct is not None
    assert release.items[1].ct is None
