"""The bundle of each custodian job (docs/custodian-jobs.md): documents, records with their proofs, consistency.

An agent believes nothing of it, so everything that a kind needs must be there: what is missing makes the agent refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.evidence import is_covered, log_parts, place_of, proof_files, seen_files
from trading.audit.queries import LoggedRecord, records_of, records_of_keys
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.runtime import Runtime
from trading.audit.service import reader, witnessed
from trading.bids import queries as bids
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.policy import parse_policy
from trading.custody.queries import WaitingJob, signed_keys
from trading.custody.rules.jobs import JobKind, build_job, document_files
from trading.documents import queries as stored
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure
from trading.kernel.signed import SignedDocument
from trading.openings import queries
from trading.openings.model import NotYet, Place
from trading.openings.rules.factors import parse_factor_list
from trading.openings.rules.orders import OpenOrder, parse_order
from trading.procedures.queries import find_lot


@dataclass(slots=True)
class _Contents:
    """What one job is made of, collected kind by kind."""

    conn: Connection
    job: WaitingJob
    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[int, LoggedRecord] = field(default_factory=dict)
    checkpoints: list[Checkpoint] = field(default_factory=list)  # older ones that the agent compares with the job's
    _history: list[LoggedRecord] | None = None

    def add(self, signed: SignedDocument) -> None:
        """Add a document."""
        self.files |= document_files(signed)

    def add_stored(self, sha256: str) -> SignedDocument:
        """Add the stored document with this name and return it."""
        found = stored.get(self.conn, bytes.fromhex(sha256))
        if found is None:
            raise IntegrityFailure(f"document {sha256} is missing")
        signed = SignedDocument.from_parts(found.doc, found.sigs)
        self.add(signed)
        return signed

    def add_records(self, records: Iterable[LoggedRecord]) -> None:
        """Add records; their proofs are made at the end, all against one note."""
        self.records |= {record.n: record for record in records}

    def history(self, *kinds: str) -> list[LoggedRecord]:
        """Return the logged records of these kinds about the job's lot and stage, in log order."""
        if self._history is None:
            self._history = records_of(self.conn, self.job.procedure_id)
        return [record for record in self._history if record.kind in kinds and self._is_here(record.data["body"])]

    def by_h(self, hs: Iterable[str]) -> list[LoggedRecord]:
        """Return the logged records of the procedure with these commitments (hex)."""
        wanted = set(hs)
        self.history()
        found = [record for record in self._history or () if record.h.hex() in wanted]
        _require_logged(len(found) == len(wanted))
        return found

    def _is_here(self, body: Mapping[str, Any]) -> bool:
        return (body.get("lot"), body.get("stage")) == (self.job.lot, self.job.stage)


def build(runtime: Runtime, job: WaitingJob, seen: int) -> bytes:
    """Return the job as a ZIP.

    Args:
        runtime: Ledger and files of the log.
        job: The waiting job.
        seen: Size of the last checkpoint that the agent saw, counted through all logs; 0 if none.

    Raises:
        NotYet: The log is not witnessed as far as the job needs.
    """
    kind = JobKind(job.kind)
    with runtime.ledger.read() as conn:
        contents = _Contents(conn=conn, job=job)
        _COLLECTORS[kind](contents)
        size = 0
        if kind in _NEEDS_LOG:
            size = _add_evidence(runtime, contents, seen)
    return build_job(kind, contents.files, job.request, origin=runtime.origin, checkpoint_size=size)


def _add_evidence(runtime: Runtime, contents: _Contents, seen: int) -> int:
    log = reader(runtime.log_dir)
    note = witnessed(runtime, log)
    records = list(contents.records.values())
    if note is None or not is_covered(note, records):
        raise NotYet("the log is not witnessed as far as this job needs")
    parts = log_parts(contents.conn, log, note)
    places = [place_of(parts, checkpoint) for checkpoint in contents.checkpoints]
    if any(place > note.size for place in places):
        raise NotYet("the log is not witnessed as far as this job needs")
    contents.files["checkpoint"] = note.note
    contents.files |= proof_files(contents.conn, parts, records)
    contents.files |= seen_files(parts, [seen, *places])
    return note.own_size


def _key(_contents: _Contents) -> None:
    """The request says everything."""


def _prove(contents: _Contents) -> None:
    contents.add_stored(str(contents.job.request["custodian_key_sha256"]))


def _admit(contents: _Contents) -> None:
    _add_policy(contents)
    _add_schedules(contents)


def _add_policy(contents: _Contents) -> None:
    """Add the policy package of S3.3 with ``policy.fixed``."""
    job = contents.job
    policy = parse_policy(contents.add_stored(str(job.request["policy_sha256"])).doc)
    for key in signed_keys(contents.conn, policy, job.procedure_id):
        contents.add(key)
    fixed = contents.history("policy.fixed")
    _require_logged(policy.sha256 in {record.data["body"]["policy_sha256"] for record in fixed})
    contents.add_records(fixed)


def _require_logged(is_logged: bool) -> None:  # noqa: FBT001 - a condition, as of assert
    """Ask the agent to come again while a record that the job cannot do without waits for its place in the log."""
    if not is_logged:
        raise NotYet("a record that this job needs is not in the log yet")


def _add_schedules(contents: _Contents) -> None:
    """Add the whole chain, newest first, with the records that published it (TE1 T2)."""
    published = contents.history("tender.published", "tender.changed", "practice.opened")
    logged = {record.data["body"]["schedule_sha256"] for record in published}
    name = str(contents.job.request["schedule_sha256"])
    while name:
        _require_logged(name in logged)
        schedule = loads_object(contents.add_stored(name).doc)
        name = schedule["supersedes"] or ""
    contents.add_records(published)


def _add_order(contents: _Contents) -> OpenOrder:
    """Add the order and the envelopes of its bids."""
    signed = contents.add_stored(str(contents.job.request["order_sha256"]))
    contents.files["order.json"] = signed.doc
    order = parse_order(signed.doc)
    contents.checkpoints.append(parse_checkpoint_text(parse_note(order.checkpoint.encode()).text))
    for bid in order.bids:
        version = bids.version_by_digest(contents.conn, bid.envelope_sha256)
        if version is None:
            raise IntegrityFailure(f"envelope {bid.envelope_sha256} is missing")
        contents.add(SignedDocument.from_parts(version.doc, version.sigs))
    return order


def _check(contents: _Contents) -> None:
    order = _add_order(contents)
    _add_policy(contents)
    _add_schedules(contents)
    contents.add_records(contents.history("tender.closed"))
    contents.add_records(contents.by_h(bid.h for bid in order.bids))
    _add_bidder_keys(contents, order)
    decided = contents.by_h(bid.objection_h for bid in order.bids if bid.objection_h is not None)
    contents.add_records(decided)
    for record in decided:
        contents.add_stored(record.data["body"]["decision_sha256"])
    contents.add_records(contents.by_h(omitted.rejected_h for omitted in order.omitted))


def _add_bidder_keys(contents: _Contents, order: OpenOrder) -> None:
    envelopes = (contents.files[f"docs/{bid.envelope_sha256}.json"] for bid in order.bids)
    kids = {parse_envelope(doc).bidder_kid for doc in envelopes}
    records = records_of_keys(contents.conn, kids)
    contents.add_records(records)
    _add_enrolments(contents, records)


def _add_enrolments(contents: _Contents, records: Iterable[LoggedRecord]) -> None:
    for found in stored.of_entries(contents.conn, [record.entry_id for record in records]):
        if found.typ == "mb.key-enrol":
            contents.add(SignedDocument.from_parts(found.doc, found.sigs))


def _release(contents: _Contents) -> None:
    _add_order(contents)
    _add_schedules(contents)
    listed = contents.job.request["factor_list_sha256"]
    if listed is None:
        ordered = contents.history("open.ordered")[:1]
        _require_logged(bool(ordered))
        contents.add_records(ordered)
        return
    factors = parse_factor_list(contents.add_stored(str(listed)).doc)
    contents.add_stored(factors.order_sha256)  # another one than the newest after a change of the station (S16)
    closed = contents.history("factor.closed")[-1:]
    _require_logged(bool(closed) and closed[0].data["body"]["factor_list_sha256"] == listed)
    contents.add_records(closed)


def _rehearse(contents: _Contents) -> None:
    found = queries.draft_by_digest(contents.conn, str(contents.job.request["rehearsal_sha256"]))
    if found is None:
        raise IntegrityFailure("a rehearsal is missing")
    signed = SignedDocument.from_parts(found.doc, found.sigs)
    contents.add(signed)
    _add_enrolments(contents, records_of_keys(contents.conn, {sig["kid"] for sig in signed.sigs}))


def _disclose(contents: _Contents) -> None:
    contents.add_records(contents.history("custodian.key_disclosed", "opening.completed"))


def _non_release(_contents: _Contents) -> None:
    """The request says everything."""


_NEEDS_LOG: Final = frozenset({JobKind.ADMIT, JobKind.CHECK, JobKind.RELEASE, JobKind.DISCLOSE})
_COLLECTORS: Final[Mapping[JobKind, Callable[[_Contents], None]]] = {
    JobKind.KEY: _key,
    JobKind.PROVE: _prove,
    JobKind.ADMIT: _admit,
    JobKind.CHECK: _check,
    JobKind.RELEASE: _release,
    JobKind.REHEARSE: _rehearse,
    JobKind.DISCLOSE: _disclose,
    JobKind.NON_RELEASE: _non_release,
}


_OVER: Final = frozenset({"failed", "cancelled"})
_AFTER_ALL: Final = frozenset({JobKind.DISCLOSE, JobKind.NON_RELEASE})


def is_pointless(conn: Connection, job: WaitingJob) -> bool:
    """Return whether nobody needs the answer any more: the lot is over, another order stands, or its step is over.

    Such a job leaves the list; its question may still be answered, and is then refused for its own reason.
    """
    lot = find_lot(conn, job.procedure_id, job.lot, job.stage)
    if lot.phase in _OVER and job.kind not in _AFTER_ALL:
        return True
    place = Place(procedure=str(job.request["tender"]), procedure_id=job.procedure_id, lot=job.lot, stage=job.stage)
    if job.kind == JobKind.DISCLOSE:
        decided = {answer.custodian for answer in queries.answers(conn, place, "adjudication")}
        return job.custodian in decided
    if job.kind not in {JobKind.CHECK, JobKind.RELEASE}:
        return False
    row = queries.opening_row(conn, place)
    if row is None or row.order_sha256 != job.request["order_sha256"]:
        return True
    if job.kind == JobKind.CHECK:
        return row.factor_ends_at is not None
    return row.release_closed_at is not None or row.factor_list_sha256 != job.request["factor_list_sha256"]
