"""Commit, seal, reveal, recover, seed (ED1 D6 to D8) with the negative cases of D16."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from tests.build.draws import (
    KEYS,
    PARTIES,
    POLICY,
    RS,
    SEALED_H,
    SEED,
    SPEC,
    VECTORS,
    contribution,
    recoveries,
    settled,
    shares_of,
)
from trading.crypto import shares as shamir
from trading.crypto.keys import share_info
from trading.experts.rules import contributions, finals
from trading.experts.rules.contributions import CONTRIBUTION, Contribution, parse_contribution
from trading.experts.rules.reveals import Outcome, counts, failed_custodians, is_good, make_reveal, parse_reveal
from trading.experts.rules.spec import Beacon
from trading.kernel import canonical
from trading.kernel.errors import InvalidInput, RuleBroken

ALL = {party: contribution(party) for party in PARTIES}


def revealed(made: Contribution, r: bytes, sealed_h: str = SEALED_H) -> Outcome:
    return settled(made, reveals=[parse_reveal(make_reveal(made, r, sealed_h))])


def outcomes() -> list[Outcome]:
    return [revealed(ALL[party], RS[party]) for party in PARTIES]


def altered(made: Contribution) -> Contribution:
    """Return the contribution with one C_i altered: no r fits it any more."""
    body = canonical.loads_object(made.raw)
    body["shares"][4]["c"] = "00" * 32
    return parse_contribution(CONTRIBUTION.write({key: body[key] for key in body.keys() - {"typ", "v"}}))


def test_commitments_and_dealing_of_the_vector() -> None:
    assert [ALL[party].commit.hex() for party in PARTIES] == VECTORS["commits"]
    agency, escrow = ALL["agency"], VECTORS["escrow_agency"]
    assert agency.context.bytes().decode() == escrow["ctx"]
    assert [share.c.hex() for share in agency.shares] == escrow["C"]
    assert [share.hex() for share in shares_of(agency, RS["agency"])] == escrow["shares"]


def test_each_custodian_opens_its_own_share_only() -> None:
    made = ALL["notary"]
    ctx = made.context.bytes()
    for key, share, expected in zip(KEYS, made.shares, shares_of(made, RS["notary"]), strict=True):
        assert key.open(share_info(share.i, ctx), share.ct) == expected
    with pytest.raises(InvalidInput):
        KEYS[0].open(share_info(2, ctx), made.shares[1].ct)


def test_the_seed_of_the_vector() -> None:
    seeded = finals.make_seed(SPEC, outcomes())
    assert seeded.final.raw.decode() == VECTORS["final"]
    assert seeded.seed == SEED
    assert seeded.void == ()


@pytest.mark.parametrize("chosen", list(combinations(range(1, 6), 3)))
def test_withholding_changes_nothing(chosen: tuple[int, ...]) -> None:
    """No reveal, recovered from every three custodians: the same seed, and the party is named."""
    made = ALL["agency"]
    outcome = settled(made, recovered=recoveries(made, RS["agency"], chosen))
    assert outcome.withheld
    assert finals.make_seed(SPEC, [outcome, *outcomes()[1:]]).seed == SEED


def test_a_wrong_r_counts_as_no_reveal() -> None:
    made = ALL["agency"]
    false = parse_reveal(make_reveal(made, b"\x09" * 32, SEALED_H))
    assert not counts(false, made, SEALED_H)
    outcome = settled(made, reveals=[false], recovered=recoveries(made, RS["agency"], (1, 2, 3)))
    assert (outcome.r, outcome.withheld, outcome.valid) == (RS["agency"], True, True)


def test_a_reveal_for_another_seal_does_not_count() -> None:
    made = ALL["agency"]
    assert counts(parse_reveal(make_reveal(made, RS["agency"], SEALED_H)), made, SEALED_H)
    assert not counts(parse_reveal(make_reveal(made, RS["agency"], "6f" * 32)), made, SEALED_H)


def test_a_recovery_is_good_only_for_its_seal_and_commitment() -> None:
    made = ALL["centre"]
    good = recoveries(made, RS["centre"], (2,))[0]
    assert is_good(good, made, SEALED_H)
    assert not is_good(replace(good, sealed_h="6f" * 32), made, SEALED_H)
    assert not is_good(replace(good, custodian=3), made, SEALED_H)
    assert not is_good(replace(good, share=bytes(33)), made, SEALED_H)


def test_a_bad_share_is_left_out_and_the_others_suffice() -> None:
    made = ALL["centre"]
    given = recoveries(made, RS["centre"], (1, 2, 4, 5))
    given[0] = replace(given[0], share=bytes(33))
    assert settled(made, recovered=given).r == RS["centre"]
    assert failed_custodians(made, SEALED_H, POLICY, given, {1, 2, 3, 4, 5}) == (1, 3)
    assert settled(made, recovered=given[:3]).r is None


def test_void_whether_revealed_or_not() -> None:
    """One C_i altered: void both times, and the seed is that of the vector without the notary."""
    made = altered(ALL["notary"])
    shown = revealed(made, RS["notary"])
    hidden = settled(made, recovered=recoveries(made, RS["notary"], (1, 2, 3)))
    for outcome in (shown, hidden):
        seeded = finals.make_seed(SPEC, [outcome, *(item for item in outcomes() if item.party != "notary")])
        assert seeded.void == ("notary",)
        assert seeded.final.raw.decode() == VECTORS["void_example"]["final"]
        assert seeded.seed.hex() == VECTORS["void_example"]["seed"]


def test_no_seed_before_every_r_is_known() -> None:
    with pytest.raises(RuleBroken, match=r"draw\.unrevealed"):
        finals.make_seed(SPEC, [settled(ALL["agency"]), *outcomes()[1:]])


def test_too_few_valid_end_the_attempt() -> None:
    void = [revealed(altered(ALL[party]), RS[party]) for party in ("agency", "centre")]
    with pytest.raises(RuleBroken, match=r"draw\.too_few_valid"):
        finals.make_seed(SPEC, [*void, *outcomes()[2:]])


def test_a_beacon_is_mandatory_if_named_and_absent_if_not() -> None:
    with pytest.raises(RuleBroken, match=r"draw\.beacon"):
        finals.make_seed(SPEC, outcomes(), beacon=bytes(32))
    named = replace(SPEC, beacon=Beacon(name="drand", round=1))
    with pytest.raises(RuleBroken, match=r"draw\.beacon"):
        finals.make_seed(named, outcomes())
    assert finals.make_seed(named, outcomes(), beacon=bytes(32)).seed != SEED


def test_a_contribution_belongs_to_one_spec() -> None:
    made = ALL["agency"]
    contributions.require_of_spec(made, SPEC, POLICY)
    with pytest.raises(InvalidInput, match=r"draw\.other_spec"):
        contributions.require_of_spec(replace(made, spec_sha256="11" * 32), SPEC, POLICY)
    with pytest.raises(InvalidInput, match=r"draw\.not_a_party"):
        contributions.require_of_spec(replace(made, party="friend"), SPEC, POLICY)
    assert contributions.is_valid(made, RS["agency"], 3, shamir.deal)
    assert not contributions.is_valid(replace(made, spec_sha256="11" * 32), RS["agency"], 3, shamir.deal)
    assert not contributions.is_valid(replace(made, party="centre"), RS["agency"], 3, shamir.deal)


def test_nothing_secret_is_printed() -> None:
    assert RS["agency"].hex() not in repr(outcomes())
