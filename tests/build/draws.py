"""A small draw for rule tests: the spec of the vectors with contributions of known r, dealt to made custodian keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from trading.bids.rules.fields import SUITE
from trading.crypto import shares as shamir
from trading.crypto.keys import XWingPrivateKey, hpke_seal, share_info
from trading.experts.rules import contributions
from trading.experts.rules.contributions import Contribution
from trading.experts.rules.policy import Policy, parse_policy, write_policy
from trading.experts.rules.pool import Entrant, Pool, make_pool
from trading.experts.rules.reveals import Outcome, Recovery, Reveal, make_recovery, parse_recovery, settle
from trading.experts.rules.spec import Spec, parse_spec
from trading.kernel.encoding import b64u

ROOT: Final = Path(__file__).parents[2]
VECTORS: Final[dict[str, Any]] = json.loads((ROOT / "tests/vectors/protocols.json").read_text())["ed1"]
SPEC: Final[Spec] = parse_spec(VECTORS["spec"].encode())
PARTIES: Final = ("agency", "centre", "notary", "supervisor")
RS: Final = dict(zip(PARTIES, map(bytes.fromhex, VECTORS["r"]), strict=True))
SEED: Final = bytes.fromhex(VECTORS["seed"])
SEALED_H: Final = "5e" * 32
KEYS: Final = tuple(XWingPrivateKey.from_seed(bytes([0xC0 + i]) * 32) for i in range(1, 6))
_ROLES: Final = ("agency", "operator", "supervisor", "notary", "association")


def made_policy(k: int = 3) -> Policy:
    """Return a policy k of 5 for the draw of the vectors."""
    rows = [
        {"hpke_pk": b64u(key.public.raw), "i": i, "kid": f"{i:02x}" * 32, "name": f"机构{i}", "role": role}
        for i, (key, role) in enumerate(zip(KEYS, _ROLES, strict=True), 1)
    ]
    body = {"custodians": rows, "demo": True, "draw": SPEC.draw, "k": k, "suite": SUITE, "supersedes": None}
    return parse_policy(write_policy(body))


POLICY: Final[Policy] = made_policy()


def seal_share(public_key: bytes, i: int, ctx: bytes, share: bytes) -> bytes:
    """Encrypt a share to its custodian."""
    return hpke_seal(public_key, share_info(i, ctx), share)


def contribution(party: str, spec: Spec = SPEC, r: bytes | None = None) -> Contribution:
    """Return a party's contribution."""
    raw = contributions.make_contribution(
        spec, POLICY, party, RS[party] if r is None else r, deal=shamir.deal, seal=seal_share
    )
    return contributions.parse_contribution(raw)


def shares_of(made: Contribution, r: bytes) -> tuple[bytes, ...]:
    """Return the shares that r gives."""
    return shamir.deal(r, made.context.bytes(), POLICY.k, POLICY.n).shares


def recoveries(made: Contribution, r: bytes, custodians: tuple[int, ...], sealed_h: str = SEALED_H) -> list[Recovery]:
    """Return the recoveries that custodians publish."""
    shares = shares_of(made, r)
    return [parse_recovery(make_recovery(made, shares[i - 1], sealed_h, custodian=i)) for i in custodians]


def settled(
    made: Contribution, *, reveals: list[Reveal] | None = None, recovered: list[Recovery] | None = None
) -> Outcome:
    """Return what became of a contribution."""
    return settle(
        made,
        SEALED_H,
        POLICY,
        reveals=reveals or [],
        recoveries=recovered or [],
        deal=shamir.deal,
        combine=shamir.combine,
    )


def vector_pool() -> Pool:
    """Return the pool of the vectors."""
    return make_pool(bytes.fromhex(VECTORS["K_draw"]), [Entrant(**item) for item in VECTORS["experts"]])
