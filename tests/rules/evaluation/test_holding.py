"""That a signed sheet is there, shown without the sheet; and which signatures are about other bids (EXP-17, EXP-22)."""

from __future__ import annotations

import pytest

from trading.evaluation.rules.holding import challenge_of, echo_of, is_outdated, require_echo
from trading.kernel.errors import RuleBroken

COMMITS = ("1" * 64, "2" * 64)
SHEET = b'{"salt":"00"}'
BIDS = frozenset({"b-1", "b-2", "b-3"})


def test_a_challenge_is_that_of_all_signatures_in_any_order() -> None:
    assert challenge_of(COMMITS) == challenge_of(COMMITS[::-1])
    assert challenge_of(COMMITS) != challenge_of((COMMITS[0], "3" * 64))


def test_an_echo_is_of_the_very_sheet_and_challenge() -> None:
    asked = challenge_of(COMMITS)
    require_echo(echo_of(asked, SHEET), asked, SHEET)
    for other in ((challenge_of(COMMITS[:1]), SHEET), (asked, SHEET + b" ")):
        with pytest.raises(RuleBroken) as broken:
            require_echo(echo_of(asked, SHEET), *other)
        assert (broken.value.code, broken.value.rule_id) == ("sheet.echo_wrong", "EXP-22")


@pytest.mark.parametrize(
    ("signed_for", "handed_in", "outdated"),
    [
        (BIDS, False, False),
        (BIDS, True, False),
        (BIDS - {"b-3"}, False, True),  # one came in
        (BIDS - {"b-3"}, True, True),
        (BIDS | {"b-4"}, False, True),  # one went out: what is still to be handed in must be exact
        (BIDS | {"b-4"}, True, False),  # what is in has a bid too many, and lacks none
        (None, False, False),  # an older signature does not say
        (None, True, False),
    ],
)
def test_which_signatures_are_about_other_bids(
    signed_for: frozenset[str] | None,
    handed_in: bool,  # noqa: FBT001 - a case
    outdated: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_outdated(signed_for, BIDS, handed_in=handed_in) is outdated
