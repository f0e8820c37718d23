"""The complete sealed bid of SB1 S18.4, opened step by step as a ceremony would, and S18.5's other labels."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from trading.bids.rules.envelope import parse_envelope, require_policy
from trading.bids.rules.policy import parse_policy, require_admissible
from trading.bids.rules.price import parse_price
from trading.crypto.envelope import decrypt_part, derive_identity, require_part_shape
from trading.crypto.keys import XWingPrivateKey, hpke_open, hpke_seal, pop_info, release_info, share_info
from trading.crypto.shares import combine, commit_factor, commit_seed, commit_share, deal
from trading.crypto.signatures import verify_es256
from trading.kernel.encoding import b64u_decode


def test_it_opens_as_expected(vectors: dict[str, Any]) -> None:
    vector, expect = vectors["sb1_open"], vectors["sb1_open"]["expect"]
    policy, envelope = parse_policy(vector["policy"].encode()), parse_envelope(vector["envelope"].encode())
    require_admissible(policy)
    require_policy(envelope, policy)
    verify_es256(bytes.fromhex(vectors["es256"]["spki_hex"]), envelope.raw, vector["envelope_signature"])
    ctx, s_b = envelope.context.bytes(), bytes.fromhex(vector["s_b"])
    keys = [XWingPrivateKey.from_seed(bytes.fromhex(seed)) for seed in vector["custodian_seeds"]]
    assert [key.public.raw for key in keys] == [row.hpke_pk for row in policy.custodians]
    shares = [key.open(share_info(row.i, ctx), row.ct) for key, row in zip(keys, envelope.shares, strict=True)]
    assert [share.hex() for share in shares] == expect["shares"]
    assert [commit_share(share, ctx) for share in shares] == [row.c for row in envelope.shares]
    for chosen in combinations(shares, 3):
        assert combine(chosen).hex() == expect["s_c"]
    s_c = combine(shares[:3])
    assert commit_seed(s_c, s_b, ctx) == envelope.seed_commit
    assert commit_factor(s_b, ctx) == envelope.factor_commit
    assert deal(s_c, ctx, policy.k, policy.n).shares == tuple(shares)
    ciphertext = b64u_decode(vector["price_age_b64u"])
    require_part_shape(ciphertext, len(ciphertext), policy.price_bytes)
    identity = derive_identity(s_c, s_b, ctx, "price")
    assert identity == expect["identity_price"]
    price = parse_price(decrypt_part(identity, ciphertext), 4096, envelope.context)
    assert price.raw == expect["price_json"].encode()


def test_what_we_seal_under_the_other_labels_opens_too(vectors: dict[str, Any]) -> None:
    ceremony = vectors["sb1_ceremony"]
    document, seed = ceremony["custodian_key"].encode(), b"\x01" * 32
    public = XWingPrivateKey.from_seed(seed).public.raw
    challenge = bytes.fromhex(ceremony["pop"]["challenge"])
    sealed = hpke_seal(public, pop_info(document), challenge)
    assert len(sealed) == len(b64u_decode(ceremony["pop"]["ct_b64u"]))
    assert hpke_open(seed, pop_info(document), sealed) == challenge
    info = release_info(1, b"\xab" * 32, bytes.fromhex(vectors["sb1_open"]["envelope_sha256"]))
    assert hpke_open(seed, info, hpke_seal(public, info, challenge)) == challenge
