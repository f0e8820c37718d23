"""One lot and stage of one procedure as the bundle shows it: its records in order and the documents they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier.evidence import Document, Evidence, Logged
from verifier.records import is_practice

# The order in which a lot lives; a later milestone without an earlier one means that a record was withheld.
MILESTONES = (
    "policy.fixed",
    "tender.published",
    "deadline.reached",
    "tender.closed",
    "open.ordered",
    "factor.opened",
    "factor.closed",
    "release.closed",
    "opening.combined",
    "opening.completed",
    "bids.ranked",
    "award.determined",
    "result.published",
)
FACTOR_MILESTONES = ("factor.opened", "factor.closed")
KINDS_BY_BID = (
    "factor.revealed",
    "factor.refused",
    "rescue.accepted",
    "bid.opened",
    "bid.verdict",
    "rehearsal.checked",
)
Pair = tuple[Logged, Document]


@dataclass(frozen=True)
class Version:
    """One version of a bid: its ``bid.received`` or ``bid.withdrawn`` record and the document, if the bundle has it."""

    logged: Logged
    document: Document | None

    @property
    def seq(self) -> int:
        """Return the version number."""
        return int(self.logged.body["seq"])

    @property
    def sha256(self) -> str:
        """Return the hash of the envelope or withdrawal."""
        body = self.logged.body
        return str(body["envelope_sha256"] if self.logged.kind == "bid.received" else body["withdrawal_sha256"])


class Lot:
    """The view on which the checks of SB1, TE1 and the ranking work."""

    def __init__(self, evidence: Evidence, own: list[Logged], lot: str, stage: str) -> None:
        self.evidence = evidence
        self.procedure, self.lot, self.stage = str(own[0].procedure), lot, stage
        self.place = f"{self.procedure} lot {lot} stage {stage}"
        self.bid_ids = {logged.body["bid"] for logged in own if "bid" in logged.body and self._here(logged)}
        self.records = [logged for logged in own if self._belongs(logged)]
        self.rulings: dict[str, Any] | None = None
        self._versions: dict[str, list[Version]] | None = None
        self._by_kind: dict[str, list[Logged]] = {}
        for logged in self.records:
            self._by_kind.setdefault(logged.kind, []).append(logged)
        self.orders = self.pairs("open.ordered", "order_sha256", "sb1.open-order")

    def _here(self, logged: Logged) -> bool:
        return bool(logged.body.get("lot") == self.lot and logged.body.get("stage") == self.stage)

    def _belongs(self, logged: Logged) -> bool:
        if logged.kind in KINDS_BY_BID:
            return logged.body["bid"] in self.bid_ids
        if logged.kind == "bid.refused":
            return bool(logged.record["subject"] == f"lot:{self.lot}")
        return self._here(logged) or logged.kind == "procedure.cancelled"

    def all(self, kind: str) -> list[Logged]:
        """Return the records of a kind, in log order."""
        return self._by_kind.get(kind, [])

    def first(self, kind: str) -> Logged | None:
        """Return the first record of a kind."""
        return next(iter(self.all(kind)), None)

    def last(self, kind: str) -> Logged | None:
        """Return the last record of a kind."""
        return next(iter(self.all(kind)[::-1]), None)

    def pairs(self, kind: str, name: str, typ: str) -> list[Pair]:
        """Return the records of a kind with the documents they name, where the bundle has them."""
        found = [(logged, self.evidence.document(logged.body[name], typ)) for logged in self.all(kind)]
        return [(logged, document) for logged, document in found if document is not None]

    def missing(self, kind: str) -> bool:
        """Return whether a milestone is absent although a later one is there."""
        later = MILESTONES[MILESTONES.index(kind) + 1 :]
        return self.first(kind) is None and any(self.first(other) is not None for other in later)

    @property
    def veiled(self) -> bool:
        """Return whether a bundle of a lower tier still hides the ceremony: until ``opening.completed`` (S11)."""
        hides = self.evidence.header["kind"] == "public"
        return hides and self.first("opening.completed") is None

    @property
    def closed(self) -> Logged | None:
        """Return the close entry."""
        return self.first("tender.closed")

    @property
    def policy(self) -> Document | None:
        """Return the policy in force at the close, or the newest one."""
        closed, fixed = self.closed, self.last("policy.fixed")
        named = closed or fixed
        return self.evidence.document(named.body["policy_sha256"], "sb1.policy") if named else None

    @property
    def schedules(self) -> list[Pair]:
        """Return the schedules in log order, each with the record that published it."""
        kinds = ("tender.published", "tender.changed")
        found = [
            (logged, self.evidence.document(logged.body["schedule_sha256"], "mb.schedule"))
            for logged in self.records
            if logged.kind in kinds
        ]
        return [(logged, document) for logged, document in found if document is not None]

    @property
    def schedule(self) -> dict[str, Any] | None:
        """Return the last schedule."""
        return self.schedules[-1][1].value if self.schedules else None

    @property
    def order(self) -> Document | None:
        """Return the newest open order before the combination."""
        return self.orders[-1][1] if self.orders else None

    @property
    def factor_mode(self) -> bool:
        """Return whether bidders hold a factor; without a policy the default."""
        return bool(self.policy.value["bidder_factor"]) if self.policy else True

    def versions(self) -> dict[str, list[Version]]:
        """Return per bid its received and withdrawn versions in log order."""
        if self._versions is None:
            self._versions = self._read_versions()
        return self._versions

    def _read_versions(self) -> dict[str, list[Version]]:
        result: dict[str, list[Version]] = {}
        for logged in self.records:
            if logged.kind == "bid.received":
                document = self.evidence.document(logged.body["envelope_sha256"], "sb1.envelope")
            elif logged.kind == "bid.withdrawn":
                document = self.evidence.document(logged.body["withdrawal_sha256"], "sb1.withdrawal")
            else:
                continue
            result.setdefault(logged.body["bid"], []).append(Version(logged, document))
        return result

    def envelope(self, sha256: str) -> Document | None:
        """Return an envelope by its hash."""
        return self.evidence.document(sha256, "sb1.envelope")


def lots_of(evidence: Evidence) -> list[Lot]:
    """Return the lots that the bundle is about: the one it names, or all that its records show."""
    header = evidence.header
    by_procedure: dict[str, list[Logged]] = {}
    for logged in evidence.records:
        if is_practice(logged.procedure):
            continue
        if logged.procedure is not None and header["procedure"] in (None, logged.procedure):
            by_procedure.setdefault(logged.procedure, []).append(logged)
    lots = []
    for _, own in sorted(by_procedure.items()):
        places = {(logged.body["lot"], logged.body["stage"]) for logged in own if logged.kind in MILESTONES}
        for lot, stage in sorted(places):
            if header["lot"] in (None, lot) and header["stage"] in (None, stage):
                lots.append(Lot(evidence, own, lot, stage))
    return lots
