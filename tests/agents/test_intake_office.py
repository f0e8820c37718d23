"""The intake's decisions, to the millisecond and without a network: what it takes, when it tells (SB1 S7.6)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from agents.intake.log import IntakeLog
from agents.intake.office import Office, PartsMissing
from agents.intake.state import IntakeState
from agents.sealing import SealedBid, seal_bid
from tests.build.sealed_lot import CLOSE, Lot, signer
from trading.audit.rules.policy import parse_policy
from trading.audit.sequencer.writer import LogSigner
from trading.bids.rules.intake import Obtained
from trading.bids.rules.policy import PolicyPackage
from trading.bids.rules.price import build_price, pad_price
from trading.bids.rules.schedule import SCHEDULE, Intake
from trading.crypto.signatures import sign_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.storage.local import LocalStore

SIGNER = LogSigner("demo.intake.test/log", bytes([5]) * 32)
OWN = Intake(origin=SIGNER.origin, vkey=SIGNER.key.vkey)
BIDDER, SUPERVISOR = signer(7), signer(8)
LOT = Lot(parts=("price",))


@dataclass
class Still:
    """A clock that a test sets."""

    ms: int = CLOSE - 60_000

    def now_ms(self) -> int:
        return self.ms


def schedule(**changes: Any) -> bytes:  # noqa: ANN401 - fields of the schedule
    body = loads_object(LOT.schedule_bytes)
    fields = {name: value for name, value in body.items() if name not in {"typ", "v"}}
    named = {"origin": OWN.origin, "vkey": OWN.vkey}
    return SCHEDULE.write({**fields, "intake": named, **changes})


def package(raw: bytes) -> PolicyPackage:
    return replace(LOT.package, schedule=sign_document(raw, LOT.agency))


@cache
def sealed() -> SealedBid:
    context = LOT.context(BIDDER)
    price = pad_price(build_price(context, currency="CNY", total=1), LOT.policy.price_bytes or 0)
    return seal_bid(context=context, policy=LOT.policy, parts={"price": price}, signer=BIDDER)


def request(**changes: Any) -> bytes:  # noqa: ANN401 - members of the request
    body = {
        "envelope": sealed().envelope.wire(),
        "held": [],
        "key": b64u(BIDDER.spki),
        "package": package(schedule()).wire(),
    }
    return dumps({**body, **changes})


@contextmanager
def office(folder: Path) -> Iterator[tuple[Office, Still]]:
    IntakeState.create(folder, SIGNER.key.vkey)
    clock, state = Still(), IntakeState(folder)
    log = IntakeLog(folder, SIGNER, state, parse_policy(f"log {SIGNER.key.vkey}\nquorum none\n"), clock)
    parts = LocalStore(folder / "parts")
    found = Office(
        own=OWN,
        trust=LOT.trust,
        signer=SUPERVISOR,
        state=state,
        log=log,
        parts=parts,
        clock=clock,
        witnessed_s=0.0,  # nobody witnesses this log
    )
    try:
        yield found, clock
    finally:
        found.close()


def send_part(found: Office) -> None:
    (data,) = sealed().parts.values()
    with pytest.raises(PartsMissing):
        found.take(request(), time.monotonic())
    found.store(sha256_hex(data), len(data), BytesIO(data))


def question(raw: bytes = b"", **changes: Any) -> bytes:  # noqa: ANN401 - members of the question
    body = {"lot": LOT.lot, "policy_sha256": LOT.policy.sha256, "stage": LOT.stage}
    signed = sign_document(raw or schedule(), LOT.agency)
    return dumps({**body, "schedules": [signed.wire()], **changes})


@pytest.mark.parametrize("after", [0, 1])
def test_what_comes_at_the_deadline_is_late_and_not_listed(tmp_path: Path, after: int) -> None:
    with office(tmp_path) as (found, clock):
        send_part(found)
        clock.ms = CLOSE + after
        with pytest.raises(RuleBroken, match=r"bid\.late"):
            found.take(request(), time.monotonic())
        assert listed(found).listed.envelopes == ()


def test_what_comes_before_the_deadline_is_listed_when_it_has_passed(tmp_path: Path) -> None:
    with office(tmp_path) as (found, clock):
        send_part(found)
        clock.ms = CLOSE - 1
        answer, repeated = found.take(request(), time.monotonic())
        assert (answer["received_at"], answer["state"], repeated) == (CLOSE - 1, "logged", False)
        with pytest.raises(RuleBroken, match=r"intake\.not_over"):
            listed(found)
        clock.ms = CLOSE
        assert found.take(request(), time.monotonic()) == (answer, True)  # the same bytes again
        told = listed(found).listed
        assert (told.envelopes, told.created) == ((sealed().envelope.sha256,), CLOSE)


def listed(found: Office) -> Obtained:
    return Obtained.read(dumps(dict(found.list_of(LOT.policy.sha256, question()))))


def test_no_list_before_a_later_deadline_that_the_agency_signed(tmp_path: Path) -> None:
    """The closer shows the first schedule; a bidder has shown the one after it."""
    with office(tmp_path) as (found, clock):
        later = schedule(close=CLOSE + 3_600_000, seq=2, supersedes=sha256_hex(schedule()))
        with pytest.raises(PartsMissing):
            found.take(request(package=package(later).wire()), time.monotonic())
        clock.ms = CLOSE + 1
        with pytest.raises(RuleBroken, match=r"intake\.not_over"):
            found.list_of(LOT.policy.sha256, question())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": b64u(signer(9).spki)}, "sig.invalid"),
        ({"held": 1}, "intake.malformed"),
        ({"more": 1}, "intake.malformed"),
        ({"envelope": {"doc": "e30", "sigs": []}}, "doc."),
        ({"package": LOT.package.wire()}, "intake.not_named"),
        ({"package": package(schedule(intake={"origin": "x", "vkey": OWN.vkey})).wire()}, "intake.not_named"),
    ],
)
def test_what_the_intake_refuses(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    with office(tmp_path) as (found, _), pytest.raises(InvalidInput, match=code):
        found.take(request(**changes), time.monotonic())


def test_a_schedule_that_the_agency_did_not_sign_opens_nothing(tmp_path: Path) -> None:
    forged = replace(LOT.package, schedule=sign_document(schedule(close=CLOSE + 3_600_000), BIDDER))
    with office(tmp_path) as (found, clock):
        clock.ms = CLOSE
        with pytest.raises(InvalidInput, match=r"sig\.missing"):
            found.take(request(package=forged.wire()), time.monotonic())
        with pytest.raises(InvalidInput, match=r"sig\.missing"):
            found.list_of(LOT.policy.sha256, question(schedules=[forged.schedule.wire()]))


def test_only_parts_that_a_signed_envelope_names_are_stored(tmp_path: Path) -> None:
    (data,) = sealed().parts.values()
    with office(tmp_path) as (found, _):
        with pytest.raises(NotFound):
            found.store(sha256_hex(data), len(data), BytesIO(data))
        with pytest.raises(PartsMissing):
            found.take(request(), time.monotonic())
        for wrong in (data[:-1], data[:-1] + b"x"):
            with pytest.raises(InvalidInput, match=r"bid\.part_mismatch"):
                found.store(sha256_hex(data), len(wrong), BytesIO(wrong))
        found.store(sha256_hex(data), len(data), BytesIO(data))
        with pytest.raises(NotFound):
            found.receipt(sealed().envelope.sha256)
