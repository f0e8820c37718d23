"""AL-14: a log that continues a closed one, and both as one history (AL1 L13).

Entry 0 of the later log, ``log.continued``, holds the final checkpoint of the earlier one, with the signatures of its
witnesses. Every entry of the later log follows that entry in chain and tree, and so everything below the final
checkpoint. The numbers of entries, and of checkpoints by their sizes, therefore count on from one log to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verifier.bundle import BEFORE, BundleFault, part_of
from verifier.checks_log import note_gaps, origin_of
from verifier.evidence import Evidence, Span
from verifier.merkle import ProofFault, verify_inclusion
from verifier.notes import NOTE_LIMIT, NoteFault
from verifier.policy import SignedCheckpoint, verify_checkpoint
from verifier.proofs import PROOF_LIMIT, parse_proof
from verifier.report import Check, Report

CONTINUED = "log.continued"
CONTINUED_TITLE = "continuation: entry 0 holds the final witnessed checkpoint of the log before, and only one does"
LogChecks = Callable[[Evidence], None]


def join_logs(newest: Evidence, check_log: LogChecks) -> Evidence:
    """Check every log that ``newest`` continues, and return the evidence of all of them as one history.

    ``check_log`` runs the checks of one log. Without an earlier log the evidence is returned as it is.
    """
    check = newest.report.check("AL-14", CONTINUED_TITLE)
    chain = [newest]
    while (before := _log_before(chain[-1], check, len(chain))) is not None:
        folder = BEFORE * len(chain)
        before.share_documents(newest)
        check_log(before)
        newest.report.take(before.report, folder)
        if before.main is None:
            break
        chain.append(before)
    return newest if len(chain) == 1 else _as_one(newest, chain[::-1])


def _log_before(later: Evidence, check: Check, depth: int) -> Evidence | None:
    """Check the record by which a log begins; return the log before it, of which nothing is checked yet."""
    place = BEFORE * (depth - 1) + "log/0.tlog-proof"
    found = [logged for logged in later.records if logged.kind == CONTINUED]
    earlier = later.trust.origins[:-1]
    if not earlier:
        if found or later.bundle.under(BEFORE):
            check.gap(place, f"the trust file lists no log before {later.trust.origin}")
        return None
    named = f"{later.trust.origin} continues {earlier[-1]}"
    if not check.require(place, f"{named}, and its entry 0 does not say so", holds=any(each.n == 0 for each in found)):
        return None
    check.require(place, f"{named} more than once", holds=len(found) == 1)
    body = found[0].body
    if not check.require(place, f"{named}, not {body['old_origin']}", holds=body["old_origin"] == earlier[-1]):
        return None
    return _opened(later, check, earlier[-1], body["old_checkpoint"].encode(), depth)


def _opened(later: Evidence, check: Check, origin: str, final: bytes, depth: int) -> Evidence | None:
    place = f"{BEFORE * depth}checkpoint"
    bundle = part_of(later.bundle, BEFORE)
    try:
        note = verify_checkpoint(final, later.trust.policy, origin)
        same = bundle.read("checkpoint", NOTE_LIMIT) == final
    except (NoteFault, BundleFault) as error:
        check.fail(place, f"final checkpoint of {origin}: {error}")
        return None
    check.require(place, "the record that continues it names another checkpoint", holds=same)
    check.require(place, f"no quorum of witnesses has cosigned the end of {origin}", holds=note.witnessed)
    header = {**later.header, "checkpoint_size": note.checkpoint.size, "origin": origin}
    report = Report(later.report.trust_line, trusted=later.report.trusted)
    return Evidence(bundle, later.trust.of(origin), report, header)


def _as_one(newest: Evidence, chain: list[Evidence]) -> Evidence:
    """Return the evidence of all logs, the oldest first, with numbers and sizes that count through."""
    joined = Evidence(newest.bundle, newest.trust, newest.report, newest.header)
    joined.share_documents(newest)
    base = 0
    for number, log in enumerate(chain):
        folder = BEFORE * (len(chain) - 1 - number)
        joined.joined.append(Span(log, base, folder))
        joined.records += [replace(each, n=base + each.n, place=folder + each.place) for each in log.records]
        joined.notes += [_moved(note, base) for note in log.notes]
        joined.noted |= {place: _moved(note, base) for place, note in log.noted.items()}
        joined.main = None if log.main is None else _moved(log.main, base)
        base += 0 if log.main is None else log.main.checkpoint.size
    return joined


def _moved(note: SignedCheckpoint, base: int) -> SignedCheckpoint:
    return replace(note, checkpoint=replace(note.checkpoint, size=base + note.checkpoint.size))


def check_kept_continuation(joined: Evidence, path: Path) -> None:
    """AL-14 for a kept receipt of ``log.continued``: it must be that of this bundle, or the log was continued twice."""
    check = joined.report.check("AL-14", CONTINUED_TITLE)
    place, policy = path.name, joined.trust.policy
    try:
        data = path.read_bytes()
        if len(data) > PROOF_LIMIT:
            raise ProofFault("too long")
        proof = parse_proof(data)
        origin = origin_of(proof.checkpoint) or ""
        if origin not in {key.name for key in policy.logs}:
            check.gap(place, f"of the log {origin}, which the trust file does not list")
            return
        note = verify_checkpoint(proof.checkpoint, policy, origin)
        head = note.checkpoint
        verify_inclusion(proof.n, head.size, proof.leaf, proof.path, head.root)
    except (NoteFault, ProofFault, OSError) as error:
        check.fail(place, str(error))
        return
    note_gaps(check, place, note)
    if proof.record["kind"] != CONTINUED:
        check.gap(place, "not a checkpoint, and not the receipt of a log.continued")
        return
    told = proof.record["body"]["old_origin"]
    known = {each.body["old_origin"]: each for each in joined.records if each.kind == CONTINUED}
    mine = known.get(told)
    if mine is None:
        check.gap(place, f"the bundle does not show how {told} was continued")
        return
    both = f"{told} was continued twice: in {origin}, entry {proof.n}, and where {mine.place} says"
    check.require(place, both, holds=proof.h.hex() == mine.h)
