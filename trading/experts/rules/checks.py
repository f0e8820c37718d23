"""What custodians say of their shares before the seal, and who is excused from saying it (ED1 D7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.bids.rules.fields import Document
from trading.experts.rules import fields as ed1
from trading.experts.rules.policy import Policy
from trading.kernel import fields
from trading.kernel.errors import RuleBroken


class CheckCode(StrEnum):
    """What a custodian says of its share of one document (codes of SB1 S9.3)."""

    OK = "ok"
    DOC_INVALID = "doc_invalid"
    HPKE_OPEN_FAILED = "hpke_open_failed"
    BAD_LENGTH = "bad_length"
    BAD_INDEX = "bad_index"
    COMMIT_MISMATCH = "commit_mismatch"

    @property
    def is_bad(self) -> bool:
        """Whether it needs an adjudication: anyone can check a document, nobody else a share."""
        return self not in {CheckCode.OK, CheckCode.DOC_INVALID}


class Finding(StrEnum):
    """Result of an adjudication."""

    DEALT_BAD = "dealt_bad"
    CUSTODIAN_FAULT = "custodian_fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckItem:
    """One contribution or escrow and the custodian's code."""

    code: CheckCode
    doc_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCheck(Document):
    """``ed1.share-check``."""

    created: int
    custodian: int
    draw: str
    items: tuple[CheckItem, ...]
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeyDisclosure(Document):
    """``ed1.key-disclosure``, for the auditor's eyes. No ``repr``: the seed is a secret."""

    created: int
    custodian: int
    seed: bytes
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationItem:
    """One document that a custodian reported bad, and what the auditor found."""

    doc_sha256: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication(Document):
    """``ed1.adjudication``: the findings about one custodian's claims."""

    created: int
    custodian: int
    items: tuple[AdjudicationItem, ...]
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver(Document):
    """``ed1.waiver``: custodians whose ``ok`` is not waited for."""

    created: int
    custodians: tuple[int, ...]
    draw: str
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(Document):
    """``ed1.ack``: supervisor or custodian took a document in for forwarding (D6.2)."""

    created: int
    doc_sha256: str
    draw: str


def doc_of(item: CheckItem | AdjudicationItem) -> str:
    """Return the key by which items are sorted."""
    return item.doc_sha256


def _code(value: object) -> CheckCode:
    return CheckCode(fields.one_of(*CheckCode)(value))


def _finding(value: object) -> Finding:
    return Finding(fields.one_of(*Finding)(value))


_MADE: Final = {"created": fields.instant, "custodian": ed1.custodian_index, "spec_sha256": fields.digest}
CHECK: Final = fields.Table(
    "ed1.share-check",
    {
        **_MADE,
        "draw": ed1.draw_id,
        "items": fields.sorted_by(
            doc_of, fields.record({"code": _code, "doc_sha256": fields.digest}, CheckItem), least=1
        ),
    },
)
DISCLOSURE: Final = fields.Table("ed1.key-disclosure", {**_MADE, "seed": ed1.bytes32})
ADJUDICATION: Final = fields.Table(
    "ed1.adjudication",
    {
        **_MADE,
        "items": fields.sorted_by(
            doc_of, fields.record({"doc_sha256": fields.digest, "finding": _finding}, AdjudicationItem), least=1
        ),
    },
)
WAIVER: Final = fields.Table(
    "ed1.waiver",
    {
        "created": fields.instant,
        "custodians": fields.sorted_by(int, ed1.custodian_index, least=1),
        "draw": ed1.draw_id,
        "spec_sha256": fields.digest,
    },
)
ACK: Final = fields.Table("ed1.ack", {"created": fields.instant, "doc_sha256": fields.digest, "draw": ed1.draw_id})


def parse_share_check(raw: bytes) -> ShareCheck:
    """Admit a share check; raises ``InvalidInput`` with a code of P11."""
    return ShareCheck(raw=raw, **CHECK.read(raw))


def parse_disclosure(raw: bytes) -> KeyDisclosure:
    """Admit a key disclosure; raises ``InvalidInput`` with a code of P11."""
    return KeyDisclosure(raw=raw, **DISCLOSURE.read(raw))


def parse_adjudication(raw: bytes) -> Adjudication:
    """Admit an adjudication; raises ``InvalidInput`` with a code of P11."""
    return Adjudication(raw=raw, **ADJUDICATION.read(raw))


def parse_waiver(raw: bytes) -> Waiver:
    """Admit a waiver; raises ``InvalidInput`` with a code of P11."""
    return Waiver(raw=raw, **WAIVER.read(raw))


def parse_ack(raw: bytes) -> Ack:
    """Admit an acknowledgement; raises ``InvalidInput`` with a code of P11."""
    return Ack(raw=raw, **ACK.read(raw))


def make_share_check(
    codes: Mapping[str, CheckCode], *, custodian: int, draw: str, spec_sha256: str, created: int
) -> bytes:
    """Return a custodian's check of documents named by their hash."""
    items = [{"code": codes[name].value, "doc_sha256": name} for name in sorted(codes)]
    return CHECK.write(
        {"created": created, "custodian": custodian, "draw": draw, "items": items, "spec_sha256": spec_sha256}
    )


def make_disclosure(*, custodian: int, seed: bytes, spec_sha256: str, created: int) -> bytes:
    """Return the disclosure of a share key's seed; it travels encrypted to the auditor only."""
    return DISCLOSURE.write(
        {"created": created, "custodian": custodian, "seed": seed.hex(), "spec_sha256": spec_sha256}
    )


def make_adjudication(findings: Mapping[str, Finding], *, custodian: int, spec_sha256: str, created: int) -> bytes:
    """Return the adjudication of one custodian; ``findings`` has every document that it reported bad."""
    items = [{"doc_sha256": name, "finding": findings[name].value} for name in sorted(findings)]
    return ADJUDICATION.write({"created": created, "custodian": custodian, "items": items, "spec_sha256": spec_sha256})


def make_waiver(custodians: Collection[int], *, draw: str, spec_sha256: str, created: int) -> bytes:
    """Return a waiver for custodians by index."""
    return WAIVER.write(
        {"created": created, "custodians": sorted(custodians), "draw": draw, "spec_sha256": spec_sha256}
    )


def require_waiver(waiver: Waiver, policy: Policy) -> None:
    """Refuse a waiver that would leave so few ``ok`` that one more loss could block a recovery (D7).

    Raises:
        RuleBroken: ``draw.waiver_too_wide``.
    """
    known = {row.i for row in policy.custodians}
    if not known.issuperset(waiver.custodians) or policy.n - len(waiver.custodians) < policy.k + 1:
        raise RuleBroken("draw.waiver_too_wide", "ED1 D7", custodians=list(waiver.custodians), k=policy.k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """All that custodians said under one spec: codes by custodian and document, and who is excused."""

    codes: Mapping[int, Mapping[str, CheckCode]]
    waived: frozenset[int] = frozenset()

    def add(self, check: ShareCheck) -> Checks:
        """Return the state after a further check, which may add documents but never contradict.

        Raises:
            RuleBroken: ``draw.check_contradicts``.
        """
        before = self.codes.get(check.custodian, {})
        told = {item.doc_sha256: item.code for item in check.items}
        changed = sorted(name for name in before.keys() & told.keys() if before[name] is not told[name])
        if changed:
            raise RuleBroken("draw.check_contradicts", "ED1 D7", custodian=check.custodian, documents=changed)
        return Checks(codes={**self.codes, check.custodian: {**before, **told}}, waived=self.waived)

    def waive(self, waiver: Waiver) -> Checks:
        """Return the state after a waiver."""
        return Checks(codes=self.codes, waived=self.waived | set(waiver.custodians))

    def code(self, custodian: int, doc_sha256: str) -> CheckCode | None:
        """Return what one custodian said of one document."""
        return self.codes.get(custodian, {}).get(doc_sha256)

    def bad(self, custodian: int) -> frozenset[str]:
        """Return the documents that one custodian reported bad: all that an adjudication of it may decide (D7)."""
        return frozenset(name for name, code in self.codes.get(custodian, {}).items() if code.is_bad)

    def lacking(self, doc_sha256: str, policy: Policy) -> tuple[int, ...]:
        """Return the custodians whose ``ok`` a document still needs; none: it is accepted (D7)."""
        return tuple(
            row.i
            for row in policy.custodians
            if row.i not in self.waived and self.code(row.i, doc_sha256) is not CheckCode.OK
        )


def bad_documents(check: ShareCheck) -> tuple[str, ...]:
    """Return the documents of a check that need an adjudication."""
    return tuple(item.doc_sha256 for item in check.items if item.code.is_bad)


def disclosure_allowed(*, k: int, held_by_auditor: int, disclosed_to_auditor: int) -> bool:
    """Return whether one more share key may be disclosed to an auditor: at most k − 1 at any time (D7)."""
    return held_by_auditor + disclosed_to_auditor + 1 <= k - 1
