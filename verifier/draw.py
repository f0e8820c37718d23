"""One attempt of one draw as the bundle shows it: its records in order and the documents they name (ED1 D2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from verifier.dealing import deal, share_commitment
from verifier.drawing import Entrant, contribution_commitment, dealing_context
from verifier.evidence import Document, Evidence, Logged
from verifier.shamir import combine_shares

# The order in which an attempt lives; a later milestone without an earlier one means that a record was withheld.
DRAW_MILESTONES = ("specified", "escrowed", "sealed", "seeded", "result")
DRAW_KINDS = "draw."
CONTRIBUTION_USE = "ed1.contribution"
# Experts by id, who of them is suspended, and what is wrong with the changes.
Register = tuple[dict[str, dict[str, Any]], set[str], list[str]]


@dataclass
class Settled:
    """What became of one listed contribution: ``r`` revealed or recovered, ``valid`` if it fits everything (D7)."""

    party: str
    document: Document
    r: bytes | None = None
    revealed: bool = False
    valid: bool = False
    good: list[int] = field(default_factory=list)


def spec_faults(spec: dict[str, Any]) -> list[str]:
    """Return what a spec contradicts in itself (D5)."""
    strata, excluded, committee = spec["strata"], spec["excluded"], spec["committee"]
    ends = [0, *(row["b"] for row in strata)]
    faults = []
    contiguous = [row["a"] for row in strata] == ends[:-1] and ends[-1] == spec["pool_size"]
    if not contiguous or any(row["a"] >= row["b"] for row in strata):
        faults.append("the strata do not follow one another from 0 to pool_size")
    sizes = {row["id"]: row["b"] - row["a"] for row in strata}
    if [row["id"] for row in excluded] != list(sizes) or any(row["count"] > sizes[row["id"]] for row in excluded):
        faults.append("excluded does not count every stratum within its size")
    experts = sum(row["need"] for row in strata) + committee["appointed"] + committee["seated"]
    if experts < 2 * committee["representatives"]:
        faults.append("fewer than two thirds of the committee are experts")
    if spec["min_valid"] > len(spec["parties"]):
        faults.append("min_valid exceeds the number of contributors")
    if spec["attempt"] > 1 and spec["previous"] is None:
        faults.append("ATTEMPT_HIDDEN: a later attempt without previous")
    return faults


class Attempt:
    """The view on which the checks of ED1 work."""

    def __init__(self, evidence: Evidence, draw: str, number: int, records: list[Logged]) -> None:
        self.evidence = evidence
        self.draw, self.number = draw, number
        self.place = f"draw {draw} attempt {number}"
        self.records = records
        self.register: Register | None = None  # as recomputed by the checks of the pool, once for all of them
        self.pool: list[Entrant] | None = None
        self._settled: list[Settled] | None = None
        self._codes: dict[int | None, dict[int, dict[str, str]]] = {}

    def all(self, name: str) -> list[Logged]:
        """Return the records ``draw.<name>`` of this attempt, in log order."""
        return [logged for logged in self.records if logged.kind == DRAW_KINDS + name]

    def first(self, name: str) -> Logged | None:
        """Return the first record ``draw.<name>``."""
        return next(iter(self.all(name)), None)

    def last(self, name: str) -> Logged | None:
        """Return the last record ``draw.<name>``."""
        return next(iter(self.all(name)[::-1]), None)

    def pairs(self, name: str, named: str, typ: str) -> list[tuple[Logged, Document]]:
        """Return the records with the documents they name, where the bundle has them."""
        found = [(logged, self.evidence.document(logged.body[named], typ)) for logged in self.all(name)]
        return [(logged, document) for logged, document in found if document is not None]

    def withheld(self) -> list[str]:
        """Return the milestones that are absent although a later one is there."""
        present = [self.first(name) is not None for name in DRAW_MILESTONES]
        return [name for n, name in enumerate(DRAW_MILESTONES) if not present[n] and any(present[n:])]

    @property
    def spec(self) -> Document | None:
        """Return the spec that counts: the first one logged."""
        return next((document for _, document in self.pairs("specified", "spec_sha256", "ed1.spec")), None)

    @property
    def policy(self) -> Document | None:
        """Return the policy that the spec names."""
        return self.evidence.document(self.spec.value["policy_sha256"], "ed1.policy") if self.spec else None

    @property
    def size(self) -> tuple[int, int]:
        """Return k and n_c of the policy; (0, 0) without one."""
        policy = self.policy
        return (policy.value["k"], len(policy.value["custodians"])) if policy else (0, 0)

    @property
    def sealed(self) -> Logged | None:
        """Return the seal that counts: the first one logged."""
        return self.first("sealed")

    @property
    def seed(self) -> bytes | None:
        """Return the seed of ``draw.seeded``."""
        seeded = self.first("seeded")
        return bytes.fromhex(seeded.body["seed"]) if seeded else None

    @property
    def walkable(self) -> bool:
        """Return whether there is a walk to replay: a seed, and a spec whose strata are a pool."""
        return self.spec is not None and self.seed is not None and not spec_faults(self.spec.value)

    def kid_of(self, party: str) -> str | None:
        """Return the kid that the spec gives for a party."""
        rows = self.spec.value["parties"] if self.spec else []
        return next((row["kid"] for row in rows if row["id"] == party), None)

    def of_custodian(self, document: Document) -> bool:
        """Return whether the institution of the custodian that a document names has signed it."""
        rows = self.policy.value["custodians"] if self.policy else []
        kid = next((row["kid"] for row in rows if row["i"] == document.value["custodian"]), None)
        signer = document.signed_by("custodian")
        return signer is not None and signer.kid == kid

    def by_party(self, document: Document) -> bool:
        """Return whether a contribution or reveal is signed by the kid of the spec."""
        return any(signer.kid == self.kid_of(document.value["party"]) for signer in document.signers)

    def codes(self, until: int | None = None) -> dict[int, dict[str, str]]:
        """Return what each custodian said of each document, its first word counting, before entry ``until``."""
        if until in self._codes:
            return self._codes[until]
        told = self._codes.setdefault(until, {})
        for logged, document in self.pairs("share_checked", "check_sha256", "ed1.share-check"):
            if self.of_custodian(document) and (until is None or logged.n < until):
                for row in document.value["items"]:
                    told.setdefault(document.value["custodian"], {}).setdefault(row["doc_sha256"], row["code"])
        return told

    def waived(self) -> set[int]:
        """Return the custodians whose ``ok`` is not waited for."""
        return {
            i
            for _, document in self.pairs("waived", "waiver_sha256", "ed1.waiver")
            for i in document.value["custodians"]
        }

    def lacking(self, sha256: str) -> list[int]:
        """Return the custodians whose ``ok`` before the seal a document lacks (D7)."""
        codes, waived = self.codes(self.sealed.n if self.sealed else None), self.waived()
        return [i for i in range(1, self.size[1] + 1) if i not in waived and codes.get(i, {}).get(sha256) != "ok"]

    def listed(self) -> Iterator[tuple[str, Document]]:
        """Yield party and document of the contributions that the seal lists."""
        for row in self.sealed.body["contributions"] if self.sealed else []:
            document = self.evidence.document(row["contribution_sha256"], CONTRIBUTION_USE)
            if document is not None:
                yield row["party"], document

    def settled(self) -> list[Settled]:
        """Return what became of every listed contribution, recomputed from reveals and recoveries (D7)."""
        if self._settled is None:
            self._settled = [self._settle(party, document) for party, document in self.listed()]
        return self._settled

    def _settle(self, party: str, document: Document) -> Settled:
        found = Settled(party, document)
        for _, reveal in self.pairs("revealed", "reveal_sha256", "ed1.reveal"):
            if found.r is None and self.counts(reveal, document):
                found.r, found.revealed = bytes.fromhex(reveal.value["r"]), True
        shares = self.good_shares(party, document)
        found.good = sorted(shares)
        k, count = self.size
        if found.r is None and k and len(shares) >= k:
            found.r = combine_shares([shares[i] for i in found.good[:k]])
        if found.r is not None:
            context = dealing_context(document.value, party, CONTRIBUTION_USE)
            derived = [c.hex() for c in deal(found.r, b"", context, k, count).commitments] if k else []
            own = contribution_commitment(document.value["spec_sha256"], party, found.r).hex()
            published = [share["c"] for share in document.value["shares"]]
            found.valid = (own, derived) == (document.value["commit"], published)
        return found

    def counts(self, reveal: Document, contribution: Document) -> bool:
        """Return whether a reveal counts: signature, seal, commitment (D7)."""
        if self.sealed is None or not self.by_party(reveal) or not self._names(reveal, contribution, self.sealed):
            return False
        value = contribution.value
        own = contribution_commitment(value["spec_sha256"], value["party"], bytes.fromhex(reveal.value["r"]))
        return bool(own.hex() == value["commit"])

    @staticmethod
    def _names(answer: Document, contribution: Document, sealed: Logged) -> bool:
        same = all(answer.value[name] == contribution.value[name] for name in ("draw", "party", "spec_sha256"))
        return same and bool(answer.value["sealed_h"] == sealed.h)

    def good_shares(self, party: str, document: Document) -> dict[int, bytes]:
        """Return the recovered shares that equal their C_i, by custodian."""
        context = dealing_context(document.value, party, CONTRIBUTION_USE)
        commitments = {share["i"]: share["c"] for share in document.value["shares"]}
        good: dict[int, bytes] = {}
        for _, recovery in self.pairs("recovered", "recovery_sha256", "ed1.recovery"):
            if self.sealed is None or not self.of_custodian(recovery):
                continue
            if not self._names(recovery, document, self.sealed):
                continue
            share, i = bytes.fromhex(recovery.value["share"]), recovery.value["custodian"]
            if share_commitment(share, context).hex() == commitments.get(i):
                good.setdefault(i, share)
        return good

    def secret(self, typ: str) -> dict[str, Any] | None:
        """Return ``mb.draw-leaves`` or ``mb.draw-keys`` of this attempt, if the bundle has it."""
        for document in self.evidence.of_type(typ):
            value = document.value
            if (value["draw"], value["attempt"]) == (self.draw, self.number):
                return value
        return None

    def keys(self) -> dict[str, Any] | None:
        """Return ``mb.draw-keys`` with the exclusions of all its parts; ``None`` if the bundle lacks any of them."""
        keys = self.secret("mb.draw-keys")
        if keys is None or "parts" not in keys:
            return keys
        found: dict[int, list[dict[str, Any]]] = {}
        for document in self.evidence.of_type("mb.draw-exclusions"):
            if (document.value["draw"], document.value["attempt"]) == (self.draw, self.number):
                found[document.value["part"]] = document.value["exclusions"]
        wanted = range(1, keys["parts"] + 1)
        if not found.keys() >= set(wanted):
            return None
        return {**keys, "exclusions": [*keys["exclusions"], *(row for part in wanted for row in found[part])]}


def attempts_of(evidence: Evidence) -> list[Attempt]:
    """Return every attempt that the records show, by draw and number."""
    found: dict[tuple[str, int], list[Logged]] = {}
    for logged in evidence.records:
        if logged.kind.startswith(DRAW_KINDS):
            found.setdefault((logged.body["draw"], logged.body["attempt"]), []).append(logged)
    return [Attempt(evidence, draw, number, records) for (draw, number), records in sorted(found.items())]
