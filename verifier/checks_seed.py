"""Checks of a draw from its seal to its seed: ED-05 and ED-06 (ED1 D7, D8)."""

from __future__ import annotations

from verifier.bounds import upper_ms
from verifier.draw import Attempt
from verifier.drawing import draw_seed, final_document
from verifier.hashing import hex_digest
from verifier.report import Check


def check_reveals(attempt: Attempt, check: Check) -> None:
    """ED-05: every r revealed or recovered, commitment and all C_i; the void list is exactly what does not fit."""
    sealed, seeded = attempt.sealed, attempt.first("seeded")
    if sealed is None:
        return
    for found in attempt.settled():
        place = f"{sealed.place} {found.party}"
        if found.r is None:
            if seeded is not None:
                check.fail(place, "the seed was determined, but the number is neither revealed nor recovered")
            continue
        check.passed()
        if not found.revealed:
            check.note(place, f"PARTY_WITHHELD: recovered from custodians {found.good[: attempt.size[0]]}")
        if not found.valid:
            check.note(place, "CONTRIBUTION_VOID")
        _name_custodians(attempt, check, place, found.document.sha256, found.good, revealed=found.revealed)
    _check_early(attempt, check)
    if seeded is not None:
        void = sorted(found.party for found in attempt.settled() if found.r is not None and not found.valid)
        text = f"void is {seeded.body['void']}, recomputed {void}"
        check.require(seeded.place, text, holds=seeded.body["void"] == void)


def _name_custodians(
    attempt: Attempt, check: Check, place: str, sha256: str, good: list[int], *, revealed: bool
) -> None:
    """Name those who said ``ok`` and gave no good share where shares were needed (D13)."""
    codes = attempt.codes()
    answered = {
        document.value["custodian"]
        for _, document in attempt.pairs("recovered", "recovery_sha256", "ed1.recovery")
        if document.value["party"] == place.rsplit(" ", 1)[1]
    }
    for i, told in sorted(codes.items()):
        if told.get(sha256) != "ok" or i in good:
            continue
        if i in answered:
            check.note(place, f"CUSTODIAN_BAD_SHARE({i})")
        elif not revealed:
            check.note(place, f"CUSTODIAN_NO_RELEASE({i})")


def _check_early(attempt: Attempt, check: Check) -> None:
    sealed, spec = attempt.sealed, attempt.spec
    if sealed is None or spec is None:
        return
    witnessed = upper_ms(sealed.n, attempt.evidence.notes)
    for logged in attempt.all("recovered"):
        if witnessed is not None and logged.at < witnessed + spec.value["reveal_ms"] - 999:
            place = f"{logged.place} {logged.body['party']}"
            check.note(place, f"CUSTODIAN_EARLY({logged.body['custodian']}): before the reveal window was over")


def check_seed(attempt: Attempt, check: Check) -> None:
    """ED-06: final document and seed recomputed from the valid contributions; a beacon exactly if the spec names it."""
    seeded, spec = attempt.first("seeded"), attempt.spec
    if seeded is None or spec is None:
        return
    valid = [found for found in attempt.settled() if found.valid and found.r is not None]
    text = f"{len(valid)} valid contributions, {spec.value['min_valid']} needed"
    check.require(seeded.place, text, holds=len(valid) >= spec.value["min_valid"])
    beacon = seeded.body["beacon"]
    named = spec.value["beacon"] is not None
    check.require(seeded.place, "a beacon exactly if the spec names one", holds=(beacon is not None) == named)
    if named:
        check.gap(seeded.place, "the bytes and the time of the beacon's round are not checked by this release")
    final = final_document(spec.sha256, [(found.party, found.document.value["commit"]) for found in valid])
    same = hex_digest(final) == seeded.body["final_sha256"]
    check.require(seeded.place, "the final document is not that of the valid contributions", holds=same)
    ordered = sorted(valid, key=lambda found: found.party)
    rs = [found.r for found in ordered if found.r is not None]
    seed = draw_seed(final, rs, bytes.fromhex(beacon) if beacon is not None else None)
    text = f"the seed is {seeded.body['seed']}, recomputed {seed.hex()}"
    check.require(seeded.place, text, holds=seed.hex() == seeded.body["seed"])
    for other in attempt.all("seeded")[1:]:
        check.fail(other.place, "REROLL: a second seed of this attempt")
