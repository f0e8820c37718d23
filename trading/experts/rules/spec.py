"""``ed1.spec``: everything of a draw that is fixed before the first unknown bit (ED1 D5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from trading.bids.rules.fields import Document
from trading.bids.rules.policy import Verify
from trading.bids.rules.trust import TrustFile
from trading.experts.rules import fields as ed1
from trading.experts.rules.policy import require_signed_by_both
from trading.experts.rules.pool import Stratum
from trading.kernel import fields
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument

DEFAULT_COMMIT_MS: Final = 600_000
DEFAULT_REVEAL_MS: Final = 300_000
PERSON: Final = "person"
UNIT: Final = "unit"
_MIN_PARTIES: Final = 3
_MIN_VALID: Final = 2
_INDEPENDENT: Final = frozenset({"supervisor", "notary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Beacon:
    """A public source of randomness that the seed depends on; mandatory if named."""

    name: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Seats that the draw does not fill: appointed experts, the tenderer's representatives, seats filled earlier."""

    appointed: int
    representatives: int
    seated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """How many indices of one stratum are excluded."""

    count: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A contributor with the id of its key."""

    id: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(Document):
    """One attempt of one draw. Lengths of time in ms; roots and commitments as bytes."""

    attempt: int
    beacon: Beacon | None
    call_ms: int
    commit_ms: int
    committee: Composition
    draw: str
    excl_root: bytes
    exclusion_key_commit: bytes
    excluded: tuple[Excluded, ...]
    limits: tuple[str, ...]
    min_valid: int
    parties: tuple[Party, ...]
    policy_sha256: str
    pool_key_commit: bytes
    pool_root: bytes
    pool_size: int
    previous: str | None
    procedure_commit: bytes
    register_size: int
    reveal_ms: int
    rule_version: str
    strata: tuple[Stratum, ...]

    def party(self, party: str) -> Party | None:
        """Return a contributor by its id."""
        return next((item for item in self.parties if item.id == party), None)

    def stratum(self, stratum: str) -> Stratum | None:
        """Return a stratum by its id."""
        return next((item for item in self.strata if item.id == stratum), None)


_COUNT: Final = fields.integer(0)
SPEC: Final = fields.Table(
    "ed1.spec",
    {
        "attempt": ed1.attempt_number,
        "beacon": fields.nullable(fields.record({"name": fields.text, "round": fields.integer(1)}, Beacon)),
        "call_ms": fields.integer(1),
        "commit_ms": fields.duration,
        "committee": fields.record({"appointed": _COUNT, "representatives": _COUNT, "seated": _COUNT}, Composition),
        "draw": ed1.draw_id,
        "excl_root": ed1.bytes32,
        "exclusion_key_commit": ed1.bytes32,
        "excluded": fields.sorted_by(
            lambda item: item.id, fields.record({"count": _COUNT, "id": ed1.stratum_id}, Excluded), least=1
        ),
        "limits": fields.sorted_by(fields.itself, fields.one_of(PERSON, UNIT)),
        "min_valid": fields.integer(_MIN_VALID),
        "parties": fields.sorted_by(
            lambda item: item.id,
            fields.record({"id": ed1.party_id, "kid": fields.digest}, Party),
            least=_MIN_PARTIES,
        ),
        "policy_sha256": fields.digest,
        "pool_key_commit": ed1.bytes32,
        "pool_root": ed1.bytes32,
        "pool_size": fields.integer(1, ed1.MAX_POOL),
        "previous": fields.nullable(fields.digest),
        "procedure_commit": ed1.bytes32,
        "register_size": fields.integer(0),
        "reveal_ms": fields.duration,
        "rule_version": fields.text,
        "strata": fields.sorted_by(
            lambda item: item.id,
            fields.record(
                {"a": ed1.pool_index, "b": ed1.pool_index, "id": ed1.stratum_id, "need": fields.integer(1)}, Stratum
            ),
            least=1,
        ),
    },
)


def parse_spec(raw: bytes) -> Spec:
    """Parse a spec and check what its own fields must satisfy: strata, counts, parties, committee sum, attempt.

    Raises:
        InvalidInput: ``doc.…``.
    """
    spec = Spec(raw=raw, **SPEC.read(raw))
    for fault, found in _faults(spec).items():
        if found:
            raise InvalidInput("doc.bad_field", f"ed1.spec: {fault}")
    return spec


def _faults(spec: Spec) -> Mapping[str, bool]:
    needed = sum(item.need for item in spec.strata)
    ends = [0, *(item.b for item in spec.strata)]
    return {
        "the strata do not follow one another from 0 to pool_size": [item.a for item in spec.strata] != ends[:-1]
        or ends[-1] != spec.pool_size
        or any(item.a >= item.b for item in spec.strata),
        "excluded does not count every stratum": [item.id for item in spec.excluded]
        != [item.id for item in spec.strata]
        or any(told.count > item.b - item.a for told, item in zip(spec.excluded, spec.strata, strict=False)),
        "fewer than two thirds of the committee are experts": needed + spec.committee.appointed + spec.committee.seated
        < 2 * spec.committee.representatives,
        "min_valid exceeds the number of parties": spec.min_valid > len(spec.parties),
        "two parties share a key": len({item.kid for item in spec.parties}) < len(spec.parties),
        "a later attempt without previous": spec.attempt > 1 and spec.previous is None,
    }


def default_min_valid(parties: int) -> int:
    """Return how many valid contributions a draw of so many parties needs unless the spec asks for another number."""
    return max(_MIN_VALID, parties - 1)


def write_spec(body: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a spec; hex and arrays as in D5, strata as ``Stratum`` or mappings.

    Raises:
        ValueError: The body is no valid spec. A bug.
    """
    strata = [asdict(item) if isinstance(item, Stratum) else dict(item) for item in body["strata"]]
    raw = SPEC.write({**body, "strata": strata})
    try:
        parse_spec(raw)
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    return raw


def check_spec(signed: SignedDocument, trust: TrustFile, verify: Verify) -> Spec:
    """Check a spec as contributor, custodian and platform must: both signatures, and who the contributors are (D1, D5).

    Raises:
        InvalidInput: ``doc.…`` or ``sig.…``.
        RuleBroken: ``draw.party_unknown`` (a key not of a contributor in the trust file), ``draw.party_double`` (two
            parties of one organisation), ``draw.no_independent_party`` (neither supervisor nor notary contributes).
    """
    spec = parse_spec(signed.doc)
    require_signed_by_both(signed, trust, verify)
    names = set()
    for party in spec.parties:
        institution = trust.institution(party.kid)
        if institution is None or institution.role != "contributor":
            raise RuleBroken("draw.party_unknown", "ED1 D5", party=party.id)
        if institution.name in names:
            raise RuleBroken("draw.party_double", "ED1 D1", party=party.id, name=institution.name)
        names.add(institution.name)
    if not _INDEPENDENT & {party.id for party in spec.parties}:
        raise RuleBroken("draw.no_independent_party", "ED1 D1")
    return spec
