"""What a member does with a sheet: sign its digest, hand it in when all have signed, settle the re-check (ux C52, C53).

The platform gives the page what a sheet is made of; the sheet itself is made in the browser, and the only thing that a
signature sends is its salted digest (ADR 0070).
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from flask import flash, jsonify, redirect, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries, service
from trading.evaluation.forms import HandInForm, HoldForm, RenewalForm, SignSheetForm, WordsForm
from trading.evaluation.rules.commitment import cells_of_document
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.scoring import price_points
from trading.evaluation.rules.sheets import Score, scored
from trading.evaluation.service import LotState
from trading.evaluation.service.holding import challenge
from trading.evaluation.service.renewals import is_too_late
from trading.evaluation.service.sheets import own_newest
from trading.evaluation.service.state import open_sheets
from trading.evaluation.views.blueprint import STAGE, Room, blueprint, names_of, page, reading, runtime
from trading.evaluation.views.member import member_actor_of, scored_lot
from trading.kernel.canonical import MAX_DOCUMENT
from trading.kernel.errors import RuleBroken
from trading.kernel.money import Rounding, round_exact
from trading.kernel.roles import Role
from trading.procedures.rules.criteria import decimal_of
from trading.web.forms import Form
from trading.web.locale import gettext, pick
from trading.web.permissions import allow

Answer: TypeAlias = Response | tuple[str, HTTPStatus]
_MEMBERS: Final = (Role.EXPERT, Role.AGENCY)


@blueprint.route("/<reference>/lots/<lot>/sign", methods=["GET", "POST"])
@allow(*_MEMBERS, relation="assigned_panel", step_up=True)
def sign(reference: str, lot: str) -> Answer:
    """Review the whole sheet and sign its digest; a change after signing is a new version with its reason (C53)."""
    actor, form, ledger = member_actor_of(reference, lot), SignSheetForm(), runtime().ledger

    def act() -> None:
        raw, version = _sent(form.sheet.data), form.version.data or ""
        if raw:
            service.correct_sheet(ledger, actor, reference, lot, STAGE, raw)
            return
        asked, commit = _number(version), (form.commit.data or "").strip()
        service.sign_sheet(ledger, actor, reference, lot, STAGE, commit=commit, version=asked)

    return _done((reference, lot), act, gettext("Your sheet is signed."), sign=form)


def _done(
    place: tuple[str, str], act: Callable[[], object], said: str, field: str | None = None, **sent: Form
) -> Answer:
    """Do what the one form that was sent asks for and go back to the sheet; or show it again with what is wrong."""
    (form,) = sent.values()
    if form.validate_on_submit():
        try:
            act()
        except RuleBroken as refusal:
            form.refuse(refusal, field)
        else:
            if said:
                flash(said)
            return redirect(url_for("evaluation.sign", reference=place[0], lot=place[1]), HTTPStatus.SEE_OTHER)
    return _page(*place, **sent)


def _sent(data: Any) -> bytes:  # noqa: ANN401 - an uploaded file, or nothing
    found: bytes = data.read(MAX_DOCUMENT + 1) if data else b""
    return found


def _page(reference: str, lot: str, **forms: Form) -> Answer:
    """Render the page of the sheet with the form that was refused, and the others empty."""
    empty = {
        "sign": SignSheetForm,
        "hold": HoldForm,
        "hand_in": HandInForm,
        "renewal": RenewalForm,
        "words": WordsForm,
    }
    made = {name: forms.get(name) or form(formdata=None) for name, form in empty.items()}
    shown = next((form for form in made.values() if form.problems), made["sign"])
    with reading(reference) as (conn, room):
        state = scored_lot(conn, room, lot)
        values = {**{f"{name}_form": form for name, form in made.items()}, **_signing(conn, room, state)}
        return page("sign.html", shown, room=room, state=state, **values)


@blueprint.post("/<reference>/lots/<lot>/hold")
@allow(*_MEMBERS, relation="assigned_panel")
def hold(reference: str, lot: str) -> Answer:
    """Take the echo that shows that the signed sheet is there, once all have signed (ADR 0078)."""
    actor, form = member_actor_of(reference, lot), HoldForm()

    def act() -> None:
        version, echo = _number(form.version.data), (form.echo.data or "").strip()
        service.hold_sheet(runtime().ledger, actor, reference, lot, STAGE, version=version, echo=echo)

    return _done((reference, lot), act, "", hold=form)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


@blueprint.post("/<reference>/lots/<lot>/hand-in")
@allow(*_MEMBERS, relation="assigned_panel")
def hand_in(reference: str, lot: str) -> Answer:
    """Take the sheet whose digest was signed, once all have signed."""
    actor, form = member_actor_of(reference, lot), HandInForm()

    def act() -> None:
        service.hand_in(runtime().ledger, actor, reference, lot, STAGE, _sent(form.sheet.data))

    return _done((reference, lot), act, gettext("Your sheet is handed in."), hand_in=form)


@blueprint.post("/<reference>/lots/<lot>/renewal")
@allow(*_MEMBERS, relation="assigned_panel")
def ask_renewal(reference: str, lot: str) -> Answer:
    """Ask the supervisor to make a signature void whose sheet cannot be handed in."""
    actor, form = member_actor_of(reference, lot), RenewalForm()

    def act() -> None:
        service.ask_renewal(runtime().ledger, actor, reference, lot, STAGE, form.why.data or "")

    return _done((reference, lot), act, gettext("The supervisor is asked."), renewal=form)


@blueprint.get("/<reference>/lots/<lot>/handing")
@allow(*_MEMBERS, relation="assigned_panel")
def handing(reference: str, lot: str) -> Response:
    """Tell the page of a member how many have signed, so that it knows when to hand in; nothing of any sheet."""
    with reading(reference) as (conn, room):
        answered = jsonify(handing_of(conn, room, scored_lot(conn, room, lot)))
    answered.headers["Cache-Control"] = "no-store"
    return answered


def handing_of(conn: Connection, room: Room, state: LotState) -> dict[str, Any]:
    """Return how far signing and handing in are: counts, and digest and version of the member's own signature."""
    signed = queries.signatures_of(conn, state.place)
    own = signed.get(room.seat or "")
    seats = set(room.sitting.seats) if room.sitting is not None else set()
    asked = None if room.sitting is None else challenge(conn, state.place, room.sitting)
    return {
        "missing": len(seats - set(signed)),
        "unheld": sum(not each.is_there for each in signed.values()),
        "held": own is not None and own.is_there,
        "challenge": None if asked is None else asked.hex(),
        "lost_late": own is not None and is_too_late(signed, own.seat),
        "waiting": sum(not each.handed_in for each in signed.values()),
        "commit": None if own is None else own.sheet_commit,
        "version": 0 if own is None else own.version,
        "handed_in": own is not None and own.handed_in,
        "opened": queries.scoring_of(conn, state.place) is not None,
    }


def handed_in_cells(conn: Connection, room: Room, state: LotState) -> dict[str, dict[str, Score]]:
    """Return what the member has handed in: bid → criterion → score; nothing before that."""
    document = own_newest(conn, state.place, room.seat or "")
    found = {} if document is None else cells_of_document(document)
    return {bid.bid: found[name] for bid in state.opened if (name := state.sheet_name(bid.bid)) in found}


def task_of(conn: Connection, room: Room, state: LotState) -> dict[str, Any]:
    """Return what the browser makes a sheet of: its heading, the bids, the criteria, and points that must be kept.

    Bids are named as the sheet names them: by letters where bidders are masked.
    """
    seat, place = room.seat or "", state.place
    return {
        "tender": place.procedure,
        "lot": place.lot,
        "stage": place.stage,
        "seat": seat,
        "version": queries.last_version(conn, place, seat) + 1,
        "changes": seat in queries.signatures_of(conn, place),
        "bids": sorted(state.sheet_name(bid.bid) for bid in state.conforming),
        "criteria": [
            {"id": each.id, "kind": each.kind.value, "max": each.max, "step": each.step, "bands": _bands(each)}
            for each in scored(state.rules.criteria)
        ],
        "kept": _kept(conn, room, state),
        "own": {
            state.sheet_name(bid): {
                name: {"points": cell.points, "comment": cell.comment or ""} for name, cell in row.items()
            }
            for bid, row in handed_in_cells(conn, room, state).items()
        },
    }


def _bands(criterion: Any) -> list[str]:  # noqa: ANN401 - a criterion
    return [band.points for band in criterion.bands or ()]


def _kept(conn: Connection, room: Room, state: LotState) -> dict[str, dict[str, str]]:
    """Return the points of an opened sheet that may not change: all but where the re-check points (EXP-22, 87-64)."""
    seat, sheets = room.seat or "", open_sheets(conn, state.place)
    raw = queries.newest_sheet(conn, state.place, seat) if sheets else queries.opened_sheet(conn, state.place, seat)
    if raw is None:
        return {}
    doubted = {
        (state.sheet_name(each.bid), each.criterion) for each in state.doubts(sheets) if each.seat in {None, room.seat}
    }
    return {
        bid: {name: cell.points for name, cell in row.items() if (bid, name) not in doubted}
        for bid, row in cells_of_document(SHEET.read(raw)).items()
    }


def _signing(conn: Connection, room: Room, state: LotState) -> dict[str, Any]:
    signed, sheets = queries.signatures_of(conn, state.place), open_sheets(conn, state.place)
    values = {
        "cells": handed_in_cells(conn, room, state),
        "criteria": scored(state.rules.criteria),
        "handing": handing_of(conn, room, state),
        "names": names_of(conn, state),
        "titles": {each.id: pick(each.title_zh, each.title_en) for each in state.rules.criteria},
        "own": signed.get(room.seat or ""),
        "opened": bool(sheets),
        "renewals": queries.renewals_of(conn, state.place),
        "task": task_of(conn, room, state),
    }
    if not sheets:
        return values
    ranking = state.ranking(sheets)
    return {
        **values,
        "doubts": state.doubts(sheets),
        "explained": queries.recheck_explanations(conn, state.place),
        "items": sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0, item.bid)),
        "points": {
            sheet.seat: {
                bid: {name: decimal_of(value) for name, value in row.items()} for bid, row in sheet.points.items()
            }
            for sheet in sheets
        },
        "price": {item.bid: _price(state, ranking.items, item.bid) for item in ranking.items if item.score},
    }


def _price(state: LotState, items: Any, bid: str) -> str:  # noqa: ANN401 - lines of a ranking
    """Return the points of a price to two decimals, for the eye; the total is computed from the exact value."""
    prices = {item.bid: item.evaluated_price for item in items if item.score is not None}
    most = next(each.most for each in state.rules.criteria if each.kind.value == "price")
    hundredths = round_exact(price_points(most, min(prices.values()), prices[bid]) * 100, Rounding.HALF_UP)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@blueprint.post("/<reference>/lots/<lot>/recheck")
@allow(*_MEMBERS, relation="assigned_panel")
def recheck(reference: str, lot: str) -> Answer:
    """Explain an unusual score; ``place`` is the bid and the criterion."""
    actor, form = member_actor_of(reference, lot), WordsForm()
    bid, _, criterion = (form.place.data or "").partition(" ")

    def act() -> None:
        words = form.words.data or ""
        service.explain_score(runtime().ledger, actor, reference, lot, STAGE, (bid, criterion), words)

    return _done((reference, lot), act, "", "words", words=form)
