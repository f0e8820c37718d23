"""SB-21 and the verdict by intake receipt: what the supervisor's intake took, and every lie about it (SB1 S7.6, T7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.campaigns import LONG
from tests.support.made_intake import HANDED, MadeIntake, handed_over, to_the_end, until_close
from tests.support.made_tender import LOT, MINUTE, SCENARIOS, TENDER, Tender
from tests.support.verifying import failures, state_of, verify_told
from tests.verifier.test_lies import ZERO, Change, lie, put
from verifier.report import STATE_OK

PROVEN = "5 of 5 bids PROVEN_ON_TIME"


def notes_of(tender: Tender, check_id: str, kind: str = "auditor", tier: str = "audit") -> str:
    report = verify_told(tender, kind, tier)
    return " ".join(text for check in report.checks if check.id == check_id for _, text in check.notes)


@pytest.mark.parametrize(
    ("kind", "tier"), [("public", "bidders"), *([("public", "public"), ("audit", "audit")] * LONG)]
)
def test_bids_that_came_through_the_intake_are_proved_on_time(kind: str, tier: str) -> None:
    tender, intake = handed_over()
    to_the_end(tender, lambda: intake.enter(tender))
    report = verify_told(tender, kind, tier)
    assert (failures(report), state_of(report, "SB-21")) == ({}, STATE_OK)
    assert PROVEN in notes_of(tender, "TE-05", kind, tier)


@pytest.mark.parametrize(("witnessed", "proven"), [(0, 3), *([(-1_000, 5)] * LONG)])
def test_the_bound_of_the_intake_receipt_is_exclusive_of_the_deadline(witnessed: int, proven: int) -> None:
    """A cosignature of second t proves nothing before 1000·t + 999: that of the last second before it, just so (T7)."""
    tender, intake = until_close()
    for number in HANDED:
        intake.take(tender, tender.bids[number], tender.close - MINUTE, witnessed_at=tender.close + witnessed)
    to_the_end(tender, lambda: intake.enter(tender))
    assert f"{proven} of 5 bids PROVEN_ON_TIME" in notes_of(tender, "TE-05")
    assert failures(verify_told(tender)) == {}


def test_an_intake_that_backdates_without_a_witness_is_found_when_the_close_had_to_wait() -> None:
    """Nothing shows that its envelopes existed before the deadline, and the platform's log had them too late (T7)."""
    tender, intake = handed_over(cosigners=1)

    def late() -> dict[str, str]:
        tender.wait(tender.close + 10 * MINUTE)
        tender.log.witness(tender.now)
        return intake.enter(tender)

    to_the_end(tender, late)
    assert failures(verify_told(tender)).keys() == {"SB-07", "TE-05"}


@pytest.mark.skipif(not LONG, reason="a campaign")
def test_with_a_witness_the_same_wait_harms_nobody() -> None:
    tender, intake = handed_over()

    def late() -> dict[str, str]:
        tender.wait(tender.close + 10 * MINUTE)
        tender.log.witness(tender.now)
        return intake.enter(tender)

    to_the_end(tender, late)
    assert failures(verify_told(tender)) == {}
    assert PROVEN in notes_of(tender, "TE-05")


@pytest.mark.parametrize(("after", "found"), [(0, {"SB-07"}), *([(-1, set()), (1, {"SB-07"})] * LONG)])
def test_an_envelope_that_the_intake_had_at_the_deadline_is_late(after: int, found: set[str]) -> None:
    tender, intake = handed_over(before_ms=-after)
    to_the_end(tender, lambda: intake.enter(tender))
    assert failures(verify_told(tender)).keys() == found


def test_a_platform_that_leaves_out_a_listed_envelope_is_found() -> None:
    tender, intake = handed_over()
    tender.bids[3].withdrawn = True  # the platform orders the opening without it
    to_the_end(tender, lambda: intake.enter(tender, left_out={3}))
    assert any("was left out" in each for each in failures(verify_told(tender))["SB-21"])
    assert "tier audit alone" in notes_of(tender, "SB-21", "public", "bidders")


def refused(tender: Tender, intake: MadeIntake, code: str, received_at: int | None = None) -> dict[str, str]:
    """Enter all but the last bidder's envelope, which is refused."""
    left = next(each for each in intake.handed.values() if each.bid.number == 3)
    named = intake.enter(tender, left_out={3})
    body = {
        "code": code,
        "envelope_sha256": left.body["envelope_sha256"],
        "queue_ms": 0,
        "received_at": left.body["received_at"] if received_at is None else received_at,
    }
    tender.record("bid.refused", body, "lot:1", public=False)
    return named


@pytest.mark.parametrize("code", ["bid.version_conflict", *(["bid.late"] * LONG)])
def test_an_invented_reason_for_refusing_a_listed_envelope_is_found(code: str) -> None:
    tender, intake = handed_over()
    tender.bids[3].withdrawn = True
    to_the_end(tender, lambda: refused(tender, intake, code))
    assert any("reason that the records do not show" in each for each in failures(verify_told(tender))["SB-21"])


def test_an_envelope_that_does_not_continue_its_bid_is_refused_rightly() -> None:
    """Bidder 3 handed the intake its first version and then, again, another first version."""
    tender, intake = until_close()
    bid = tender.bids[3]
    intake.take(tender, tender.bids[1], tender.close - MINUTE)
    intake.take(tender, bid, tender.close - MINUTE)
    first = bid.versions.pop()
    intake.take(tender, bid, tender.close - MINUTE // 2)
    second = bid.versions.pop()
    bid.versions.append(first)
    taken = intake.handed.pop(second.sha256)

    def enter() -> dict[str, str]:
        named = intake.enter(tender)
        body = {name: taken.body[name] for name in ("envelope_sha256", "queue_ms", "received_at")}
        tender.record("bid.refused", {**body, "code": "bid.version_conflict"}, "lot:1", public=False)
        intake.handed[second.sha256] = taken
        tender.documents.pop(named["intake_list_sha256"])
        return {"intake_list_sha256": tender.document(intake.list_of(tender), tender.supervisor)}

    to_the_end(tender, enter)
    report = verify_told(tender)
    assert (failures(report), state_of(report, "SB-21")) == ({}, STATE_OK)


LIES: list[tuple[str, Change]] = [
    ("sb1.intake-list", put(created=1)),
    ("sb1.intake-list", put(stage="tech")),
    ("sb1.intake-list", put(policy_sha256=ZERO)),
    ("sb1.intake-list", lambda fields: fields["envelopes"].pop()),
    ("sb1.intake-receipt", put(bid="b-other")),
    ("bid.received", lambda fields: fields.pop("intake_receipt_sha256", None)),
    ("tender.closed", lambda fields: fields.pop("intake_list_sha256")),
    ("mb.schedule", put(intake=None)),
    ("mb.schedule", lambda fields: fields.update(intake={**fields["intake"], "origin": "other.example/log"})),
]


TOLD = LIES if LONG else LIES[:1]


@pytest.mark.parametrize(("subject", "change"), TOLD, ids=[f"{i}-{row[0]}" for i, row in enumerate(TOLD)])
def test_lies_about_the_intake_are_found(subject: str, change: Change) -> None:
    tender, intake = handed_over(lie(subject, change))
    to_the_end(tender, lambda: intake.enter(tender))
    assert "SB-21" in failures(verify_told(tender))


@pytest.mark.skipif(not LONG, reason="a campaign")
def test_a_time_that_the_receipt_does_not_say_is_found() -> None:
    def later(fields: dict[str, Any]) -> None:
        if fields["via"] == "intake":
            fields["received_at"] += 1

    tender, intake = handed_over(lie("bid.received", later))
    to_the_end(tender, lambda: intake.enter(tender))
    found = failures(verify_told(tender))
    assert any("says something else" in each for each in found["SB-21"])


def test_an_intake_whose_log_does_not_follow_its_clock_is_found() -> None:
    """Backdating a record alone, without the entry: more than a minute between the two (as TE-06)."""
    tender, intake = until_close()
    for number, before in zip(HANDED, (MINUTE, 2 * MINUTE), strict=True):
        intake.take(tender, tender.bids[number], tender.close - before)
    to_the_end(tender, lambda: intake.enter(tender))
    assert any("another time" in each for each in failures(verify_told(tender))["SB-21"])


@pytest.mark.skipif(not LONG, reason="a campaign")
def test_a_key_of_the_platform_or_of_a_witness_is_no_intake() -> None:
    signer = Tender(SCENARIOS["clean"]).log.signer
    named = {"origin": signer.name, "vkey": signer.vkey}
    tender, intake = handed_over(lie("mb.schedule", put(intake=named)))
    to_the_end(tender, lambda: intake.enter(tender))
    assert any("log or witness" in each for each in failures(verify_told(tender))["SB-21"])


def test_a_close_without_the_list_needs_agency_and_supervisor() -> None:
    tender, _ = until_close()
    for number in HANDED:
        tender.bids[number].withdrawn = True

    def confirmed() -> dict[str, str]:
        tender.record("closing.blocked", {"reason": "intake", **LOT})
        fields = {
            "close": tender.close,
            "created": tender.now,
            "reason": "intake",
            "tender": TENDER,
            "typ": "mb.closing-confirmation",
            **LOT,
        }
        name = tender.document(fields, tender.agency, tender.supervisor)
        tender.record("closing.confirmed", {"doc_sha256": name, "reason": "intake", **LOT})
        return {}

    to_the_end(tender, confirmed)
    assert failures(verify_told(tender)) == {}
    assert "agency and supervisor confirmed" in notes_of(tender, "SB-21")


def test_a_receipt_of_another_log_proves_nothing() -> None:
    """The platform shows a receipt that its own log signed under the intake's name."""
    tender, intake = handed_over()
    for sha256, handed in list(intake.handed.items()):
        head, _, checkpoint = handed.proof.partition("\n\n")
        text, _, lines = checkpoint.partition("\n\n")
        kept = "\n".join(line for line in lines.split("\n") if not line.startswith("— intake."))
        signed = tender.log.signer.line(text + "\n").replace(tender.log.origin, "intake.example/log")
        intake.handed[sha256] = type(handed)(handed.bid, handed.body, f"{head}\n\n{text}\n\n{signed}{kept}")
    to_the_end(tender, lambda: intake.enter(tender))
    assert any("no signature of the log" in each for each in failures(verify_told(tender))["SB-21"])
