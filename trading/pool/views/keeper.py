"""Pages of the platform's staff: upkeep by number, imports with their reports, the specialty tree. No name anywhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any, Final, TypeAlias, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.experts.rules.specialties import COLUMNS as TREE_COLUMNS
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.pool import files, queries
from trading.pool.forms import ImportForm, TrainingForm, TreeForm
from trading.pool.rules.sheet import COLUMNS
from trading.pool.service import imports, upkeep
from trading.web import refusals
from trading.web.limits import MIB, body_limit
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("upkeep", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY
_SOON_MS: Final = 60 * 86_400_000
_COLUMN: Final = {column.field: column for column in COLUMNS}


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.route("/upkeep", methods=["GET", "POST"])
@allow(Role.CENTRE)
def index() -> Answer:
    """Files by number, appointments that end soon, and the note of a training."""
    form, status = TrainingForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            number = (form.number.data or "").strip().upper()
            try:
                day = cast("date", form.day.data)  # the field is required
                upkeep.note_training(runtime().ledger, current_actor(), number, day)
            except (NotFound, Conflict):
                form.refuse(InvalidInput("pool.nobody", "number"), "number")
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "day")
            else:
                return redirect(url_for("upkeep.index", number=number), HTTPStatus.SEE_OTHER)
    number, after = request.args.get("number", "").strip().upper(), request.args.get("after")
    soon = request.args.get("show") == "ending"
    with runtime().ledger.read() as conn:
        page = (
            queries.ending(conn, platform_ms(conn) + _SOON_MS, after)
            if soon
            else queries.by_number(conn, number, after)
        )
    shown = render_template("pool/upkeep.html", page=page, form=form, number=number, soon=soon)
    return shown, status


@blueprint.route("/upkeep/imports", methods=["GET", "POST"])
@allow(Role.CENTRE, step_up=True)
@body_limit(files.MOST_BYTES + MIB)
def bring() -> Answer:
    """Bring a file of applications; a worker checks it."""
    form, status = ImportForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            raw = form.file.data.read()
            try:
                batch = imports.begin(
                    runtime().ledger, current_actor(), raw, regime_name=form.regime.data, mode=form.mode.data
                )
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "file")
            else:
                return redirect(url_for("upkeep.progress", batch=batch), HTTPStatus.SEE_OTHER)
    with runtime().ledger.upkeep() as conn:
        found = queries.imports(conn, current_actor().account)
    return render_template("pool/imports.html", form=form, imports=found, columns=COLUMNS), status


@blueprint.get("/upkeep/imports/<batch>")
@allow(Role.CENTRE, relation="own")
def progress(batch: str) -> str:
    """How far an import is, and what is wrong with its rows."""
    with runtime().ledger.upkeep() as conn:
        row, report = queries.own_import(conn, batch, current_actor().account)
    faults = imports.read_report(report)
    return render_template("pool/import.html", row=row, faults=faults[:100], count=len(faults), words=words)


@blueprint.get("/upkeep/imports/<batch>/report.csv")
@allow(Role.CENTRE, relation="own")
def report(batch: str) -> Response:
    """The whole report in both languages."""
    with runtime().ledger.upkeep() as conn:
        _row, raw = queries.own_import(conn, batch, current_actor().account)
    lines = [["行 row", "列 column", "代码 code", "说明", "explanation"]]
    for fault in imports.read_report(raw):
        column = _COLUMN.get(fault.column)
        name = "" if column is None else f"{column.zh} {column.en}"
        lines.append([str(fault.row), name, fault.code, words(fault.code, "zh"), words(fault.code, "en")])
    return _csv(lines, f"{batch}.csv")


@blueprint.get("/upkeep/imports/template.csv")
@allow(Role.CENTRE)
def template() -> Response:
    """The columns of an import, to be filled in."""
    return _csv([[column.zh for column in COLUMNS]], "experts.csv")


def words(code: str, language: str) -> str:
    """Return what is wrong, in a language."""
    text = refusals.find(code, "rule").say(language, {})
    return text.happened


def _csv(lines: list[list[str]], name: str) -> Response:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\ufeff" + out.getvalue(), mimetype="text/csv", headers=headers)


@blueprint.get("/specialties")
@allow(Role.CENTRE, Role.AUTHORITY, Role.SUPERVISOR, Role.EXPERT, Role.AGENCY, Role.REVIEWER, Role.BIDDER)
def specialties() -> str:
    """The specialty tree in force."""
    with runtime().ledger.read() as conn:
        tree = queries.tree(conn)
    return render_template("pool/specialties.html", tree=tree)


@blueprint.route("/upkeep/specialties", methods=["GET", "POST"])
@allow(Role.CENTRE, step_up=True)
@body_limit(4 * MIB)
def publish() -> Answer:
    """Publish the next version of the tree."""
    form, status = TreeForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                rows = _tree_rows(form.file.data.read())
                upkeep.publish_tree(runtime().ledger, current_actor(), rows, (form.source.data or "").strip())
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "file")
            else:
                return redirect(url_for("upkeep.specialties"), HTTPStatus.SEE_OTHER)
    return render_template("pool/publish.html", form=form, columns=TREE_COLUMNS), status


def _tree_rows(raw: bytes) -> list[Mapping[str, Any]]:
    read = files.rows(raw, files.form_of(raw))
    _number, names = next(read)
    places = [str(name or "").strip() for name in names]
    return [dict(zip(places, cells, strict=False)) for _number, cells in read]
