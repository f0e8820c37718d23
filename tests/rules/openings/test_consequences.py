"""撤销, 撤回, security and rules of every verdict (SB1 S10; OPN-04 to OPN-07, SUB-08, SUB-09, SEC-05, SEC-06)."""

from __future__ import annotations

from datetime import date

import pytest

from trading.kernel.calendar import WorkingDays
from trading.openings.rules.consequences import Security, consequence
from trading.openings.rules.verdicts import AtFault, Code, Effect
from trading.rulebook.keys import Key, Regime
from trading.rulebook.loader import builtin

WITHDRAWN = (Effect.WITHDRAWN_WITH_COMPENSATION, Security.REFUNDED, ("OPN-06", "SUB-08", "SEC-06"))
REVOKED = (Effect.REVOKED, Security.FORFEITABLE, ("OPN-05", "SUB-09"))


@pytest.mark.parametrize(
    ("code", "party", "means"),
    [
        (Code.PLATFORM_BAD_INTAKE, AtFault.PLATFORM, WITHDRAWN),
        (Code.PLATFORM_PART_LOST, AtFault.PLATFORM, WITHDRAWN),
        (Code.PLATFORM_FACTOR_LOST, AtFault.PLATFORM, WITHDRAWN),
        (Code.TOO_FEW_SHARES, AtFault.CUSTODIANS, WITHDRAWN),
        (Code.BIDDER_COPIED, AtFault.BIDDER, REVOKED),
        (Code.BIDDER_NO_FACTOR, AtFault.BIDDER, REVOKED),
        (Code.BIDDER_MALFORMED_SEALING, AtFault.BIDDER, REVOKED),
        (Code.BIDDER_MALFORMED_CONTENT, AtFault.BIDDER, (Effect.REJECTED, Security.REFUNDED, ("EVL-02", "SEC-05"))),
        (Code.PENDING, AtFault.OPEN, (Effect.PENDING, Security.KEPT, ("OPN-07",))),
        (Code.OK, AtFault.NOBODY, (Effect.OPENED, Security.KEPT, ("OPN-04",))),
    ],
)
def test_what_a_verdict_means(code: Code, party: AtFault, means: tuple[Effect, Security, tuple[str, ...]]) -> None:
    found = consequence(code)
    assert (found.at_fault, (found.effect, found.security, found.rules)) == (party, means)
    assert found.as_json()["rules"] == list(means[2])


@pytest.mark.parametrize("code", list(Code))
def test_a_refund_takes_as_long_as_the_edition_says(code: Code) -> None:
    found = consequence(code)
    assert (found.refund is None) == (found.security is not Security.REFUNDED)
    if found.refund is not None:
        edition = builtin().edition_on("cn", date(2026, 5, 12))
        assert isinstance(edition.days(found.refund, Regime.GP), WorkingDays)


def test_the_rules_and_rows_are_in_the_rule_book() -> None:
    named = {rule for code in Code for rule in consequence(code).rules}
    assert named <= builtin().rules.keys()
    edition = builtin().edition_on("cn", date(2026, 5, 12))
    for key in (Key.BID_SECURITY_REFUND_WITHDRAWN, Key.BID_SECURITY_REFUND_LOSERS):
        assert named >= set(edition.row(key, Regime.GP).rule) - {"SUB-08"}
