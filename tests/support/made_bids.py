"""Parties, keys and sealed bids made by hand for verifier tests, straight from P6, P7 and SB1 S3 to S5."""

from __future__ import annotations

import hashlib
import io
import secrets
import tarfile
from dataclasses import dataclass
from typing import Any

import pyrage  # type: ignore[import-untyped]  # the package has no stubs
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.made_log import b64u, sha256
from trading.kernel.canonical import dumps
from trading.kernel.digests import tuple_hash

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
PRICE_BYTES = 4096
CTX_FIELDS = ("bid", "bidder", "bidder_kid", "lot", "policy_sha256", "seq", "stage", "tender")


@dataclass(frozen=True)
class Signer:
    """An ES256 key of one organisation in one role (P7.2)."""

    org: str
    name: str
    role: str
    key: ec.EllipticCurvePrivateKey

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def kid(self) -> str:
        return sha256(self.spki).hex()

    def sign(self, document: bytes) -> dict[str, str]:
        der = self.key.sign(document, ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return {"alg": "ES256", "kid": self.kid, "sig": b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}


def make_signer(org: str, name: str, role: str) -> Signer:
    scalar = int.from_bytes(sha256(f"{org}/{name}/{role}".encode()), "big") >> 1
    return Signer(org, name, role, ec.derive_private_key(scalar, ec.SECP256R1()))


@dataclass(frozen=True)
class XWing:
    """An X-Wing key from a 32-byte seed (SB1 S3.2)."""

    seed: bytes

    def private(self) -> hpke.MLKEM768X25519PrivateKey:
        expanded = hashlib.shake_256(self.seed).digest(96)
        ml = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        return hpke.MLKEM768X25519PrivateKey(ml, X25519PrivateKey.from_private_bytes(expanded[64:]))

    @property
    def public(self) -> bytes:
        expanded = hashlib.shake_256(self.seed).digest(96)
        ml = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
        return ml + X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()

    def seal(self, info: bytes, plaintext: bytes) -> bytes:
        return SUITE.encrypt(plaintext, self.private().public_key(), info)

    def open(self, info: bytes, ciphertext: bytes) -> bytes:
        return SUITE.decrypt(ciphertext, self.private(), info)


def gf_mul(a: int, b: int) -> int:
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


def deal_shares(secret: bytes, ctx: bytes, k: int, count: int) -> list[bytes]:
    """Shares of SB1 S4.2, the x coordinate last."""
    poly = HKDF(SHA256(), 32, b"", b"mingbiao/sb1/poly").derive(secret)
    coefficients = [secret]
    for j in range(1, k):
        info = b"mingbiao/sb1/coef\0" + bytes([j]) + ctx
        coefficients.append(HKDFExpand(SHA256(), 32, info).derive(poly))
    shares = []
    for x in range(1, count + 1):
        value = bytearray(32)
        power = 1
        for coefficient in coefficients:
            value = bytearray(v ^ gf_mul(c, power) for v, c in zip(value, coefficient, strict=True))
            power = gf_mul(power, x)
        shares.append(bytes(value) + bytes([x]))
    return shares


CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def age_identity(scalar: bytes) -> str:
    """Bech32 identity string (BIP 173), written out here a second time."""
    human = "age-secret-key-"
    bits = "".join(f"{byte:08b}" for byte in scalar)
    data = [int(bits[i : i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in human] + [0] + [ord(c) & 31 for c in human]
    check = 1
    for value in expanded + data + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    data += [(check ^ 1) >> 5 * (5 - i) & 31 for i in range(6)]
    return (human + "1" + "".join(CHARSET[value] for value in data)).upper()


@dataclass
class SealedBid:
    """One sealed version with everything its bidder knows."""

    signer: Signer
    envelope: bytes
    value: dict[str, Any]
    s_c: bytes
    s_b: bytes
    shares: list[bytes]
    parts: dict[str, bytes]
    identities: dict[str, str]
    price: dict[str, Any]
    manifest_sha256: str

    @property
    def id(self) -> str:
        return str(self.value["bid"])

    @property
    def sha256(self) -> str:
        return sha256(self.envelope).hex()

    @property
    def ctx(self) -> bytes:
        return dumps({name: self.value[name] for name in CTX_FIELDS})

    def leaf(self, h: str) -> bytes:
        return dumps({"bid": self.id, "envelope_sha256": self.sha256, "h": h, "seq": self.value["seq"]})


def price_document(ctx: dict[str, Any], total: int) -> dict[str, Any]:
    return {
        "bid": ctx["bid"],
        "bidder": ctx["bidder"],
        "currency": "CNY",
        "items": [
            {"amount": total, "code": "A1", "quantity": "1", "unit_price": f"{total / 100:.2f}".rstrip("0").rstrip(".")}
        ],
        "lot": ctx["lot"],
        "stage": ctx["stage"],
        "tender": ctx["tender"],
        "total": total,
        "typ": "sb1.price",
        "v": 1,
    }


def main_archive(ctx: dict[str, Any], files: dict[str, bytes]) -> tuple[bytes, str]:
    """Part ``main`` (SB1 S5.2): tar with manifest first, zero padding; and the manifest's hash."""
    rows = []
    for path, content in sorted(files.items(), key=lambda item: item[0].encode()):
        salt = secrets.token_bytes(32)
        digest = tuple_hash("mingbiao/sb1/file", salt, path.encode(), sha256(content)).hex()
        rows.append({"digest": digest, "path": path, "salt": salt.hex(), "size": len(content)})
    manifest = dumps(
        {
            **{name: ctx[name] for name in ("bid", "bidder", "lot", "stage", "tender")},
            "files": rows,
            "typ": "sb1.manifest",
            "v": 1,
        }
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in [("manifest.json", manifest), *files.items()]:
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    return data + bytes(-len(data) % 65536), sha256(manifest).hex()


@dataclass(frozen=True, kw_only=True)
class Spoil:
    """What a dishonest bidder does: share 5 of another secret, garbage for one index, another bid in the price."""

    foreign_share: bool = False
    garbage_ct: int | None = None
    wrong_content: bool = False


def seal_bid(
    signer: Signer,
    ctx: dict[str, Any],
    policy: dict[str, Any],
    total: int,
    *,
    share_keys: list[XWing],
    supersedes: str | None = None,
    spoil: Spoil | None = None,
) -> SealedBid:
    """Seal a bid (SB1 S4) under a policy document's fields."""
    spoiled, ctx_bytes = spoil or Spoil(), dumps(ctx)
    k, count = policy["k"], len(policy["custodians"])
    s_c = secrets.token_bytes(32)
    s_b = secrets.token_bytes(32) if policy["bidder_factor"] else b""
    shares = deal_shares(s_c, ctx_bytes, k, count)
    if spoiled.foreign_share:
        shares[4] = deal_shares(secrets.token_bytes(32), ctx_bytes, k, count)[4]
    price = price_document(ctx, total)
    if spoiled.wrong_content:
        price["bid"] = "b-somebody-else"
    main, manifest_sha256 = main_archive(ctx, {"技术/方案.pdf": b"plan of " + ctx["bid"].encode()})
    identities, parts = seal_parts({"main": main, "price": dumps(price).ljust(PRICE_BYTES)}, s_c + s_b, ctx_bytes)
    value = {
        **ctx,
        "created": 1_700_000_000_000,
        "factor_commit": tuple_hash("mingbiao/sb1/bidder-factor", s_b, ctx_bytes).hex() if s_b else None,
        "parts": part_rows(parts),
        "seed_commit": tuple_hash("mingbiao/sb1/seed", s_c, s_b, ctx_bytes).hex(),
        "shares": share_rows(shares, share_keys, ctx_bytes, spoiled.garbage_ct),
        "supersedes": supersedes,
        "typ": "sb1.envelope",
        "v": 1,
    }
    return SealedBid(signer, dumps(value), value, s_c, s_b, shares, parts, identities, price, manifest_sha256)


def seal_parts(plain: dict[str, bytes], secret: bytes, ctx: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Identity and ciphertext of each part (S4.4)."""
    identities, parts = {}, {}
    for name, data in plain.items():
        info = b"mingbiao/sb1/age-x25519/" + name.encode()
        identities[name] = age_identity(HKDF(SHA256(), 32, sha256(ctx), info).derive(secret))
        parts[name] = pyrage.encrypt(data, [pyrage.x25519.Identity.from_str(identities[name]).to_public()])
    return identities, parts


def part_rows(parts: dict[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"alg": "age-encryption.org/v1", "name": name, "sha256": sha256(data).hex(), "size": len(data)}
        for name, data in sorted(parts.items())
    ]


def share_rows(shares: list[bytes], keys: list[XWing], ctx: bytes, garbage: int | None) -> list[dict[str, Any]]:
    """Commitment and HPKE ciphertext per custodian (S4.2)."""
    rows = []
    for i, (share, key) in enumerate(zip(shares, keys, strict=True), 1):
        sealed = key.seal(b"mingbiao/sb1/share\0" + bytes([i]) + ctx, share)
        if garbage == i:
            sealed = secrets.token_bytes(len(sealed))
        rows.append({"c": tuple_hash("mingbiao/sb1/share-commit", share, ctx).hex(), "ct": b64u(sealed), "i": i})
    return rows
