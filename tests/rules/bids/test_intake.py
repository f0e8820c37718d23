"""What the closer and the bidder believe of an intake: list, receipt, key (SB1 S7.6)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.support.made_intake import HANDED, ORIGIN, Handed, MadeIntake, until_close
from tests.support.made_log import TYPE_LOG, note_signer
from tests.support.made_tender import LOT, TENDER, Tender
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.closing import INTAKE_LIST
from trading.bids.rules.intake import Handed as Listed
from trading.bids.rules.intake import Obtained, intake_policy, read_receipt, require_list
from trading.bids.rules.schedule import Intake
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import SignedDocument
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput


@cache
def story() -> tuple[Tender, MadeIntake, dict[int, Handed]]:
    """Two envelopes in the log of an intake; the second was logged a minute and 40 ms after it came."""
    tender, intake = until_close()
    later = tender.close - 60_000
    for number, received_at in zip(HANDED, (later, later - 60_001), strict=True):
        intake.take(tender, tender.bids[number], received_at)
    return tender, intake, {each.bid.number: each for each in intake.handed.values()}


def signed_of(handed: Handed) -> SignedDocument:
    tender, _, _ = story()
    doc, sigs = tender.documents[handed.bid.sealed.sha256]
    return SignedDocument(doc, tuple(sigs))


def read(number: int, *, signed: int | None = None, tender: str = TENDER, named: Intake | None = None) -> int:
    """Read the receipt of a bidder as that of an envelope."""
    told, intake, handed = story()
    policy = intake_policy(named or Intake(**intake.named), parse_policy(told.log.policy))
    of = signed_of(handed[number if signed is None else signed])
    return read_receipt(handed[number].proof.encode(), of, tender, policy, verify_note_signature).received_at


def test_a_receipt_says_when_the_intake_received_it() -> None:
    assert read(1) == story()[0].close - 60_000


def test_a_receipt_of_something_else_or_of_another_time_is_none() -> None:
    first, second = HANDED
    with pytest.raises(InvalidInput, match=r"intake\.mismatch"):
        read(first, signed=second)
    with pytest.raises(InvalidInput, match=r"intake\.mismatch"):
        read(first, tender="T-other")
    with pytest.raises(InvalidInput, match=r"another time"):
        read(second)


def test_the_key_is_that_of_the_schedule_and_nobody_elses() -> None:
    tender, intake, _ = story()
    log, witness = tender.log.signer, tender.log.witnesses[0]
    for name, vkey in (("other.example", intake.named["vkey"]), (log.name, log.vkey), (witness.name, witness.vkey)):
        with pytest.raises(InvalidInput, match=r"intake\.bad_key"):
            read(1, named=Intake(origin=name, vkey=vkey))
    stranger = note_signer(ORIGIN, TYPE_LOG, 9)
    with pytest.raises(InvalidInput):
        read(1, named=Intake(origin=ORIGIN, vkey=stranger.vkey))


def listed(**changes: Any) -> Obtained:  # noqa: ANN401 - fields of the list
    tender, _, handed = story()
    envelopes = tuple(
        Listed(signed=signed_of(each), proof=each.proof.encode())
        for each in sorted(handed.values(), key=lambda each: each.bid.sealed.sha256)
    )
    fields = {"created": tender.close, "envelopes": [each.signed.sha256 for each in envelopes], **LOT}
    raw = INTAKE_LIST.write({**fields, "policy_sha256": tender.policy_sha256, **changes})
    return Obtained.of(SignedDocument(raw), envelopes)


@pytest.mark.parametrize(("after", "code"), [(-1, "intake.too_early"), (0, None), (1, None)])
def test_a_list_is_made_when_the_deadline_has_passed(after: int, code: str | None) -> None:
    tender, _, _ = story()
    place = {"lot": "1", "stage": "all", "policy_sha256": tender.policy_sha256}
    obtained = listed(created=tender.close + after)
    if code is None:
        require_list(obtained, **place, close=tender.close)
    else:
        with pytest.raises(InvalidInput, match=code):
            require_list(obtained, **place, close=tender.close)
    for name in place:
        with pytest.raises(InvalidInput, match=r"intake\.other_lot"):
            require_list(obtained, **{**place, name: "tech"}, close=tender.close)


def test_an_answer_has_exactly_what_is_on_its_list() -> None:
    whole = listed()
    assert Obtained.read(dumps(whole.wire())) == whole
    with pytest.raises(InvalidInput, match=r"intake\.malformed"):
        listed(envelopes=["ab" * 32])
    for wire in (
        {"list": whole.wire()["list"]},
        {**whole.wire(), "handed": whole.wire()["handed"][:1]},
        {**whole.wire(), "handed": [{"envelope": {}}]},
    ):
        with pytest.raises(InvalidInput):
            Obtained.read(dumps(wire))
