"""Checks of how attempts follow one another and how they end: ED-12 (ED1 D5, D13)."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.checks_draw import require_both
from verifier.draw import Attempt
from verifier.evidence import Document, Evidence, Logged
from verifier.hashing import LABEL_PROCEDURE, tuple_hash
from verifier.report import Check

CAUSES_AFTER_SEAL = ("beacon_late", "stopped", "too_few_valid", "unrecoverable")
CAUSES_OF_ANOTHER = ("beacon_late", "too_few_valid", "unrecoverable")
RECOVERY_MS = 24 * 3_600_000


def check_attempts(evidence: Evidence, attempts: list[Attempt], check: Check) -> None:
    """ED-12: every attempt follows from the end of the one before; cancellations have causes that recompute."""
    by_draw: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_draw.setdefault(attempt.draw, []).append(attempt)
    for own in by_draw.values():
        real = [attempt for attempt in own if attempt.spec is not None]
        for expected, attempt in enumerate(real, 1):
            text = f"ATTEMPT_HIDDEN: attempt {expected} is not shown"
            check.require(attempt.place, text, holds=attempt.number == expected)
        for before, attempt in zip(real, real[1:]):
            _check_follows(check, before, attempt)
    _check_draws_of_procedures(check, attempts)
    _check_used_once(check, attempts)
    for attempt in attempts:
        _check_cancelled(check, attempt)
        _check_disclosed(evidence, check, attempt)


def _ends(attempt: Attempt) -> list[tuple[Logged, Document]]:
    """Return the documents that end an attempt: its cancellation, or its results."""
    cancelled = attempt.pairs("cancelled", "cancel_sha256", "ed1.cancel")
    return cancelled or attempt.pairs("result", "result_sha256", "ed1.result")


def _check_follows(check: Check, before: Attempt, attempt: Attempt) -> None:
    spec, specified, ends = attempt.spec, attempt.first("specified"), _ends(before)
    if spec is None or specified is None:
        return
    ended = [document for logged, document in ends if logged.n < specified.n]
    holds = bool(ended) and spec.value["previous"] == ended[-1].sha256
    check.require(attempt.place, "ATTEMPT_HIDDEN: previous is not the end of the attempt before", holds=holds)
    if not ended:
        return
    if ended[-1].typ == "ed1.cancel":
        sealed = before.sealed is not None and before.sealed.n < specified.n
        holds = not sealed or ended[-1].value["reason"] in CAUSES_OF_ANOTHER
        text = f"REROLL: another attempt after a sealed one was cancelled for {ended[-1].value['reason']}"
        check.require(attempt.place, text, holds=holds)
    elif before.spec is not None:
        wanted = sum(row["need"] for row in before.spec.value["strata"])
        holds = len(ended[-1].value["selected"]) < wanted
        check.require(attempt.place, "REROLL: another attempt after a complete result", holds=holds)


def _check_draws_of_procedures(check: Check, attempts: list[Attempt]) -> None:
    """Require that a second draw of one procedure names the last result of the draw before it."""
    firsts: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        for logged in attempt.all("disclosed"):
            if attempt.number == 1 and attempt.spec is not None:
                firsts.setdefault(logged.body["procedure"], []).append(attempt)
    for own in firsts.values():
        ordered = sorted(own, key=lambda attempt: attempt.records[0].n)
        for before, attempt in zip(ordered, ordered[1:]):
            ends = [document.sha256 for other in attempts if other.draw == before.draw for _, document in _ends(other)]
            spec = attempt.spec
            holds = spec is not None and spec.value["previous"] in ends
            check.require(attempt.place, "ATTEMPT_HIDDEN: a second draw of the procedure without previous", holds=holds)


def _check_used_once(check: Check, attempts: list[Attempt]) -> None:
    """Require that no number, key or salt serves twice: what somebody knows before the seal is not random (D3, D13)."""
    first: dict[tuple[str, str], str] = {}
    for attempt in attempts:
        for what, value, place in _secrets_of(attempt):
            known = first.setdefault((what, value), place)
            check.require(place, f"REUSED: the {what} is that of {known}", holds=known == place)


def _secrets_of(attempt: Attempt) -> Iterator[tuple[str, str, str]]:
    for found in attempt.settled():
        if found.r is not None:
            yield "number", found.r.hex(), f"{attempt.place} {found.party}"
    keys, shown = attempt.secret("mb.draw-keys"), attempt.secret("mb.draw-leaves")
    if keys is not None:
        yield "key", keys["k_draw"], f"{attempt.place} K_draw"
        yield "key", keys["k_x"], f"{attempt.place} K_x"
    for leaf in shown["leaves"] if shown is not None else ():
        yield "salt", leaf["salt"], f"{attempt.place} index {leaf['index']}"


def _check_cancelled(check: Check, attempt: Attempt) -> None:
    for logged, document in attempt.pairs("cancelled", "cancel_sha256", "ed1.cancel"):
        require_both(check, document)
        value, spec = document.value, attempt.spec
        named = (value["draw"], value["attempt"]) == (attempt.draw, attempt.number)
        named = named and spec is not None and value["spec_sha256"] == spec.sha256
        check.require(document.place, "names another draw, attempt or spec", holds=named)
        if attempt.sealed is not None and attempt.sealed.n < logged.n:
            _check_cause(check, attempt, logged, value["reason"])


def _check_cause(check: Check, attempt: Attempt, logged: Logged, reason: str) -> None:
    text = f"REROLL: cancelled after the seal for {reason}"
    if not check.require(logged.place, text, holds=reason in CAUSES_AFTER_SEAL) or attempt.spec is None:
        return
    settled = attempt.settled()
    if reason == "too_few_valid":
        complete = all(found.r is not None for found in settled)
        valid = sum(found.valid for found in settled)
        holds = complete and valid < attempt.spec.value["min_valid"]
        check.require(logged.place, f"REROLL: cancelled as too_few_valid with {valid} valid", holds=holds)
    elif reason == "unrecoverable" and attempt.sealed is not None:
        short = [found for found in settled if found.r is None and len(found.good) < attempt.size[0]]
        waited = logged.at - attempt.sealed.at
        holds = bool(short) and waited >= RECOVERY_MS
        check.require(logged.place, f"REROLL: cancelled as unrecoverable after {waited} ms", holds=holds)
        for found in short:
            _name_failing(check, attempt, found.document.sha256, found.good)
    elif reason == "beacon_late" and attempt.spec.value["beacon"] is None:
        check.fail(logged.place, "REROLL: cancelled as beacon_late, though the spec names no beacon")
    elif reason == "beacon_late":
        check.gap(logged.place, "whether the beacon's round was late is not checked by this release")


def _name_failing(check: Check, attempt: Attempt, sha256: str, good: list[int]) -> None:
    failing = [i for i, told in sorted(attempt.codes().items()) if told.get(sha256) == "ok" and i not in good]
    check.note(attempt.place, f"DRAW_UNRECOVERABLE: custodians {failing} said ok and gave no good share")


def _check_disclosed(evidence: Evidence, check: Check, attempt: Attempt) -> None:
    spec, named = attempt.spec, evidence.header["procedure"]
    for logged in attempt.all("disclosed"):
        if spec is None:
            continue
        commit = tuple_hash(LABEL_PROCEDURE, bytes.fromhex(logged.body["salt"]), logged.body["procedure"].encode())
        holds = commit.hex() == spec.value["procedure_commit"]
        check.require(logged.place, "the draw was committed to another procedure", holds=holds)
        if named is not None:
            holds = logged.body["procedure"] == named
            check.require(logged.place, "a draw of another procedure than the bundle's", holds=holds)
