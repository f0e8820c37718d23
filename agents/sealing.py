"""Sealing a bid in memory: deal, commit, encrypt, sign (SB1 S4). No file, no network, no person; safe to run in bulk.

The secrets are drawn anew for every version: the same pair in two versions would let one open the other, and nobody
outside could see it (S21.12).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import ENVELOPE, REHEARSAL_TABLE
from trading.bids.rules.fields import AGE, REHEARSAL
from trading.bids.rules.policy import Policy
from trading.crypto.envelope import derive_identity, encrypt_part
from trading.crypto.keys import hpke_seal, share_info
from trading.crypto.shares import commit_factor, commit_seed, deal
from trading.crypto.signatures import DocumentSigner, SignedDocument, sign_document
from trading.kernel.clock import SystemClock
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class BidSecrets:
    """``s_c`` and ``s_b`` of one version; ``s_b`` is empty in factor-off mode. Never printed (P10)."""

    s_c: bytes
    s_b: bytes

    @classmethod
    def draw(cls, policy: Policy) -> BidSecrets:
        """Return fresh secrets for one version of one bid."""
        s_b = secrets.token_bytes(_SECRET_BYTES) if policy.bidder_factor else b""
        return cls(secrets.token_bytes(_SECRET_BYTES), s_b)

    def identity(self, context: BidContext, part: str) -> str:
        """Return the age identity of one part."""
        return derive_identity(self.s_c, self.s_b, context.bytes(), part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPart:
    """What an envelope says of one encrypted part: SHA-256 (hex) and size in bytes of the ciphertext."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBid:
    """A sealed version: what is sent (envelope and parts) and what stays with the bidder (the secrets)."""

    context: BidContext
    envelope: SignedDocument
    parts: Mapping[str, bytes] = field(repr=False)
    s_c: bytes = field(repr=False)
    s_b: bytes = field(repr=False)


def seal_bid(
    *,
    context: BidContext,
    policy: Policy,
    parts: Mapping[str, bytes],
    signer: DocumentSigner,
    s_c: bytes | None = None,
    s_b: bytes | None = None,
    created: int | None = None,
    supersedes: str | None = None,
) -> SealedBid:
    """Seal one version of a bid whose parts are in memory.

    Args:
        context: The eight fields; ``bidder_kid`` is the signer's, ``policy_sha256`` the policy's.
        policy: The opening policy, already checked.
        parts: Plaintext of each part that the policy names, the price already padded.
        signer: The bidder's key.
        s_c: 32 bytes; tests only. Drawn if not given.
        s_b: 32 bytes, or empty in factor-off mode; tests only. Drawn if not given.
        created: Client clock in ms, informational; read if not given.
        supersedes: Hex name of the version before; ``None`` exactly for ``seq`` 1.

    Raises:
        ValueError: The arguments contradict each other. A bug of the caller.
    """
    _require_agreement(context, policy, parts, signer)
    drawn = BidSecrets.draw(policy)
    used = BidSecrets(drawn.s_c if s_c is None else s_c, drawn.s_b if s_b is None else s_b)
    sealed = {name: encrypt_part(used.identity(context, name), parts[name]) for name in policy.parts}
    rows = [SealedPart(name=name, sha256=sha256_hex(data), size=len(data)) for name, data in sealed.items()]
    envelope = build_envelope(context, policy, used, rows, created=_now(created), supersedes=supersedes)
    signed = sign_document(envelope, signer)
    return SealedBid(context=context, envelope=signed, parts=sealed, s_c=used.s_c, s_b=used.s_b)


def _now(created: int | None) -> int:
    return SystemClock().now_ms() if created is None else created


def _require_agreement(context: BidContext, policy: Policy, parts: Mapping[str, bytes], signer: DocumentSigner) -> None:
    if context.policy_sha256 != policy.sha256 or context.bidder_kid != signer.kid:
        raise ValueError("the context names another policy or key")
    if tuple(sorted(parts)) != policy.parts:
        raise ValueError("the parts are not those of the policy")
    if policy.price_bytes is not None and len(parts["price"]) != policy.price_bytes:
        raise ValueError("the price is not padded to the policy's size")


def build_envelope(
    context: BidContext,
    policy: Policy,
    used: BidSecrets,
    parts: list[SealedPart],
    *,
    created: int,
    supersedes: str | None,
) -> bytes:
    """Return the bytes of the envelope of parts that are already encrypted under ``used`` (SB1 S4.5).

    Raises:
        ValueError: The fields do not fit together. A bug of the caller.
    """
    if (supersedes is None) != (context.seq == 1):
        raise ValueError("supersedes is None exactly for seq 1")
    rows = [
        {"alg": AGE, "name": part.name, "sha256": part.sha256, "size": part.size}
        for part in sorted(parts, key=lambda part: part.name)
    ]
    body = _sealed(context, policy, used, created)
    return ENVELOPE.write({**body, "parts": rows, "supersedes": supersedes})


def build_rehearsal(context: BidContext, policy: Policy, used: BidSecrets, *, created: int) -> bytes:
    """Return the bytes of a rehearsal: real keys, no parts, another stage, so no oracle for a bid (SB1 S6.4)."""
    rehearsing = replace(context, stage=REHEARSAL, seq=1)
    return REHEARSAL_TABLE.write({**_sealed(rehearsing, policy, used, created), "supersedes": None})


def _sealed(context: BidContext, policy: Policy, used: BidSecrets, created: int) -> dict[str, Any]:
    """Return the fields that bids and rehearsals share: context, commitments, sealed shares."""
    ctx = context.bytes()
    dealing = deal(used.s_c, ctx, policy.k, policy.n)
    shares = [
        {"c": c.hex(), "ct": b64u(hpke_seal(row.hpke_pk, share_info(row.i, ctx), share)), "i": row.i}
        for row, share, c in zip(policy.custodians, dealing.shares, dealing.commitments, strict=True)
    ]
    return {
        **asdict(context),
        "created": created,
        "factor_commit": commit_factor(used.s_b, ctx).hex() if policy.bidder_factor else None,
        "seed_commit": commit_seed(used.s_c, used.s_b, ctx).hex(),
        "shares": shares,
    }
