"""From a job to its answer: which function answers which kind, which kinds need a person, the rate limit (S13.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.custodian import words
from agents.custodian.admission import admit, make_key, place_of, prove
from agents.custodian.agent import Agent
from agents.custodian.checking import check
from agents.custodian.draw_answers import recover_draw, release_draw_key
from agents.custodian.draws import admit_draw, check_draw, make_draw_key
from agents.custodian.releasing import release
from agents.custodian.statements import rehearse, state_non_release
from trading.custody.rules.jobs import Job, JobKind
from trading.kernel.errors import InvalidInput, RuleBroken

_MINUTE_MS: Final = 60_000
#: Kinds that a person answers unless the institution has decided otherwise for its agent; disclosure always.
PERSONAL: Final = frozenset(
    {
        JobKind.KEY,
        JobKind.RELEASE,
        JobKind.DISCLOSE,
        JobKind.NON_RELEASE,
        JobKind.DRAW_KEY,
        JobKind.DRAW_RECOVER,
        JobKind.DRAW_RELEASE_KEY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic:
    """Which personal kinds this agent answers by itself."""

    key: bool = False
    release: bool = False

    def answers(self, kind: JobKind) -> bool:
        """Return whether a job of the kind is answered without a person."""
        by_choice = {
            JobKind.KEY: self.key,
            JobKind.RELEASE: self.release,
            JobKind.DRAW_KEY: self.key,
            JobKind.DRAW_RECOVER: self.release,
            JobKind.DRAW_RELEASE_KEY: self.release,
        }
        return by_choice.get(kind, kind not in PERSONAL)


def _key(agent: Agent, job: Job, confirm: words.Confirm) -> dict[str, Any]:
    place = place_of(job)
    confirm(words.of_key(place, job.request["title_zh"], job.request["title_en"]))
    return make_key(agent, place).wire()


def _prove(agent: Agent, job: Job, confirm: words.Confirm) -> dict[str, Any]:
    confirm(words.of_proof(place_of(job)))
    return dict(prove(agent, job))


def _draw_key(agent: Agent, job: Job, confirm: words.Confirm) -> dict[str, Any]:
    confirm(words.of_key(place_of(job), "评标专家抽取", "draw of evaluation experts"))
    return make_draw_key(agent, job.request["draw"]).wire()


_ANSWERS: Final[Mapping[JobKind, Callable[[Agent, Job, words.Confirm], dict[str, Any]]]] = {
    JobKind.KEY: _key,
    JobKind.PROVE: _prove,
    JobKind.ADMIT: lambda agent, job, _confirm: dict(admit(agent, job)),
    JobKind.CHECK: lambda agent, job, confirm: check(agent, job, confirm).wire(),
    JobKind.RELEASE: lambda agent, job, confirm: release(agent, job, confirm).wire(),
    JobKind.REHEARSE: lambda agent, job, _confirm: rehearse(agent, job),
    JobKind.NON_RELEASE: lambda agent, job, confirm: state_non_release(agent, job, confirm).wire(),
    JobKind.DRAW_KEY: _draw_key,
    JobKind.DRAW_PROVE: _prove,
    JobKind.DRAW_ADMIT: lambda agent, job, _confirm: dict(admit_draw(agent, job)),
    JobKind.DRAW_CHECK: lambda agent, job, confirm: check_draw(agent, job, confirm).wire(),
    JobKind.DRAW_RECOVER: lambda agent, job, confirm: dict(recover_draw(agent, job, confirm)),
    JobKind.DRAW_RELEASE_KEY: lambda agent, job, confirm: release_draw_key(agent, job, confirm).wire(),
}


def answer(agent: Agent, job: Job, confirm: words.Confirm) -> dict[str, Any]:
    """Return the answer to a job in the form that is posted (docs/custodian-jobs.md).

    Raises:
        RuleBroken: Refused; ``busy`` above the rate limit. Equivocation is also written to the journal.
        InvalidInput: The job or a document in it is not as it must be; ``job.other_kind`` for a disclosure, which goes
            to the auditor and needs a recipient.
    """
    act = _ANSWERS.get(job.kind)
    if act is None:
        raise InvalidInput("job.other_kind", f"a {job.kind} is not answered in this way")
    at = agent.clock.now_ms()
    if not agent.state.take_turn(at, limit=agent.jobs_per_minute, window_ms=_MINUTE_MS):
        raise RuleBroken("busy", "SB1 S13.4", limit=agent.jobs_per_minute)
    try:
        return act(agent, job, confirm)
    except (RuleBroken, InvalidInput) as refused:
        agent.journal.write(at, "job.refused", kind=job.kind.value, place=str(place_of(job)), code=refused.code)
        raise
