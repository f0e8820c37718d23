"""The table of SB1 S10: one bid per row, opened by every subset of the custodians of 2-of-3 and 3-of-5 (F37, F38).

The station decides, the offline verifier recomputes each verdict from the auditor's bundle, and for every bid from the
bundle that its bidder alone can give away. The whole is 40 ceremonies; a normal run takes two, and verifies one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.support.verdict_rows import ROWS, SCHEMES, Case, cases
from tests.support.verdict_table import Table, Told, open_table
from tests.support.verifying import failures
from trading.openings.rules.consequences import Security, consequence
from trading.openings.rules.verdicts import AtFault, Code, Effect
from verifier.report import Report

OF_VERDICTS = ("SB-11", "SB-14", "SB-15", "SB-17")
#: 撤销, 撤回 and what becomes of the security (OPN-05, OPN-06, SUB-08, SUB-09), by who answers for it.
MEANS = {
    AtFault.PLATFORM: (Effect.WITHDRAWN_WITH_COMPENSATION, Security.REFUNDED, "OPN-06"),
    AtFault.CUSTODIANS: (Effect.WITHDRAWN_WITH_COMPENSATION, Security.REFUNDED, "OPN-06"),
    AtFault.BIDDER: (Effect.REVOKED, Security.FORFEITABLE, "OPN-05"),
    AtFault.OPEN: (Effect.PENDING, Security.KEPT, "OPN-07"),
    AtFault.NOBODY: (Effect.OPENED, Security.KEPT, "OPN-04"),
}


def wrong_findings(report: Report) -> dict[str, list[str]]:
    return {check: found for check, found in failures(report).items() if check in OF_VERDICTS}


def require_table(told: Told, case: Case) -> None:
    """Every row has its verdict, and the right party answers for it."""
    for row, result in told.results.items():
        code, party = case.expected(row)
        found = (result.verdict.code, result.verdict.at_fault)
        assert found == (code, party), f"{case.name}: {row}"
        told_faults = [(fault.code.value, fault.custodian) for fault in result.verdict.faults]
        if row in {"honest", "rescued", "other dealing", "part does not open", "foreign content"}:
            assert told_faults == case.named(), f"{case.name}: {row}"
        if code is not Code.BIDDER_MALFORMED_CONTENT:  # invalid by the tender's rules (否决), not revoked
            meant = consequence(code)
            assert (meant.effect, meant.security, meant.rules[0]) == MEANS[party]


def chosen(scheme: str, amount: Callable[[int, int], int]) -> list[Case]:
    """Return every case of a scheme, or the one in which one custodian too many is missing."""
    every = list(cases(scheme))
    few = [case for case in every if len(case.wrongs) == case.n - case.k + 1]
    return every if amount(0, 1) else few[:1]


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_every_row_for_every_subset_of_custodians(
    scheme: str, tmp_path: Path, amount: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    table, done = open_table(scheme, tmp_path), chosen(scheme, amount)
    is_long = amount(0, 1) == 1
    for case in done:
        told = table.tell(case)
        require_table(told, case)
        if is_long or scheme == "3 of 5":
            require_recomputed(told, case, ROWS if is_long else ("not adjudicated",))
    record_property("verdicts", f"{scheme}: {len(done)} subsets, {len(done) * len(ROWS)} verdicts")
    if is_long or scheme == "3 of 5":
        require_controls(table, done[0], ROWS if is_long else ("honest",))


def require_recomputed(told: Told, case: Case, rows: Iterable[str]) -> None:
    """The verifier comes to the same verdicts, from the auditor's bundle and from what the bidders of rows show."""
    assert wrong_findings(told.verify()) == {}, case.name
    for row in rows:
        assert wrong_findings(told.verify(row)) == {}, f"{case.name}: {row}"


def require_controls(table: Table, case: Case, rows: Iterable[str]) -> None:
    """Negative control: a wrong verdict in log and signed transcripts is found, by whoever has either bundle."""
    for row in rows:
        code, _ = case.expected(row)
        lie = Code.BIDDER_MALFORMED_SEALING if code is Code.TOO_FEW_SHARES else Code.TOO_FEW_SHARES
        told = table.tell(case, {row: lie})
        for report in (told.verify(), told.verify(row)):
            assert "SB-17" in wrong_findings(report), f"{case.name}: {lie} of {row}"


def test_the_cases_are_all_subsets_and_all_wrongs() -> None:
    for scheme, (k, custodians) in SCHEMES.items():
        found = list(cases(scheme))
        honest = {tuple(i for i in range(1, case.n + 1) if i not in case.wrongs) for case in found}
        assert len(honest) == len(found) == 2 ** len(custodians)
        assert {case.k for case in found} == {k}
        assert {wrong for case in found for wrong in case.wrongs.values()} == {
            "ABSENT",
            "NO_RELEASE",
            "BAD_SHARE",
            "FALSE_BAD",
        }
