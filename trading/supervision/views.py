"""The supervisor's pages: lamps, papers to sign, and the log as it grows. Everything read here is read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue as ReturnValue
from sqlalchemy import Connection

from trading.audit.runtime import Runtime
from trading.evaluation import queries as sheets
from trading.evaluation import service as evaluations
from trading.evaluation.forms import RenewalForm
from trading.evaluation.queries import RenewalRow
from trading.experts import queries as experts
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.openings.model import Place
from trading.openings.service import desk as desks
from trading.openings.service.desk import Desk
from trading.supervision import queries, service
from trading.supervision.queries import Scope, Told, Wish
from trading.supervision.rules.lamps import Colour
from trading.supervision.service import Board
from trading.web import streams
from trading.web.desks import Desk as Entry
from trading.web.permissions import allow, current_actor
from trading.web.streams import Shared

blueprint = Blueprint("supervision", __name__, url_prefix="/supervision")

_WATCHERS: Final = (Role.SUPERVISOR, Role.AUDITOR, Role.CENTRE)
STAGE: Final = "all"
_LIVE: Final = 100  # newest records of the live log
_TAG_DIGITS: Final = 16
_LONGEST: Final = 80  # characters of a filter that are read
_BOARDS: Final[Shared[Board]] = Shared()
_LOGS: Final[Shared[list[Told]]] = Shared()


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


def _scope() -> Scope:
    return service.scope_of(current_actor())


def _version(shown: object) -> str:
    return sha256_hex(repr(shown).encode())[:_TAG_DIGITS]


# ------------------------------------------------------------------ lamps


def _board(runtime: Runtime, scope: Scope) -> Board:
    def make() -> Board:
        with runtime.ledger.read() as conn:
            return service.board(conn, scope, runtime.clock.now_ms())

    return _BOARDS.get((id(runtime), scope), make)


def _lamps(board: Board) -> str:
    """Return the version of a board: every lamp and its state, not the instant of looking."""
    return _version([(each.watched.row.reference, each.watched.row.phase, each.lamps) for each in board.procedures])


def _colour() -> Colour | None:
    asked = request.args.get("colour", "")
    return Colour(asked) if asked in set(Colour) else None


@blueprint.get("")
@allow(*_WATCHERS, relation="jurisdiction")
def index() -> str:
    """The procedures of the jurisdiction, those with an overdue act first, and what waits for a signature."""
    board = _board(_runtime(), _scope())
    return render_template(
        "supervision/index.html",
        board=board,
        now=board.now,
        colour=_colour(),
        desks=_waiting(current_actor()),
        others=_others(current_actor()),
        actor=current_actor(),
        version=_lamps(board),
        refresh="refresh" in request.args,
    )


def _waiting(actor: Actor) -> Sequence[Desk]:
    if Role.SUPERVISOR not in actor.roles:
        return ()
    with _runtime().ledger.read() as conn:
        return [desk for desk in desks.desks(conn, actor) if desk.waiting(actor)]


def _others(actor: Actor) -> list[Entry]:
    """Return the other desks of a supervisor: openings, draws, whatever further packages have orders to sign."""
    if Role.SUPERVISOR not in actor.roles:
        return []
    entries = cast("Mapping[Role, Sequence[Entry]]", current_app.extensions["desks"])[Role.SUPERVISOR]
    return [entry for entry in entries if entry.endpoint != "supervision.index"]


@blueprint.get("/state")
@allow(*_WATCHERS, relation="jurisdiction")
def state() -> Response:
    """Return the lamps as they are now, for a page that follows them."""
    board, colour = _board(_runtime(), _scope()), _colour()
    return streams.state(
        _lamps(board),
        _runtime().clock.now_ms(),
        lambda: render_template("supervision/_lamps.html", board=board, colour=colour, now=board.now),
    )


@blueprint.get("/events")
@allow(*_WATCHERS, relation="jurisdiction")
def events() -> Response:
    """Tell a page when a lamp has changed."""
    runtime, scope, version = _runtime(), _scope(), ""

    def look() -> Iterator[str]:
        nonlocal version
        fresh = _lamps(_board(runtime, scope))
        if fresh != version:
            version = fresh
            yield streams.message("state", {"version": version})

    return streams.respond(look, runtime.clock.now_ms)


@blueprint.get("/procedures/<reference>")
@allow(*_WATCHERS, relation="jurisdiction")
def procedure(reference: str) -> str:
    """Every lamp of one procedure with its article, and the records that it was computed from."""
    return _procedure(reference, RenewalForm(formdata=None))


@blueprint.post("/procedures/<reference>/lots/<lot>/void")
@allow(Role.SUPERVISOR, relation="jurisdiction")
def void_sheet(reference: str, lot: str) -> ReturnValue:
    """Make the signature under a score sheet void, as its member has asked (EXP-22)."""
    form = RenewalForm()
    if form.validate_on_submit():
        seat, why = form.seat.data or "", form.why.data or ""
        try:
            evaluations.void_sheet(_runtime().ledger, current_actor(), reference, lot, STAGE, seat=seat, reason=why)
        except RuleBroken as refusal:
            form.refuse(refusal)
        else:
            return redirect(url_for("supervision.procedure", reference=reference), HTTPStatus.SEE_OTHER)
    return _procedure(reference, form), HTTPStatus.UNPROCESSABLE_ENTITY


def _procedure(reference: str, form: RenewalForm) -> str:
    now = _runtime().clock.now_ms()
    with _runtime().ledger.read() as conn:
        found = service.one(conn, _scope(), reference, now)
        told = queries.log_page(conn, _scope(), Wish(reference=reference))
        committee = experts.committee_row(conn, found.watched.row.id)
        renewals = _renewals(conn, found.watched)
    holds = bool(current_actor().roles & {Role.SUPERVISOR, Role.CENTRE})
    draw = committee.draw if committee is not None and holds else None  # auditors have the log instead of this page
    values = {"form": form, "renewals": renewals, "may_void": Role.SUPERVISOR in current_actor().roles}
    return render_template("supervision/procedure.html", supervised=found, told=told, now=now, draw=draw, **values)


def _renewals(conn: Connection, watched: queries.Watched) -> list[tuple[str, RenewalRow]]:
    """Return the lots and requests of members whose signed sheets wait to be made void."""
    found = []
    for lot in watched.lots:
        place = Place(procedure=watched.row.reference, procedure_id=watched.row.id, lot=lot.number, stage=STAGE)
        found += [(lot.number, each) for each in sheets.renewals_of(conn, place) if each.answer is None]
    return found


# ------------------------------------------------------------------ the log


def _live(runtime: Runtime, scope: Scope) -> list[Told]:
    def make() -> list[Told]:
        with runtime.ledger.read() as conn:
            return queries.log_page(conn, scope, Wish(), limit=_LIVE)

    return _LOGS.get((id(runtime), scope), make)


@blueprint.get("/log")
@allow(*_WATCHERS, relation="jurisdiction")
def log() -> str:
    """The log of the jurisdiction as it grows; what is sealed is not in it yet."""
    wish = _wish()
    live = wish == Wish()
    with _runtime().ledger.read() as conn:
        kinds = queries.kinds_told(conn, _scope())
        told = _live(_runtime(), _scope()) if live else queries.log_page(conn, _scope(), wish)
    newest = told[0].h if told else ""
    return render_template(
        "supervision/log.html",
        told=told,
        wish=wish,
        kinds=kinds,
        live=live,
        older=_older(wish, told),
        events=url_for("supervision.log_events", after=newest),
        version=_version(told),
        now=_runtime().clock.now_ms(),
        refresh="refresh" in request.args,
    )


def _wish() -> Wish:
    asked = {name: request.args.get(name, "").strip()[:_LONGEST] or None for name in ("reference", "kind", "before")}
    return Wish(**asked)


def _older(wish: Wish, told: Sequence[Told]) -> str | None:
    """Return the address of the next page; None on the last one. What is None stands in no address."""
    if len(told) < queries.PAGE:
        return None
    return url_for("supervision.log", reference=wish.reference, kind=wish.kind, before=told[-1].h)


@blueprint.get("/log/state")
@allow(*_WATCHERS, relation="jurisdiction")
def log_state() -> Response:
    """Return the newest records that may be told."""
    told = _live(_runtime(), _scope())
    return streams.state(
        _version(told), _runtime().clock.now_ms(), lambda: render_template("supervision/_log.html", told=told)
    )


@blueprint.get("/log/events")
@allow(*_WATCHERS, relation="jurisdiction")
def log_events() -> Response:
    """Stream every new record that may be told, in log order; its id is its commitment, which counts nothing."""
    runtime, scope, seen, version = _runtime(), _scope(), streams.last_seen(), ""

    def look() -> Iterator[str]:
        nonlocal seen, version
        told = _live(runtime, scope)
        for each in queries.newer(told, seen):
            seen = each.h
            yield streams.message("record", {"at": each.at, "kind": each.kind, "procedure": each.reference}, id=each.h)
        fresh = _version(told)
        if fresh != version:
            version = fresh
            yield streams.message("state", {"version": version})

    return streams.respond(look, runtime.clock.now_ms)
