"""Lies told by parties who hold their own keys: everything is signed, logged and witnessed, only the content is wrong.

Each lie changes one field before it is signed or logged; the check that must find it is named.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.made_log import sha256
from tests.support.made_tender import TENDER, Twist
from tests.support.verifying import failures, told, verify_told
from trading.kernel.canonical import dumps

Fields = dict[str, Any]
Change = Callable[[Fields], None]


def lie(subject: str, change: Change) -> Twist:
    """Change every record or document of one kind."""

    def twist(kind: str, fields: Fields) -> Fields:
        if kind != subject:
            return fields
        changed = copy.deepcopy(fields)
        change(changed)
        return changed

    return twist


def put(**values: object) -> Change:
    return lambda fields: fields.update(values)


def add(name: str, amount: int) -> Change:
    return lambda fields: fields.update({name: fields[name] + amount})


def first(name: str, /, **values: object) -> Change:
    """Change the first item of an array."""

    def change(fields: Fields) -> None:
        if fields.get(name):
            fields[name][0].update(values)

    return change


def drop(name: str) -> Change:
    return lambda fields: fields[name].pop()


def leave_out(fields: Fields) -> None:
    """Put the last bid among those rejected at a first stage, which this lot does not have; the root stays right."""
    bid = fields["bids"].pop()
    kept = {name: bid[name] for name in ("bid", "envelope_sha256", "h", "seq")}
    fields["omitted"].append({**kept, "rejected_h": bid["h"]})


def higher_price(fields: Fields) -> None:
    fields["price"]["total"] += 100
    fields["price_sha256"] = sha256(dumps(fields["price"])).hex()


def swapped_ranks(fields: Fields) -> None:
    by_rank = {item["rank"]: item for item in fields["items"]}
    by_rank[1]["rank"], by_rank[2]["rank"] = 2, 1


def ceiling_role(fields: Fields) -> None:
    for row in fields["custodians"]:
        row["role"] = "operator" if row["role"] in ("notary", "association") else row["role"]


def only(condition: Callable[[Fields], bool], change: Change) -> Change:
    return lambda fields: change(fields) if condition(fields) else None


def is_final(fields: Fields) -> bool:
    """The verdict that follows PENDING once the shares are adjudicated (S10 row 9)."""
    return bool(fields["verdict"] != "PENDING")


FALSE_BAD_OF_3 = {"code": "CUSTODIAN_FALSE_BAD", "custodian": 3}  # found only after the combination


def of_kind(kind: str) -> Callable[[Fields], bool]:
    return lambda fields: bool(fields["kind"] == kind)


def of_tier(tier: str) -> Callable[[Fields], bool]:
    return lambda fields: bool(fields["tier"] == tier)


def every(name: str, /, **values: object) -> Change:
    """Change all items of an array."""

    def change(fields: Fields) -> None:
        for row in fields[name]:
            row.update(values)

    return change


def audit_item(**values: object) -> Change:
    return only(of_tier("audit"), first("items", **values))


def other_share(fields: Fields) -> None:
    if fields["tier"] == "audit":
        share = fields["items"][0]["shares"][0]
        fields["items"][0]["shares"][0] = "00" + share[2:] if share[:2] != "00" else "01" + share[2:]


def earlier_close(fields: Fields) -> None:
    if fields["seq"] == 2:
        fields["close"] -= 120 * 60_000


ZERO = "0" * 64
LIES: list[tuple[str, str, Change, str]] = [
    # scenario, record kind or document type, change, the check that finds it
    ("clean", "sb1.policy", put(k=2), "SB-01"),
    ("clean", "sb1.policy", put(k=5), "SB-01"),
    ("clean", "sb1.policy", put(demo=True), "AL-12"),
    ("clean", "sb1.policy", put(price_bytes=5000), "SB-01"),
    ("clean", "sb1.policy", put(tender="T-other"), "SB-01"),
    ("clean", "sb1.policy", ceiling_role, "SB-01"),
    ("clean", "sb1.policy", first("custodians", name="别的机构"), "SB-01"),
    ("clean", "sb1.custodian-key", put(lot="2"), "SB-01"),
    ("clean", "custodian.proved", put(challenge=ZERO), "SB-02"),
    ("clean", "mb.schedule", add("close", 1), "TE-01"),
    ("clean", "mb.schedule", put(seq=2), "TE-01"),
    ("extended", "mb.schedule", earlier_close, "TE-01"),
    ("extended", "mb.schedule", earlier_close, "SB-03"),
    ("extended", "mb.schedule", only(lambda f: f["seq"] == 2, put(supersedes=ZERO)), "TE-01"),
    ("clean", "tender.closed", add("count", 1), "SB-08"),
    ("clean", "tender.closed", put(bids_root=ZERO), "SB-08"),
    ("clean", "tender.closed", add("close", -1000), "SB-03"),
    ("clean", "tender.closed", add("closed_at", -5000), "TE-04"),
    ("clean", "tender.closed", put(heartbeat_size=3), "TE-03"),
    ("clean", "deadline.reached", add("close", -1000), "TE-03"),
    ("clean", "bid.received", add("received_at", 10 * 3_600_000), "SB-07"),
    ("clean", "bid.received", put(sig_sha256=ZERO), "SB-05"),
    ("clean", "bid.received", put(bidder="91310000SOMEONE"), "SB-05"),
    ("clean", "bid.received", put(envelope_sha256=ZERO), "AL-08"),
    ("clean", "bid.received", add("seq", 1), "SB-06"),
    ("clean", "bid.received", put(more=1), "AL-08"),
    ("clean", "sb1.open-order", drop("bids"), "SB-09"),
    ("clean", "sb1.open-order", leave_out, "SB-09"),
    ("clean", "sb1.open-order", add("closed_n", 1), "SB-09"),
    ("clean", "sb1.open-order", add("close", 1000), "SB-09"),
    ("clean", "sb1.open-order", first("bids", n=1), "SB-06"),
    ("clean", "sb1.open-order", first("bids", bidder="91310000SOMEONE"), "SB-17"),
    ("clean", "sb1.open-order", first("bids", objection_h=ZERO), "SB-09"),
    ("objected", "sb1.objection-decision", put(decision="reject"), "SB-09"),
    ("objected", "sb1.open-order", only(lambda f: f["seq"] == 2, drop("bids")), "SB-09"),
    ("objected", "sb1.open-order", only(lambda f: f["seq"] == 2, put(supersedes=ZERO)), "SB-09"),
    ("clean", "sb1.share-check", drop("items"), "SB-10"),
    ("clean", "sb1.share-check", put(custodian=1), "SB-10"),
    ("clean", "share.checked", put(custodian=1), "SB-10"),
    ("clean", "sb1.share-check", put(order_sha256=ZERO), "SB-10"),
    ("false_bad", "sb1.adjudication", first("items", finding="dealt_bad"), "SB-10"),
    ("dealt_bad", "sb1.adjudication", first("items", finding="custodian_fault"), "SB-10"),
    ("dealt_bad", "sb1.adjudication", put(items=[]), "SB-10"),
    ("false_bad", "custodian.key_disclosed", put(custodian=1), "SB-10"),
    ("clean", "factor.opened", add("ends_at", -60_000), "TE-09"),
    ("clean", "factor.revealed", add("received_at", 3_600_000), "SB-11"),
    ("clean", "sb1.factor-list", first("items", result="missing"), "SB-11"),
    ("missing_factor", "sb1.factor-list", every("items", result="valid"), "SB-11"),
    ("clean", "sb1.factor-list", drop("items"), "SB-11"),
    ("clean", "sb1.release", drop("items"), "SB-12"),
    ("clean", "sb1.release", put(factor_list_sha256=ZERO), "SB-12"),
    ("clean", "sb1.release", put(custodian=1), "SB-12"),
    ("clean", "sb1.release", first("items", ct=None), "SB-17"),
    ("no_factor_mode", "sb1.release", put(factor_list_sha256=ZERO), "SB-12"),
    ("three_lost", "release.gaps", put(bids=[]), "SB-14"),
    ("clean", "opening.combined", first("items", verdict="BIDDER_NO_FACTOR"), "SB-17"),
    ("clean", "opening.combined", first("items", faults=[{"code": "CUSTODIAN_ABSENT", "custodian": 1}]), "SB-17"),
    ("two_lost", "opening.combined", first("items", faults=[]), "SB-17"),
    ("missing_factor", "bid.verdict", put(verdict="BIDDER_MALFORMED_SEALING"), "SB-17"),
    ("foreign_share", "bid.verdict", put(verdict="TOO_FEW_SHARES"), "SB-17"),
    ("wrong_content", "bid.verdict", put(verdict="BIDDER_MALFORMED_SEALING"), "SB-17"),
    ("pending", "bid.verdict", put(verdict="TOO_FEW_SHARES"), "SB-17"),
    ("settled_against_bidder", "bid.verdict", only(is_final, put(verdict="TOO_FEW_SHARES")), "SB-17"),
    ("settled_against_custodian", "bid.verdict", only(is_final, drop("faults")), "SB-17"),
    ("late_finding", "opening.combined", every("items", faults=[FALSE_BAD_OF_3]), "SB-17"),
    ("clean", "bid.opened", higher_price, "SB-16"),
    ("clean", "bid.opened", put(price_sha256=ZERO), "SB-17"),
    ("clean", "bid.opened", put(manifest_sha256=ZERO), "SB-15"),
    ("clean", "bid.opened", put(bidder="91310000SOMEONE"), "SB-17"),
    ("clean", "sb1.transcript", audit_item(s_c=ZERO), "SB-14"),
    ("clean", "sb1.transcript", audit_item(s_b=ZERO), "SB-11"),
    ("clean", "sb1.transcript", other_share, "SB-14"),
    ("clean", "sb1.transcript", audit_item(identity_main="AGE-SECRET-KEY-1QQ"), "SB-15"),
    ("clean", "sb1.transcript", audit_item(price_sha256=ZERO), "SB-15"),
    ("clean", "sb1.transcript", only(of_tier("bidders"), first("items", identity_price=None)), "SB-16"),
    ("clean", "sb1.transcript", only(of_tier("bidders"), first("items", verdict="PENDING", faults=[])), "SB-17"),
    ("clean", "sb1.transcript", drop("release_sha256s"), "SB-17"),
    ("clean", "bids.ranked", swapped_ranks, "RK-01"),
    ("clean", "bids.ranked", first("items", evaluated_price=1), "RK-01"),
    ("clean", "bids.ranked", first("items", price=1), "RK-01"),
    ("clean", "bids.ranked", drop("items"), "RK-01"),
    ("clean", "bids.ranked", put(currency="USD"), "RK-01"),
    ("above_ceiling", "bids.ranked", every("items", reason=None), "RK-01"),
    ("tie", "bids.ranked", put(tie=None), "RK-01"),
    ("tie", "bids.ranked", lambda f: f["tie"].update(seed=ZERO), "RK-01"),
    ("clean", "mb.edition", lambda f: f["parameters"][0].update(value=6), "RK-01"),
    ("three_lost", "lot.failed", put(rule="EVL-05"), "RK-01"),
    ("clean", "award.determined", add("price", 1), "RK-02"),
    ("clean", "award.determined", put(bidder="91310000SOMEONE"), "RK-02"),
    ("clean", "award.determined", put(ranked_h=ZERO), "RK-02"),
    ("clean", "mb.notice", only(of_kind("result"), lambda f: f["lots"][0]["award"].update(price=1)), "RK-02"),
    ("clean", "mb.notice", only(of_kind("result"), put(kind="failed")), "RK-02"),
    ("clean", "mb.notice", only(of_kind("result"), put(number=3)), "RK-03"),
    ("clean", "mb.notice", only(of_kind("result"), put(supersedes=None)), "RK-03"),
    ("clean", "mb.notice", add("published_at", 2 * 3_600_000), "RK-03"),
    ("clean", "mb.notice", only(of_kind("tender"), lambda f: f["lots"][0].update(schedule_sha256=ZERO)), "RK-03"),
    ("contracted", "mb.contract", add("price", 1), "RK-02"),
    ("contracted", "mb.contract", put(bid="b-other"), "RK-02"),
    ("contracted", "mb.contract", lambda f: f["supplier"].update(code="91310000SOMEONE"), "RK-02"),
    ("contracted", "mb.contract", put(award_h=ZERO), "RK-02"),
    ("contracted", "mb.contract", put(lot="2"), "RK-02"),
    ("contracted", "mb.contract", put(sign_before=1), "RK-02"),
    ("contracted", "contract.signed", add("price", 1), "RK-02"),
    ("contracted", "mb.notice", only(of_kind("contract"), first("lots", price=1)), "RK-02"),
    ("contracted", "mb.notice", only(of_kind("contract"), first("lots", contract_sha256=ZERO)), "RK-02"),
    ("contracted", "mb.notice", only(of_kind("contract"), first("lots", signed_at=1)), "RK-02"),
    ("contracted", "mb.notice", only(of_kind("contract"), put(kind="cancellation")), "RK-03"),
    ("clean", "key.registered", put(org="91310000SOMEONE"), "AL-07"),
    ("clean", "key.registered", put(role="agency"), "AL-07"),
    ("clean", "key.registered", put(enrol_sha256="ab" * 32), "AL-07"),
    ("clean", "mb.key-enrol", put(role="ack"), "AL-07"),
]


@pytest.mark.parametrize(
    ("scenario", "subject", "change", "check"), LIES, ids=[f"{i}-{row[1]}-{row[3]}" for i, row in enumerate(LIES)]
)
def test_lies_are_found(scenario: str, subject: str, change: Change, check: str) -> None:
    report = verify_told(told(scenario, lie(subject, change)))
    assert check in failures(report), failures(report)
    assert report.exit_code == 1


PUBLIC_LIES = [row for row in LIES if row[3] not in ("SB-14", "SB-15")]


@pytest.mark.parametrize(
    ("scenario", "subject", "change"),
    [(row[0], row[1], row[2]) for row in PUBLIC_LIES if "transcript" not in row[1] and "adjudication" not in row[1]],
)
def test_a_public_bundle_shows_most_of_them(scenario: str, subject: str, change: Change) -> None:
    hidden_in_public = {("false_bad", "custodian.key_disclosed"), ("clean", "sb1.release")}
    hidden_in_public |= {("foreign_share", "bid.verdict"), ("wrong_content", "bid.verdict")}
    hidden_in_public |= {("pending", "bid.verdict"), ("settled_against_bidder", "bid.verdict")}
    report = verify_told(told(scenario, lie(subject, change)), "public", "bidders")
    if (scenario, subject) not in hidden_in_public:
        assert report.exit_code == 1


def test_the_custodian_of_a_dealt_bad_share_needs_no_scapegoat() -> None:
    report = verify_told(told("dealt_bad"))
    assert failures(report) == {}


def test_a_lie_about_the_demo_is_one_about_the_policy() -> None:
    report = verify_told(told("demo", lie("sb1.policy", put(demo=False))))
    assert "AL-12" in failures(report)
    assert TENDER in report.facts["bundle"]
