"""Who holds the shares of one draw: ``ed1.policy`` and ``ed1.custodian-key`` (ED1 D1, as SB1 S3.2 and S3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.bids.rules.fields import Document, custodian_role, public_key, suite
from trading.bids.rules.policy import (
    CUSTODIANS,
    MIN_THRESHOLD,
    Custodian,
    Verify,
    require_custodians,
    require_numbered,
    require_signature,
)
from trading.bids.rules.trust import TrustFile
from trading.experts.rules.fields import MAX_CUSTODIANS, draw_id
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Table, digest, flag, instant, integer, nullable, text
from trading.kernel.signed import SignedDocument

#: Both sign what fixes a draw: policy, spec, waiver, cancellation, result (D14).
SIGNERS: Final = ("centre", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianKey(Document):
    """``ed1.custodian-key``: one share key of one institution for one draw."""

    created: int
    draw: str
    hpke_pk: bytes
    name: str
    role: str
    suite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Document):
    """``ed1.policy``: the custodians of a draw in index order, and how many of them open."""

    custodians: tuple[Custodian, ...]
    demo: bool
    draw: str
    k: int
    suite: str
    supersedes: str | None

    @property
    def n(self) -> int:
        """Return the number of custodians, n_c of the protocol."""
        return len(self.custodians)


CUSTODIAN_KEY: Final = Table(
    "ed1.custodian-key",
    {
        "created": instant,
        "draw": draw_id,
        "hpke_pk": public_key,
        "name": text,
        "role": custodian_role,
        "suite": suite,
    },
)
POLICY: Final = Table(
    "ed1.policy",
    {
        "custodians": CUSTODIANS,
        "demo": flag,
        "draw": draw_id,
        "k": integer(MIN_THRESHOLD, MAX_CUSTODIANS),
        "suite": suite,
        "supersedes": nullable(digest),
    },
)


def parse_custodian_key(raw: bytes) -> CustodianKey:
    """Parse an ``ed1.custodian-key``; raises ``InvalidInput`` ``doc.…``."""
    return CustodianKey(raw=raw, **CUSTODIAN_KEY.read(raw))


def parse_policy(raw: bytes) -> Policy:
    """Parse an ``ed1.policy``: fields, index order, distinct keys; raises ``InvalidInput`` ``doc.…``."""
    policy = Policy(raw=raw, **POLICY.read(raw))
    require_numbered(policy.custodians, POLICY.typ)
    return policy


def write_custodian_key(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a custodian key."""
    return CUSTODIAN_KEY.write(body)


def write_policy(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a policy."""
    return POLICY.write(body)


def require_signed_by_both(signed: SignedDocument, trust: TrustFile, verify: Verify) -> None:
    """Check the signatures of centre and supervisor by the reader's trust file.

    Raises:
        InvalidInput: ``sig.missing`` or ``sig.invalid``.
    """
    for role in SIGNERS:
        require_signature(signed, trust, role, verify)


def check_policy(
    signed: SignedDocument,
    keys: Sequence[SignedDocument],
    trust: TrustFile,
    verify: Verify,
    affiliated: frozenset[str] = frozenset(),
) -> Policy:
    """Check a draw's policy with its custodian keys against the reader's own trust file (D1, SB1 S3.1 to S3.3).

    Args:
        signed: The policy.
        keys: The custodian keys in index order.
        trust: Whom the reader believes.
        verify: Verifies one signature.
        affiliated: Names of custodians affiliated to centre or agency, where the reader knows them.

    Raises:
        InvalidInput: ``doc.…``, ``sig.…``, ``policy.untrusted`` or ``policy.mismatch``.
        RuleBroken: ``policy.threshold``, ``policy.too_close`` or ``policy.same_organisation``.
    """
    policy = parse_policy(signed.doc)
    require_signed_by_both(signed, trust, verify)
    if policy.demo != trust.demo:
        raise InvalidInput("policy.mismatch", "the policy and the trust file disagree about demo mode")
    if len(keys) != policy.n:
        raise InvalidInput("policy.mismatch", f"{len(keys)} custodian keys for {policy.n} custodians")
    for row, key in zip(policy.custodians, keys, strict=True):
        _check_key(policy, row, key, trust, verify)
    require_custodians(policy.custodians, policy.k, affiliated)
    return policy


def _check_key(policy: Policy, row: Custodian, signed: SignedDocument, trust: TrustFile, verify: Verify) -> None:
    key = parse_custodian_key(signed.doc)
    if (key.hpke_pk, key.draw, key.name, key.role, key.suite) != (
        row.hpke_pk,
        policy.draw,
        row.name,
        row.role,
        policy.suite,
    ):
        raise InvalidInput("policy.mismatch", f"custodian {row.i}: the key document differs from the policy", i=row.i)
    institution = trust.institution(row.kid)
    if institution is None or institution.role != "custodian" or institution.name != row.name:
        raise InvalidInput("policy.untrusted", f"custodian {row.i}, {row.name}: not in the trust file", i=row.i)
    require_signature_of(row.kid, signed, trust, verify)


def require_signature_of(kid: str, signed: SignedDocument, trust: TrustFile, verify: Verify) -> None:
    """Check the signature of one pinned key.

    Raises:
        InvalidInput: ``sig.missing`` (none, or of a key that the trust file does not list) or ``sig.invalid``.
    """
    institution = trust.institution(kid)
    for signature in signed.sigs:
        if institution is not None and signature["kid"] == kid:
            verify(institution.alg, institution.key, signed.doc, signature)
            return
    raise InvalidInput("sig.missing", "not signed by the key that the documents name", kid=kid)
