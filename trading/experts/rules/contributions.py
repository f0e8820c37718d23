"""Contributions and escrows: a secret committed to and dealt to the custodians of the draw (ED1 D6).

The library that deals and encrypts comes as arguments, so that these rules stay pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, TypeAlias

from trading.bids.rules.fields import Document, sealed_share
from trading.experts.rules import fields as ed1
from trading.experts.rules.policy import Policy
from trading.experts.rules.spec import Spec
from trading.kernel import canonical, fields
from trading.kernel.digests import ED1_CONTRIBUTION, tuple_hash
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput


class Dealt(Protocol):
    """All shares of a secret with their commitments, in index order."""

    @property
    def shares(self) -> tuple[bytes, ...]:
        """Return the shares, 33 bytes each."""

    @property
    def commitments(self) -> tuple[bytes, ...]:
        """Return C_1 … C_n."""


#: ``(secret, ctx, k, n)``: ``deal`` of SB1 S4.2.
Deal: TypeAlias = Callable[[bytes, bytes, int, int], Dealt]
#: ``(hpke_pk, i, ctx, share)`` → ct_i.
SealShare: TypeAlias = Callable[[bytes, int, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The four fields on which everything dealt in a draw depends; no bid has the same ones (D6.1)."""

    draw: str
    holder: str
    spec_sha256: str
    use: str

    def bytes(self) -> bytes:
        """Return ``ctx``: the canonical bytes of exactly these fields."""
        return canonical.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class DealtShare:
    """What is published of one share: its commitment and its ciphertext."""

    c: bytes
    ct: bytes
    i: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution(Document):
    """``ed1.contribution``: one party's part in the seed, hidden until the reveal."""

    commit: bytes
    draw: str
    party: str
    spec_sha256: str
    shares: tuple[DealtShare, ...]

    @property
    def context(self) -> Context:
        """Return the context of its shares."""
        return Context(draw=self.draw, holder=self.party, spec_sha256=self.spec_sha256, use=ed1.CONTRIBUTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow(Document):
    """``ed1.escrow``: K_draw or K_x, dealt by the centre and never recovered in public."""

    commit: bytes
    draw: str
    spec_sha256: str
    shares: tuple[DealtShare, ...]
    use: str

    @property
    def context(self) -> Context:
        """Return the context of its shares."""
        return Context(draw=self.draw, holder=ed1.CENTRE, spec_sha256=self.spec_sha256, use=self.use)


_SHARES: Final = fields.array(
    fields.record({"c": ed1.bytes32, "ct": sealed_share, "i": ed1.custodian_index}, DealtShare),
    least=1,
    most=ed1.MAX_CUSTODIANS,
)
_COMMON: Final = {"commit": ed1.bytes32, "draw": ed1.draw_id, "spec_sha256": fields.digest, "shares": _SHARES}
CONTRIBUTION: Final = fields.Table(ed1.CONTRIBUTION, {**_COMMON, "party": ed1.party_id})
ESCROW: Final = fields.Table("ed1.escrow", {**_COMMON, "use": fields.one_of(*ed1.ESCROWED)})


def parse_contribution(raw: bytes) -> Contribution:
    """Admit a contribution; raises ``InvalidInput`` with a code of P11."""
    found = Contribution(raw=raw, **CONTRIBUTION.read(raw))
    _require_indices(found.shares)
    return found


def parse_escrow(raw: bytes) -> Escrow:
    """Admit an escrow; raises ``InvalidInput`` with a code of P11."""
    found = Escrow(raw=raw, **ESCROW.read(raw))
    _require_indices(found.shares)
    return found


def _require_indices(shares: Sequence[DealtShare]) -> None:
    if [share.i for share in shares] != list(range(1, len(shares) + 1)):
        raise InvalidInput("doc.bad_field", "the shares are not numbered 1, 2, … in order")


def contribution_commit(spec_sha256: str, party: str, r: bytes) -> bytes:
    """Return the commitment of a contribution: bound to spec and party, so that it can be replayed nowhere else."""
    return tuple_hash(ED1_CONTRIBUTION, bytes.fromhex(spec_sha256), party.encode("ascii"), r)


def make_contribution(spec: Spec, policy: Policy, party: str, r: bytes, *, deal: Deal, seal: SealShare) -> bytes:
    """Return a party's contribution; ``r`` is 32 fresh random bytes, made for this spec only."""
    context = Context(draw=spec.draw, holder=party, spec_sha256=spec.sha256, use=ed1.CONTRIBUTION)
    body = _dealt(context, policy, r, deal, seal)
    commit = contribution_commit(spec.sha256, party, r).hex()
    return CONTRIBUTION.write({**body, "commit": commit, "party": party})


def make_escrow(spec: Spec, policy: Policy, use: str, key: bytes, *, deal: Deal, seal: SealShare) -> bytes:
    """Return the centre's escrow of K_draw or K_x; its commitment is the one in the spec."""
    context = Context(draw=spec.draw, holder=ed1.CENTRE, spec_sha256=spec.sha256, use=use)
    body = _dealt(context, policy, key, deal, seal)
    return ESCROW.write({**body, "commit": escrow_commit(spec, use).hex(), "use": use})


def escrow_commit(spec: Spec, use: str) -> bytes:
    """Return the key commitment of the spec that an escrow must repeat."""
    return spec.pool_key_commit if use == ed1.POOL_KEY else spec.exclusion_key_commit


def _dealt(context: Context, policy: Policy, secret: bytes, deal: Deal, seal: SealShare) -> dict[str, Any]:
    ctx = context.bytes()
    dealt = deal(secret, ctx, policy.k, policy.n)
    rows = zip(policy.custodians, dealt.shares, dealt.commitments, strict=True)
    return {
        "draw": context.draw,
        "shares": [
            {"c": c.hex(), "ct": b64u(seal(row.hpke_pk, row.i, ctx, share)), "i": row.i} for row, share, c in rows
        ],
        "spec_sha256": context.spec_sha256,
    }


def require_of_spec(document: Contribution | Escrow, spec: Spec, policy: Policy) -> None:
    """Check everything of a contribution or escrow that anyone can check without a share, its signature apart.

    Raises:
        InvalidInput: ``draw.other_spec``, ``draw.not_a_party``, ``policy.mismatch`` (number of shares) or
            ``draw.wrong_commit`` (an escrow that does not repeat the commitment of the spec).
    """
    if (document.draw, document.spec_sha256) != (spec.draw, spec.sha256):
        raise InvalidInput("draw.other_spec", "made for another draw or attempt")
    if len(document.shares) != policy.n:
        raise InvalidInput("policy.mismatch", f"{len(document.shares)} shares for {policy.n} custodians")
    if isinstance(document, Contribution):
        if spec.party(document.party) is None:
            raise InvalidInput("draw.not_a_party", document.party)
    elif document.commit != escrow_commit(spec, document.use):
        raise InvalidInput("draw.wrong_commit", "not the commitment of the spec")


def is_valid(contribution: Contribution, r: bytes, k: int, deal: Deal) -> bool:
    """Return whether ``r`` opens the commitment and all C_i re-derive from it (D6.2); at most one r does."""
    expected = contribution_commit(contribution.spec_sha256, contribution.party, r)
    return hmac.compare_digest(contribution.commit, expected) and _rederives(contribution, r, k, deal)


def _rederives(document: Contribution | Escrow, secret: bytes, k: int, deal: Deal) -> bool:
    dealt = deal(secret, document.context.bytes(), k, len(document.shares))
    return dealt.commitments == tuple(share.c for share in document.shares)


def latest(received: Sequence[Contribution]) -> Mapping[str, Contribution]:
    """Return each party's last contribution; the order is that of the log."""
    return {item.party: item for item in received}
