"""The bundle of each custodian job of a draw (docs/draw-api.md): documents, records with their proofs, consistency.

An agent believes nothing of it, so everything that a kind needs must be there: what is missing makes the agent refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from trading.audit.evidence import is_covered, log_parts, proof_files, seen_files
from trading.audit.queries import LoggedRecord, records_of_draw
from trading.audit.runtime import Runtime
from trading.audit.service import reader, receipt, witnessed
from trading.custody.queries import WaitingJob
from trading.custody.rules.jobs import JobKind, build_job, document_files
from trading.experts import queries
from trading.experts.model import NotYet
from trading.experts.rules.policy import parse_policy
from trading.kernel.errors import NotFound

_SEAL_FILE: Final = "seal.tlog-proof"


@dataclass(slots=True)
class _Contents:
    conn: Connection
    job: WaitingJob
    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[int, LoggedRecord] = field(default_factory=dict)
    _history: list[LoggedRecord] | None = None

    def add_document(self, sha256: str) -> None:
        self.files |= document_files(queries.signed_document(self.conn, sha256))

    def add_records(self, *kinds: str) -> list[LoggedRecord]:
        """Add the records of these kinds about the job's draw, of the job's attempt where it names one."""
        if self._history is None:
            self._history = records_of_draw(self.conn, self.job.lot)
        attempt = self.job.request.get("attempt")
        found = [
            record
            for record in self._history
            if record.kind in kinds and attempt in {None, record.data["body"]["attempt"]}
        ]
        self.records |= {record.n: record for record in found}
        return found


def build(runtime: Runtime, job: WaitingJob, seen: int) -> bytes:
    """Return the job as a ZIP; ``seen`` is the size of the last checkpoint that the agent saw, through all logs.

    Raises:
        NotYet: The log is not witnessed as far as the job needs.
    """
    kind = JobKind(job.kind)
    size = 0
    with runtime.ledger.read() as conn:
        contents = _Contents(conn=conn, job=job)
        _COLLECTORS[kind](contents)
        if kind not in {JobKind.DRAW_KEY, JobKind.DRAW_PROVE}:
            size = _add_evidence(runtime, contents, seen)
    return build_job(kind, contents.files, job.request, origin=runtime.origin, checkpoint_size=size)


def _add_evidence(runtime: Runtime, contents: _Contents, seen: int) -> int:
    log = reader(runtime.log_dir)
    note = witnessed(runtime, log)
    records = list(contents.records.values())
    if note is None or not is_covered(note, records):
        raise NotYet("the log is not witnessed as far as this job needs")
    if contents.job.kind == JobKind.DRAW_RECOVER:
        # The first checkpoint with the seal bounds its time best, so the recovery need not wait longer than it must.
        first = receipt(contents.conn, log, bytes.fromhex(str(contents.job.request["sealed_h"])))
        if first is not None:
            contents.files[_SEAL_FILE] = first.text
    contents.files["checkpoint"] = note.note
    parts = log_parts(contents.conn, log, note)
    contents.files |= proof_files(contents.conn, parts, records)
    contents.files |= seen_files(parts, [seen])
    return note.own_size


def _require(found: Iterable[object]) -> None:
    if not list(found):
        raise NotYet("a record that this job needs is not in the log yet")


def _key(_contents: _Contents) -> None:
    """The request says everything."""


def _prove(contents: _Contents) -> None:
    contents.add_document(str(contents.job.request["custodian_key_sha256"]))


def _admit(contents: _Contents) -> None:
    digest = str(contents.job.request["policy_sha256"])
    contents.add_document(digest)
    offered = {key.kid: key.doc_sha256 for key in queries.share_keys(contents.conn, contents.job.lot)}
    for custodian in parse_policy(queries.signed_document(contents.conn, digest).doc).custodians:
        contents.add_document(offered[custodian.kid])
    _require(contents.add_records("draw.policy_fixed"))


def _check(contents: _Contents) -> None:
    contents.add_document(str(contents.job.request["spec_sha256"]))
    for digest in contents.job.request["documents"]:
        contents.add_document(digest)
    _require(contents.add_records("draw.specified"))
    added = contents.add_records("draw.escrowed", "draw.committed")
    bodies = [record.data["body"] for record in added]
    logged = {body.get("escrow_sha256") or body.get("contribution_sha256") for body in bodies}
    if not set(contents.job.request["documents"]) <= logged:
        raise NotYet("a record that this job needs is not in the log yet")


def _recover(contents: _Contents) -> None:
    _require(contents.add_records("draw.sealed"))


def _release_key(contents: _Contents) -> None:
    contents.add_document(str(contents.job.request["order_sha256"]))
    _require(contents.add_records("draw.key_ordered"))
    contents.add_records("draw.result", "draw.cancelled", "draw.seeded")


_COLLECTORS: Final[Mapping[JobKind, Callable[[_Contents], None]]] = {
    JobKind.DRAW_KEY: _key,
    JobKind.DRAW_PROVE: _prove,
    JobKind.DRAW_ADMIT: _admit,
    JobKind.DRAW_CHECK: _check,
    JobKind.DRAW_RECOVER: _recover,
    JobKind.DRAW_RELEASE_KEY: _release_key,
}


def is_pointless(conn: Connection, job: WaitingJob) -> bool:
    """Say whether nobody needs the answer any more: the attempt has ended or its phase is over."""
    kind = JobKind(job.kind)
    if kind in {JobKind.DRAW_KEY, JobKind.DRAW_PROVE, JobKind.DRAW_ADMIT}:
        return False
    try:
        row = queries.find_draw(conn, job.lot, int(job.request["attempt"]))
    except NotFound:
        return True
    if kind is JobKind.DRAW_CHECK:
        return row.state != "specified"
    if kind is JobKind.DRAW_RECOVER:
        return row.state != "sealed"
    return False
