"""The scoring desk: the bid on one side, the criteria on the other, and two bids side by side (ux 14, C51; ADR 0067).

What a member types stays on his or her machine: nothing of it reaches the platform before every member has signed, and
no form of these pages sends it. Without the script of the page a sheet is made by a program.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from flask import request, url_for

from trading.evaluation.forms import score_form
from trading.evaluation.rules.sheets import Score, running_total, scored
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import blueprint, names_of, page, reading
from trading.evaluation.views.member import facts_of, scored_lot
from trading.evaluation.views.reader import reader_of
from trading.evaluation.views.signing import handed_in_cells, handing_of
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.procedures.rules.criteria import Criterion, CriterionKind
from trading.web import refusals
from trading.web.locale import current_language
from trading.web.permissions import allow

#: Stands in a message where the script puts what was typed.
TYPED: Final = "\u2026typed\u2026"


@blueprint.get("/<reference>/lots/<lot>/sheet/<bid>")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def sheet(reference: str, lot: str, bid: str) -> tuple[str, HTTPStatus]:
    """Show the fields for the scores of one bid; what is typed into them stays in the browser (ADR 0070)."""
    address = partial(url_for, "evaluation.sheet", reference=reference, lot=lot, bid=bid)
    with reading(reference) as (conn, room):
        state = scored_lot(conn, room, lot)
        if bid not in {each.bid for each in state.conforming}:
            raise NotFound(bid)
        criteria = state.rules.criteria
        cells = handed_in_cells(conn, room, state).get(bid, {})
        values = {
            "facts": facts_of(conn, state, bid),
            "criteria": criteria,
            "following": _next(state, reference, lot, bid),
            "most": running_most(criteria),
            "names": names_of(conn, state),
            "reader": reader_of(conn, bid, request.args, address),
            "told": {each.id: messages(each) for each in scored(criteria)},
            "handing": handing_of(conn, room, state),
        }
        return page("sheet.html", score_form(criteria, cells), room=room, state=state, bid=bid, **values)


def messages(criterion: Criterion) -> dict[str, str]:
    """Return what is said at once about a wrong score of a criterion, in the very words of a refusal (C51)."""
    facts: dict[str, object] = {
        "criterion_zh": criterion.title_zh,
        "criterion_en": criterion.title_en,
        "value": TYPED,
        "most": criterion.max,
        "step": criterion.step,
    }
    is_objective = criterion.kind is CriterionKind.OBJECTIVE
    codes = {"points": "score.not_in_bands" if is_objective else "score.out_of_range"}
    if not is_objective:
        codes["comment"] = "score.comment_missing"
    found = {}
    for name, code in codes.items():
        text = refusals.find(code, "rule").say(current_language(), facts)
        found[name] = f"{text.happened} {text.next}" if current_language() == "en" else text.happened + text.next
    return found


def running_most(criteria: tuple[Criterion, ...]) -> str:
    """Return how many points members can give one bid."""
    cells = {each.id: Score(points=each.max, comment=None) for each in scored(criteria)}
    return running_total(criteria, cells)


def _next(state: LotState, reference: str, lot: str, bid: str) -> str:
    """Return the sheet of the next bid, after the last one the page that signs."""
    order = [each.bid for each in state.conforming]
    place = order.index(bid) + 1
    if place < len(order):
        return url_for("evaluation.sheet", reference=reference, lot=lot, bid=order[place])
    return url_for("evaluation.sign", reference=reference, lot=lot)


@blueprint.get("/<reference>/lots/<lot>/sheet/<bid>/beside/<other>")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def beside(reference: str, lot: str, bid: str, other: str) -> tuple[str, HTTPStatus]:
    """Show two bids side by side for one criterion, with the member's own scores of both and nobody else's."""
    asked = request.args
    address = partial(url_for, "evaluation.beside", reference=reference, lot=lot, bid=bid, other=other)
    with reading(reference) as (conn, room):
        state = scored_lot(conn, room, lot)
        criteria = {each.id: each for each in scored(state.rules.criteria)}
        known = {each.bid for each in state.conforming}
        chosen = criteria.get(asked.get("criterion", next(iter(criteria))))
        if chosen is None or bid == other or not {bid, other} <= known:
            raise NotFound(other)
        kept: dict[str, Any] = {"criterion": chosen.id}
        kept |= {name: asked[name] for name in ("at", "q", "other_at", "other_q") if name in asked}

        def to(**changes: str | None) -> str:
            return address(**(kept | changes))

        readers = (reader_of(conn, bid, asked, to), reader_of(conn, other, asked, to, "other_"))
        values: dict[str, Any] = {
            "cells": handed_in_cells(conn, room, state),
            "criteria": tuple(criteria.values()),
            "criterion": chosen,
            "names": names_of(conn, state),
            "readers": readers,
            "to": to,
        }
        return page("beside.html", room=room, state=state, bid=bid, other=other, **values)
