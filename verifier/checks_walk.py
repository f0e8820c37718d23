"""Checks of the walk, its results and the opened leaves: ED-07, ED-08, ED-11, ED-13 (ED1 D9, D10)."""

from __future__ import annotations

from typing import Any

from verifier.canonical import NotCanonical, admit_object
from verifier.checks_draw import require_both
from verifier.checks_pool import recomputed_pool
from verifier.draw import Attempt
from verifier.evidence import Document, Logged
from verifier.hashing import LABEL_DISPOSITION, tuple_hash
from verifier.merkle import ProofFault, leaf_hash, root_of, verify_inclusion
from verifier.report import Check
from verifier.walking import REASONED_STATES, Trail

WALKED_KINDS = ("draw.called", "draw.disposed")
REPLACEMENT_GROUNDS = ("absent", "conflict", "ill", "unable")


def check_trail(attempt: Attempt, check: Check) -> None:
    """ED-07: every call and disposition is the one that tickets and frontier rule allow; results close a full walk."""
    trail = _trail(attempt)
    if trail is None:
        return
    for logged in attempt.records:
        if logged.kind in WALKED_KINDS:
            check.passed()
            for text in trail.take(logged.body, logged.at):
                check.fail(logged.place, text)
        elif logged.kind == "draw.result":
            check.require(logged.place, "a stratum is open or a call pending at the result", holds=trail.finished)
        elif logged.kind == "draw.contest_decided" and logged.body["upheld"]:
            check.note(logged.place, f"DISPOSITION_FALSE: contest of index {logged.body['index']} upheld")


def _trail(attempt: Attempt) -> Trail | None:
    spec, seed = attempt.spec, attempt.seed
    return Trail(spec.value, seed) if spec is not None and seed is not None and attempt.walkable else None


def check_limits(attempt: Attempt, check: Check) -> None:
    """ED-11 (auditor): EXCLUDED and LIMIT exactly where they bind; reasons open, REPLACED only on its grounds."""
    trail, keys = _trail(attempt), attempt.keys()
    if trail is None or keys is None or not attempt.evidence.holds("audit"):
        return
    trail.pool = recomputed_pool(attempt, keys)
    trail.excluded = {row["index"]: row["reason"] for row in keys["exclusions"]}
    opened = {row["n"]: row for row in keys["reasons"]}
    for logged in attempt.records:
        if logged.kind not in WALKED_KINDS:
            continue
        check.passed()
        verdicts = ("EXCLUSION_IGNORED", "LIMIT_BROKEN", "TRAIL_BROKEN")
        for text in trail.take(logged.body, logged.at):
            if text.startswith(verdicts):
                check.fail(logged.place, text)
        if logged.body.get("state") in REASONED_STATES:
            _check_reason(check, logged, opened.get(logged.n))


def _check_reason(check: Check, logged: Logged, opened: dict[str, Any] | None) -> None:
    if opened is None:
        check.gap(logged.place, "the reason of the disposition is not opened")
        return
    commit = tuple_hash(LABEL_DISPOSITION, bytes.fromhex(opened["salt"]), opened["reason"].encode())
    holds = commit.hex() == logged.body["reason_commit"]
    check.require(logged.place, "the opened reason is not the one committed to", holds=holds)
    if logged.body["state"] == "REPLACED":
        text = f"replaced for {opened['reason']}, which is no ground for it"
        check.require(logged.place, text, holds=opened["reason"] in REPLACEMENT_GROUNDS)


def check_leaves(attempt: Attempt, check: Check) -> None:
    """ED-08: the leaf of every selected index is opened and stands under ``pool_root``."""
    spec, shown = attempt.spec, attempt.secret("mb.draw-leaves")
    selected = {row["index"]: row["stratum"] for _, document in _results(attempt) for row in document.value["selected"]}
    if spec is None or not selected:
        return
    if shown is None:
        if attempt.evidence.header["kind"] == "draw" or attempt.first("disclosed") is not None:
            check.gap(attempt.place, "the leaves of the selected indices are not in the bundle")
        return
    leaves = {row["index"]: row for row in shown["leaves"]}
    for index, stratum in sorted(selected.items()):
        leaf = leaves.get(index)
        if leaf is None:
            check.gap(attempt.place, f"the leaf of selected index {index} is not opened")
            continue
        text = _leaf_fault(leaf, spec.value, stratum)
        check.require(f"{attempt.place} index {index}", f"POOL_MISMATCH: {text}", holds=not text)


def _leaf_fault(leaf: dict[str, Any], spec: dict[str, Any], stratum: str) -> str:
    data = bytes.fromhex(leaf["salt"]) + leaf["attrs"].encode()
    try:
        attrs = admit_object(leaf["attrs"].encode())
        proof = [bytes.fromhex(item) for item in leaf["proof"]]
        verify_inclusion(leaf["index"], spec["pool_size"], leaf_hash(data), proof, bytes.fromhex(spec["pool_root"]))
    except (NotCanonical, ProofFault) as error:
        return f"the opened leaf does not stand under pool_root ({error})"
    if set(attrs) != {"id", "stratum", "unit"} or attrs["stratum"] != stratum:
        return "the opened leaf is of another stratum"
    return ""


def _results(attempt: Attempt) -> list[tuple[Logged, Document]]:
    return attempt.pairs("result", "result_sha256", "ed1.result")


def check_results(attempt: Attempt, check: Check) -> None:
    """ED-13: results signed and chained, with the seed, the seats and the root of the trail up to them."""
    trail, before = _trail(attempt), None
    hashes: list[bytes] = []
    documents = {logged.n: document for logged, document in _results(attempt)}
    for logged in attempt.records:
        if logged.kind in WALKED_KINDS:
            hashes.append(bytes.fromhex(logged.h))
            if trail is not None:
                trail.take(logged.body, logged.at)
        document = documents.get(logged.n)
        if document is not None:
            _check_draw_result(attempt, check, document, before, hashes, trail)
            before = document


def _check_draw_result(
    attempt: Attempt,
    check: Check,
    document: Document,
    before: Document | None,
    hashes: list[bytes],
    trail: Trail | None,
) -> None:
    require_both(check, document)
    value, spec = document.value, attempt.spec
    named = (value["draw"], value["attempt"], value["spec_sha256"])
    wanted = (attempt.draw, attempt.number, spec.sha256 if spec else None)
    check.require(document.place, "names another draw, attempt or spec", holds=named == wanted)
    chain = (1, None) if before is None else (before.value["seq"] + 1, before.sha256)
    follows = (value["seq"], value["supersedes"]) == chain
    check.require(document.place, "does not follow the result before it", holds=follows)
    same = attempt.seed is not None and value["seed"] == attempt.seed.hex()
    check.require(document.place, "another seed than that of the draw", holds=same)
    root = root_of(hashes).hex()
    text = f"trail_root is {value['trail_root']}, recomputed {root}"
    check.require(document.place, text, holds=value["trail_root"] == root)
    if trail is not None:
        holds = value["selected"] == trail.selected
        check.require(document.place, "selects others than the walk", holds=holds)
        if spec is not None and len(value["selected"]) < sum(row["need"] for row in spec.value["strata"]):
            check.note(document.place, "incomplete: a stratum ran out of experts")
