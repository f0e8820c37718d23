"""What a job proves about the log: a witnessed checkpoint, consistent with the last one seen, and records in it.

Everything is checked against the agent's own trust file. A checkpoint that holds is remembered at once, whatever
becomes of the job: the agent is a small witness, and a log that later denies it is caught (SB1 S13.4). A log that
continues closed ones brings their files below ``before/``, repeated for more; numbers count through all (AL1 L13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from agents.custodian.agent import Agent
from agents.custodian.state import Place, Seen
from agents.history import CONTINUED, Span, open_proof, origins, read_history, require_continued
from agents.witnessed import Witnessed
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.proof import BEFORE
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import verify_consistency
from trading.custody.rules.jobs import Job
from trading.kernel.encoding import b64_decode
from trading.kernel.errors import InvalidInput, RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A record that is included in the job's checkpoint, or in the final one of a log before.

    ``n`` counts through all logs; ``position`` is the number of the log, 0 for the oldest, with the index in it.
    """

    n: int
    position: tuple[int, int]
    proof: bytes
    h: str
    kind: str
    procedure: str | None
    at: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A job's logs, the oldest first, and its records in log order."""

    spans: tuple[Span, ...]
    records: tuple[Logged, ...]

    @property
    def witnessed(self) -> Witnessed:
        """Return the job's checkpoint."""
        return self.spans[-1].witnessed

    def span_of(self, origin: str) -> Span:
        """Return the log of that name; of any other the newest one."""
        return next((span for span in self.spans if span.checkpoint.origin == origin), self.spans[-1])

    def of_kind(self, kind: str, place: Place) -> Iterator[Logged]:
        """Yield the records of a kind for the lot and stage of the place, in log order."""
        for record in self.records:
            told = (record.procedure, record.body.get("lot"), record.body.get("stage"))
            if record.kind == kind and told == place.row:
                yield record

    def at(self, n: int, h: str, kind: str) -> Logged:
        """Return the record of the kind at number ``n`` with commitment ``h``.

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


def seen_place(agent: Agent) -> int:
    """Return how far the agent has seen, through all logs of its trust file; 0 if nothing."""
    seen = (agent.state.seen(origin) for origin in origins(agent.trust))
    return sum(each.size for each in seen if each is not None)


def read_evidence(agent: Agent, job: Job) -> Evidence:
    """Verify the checkpoint, those of the logs before, and every proof of a job, and remember the checkpoints.

    Raises:
        InvalidInput: ``job.incomplete``, ``note.…``, ``checkpoint.…``, ``receipt.…``, ``proof.…``.
        RuleBroken: ``order.checkpoint``, ``order.fork``, ``job.stale`` (older than the last one seen) or
            ``log.not_continued``.
    """
    spans = _spans(agent, job)
    with agent.state.transaction():
        for number, span in enumerate(spans):
            _require_growth(agent, job, span, prefix_of(spans, span), is_closed=number < len(spans) - 1)
            checkpoint = span.checkpoint
            agent.state.see(checkpoint.origin, Seen(size=checkpoint.size, root=checkpoint.root, note=span.note))
    records = [_included(data, spans, number) for number in range(len(spans)) for data in _proofs(job, spans, number)]
    return Evidence(spans=spans, records=tuple(records))


def prefix_of(spans: Sequence[Span], span: Span) -> str:
    """Return where the files of a log lie in the job."""
    return BEFORE * (len(spans) - 1 - spans.index(span))


def _spans(agent: Agent, job: Job) -> tuple[Span, ...]:
    """Check the job's checkpoint, and that its logs follow each other; return them, the oldest first."""
    names = origins(agent.trust)
    firsts = (BEFORE * depth + "log/0.tlog-proof" for depth in range(len(names) - 1))
    continued = [job.files[path] for path in takewhile(job.files.__contains__, firsts)]
    spans = read_history(agent.trust, job.need("checkpoint"), continued)
    more = next((path for path in job.files if path.startswith(BEFORE * len(names))), None)
    require_continued(f"{more}, and the trust file lists no log before {names[0]}", holds=more is None)
    for span in spans[:-1]:
        same = job.need(prefix_of(spans, span) + "checkpoint") == span.note
        other = f"the record that continues {span.checkpoint.origin} names another checkpoint than the job holds"
        require_continued(other, holds=same)
    return spans


def _require_growth(agent: Agent, job: Job, span: Span, prefix: str, *, is_closed: bool) -> None:
    checkpoint = span.checkpoint
    seen = agent.state.seen(checkpoint.origin)
    if seen is None:
        return
    if checkpoint.size < seen.size:
        early = f"{checkpoint.origin} was closed at {checkpoint.size}, and a quorum has cosigned {seen.size}"
        require_continued(early, holds=not is_closed)
        raise RuleBroken("job.stale", "SB1 S13.4", size=checkpoint.size, seen=seen.size)
    older = Checkpoint(origin=checkpoint.origin, size=seen.size, root=seen.root)
    require_consistent(job, older, checkpoint, prefix)


def require_consistent(job: Job, older: Checkpoint, newer: Checkpoint, prefix: str) -> None:
    """Check that one checkpoint continues another of its log by the job's consistency proof below ``prefix``.

    Raises:
        InvalidInput: ``job.incomplete`` or ``job.malformed``.
        RuleBroken: ``order.fork``.
    """
    hashes: list[bytes] = []
    if 0 < older.size < newer.size:
        text = job.need(f"{prefix}consistency/{older.size}-{newer.size}").decode("ascii", "replace")
        try:
            hashes = [b64_decode(line) for line in text.splitlines()]
        except ValueError as error:
            raise InvalidInput("job.malformed", "a consistency proof is not base64") from error
    try:
        verify_consistency(older.size, newer.size, hashes, older.root, newer.root)
    except InvalidInput as error:
        raise RuleBroken("order.fork", "SB1 S9.3", older=older.size, newer=newer.size) from error


def _proofs(job: Job, spans: Sequence[Span], number: int) -> Iterator[bytes]:
    return job.proofs(prefix_of(spans, spans[number]))


def _included(data: bytes, spans: Sequence[Span], number: int) -> Logged:
    span = spans[number]
    receipt = open_proof(data, span.note, span.checkpoint)
    record, index = parse_record(receipt.record), receipt.entry.n
    if record["kind"] == CONTINUED:
        told = f"{span.checkpoint.origin} continues another log in entry {index}"
        require_continued(f"{told}; the trust file says otherwise", holds=number > 0 and index == 0)
    return Logged(
        n=span.base + index,
        position=(number, index),
        proof=data,
        h=receipt.entry.h.hex(),
        kind=record["kind"],
        procedure=record["procedure"],
        at=record["at"],
        body=record["body"],
    )
