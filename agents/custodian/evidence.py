"""What a job proves about the log: a witnessed checkpoint, consistent with the last one seen, and records in it.

Everything is checked against the agent's own trust file. A checkpoint that holds is remembered at once, whatever
becomes of the job: the agent is a small witness, and a log that later denies it is caught (SB1 S13.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agents.custodian.agent import Agent
from agents.custodian.state import Place, Seen
from agents.witnessed import Witnessed, verify_witnessed
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.proof import parse_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import leaf_hash, verify_consistency, verify_inclusion
from trading.custody.rules.jobs import Job
from trading.kernel.encoding import b64_decode
from trading.kernel.errors import InvalidInput, RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A record that is included in the job's checkpoint."""

    n: int
    h: str
    kind: str
    procedure: str | None
    at: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A job's checkpoint and its records in log order."""

    witnessed: Witnessed
    records: tuple[Logged, ...]

    def of_kind(self, kind: str, place: Place) -> Iterator[Logged]:
        """Yield the records of a kind for the lot and stage of the place, in log order."""
        for record in self.records:
            told = (record.procedure, record.body.get("lot"), record.body.get("stage"))
            if record.kind == kind and told == place.row:
                yield record

    def at(self, n: int, h: str, kind: str) -> Logged:
        """Return the record of the kind at index ``n`` with commitment ``h``.

        Raises:
            RuleBroken: ``order.not_included``.
        """
        for record in self.records:
            if (record.n, record.h, record.kind) == (n, h, kind):
                return record
        raise RuleBroken("order.not_included", "SB1 S9.3", kind=kind, n=n)

    def by_h(self, h: str) -> Logged:
        """Return the record with commitment ``h``.

        Raises:
            RuleBroken: ``order.not_included``.
        """
        for record in self.records:
            if record.h == h:
                return record
        raise RuleBroken("order.not_included", "SB1 S9.3", h=h)


def read_evidence(agent: Agent, job: Job) -> Evidence:
    """Verify the checkpoint and every proof of a job, and remember the checkpoint.

    Raises:
        InvalidInput: ``job.incomplete``, ``note.…``, ``checkpoint.…``, ``receipt.…``, ``proof.…``.
        RuleBroken: ``order.checkpoint``, ``order.fork`` or ``job.stale`` (older than the last one seen).
    """
    note = job.need("checkpoint")
    witnessed = verify_witnessed(agent.trust, note)
    checkpoint = witnessed.checkpoint
    with agent.state.transaction():
        _require_growth(agent, job, checkpoint)
        agent.state.see(agent.trust.origin, Seen(size=checkpoint.size, root=checkpoint.root, note=note))
    return Evidence(witnessed=witnessed, records=tuple(_included(data, note, checkpoint) for data in job.proofs()))


def _require_growth(agent: Agent, job: Job, checkpoint: Checkpoint) -> None:
    seen = agent.state.seen(agent.trust.origin)
    if seen is None:
        return
    if checkpoint.size < seen.size:
        raise RuleBroken("job.stale", "SB1 S13.4", size=checkpoint.size, seen=seen.size)
    older = Checkpoint(origin=checkpoint.origin, size=seen.size, root=seen.root)
    require_consistent(job, older, checkpoint)


def require_consistent(job: Job, older: Checkpoint, newer: Checkpoint) -> None:
    """Check that one checkpoint continues another by the job's consistency proof.

    Raises:
        InvalidInput: ``job.incomplete`` or ``job.malformed``.
        RuleBroken: ``order.fork``.
    """
    hashes: list[bytes] = []
    if 0 < older.size < newer.size:
        text = job.need(f"consistency/{older.size}-{newer.size}").decode("ascii", "replace")
        try:
            hashes = [b64_decode(line) for line in text.splitlines()]
        except ValueError as error:
            raise InvalidInput("job.malformed", "a consistency proof is not base64") from error
    try:
        verify_consistency(older.size, newer.size, hashes, older.root, newer.root)
    except InvalidInput as error:
        raise RuleBroken("order.fork", "SB1 S9.3", older=older.size, newer=newer.size) from error


def _included(data: bytes, note: bytes, checkpoint: Checkpoint) -> Logged:
    receipt = parse_receipt(data)
    if receipt.checkpoint != note:
        raise InvalidInput("job.malformed", f"the proof of entry {receipt.entry.n} uses another checkpoint")
    leaf = leaf_hash(receipt.entry.encode())
    verify_inclusion(receipt.entry.n, checkpoint.size, leaf, receipt.path, checkpoint.root)
    record = parse_record(receipt.record)
    return Logged(
        n=receipt.entry.n,
        h=receipt.entry.h.hex(),
        kind=record["kind"],
        procedure=record["procedure"],
        at=record["at"],
        body=record["body"],
    )
