"""The published bid of SB1 S18.4 and the labels of S18.5 through the agents' own code; proof of non-opening (S12)."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from agents.custodian.shares import open_share
from agents.station.combine import BidInput, combine_bid
from agents.station.reading import Folder, open_bid
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.policy import parse_policy
from trading.crypto.keys import XWingPrivateKey, pop_info, release_info
from trading.crypto.shares import combine
from trading.kernel.encoding import b64u_decode
from trading.openings.rules.verdicts import Check, Code, CustodianFacts, Release

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "protocols.json").read_text())
OPEN = VECTORS["sb1_open"]
CEREMONY = VECTORS["sb1_ceremony"]
POLICY = parse_policy(OPEN["policy"].encode())
ENVELOPE = parse_envelope(OPEN["envelope"].encode())
KEYS = [XWingPrivateKey.from_seed(bytes.fromhex(seed)) for seed in OPEN["custodian_seeds"]]
SHARES = {i: bytes.fromhex(text) for i, text in enumerate(OPEN["expect"]["shares"], 1)}


def facts(released: tuple[int, ...]) -> list[CustodianFacts]:
    return [
        CustodianFacts(index=i, check=Check.OK, release=Release.GOOD if i in released else Release.ABSENT)
        for i in range(1, 6)
    ]


def bid(released: tuple[int, ...] = (1, 2, 3, 4, 5)) -> BidInput:
    return BidInput(
        bid=ENVELOPE.bid,
        envelope_sha256=ENVELOPE.sha256,
        envelope=ENVELOPE,
        copied=False,
        parts_stored=True,
        custodians=facts(released),
        good_shares={i: SHARES[i] for i in released},
        s_b=bytes.fromhex(OPEN["s_b"]),
        factor_listed=True,
    )


def test_every_custodian_opens_the_expected_share_and_no_other() -> None:
    for index, key in enumerate(KEYS, 1):
        opened = open_share(key, ENVELOPE.shares[index - 1], ENVELOPE.context)
        assert (opened.code, opened.share) == (Check.OK, SHARES[index])
        other = open_share(key, ENVELOPE.shares[index % 5], ENVELOPE.context)
        assert (other.code, other.share) == (Check.HPKE_OPEN_FAILED, None)
        rehearsal = replace(ENVELOPE.context, stage="rehearsal")
        assert open_share(key, ENVELOPE.shares[index - 1], rehearsal).code is Check.HPKE_OPEN_FAILED


@pytest.mark.parametrize("released", list(combinations(range(1, 6), 3)))
def test_any_three_shares_open_the_published_bid(tmp_path: Path, released: tuple[int, ...]) -> None:
    combined = combine_bid(bid(released), POLICY)
    assert combined.verdict.code is Code.OK
    assert combined.secrets is not None
    assert combined.secrets.s_c.hex() == OPEN["expect"]["s_c"]
    parts = tmp_path / "parts"
    parts.mkdir()
    part = ENVELOPE.parts[0]
    (parts / f"{part.sha256}.age").write_bytes(b64u_decode(OPEN["price_age_b64u"]))
    opened = open_bid(combined, POLICY, Folder(parts=parts, revealed=tmp_path / "revealed"))
    assert opened.verdict.code.value == OPEN["expect"]["verdict"]
    assert opened.identity_price == OPEN["expect"]["identity_price"]
    assert opened.price is not None
    assert opened.price.raw.decode() == OPEN["expect"]["price_json"]
    plaintext = tmp_path / "revealed" / ENVELOPE.bid / "price.opened"
    assert plaintext.stat().st_size == OPEN["expect"]["price_plaintext_bytes"]


def test_two_shares_give_nothing() -> None:
    """k − 1 custodians, or k − 1 disclosed keys (S9.4), know nothing of the secret."""
    for pair in combinations(range(1, 6), 2):
        combined = combine_bid(bid(pair), POLICY)
        assert (combined.secrets, combined.verdict.code) == (None, Code.TOO_FEW_SHARES)
        assert combine([SHARES[i] for i in pair]).hex() != OPEN["expect"]["s_c"]


def test_proof_of_possession_and_release_of_the_vectors() -> None:
    document = CEREMONY["custodian_key"].encode()
    challenge = KEYS[0].open(pop_info(document), b64u_decode(CEREMONY["pop"]["ct_b64u"]))
    assert challenge.hex() == CEREMONY["pop"]["challenge"]
    release = CEREMONY["release"]
    station = XWingPrivateKey.from_seed(bytes.fromhex(release["station_seed"]))
    names = bytes.fromhex(release["order_sha256"]), bytes.fromhex(OPEN["envelope_sha256"])
    assert station.open(release_info(1, *names), b64u_decode(release["ct_b64u"])) == SHARES[1]
