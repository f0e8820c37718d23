"""Every document of the ceremony: written and read back the same, and refused when one field is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from trading.bids.model import ManifestItem, bids_root
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.openings.rules.answers import (
    covers,
    make_disclosure,
    make_release,
    make_share_check,
    parse_disclosure,
    parse_release,
    parse_share_check,
    releases_exactly,
)
from trading.openings.rules.approvals import make_approval
from trading.openings.rules.decisions import (
    bad_bids,
    disclosure_allowed,
    make_adjudication,
    make_objection_decision,
    parse_adjudication,
    parse_objection_decision,
)
from trading.openings.rules.documents import KINDS
from trading.openings.rules.factors import (
    lists_exactly,
    make_factor,
    make_factor_ack,
    make_factor_list,
    make_rescue,
    parse_factor,
    parse_factor_ack,
    parse_factor_list,
    parse_rescue,
)
from trading.openings.rules.manifest import check_order, check_successor, manifest_root, same_but_station
from trading.openings.rules.orders import ClosedLot, OmittedBid, OpenOrder, OrderedBid, make_order, parse_order
from trading.openings.rules.transcripts import TranscriptItem, make_transcript, parse_transcript
from trading.openings.rules.verdicts import Check, Code, Fault, FaultCode, Finding

HASH = "a" * 64
IDENTITY = "AGE-SECRET-KEY-1" + "Q" * 58


def bid(number: int, **changes: Any) -> OrderedBid:  # noqa: ANN401 - a field
    fields: dict[str, Any] = {
        "bid": f"b-{number}",
        "bidder": f"9131000{number}",
        "envelope_sha256": f"{number:064x}",
        "h": f"{number + 16:064x}",
        "n": number,
        "objection_h": None,
        "seq": 1,
    }
    return OrderedBid(**(fields | changes))


def closed(*bids: OrderedBid | OmittedBid) -> ClosedLot:
    leaves = (ManifestItem(bid=b.bid, envelope_sha256=b.envelope_sha256, h=b.h, seq=b.seq) for b in bids)
    return ClosedLot(
        tender="T-1",
        lot="1",
        stage="all",
        close=1000,
        bids_root=bids_root(tuple(leaves)),
        policy_sha256=HASH,
        schedule_sha256=HASH,
        h="c" * 64,
        n=100,
    )


def order(*bids: OrderedBid, lot: ClosedLot | None = None, **options: Any) -> OpenOrder:  # noqa: ANN401 - an option
    options = {"checkpoint": "note", "station_pk": bytes(1216), "created": 1, **options}
    return parse_order(make_order(lot or closed(*bids), bids, **options))


ORDER = order(bid(1), bid(2))
LOT = closed(bid(1), bid(2))
CHECK = make_share_check(ORDER, {"b-1": Check.OK, "b-2": Check.BAD_LENGTH}, custodian=5, created=7)
RELEASE = make_release(ORDER, {"b-2": None, "b-1": bytes(1169)}, custodian=5, factor_list_sha256=HASH, created=7)
LIST = make_factor_list(ORDER, {"b-2"}, created=8)
ITEM = TranscriptItem(
    bid="b-1",
    envelope_sha256=f"{1:064x}",
    faults=(Fault(custodian=2, code=FaultCode.ABSENT),),
    identity_price=IDENTITY,
    verdict=Code.OK,
    identity_main=IDENTITY,
    manifest_sha256=HASH,
    price_sha256=HASH,
    s_b=bytes(32),
    s_c=b"\x01" * 32,
    shares=(bytes(32) + b"\x01", bytes(32) + b"\x03"),
)
SHUT = TranscriptItem(
    bid="b-2", envelope_sha256=f"{2:064x}", faults=(), identity_price=None, verdict=Code.BIDDER_NO_FACTOR
)
AUDIT = make_transcript(ORDER, [ITEM, SHUT], tier="audit", release_sha256s=[HASH], created=9)
BIDDERS = make_transcript(ORDER, [ITEM, SHUT], tier="bidders", release_sha256s=[HASH], created=9)
DOCUMENTS: dict[str, bytes] = {
    "sb1.open-order": ORDER.raw,
    "sb1.share-check": CHECK,
    "sb1.release": RELEASE,
    "sb1.release-approval": make_approval(order_sha256=HASH, factor_list_sha256=None, custodian=5, created=1),
    "sb1.factor-list": LIST,
    "sb1.factor": make_factor("b-1", HASH, bytes(32)),
    "sb1.rescue": make_rescue("b-1", HASH, s_b=b"", s_c=bytes(32)),
    "sb1.key-disclosure": make_disclosure(HASH, custodian=1, seed=bytes(32), created=1),
    "sb1.objection-decision": make_objection_decision(
        add=False, envelope_sha256=HASH, objection_h=HASH, order_sha256=HASH, created=1
    ),
    "sb1.adjudication": make_adjudication(HASH, {"b-2": Finding.DEALT_BAD}, custodian=5, created=1),
    "sb1.transcript": AUDIT,
}


def test_the_index_knows_every_document() -> None:
    assert set(KINDS) == set(DOCUMENTS)
    for typ, kind in KINDS.items():
        kind.parse(DOCUMENTS[typ])
        assert loads_object(DOCUMENTS[typ])["typ"] == typ


@pytest.mark.parametrize("typ", sorted(DOCUMENTS))
def test_a_missing_an_unknown_and_an_ill_typed_field(typ: str) -> None:
    parse, body = KINDS[typ].parse, loads_object(DOCUMENTS[typ])
    with pytest.raises(InvalidInput, match=r"doc\.unknown_field"):
        parse(dumps({**body, "zz": 1}))
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse(dumps({**body, "v": 2}))
    for name in body:
        with pytest.raises(InvalidInput):
            parse(dumps({key: value for key, value in body.items() if key != name}))
        with pytest.raises(InvalidInput):
            parse(dumps({**body, name: {"ill": True}}))
    with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
        parse(DOCUMENTS[typ] + b"\n")


def test_what_was_written_is_read_back() -> None:
    check = parse_share_check(CHECK)
    assert [(item.bid, item.code) for item in check.items] == [("b-1", Check.OK), ("b-2", Check.BAD_LENGTH)]
    assert (bad_bids(check), covers(ORDER, check)) == (("b-2",), True)
    release = parse_release(RELEASE)
    assert [(item.bid, item.ct) for item in release.items] == [("b-1", bytes(1169)), ("b-2", None)]
    factors = parse_factor_list(LIST)
    assert (factors.valid_bids, lists_exactly(ORDER, factors)) == (("b-2",), True)
    factor = parse_factor(DOCUMENTS["sb1.factor"])
    ack = parse_factor_ack(make_factor_ack(factor, created=3))
    assert (ack.bid, ack.envelope_sha256, ack.factor_sha256) == ("b-1", HASH, factor.sha256)
    rescue = parse_rescue(DOCUMENTS["sb1.rescue"])
    assert (rescue.s_b, rescue.s_c) == (b"", bytes(32))
    assert parse_disclosure(DOCUMENTS["sb1.key-disclosure"]).seed == bytes(32)
    assert parse_objection_decision(DOCUMENTS["sb1.objection-decision"]).decision == "reject"
    assert parse_adjudication(DOCUMENTS["sb1.adjudication"]).items[0].finding is Finding.DEALT_BAD


@pytest.mark.parametrize("typ", ["sb1.factor", "sb1.rescue", "sb1.key-disclosure", "sb1.transcript"])
def test_documents_with_secrets_do_not_print_them(typ: str) -> None:
    shown = repr(KINDS[typ].parse(DOCUMENTS[typ]))
    assert "\\x00\\x00" not in shown
    assert "AGE-SECRET" not in shown


def test_answers_for_another_order_or_other_bids_do_not_count() -> None:
    grown = order(bid(1), bid(2), bid(3))
    assert not covers(grown, parse_share_check(CHECK))
    assert not lists_exactly(grown, parse_factor_list(LIST))
    release = parse_release(RELEASE)
    assert releases_exactly(ORDER, release, ("b-1", "b-2"))
    assert not releases_exactly(ORDER, release, ("b-1",))
    assert not releases_exactly(grown, release, ("b-1", "b-2"))


def test_transcripts_of_both_tiers() -> None:
    audit, bidders = parse_transcript(AUDIT), parse_transcript(BIDDERS)
    assert audit.items == (ITEM, SHUT)
    assert set(loads_object(BIDDERS)["items"][0]) == {"bid", "envelope_sha256", "faults", "identity_price", "verdict"}
    assert bidders.items[0].s_c is None
    for raw, name in ((BIDDERS, "audit"), (AUDIT, "bidders"), (AUDIT, "public")):
        with pytest.raises(InvalidInput):
            parse_transcript(dumps({**loads_object(raw), "tier": name}))
    with pytest.raises(ValueError, match="exactly the bids"):
        make_transcript(ORDER, [ITEM], tier="audit", release_sha256s=[], created=9)


@pytest.mark.parametrize(
    ("held", "disclosed", "completed", "allowed"),
    [
        (0, 0, False, True),
        (0, 1, False, True),
        (0, 2, False, False),
        (1, 0, False, True),
        (1, 1, False, False),
        (1, 2, True, True),
    ],
)
def test_the_disclosure_bound(held: int, disclosed: int, completed: bool, allowed: bool) -> None:  # noqa: FBT001 - cases
    found = disclosure_allowed(k=3, held_by_auditor=held, disclosed_to_auditor=disclosed, completed=completed)
    assert found is allowed


# Orders: the manifest, the predecessor, another station.


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(RuleBroken) as caught:
        act()
    return caught.value.code


def test_a_right_order() -> None:
    check_order(ORDER, LOT)
    assert manifest_root(ORDER) == LOT.bids_root
    check_order(order(), closed())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tender": "T-2"}, "order.policy"),
        ({"policy_sha256": "b" * 64}, "order.policy"),
        ({"schedule_sha256": "b" * 64}, "order.policy"),
        ({"h": "b" * 64}, "order.not_included"),
        ({"n": 101}, "order.not_included"),
        ({"close": 2000}, "order.not_included"),
        ({"bids_root": "b" * 64}, "order.root"),
    ],
)
def test_an_order_that_the_close_record_denies(change: dict[str, Any], code: str) -> None:
    assert code_of(lambda: check_order(ORDER, replace(LOT, **change))) == code


def test_an_order_that_leaves_out_adds_or_exchanges_a_bid() -> None:
    for bids in ([bid(1)], [bid(1), bid(2), bid(3)], [bid(1), bid(2, envelope_sha256=HASH)], [bid(1), bid(2, seq=2)]):
        assert code_of(lambda bids=bids: check_order(order(*bids, lot=LOT), LOT)) == "order.root"  # type: ignore[misc]


def test_a_bid_at_or_after_the_close_entry() -> None:
    late = order(bid(1), bid(2), bid(3, n=100, objection_h=HASH), lot=LOT)
    assert code_of(lambda: check_order(late, LOT)) == "order.late_bid"
    check_order(order(bid(1), bid(2), bid(3, n=99, objection_h=HASH), lot=LOT), LOT)


def test_omitted_bids_stand_in_the_root_and_nowhere_twice() -> None:
    omitted = OmittedBid(bid="b-2", envelope_sha256=f"{2:064x}", h=f"{18:064x}", rejected_h=HASH, seq=1)
    second = replace(LOT, stage="price")
    check_order(order(bid(1), lot=second, omitted=[omitted]), second)
    twice = order(bid(1), bid(2, objection_h=HASH), lot=second, omitted=[omitted])
    assert code_of(lambda: check_order(twice, second)) == "order.malformed"


@pytest.mark.parametrize("stage", ["all", "tech"])
def test_no_bid_is_left_out_before_the_second_stage(stage: str) -> None:
    """There a rejection can only be invented, and a bidder whose bid is in ``omitted`` cannot even object (S9.2)."""
    first = replace(LOT, stage=stage)
    omitted = OmittedBid(bid="b-2", envelope_sha256=f"{2:064x}", h=f"{18:064x}", rejected_h=HASH, seq=1)
    hidden = order(bid(1), lot=first, omitted=[omitted])
    assert code_of(lambda: check_order(hidden, first)) == "order.malformed"


def test_the_first_order_supersedes_nothing_and_every_later_one_does() -> None:
    body = loads_object(ORDER.raw)
    for change in ({"seq": 2}, {"supersedes": HASH}):
        odd = parse_order(dumps({**body, **change}))
        assert code_of(lambda odd=odd: check_order(odd, LOT)) == "order.malformed"  # type: ignore[misc]


def test_a_successor_only_adds() -> None:
    added = bid(3, objection_h=HASH)
    second = order(bid(1), bid(2), added, lot=LOT, previous=ORDER)
    check_successor(ORDER, second)
    assert not same_but_station(ORDER, second)
    third = order(bid(1), bid(2), lot=LOT, previous=second)
    assert code_of(lambda: check_successor(second, third)) == "order.equivocation"
    assert code_of(lambda: check_successor(second, ORDER)) == "order.equivocation"
    skipped = parse_order(dumps({**loads_object(second.raw), "seq": 5, "supersedes": HASH}))
    check_successor(ORDER, skipped)
    wrong = parse_order(dumps({**loads_object(second.raw), "supersedes": HASH}))
    assert code_of(lambda: check_successor(ORDER, wrong)) == "order.equivocation"
    other_lot = parse_order(dumps({**loads_object(second.raw), "lot": "2"}))
    assert code_of(lambda: check_successor(ORDER, other_lot)) == "order.equivocation"


def test_another_station_may_change_only_its_own_fields() -> None:
    moved = order(bid(1), bid(2), lot=LOT, previous=ORDER, station_pk=b"\x01" * 1216, created=9, checkpoint="x")
    assert same_but_station(ORDER, moved)
    for name in ("bids_root", "close", "closed_h", "closed_n", "lot", "policy_sha256", "schedule_sha256", "tender"):
        body = loads_object(moved.raw)
        body[name] = {"close": 5, "closed_n": 5, "lot": "2", "tender": "T-2"}.get(name, "b" * 64)
        assert not same_but_station(ORDER, parse_order(dumps(body)))
