"""Pages of questions and answers: the public's, the asker's, the agency's. None but the asker's tells who asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from trading.audit.runtime import Runtime
from trading.clarifications import queries, service
from trading.clarifications.forms import AnswerForm, PublishForm, QuestionForm
from trading.clarifications.queries import Question
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import ProcedurePhase
from trading.web.locale import gettext as _
from trading.web.locale import pick
from trading.web.permissions import allow, current_actor, public

blueprint = Blueprint("clarifications", __name__)

#: Returns the published corrections of a procedure, number to instant (ms). Notices stand above this package, so the
#: application hands this over.
Corrections: TypeAlias = Callable[[Connection, int], dict[int, int]]
_PUBLIC: Final = frozenset({ProcedurePhase.PUBLISHED, ProcedurePhase.CANCELLED})
_UNPROCESSABLE: Final = 422


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


def _published(conn: Connection, reference: str) -> ProcedureRow:
    row = procedures.find(conn, reference)
    if row.phase not in _PUBLIC:
        raise NotFound(reference)
    return row


@blueprint.get("/procedures/<reference>/questions")
@public
def public_questions(reference: str) -> str:
    """Every published answer of a procedure, newest first, and until when questions are taken."""
    with _runtime().ledger.read() as conn:
        row = _published(conn, reference)
        answers = queries.published(conn, reference)
        ends_at = service.questions_end_at(conn, row)
    now = _runtime().clock.now_ms()
    return render_template("clarifications/public.html", procedure=row, answers=answers, ends_at=ends_at, now=now)


@blueprint.get("/bidder/tenders/<reference>/questions")
@allow(Role.BIDDER, relation="own_org")
def own_questions(reference: str) -> Response:
    """The questions of my organisation with their answers, and the form for another one."""
    return _own_page(reference, None)


@blueprint.post("/bidder/tenders/<reference>/questions")
@allow(Role.BIDDER, relation="own_org")
def ask(reference: str) -> Response:
    """Take a question."""
    with _runtime().ledger.read() as conn:
        row = _published(conn, reference)
        form = _question_form(procedures.lots_of(conn, row.id))
    if form.validate_on_submit():
        try:
            service.ask(
                _runtime().ledger, current_actor(), reference, lot=form.lot.data or None, text=form.text.data or ""
            )
        except RuleBroken as error:
            form.refuse(error, "text")
        else:
            flash(_("Your question was received. Nobody sees who asked it, the agency included."))
            return redirect(url_for("clarifications.own_questions", reference=reference), 303)
    return _own_page(reference, form)


def _question_form(lots: list[LotRow]) -> QuestionForm:
    form = QuestionForm()
    numbers = {lot.number: pick(lot.title_zh, lot.title_en) for lot in lots}
    form.lot.choices = [
        SelectChoice("", _("The whole tender")),
        *(
            SelectChoice(number, _("Lot %(number)s") % {"number": number} + f" · {title}")
            for number, title in numbers.items()
        ),
    ]
    return form


def _own_page(reference: str, form: QuestionForm | None) -> Response:
    ledger = _runtime().ledger
    with ledger.read() as conn:
        row = _published(conn, reference)
        ends_at = service.questions_end_at(conn, row)
        form = form or _question_form(procedures.lots_of(conn, row.id))
    shown = render_template(
        "clarifications/own.html",
        procedure=row,
        questions=service.own_questions(ledger, current_actor(), row.id),
        ends_at=ends_at,
        now=_runtime().clock.now_ms(),
        form=form,
    )
    return make_response(shown, _UNPROCESSABLE if form.problems else 200)


@blueprint.get("/agency/<reference>/questions")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def agency_questions(reference: str) -> str:
    """The questions of a procedure for its agency: what is asked, not by whom."""
    with _runtime().ledger.read() as conn:
        row = _own_procedure(conn, reference)
        questions = queries.of_procedure(conn, row.id)
        ends_at = service.questions_end_at(conn, row)
    now = _runtime().clock.now_ms()
    return render_template("clarifications/agency.html", procedure=row, questions=questions, ends_at=ends_at, now=now)


def _own_procedure(conn: Connection, reference: str) -> ProcedureRow:
    row = procedures.find(conn, reference)
    if current_actor().organisation not in {row.agency_code, row.buyer_code}:
        raise NotFound(reference)
    return row


def _own_question(conn: Connection, reference: str, question: str) -> tuple[ProcedureRow, Question]:
    row = _own_procedure(conn, reference)
    found = queries.find(conn, question)
    if found is None or found.procedure_id != row.id:
        raise NotFound(question)
    return row, found


@blueprint.get("/agency/<reference>/questions/<question>")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def answer(reference: str, question: str) -> Response:
    """One question with the draft of its answer."""
    return _answer_page(reference, question, None, None)


@blueprint.post("/agency/<reference>/questions/<question>")
@allow(Role.AGENCY, relation="own_org")
def draft(reference: str, question: str) -> Response:
    """Store the next version of the answer."""
    form = AnswerForm()
    if form.validate_on_submit():
        with _runtime().ledger.read() as conn:
            _own_question(conn, reference, question)
        try:
            service.draft_answer(_runtime().ledger, current_actor(), question, form.content, version=form.version_read)
        except RuleBroken as error:
            form.refuse(error)
        else:
            flash(_("The draft is saved. Another person of the agency publishes it."))
            return redirect(url_for("clarifications.agency_questions", reference=reference), 303)
    return _answer_page(reference, question, form, None)


@blueprint.post("/agency/<reference>/questions/<question>/publication")
@allow(Role.REVIEWER, relation="own_org")
def publish(reference: str, question: str) -> Response:
    """Give the answer to everybody."""
    form = PublishForm()
    if form.validate_on_submit():
        corrections: Corrections = current_app.extensions["corrections"]
        with _runtime().ledger.read() as conn:
            row, _found = _own_question(conn, reference, question)
            known = corrections(conn, row.id)
        try:
            service.publish_answer(
                _runtime().ledger, current_actor(), question, version=form.version_read, corrections=known
            )
        except RuleBroken as error:
            form.refuse(error)
        else:
            flash(_("The answer is published to everybody and is part of the documents from now on."))
            return redirect(url_for("clarifications.agency_questions", reference=reference), 303)
    return _answer_page(reference, question, None, form)


def _answer_page(reference: str, question: str, form: AnswerForm | None, publishing: PublishForm | None) -> Response:
    with _runtime().ledger.read() as conn:
        row, found = _own_question(conn, reference, question)
    actor = current_actor()
    if form is None:
        form = AnswerForm(formdata=None, data=_draft_data(found))
    publishing = publishing or PublishForm(
        formdata=None, data={"version": found.answer.version if found.answer is not None else ""}
    )
    drafted_by_me = found.answer is not None and found.answer.drafted_by == actor.account
    shown = render_template(
        "clarifications/answer.html",
        procedure=row,
        question=found,
        form=form,
        publishing=publishing,
        may_draft=Role.AGENCY in actor.roles and found.state != "published",
        may_publish=Role.REVIEWER in actor.roles and found.state == "drafted" and not drafted_by_me,
    )
    return make_response(shown, _UNPROCESSABLE if form.problems or publishing.problems else 200)


def _draft_data(found: Question) -> dict[str, object]:
    """Return what the form begins with: the draft, or the question in the words of its asker."""
    if found.answer is None:
        return {"question_zh": found.text, "version": "0"}
    content = found.answer.content
    texts = {name: getattr(content, name) for name in ("question_zh", "question_en", "answer_zh", "answer_en")}
    return {**texts, "effect": content.effect.value, "notice": content.notice, "version": str(found.answer.version)}
