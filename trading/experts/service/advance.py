"""What becomes due in a draw: policy, pool, seal, recovery, seed (ED1 D2, D7, D8). The walk is the contact service's.

Running it twice does nothing the second time: the draw row is locked and the recorded state decides. Nothing here can
be repeated with another outcome, because every step is a function of what was recorded before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.queries import entry_by_h, on_hold
from trading.audit.rules.bounds import FLOOR_MS, SECOND_MS, witnessed_time
from trading.audit.runtime import Runtime
from trading.audit.service import known_policy, reader, verified_of_any
from trading.documents import store as documents
from trading.experts import queries, store
from trading.experts.model import Attempt, NotYet, draw_event
from trading.experts.queries import DrawRow
from trading.experts.rules.finals import make_seed
from trading.experts.rules.results import (
    STOPPED,
    make_cancel,
)
from trading.experts.rules.reveals import RECOVERY_MS
from trading.experts.rules.seal import Standing, make_seal
from trading.experts.rules.spec import Spec
from trading.experts.service.attempts import dealt_bad, holds, outcomes_of, spec_of
from trading.experts.service.custodians import (
    ask_recoveries,
    attempt_of,
    checks_of,
    listed_contributions,
    policy_of,
)
from trading.experts.service.open_seats import PREPARED, SPEC, falls_short, prepare_anew, require_walks_ended
from trading.experts.service.papers import begin_attempt
from trading.experts.service.preparing import draft_policy, prepare
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument

_CLOCK: Final = Actor.system("worker")
_AGAIN_MS: Final = 1_000
#: A refusal that only time, another answer or a person removes; the errand then waits to be woken.
_WAITING: Final = frozenset({"draw.unchecked", "draw.escrow_unchecked", "draw.too_few"})


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Do the next step of a draw if it is due; return when to look again (ms), or None if something else will wake it.

    Raises:
        RuleBroken: What a person must resolve; the errand keeps the reason.
    """
    name = str(arg["draw"])
    with runtime.ledger.begin(_CLOCK) as uow:
        try:
            row = store.lock_draw(uow, name)
        except NotFound:
            _offer_policy(uow, name, demo=runtime.demo)
            return None
        if on_hold(uow.connection):
            return uow.at + _AGAIN_MS  # TE1 T3: no window is ended while the clock is on hold
        match row.state:
            case "policy_fixed":
                return _prepare(uow, row)
            case "specified":
                return _seal(uow, row)
            case "sealed":
                return _settle(runtime, uow, row)
            case _:
                return None


def _offer_policy(uow: UnitOfWork, name: str, *, demo: bool) -> None:
    committee = queries.committee_of_draw(uow.connection, name)
    drafted = draft_policy(uow.connection, committee, demo=demo)
    if drafted is not None:
        store.add_paper(uow.connection, name, 1, "ed1.policy", drafted, uow.at)


def _prepare(uow: UnitOfWork, row: DrawRow) -> int | None:
    """Compute pool and spec once; a person who changes the register or the plan asks for it again."""
    papers = queries.papers(uow.connection, row.draw)
    if any(paper.typ in PREPARED and paper.attempt == row.attempt for paper in papers):
        return None
    store.lock_register(uow)
    try:
        prepare(uow, row)
    except NotYet:
        return uow.at + _AGAIN_MS
    return None


def _seal(uow: UnitOfWork, row: DrawRow) -> int | None:
    spec = spec_of(uow.connection, row)
    try:
        seal = make_seal(
            spec,
            _standings(uow.connection, row, spec),
            escrows_lacking=_escrows_lacking(uow.connection, row),
            specified_at=row.specified_at or 0,
            at=uow.at,
        )
    except RuleBroken as refused:
        if refused.code == "draw.seal_early":
            ends_at: int = (row.specified_at or 0) + spec.commit_ms
            return ends_at
        if refused.code in _WAITING:
            return _end_of_commit(uow, row, spec)
        raise
    if len(queries.answers(uow.connection, row.draw, row.attempt, "escrow")) < 2:  # noqa: PLR2004 - K_draw and K_x
        return None
    recorded = uow.record(draw_event("sealed", attempt_of(row), **seal.to_json()))
    store.move_draw(uow, recorded, row, state="sealed", sealed_h=recorded.h, sealed_at=uow.at)
    return uow.at + _AGAIN_MS


def _end_of_commit(uow: UnitOfWork, row: DrawRow, spec: Spec) -> int | None:
    """Look again when the commit phase may end; after that only an answer, a waiver or a cancellation helps."""
    ends_at: int = (row.specified_at or 0) + spec.commit_ms
    return ends_at if ends_at > uow.at else None


def _escrows_lacking(conn: Connection, row: DrawRow) -> list[int]:
    checks, policy = checks_of(conn, row), policy_of(conn, row)
    found = queries.answers(conn, row.draw, row.attempt, "escrow")
    return sorted({i for each in found for i in checks.lacking(each.sha256, policy)})


def _standings(conn: Connection, row: DrawRow, spec: Spec) -> list[Standing]:
    checks, policy, listed = checks_of(conn, row), policy_of(conn, row), listed_contributions(conn, row)
    bad = dealt_bad(conn, row)
    standings = []
    for party in spec.parties:
        found = listed.get(party.id)
        if found is None:
            standings.append(Standing(party=party.id))
            continue
        standings.append(
            Standing(
                party=party.id,
                contribution_sha256=found[0],
                dealt_bad=found[0] in bad,
                lacking=checks.lacking(found[0], policy),
            )
        )
    return standings


def witnessed_at(runtime: Runtime, conn: Connection, sealed_h: str) -> int | None:
    """Return T_up (ms) of the first witnessed checkpoint with the seal (TE1 T7); None before a quorum has signed."""
    entry = entry_by_h(conn, bytes.fromhex(sealed_h))
    log = reader(runtime.log_dir)
    covering = None if entry is None or entry.position is None else log.covering(entry.position.n)
    if covering is None:
        return None
    policy = known_policy(runtime.witness_policy)
    times = witnessed_time(verified_of_any(runtime, covering[0], policy), policy)
    return None if times is None else SECOND_MS * times.t_up + FLOOR_MS


def _settle(runtime: Runtime, uow: UnitOfWork, row: DrawRow) -> int | None:
    """Seed as soon as every r is known; ask for recoveries when the reveal window is over."""
    conn, sealed_h = uow.connection, row.sealed_h or ""
    witnessed = witnessed_at(runtime, conn, sealed_h)
    if witnessed is None:
        return uow.at + _AGAIN_MS
    spec = spec_of(conn, row)
    outcomes = outcomes_of(conn, row)
    missing = [item.party for item in outcomes if item.r is None]
    withheld = [item.party for item in outcomes if item.withheld]
    ends_at = witnessed + spec.reveal_ms
    if uow.at < ends_at and withheld:
        return ends_at
    if missing:
        ask_recoveries(conn, row, missing)
        return ends_at + RECOVERY_MS if uow.at < ends_at + RECOVERY_MS else None
    try:
        seeded = make_seed(spec, outcomes)
    except RuleBroken as refused:
        if refused.code == "draw.too_few_valid":
            return None  # a person cancels the attempt; nothing else can follow
        raise
    body = {
        "beacon": None,
        "final_sha256": seeded.final.sha256,
        "seed": seeded.seed.hex(),
        "void": list(seeded.void),
    }
    recorded = uow.record(draw_event("seeded", attempt_of(row), **body))
    documents.add(uow, recorded, None, SignedDocument(seeded.final.raw))
    store.move_draw(uow, recorded, row, state="seeded", seed=seeded.seed, seeded_at=uow.at)
    return None


def draft_cancel(ledger: Ledger, actor: Actor, draw: str, reason: str) -> SignedDocument:
    """Put the cancellation of an attempt before centre and supervisor and return it.

    Before the seal with any reason; after it only for causes that anybody can recompute, or because the procedure has
    ended. Everything else would be a re-roll with two signatures (D13).

    Raises:
        NotPermitted: Neither of the centre nor the supervisor.
        RuleBroken: ``draw.reroll``: after the seal without such a cause.
        InvalidInput: The attempt has no spec: nothing is to be cancelled.
    """
    if not actor.roles & {Role.CENTRE, Role.SUPERVISOR}:
        raise NotPermitted("draws are cancelled by centre and supervisor")
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, draw)
        if row.spec_sha256 is None:
            raise InvalidInput("draw.no_spec", "the attempt has no spec yet")
        sealed = row.sealed_h is not None
        cause = sealed and holds(uow.connection, row, reason, uow.at)
        spec = spec_of(uow.connection, row)
        signed = SignedDocument(make_cancel(spec, reason, created=uow.at, sealed=sealed, holds=cause))
        store.drop_papers(uow.connection, row.draw, row.attempt, ("ed1.cancel",))
        store.add_paper(uow.connection, row.draw, row.attempt, "ed1.cancel", signed, uow.at)
    return signed


def next_attempt(ledger: Ledger, actor: Actor, draw: str) -> int:
    """Begin a further attempt and return its number; the policy stays (D1).

    It follows a cancellation, or a result that left seats open: then it draws for those seats alone (D10).

    Raises:
        NotPermitted: Not of the centre.
        RuleBroken: ``draw.not_cancelled``: neither; ``draw.unfinished``: a walk may still fill the seats;
            ``draw.reroll``: the procedure has ended.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("draws are held by the trading centre")
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, draw)
        if row.state != "cancelled" and not falls_short(uow.connection, row):
            raise RuleBroken("draw.not_cancelled", "ED1 D13", state=row.state)
        require_walks_ended(uow.connection, row.tender_id)
        if holds(uow.connection, row, STOPPED, uow.at):
            raise RuleBroken("draw.reroll", "ED1 D13", reason=STOPPED)
        attempt = Attempt(draw=draw, number=row.attempt + 1)
        begin_attempt(uow, attempt, row.tender_id, row.policy_sha256)
    return attempt.number


def prepare_again(ledger: Ledger, actor: Actor, draw: str) -> None:
    """Compute pool and spec anew before the spec is signed, after the register changed or a stratum was too small.

    Raises:
        NotPermitted: Not of the centre.
        RuleBroken: ``draw.specified``: nothing random may be computed again after the first signature.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("draws are held by the trading centre")
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, draw)
        drafts = [paper for paper in queries.papers(uow.connection, draw) if paper.typ == SPEC]
        if row.state != "policy_fixed" or any(paper.signed.sigs for paper in drafts if paper.attempt == row.attempt):
            raise RuleBroken("draw.specified", "ED1 D5")
        prepare_anew(uow, row)
