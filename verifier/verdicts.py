"""The verdict of a bid recomputed by the table of SB1 S10, from what the tier holds.

In the audit tier every row is decided. In lower tiers shares are secret, so rows 3 and 7 to 12 cannot be told apart;
the result is then the set of verdicts that the public facts allow. A bidder may have given away the ``sb1.audit-item``
of its own bid: then every row is decided for that bid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verifier.age import AgeError, open_age, open_age_stream
from verifier.bundle import KEPT_FILE
from verifier.checks_adjudication import BAD_CODES
from verifier.checks_opening import (
    newest_factor_list,
    revealed_bids,
    share_checks_end,
    used_releases,
)
from verifier.contents import ContentFault, Price, read_main, read_price
from verifier.dealing import context_of, deal, factor_commitment, part_identity, share_commitment
from verifier.envelopes import envelope_faults, is_copy, signature_faults
from verifier.evidence import Document, Logged
from verifier.lot import Lot, Version
from verifier.shamir import combine_shares

PUBLIC_UNKNOWN = (
    "OK",
    "PLATFORM_PART_LOST",
    "TOO_FEW_SHARES",
    "BIDDER_MALFORMED_SEALING",
    "PENDING",
    "BIDDER_MALFORMED_CONTENT",
)


@dataclass
class Custodian:
    """What one custodian did for one bid, and the class of its index (table of S10)."""

    index: int
    code: str | None = None
    finding: str | None = None
    answered: bool = False
    given: bool = False
    good: bool | None = None

    @property
    def fault(self) -> str | None:
        """Return the first fault that applies; ``good`` unknown counts as no bad share."""
        if self.finding == "custodian_fault" or self.code == "envelope_invalid":
            return "CUSTODIAN_FALSE_BAD"
        if self.given and self.good is False:
            return "CUSTODIAN_BAD_SHARE"
        if self.code is None and not self.answered:
            return "CUSTODIAN_ABSENT"
        if not self.given and self.code not in BAD_CODES:
            return "CUSTODIAN_NO_RELEASE"
        return None

    @property
    def group(self) -> str:
        """Return the class: good, dealt_bad, open or at_fault."""
        if self.good:
            return "good"
        if self.finding == "dealt_bad":
            return "dealt_bad"
        return "open" if self.code in BAD_CODES and self.finding is None else "at_fault"


@dataclass
class Ruling:
    """The recomputed verdict: what is possible, the faults if they are decided, and what the secrets opened."""

    possible: tuple[str, ...]
    faults: list[dict[str, Any]] | None = None
    row: int = 0
    price: Price | None = None
    manifest_sha256: str | None = None
    identities: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    settled: Ruling | None = None  # of a bid that was PENDING, by what was adjudicated before its final verdict


class Judge:
    """Applies S10 to the bids of one lot; adjudications count if they were logged before index ``until``."""

    def __init__(self, lot: Lot, order: Document, policy: Document, until: int | None) -> None:
        self._lot = lot
        self._until = until
        self._policy = policy.value
        self._order = order.value
        self._versions = {v.sha256: v for versions in lot.versions().values() for v in versions}
        self._items = {row["bid"]: row for _, row in audit_items(lot)}
        self._releases = used_releases(lot)
        newest = newest_factor_list(lot)
        self._listed = {row["bid"]: row["result"] for row in newest[1].value["items"]} if newest else {}

    def judge(self, row: dict[str, Any]) -> Ruling:
        """Return the ruling on one row of the open order."""
        version = self._versions.get(row["envelope_sha256"])
        if version is None or version.document is None or envelope_faults(self._lot, version):
            return Ruling(("PLATFORM_BAD_INTAKE",), [], 1)
        if signature_faults(version):
            return Ruling(("PLATFORM_BAD_INTAKE",), [], 1)
        early = self._early_rows(row["bid"], version)
        return early or self._late_rows(row["bid"], version)

    def _early_rows(self, bid: str, version: Version) -> Ruling | None:
        codes = [custodian.code for custodian in self.custodians(bid)]
        failed = codes.count("hpke_open_failed") >= self._policy["k"] and "ok" not in codes
        if failed and version.document is not None and is_copy(self._lot, version.document):
            return Ruling(("BIDDER_COPIED",), [], 2)
        if self._part_lost(bid):
            return Ruling(("PLATFORM_PART_LOST",), [], 3)
        if self._policy["bidder_factor"] and bid not in revealed_bids(self._lot):
            return Ruling(("BIDDER_NO_FACTOR",), [], 4)
        if self._policy["bidder_factor"] and self._listed.get(bid) != "valid":
            return Ruling(("PLATFORM_FACTOR_LOST",), [], 5)
        return None

    def _part_lost(self, bid: str) -> bool:
        """Return whether ``opening.combined`` says that no store had a part (row 3): nobody can prove an absence."""
        combined = self._lot.last("opening.combined")
        rows = combined.body["items"] if combined is not None else []
        return any((row["bid"], row["verdict"]) == (bid, "PLATFORM_PART_LOST") for row in rows)

    def custodians(self, bid: str) -> list[Custodian]:
        """Return what each custodian did for a bid, from share checks, adjudications and releases."""
        found = {row["i"]: Custodian(row["i"]) for row in self._policy["custodians"]}
        end = share_checks_end(self._lot)
        for logged, document in self._lot.pairs("share.checked", "check_sha256", "sb1.share-check"):
            code = value_of(document, bid, "code")
            if code is not None and (end is None or logged.n < end) and document.value["custodian"] in found:
                found[document.value["custodian"]].code = code
        for logged, document in self._lot.pairs("share.adjudicated", "adjudication_sha256", "sb1.adjudication"):
            finding = value_of(document, bid, "finding")
            early = self._until is None or logged.n < self._until
            if finding is not None and early and document.value["custodian"] in found:
                found[document.value["custodian"]].finding = finding
        for _, document in self._releases:
            if document.value["custodian"] in found:
                custodian = found[document.value["custodian"]]
                custodian.answered = True
                custodian.given = value_of(document, bid, "ct") is not None
        return list(found.values())

    def _late_rows(self, bid: str, version: Version) -> Ruling:
        item = self._items.get(bid)
        if item is None or version.document is None:
            return Ruling(PUBLIC_UNKNOWN)
        envelope = version.document.value
        context = context_of(envelope)
        custodians = self.custodians(bid)
        shares = self._mark_good(custodians, item, envelope, context)
        faults = [{"code": one.fault, "custodian": one.index} for one in custodians if one.fault is not None]
        rescue = self._rescue(version, context)
        s_b = bytes.fromhex(item["s_b"] or "")
        if rescue is not None:
            s_c, s_b = bytes.fromhex(rescue["s_c"]), bytes.fromhex(rescue["s_b"])
        else:
            short = self._short(custodians)
            if short is not None:
                return Ruling((short[1],), faults, short[0])
            s_c = combine_shares(shares[: self._policy["k"]])
        if not dealing_fits(envelope, s_c, s_b, context, self._policy["k"]):
            return Ruling(("BIDDER_MALFORMED_SEALING",), faults, 10)
        return self._open(version.document, s_c, s_b, faults)

    def _mark_good(
        self, custodians: list[Custodian], item: dict[str, Any], envelope: dict[str, Any], context: bytes
    ) -> list[bytes]:
        """Mark the custodians whose share stands in the transcript and equals C_i; return these shares by index."""
        commitments = {share["i"]: share["c"] for share in envelope["shares"]}
        shown = {bytes.fromhex(text)[-1]: bytes.fromhex(text) for text in item["shares"] or []}
        good = []
        for custodian in custodians:
            share = shown.get(custodian.index)
            fits = share is not None and share_commitment(share, context).hex() == commitments[custodian.index]
            custodian.good = fits and custodian.given
            if share is not None and custodian.good:
                good.append(share)
        return good

    def _short(self, custodians: list[Custodian]) -> tuple[int, str] | None:
        """Return row and verdict of rows 7 to 9, ``None`` if k good shares are there."""
        groups = [custodian.group for custodian in custodians]
        spare = len(groups) - self._policy["k"]
        if groups.count("good") >= self._policy["k"]:
            return None
        if groups.count("at_fault") > spare:
            return 7, "TOO_FEW_SHARES"
        if groups.count("at_fault") + groups.count("open") <= spare:
            return 8, "BIDDER_MALFORMED_SEALING"
        return 9, "PENDING"

    def _rescue(self, version: Version, context: bytes) -> dict[str, Any] | None:
        """Return a rescue that counts (S9.6): accepted in its window, and everything re-derives from it."""
        start, end = newest_factor_list(self._lot), self._lot.last("release.closed")
        for logged in self._lot.all("rescue.accepted"):
            inside = (start is None or start[0].n < logged.n) and (end is None or logged.n < end.n)
            if not inside or logged.body["envelope_sha256"] != version.sha256 or version.document is None:
                continue
            for document in self._lot.evidence.of_type("sb1.rescue"):
                value = document.value
                if value["envelope_sha256"] == version.sha256 and dealing_fits(
                    version.document.value,
                    bytes.fromhex(value["s_c"]),
                    bytes.fromhex(value["s_b"]),
                    context,
                    self._policy["k"],
                ):
                    return value
        return None

    def _open(self, envelope: Document, s_c: bytes, s_b: bytes, faults: list[dict[str, Any]]) -> Ruling:
        """Apply rows 11 to 13: every part decrypts, and its content is what S5 says."""
        ruling, value = Ruling(("OK",), faults, 13), envelope.value
        context = context_of(value)
        for part in value["parts"]:
            ruling.identities[part["name"]] = part_identity(part["name"], s_c, s_b, context)
        bad_content = False
        for part in value["parts"]:
            path = f"parts/{part['sha256']}.age"
            if path not in self._lot.evidence.bundle:
                ruling.unread.append(part["name"])
                continue
            try:
                self._open_part(ruling, value, part, path)
            except AgeError:
                return Ruling(("BIDDER_MALFORMED_SEALING",), faults, 11, identities=ruling.identities)
            except ContentFault:
                bad_content = True
        if bad_content:
            ruling.possible, ruling.row = ("BIDDER_MALFORMED_CONTENT",), 12
        if ruling.unread:
            ruling.possible = (*ruling.possible, "BIDDER_MALFORMED_SEALING", "BIDDER_MALFORMED_CONTENT")
        return ruling

    def _open_part(self, ruling: Ruling, envelope: dict[str, Any], part: dict[str, Any], path: str) -> None:
        bundle, identity = self._lot.evidence.bundle, ruling.identities[part["name"]]
        if bundle.sizes[path] != part["size"]:
            raise AgeError("size differs from the envelope")
        if part["name"] == "price":
            if part["size"] > KEPT_FILE:
                raise AgeError("a price part is never that large")
            plaintext = open_age(identity, bundle.read(path))
            ruling.price = read_price(plaintext, self._policy["price_bytes"], envelope)
            return
        with bundle.open(path) as stream:
            ruling.manifest_sha256 = read_main(open_age_stream(identity, stream), envelope)


def dealing_fits(envelope: dict[str, Any], s_c: bytes, s_b: bytes, context: bytes, k: int) -> bool:
    """Return whether ``seed_commit`` and every C_j follow from the secrets (S10 row 10)."""
    dealt = deal(s_c, s_b, context, k, len(envelope["shares"]))
    same = [commitment.hex() for commitment in dealt.commitments] == [share["c"] for share in envelope["shares"]]
    return same and dealt.seed_commit.hex() == envelope["seed_commit"]


def factor_fits(envelope: dict[str, Any], s_b: bytes) -> bool:
    """Return whether ``s_b`` is the preimage of ``factor_commit`` (S9.5)."""
    return bool(factor_commitment(s_b, context_of(envelope)).hex() == envelope["factor_commit"])


def value_of(document: Document, bid: str, name: str) -> str | None:
    """Return a field of a bid's item in a document that lists bids."""
    return next((row[name] for row in document.value["items"] if row["bid"] == bid), None)


def find_transcript(lot: Lot, tier: str) -> Document | None:
    """Return the transcript of a tier that ``opening.completed`` names."""
    completed = lot.last("opening.completed")
    named = completed.body["transcript_sha256s"] if completed is not None else []
    for sha256 in named:
        document = lot.evidence.document(sha256, "sb1.transcript")
        if document is not None and document.value["tier"] == tier:
            return document
    return None


def audit_items(lot: Lot) -> list[tuple[str, dict[str, Any]]]:
    """Return place and row of every bid whose secrets the bundle shows: the audit transcript's, or of single bids."""
    transcript, completed = find_transcript(lot, "audit"), lot.last("opening.completed")
    if transcript is not None:
        return [(transcript.place, row) for row in transcript.value["items"]]
    order, named = lot.order, completed.body["transcript_sha256s"] if completed is not None else []
    return [
        (document.place, document.value["item"])
        for document in lot.evidence.of_type("sb1.audit-item")
        if order is not None
        and document.value["order_sha256"] == order.sha256
        and document.value["transcript_sha256"] in named
    ]


def transcript_item(transcript: Document, bid: str) -> dict[str, Any] | None:
    """Return the item of a bid in a transcript."""
    return next((row for row in transcript.value["items"] if row["bid"] == bid), None)


def judge_of(lot: Lot, order: Document, policy: Document) -> Judge:
    """Return who judges the combination: with what was adjudicated at ``release.closed`` (S10)."""
    closed = lot.last("release.closed")
    return Judge(lot, order, policy, closed.n if closed is not None else None)


def rulings(lot: Lot) -> dict[str, Ruling]:
    """Return the rulings on all bids of the newest order, made once per lot."""
    order, policy, combined = lot.order, lot.policy, lot.last("opening.combined")
    if lot.rulings is None:
        lot.rulings = {}
        if order is not None and policy is not None and combined is not None:
            judge = judge_of(lot, order, policy)
            lot.rulings = {row["bid"]: judge.judge(row) for row in order.value["bids"]}
            pending = [item["bid"] for item in combined.body["items"] if item["verdict"] == "PENDING"]
            for row in order.value["bids"]:
                last = last_verdict(lot, row["bid"]) if row["bid"] in pending else None
                if last is not None and last.body["verdict"] != "PENDING":
                    lot.rulings[row["bid"]].settled = Judge(lot, order, policy, last.n).judge(row)
    return lot.rulings


def last_verdict(lot: Lot, bid: str) -> Logged | None:
    """Return the newest ``bid.verdict`` of a bid."""
    return next((logged for logged in reversed(lot.all("bid.verdict")) if logged.body["bid"] == bid), None)
