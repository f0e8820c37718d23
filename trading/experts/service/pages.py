"""What the pages of a draw show: criteria, counts, progress, papers. No name can be among it (security 12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from trading.experts import queries
from trading.experts.queries import (
    CommitteeRow,
    ContestRow,
    DrawRow,
    MemberRow,
    PanelName,
    PaperRow,
    StepRow,
    StratumCount,
)
from trading.experts.rules.plan import Plan
from trading.experts.rules.results import parse_cancel
from trading.experts.rules.spec import Spec
from trading.experts.rules.strata import stratum_title
from trading.experts.service import papers
from trading.experts.service.attempts import outcomes_of, spec_of
from trading.experts.service.committees import plan_and_procedure, request_of
from trading.experts.service.custodians import checks_of, listed_contributions, policy_of
from trading.experts.service.open_seats import SHORTFALL, falls_short, may_widen, open_needs, seated_experts
from trading.experts.service.recomputing import AttemptProof, proofs_of
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role
from trading.parties import queries as parties
from trading.parties.queries import keys_by_kid
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow

#: Fewer eligible experts than this, and the panel could be guessed (ux page 13, C54).
GUESSABLE: Final = 30
_STEPS: Final = ("keys", "policy", "specified", "committed", "sealed", "seeded", "called", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumRow:
    """One stratum: how many stand in it, are excluded, are needed; and what became of its calls."""

    id: str
    title: tuple[str, str]
    need: int
    size: int | None = None
    excluded: int | None = None
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def eligible(self) -> int | None:
        """Return how many may be called; None before the pool is frozen."""
        return None if self.size is None or self.excluded is None else self.size - self.excluded

    @property
    def guessable(self) -> bool:
        """Whether so few are eligible that the panel could be guessed."""
        return self.eligible is not None and self.eligible < GUESSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """A stratum that must be widened before a spec may be signed: how many may be called, how many are needed."""

    id: str
    title: tuple[str, str]
    eligible: int
    need: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRow:
    """One contributor: ``r`` in hex once it is public, ``how`` revealed or recovered."""

    id: str
    name: tuple[str, str]
    commit: str | None
    lacking: tuple[int, ...]
    how: str | None = None
    r: str | None = None
    void: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianRow:
    """One custodian: whether its key is proved, and how many documents it has checked."""

    name: str
    proved: bool
    checked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt, with the reason of its cancellation."""

    number: int
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawPage:
    """Everything of a draw that its pages show. ``procedure`` only for those who may know it.

    ``shortfall`` while the newest attempt waits for a wider plan; ``open_seats`` when a further attempt may follow its
    incomplete result. ``proofs`` on the public page alone, after the disclosure; ``contests``
    without the words of the experts.
    """

    draw: str
    row: DrawRow | None
    committee: CommitteeRow
    plan: Plan
    procedure: ProcedureRow
    spec: Spec | None
    strata: tuple[StratumRow, ...]
    parties: tuple[PartyRow, ...]
    custodians: tuple[CustodianRow, ...]
    pending: tuple[tuple[PaperRow, tuple[str, ...]], ...]
    attempts: tuple[AttemptRow, ...]
    members: tuple[MemberRow, ...]
    trail: tuple[StepRow, ...]
    names: tuple[PanelName, ...] = ()
    shortfall: tuple[Short, ...] = ()
    open_seats: int = 0
    contests: tuple[ContestRow, ...] = ()
    proofs: tuple[AttemptProof, ...] = ()

    @property
    def done(self) -> frozenset[str]:
        """Return the steps of D2 that are complete."""
        found = set()
        if self.custodians and all(custodian.proved for custodian in self.custodians):
            found.add("keys")
        if self.row is not None:
            found.add("policy")
        if self.row is not None and self.row.spec_sha256 is not None:
            found.add("specified")
        if self.row is not None and self.row.sealed_h is not None:
            found |= {"committed", "sealed"}
        if self.row is not None and self.row.seed is not None:
            found.add("seeded")
        if self.row is not None and self.row.result_sha256 is not None:
            found |= {"called", "result"}
        return frozenset(found)

    @property
    def now(self) -> str | None:
        """Return the step that is under way; None when all are complete."""
        return next((step for step in _STEPS if step not in self.done), None)

    @property
    def steps(self) -> tuple[str, ...]:
        """Return all steps in order."""
        return _STEPS


def draw_page(conn: Connection, actor: Actor, draw: str) -> DrawPage:
    """Return the page of a draw for staff of the centre or the supervisor of its procedure.

    Raises:
        NotFound: None, or it is another supervisor's.
    """
    page = _page(conn, draw)
    if Role.CENTRE in actor.roles or actor.organisation == page.procedure.supervisor_code:
        return page
    raise NotFound(draw)


def _page(conn: Connection, draw: str) -> DrawPage:
    committee = queries.committee_of_draw(conn, draw)
    plan, procedure = plan_and_procedure(conn, committee)
    rows = [row for row in queries.draws_of(conn, procedure.id) if row.draw == draw]
    row = rows[-1] if rows else None
    spec = spec_of(conn, row) if row is not None and row.spec_sha256 is not None else None
    trail = tuple(queries.steps(conn, draw, row.attempt)) if row is not None else ()
    return DrawPage(
        draw=draw,
        row=row,
        committee=committee,
        plan=plan,
        procedure=procedure,
        spec=spec,
        strata=_strata(plan, spec, trail),
        parties=_parties(conn, row, spec),
        custodians=_custodians(conn, committee, row),
        pending=tuple(papers.pending(conn, draw)),
        attempts=tuple(_attempt(conn, each) for each in rows),
        members=tuple(queries.members(conn, procedure.id)),
        trail=trail,
        names=tuple(queries.panel_of(conn, procedure.id)),
        shortfall=shortfall_of(conn, row),
        open_seats=_open_seats(conn, row, plan),
        contests=tuple(replace(each, statement="") for each in queries.contests(conn, draw)),
    )


def shortfall_of(conn: Connection, row: DrawRow | None) -> tuple[Short, ...]:
    """Return the strata for which an attempt cannot be prepared as planned; empty if there are none."""
    if row is None:
        return ()
    drafts = [each for each in queries.papers(conn, row.draw) if each.typ == SHORTFALL and each.attempt == row.attempt]
    rows = loads_object(drafts[-1].doc)["strata"] if drafts else []
    return tuple(
        Short(id=item["id"], title=stratum_title(item["id"]), eligible=item["eligible"], need=item["need"])
        for item in rows
    )


def _open_seats(conn: Connection, row: DrawRow | None, plan: Plan) -> int:
    if row is None or not falls_short(conn, row):
        return 0
    return sum(open_needs(plan, seated_experts(conn, row.tender_id)).values())


def _strata(plan: Plan, spec: Spec | None, trail: tuple[StepRow, ...]) -> tuple[StratumRow, ...]:
    rows = []
    for item in plan.strata:
        placed = None if spec is None else spec.stratum(item.id)
        told = [] if spec is None else [each.count for each in spec.excluded if each.id == item.id]
        last = {each.index: each.state for each in trail if each.stratum == item.id}
        states: dict[str, int] = {}
        for state in last.values():
            states[state] = states.get(state, 0) + 1
        rows.append(
            StratumRow(
                id=item.id,
                title=stratum_title(item.id),
                need=item.need,
                size=None if placed is None else placed.b - placed.a,
                excluded=told[0] if told else None,
                states=states,
            )
        )
    return tuple(rows)


def _parties(conn: Connection, row: DrawRow | None, spec: Spec | None) -> tuple[PartyRow, ...]:
    if row is None or spec is None:
        return ()
    keys = keys_by_kid(conn, [party.kid for party in spec.parties])
    names = parties.organisations(conn, tuple(key.org_code for key in keys.values()))
    listed, checks, policy = listed_contributions(conn, row), checks_of(conn, row), policy_of(conn, row)
    outcomes = {each.party: each for each in outcomes_of(conn, row)} if row.sealed_h is not None else {}
    rows = []
    for party in spec.parties:
        known = names.get(keys[party.kid].org_code)
        given, outcome = listed.get(party.id), outcomes.get(party.id)
        opened = outcome is not None and outcome.r is not None
        rows.append(
            PartyRow(
                id=party.id,
                name=(party.id, party.id) if known is None else (known.name_zh, known.name_en),
                commit=None if given is None else given[0],
                lacking=() if given is None else checks.lacking(given[0], policy),
                how=None if outcome is None or not opened else "recovered" if outcome.withheld else "revealed",
                r=outcome.r.hex() if outcome is not None and outcome.r is not None else None,
                void=outcome is not None and opened and not outcome.valid,
            )
        )
    return tuple(rows)


def _custodians(conn: Connection, committee: CommitteeRow, row: DrawRow | None) -> tuple[CustodianRow, ...]:
    request = request_of(conn, committee)
    keys = {key.kid: key for key in queries.share_keys(conn, request.draw)}
    registered = keys_by_kid(conn, request.custodians)
    names = parties.organisations(conn, tuple(key.org_code for key in registered.values()))
    indices = {} if row is None else {each.kid: each.i for each in policy_of(conn, row).custodians}
    codes = {} if row is None else checks_of(conn, row).codes
    rows = []
    for kid in request.custodians:
        known = names.get(registered[kid].org_code) if kid in registered else None
        rows.append(
            CustodianRow(
                name=keys[kid].name if kid in keys else known.name_zh if known is not None else kid[:12],
                proved=kid in keys and keys[kid].state == "proved",
                checked=len(codes.get(indices.get(kid, 0), {})),
            )
        )
    return tuple(rows)


def _attempt(conn: Connection, row: DrawRow) -> AttemptRow:
    found = queries.answers(conn, row.draw, row.attempt, "cancel")
    reason = None if not found else parse_cancel(queries.signed_document(conn, found[-1].sha256).doc).reason
    return AttemptRow(number=row.attempt, state=row.state, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One line of the list: a committee with its procedure and draw."""

    committee: CommitteeRow
    procedure: ProcedureRow
    plan: Plan
    papers: int


def index(conn: Connection, actor: Actor) -> list[Waiting]:
    """Return the committees that the centre draws or the supervisor supervises, those that are not drawn yet first."""
    found = []
    for row in queries.committees(conn):
        plan, procedure = plan_and_procedure(conn, row)
        if Role.CENTRE not in actor.roles and actor.organisation != procedure.supervisor_code:
            continue
        waiting = 0 if row.draw is None else len(papers.pending(conn, row.draw))
        found.append(Waiting(committee=row, procedure=procedure, plan=plan, papers=waiting))
    return sorted(found, key=lambda each: (each.committee.state in {"drawn", "seated"}, each.plan.evaluation_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPage:
    """What the agency sees of its committee: its own plan, sizes of strata, and states of seats without any person.

    ``shortfall`` and ``open_seats`` say why the plan must be widened; ``may_widen`` says whether it can be now.
    """

    procedure: ProcedureRow
    committee: CommitteeRow | None
    plan: Plan | None
    members: tuple[MemberRow, ...]
    counts: tuple[StratumCount, ...]
    may_widen: bool = False
    shortfall: tuple[Short, ...] = ()
    open_seats: int = 0


def plan_page(conn: Connection, actor: Actor, reference: str) -> PlanPage:
    """Return the agency's page.

    Raises:
        NotFound: Another agency's procedure.
    """
    procedure = procedures.find(conn, reference)
    if actor.organisation not in {procedure.agency_code, procedure.buyer_code}:
        raise NotFound(reference)
    committee = queries.committee_row(conn, procedure.id)
    if committee is None:
        return PlanPage(procedure=procedure, committee=None, plan=None, members=(), counts=tuple(queries.counts(conn)))
    plan = queries.plan_of(conn, committee)
    rows = [row for row in queries.draws_of(conn, procedure.id) if row.draw == committee.draw]
    newest = max(rows, key=lambda row: row.attempt, default=None)
    return PlanPage(
        procedure=procedure,
        committee=committee,
        plan=plan,
        members=tuple(queries.members(conn, procedure.id)),
        counts=tuple(queries.counts(conn)),
        may_widen=may_widen(conn, committee),
        shortfall=shortfall_of(conn, newest),
        open_seats=_open_seats(conn, newest, plan),
    )


def public_page(conn: Connection, reference: str) -> DrawPage | None:
    """Return the proof page of a procedure's draw after its disclosure; None before, whatever has happened (D5)."""
    procedure = procedures.find(conn, reference)
    if procedure.published_at is None:
        raise NotFound(reference)
    disclosed = [row for row in queries.draws_of(conn, procedure.id) if row.state == "disclosed"]
    if not disclosed:
        return None
    draw = disclosed[-1].draw
    rows = [row for row in disclosed if row.draw == draw]
    return replace(_page(conn, draw), proofs=proofs_of(conn, rows))


def sealed_draws(conn: Connection) -> list[DrawRow]:
    """Return the draws whose seal is public: indices only, and no word of which procedure they serve (D11)."""
    return queries.draws_in(conn, "sealed", "seeded", "resulted", "disclosed")


def anonymous_page(conn: Connection, draw: str) -> DrawPage:
    """Return the public, index-only view of a sealed draw.

    Raises:
        NotFound: There is none, or it is not sealed.
    """
    row = queries.find_draw(conn, draw)
    if row.sealed_h is None:
        raise NotFound(draw)
    return _page(conn, draw)
