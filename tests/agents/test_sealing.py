from __future__ import annotations

import hashlib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.sealing import BidSecrets, SealedBid, build_rehearsal, seal_bid
from agents.selfopen import ClientFault, Sealed, self_open
from tests.build.sealed_lot import Lot, signer
from trading.bids.rules.envelope import parse_envelope, parse_rehearsal, require_policy
from trading.bids.rules.manifest import build_manifest, write_main
from trading.bids.rules.price import build_price, pad_price, parse_price
from trading.crypto.envelope import decrypt_part, derive_identity, require_part_shape
from trading.crypto.shares import combine, commit_factor, commit_seed, deal
from trading.crypto.signatures import sign_document, verify_es256
from trading.kernel import canonical
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput
from verifier.age import open_age

BIDDER = signer(7)
LOT = Lot()


def parts_of(lot: Lot, **changes: Any) -> dict[str, bytes]:  # noqa: ANN401 - any field of the context
    context = lot.context(BIDDER, **changes)
    plain = {
        "price": pad_price(build_price(context, currency="CNY", total=123_456), 4096),
        "main": b"".join(write_main(build_manifest(context, [], []), [])),
    }
    return {name: plain[name] for name in lot.parts}


def sealed(lot: Lot = LOT, **arguments: Any) -> SealedBid:  # noqa: ANN401 - any argument
    given: dict[str, Any] = {"context": lot.context(BIDDER), "parts": parts_of(lot), "created": 5, **arguments}
    return seal_bid(policy=lot.policy, signer=BIDDER, **given)


@pytest.mark.parametrize("lot", [LOT, Lot(bidder_factor=False), Lot(parts=("price",), stage="price"), Lot(k=4)])
def test_any_k_custodians_and_the_bidder_open_a_sealed_bid(lot: Lot) -> None:
    bid = sealed(lot)
    verify_es256(BIDDER.spki, bid.envelope.doc, bid.envelope.sigs[0])
    envelope = parse_envelope(bid.envelope.doc)
    require_policy(envelope, lot.policy)
    ctx = envelope.context.bytes()
    combined = [combine([lot.open_share(envelope, i) for i in some]) for some in combinations(range(1, 6), lot.k)]
    for s_c in combined:
        assert commit_seed(s_c, bid.s_b, ctx) == envelope.seed_commit
        assert deal(s_c, ctx, lot.k, 5).commitments == tuple(share.c for share in envelope.shares)
    if lot.bidder_factor:
        assert envelope.factor_commit == commit_factor(bid.s_b, ctx)
    else:
        assert (bid.s_b, envelope.factor_commit) == (b"", None)
    for part in envelope.parts:
        data = bid.parts[part.name]
        assert (part.sha256, part.size) == (hashlib.sha256(data).hexdigest(), len(data))
        require_part_shape(data, len(data), lot.policy.price_bytes if part.name == "price" else None)
        identity = derive_identity(combined[0], bid.s_b, ctx, part.name)
        assert decrypt_part(identity, data) == parts_of(lot)[part.name] == open_age(identity, data)
    price = decrypt_part(derive_identity(combined[0], bid.s_b, ctx, "price"), bid.parts["price"])
    assert parse_price(price, 4096, envelope.context).total == 123_456


def test_fewer_than_k_custodians_or_no_factor_do_not_open() -> None:
    bid = sealed()
    envelope = parse_envelope(bid.envelope.doc)
    ctx = envelope.context.bytes()
    assert combine([LOT.open_share(envelope, i) for i in (1, 2)]) != bid.s_c
    for s_b in (b"", bytes(32)):
        with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
            decrypt_part(derive_identity(bid.s_c, s_b, ctx, "price"), bid.parts["price"])


def test_every_version_draws_its_secrets_anew() -> None:
    bids = [sealed() for _ in range(8)]
    for values in ([bid.s_c for bid in bids], [bid.s_b for bid in bids], [bid.envelope.sha256 for bid in bids]):
        assert len(set(values)) == len(bids)
    assert all(len(bid.s_c) == len(bid.s_b) == 32 for bid in bids)
    fixed = [
        sealed(s_c=b"\x01" * 32, s_b=b"\x02" * 32) for _ in range(2)
    ]  # the control: equal secrets are visible here
    commits = {parse_envelope(bid.envelope.doc).seed_commit for bid in fixed}
    assert len(commits) == 1


def test_a_share_is_worth_nothing_under_another_context() -> None:
    envelope = parse_envelope(sealed().envelope.doc)
    for name, value in {"bid": "b-2", "bidder": "91310000YYYY", "seq": 2, "bidder_kid": "0" * 64, "lot": "2"}.items():
        changes: dict[str, object] = {name: value}
        if name == "seq":
            changes["supersedes"] = "ab" * 32
        copied = parse_envelope(canonical.dumps({**canonical.loads_object(envelope.raw), **changes}))
        with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
            LOT.open_share(copied, 1)
    assert len(LOT.open_share(envelope, 1)) == 33  # the control


def test_a_rehearsal_uses_the_real_keys_and_opens_no_bid() -> None:
    used = BidSecrets.draw(LOT.policy)
    rehearsal = parse_rehearsal(build_rehearsal(LOT.context(BIDDER, seq=3), LOT.policy, used, created=1))
    require_policy(rehearsal, LOT.policy)
    assert (rehearsal.seq, rehearsal.stage) == (1, "rehearsal")
    from trading.crypto.keys import share_info  # noqa: PLC0415 - only this case

    ctx = rehearsal.context.bytes()
    shares = [LOT.share_keys[i].open(share_info(i + 1, ctx), rehearsal.shares[i].ct) for i in range(3)]
    assert combine(shares) == used.s_c
    bid = sealed(s_c=used.s_c, s_b=used.s_b)
    with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
        LOT.share_keys[0].open(share_info(1, ctx), parse_envelope(bid.envelope.doc).shares[0].ct)


@pytest.mark.parametrize(
    "arguments",
    [
        {"context": LOT.context(BIDDER, policy_sha256="0" * 64)},
        {"context": LOT.context(signer(8))},
        {"parts": {"price": bytes(4096)}},
        {"parts": {**parts_of(LOT), "price": bytes(4095)}},
        {"supersedes": "ab" * 32},
        {"context": LOT.context(BIDDER, bid="B")},
    ],
)
def test_contradictions_are_bugs_of_the_caller(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        sealed(**arguments)


def test_nothing_of_a_sealed_bid_is_printed() -> None:
    bid = sealed(s_c=b"\xaa" * 32, s_b=b"\xbb" * 32)
    for secret in (b"\xaa" * 32, b"\xbb" * 32):
        assert repr(secret) not in repr(bid)
        assert secret.hex() not in repr(bid)
        assert repr(secret) not in repr(BidSecrets(secret, secret))


# --- the look back ---------------------------------------------------------------------------------------------------


def looked_at(folder: Path, bid: SealedBid, **changes: Any) -> Sealed:  # noqa: ANN401 - any field
    parts = {}
    for name, data in bid.parts.items():
        parts[name] = folder / f"{name}.age"
        parts[name].write_bytes(data)
    values: dict[str, Any] = {
        "envelope": bid.envelope.doc,
        "signature": bid.envelope.sigs[0],
        "spki": BIDDER.spki,
        "k": 3,
        "n": 5,
        "parts": parts,
        "plaintexts": {name: hashlib.sha256(data).digest() for name, data in parts_of(LOT).items()},
        "s_c": bid.s_c,
        "s_b": bid.s_b,
        **changes,
    }
    return Sealed(**values)


def resealed(bid: SealedBid, **changes: object) -> dict[str, Any]:
    document = canonical.dumps({**canonical.loads_object(bid.envelope.doc), **changes})
    return {"envelope": document, "signature": sign_document(document, BIDDER).sigs[0]}


def test_a_good_bid_passes_the_look_back(tmp_path: Path) -> None:
    self_open(looked_at(tmp_path, sealed()))
    off = Lot(bidder_factor=False)
    self_open(looked_at(tmp_path, sealed(off)))


@pytest.mark.parametrize(
    "case",
    [
        "s_c",
        "s_b",
        "k",
        "seed",
        "factor",
        "share",
        "ct",
        "hash",
        "size",
        "plaintext",
        "signature",
        "space",
        "part",
        "swap",
    ],
)
def test_the_look_back_finds_every_kind_of_damage(tmp_path: Path, case: str) -> None:
    bid = sealed()
    document = canonical.loads_object(bid.envelope.doc)
    shares, parts = document["shares"], document["parts"]
    changes: dict[str, dict[str, Any]] = {
        "s_c": {"s_c": bytes(32)},
        "s_b": {"s_b": bytes(32)},
        "k": {"k": 2},
        "seed": resealed(bid, seed_commit="00" * 32),
        "factor": resealed(bid, factor_commit=None),
        "share": resealed(bid, shares=[{**shares[0], "c": "00" * 32}, *shares[1:]]),
        "ct": resealed(bid, shares=[{**shares[0], "ct": b64u(b64u_decode(shares[0]["ct"])[:-1])}, *shares[1:]]),
        "hash": resealed(bid, parts=[{**parts[0], "sha256": "00" * 32}, parts[1]]),
        "size": resealed(bid, parts=[{**parts[0], "size": parts[0]["size"] + 1}, parts[1]]),
        "plaintext": {"plaintexts": {"main": bytes(32), "price": bytes(32)}},
        "signature": {"signature": sign_document(b"{}", BIDDER).sigs[0]},
        "space": {"envelope": bid.envelope.doc + b" "},
        "part": resealed(bid, parts=parts[:1]),
        "swap": {},
    }
    looked = looked_at(tmp_path, bid, **changes[case])
    if case == "swap":  # both files encrypted to the other's identity
        looked.parts["main"].write_bytes(bid.parts["price"])
    with pytest.raises(ClientFault) as caught:
        self_open(looked)
    for secret in (bid.s_c, bid.s_b):
        assert secret.hex() not in str(caught.value)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["main", "price"]), st.integers(0, 2**30))
def test_the_look_back_finds_any_flipped_bit(tmp_path_factory: pytest.TempPathFactory, name: str, where: int) -> None:
    looked = looked_at(tmp_path_factory.mktemp("bid"), sealed())
    data = bytearray(looked.parts[name].read_bytes())
    at = where % (8 * len(data))
    data[at // 8] ^= 1 << at % 8
    looked.parts[name].write_bytes(data)
    with pytest.raises(ClientFault):
        self_open(looked)
