"""Why a bid did not open and whose fault it is: SB1 S10 as one table.

``verdict`` is a function of facts that everyone can establish from the log and from the opened secrets. The rows are
tried in the order of S10 and the first that matches wins, so two honest readers of the same facts never disagree. Facts
not known yet (``None``) do not match: with everything after row 10 unknown the result is that of ``opening.combined``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Code(StrEnum):
    """The verdict of one bid."""

    OK = "OK"
    PENDING = "PENDING"
    PLATFORM_BAD_INTAKE = "PLATFORM_BAD_INTAKE"
    PLATFORM_PART_LOST = "PLATFORM_PART_LOST"
    PLATFORM_FACTOR_LOST = "PLATFORM_FACTOR_LOST"
    TOO_FEW_SHARES = "TOO_FEW_SHARES"
    BIDDER_COPIED = "BIDDER_COPIED"
    BIDDER_NO_FACTOR = "BIDDER_NO_FACTOR"
    BIDDER_MALFORMED_SEALING = "BIDDER_MALFORMED_SEALING"
    BIDDER_MALFORMED_CONTENT = "BIDDER_MALFORMED_CONTENT"


class FaultCode(StrEnum):
    """What one custodian did wrong, in the order in which the first that applies is named."""

    FALSE_BAD = "CUSTODIAN_FALSE_BAD"
    BAD_SHARE = "CUSTODIAN_BAD_SHARE"
    ABSENT = "CUSTODIAN_ABSENT"
    NO_RELEASE = "CUSTODIAN_NO_RELEASE"


class AtFault(StrEnum):
    """Who answers for a bid that was not opened."""

    NOBODY = "nobody"
    PLATFORM = "platform"
    BIDDER = "bidder"
    CUSTODIANS = "custodians"  # the named custodians, or the platform where none is named
    OPEN = "open"  # an adjudication is awaited


class Effect(StrEnum):
    """Legal effect: 电子招标投标办法 art. 31 for 撤回 and 撤销, 实施条例 art. 51 for 否决."""

    OPENED = "opened"
    WITHDRAWN_WITH_COMPENSATION = "withdrawn_with_compensation"  # 视为撤回，有权要求赔偿
    REVOKED = "revoked"  # 视为撤销
    REJECTED = "rejected"  # 否决, decided by the tender's rules
    PENDING = "pending"  # stays closed until the adjudication


class Check(StrEnum):
    """What a custodian said of its share of one bid (``sb1.share-check``, SB1 S9.3)."""

    OK = "ok"
    ENVELOPE_INVALID = "envelope_invalid"
    HPKE_OPEN_FAILED = "hpke_open_failed"
    BAD_LENGTH = "bad_length"
    BAD_INDEX = "bad_index"
    COMMIT_MISMATCH = "commit_mismatch"

    @property
    def is_bad(self) -> bool:
        """Whether it needs an adjudication (S9.4): everyone can check an envelope, nobody else a share."""
        return self not in {Check.OK, Check.ENVELOPE_INVALID}


class Finding(StrEnum):
    """Result of an adjudication (SB1 S9.4)."""

    DEALT_BAD = "dealt_bad"
    CUSTODIAN_FAULT = "custodian_fault"


class Release(StrEnum):
    """What one custodian released for one bid before ``release.closed``."""

    ABSENT = "absent"  # no release document at all
    WITHHELD = "withheld"  # a document, but null or no item for this bid
    BAD = "bad"  # a value that does not equal C_i, or does not open with the station key
    GOOD = "good"


class ShareClass(StrEnum):
    """Class of one index of a bid at ``release.closed``; each index is in exactly one."""

    GOOD = "good"
    DEALT_BAD = "dealt_bad"
    OPEN = "open"
    AT_FAULT = "at_fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianFacts:
    """What is known of one custodian and one bid."""

    index: int
    check: Check | None  # None: no share check in time
    release: Release
    finding: Finding | None = None

    @property
    def share_class(self) -> ShareClass:
        """The class of this index (table of S10)."""
        if self.release is Release.GOOD:
            return ShareClass.GOOD
        if self.finding is Finding.DEALT_BAD:
            return ShareClass.DEALT_BAD
        if self.check is not None and self.check.is_bad and self.finding is None:
            return ShareClass.OPEN
        return ShareClass.AT_FAULT

    @property
    def fault(self) -> FaultCode | None:
        """The first fault that applies. ``envelope_invalid`` counts, since row 1 was passed when faults are listed."""
        if self.finding is Finding.CUSTODIAN_FAULT or self.check is Check.ENVELOPE_INVALID:
            return FaultCode.FALSE_BAD
        if self.release is Release.BAD:
            return FaultCode.BAD_SHARE
        if self.check is None and self.release is Release.ABSENT:
            return FaultCode.ABSENT
        reported_bad = self.check is not None and self.check.is_bad
        if self.release in {Release.ABSENT, Release.WITHHELD} and not reported_bad:
            return FaultCode.NO_RELEASE
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BidFacts:
    """Everything that the verdict of one bid depends on; no price, no preference, no person."""

    k: int
    custodians: Sequence[CustodianFacts]  # every index 1 … n_c once, in order
    envelope_valid: bool  # S7.2 items 2-4 without sign-in, and the key valid at that position
    copied: bool  # a ct or a part's sha256 repeats that of another bidder's envelope of the lot
    parts_stored: bool  # at release.closed some store had every part
    bidder_factor: bool  # mode of the policy
    factor_revealed: bool = False  # factor.revealed before the first factor.closed
    factor_listed: bool = False  # "valid" in the newest factor list
    rescued: bool = False  # a valid sb1.rescue between factor.closed and release.closed
    dealing_fits: bool | None = None  # seed_commit and every re-derived C_j; None: fewer than k good shares
    sealing_opens: bool | None = None  # size, age header shape and decryption of every part; None: not tried yet
    content_valid: bool | None = None  # price and manifest as S5, naming this bid; None: not read yet

    def __post_init__(self) -> None:
        if [custodian.index for custodian in self.custodians] != list(range(1, len(self.custodians) + 1)):
            raise ValueError("custodians must be every index from 1, in order")

    def count(self, wanted: ShareClass) -> int:
        """Return how many indices are in the class."""
        return sum(custodian.share_class is wanted for custodian in self.custodians)

    def checks(self, wanted: Check) -> int:
        """Return how many share checks gave this answer."""
        return sum(custodian.check is wanted for custodian in self.custodians)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A named custodian, by index, and what it did wrong."""

    custodian: int
    code: FaultCode

    def as_json(self) -> dict[str, str | int]:
        """Return the item as it stands in records and transcripts."""
        return {"code": self.code.value, "custodian": self.custodian}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict of one bid: the row of S10 that gave it, who is at fault and what follows in law."""

    code: Code
    row: int
    faults: tuple[Fault, ...]
    at_fault: AtFault
    effect: Effect

    def as_json(self, bid: str) -> dict[str, object]:
        """Return the item of ``opening.combined`` and the body of ``bid.verdict`` for the bid."""
        return {"bid": bid, "faults": [fault.as_json() for fault in self.faults], "verdict": self.code.value}


CONSEQUENCES: Final[Mapping[Code, tuple[AtFault, Effect]]] = MappingProxyType(
    {
        Code.OK: (AtFault.NOBODY, Effect.OPENED),
        Code.PENDING: (AtFault.OPEN, Effect.PENDING),
        Code.PLATFORM_BAD_INTAKE: (AtFault.PLATFORM, Effect.WITHDRAWN_WITH_COMPENSATION),
        Code.PLATFORM_PART_LOST: (AtFault.PLATFORM, Effect.WITHDRAWN_WITH_COMPENSATION),
        Code.PLATFORM_FACTOR_LOST: (AtFault.PLATFORM, Effect.WITHDRAWN_WITH_COMPENSATION),
        Code.TOO_FEW_SHARES: (AtFault.CUSTODIANS, Effect.WITHDRAWN_WITH_COMPENSATION),
        Code.BIDDER_COPIED: (AtFault.BIDDER, Effect.REVOKED),
        Code.BIDDER_NO_FACTOR: (AtFault.BIDDER, Effect.REVOKED),
        Code.BIDDER_MALFORMED_SEALING: (AtFault.BIDDER, Effect.REVOKED),
        Code.BIDDER_MALFORMED_CONTENT: (AtFault.BIDDER, Effect.REJECTED),
    }
)


#: What may follow ``PENDING`` once the shares are adjudicated (row 9): it is row 7 or 8, and never an opened bid.
AFTER_PENDING: Final = frozenset({Code.TOO_FEW_SHARES, Code.BIDDER_MALFORMED_SEALING})


def settled_faults(faults: Iterable[Fault], findings: Mapping[int, Finding]) -> tuple[Fault, ...]:
    """Return the faults of a bid after adjudications by custodian: a proved lie takes the place of any other fault."""
    found = {fault.custodian: fault for fault in faults}
    for custodian, finding in findings.items():
        if finding is Finding.CUSTODIAN_FAULT:
            found[custodian] = Fault(custodian=custodian, code=FaultCode.FALSE_BAD)
    return tuple(found[custodian] for custodian in sorted(found))


def _is_copy(f: BidFacts) -> bool:
    return f.copied and f.checks(Check.HPKE_OPEN_FAILED) >= f.k and f.checks(Check.OK) == 0


def _short(f: BidFacts) -> bool:
    """Return whether shares are missing; a valid rescue (row 6) takes their place."""
    return not f.rescued and f.count(ShareClass.GOOD) < f.k


def _failing_custodians_were_enough(f: BidFacts) -> bool:
    return _short(f) and f.count(ShareClass.AT_FAULT) > len(f.custodians) - f.k


def _bad_dealing_was_necessary(f: BidFacts) -> bool:
    short_without = f.count(ShareClass.AT_FAULT) + f.count(ShareClass.OPEN)
    return _short(f) and short_without <= len(f.custodians) - f.k


# Row 6, the rescue, gives no verdict: it only keeps rows 7 to 9 from matching.
_ROWS: Final[tuple[tuple[int, Code, Callable[[BidFacts], bool]], ...]] = (
    (1, Code.PLATFORM_BAD_INTAKE, lambda f: not f.envelope_valid),
    (2, Code.BIDDER_COPIED, _is_copy),
    (3, Code.PLATFORM_PART_LOST, lambda f: not f.parts_stored),
    (4, Code.BIDDER_NO_FACTOR, lambda f: f.bidder_factor and not f.factor_revealed),
    (5, Code.PLATFORM_FACTOR_LOST, lambda f: f.bidder_factor and not f.factor_listed),
    (7, Code.TOO_FEW_SHARES, _failing_custodians_were_enough),
    (8, Code.BIDDER_MALFORMED_SEALING, _bad_dealing_was_necessary),
    (9, Code.PENDING, _short),
    (10, Code.BIDDER_MALFORMED_SEALING, lambda f: f.dealing_fits is False),
    (11, Code.BIDDER_MALFORMED_SEALING, lambda f: f.sealing_opens is False),
    (12, Code.BIDDER_MALFORMED_CONTENT, lambda f: f.content_valid is False),
    (13, Code.OK, lambda _: True),
)
_LAST_ROW_WITHOUT_FAULTS: Final = 5


def verdict(facts: BidFacts) -> Verdict:
    """Return the verdict of one bid: the first row of SB1 S10 that matches.

    ``faults`` is sorted by custodian and empty for rows 1 to 5; otherwise custodians are named also when the bid opens.
    """
    row, code = next((number, code) for number, code, matches in _ROWS if matches(facts))
    faults: tuple[Fault, ...] = ()
    if row > _LAST_ROW_WITHOUT_FAULTS:
        faults = tuple(Fault(custodian=c.index, code=c.fault) for c in facts.custodians if c.fault is not None)
    at_fault, effect = CONSEQUENCES[code]
    return Verdict(code=code, row=row, faults=faults, at_fault=at_fault, effect=effect)
