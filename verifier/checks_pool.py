"""Checks of the pool and of its exclusions with the keys of a draw: ED-09 and ED-10 (ED1 D3, D4; auditor)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from verifier.draw import Attempt, Register
from verifier.drawing import (
    Entrant,
    exclusion_key_commitment,
    exclusion_root_of,
    ordered_pool,
    pool_key_commitment,
    pool_root_of,
)
from verifier.evidence import Document, Evidence, Logged
from verifier.records import REGISTER_ACTS
from verifier.report import Check

EXACT_STRATA = "mb-experts-1"  # the rule version under which a stratum is met by itself alone


def register_at(evidence: Evidence, size: int) -> Register:
    """Return experts, suspended ids and faults of the register at a log size, folded from the signed changes (D3)."""
    changes: list[tuple[Logged, Document]] = []
    for act in REGISTER_ACTS:
        for logged in evidence.of_kind(f"expert.{act}"):
            document = evidence.document(logged.body["change_sha256"], "ed1.register-change")
            if document is not None and logged.n < size:
                changes.append((logged, document))
    experts: dict[str, dict[str, Any]] = {}
    suspended: set[str] = set()
    faults: list[str] = []
    chain: tuple[int, str | None] = (1, None)
    for logged, document in sorted(changes, key=lambda pair: pair[0].n):
        value = document.value
        if (value["seq"], value["supersedes"]) != chain or logged.kind != f"expert.{value['act']}":
            faults.append(f"{document.place}: change {value['seq']} of the register does not follow the one before")
        if document.signed_by("supervisor") is None:
            faults.append(f"{document.place}: not signed by the regulator")
        chain = (value["seq"] + 1, document.sha256)
        _apply_change(value, experts, suspended)
    return experts, suspended, faults


def _apply_change(value: dict[str, Any], experts: dict[str, dict[str, Any]], suspended: set[str]) -> None:
    ids = {item["id"] for item in value["items"]}
    for item in value["items"]:
        experts[item["id"]] = item
    if value["act"] == "removed":
        for name in ids:
            experts.pop(name, None)
    if value["act"] == "suspended":
        suspended |= ids
    elif value["act"] in ("resumed", "removed"):
        suspended -= ids


def recomputed_pool(attempt: Attempt, keys: dict[str, Any]) -> list[Entrant]:
    """Return the pool in order from K_draw and the register; empty without a spec."""
    if attempt.spec is None:
        return []
    if attempt.pool is None:
        wanted = {row["id"] for row in attempt.spec.value["strata"]}
        exact = attempt.spec.value["rule_version"] == EXACT_STRATA
        experts, _, _ = _register_of(attempt)
        entrants = [
            (stratum, item["id"], item["unit"])
            for item in experts.values()
            for stratum in _standing(item["strata"], wanted, exact)
        ]
        attempt.pool = ordered_pool(bytes.fromhex(keys["k_draw"]), entrants)
    return attempt.pool


def _standing(strata: list[str], wanted: set[str], exact: bool) -> set[str]:  # noqa: FBT001 - one rule or the other
    """Return in which wanted strata an expert stands, each once: that of a node is met by every stratum below it."""
    if exact:
        return wanted.intersection(strata)
    found = set()
    for each in wanted:
        node, _, level = each.partition("-")
        for stratum in strata:
            code, _, own = stratum.partition("-")
            if own == level and code.startswith(node):
                found.add(each)
    return found


def _register_of(attempt: Attempt) -> Register:
    """Return the register that the attempt's spec fixes, folded once for all checks."""
    if attempt.register is None:
        size = attempt.spec.value["register_size"] if attempt.spec is not None else 0
        attempt.register = register_at(attempt.evidence, size)
    return attempt.register


def _keys(attempt: Attempt, check: Check) -> dict[str, Any] | None:
    if not attempt.evidence.holds("audit") or attempt.spec is None:
        return None
    keys = attempt.keys()
    ended = any(attempt.first(name) is not None for name in ("result", "cancelled"))
    if keys is None and ended:
        check.gap(attempt.place, "the keys of the draw are not in the bundle")
    return keys


def check_pool(attempt: Attempt, check: Check) -> None:
    """ED-09: K_draw is the one committed to; pool, strata and root follow from the register at ``register_size``."""
    keys = _keys(attempt, check)
    if keys is None or attempt.spec is None:
        return
    spec, place = attempt.spec.value, attempt.spec.place
    k_draw = bytes.fromhex(keys["k_draw"])
    commit = pool_key_commitment(attempt.draw, attempt.number, k_draw)
    check.require(place, "K_draw is not the key committed to", holds=commit == spec["pool_key_commit"])
    _, _, faults = _register_of(attempt)
    for text in faults:
        check.fail(place, f"POOL_MISMATCH: {text}")
    pool = recomputed_pool(attempt, keys)
    told = {row["id"]: row["b"] - row["a"] for row in spec["strata"]}
    sizes = Counter(entrant[0] for entrant in pool)
    check.require(place, "POOL_MISMATCH: the strata are not those of the register", holds=told == sizes)
    holds = pool_root_of(k_draw, pool) == spec["pool_root"]
    check.require(place, "POOL_MISMATCH: pool_root does not follow from the register", holds=holds)
    _check_freshness(attempt, check, spec)


def _check_freshness(attempt: Attempt, check: Check, spec: dict[str, Any]) -> None:
    specified = attempt.first("specified")
    if specified is None:
        return
    snapshots = [logged for logged in attempt.evidence.of_kind("pool.snapshot") if logged.n < specified.n]
    newest = snapshots[-1].body["register_size"] if snapshots else 0
    text = f"register_size {spec['register_size']} is older than the newest snapshot, {newest}"
    holds = newest <= spec["register_size"] <= specified.n
    check.require(specified.place, text, holds=holds)
    if snapshots:
        check.note(snapshots[-1].place, "the snapshot's own key is with the supervisor, who recomputes its root")


def check_exclusions(attempt: Attempt, check: Check) -> None:
    """ED-10: K_x and the vector are those committed to; counts; suspended experts excluded; EXCLUDED where it says."""
    keys = _keys(attempt, check)
    if keys is None or attempt.spec is None:
        return
    spec, place = attempt.spec.value, attempt.spec.place
    k_x = bytes.fromhex(keys["k_x"])
    reasons = {row["index"]: row["reason"] for row in keys["exclusions"]}
    commit = exclusion_key_commitment(attempt.draw, attempt.number, k_x)
    check.require(place, "K_x is not the key committed to", holds=commit == spec["exclusion_key_commit"])
    # A hostile spec with a pool beyond all measure is found by its strata, without a single hash.
    sized = len(recomputed_pool(attempt, keys)) == spec["pool_size"]
    holds = sized and exclusion_root_of(k_x, spec["pool_size"], reasons) == spec["excl_root"]
    check.require(place, "POOL_MISMATCH: the exclusion vector is not the one committed to", holds=holds)
    counts = {row["id"]: sum(row["a"] <= index < row["b"] for index in reasons) for row in spec["strata"]}
    told = {row["id"]: row["count"] for row in spec["excluded"]}
    check.require(place, f"excluded says {told}, the vector {counts}", holds=told == counts)
    _, suspended, _ = _register_of(attempt)
    pool = recomputed_pool(attempt, keys)
    missed = [index for index, entrant in enumerate(pool) if entrant[1] in suspended and index not in reasons]
    check.require(place, f"suspended experts are not excluded: indices {missed}", holds=not missed)
    for logged in attempt.all("disposed"):
        if logged.body["state"] == "EXCLUDED":
            holds = logged.body["index"] in reasons
            check.require(logged.place, "EXCLUDED, but the vector does not exclude the index", holds=holds)
    for logged in attempt.all("called"):
        holds = logged.body["index"] not in reasons
        check.require(logged.place, "EXCLUSION_IGNORED: an excluded index was called", holds=holds)
    check.note(place, "whether each exclusion follows from its rule needs the parties' data, which no bundle holds")
