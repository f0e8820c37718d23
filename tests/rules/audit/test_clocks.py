"""When a clock is healthy, what a hold covers, and what chrony's words mean (TE1 T3)."""

from __future__ import annotations

from typing import Any

import pytest

from trading.audit.chrony import ChronyUnavailable, body_of
from trading.audit.rules.clocks import FAR, SILENT, UNSYNCHRONISED, ClockState, Hold, holds, trouble

AT = 1_700_000_000_000


def state(*, offset_us: int = 0, dispersion_us: int = 0, synchronised: bool = True) -> ClockState:
    return ClockState(at=AT, offset_us=offset_us, dispersion_us=dispersion_us, synchronised=synchronised)


@pytest.mark.parametrize(
    ("told", "after", "expected"),
    [
        (state(), 0, None),
        (state(), 120_000, None),
        (state(), 120_001, SILENT),
        (state(offset_us=300_000, dispersion_us=200_000), 0, None),
        (state(offset_us=-300_000, dispersion_us=200_000), 0, None),
        (state(offset_us=300_000, dispersion_us=200_001), 0, FAR),
        (state(offset_us=-500_001), 0, FAR),
        (state(synchronised=False), 0, UNSYNCHRONISED),
        (state(synchronised=False, offset_us=9_000_000), 120_001, SILENT),
    ],
)
def test_health(told: ClockState, after: int, expected: str | None) -> None:
    assert trouble(told, AT + after) == expected


def record(kind: str, at: int, host: str = "database") -> dict[str, Any]:
    return {"kind": kind, "at": at, "body": {"host": host}, "h": f"{kind} {at}"}


def test_holds_are_read_from_their_records() -> None:
    told = [
        record("clock.released", 1),  # ends nothing
        record("clock.hold", 10),
        record("clock.hold", 12, "sequencer"),
        record("clock.hold", 15),  # a second reason prolongs the first
        record("clock.released", 20),
        record("clock.hold", 50),
        record("clock.released", 40),  # the clock was set back meanwhile
    ]
    assert holds(told) == [
        Hold(host="database", first=10, last=20, evidence=("clock.hold 10", "clock.released 20")),
        Hold(host="database", first=40, last=50, evidence=("clock.hold 50", "clock.released 40")),
        Hold(host="sequencer", first=12, last=None, evidence=("clock.hold 12",)),
    ]


TRACKING = "7F000001,127.0.0.1,4,1795677131.575710272,-0.000001552,0.000000069,0.000001014,-0.056,0.002,0.400,{},Normal"
SOURCES = "^,*,ntp.b,3,0,377,0,0.000000551,0.000000120,0.000002636\n^,-,ntp.a,2,6,17,12,-0.002,0.001,0.003\n"


def test_what_chrony_says() -> None:
    assert body_of(TRACKING.format("0.000005202,0.000001135,1.0"), SOURCES) == {
        "dispersion_us": 4,  # 1.135 and half of 5.202
        "leap": "normal",
        "offset_us": -2,
        "sources": [
            {"name": "ntp.a", "offset_us": -2_000, "reach": 0o17},
            {"name": "ntp.b", "offset_us": 1, "reach": 0o377},
        ],
        "stratum": 4,
        "synchronised": True,
    }
    lost = TRACKING.format("1.0,16.0,64.0").replace("Normal", "Not synchronised")
    assert (body_of(lost, "")["synchronised"], body_of(lost, "")["leap"]) == (False, "unsynchronised")


@pytest.mark.parametrize(
    ("tracking", "sources"),
    [
        ("", ""),
        ("506 Cannot talk to daemon", ""),
        (TRACKING.format("x,0.0,1.0"), ""),
        (TRACKING.format("nan,0.0,1.0"), ""),
        (TRACKING.format("inf,0.0,1.0"), ""),
        (TRACKING.format("0.0,0.0,1.0").replace("Normal", "Sideways"), ""),
        (TRACKING.format("0.0,0.0,1.0"), "^,*,ntp.b,3\n"),
        (TRACKING.format("0.0,0.0,1.0"), SOURCES.replace("377", "399")),
    ],
)
def test_an_answer_of_another_form_is_no_state(tracking: str, sources: str) -> None:
    with pytest.raises(ChronyUnavailable):
        body_of(tracking, sources)
