"""The order of all checks of a bundle, and the checks of a single receipt (AL1 L12.2, S17, T11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from verifier.attachment import PDF_MARK, attached_proof
from verifier.bundle import Bundle
from verifier.canonical import NotCanonical, admit_object
from verifier.checks_adjudication import check_adjudications
from verifier.checks_attempts import check_attempts
from verifier.checks_bids import (
    check_bid_signatures,
    check_envelopes,
    check_fingerprints,
    check_manifest,
    check_on_time,
    check_policy,
    check_possession,
    check_schedule,
    check_versions,
)
from verifier.checks_clocks import check_clocks
from verifier.checks_continued import CONTINUED_TITLE, check_kept_continuation, join_logs
from verifier.checks_documents import check_demo, check_documents, check_named_documents, load_documents
from verifier.checks_draw import check_contributions, check_draw_order, check_draw_policy, check_spec
from verifier.checks_extension import check_confirmations, check_extensions
from verifier.checks_intake import check_intake
from verifier.checks_log import (
    Tick,
    check_against,
    check_files,
    check_main_checkpoint,
    check_other_checkpoints,
    check_proofs,
    check_whole_log,
    note_gaps,
    origin_of,
)
from verifier.checks_opening import (
    check_combination,
    check_factors,
    check_non_release,
    check_orders,
    check_releases,
    check_share_checks,
)
from verifier.checks_outages import check_outage_close
from verifier.checks_pool import check_exclusions, check_pool
from verifier.checks_ranking import check_award, check_notices, check_ranking
from verifier.checks_refusals import check_refused_close
from verifier.checks_seed import check_reveals, check_seed
from verifier.checks_time import (
    check_bid_times,
    check_close_entry,
    check_entry_times,
    check_heartbeat,
    check_schedule_chain,
    check_windows,
)
from verifier.checks_tokens import check_receipt_tokens, check_sandwich, check_tokens
from verifier.checks_verdicts import (
    check_factor_values,
    check_parts,
    check_prices,
    check_shares,
    check_verdicts,
)
from verifier.checks_walk import check_leaves, check_limits, check_results, check_trail
from verifier.draw import Attempt, attempts_of
from verifier.encoding import b64u_decode
from verifier.evidence import Evidence
from verifier.hashing import hex_digest
from verifier.lot import Lot, lots_of
from verifier.merkle import ProofFault, verify_inclusion
from verifier.notes import NoteFault
from verifier.policy import verify_checkpoint
from verifier.progress import Progress
from verifier.proofs import parse_proof
from verifier.report import Check, Report
from verifier.trust import Trust
from verifier.walking import recomputed

LotCheck = Callable[[Lot, Check], None]
LOT_CHECKS: tuple[tuple[str, str, tuple[LotCheck, ...]], ...] = (
    ("SB-01", "policy: signature, admission rules, custodian keys of pinned institutions", (check_policy,)),
    ("SB-02", "policy in the log; possession of every share key proved before it", (check_possession,)),
    ("SB-03", "schedule: close never earlier, close entry follows the last schedule", (check_schedule,)),
    ("SB-04", "envelopes: size, fields, policy, mode", (check_envelopes,)),
    ("SB-05", "bidder signatures by keys valid at their position", (check_bid_signatures,)),
    ("SB-06", "bid.received of every listed bid; unbroken versions", (check_versions,)),
    ("SB-07", "bids before the close entry and before the close", (check_on_time,)),
    ("SB-08", "bids_root and count recomputed", (check_manifest,)),
    ("SB-09", "open order: signatures, bids, objections, growth, checkpoint after the close", (check_orders,)),
    ("SB-10", "share checks, adjudications, disclosed keys", (check_share_checks, check_adjudications)),
    ("SB-11", "factors: window, commitment, newest list", (check_factors, check_factor_values)),
    ("SB-12", "releases: signature, exactly the valid bids, in their window", (check_releases,)),
    ("SB-13", "all combined before any opened", (check_combination,)),
    ("SB-14", "shares, combination, seed commitment, every C_i", (check_shares,)),
    ("SB-15", "identities, ciphertexts, decryption", (check_parts,)),
    ("SB-16", "prices: identity_price opens the sealed part to the price read out", (check_prices,)),
    ("SB-17", "verdicts recomputed by the table of S10", (check_verdicts,)),
    ("SB-18", "no fingerprint twice in the lot", (check_fingerprints,)),
    ("SB-19", "non-release statements for unopened envelopes", (check_non_release,)),
    ("SB-21", "intake: list obtained before the close, every envelope on it entered, receipts", (check_intake,)),
    ("TE-01", "schedule chain: signatures, only later, before the close, 30 minutes ahead", (check_schedule_chain,)),
    (
        "TE-02",
        "deadlines moved by rule recomputed from their evidence; confirmed ones were blocked",
        (check_extensions, check_confirmations, check_refused_close, check_outage_close),
    ),
    ("TE-03", "deadline heartbeat", (check_heartbeat,)),
    ("TE-04", "close entry: not before the close, drain waited for", (check_close_entry,)),
    ("TE-05", "time verdict of every bid of the manifest", (check_bid_times,)),
    ("TE-09", "windows as the schedule says", (check_windows,)),
    ("RK-01", "ranking or failure recomputed from prices, notice, edition and tie rule", (check_ranking,)),
    ("RK-02", "award to rank 1; result notice says the same", (check_award,)),
    ("RK-03", "notices: signatures, chain of corrections", (check_notices,)),
)
DrawCheck = Callable[[Attempt, Check], None]
DRAW_CHECKS: tuple[tuple[str, str, tuple[DrawCheck, ...]], ...] = (
    ("ED-01", "draw policy: signatures, admission rules, keys of pinned custodians, possession", (check_draw_policy,)),
    ("ED-02", "draw spec: signatures, consistency, pinned contributors, one per attempt", (check_spec,)),
    ("ED-03", "draw in order: spec, commitments, witnessed seal, answers, seed; one seal", (check_draw_order,)),
    ("ED-04", "contributions: signatures, everybody listed or left out, share checks, escrows", (check_contributions,)),
    ("ED-05", "every number revealed or recovered; commitment, every C_i, void list", (check_reveals,)),
    ("ED-06", "final document and seed recomputed", (check_seed,)),
    ("ED-07", "tickets, order of calls, frontier rule, complete walk", (check_trail,)),
    ("ED-08", "opened leaves of the selected under pool_root", (check_leaves,)),
    ("ED-09", "pool recomputed from key and signed register", (check_pool,)),
    ("ED-10", "exclusion vector recomputed from its key; counts", (check_exclusions,)),
    ("ED-11", "exclusions and limits where they bind; reasons opened", (check_limits,)),
    ("ED-13", "results: signatures, chain, seats, trail root", (check_results,)),
)
ATTEMPT_CHECK = ("ED-12", "attempts: chain of previous, causes of cancellations, procedure opened")
# What can be told of a holder's own bid alone; the rest needs the records of the others.
HOLDER_CHECKS = ("SB-01", "SB-03", "SB-04", "SB-05", "TE-01")
OTHER_KINDS = ("custodian-job",)
KEPT_RECEIPT = ".tlog-proof"
LATER_CHECKS = (
    ("AL-13", "personal values and their commitments"),
    ("SB-20", "key destruction"),
)


@dataclass(frozen=True)
class Options:
    """What the caller asked for; ``chained`` and ``tiled`` are switched off only by negative controls.

    ``draws`` adds every draw as it was recomputed to the report.
    """

    against: tuple[Path, ...] = ()
    production: bool = False
    draws: bool = False
    chained: bool = True
    tiled: bool = True


def verify_bundle(bundle: Bundle, trust: Trust, report: Report, options: Options, progress: Progress) -> None:
    """Run every check on a bundle; the report carries the result."""
    header = check_files(bundle, report, _ticker(progress, "files"))
    if header is None:
        return
    report.facts["bundle"] = ", ".join(
        f"{name} {header[name]}" for name in ("kind", "tier", "procedure", "lot", "stage") if header[name] is not None
    )
    newest = Evidence(bundle, trust.of(header["origin"]), report, header)
    guarded(report, "AL-07", lambda: load_documents(newest))
    _check_log(newest, options, progress)
    evidence = newest
    try:
        evidence = join_logs(newest, lambda log: _check_log(log, options, progress))
    except Exception as error:  # noqa: BLE001 - as in guarded
        report.check("AL-14", CONTINUED_TITLE).fail("verifier", f"{type(error).__name__}: {error}")
    guarded(report, "AL-11", lambda: check_tokens(evidence))
    guarded(report, "TE-08", lambda: check_sandwich(evidence))
    receipts = [path for path in options.against if path.suffix == KEPT_RECEIPT]
    notes = [path for path in options.against if path.suffix != KEPT_RECEIPT]
    guarded(report, "AL-06", lambda: check_against(evidence, notes))
    for path in receipts:
        guarded(report, "AL-14", partial(check_kept_continuation, evidence, path))
    guarded(report, "AL-07", lambda: check_documents(evidence))
    guarded(report, "AL-08", lambda: check_named_documents(evidence))
    guarded(report, "AL-12", lambda: check_demo(evidence, production=options.production))
    entry_times = report.check("TE-06", "times of entries: monotone, within 60 s of their transaction")
    guarded(report, "TE-06", lambda: check_entry_times(evidence, entry_times))
    clocks = report.check("TE-07", "clock states around every deadline, none inside a hold")
    guarded(report, "TE-07", lambda: check_clocks(evidence, clocks))
    _check_lots(evidence, report, progress)
    _check_draws(evidence, report, progress, shown=options.draws)
    for check_id, title in LATER_CHECKS:
        report.check(check_id, title)
    logs = [(span.evidence.trust.origin, span.evidence.main) for span in evidence.spans]
    told = [f"{origin}, {main.checkpoint.size} entries" for origin, main in logs if main is not None]
    if told:
        report.facts["log"] = "; continued in ".join(told)
    if header["origin"] != trust.origin:
        report.facts["closed"] = f"the trust file lists a later log, {trust.origin}; this bundle covers no entry of it"
    report.checks.sort(key=lambda check: (("AL", "TE", "SB", "ED", "RK").index(check.id[:2]), check.id))


def _check_log(evidence: Evidence, options: Options, progress: Progress) -> None:
    """Check one log of the bundle in its own numbering."""
    report, whole = evidence.report, _ticker(progress, "log")
    guarded(report, "AL-02", lambda: check_main_checkpoint(evidence))
    guarded(report, "AL-03", lambda: check_proofs(evidence, _ticker(progress, "proofs")))
    guarded(report, "AL-09", lambda: check_whole_log(evidence, whole, chained=options.chained, tiled=options.tiled))
    guarded(report, "AL-05", lambda: check_other_checkpoints(evidence))


def _check_lots(evidence: Evidence, report: Report, progress: Progress) -> None:
    for check_id, title, _ in LOT_CHECKS:
        report.check(check_id, title)
    kind = evidence.header["kind"]
    if kind in OTHER_KINDS:
        report.check("AL-08", "").gap("bundle.json", f"bundles of kind {kind} have checks that this release lacks")
    lots = lots_of(evidence) if evidence.holds("public") and kind not in (*OTHER_KINDS, "draw") else []
    for done, lot in enumerate(lots):
        progress.tick("lots", done, len(lots))
        for check_id, title, functions in LOT_CHECKS:
            if kind in ("receipt", "bidder") and check_id not in HOLDER_CHECKS:
                continue
            check = report.check(check_id, title)
            for function in functions:
                guarded(report, check_id, partial(function, lot, check))


def _check_draws(evidence: Evidence, report: Report, progress: Progress, *, shown: bool) -> None:
    for check_id, title, _ in DRAW_CHECKS:
        report.check(check_id, title)
    chain = report.check(*ATTEMPT_CHECK)
    kind = evidence.header["kind"]
    if kind in ("receipt", "bidder") or not evidence.holds("public"):
        return
    attempts = attempts_of(evidence)
    if kind == "draw" and not attempts:
        chain.fail("bundle.json", "a bundle of kind draw without a record of a draw")
    for done, attempt in enumerate(attempts):
        progress.tick("draws", done, len(attempts))
        for check_id, title, functions in DRAW_CHECKS:
            check = report.check(check_id, title)
            for function in functions:
                guarded(report, check_id, partial(function, attempt, check))
    guarded(report, ATTEMPT_CHECK[0], lambda: check_attempts(evidence, attempts, chain))
    if shown:
        report.draws = [told for told in map(recomputed, attempts) if told is not None]


def guarded(report: Report, check_id: str, run: Callable[[], None]) -> None:
    """Run a check on hostile data: whatever it raises is a failure of that check and never an exit without a result."""
    try:
        run()
    except Exception as error:  # noqa: BLE001 - a crash must not look like a pass
        report.check(check_id, check_id).fail("verifier", f"{type(error).__name__}: {error}")


def _ticker(progress: Progress, label: str) -> Tick:
    return lambda done, total: progress.tick(label, done, total)


def verify_receipt(
    data: bytes, trust: Trust, report: Report, envelope: bytes | None, tokens: dict[str, bytes] | None = None
) -> None:
    """Check a receipt (AL1 L8.3), time-stamp tokens over its checkpoint by their file names, and what it is about.

    ``data`` is a tlog-proof, or a PDF that carries one; ``envelope`` the reader's own, which the record must name
    (step 5).
    """
    check = report.check("AL-03", "receipt: form, inclusion, record and entry")
    checkpoint = report.check("AL-02", "checkpoint: form, origin, log signature, quorum")
    own = report.check("RC-01", "the receipt is about this envelope (--envelope)")
    try:
        proof = parse_proof(attached_proof(data) if data.startswith(PDF_MARK) else data)
        newest, trust = trust.origin, trust.of(origin_of(proof.checkpoint) or trust.origin)
        note = verify_checkpoint(proof.checkpoint, trust.policy, trust.origin)
        note_gaps(checkpoint, "checkpoint", note)
        head = note.checkpoint
        verify_inclusion(proof.n, head.size, proof.leaf, proof.path, head.root)
    except NoteFault as error:
        checkpoint.fail("checkpoint", str(error))
        return
    except ProofFault as error:
        check.fail("receipt", str(error))
        return
    check.passed()
    record = proof.record
    stamped = check_receipt_tokens(tokens or {}, note, trust, report)
    state = "LOGGED" if not note.witnessed else "STAMPED" if stamped else "WITNESSED"
    report.facts["receipt"] = f"{state}, entry {proof.n} of {trust.origin}"
    if trust.origin != newest:
        report.facts["closed"] = f"the trust file lists a later log, {newest}: this receipt is of one that was closed"
    report.facts["record"] = f"{record['kind']}, {record['subject']}, procedure {record['procedure']}"
    if envelope is not None:
        named = record["body"].get("envelope_sha256", record["body"].get("withdrawal_sha256"))
        holds = named == hex_digest(document_of(envelope))
        own.require("receipt", "the record names another envelope than this file", holds=holds)


def document_of(data: bytes) -> bytes:
    """Return the document of a file that holds it bare or in the signed wrapper of P7.1."""
    try:
        value: dict[str, Any] = admit_object(data)
        if set(value) == {"doc", "sigs"} and isinstance(value["doc"], str):
            return b64u_decode(value["doc"])
    except (NotCanonical, ValueError):
        pass
    return data
