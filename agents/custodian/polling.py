"""``serve``: fetch jobs over HTTPS, answer those that need no person, post answers (SB1 S13.3).

Every round may run twice and may stop anywhere: answers are stored before they are posted, and posting one again
changes nothing. A job that was refused stays open and is tried again, since most refusals say "not yet".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from agents.custodian import desk, people
from agents.custodian.agent import Agent
from agents.custodian.evidence import seen_place
from agents.custodian.statements import kept_factors
from agents.http import Answer, Refused, Unreachable, call
from agents.polls import authorization
from agents.words import words
from trading.crypto.files import write_secret
from trading.custody.rules.jobs import MAX_PACKED, JobKind, read_job
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken

RETRY_MS: Final = 10_000
SOON_MS: Final = 1_000
REFRESH_MS: Final = 60_000  # of a job that waits for a person
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_MAX_LIST: Final = 1024 * 1024
_UNTOLD: Final = frozenset({"busy", people.MISSING})  # the platform neither asks nor hears who approves (ADR 0056)
_NOT_NOW: Final = frozenset({409, 425, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Memory:
    """What a running ``serve`` remembers between rounds; a restart loses nothing but politeness."""

    retry_at: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    forwarded: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An agent that polls one platform. ``say`` prints for the people of the institution."""

    agent: Agent
    base: str
    automatic: desk.Automatic
    say: Callable[[str], None]
    memory: Memory = field(default_factory=Memory)

    def round(self) -> None:
        """Ask once for jobs, answer them in order, post what people put into the outbox, forward factors.

        Raises:
            Unreachable: The platform does not answer.
            Refused: It does not accept this agent's polls.
        """
        listed = self._get("/custodian/v1/jobs?after=0", _MAX_LIST).json()
        for item in _jobs(listed):
            if item[0] not in self.memory.done and self._is_due(item[0]):
                self._job(*item)
        self._outbox()
        self._factors()

    def _is_due(self, job_id: str) -> bool:
        return self.agent.clock.now_ms() >= self.memory.retry_at.get(job_id, 0)

    def _job(self, job_id: str, kind: JobKind) -> None:
        try:
            if self.automatic.answers(kind):
                self._answer(job_id, kind)
            else:
                self._leave_to_person(job_id, kind)
        except (RuleBroken, InvalidInput) as refused:
            self._refuse(job_id, refused)
            if refused.code == people.MISSING:  # it is answered by itself once they have approved
                self._keep(job_id)
        except Conflict:
            self.memory.retry_at[job_id] = self.agent.clock.now_ms() + SOON_MS
        except Refused as refused:
            self._not_taken(job_id, kind, refused)

    def _answer(self, job_id: str, kind: JobKind) -> None:
        answered = desk.answer(self.agent, read_job(self._fetch(job_id)), self.say)
        try:
            self._post("/custodian/v1/answers", {"answer": answered, "job": job_id})
        except Refused as refused:
            # It has another answer to this job; what this agent stored is what counts.
            if refused.status != HTTPStatus.CONFLICT:
                raise
        self.memory.done.add(job_id)
        self.say(words(f"{kind} {job_id} 已答复", f"{kind} {job_id} answered"))

    def _not_taken(self, job_id: str, kind: JobKind, refused: Refused) -> None:
        """The platform withholds the job until the log is witnessed (409), or does not take the answer."""
        if refused.status in _NOT_NOW:
            self.memory.retry_at[job_id] = self.agent.clock.now_ms() + SOON_MS
            return
        self.memory.done.add(job_id)
        self.say(words(f"{kind} {job_id} 平台未接受：{refused}", f"{kind} {job_id} not taken: {refused}"))

    def _fetch(self, job_id: str) -> bytes:
        return self._get(f"/custodian/v1/jobs/{job_id}?seen={seen_place(self.agent)}", MAX_PACKED).body

    def _refuse(self, job_id: str, refused: RuleBroken | InvalidInput) -> None:
        self.memory.retry_at[job_id] = self.agent.clock.now_ms() + RETRY_MS
        if self.memory.refused.get(job_id) == refused.code:
            return
        self.memory.refused[job_id] = refused.code
        detail = str(refused.facts.get("detail", "")) or getattr(refused, "detail", "")
        self.say(words(f"{job_id} 拒绝：{refused.code} {detail}", f"{job_id} refused: {refused.code} {detail}"))
        if refused.code not in _UNTOLD:
            self._post(
                "/custodian/v1/answers", {"job": job_id, "refusal": {"code": refused.code, "detail": detail[:2000]}}
            )

    def _leave_to_person(self, job_id: str, kind: JobKind) -> None:
        self._keep(job_id)
        self.memory.retry_at[job_id] = self.agent.clock.now_ms() + REFRESH_MS
        if job_id not in self.memory.waiting:
            self.memory.waiting.add(job_id)
            command = f"mingbiao custodian answer {job_id}"
            self.say(words(f"{kind} 等待经办人：{command}", f"{kind} waits for a person: {command}"))

    def _keep(self, job_id: str) -> None:
        """Put a job where people find it."""
        path = self.agent.directory / "inbox" / f"{job_id}.zip"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # Fetched anew each time: its proofs must start from the last checkpoint seen.
        write_secret(path, self._fetch(job_id), replace=True)

    def _outbox(self) -> None:
        for path in sorted((self.agent.directory / "outbox").glob("*.json")):
            body = json.loads(path.read_bytes())
            try:
                self._post("/custodian/v1/answers", body)
            except Refused as refused:
                if refused.status in _NOT_NOW:
                    continue
                self.say(words(f"{path.stem} 平台未接受：{refused}", f"{path.stem} not taken: {refused}"))
            path.rename(path.with_suffix(".sent"))
            self.memory.done.add(str(body.get("job")))
            self.say(words(f"{path.stem} 已提交", f"{path.stem} posted"))

    def _factors(self) -> None:
        if {name for name, _bid in self.agent.state.factors()} <= self.memory.forwarded:
            return
        for kept in kept_factors(self.agent):
            if kept.factor.sha256 in self.memory.forwarded:
                continue
            body = {"ack": kept.ack.wire(), "factor": b64u(kept.factor.raw)}
            try:
                self._post(f"/api/v1/bids/{quote(kept.factor.bid)}/factor", body)
            except Refused as refused:
                bid = kept.factor.bid
                self.say(words(f"{bid} 的因子未被接受：{refused}", f"The factor of {bid} was not taken: {refused}"))
            self.memory.forwarded.add(kept.factor.sha256)

    def _get(self, path: str, limit: int) -> Answer:
        return call("GET", self.base + path, authorization=self._authorization(), limit=limit)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        call("POST", self.base + path, authorization=self._authorization(), body=body)

    def _authorization(self) -> str:
        return authorization(self.agent.signer, self.agent.trust.origin, self.agent.clock.now_ms())


def _jobs(listed: object) -> list[tuple[str, JobKind]]:
    """Return id and kind of the listed jobs; a kind that this agent does not know is left alone."""
    if not isinstance(listed, dict) or not isinstance(listed.get("jobs"), list):
        raise Unreachable("the list of jobs is malformed")
    jobs: list[tuple[str, JobKind]] = []
    for item in listed["jobs"]:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not _ID.match(item["id"]):
            raise Unreachable("the list of jobs is malformed")
        if item.get("kind") in list(JobKind):
            jobs.append((item["id"], JobKind(item["kind"])))
    return jobs


def put_into_outbox(directory: Path, name: str, body: dict[str, Any]) -> Path:
    """Leave a body for ``serve`` to post; ``name`` is the job's id, or another short name for a statement."""
    box = directory / "outbox"
    box.mkdir(mode=0o700, exist_ok=True)
    path = box / f"{name}.json"
    write_secret(path, json.dumps(body, sort_keys=True, ensure_ascii=False).encode(), replace=True)
    return path
