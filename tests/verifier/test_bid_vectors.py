"""Vectors of SB1 S18: derivation, a complete sealed bid, the ceremony's other labels, X-Wing keys."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from verifier.age import AgeError, open_age
from verifier.contents import read_price
from verifier.dealing import context_of, deal, factor_commitment, file_digest, part_identity, share_commitment
from verifier.doctypes import DOCUMENT_RULES
from verifier.encoding import b64u_decode
from verifier.es256 import verify_es256
from verifier.hashing import digest, hex_digest
from verifier.hpke import (
    HpkeAbsent,
    HpkeFault,
    challenge_info,
    hpke_open,
    hpke_public_key,
    release_info,
    share_info,
)
from verifier.shamir import combine_shares

VECTORS: dict[str, Any] = json.loads(Path("tests/vectors/protocols.json").read_text("utf-8"))
DERIVE, OPEN, CEREMONY = VECTORS["sb1_derive"], VECTORS["sb1_open"], VECTORS["sb1_ceremony"]


def test_derivation() -> None:
    ctx = DERIVE["ctx"].encode()
    assert digest(ctx).hex() == DERIVE["ctx_sha256"]
    s_c, s_b = bytes.fromhex(DERIVE["s_c"]), bytes.fromhex(DERIVE["s_b"])
    dealt = deal(s_c, s_b, ctx, DERIVE["k"], DERIVE["n"])
    assert [share.hex() for share in dealt.shares] == DERIVE["shares"]
    assert [commitment.hex() for commitment in dealt.commitments] == DERIVE["C"]
    assert dealt.seed_commit.hex() == DERIVE["seed_commit"]
    assert factor_commitment(s_b, ctx).hex() == DERIVE["factor_commit"]
    assert part_identity("price", s_c, s_b, ctx) == DERIVE["identity_price"]
    assert part_identity("main", s_c, s_b, ctx) == DERIVE["identity_main"]


def test_derivation_without_factor() -> None:
    ctx, s_c = DERIVE["ctx"].encode(), bytes.fromhex(DERIVE["s_c"])
    assert deal(s_c, b"", ctx, 3, 5).seed_commit.hex() == DERIVE["no_factor"]["seed_commit"]
    assert part_identity("price", s_c, b"", ctx) == DERIVE["no_factor"]["identity_price"]


def test_complete_sealed_bid() -> None:
    assert hex_digest(OPEN["policy"].encode()) == OPEN["policy_sha256"]
    envelope = json.loads(OPEN["envelope"])
    DOCUMENT_RULES["sb1.envelope"](envelope, "envelope")
    DOCUMENT_RULES["sb1.policy"](json.loads(OPEN["policy"]), "policy")
    assert hex_digest(OPEN["envelope"].encode()) == OPEN["envelope_sha256"]
    spki = bytes.fromhex(VECTORS["es256"]["spki_hex"])
    verify_es256(spki, OPEN["envelope"].encode(), OPEN["envelope_signature"])
    ctx, s_b = context_of(envelope), bytes.fromhex(OPEN["s_b"])
    shares = []
    for seed, row in zip(OPEN["custodian_seeds"], envelope["shares"], strict=True):
        share = hpke_open(bytes.fromhex(seed), share_info(row["i"], ctx), b64u_decode(row["ct"]))
        assert share_commitment(share, ctx).hex() == row["c"]
        shares.append(share)
    assert [share.hex() for share in shares] == OPEN["expect"]["shares"]
    for chosen in itertools.combinations(shares, 3):
        assert combine_shares(chosen).hex() == OPEN["expect"]["s_c"]
    s_c = bytes.fromhex(OPEN["expect"]["s_c"])
    dealt = deal(s_c, s_b, ctx, 3, 5)
    assert dealt.seed_commit.hex() == envelope["seed_commit"]
    assert [one.hex() for one in dealt.commitments] == [row["c"] for row in envelope["shares"]]
    identity = part_identity("price", s_c, s_b, ctx)
    assert identity == OPEN["expect"]["identity_price"]
    plaintext = open_age(identity, b64u_decode(OPEN["price_age_b64u"]))
    price = read_price(plaintext, OPEN["expect"]["price_plaintext_bytes"], envelope)
    assert price.value == json.loads(OPEN["expect"]["price_json"])
    with pytest.raises(AgeError):
        open_age(part_identity("main", s_c, s_b, ctx), b64u_decode(OPEN["price_age_b64u"]))


def test_ceremony_labels() -> None:
    assert hex_digest(CEREMONY["custodian_key"].encode()) == CEREMONY["custodian_key_sha256"]
    DOCUMENT_RULES["sb1.custodian-key"](json.loads(CEREMONY["custodian_key"]), "key")
    pop, seed = CEREMONY["pop"], bytes.fromhex(OPEN["custodian_seeds"][0])
    info = challenge_info(bytes.fromhex(CEREMONY["custodian_key_sha256"]))
    opened = hpke_open(seed, info, b64u_decode(pop["ct_b64u"]))
    assert (opened.hex(), hex_digest(opened)) == (pop["challenge"], pop["challenge_sha256"])
    release = CEREMONY["release"]
    station = bytes.fromhex(release["station_seed"])
    assert hex_digest(hpke_public_key(station)) == release["station_pk_sha256"]
    order, envelope = bytes.fromhex(release["order_sha256"]), bytes.fromhex(OPEN["envelope_sha256"])
    share = hpke_open(station, release_info(1, order, envelope), b64u_decode(release["ct_b64u"]))
    assert share.hex() == OPEN["expect"]["shares"][0]
    with pytest.raises(HpkeFault):
        hpke_open(station, release_info(2, order, envelope), b64u_decode(release["ct_b64u"]))


def test_file_digest() -> None:
    file = CEREMONY["file"]
    content = digest(bytes.fromhex(file["content_hex"]))
    assert file_digest(bytes.fromhex(file["salt"]), file["path"], content).hex() == file["digest"]


@pytest.mark.parametrize("case", VECTORS["xwing"])
def test_xwing_keys(case: dict[str, Any]) -> None:
    assert hex_digest(hpke_public_key(bytes.fromhex(case["seed"]))) == case["pk_sha256"]


def test_old_library_without_hpke(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("verifier.hpke.importlib.import_module", absent)
    with pytest.raises(HpkeAbsent):
        hpke_public_key(bytes(32))
