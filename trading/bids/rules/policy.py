"""The opening policy: who holds shares, how many open, which mode (SB1 S3). Who may be a custodian is rule S3.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from trading.bids.rules.fields import (
    MAX_CUSTODIANS,
    PARTS,
    PLACE,
    Document,
    custodian_index,
    custodian_role,
    public_key,
    suite,
)
from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.bids.rules.trust import Institution, TrustFile
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.fields import (
    Table,
    array,
    digest,
    flag,
    instant,
    integer,
    itself,
    nullable,
    one_of,
    record,
    sorted_by,
    text,
)
from trading.kernel.signed import SignatureObject, SignedDocument

PRICE_BLOCK: Final = 4096
MAX_PRICE_BYTES: Final = 524_288
MIN_CUSTODIANS: Final = 3
MIN_THRESHOLD: Final = 2
_FACTOR_OFF_THRESHOLD: Final = 3
_CLOSE_TO_THE_BUYER: Final = frozenset({"operator", "agency"})
_INDEPENDENT: Final = frozenset({"supervisor", "notary"})

#: ``(alg, key, document, signature object)``; raises ``InvalidInput`` unless the signature is valid.
Verify: TypeAlias = Callable[[str, bytes, bytes, SignatureObject], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianKey(Document):
    """``sb1.custodian-key``: one share key of one institution for one lot and stage (SB1 S3.2)."""

    created: int
    hpke_pk: bytes
    lot: str
    stage: str
    tender: str
    name: str
    role: str
    suite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Custodian:
    """One row of a policy; ``kid`` is that of the institution's signing key, not of the share key."""

    hpke_pk: bytes
    i: int
    kid: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Document):
    """``sb1.policy`` (SB1 S3.3)."""

    bidder_factor: bool
    custodians: tuple[Custodian, ...]
    demo: bool
    k: int
    lot: str
    stage: str
    tender: str
    parts: tuple[str, ...]
    price_bytes: int | None
    suite: str
    supersedes: str | None

    @property
    def n(self) -> int:
        """Return the number of custodians, n_c of the protocol."""
        return len(self.custodians)

    @property
    def place(self) -> tuple[str, str, str]:
        """Return tender, lot and stage."""
        return self.tender, self.lot, self.stage


CUSTODIAN_KEY: Final = Table(
    "sb1.custodian-key",
    {**PLACE, "created": instant, "hpke_pk": public_key, "name": text, "role": custodian_role, "suite": suite},
)
_CUSTODIAN: Final = record(
    {"hpke_pk": public_key, "i": custodian_index, "kid": digest, "name": text, "role": custodian_role}, Custodian
)
#: The rows of a policy; that they are numbered and distinct is asked by ``require_numbered``.
CUSTODIANS: Final = array(_CUSTODIAN, least=MIN_CUSTODIANS, most=MAX_CUSTODIANS)
POLICY: Final = Table(
    "sb1.policy",
    {
        **PLACE,
        "bidder_factor": flag,
        "custodians": CUSTODIANS,
        "demo": flag,
        "k": integer(MIN_THRESHOLD, MAX_CUSTODIANS),
        "parts": sorted_by(itself, one_of(*PARTS), least=1, most=len(PARTS)),
        "price_bytes": nullable(integer(PRICE_BLOCK, MAX_PRICE_BYTES)),
        "suite": suite,
        "supersedes": nullable(digest),
    },
)


def parse_custodian_key(raw: bytes) -> CustodianKey:
    """Parse a ``sb1.custodian-key``; whether ``hpke_pk`` is on the curve shows when it is first used.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return CustodianKey(raw=raw, **CUSTODIAN_KEY.read(raw))


def parse_policy(raw: bytes) -> Policy:
    """Parse a ``sb1.policy``: fields, index order, distinct keys, price size (SB1 S3.3). S3.1 is asked separately.

    Raises:
        InvalidInput: ``doc.…``.
    """
    policy = Policy(raw=raw, **POLICY.read(raw))
    require_numbered(policy.custodians, POLICY.typ)
    if ("price" in policy.parts) != (policy.price_bytes is not None) or (policy.price_bytes or 0) % PRICE_BLOCK:
        raise InvalidInput("doc.bad_field", "sb1.policy: price_bytes does not fit the parts")
    return policy


def require_numbered(custodians: Sequence[Custodian], typ: str) -> None:
    """Check that the rows of a policy are numbered 1, 2, … and that no two share a key.

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    if [row.i for row in custodians] != list(range(1, len(custodians) + 1)):
        raise InvalidInput("doc.bad_field", f"{typ}: custodians are not numbered 1, 2, … in order")
    if len({row.hpke_pk for row in custodians} | {row.kid for row in custodians}) < 2 * len(custodians):
        raise InvalidInput("doc.bad_field", f"{typ}: two custodians share a key")


def require_admissible(policy: Policy, affiliated: frozenset[str] = frozenset()) -> None:
    """Refuse a policy whose custodians could be too few, too close to the buyer or the same (SB1 S3.1).

    Args:
        policy: The parsed policy.
        affiliated: Names of custodians affiliated to the operator or the agency, from the parties register. A client
            without the register passes nothing, and the roles alone are counted.

    Raises:
        RuleBroken: ``policy.threshold`` (rule 3), ``policy.too_close`` (1), ``policy.same_organisation`` (2),
            ``policy.factor_off`` (4).
    """
    require_custodians(policy.custodians, policy.k, affiliated)
    roles = {row.role for row in policy.custodians}
    if not policy.bidder_factor and (policy.k < _FACTOR_OFF_THRESHOLD or not roles & _INDEPENDENT):
        raise RuleBroken("policy.factor_off", "SB1 S3.1", k=policy.k)


def require_custodians(custodians: Sequence[Custodian], k: int, affiliated: frozenset[str] = frozenset()) -> None:
    """Refuse custodians that could be too few, too close to the buyer or the same (SB1 S3.1 rules 1 to 3, ED1 D1).

    Raises:
        RuleBroken: ``policy.threshold``, ``policy.too_close`` or ``policy.same_organisation``.
    """
    n, names = len(custodians), [row.name for row in custodians]
    if not MIN_THRESHOLD <= k < n <= MAX_CUSTODIANS:
        raise RuleBroken("policy.threshold", "SB1 S3.1", k=k, n=n)
    close = [row.name for row in custodians if row.role in _CLOSE_TO_THE_BUYER or row.name in affiliated]
    if len(close) >= k:
        raise RuleBroken("policy.too_close", "SB1 S3.1", names=close, k=k)
    if len(set(names)) < n:
        raise RuleBroken("policy.same_organisation", "SB1 S3.1", names=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPackage:
    """What bidders and custodians receive: policy, signed custodian keys in index order, current schedule (S3.3)."""

    policy: SignedDocument
    custodian_keys: tuple[SignedDocument, ...]
    schedule: SignedDocument

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> PolicyPackage:
        """Read the three members of the platform's answer (SB1 S7.1); other members are the caller's.

        Raises:
            InvalidInput: ``doc.bad_field`` or what the wire form refuses.
        """
        keys = body.get("custodian_keys")
        if not isinstance(keys, list) or len(keys) > MAX_CUSTODIANS:
            raise InvalidInput("doc.bad_field", "policy package: custodian_keys")
        return cls(
            policy=SignedDocument.from_wire(body.get("policy") or {}),
            custodian_keys=tuple(SignedDocument.from_wire(item) for item in keys),
            schedule=SignedDocument.from_wire(body.get("schedule") or {}),
        )

    def wire(self) -> dict[str, Any]:
        """Return the three members as they travel."""
        return {
            "policy": self.policy.wire(),
            "custodian_keys": [key.wire() for key in self.custodian_keys],
            "schedule": self.schedule.wire(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPackage:
    """A policy package whose every signature and rule was checked against the reader's own trust file.

    ``schedule_signed`` is false for a schedule derived by rule (TE1 T6): whether it follows from its evidence needs
    the log, so a client says so and an agent or verifier checks it.
    """

    policy: Policy
    custodian_keys: tuple[CustodianKey, ...]
    schedule: Schedule
    schedule_signed: bool


def check_package(
    package: PolicyPackage, trust: TrustFile, verify: Verify, affiliated: frozenset[str] = frozenset()
) -> CheckedPackage:
    """Check a policy package as the bidder's client and every agent must before they use it (SB1 S3.3, last part).

    Nothing that arrived with the package is believed: only keys of ``trust`` count.

    Raises:
        InvalidInput: ``doc.…``, ``sig.missing``, ``sig.invalid``, ``policy.untrusted`` or ``policy.mismatch``.
        RuleBroken: as ``require_admissible``.
    """
    policy = parse_policy(package.policy.doc)
    require_signature(package.policy, trust, "agency", verify)
    if policy.demo != trust.demo:
        raise InvalidInput("policy.mismatch", "the policy and the trust file disagree about demo mode")
    if len(package.custodian_keys) != policy.n:
        raise InvalidInput("policy.mismatch", f"{len(package.custodian_keys)} custodian keys for {policy.n} custodians")
    rows = zip(policy.custodians, package.custodian_keys, strict=True)
    keys = tuple(_check_key(policy, row, signed, trust, verify) for row, signed in rows)
    require_admissible(policy, affiliated)
    schedule = parse_schedule(package.schedule.doc)
    if schedule.place != policy.place:
        raise InvalidInput("policy.mismatch", "the schedule is of another lot")
    signed_by_agency = schedule.cause is None
    if signed_by_agency:
        require_signature(package.schedule, trust, "agency", verify)
    return CheckedPackage(policy=policy, custodian_keys=keys, schedule=schedule, schedule_signed=signed_by_agency)


def require_signature(signed: SignedDocument, trust: TrustFile, role: str, verify: Verify) -> Institution:
    """Return the institution of the trust file that signed in ``role``.

    Raises:
        InvalidInput: ``sig.missing``: no signature by such a key; ``sig.invalid``: one that does not verify.
    """
    for signature in signed.sigs:
        institution = trust.institution(signature["kid"])
        if institution is not None and institution.role == role:
            verify(institution.alg, institution.key, signed.doc, signature)
            return institution
    raise InvalidInput("sig.missing", f"no signature by a trusted key of role {role}", role=role)


def _check_key(
    policy: Policy, row: Custodian, signed: SignedDocument, trust: TrustFile, verify: Verify
) -> CustodianKey:
    key = parse_custodian_key(signed.doc)
    told = (key.hpke_pk, key.lot, key.name, key.role, key.stage, key.suite, key.tender)
    if told != (row.hpke_pk, policy.lot, row.name, row.role, policy.stage, policy.suite, policy.tender):
        raise InvalidInput("policy.mismatch", f"custodian {row.i}: the key document differs from the policy", i=row.i)
    institution = trust.institution(row.kid)
    if institution is None or institution.role != "custodian" or institution.name != row.name:
        raise InvalidInput("policy.untrusted", f"custodian {row.i}, {row.name}: not in the trust file", i=row.i)
    for signature in signed.sigs:
        if signature["kid"] == row.kid:
            verify(institution.alg, institution.key, signed.doc, signature)
            return key
    raise InvalidInput("sig.missing", f"custodian {row.i}: its key is not signed by its institution", i=row.i)
