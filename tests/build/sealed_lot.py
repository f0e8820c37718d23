"""A lot with real keys: agency, five custodians, trust file, opening policy, schedule; and what opens its bids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.build.signed_log import policy_text
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import Envelope
from trading.bids.rules.policy import CUSTODIAN_KEY, POLICY, Policy, PolicyPackage, parse_policy
from trading.bids.rules.schedule import SCHEDULE
from trading.bids.rules.trust import TRUST, TrustFile, parse_trust
from trading.crypto.keys import XWingPrivateKey, share_info
from trading.crypto.signatures import Es256Signer, sign_document
from trading.kernel.encoding import b64u

ORIGIN = "demo.log.example/audit"
CLOSE = 4_000_000_000_000
ROLES = ("agency", "operator", "supervisor", "notary", "centre")


def signer(number: int) -> Es256Signer:
    return Es256Signer.from_scalar(1_000_003 * number)


@dataclass(kw_only=True)
class Lot:
    """Everything about one lot that a test may vary before it is used."""

    tender: str = "T-2026-7k3m9q2d"
    lot: str = "1"
    stage: str = "all"
    k: int = 3
    bidder_factor: bool = True
    parts: Sequence[str] = ("main", "price")
    demo: bool = True
    close: int = CLOSE
    supersedes: str | None = None
    first_seed: int = 1
    agency: Es256Signer = field(default_factory=lambda: signer(1))

    @cached_property
    def institutions(self) -> list[Es256Signer]:
        return [signer(10 + i) for i in range(1, 6)]

    @cached_property
    def share_keys(self) -> list[XWingPrivateKey]:
        return [XWingPrivateKey.from_seed(bytes([self.first_seed + i]) * 32) for i in range(5)]

    @property
    def place(self) -> dict[str, str]:
        return {"lot": self.lot, "stage": self.stage, "tender": self.tender}

    @cached_property
    def policy_bytes(self) -> bytes:
        rows = [
            {"hpke_pk": b64u(key.public.raw), "i": i, "kid": inst.kid, "name": f"org {i}", "role": role}
            for i, key, inst, role in zip(range(1, 6), self.share_keys, self.institutions, ROLES, strict=True)
        ]
        body: dict[str, Any] = {
            **self.place,
            "bidder_factor": self.bidder_factor,
            "custodians": rows,
            "demo": self.demo,
            "k": self.k,
            "parts": sorted(self.parts),
            "price_bytes": 4096 if "price" in self.parts else None,
            "suite": "SB1-XWING-AGE",
            "supersedes": self.supersedes,
        }
        return POLICY.write(body)

    @cached_property
    def policy(self) -> Policy:
        return parse_policy(self.policy_bytes)

    @cached_property
    def package(self) -> PolicyPackage:
        keys = []
        for row, institution in zip(self.policy.custodians, self.institutions, strict=True):
            body = {"created": 1, "hpke_pk": b64u(row.hpke_pk), "name": row.name, "role": row.role}
            document = CUSTODIAN_KEY.write({**self.place, **body, "suite": "SB1-XWING-AGE"})
            keys.append(sign_document(document, institution))
        return PolicyPackage(
            policy=sign_document(self.policy_bytes, self.agency),
            custodian_keys=tuple(keys),
            schedule=sign_document(self.schedule_bytes, self.agency),
        )

    @property
    def schedule_bytes(self) -> bytes:
        windows = ("factor_window_ms", "objection_ms", "share_check_ms", "release_window_ms", "rescue_ms")
        body: dict[str, Any] = dict.fromkeys(windows, 600_000)
        empty: dict[str, Any] = {
            "cause": None,
            "evidence": [],
            "extension_rule": None,
            "intake": None,
            "supersedes": None,
        }
        return SCHEDULE.write({**self.place, **body, **empty, "close": self.close, "seq": 1})

    @cached_property
    def trust_bytes(self) -> bytes:
        people = [(self.agency, "buyer", "agency")]
        people += [(key, f"org {i}", "custodian") for i, key in enumerate(self.institutions, 1)]
        rows = [
            {"alg": "ES256", "key": b64u(key.spki), "kid": key.kid, "name": name, "role": role}
            for key, name, role in people
        ]
        body: dict[str, Any] = {
            "institutions": sorted(rows, key=lambda row: str(row["kid"])),
            "issued": 1,
            "log_policy": policy_text(ORIGIN),
            "origin": ORIGIN,
            "release_sha256": [],
            "seq": 1,
            "supersedes": None,
            "tsa": [],
            "x509_roots": [],
        }
        return TRUST.write(body)

    @cached_property
    def trust(self) -> TrustFile:
        return parse_trust(self.trust_bytes)

    def context(self, bidder: Es256Signer, **changes: Any) -> BidContext:  # noqa: ANN401 - any field
        values: dict[str, Any] = {
            "bid": "b-0123456789abcdef",
            "bidder": "91310000MA1FL0XX0X",
            "bidder_kid": bidder.kid,
            "policy_sha256": self.policy.sha256,
            "seq": 1,
            **self.place,
            **changes,
        }
        return BidContext(**values)

    def open_share(self, envelope: Envelope, i: int) -> bytes:
        """Open the share of custodian ``i`` (from 1) as its agent would."""
        sealed = envelope.shares[i - 1]
        return self.share_keys[i - 1].open(share_info(i, envelope.context.bytes()), sealed.ct)
