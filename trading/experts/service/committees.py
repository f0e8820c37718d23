"""The plan of a committee, the beginning of its draw, its representatives and its formation (EXP-01 to 06, 11)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, any_, literal, select

from trading.accounts import queries as accounts
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.keys import hpke_seal
from trading.custody import store as jobs
from trading.documents import store as documents
from trading.experts import model, queries, store
from trading.experts.queries import Committee, CommitteeRow, DrawRow, MemberRow
from trading.experts.queries.committees import evaluation_ended
from trading.experts.rules.composition import Numbers, require_composition, require_draw_time
from trading.experts.rules.identity import Identity, identity_info
from trading.experts.rules.plan import Plan, parse_plan, write_plan
from trading.experts.rules.request import DrawRequest, parse_request, write_request
from trading.experts.rules.requirements import Basis
from trading.experts.rules.results import Result
from trading.experts.rules.strata import counted, require_known
from trading.experts.service import open_seats
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.parties.tables import organisation, signing_key
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as procedure_store
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.catalogue import kind_of
from trading.procedures.rules.spec import parse_spec
from trading.rulebook.keys import Regime
from trading.rulebook.model import Edition

KEY_JOB: Final = "draw-key"
LEAST_TIMES: Final = 2  # a number of the rules, not of the law: a stratum holds this many times its need, or more (D5)
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Who takes part in a draw, by kid, where it differs from what is usual.

    Custodians are those of the procedure's first opening policy; parties are the contributor keys of the centre, the
    agency, the supervisor and the custodians that have one; the threshold is a majority.
    """

    custodians: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    k: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Lengths of time of a draw, ms (ED1 D5)."""

    call_ms: int = 30 * _MINUTE_MS
    commit_ms: int = 10 * _MINUTE_MS
    reveal_ms: int = 5 * _MINUTE_MS


def budget_of(row: ProcedureRow) -> int | None:
    """Return the budget of the whole procedure in minor units, a lot's ceiling where it names no budget (DOC-09)."""
    amounts = [lot.budget if lot.budget is not None else lot.ceiling for lot in parse_spec(loads_object(row.spec)).lots]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def basis_of(row: ProcedureRow, plan: Plan | Committee, edition: Edition) -> Basis:
    """Return by what the committee of a procedure is measured: its kind and budget, and what its plan declares."""
    return Basis(
        regime=Regime(row.regime),
        body=kind_of(row.kind, edition).panel,
        budget=budget_of(row),
        large=plan.large,
        traits=plan.traits,
        remote=plan.remote,
    )


def plan_committee(ledger: Ledger, actor: Actor, reference: str, body: Mapping[str, Any]) -> Recorded:
    """Record the agency's plan of a committee; until the draw begins another plan replaces it.

    Afterwards it may only widen the strata of seats that no spec can fill as it stands (D5).

    Args:
        ledger: Where to record.
        actor: A person of the buyer or its agency.
        reference: The procedure.
        body: Fields of ``mb.committee-plan`` but ``created`` and ``tender``.

    Raises:
        NotPermitted: The procedure is another agency's.
        RuleBroken: As ``require_composition``; ``committee.specialty``: not in the tree in force; once the draw has
            begun ``committee.drawing``,
            ``committee.only_widened`` or ``draw.pool_small``.
        InvalidInput: A field is malformed.
    """
    with ledger.begin(actor) as uow:
        row = procedure_store.lock_for_share(uow, reference)
        require_own(actor, row)
        raw = write_plan({**body, "created": uow.at, "tender": reference})
        plan = parse_plan(raw)
        require_known(queries.specialties(uow.connection), {item.id for item in plan.strata})
        edition = procedures.edition_of(uow.connection, row, uow.at)
        require_composition(Numbers(plan.size, plan.experts, plan.legal), edition, basis_of(row, plan, edition))
        attempt = open_seats.lock_newest(uow, queries.committee_row(uow.connection, row.id))
        known = store.lock_committee(uow, row.id)
        if known is not None and known.state != "planned":
            open_seats.require_widened(uow.connection, known, plan)
            _require_pool(uow.connection, plan, open_seats.seated_experts(uow.connection, row.id))
        signed = SignedDocument(raw)
        recorded = uow.record(model.committee_event("committee.planned", reference, row.id, plan_sha256=signed.sha256))
        documents.add(uow, recorded, row.id, signed)
        if known is None:
            store.add_committee(uow, recorded, row.id, signed.sha256)
        else:
            store.move_committee(uow, recorded, known, plan_sha256=bytes.fromhex(signed.sha256))
        if attempt is not None and attempt.state == "policy_fixed":
            open_seats.prepare_anew(uow, attempt)
    return recorded


def require_own(actor: Actor, row: ProcedureRow) -> None:
    """Refuse whoever is neither of the buyer nor of its agency.

    Raises:
        NotPermitted: So.
    """
    if not actor.roles & {Role.AGENCY, Role.REVIEWER} or actor.organisation not in {row.agency_code, row.buyer_code}:
        raise NotPermitted(f"{row.reference} is another agency's")


def begin_draw(
    ledger: Ledger,
    actor: Actor,
    reference: str,
    *,
    windows: Windows | None = None,
    holders: Holders | None = None,
) -> str:
    """Begin the draw of a planned committee: choose who takes part and ask the custodians for their keys.

    Args:
        ledger: Where to record.
        actor: Staff of the trading centre.
        reference: The procedure.
        windows: Lengths of time.
        holders: Who takes part, if others than usual.

    Returns:
        The name of the draw.

    Raises:
        NotPermitted: Not staff of the centre.
        RuleBroken: ``committee.not_planned``, ``committee.drawing``, ``committee.draw_early``,
            ``committee.draw_late``, ``draw.too_few_parties``, ``draw.pool_small``.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("draws are held by the trading centre")
    with ledger.begin(actor) as uow:
        row = procedure_store.lock_for_share(uow, reference)
        known = _planned(uow, row)
        plan = queries.plan_of(uow.connection, known)
        edition, calendar = procedures.edition_of(uow.connection, row, uow.at), procedures.work_calendar(uow.connection)
        require_draw_time(uow.at, plan.evaluation_at, edition, basis_of(row, plan, edition), calendar)
        _require_pool(uow.connection, plan)
        signed = _request(uow, row, windows or Windows(), _usual(uow.connection, row, holders or Holders()))
        request = parse_request(signed.doc)
        recorded = uow.record(
            model.committee_event(
                "committee.drawing", reference, row.id, draw=request.draw, request_sha256=signed.sha256
            )
        )
        documents.add(uow, recorded, row.id, signed)
        store.move_committee(uow, recorded, known, state="drawing", draw=request.draw)
        for kid in request.custodians:
            ask(uow.connection, kid, KEY_JOB, request.draw, 0, {})
    return request.draw


def _require_pool(conn: Connection, plan: Plan, seated: tuple[MemberRow, ...] = ()) -> None:
    """Refuse a draw that could not be specified even if nobody were excluded: the plan can still be changed now."""
    needs = open_seats.open_needs(plan, seated)
    active = counted({count.stratum: count.active for count in queries.counts(conn)}, needs)
    for stratum, need in needs.items():
        eligible = active[stratum]
        if eligible < LEAST_TIMES * need:
            raise RuleBroken("draw.pool_small", "ED1 D5", stratum=stratum, eligible=eligible, need=need)


def _usual(conn: Connection, row: ProcedureRow, named: Holders) -> Holders:
    """Fill in who is not named."""
    custodians = named.custodians or _custodians(conn, row)
    return Holders(
        custodians=custodians,
        parties=named.parties or _contributors(conn, row, custodians),
        k=named.k or len(custodians) // 2 + 1,
    )


def _request(uow: UnitOfWork, row: ProcedureRow, lengths: Windows, holders: Holders) -> SignedDocument:
    if len(holders.parties) < 3:  # noqa: PLR2004 - "at least 3 different organisations", ED1 D1
        raise RuleBroken("draw.too_few_parties", "ED1 D1", parties=len(holders.parties))
    return SignedDocument(
        write_request(
            {
                "call_ms": lengths.call_ms,
                "commit_ms": lengths.commit_ms,
                "created": uow.at,
                "custodians": sorted(holders.custodians),
                "draw": model.new_draw_id(),
                "k": holders.k,
                "parties": sorted(holders.parties),
                "reveal_ms": lengths.reveal_ms,
                "tender": row.reference,
            }
        )
    )


def _planned(uow: UnitOfWork, row: ProcedureRow) -> CommitteeRow:
    known = store.lock_committee(uow, row.id)
    if known is None:
        raise RuleBroken("committee.not_planned", "EXP-10")
    if known.state != "planned":
        raise RuleBroken("committee.drawing", "EXP-10")
    return known


def ask(conn: Connection, kid: str, kind: str, draw: str, custodian: int, request: Mapping[str, Any]) -> str:
    """Put a job of a draw on the list of one institution; an unanswered equal one is not asked twice."""
    return jobs.add_job(
        conn,
        kid=kid,
        kind=kind,
        procedure_id=0,
        lot=draw,
        stage="draw",
        custodian=custodian,
        request={"draw": draw, **request},
    )


def _custodians(conn: Connection, row: ProcedureRow) -> tuple[str, ...]:
    """Return the institutions that hold the opening keys of the procedure's first lot: they are at hand."""
    for lot in procedure_queries.lots_of(conn, row.id):
        if lot.policy_sha256 is not None:
            policy = loads_object(queries.signed_document(conn, lot.policy_sha256).doc)
            return tuple(each["kid"] for each in policy["custodians"])
    raise RuleBroken("committee.no_custodians", "ED1 D1")


def _contributors(conn: Connection, row: ProcedureRow, holders: tuple[str, ...]) -> tuple[str, ...]:
    """Return one active contributor key for each of the organisations that may contribute (D1)."""
    near = select(signing_key.c.org_code).where(signing_key.c.kid.in_(holders))
    query = (
        select(signing_key.c.org_code, signing_key.c.kid, organisation.c.roles)
        .join(organisation, organisation.c.code == signing_key.c.org_code)
        .where(signing_key.c.role == "contributor", signing_key.c.status == "active")
        .where(
            signing_key.c.org_code.in_([row.agency_code, row.supervisor_code])
            | signing_key.c.org_code.in_(near)
            | (literal("centre") == any_(organisation.c.roles))
        )
        .order_by(signing_key.c.entry_id)
    )
    newest = {each.org_code: each.kid for each in conn.execute(query)}
    return tuple(newest.values())


def request_of(conn: Connection, committee: CommitteeRow) -> DrawRequest:
    """Return the centre's request of the committee's draw.

    Raises:
        NotFound: No draw has begun.
    """
    for stored in queries.documents_of_type(conn, committee.procedure_id, "mb.draw-request"):
        request = parse_request(stored)
        if request.draw == committee.draw:
            return request
    raise NotFound("draw request")


def plan_and_procedure(conn: Connection, committee: CommitteeRow) -> tuple[Plan, ProcedureRow]:
    """Return plan and procedure of a committee."""
    plan = queries.plan_of(conn, committee)
    return plan, procedure_queries.find(conn, plan.tender)


def appoint_representative(ledger: Ledger, actor: Actor, reference: str, account: Actor, who: Identity) -> str:
    """Give one of the buyer's seats to an account of the buyer and return the seat.

    Args:
        ledger: Where to record.
        actor: A person of the buyer or its agency.
        reference: The procedure.
        account: The representative; staff of the agency never sit (EXP-06).
        who: The representative's name, sealed until the result.

    Raises:
        RuleBroken: ``committee.not_buyer_staff`` and ``committee.own_seat`` (EXP-06), ``committee.seats_taken``,
            ``committee.not_planned``; ``seat.evaluated``: the committee has finished.
        Conflict: The account has a seat already.
    """
    with ledger.begin(actor) as uow:
        row = procedure_store.lock_for_share(uow, reference)
        require_own(actor, row)
        known = store.lock_committee(uow, row.id)
        if known is None:
            raise RuleBroken("committee.not_planned", "EXP-10")
        _require_buyers_other_person(uow, row, account)
        if evaluation_ended(uow.connection, row.id):
            raise RuleBroken("seat.evaluated", "EXP-17")
        taken = [each for each in queries.members(uow.connection, row.id) if each.kind == "representative"]
        if (
            len([each for each in taken if each.state in {"expected", "present"}])
            >= queries.plan_of(uow.connection, known).representatives
        ):
            raise RuleBroken("committee.seats_taken", "EXP-03")
        if queries.seat_of(uow.connection, row.id, account) is not None:
            raise Conflict("the account has a seat in this committee")
        seat = model.new_seat()
        sealed = hpke_seal(
            queries.contact_public(uow.connection), identity_info(model.representative_number(seat)), who.encode()
        )
        _appoint(uow, row, model.Holder(seat=seat, account=account.account, salt=secrets.token_bytes(32)))
        kept = {model.representative_number(seat): sealed}
        store.add_identities(uow, uow.record(model.identities_kept(kept)), kept)
    return seat


def _appoint(uow: UnitOfWork, row: ProcedureRow, holder: model.Holder) -> None:
    body = {"holder_commit": holder.commit, "seat": holder.seat}
    recorded = uow.record(model.committee_event("committee.appointed", row.reference, row.id, **body))
    store.add_member(uow, recorded, row.id, seat=holder.seat, kind="representative", stratum=None, state="expected")
    store.add_holder(uow, recorded, row.id, holder)


def _require_buyers_other_person(uow: UnitOfWork, row: ProcedureRow, account: Actor) -> None:
    """Staff of the buyer sit, whatever other accounts they have; nobody gives a seat to himself (EXP-06, 87-45)."""
    own = accounts.accounts_of_person(uow.connection, account.account)
    of_agency = row.agency_code != row.buyer_code and row.agency_code in own.values()
    if account.organisation != row.buyer_code or of_agency:
        raise RuleBroken("committee.not_buyer_staff", "EXP-06", organisation=account.organisation)
    if uow.actor.account in {account.account, *own}:
        raise RuleBroken("committee.own_seat", "EXP-06")


def form(uow: UnitOfWork, row: DrawRow, result: Result, committee: CommitteeRow) -> None:
    """Seat those whom a result names; seats of earlier results and attempts stay. The committee is locked."""
    plan, procedure = plan_and_procedure(uow.connection, committee)
    known = {(each.attempt, each.index) for each in queries.members(uow.connection, row.tender_id)}
    seated = len(open_seats.seated_experts(uow.connection, row.tender_id))
    seats = {call.index: call.seat for call in queries.calls(uow.connection, row.draw, row.attempt)}
    fresh = [seat for seat in result.selected if (row.attempt, seat.index) not in known]
    listed = [{"index": seat.index, "seat": seats[seat.index], "stratum": seat.stratum} for seat in fresh]
    event = model.committee_event(
        "committee.formed",
        procedure.reference,
        row.tender_id,
        attempt=row.attempt,
        draw=row.draw,
        seats=sorted(listed, key=lambda item: str(item["seat"])),
        state="drawn" if seated + len(fresh) >= plan.experts else "drawing",
    )
    recorded = uow.record(event)
    for seat in fresh:
        store.add_member(
            uow,
            recorded,
            row.tender_id,
            seat=seats[seat.index],
            kind="expert",
            stratum=seat.stratum,
            state="expected",
            attempt=row.attempt,
            index_no=seat.index,
        )
    store.move_committee(uow, recorded, committee, state=event.body["state"])
