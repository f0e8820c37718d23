"""SB1 S10 as a table: every row, every class, every fault, and the custodian cases of S18.4."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.openings.rules.verdicts import (
    AFTER_PENDING,
    CONSEQUENCES,
    AtFault,
    BidFacts,
    Check,
    Code,
    CustodianFacts,
    Effect,
    FaultCode,
    Finding,
    Release,
    ShareClass,
    settled_faults,
    verdict,
)

GOOD = (Check.OK, Release.GOOD, None)
ABSENT = (None, Release.ABSENT, None)
BAD_OPEN = (Check.HPKE_OPEN_FAILED, Release.WITHHELD, None)
BAD_DEALT = (Check.HPKE_OPEN_FAILED, Release.WITHHELD, Finding.DEALT_BAD)
FALSE_BAD = (Check.COMMIT_MISMATCH, Release.WITHHELD, Finding.CUSTODIAN_FAULT)


def facts(*custodians: tuple[Check | None, Release, Finding | None], **changes: object) -> BidFacts:
    rows = custodians or (GOOD,) * 5
    base = BidFacts(
        k=3,
        custodians=[
            CustodianFacts(index=i, check=check, release=release, finding=finding)
            for i, (check, release, finding) in enumerate(rows, 1)
        ],
        envelope_valid=True,
        copied=False,
        parts_stored=True,
        bidder_factor=True,
        factor_revealed=True,
        factor_listed=True,
        dealing_fits=True,
        sealing_opens=True,
        content_valid=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name the fields


@pytest.mark.parametrize(
    ("given_facts", "row", "code"),
    [
        (facts(envelope_valid=False), 1, Code.PLATFORM_BAD_INTAKE),
        (facts(*(BAD_OPEN,) * 5, copied=True), 2, Code.BIDDER_COPIED),
        (facts(parts_stored=False), 3, Code.PLATFORM_PART_LOST),
        (facts(factor_revealed=False, factor_listed=False), 4, Code.BIDDER_NO_FACTOR),
        (facts(factor_listed=False), 5, Code.PLATFORM_FACTOR_LOST),
        (facts(GOOD, GOOD, ABSENT, ABSENT, ABSENT, rescued=True), 13, Code.OK),
        (facts(GOOD, GOOD, ABSENT, ABSENT, ABSENT), 7, Code.TOO_FEW_SHARES),
        (facts(ABSENT, ABSENT, GOOD, GOOD, BAD_DEALT), 8, Code.BIDDER_MALFORMED_SEALING),
        (facts(ABSENT, GOOD, GOOD, BAD_OPEN, BAD_OPEN), 9, Code.PENDING),
        (facts(dealing_fits=False), 10, Code.BIDDER_MALFORMED_SEALING),
        (facts(sealing_opens=False), 11, Code.BIDDER_MALFORMED_SEALING),
        (facts(content_valid=False), 12, Code.BIDDER_MALFORMED_CONTENT),
        (facts(), 13, Code.OK),
    ],
)
def test_each_row(given_facts: BidFacts, row: int, code: Code) -> None:
    result = verdict(given_facts)
    assert (result.row, result.code) == (row, code)
    assert (result.at_fault, result.effect) == CONSEQUENCES[code]


def test_an_earlier_row_wins_over_every_later_one() -> None:
    broken: dict[int, dict[str, object]] = {
        1: {"envelope_valid": False},
        3: {"parts_stored": False},
        4: {"factor_revealed": False},
        5: {"factor_listed": False},
        10: {"dealing_fits": False},
        11: {"sealing_opens": False},
        12: {"content_valid": False},
    }
    for size in range(1, len(broken) + 1):
        for chosen in product(broken, repeat=size):
            changes: dict[str, object] = {}
            for row in chosen:
                changes |= broken[row]
            assert verdict(facts(**changes)).row == min(chosen)
        if size == 2:
            break


def test_unknown_later_facts_give_the_result_of_the_combine_pass() -> None:
    assert verdict(facts(sealing_opens=None, content_valid=None)).code is Code.OK
    assert verdict(facts(sealing_opens=None, content_valid=False)).row == 12


def test_factor_rows_do_not_exist_with_the_factor_off() -> None:
    off = facts(bidder_factor=False, factor_revealed=False, factor_listed=False)
    assert verdict(off).code is Code.OK


@pytest.mark.parametrize(
    ("checks", "copied", "code"),
    [
        ([Check.HPKE_OPEN_FAILED] * 3 + [Check.BAD_LENGTH] * 2, True, Code.BIDDER_COPIED),
        ([Check.HPKE_OPEN_FAILED] * 2 + [Check.BAD_LENGTH] * 3, True, Code.PENDING),
        ([Check.HPKE_OPEN_FAILED] * 4 + [Check.OK], True, Code.PENDING),
        ([Check.HPKE_OPEN_FAILED] * 5, False, Code.PENDING),
    ],
)
def test_a_copy_needs_k_failed_opens_no_ok_and_a_repetition(checks: list[Check], copied: bool, code: Code) -> None:  # noqa: FBT001 - a case
    rows = [(check, Release.GOOD if check is Check.OK else Release.WITHHELD, None) for check in checks]
    assert verdict(facts(*rows, copied=copied)).code is code


@pytest.mark.parametrize("n_at_fault", range(6))
def test_row_7_begins_exactly_above_n_minus_k(n_at_fault: int) -> None:
    rows = [ABSENT] * n_at_fault + [GOOD] * (5 - n_at_fault)
    expected = Code.TOO_FEW_SHARES if n_at_fault > 2 else Code.OK
    assert verdict(facts(*rows)).code is expected


# S18.4: "ct 5 garbage, C_5 right; all answer / 1 and 2 absent / the same, not adjudicated".
@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ((GOOD, GOOD, GOOD, GOOD, BAD_DEALT), Code.OK),
        ((ABSENT, ABSENT, GOOD, GOOD, BAD_DEALT), Code.BIDDER_MALFORMED_SEALING),
        ((ABSENT, ABSENT, GOOD, GOOD, BAD_OPEN), Code.PENDING),
        ((ABSENT, ABSENT, GOOD, GOOD, FALSE_BAD), Code.TOO_FEW_SHARES),
        ((GOOD, GOOD, GOOD, ABSENT, ABSENT), Code.OK),
        ((GOOD, GOOD, ABSENT, ABSENT, ABSENT), Code.TOO_FEW_SHARES),
    ],
)
def test_who_was_necessary(rows: tuple[tuple[Check | None, Release, Finding | None], ...], code: Code) -> None:
    assert verdict(facts(*rows)).code is code


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (GOOD, None),
        ((None, Release.GOOD, None), None),
        (ABSENT, FaultCode.ABSENT),
        ((None, Release.WITHHELD, None), FaultCode.NO_RELEASE),
        ((Check.OK, Release.ABSENT, None), FaultCode.NO_RELEASE),
        ((Check.OK, Release.WITHHELD, None), FaultCode.NO_RELEASE),
        ((Check.OK, Release.BAD, None), FaultCode.BAD_SHARE),
        ((Check.ENVELOPE_INVALID, Release.GOOD, None), FaultCode.FALSE_BAD),
        (FALSE_BAD, FaultCode.FALSE_BAD),
        ((Check.BAD_INDEX, Release.BAD, Finding.CUSTODIAN_FAULT), FaultCode.FALSE_BAD),
        (BAD_OPEN, None),
        (BAD_DEALT, None),
        ((Check.BAD_LENGTH, Release.ABSENT, None), None),
    ],
)
def test_the_first_fault_that_applies(
    row: tuple[Check | None, Release, Finding | None], fault: FaultCode | None
) -> None:
    result = verdict(facts(GOOD, GOOD, GOOD, GOOD, row))
    assert result.code is Code.OK
    assert [(item.custodian, item.code) for item in result.faults] == ([] if fault is None else [(5, fault)])


def test_faults_are_sorted_and_empty_up_to_row_5() -> None:
    rows = (ABSENT, GOOD, GOOD, GOOD, (Check.OK, Release.BAD, None))
    expected = [{"code": "CUSTODIAN_ABSENT", "custodian": 1}, {"code": "CUSTODIAN_BAD_SHARE", "custodian": 5}]
    assert verdict(facts(*rows)).as_json("b-1") == {"bid": "b-1", "faults": expected, "verdict": "OK"}
    assert verdict(facts(*rows, factor_listed=False)).faults == ()


def test_indices_must_be_complete() -> None:
    with pytest.raises(ValueError, match="every index"):
        facts(custodians=[CustodianFacts(index=2, check=None, release=Release.ABSENT)])


_custodian = st.tuples(
    st.none() | st.sampled_from(list(Check)), st.sampled_from(list(Release)), st.none() | st.sampled_from(list(Finding))
)


@given(st.lists(_custodian, min_size=3, max_size=7), st.data())
def test_rows_7_to_9_as_arithmetic(
    rows: list[tuple[Check | None, Release, Finding | None]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(2, len(rows) - 1))
    bid = facts(*rows, k=k)
    g, b, u, f = (bid.count(share) for share in ShareClass)
    assert g + b + u + f == len(rows)
    result = verdict(bid)
    if g >= k:
        assert result.code is Code.OK
    elif f > len(rows) - k:
        assert result.code is Code.TOO_FEW_SHARES
    elif f + u <= len(rows) - k:
        assert result.code is Code.BIDDER_MALFORMED_SEALING
        assert b >= 1
    else:
        assert result.code is Code.PENDING
        assert u >= 1


@given(st.lists(_custodian, min_size=5, max_size=5))
def test_pending_becomes_row_7_or_8_whatever_the_adjudications_say(
    rows: list[tuple[Check | None, Release, Finding | None]],
) -> None:
    pending = facts(*rows)
    if verdict(pending).code is not Code.PENDING:
        return
    waiting = [c.index for c in pending.custodians if c.share_class is ShareClass.OPEN]
    for findings in product(Finding, repeat=len(waiting)):
        decided = dict(zip(waiting, findings, strict=True))
        after = replace(
            pending,
            custodians=[replace(c, finding=decided.get(c.index, c.finding)) for c in pending.custodians],
        )
        final = verdict(after)
        assert (final.row in {7, 8}, final.code in AFTER_PENDING) == (True, True)
        assert settled_faults(verdict(pending).faults, decided) == final.faults


def test_every_code_has_its_consequence() -> None:
    assert set(CONSEQUENCES) == set(Code)
    assert {effect for _, effect in CONSEQUENCES.values()} == set(Effect)
    assert {who for who, _ in CONSEQUENCES.values()} == set(AtFault)
