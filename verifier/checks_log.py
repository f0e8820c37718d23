"""Checks of the container and of the log: AL-01 to AL-06, AL-09, AL-10 (AL1 L12.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verifier.bundle import MAX_INDEX, Bundle, BundleFault
from verifier.canonical import NotCanonical, admit_object
from verifier.doctypes import BUNDLE_RULE
from verifier.encoding import b64_encode, b64u_decode
from verifier.evidence import Evidence, Logged
from verifier.fields import FieldFault
from verifier.hashing import genesis, record_commitment
from verifier.merkle import ProofFault, verify_consistency, verify_inclusion
from verifier.notes import NOTE_LIMIT, Checkpoint, NoteFault, parse_checkpoint, parse_note
from verifier.policy import SignedCheckpoint, verify_checkpoint
from verifier.proofs import PROOF_LIMIT, LogProof, parse_consistency, parse_proof, read_record
from verifier.records import BODY_RULES
from verifier.report import Check, Report
from verifier.tiles import TreeFault, check_tiles, read_log

RECORD_LIMIT = 3 * 2**20
NUMBER_IN_PATH = re.compile(r"[0-9]+")
# The canonical object {nonce, record, t} (AL1 L9); a pattern, because a whole log holds one per entry.
OPENED_RECORD = re.compile(rb'\{"nonce":"([0-9a-f]{64})","record":"([A-Za-z0-9_-]+)","t":(0|[1-9][0-9]{0,15})\}')
Tick = Callable[[int, int], None]


def check_files(bundle: Bundle, report: Report, tick: Tick) -> dict[str, Any] | None:
    """AL-01: the list in bundle.json equals the files. Return the header, ``None`` if there is no usable one."""
    check = report.check("AL-01", "file list: every file present, hash and size right, no extra file")
    try:
        header = admit_object(bundle.read("bundle.json", MAX_INDEX), MAX_INDEX)
        BUNDLE_RULE(header, "bundle.json")
    except (BundleFault, NotCanonical, FieldFault) as error:
        check.fail("bundle.json", str(error))
        return None
    listed = {row["path"]: row for row in header["files"]}
    for path in sorted(bundle.sizes.keys() - listed.keys() - {"bundle.json"}):
        check.fail(path, "in the bundle but not in its list")
    for done, (path, row) in enumerate(listed.items()):
        tick(done, len(listed))
        try:
            found = (bundle.sizes.get(path), bundle.sha256(path) if path in bundle else None)
        except BundleFault as error:
            check.fail(path, str(error))
            continue
        if path.startswith(("docs/", "parts/")) and path.endswith((".json", ".age")):
            named = path.split("/")[1].split(".")[0]
            check.require(path, "the name is not the hash of the content", holds=found[1] in (None, named))
        text = "missing" if found[0] is None else "size or hash differs from the list"
        check.require(path, text, holds=found == (row["size"], row["sha256"]))
    return header


def check_main_checkpoint(evidence: Evidence) -> None:
    """AL-02: form, origin, log signature and quorum of the checkpoint that all proofs use."""
    check = evidence.report.check("AL-02", "checkpoint: form, origin, log signature, quorum")
    header, trust = evidence.header, evidence.trust
    try:
        note = verify_checkpoint(evidence.bundle.read("checkpoint", NOTE_LIMIT), trust.policy, trust.origin)
    except (BundleFault, NoteFault) as error:
        check.fail("checkpoint", str(error))
        return
    check.require("bundle.json", "checkpoint_size differs", holds=header["checkpoint_size"] == note.checkpoint.size)
    check.require("bundle.json", "origin differs from the trust file", holds=header["origin"] == trust.origin)
    note_gaps(check, "checkpoint", note)
    evidence.main = note
    evidence.notes.append(note)
    evidence.consistent[note.checkpoint.size] = note.checkpoint.root


def note_gaps(check: Check, place: str, note: SignedCheckpoint) -> None:
    """Report a missing quorum and unverifiable key types of a checkpoint."""
    check.passed()
    for name in note.unverified:
        check.gap(place, f"the line of {name} needs a newer cryptography library")
    if not note.witnessed:
        check.gap(place, "LOGGED only: no quorum of the witnesses in the trust file")


def check_proofs(evidence: Evidence, tick: Tick) -> None:
    """AL-03 and AL-04: each proof, and the chain between adjacent disclosed entries."""
    check = evidence.report.check("AL-03", "proofs: form, the bundle's checkpoint, inclusion, record and entry")
    proofs: list[LogProof] = []
    paths = evidence.bundle.under("log/")
    for done, path in enumerate(paths):
        tick(done, len(paths))
        try:
            proof = parse_proof(evidence.bundle.read(path, PROOF_LIMIT))
            _check_proof(evidence, path, proof)
        except (BundleFault, ProofFault) as error:
            check.fail(path, str(error))
            continue
        check.passed()
        proofs.append(proof)
    proofs.sort(key=lambda proof: proof.n)
    check_adjacent(evidence, proofs)
    if not evidence.whole_log:
        records = (
            Logged(proof.n, proof.t, proof.h.hex(), proof.record, f"log/{proof.n}.tlog-proof") for proof in proofs
        )
        evidence.records = [logged for logged in records if admit_body(evidence, logged)]


def _check_proof(evidence: Evidence, path: str, proof: LogProof) -> None:
    if path != f"log/{proof.n}.tlog-proof":
        raise ProofFault(f"holds the proof of entry {proof.n}")
    if proof.checkpoint != evidence.bundle.read("checkpoint", NOTE_LIMIT):
        raise ProofFault("its checkpoint is not the one of the bundle")
    if evidence.main is None:
        raise ProofFault("the checkpoint does not verify, so inclusion proves nothing")
    checkpoint = evidence.main.checkpoint
    verify_inclusion(proof.n, checkpoint.size, proof.leaf, proof.path, checkpoint.root)


def check_adjacent(evidence: Evidence, proofs: list[LogProof]) -> None:
    """AL-04: p of an entry is the leaf hash of the disclosed entry before it; t never decreases; q in all or none."""
    check = evidence.report.check("AL-04", "chain between adjacent disclosed entries; times never decrease")
    if proofs and proofs[0].n == 0:
        holds = proofs[0].p == genesis(evidence.trust.origin)
        check.require("log/0.tlog-proof", "p of entry 0 is not the genesis of this origin", holds=holds)
    for left, right in zip(proofs, proofs[1:]):
        place = f"log/{right.n}.tlog-proof"
        if right.n == left.n + 1:
            check.require(place, f"p is not the leaf hash of entry {left.n}", holds=right.p == left.leaf)
        check.require(place, f"t is smaller than that of entry {left.n}", holds=right.t >= left.t)
        check.require(place, "field q is not in every entry", holds=(right.q is None) == (left.q is None))


def admit_body(evidence: Evidence, logged: Logged) -> bool:
    """AL-08, first half: the kind is registered and the body has its fields; others are not used further."""
    check = evidence.report.check("AL-08", "record kinds and bodies known; documents named by records present")
    check.passed()
    rule = BODY_RULES.get(logged.kind)
    if rule is None:
        check.fail(logged.place, f"unknown record kind {logged.kind}")
        return False
    try:
        rule(logged.body, logged.kind)
    except FieldFault as error:
        check.fail(logged.place, str(error))
        return False
    return True


def check_whole_log(evidence: Evidence, tick: Tick, *, chained: bool = True, tiled: bool = True) -> None:
    """AL-09 and AL-10: all entries, chain, tiles and root; every entry opens and names at most one procedure.

    ``chained`` and ``tiled`` are switched off only by the negative controls of the tests.
    """
    check = evidence.report.check("AL-09", "whole log: entries canonical, without gaps, chain, all tiles, root")
    opened = evidence.report.check("AL-10", "every entry opens and names at most one procedure")
    if not evidence.whole_log or evidence.main is None:
        return
    size = evidence.main.checkpoint.size
    reader = RecordReader(evidence, opened, tick, size)
    try:
        tree = read_log(evidence.bundle, evidence.trust.origin, size, reader.take, chained=chained)
    except (TreeFault, BundleFault, ValueError) as error:
        check.fail("tile/entries", str(error))
        return
    check.passed(size)
    if tiled:
        for text in check_tiles(evidence.bundle, tree):
            check.fail("tile", text)
        check.require(
            "checkpoint",
            "the root of the entries is not the root of the checkpoint",
            holds=tree.root(size) == evidence.main.checkpoint.root,
        )
    evidence.tree = tree
    for path in evidence.bundle.under("records/"):
        if int(NUMBER_IN_PATH.findall(path)[0]) >= size:
            opened.fail(path, "there is no such entry")
    opened.note("records", "the replay of all procedures through the rules is not part of this tier")


class RecordReader:
    """Opens the record of every entry while the chain is read, so that a large log needs one pass."""

    def __init__(self, evidence: Evidence, check: Check, tick: Tick, size: int) -> None:
        self._evidence = evidence
        self._check = check
        self._tick = tick
        self._size = size
        self._any = bool(evidence.bundle.under("records/"))
        if not self._any and size:
            check.gap("records", "the bundle opens no entry")

    def take(self, n: int, h: bytes, t: int) -> None:
        """Check records/<n>.json against the entry and keep the record, except padding."""
        if n % 1024 == 0:
            self._tick(n, self._size)
        if not self._any:
            return
        path = f"records/{n}.json"
        try:
            opened = OPENED_RECORD.fullmatch(self._evidence.bundle.read(path, RECORD_LIMIT))
            if opened is None:
                raise ProofFault("not the canonical object of nonce, record and t")
            raw = b64u_decode(opened.group(2).decode())
            commitment = record_commitment(bytes.fromhex(opened.group(1).decode()), raw)
            if commitment.hex().encode() != h or int(opened.group(3)) != t:
                raise ProofFault("record, nonce or t do not belong to the entry")
            record = read_record(raw)
        except (BundleFault, ValueError) as error:
            self._check.fail(path, str(error))
            return
        self._check.passed()
        logged = Logged(n, t, h.decode(), record, path)
        subject = record["subject"]
        if subject.startswith("procedure:") and subject != f"procedure:{record['procedure']}":
            self._check.fail(path, "subject and procedure name different procedures")
        if admit_body(self._evidence, logged) and logged.kind != "log.pad":
            self._evidence.records.append(logged)


def check_other_checkpoints(evidence: Evidence) -> None:
    """AL-05: signatures of the other checkpoints, one root per size, consistency to the main one."""
    check = evidence.report.check("AL-05", "other checkpoints: signatures, one root per size, consistency")
    for path in evidence.bundle.under("checkpoints/"):
        size = int(NUMBER_IN_PATH.findall(path)[0])
        try:
            _take_checkpoint(evidence, check, path, evidence.bundle.read(path, NOTE_LIMIT), size)
        except BundleFault as error:
            check.fail(path, str(error))
    others = {key.name for key in evidence.trust.policy.logs} - {evidence.trust.origin}
    for order in evidence.of_type("sb1.open-order"):
        if origin_of(order.value["checkpoint"].encode()) not in others:
            _take_checkpoint(evidence, check, order.place, order.value["checkpoint"].encode(), None)


def _take_checkpoint(evidence: Evidence, check: Check, place: str, data: bytes, size: int | None) -> None:
    try:
        note = verify_checkpoint(data, evidence.trust.policy, evidence.trust.origin)
        if size is not None and note.checkpoint.size != size:
            raise NoteFault(f"is of size {note.checkpoint.size}")
        require_consistent(evidence, note)
    except (NoteFault, ProofFault, BundleFault) as error:
        check.fail(place, str(error))
        return
    note_gaps(check, place, note)
    evidence.notes.append(note)
    evidence.noted[place] = note


def require_consistent(evidence: Evidence, note: SignedCheckpoint) -> None:
    """Check that a checkpoint is a prefix of the main one, by the tree of a whole log or a stored proof.

    Raises:
        ProofFault: It is not, or it is larger than the main one; both checkpoints are named.
        BundleFault: The proof is missing.
    """
    if evidence.main is None:
        raise ProofFault("the main checkpoint does not verify")
    size, root, main = note.checkpoint.size, note.checkpoint.root, evidence.main.checkpoint
    both = f"this checkpoint ({_named(note.checkpoint)}) and the bundle's ({_named(main)})"
    known = evidence.consistent.get(size)
    if known is None and size > main.size:
        raise ProofFault(f"larger than the checkpoint of the bundle: {both}")
    if known is None and evidence.tree is not None:
        known = evidence.tree.root(size)
    if known is None:
        path = f"consistency/{size}-{main.size}"
        proof = parse_consistency(evidence.bundle.read(path, NOTE_LIMIT))
        try:
            verify_consistency(size, main.size, root, main.root, proof)
        except ProofFault as error:
            raise ProofFault(f"not shown to be one history: {both}; {path}: {error}") from error
        known = root
    if known != root:
        raise ProofFault(f"two histories, both signed: {both}; the first {size} entries have another root")
    evidence.consistent[size] = root


def _named(checkpoint: Checkpoint) -> str:
    return f"size {checkpoint.size}, root {b64_encode(checkpoint.root)}"


def check_against(evidence: Evidence, kept: list[Path]) -> None:
    """AL-06: consistency with checkpoints that the user kept, each with the log that it names."""
    check = evidence.report.check("AL-06", "consistency with checkpoints kept by the reader (--against)")
    for path in kept:
        try:
            data = path.read_bytes()
        except OSError as error:
            check.fail(path.name, str(error))
            continue
        named = origin_of(data)
        found = [span.evidence for span in evidence.spans if span.evidence.trust.origin == named]
        _check_kept(found[0] if found else evidence.spans[-1].evidence, evidence, check, path.name, data)


def _check_kept(log: Evidence, newest: Evidence, check: Check, place: str, data: bytes) -> None:
    try:
        note = verify_checkpoint(data, log.trust.policy, log.trust.origin)
    except NoteFault as error:
        check.fail(place, str(error))
        return
    size = note.checkpoint.size
    if log is not newest.spans[-1].evidence and log.main is not None and size > log.main.checkpoint.size:
        text = _dropped(note, log.main.checkpoint)
        (check.fail if note.witnessed else check.gap)(place, text)
        return
    proof = f"consistency/{size}-{log.header['checkpoint_size']}"
    provable = size in log.consistent or log.tree is not None or proof in log.bundle
    if log.main is not None and (size > log.main.checkpoint.size or not provable):
        check.gap(place, _unprovable(note.checkpoint, log.main.checkpoint))
        return
    try:
        require_consistent(log, note)
    except (ProofFault, BundleFault) as error:
        check.fail(place, str(error))
        return
    check.passed()


def origin_of(data: bytes) -> str | None:
    """Return the log that a note names, whoever signed it; ``None`` if it is no checkpoint."""
    try:
        return parse_checkpoint(parse_note(data).text).origin
    except NoteFault:
        return None


def _dropped(kept: SignedCheckpoint, final: Checkpoint) -> str:
    both = f"kept {_named(kept.checkpoint)}, closed at {_named(final)}"
    if kept.witnessed:
        return f"entries were dropped: a quorum of witnesses had seen more of {final.origin} than its end: {both}"
    return f"no quorum has seen it; what was behind the end of {final.origin} was logged again in the next log: {both}"


def _unprovable(kept: Checkpoint, main: Checkpoint) -> str:
    if kept.size > main.size:
        both = f"{_named(kept)} against {_named(main)}"
        return f"newer than the bundle: {both}; a log never shrinks, so ask for a newer bundle"
    return f"the bundle has no consistency proof for size {kept.size}"
