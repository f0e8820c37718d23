"""A synthetic bidder against platforms that are not as they should be: it says why, keeps it, and goes on (TE1 T6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request
from typing_extensions import override

from agents.probe.rounds import Prober, code_of
from agents.probe.state import Head, Identity, ProbeState
from tests.build.signed_log import ORIGIN, policy_text
from tests.support.serving import serving
from trading.bids.rules import hidden
from trading.bids.rules.probing import LONGEST_REASON, ROUND_MS, parse_rounds
from trading.crypto.keyfiles import save_es256
from trading.crypto.keys import xwing_public_key
from trading.crypto.signatures import Es256Signer, SignedDocument, verify_es256
from trading.kernel.canonical import loads_object
from trading.kernel.clock import FixedClock
from trading.kernel.encoding import b64u

NOW = 1_700_000_000_000


@pytest.fixture
def state(tmp_path: Path) -> ProbeState:
    save_es256(tmp_path / "bidder.key", Es256Signer.generate(), None)
    keys = [xwing_public_key(bytes([number]) * 32) for number in range(3)]
    identity = Identity(
        vantage="operator",
        bidder="91110108MA0DEMO11X",
        tender="T-2026-2k7m4x9p",
        bid="b-1",
        policy=b64u(hidden.policy("T-2026-2k7m4x9p", keys)),
        origin=ORIGIN,
        log_policy=policy_text(),
    )
    ProbeState.create(tmp_path, identity, "pt_token")
    return ProbeState(tmp_path)


@contextmanager
def platform(
    envelope: tuple[int, dict[str, Any]], receipt: dict[str, Any] | None = None
) -> Iterator[tuple[str, list[Any]]]:
    """Serve a platform with one answer to every envelope; yield its address and the envelopes that came."""
    app, came = Flask("platform"), list[Any]()

    @app.post("/api/v1/bids/<bid>/parts")
    def part(bid: str) -> Response:
        return jsonify({"bid": bid})

    @app.post("/api/v1/bids/<bid>/envelope")
    def submit(bid: str) -> tuple[Response, int]:
        came.append(loads_object(SignedDocument.from_wire(request.get_data()).doc))
        assert bid == "b-1"
        return jsonify(envelope[1]), envelope[0]

    @app.get("/api/v1/receipts/<h>")
    def best(h: str) -> Response:
        return jsonify({"h": h, "state": "acknowledged"} if receipt is None else receipt)

    with serving(app) as address:
        yield address, came


def prober(state: ProbeState, address: str) -> Prober:
    """Return a prober whose pauses take their time on its own watch alone."""
    elapsed = [0.0]

    def pause(seconds: float) -> None:
        elapsed[0] += seconds

    return Prober(state, address, FixedClock(NOW), monotonic=lambda: elapsed[0], pause=pause)


class Right(Prober):
    """One whose receipt is always right."""

    @override
    def _submit(self, began: float) -> None:
        assert began == 0.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((422, {"code": "bid.closed"}), "bid.closed"),
        ((503, {"code": "busy"}), "busy"),
        ((500, {}), "http.500"),
        ((404, {"code": "没有" * 40}), code_of("没有" * 40)),
        ((422, {"code": "bid.version_conflict", "stands": {"seq": "no"}}), "answer.malformed"),
        ((422, {"code": "bid.version_conflict", "stands": None}), "bid.version_conflict"),
        ((202, {"h": "00", "state": "acknowledged"}), "receipt.missing"),  # never LOGGED
        ((201, {"receipt": "not a receipt"}), "receipt.malformed"),
        ((201, {"receipt": 5}), "receipt.malformed"),
    ],
)
def test_a_round_that_fails_says_why_and_is_kept(
    state: ProbeState, answer: tuple[int, dict[str, Any]], reason: str
) -> None:
    with platform(answer) as (address, _):
        result = prober(state, address).round()
    assert (result.ok, result.reason, result.start) == (False, reason, NOW)
    assert parse_rounds(state.untold()) == [result]  # it may be told as it is
    (line,) = (state.part.parent / "rounds.jsonl").read_bytes().splitlines()
    signed = SignedDocument.from_wire(line)
    verify_es256(state.signer.spki, signed.doc, signed.sigs[0])
    assert loads_object(signed.doc)["reason"] == reason


def test_nobody_answers_and_nothing_is_lost(state: ProbeState) -> None:
    probing = prober(state, "http://127.0.0.1:9")
    assert probing.round().reason == "unreachable"
    assert not probing.tell()
    assert len(ProbeState(state.part.parent).untold()) == 1  # also after a restart


def test_a_receipt_that_comes_too_late_is_none(state: ProbeState) -> None:
    for ms, reason in ((ROUND_MS, None), (ROUND_MS + 1, "too_slow")):
        watch = iter([0.0, ms / 1000]).__next__
        probing = Right(state, "http://127.0.0.1:9", FixedClock(NOW + ms), monotonic=watch)
        assert probing.round().reason == reason


def test_the_version_that_stands_is_learnt_after_a_lost_answer(state: ProbeState) -> None:
    stands = {"code": "bid.version_conflict", "stands": {"seq": 7, "sha256": "ab" * 32}}
    with platform((422, stands)) as (address, came):
        assert prober(state, address).round().reason == "bid.version_conflict"  # both times
    assert [each["seq"] for each in came] == [1, 8]
    assert came[1]["supersedes"] == "ab" * 32
    assert state.head == Head(seq=7, sha256="ab" * 32)
    assert came[0]["parts"][0]["sha256"] != came[1]["parts"][0]["sha256"]  # sealed anew (SB1 S7.5)


@pytest.mark.parametrize(
    ("text", "told"), [("", "unnamed"), ("x" * 65, "x" * LONGEST_REASON), ("忙", "?"), ("busy", "busy")]
)
def test_a_code_is_told_as_it_may_be(text: str, told: str) -> None:
    assert code_of(text) == told


def test_the_folder_of_a_probe_is_never_overwritten(state: ProbeState) -> None:
    before = json.loads((state.part.parent / "probe.json").read_bytes())
    with pytest.raises(Exception, match="exists"):
        ProbeState.create(state.part.parent, state.identity, "pt_other")
    assert json.loads((state.part.parent / "probe.json").read_bytes()) == before
