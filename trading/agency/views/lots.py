"""Lots of a draft: what each buys, and how its bids are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it

from trading.agency import service
from trading.agency.forms import CATEGORIES, METHODS, ActForm, LotForm, MethodForm, rows_of, texts_of
from trading.agency.queries import WorkingDraft
from trading.agency.rules.content import BANDS_SAMPLE, CRITERION, FACTORS_SAMPLE, ITEM, TRIM_SAMPLE, Step, new_lot
from trading.agency.rules.specification import kind_typed
from trading.agency.views.blueprint import blueprint, many_fields, own_draft, page, runtime
from trading.agency.views.drafts import Page, keep, save
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.procedures.rules.catalogue import KINDS
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.web.forms import Form
from trading.web.permissions import allow, current_actor

LOT = ("title_zh", "title_en", "category", "budget", "ceiling")
METHOD = (
    *("method", "small_micro", "consortium", "domestic"),
    *("abnormal_mean", "abnormal_second_lowest", "abnormal_ceiling"),
    *("factors", "reduction", "ceiling_reduction", "ceiling_weight", "band", "trim"),
    *("above", "below", "floor", "ties", "technical"),
    "masked",
)
MOST_ROWS = 200
ADD = "add"  # name of the button that keeps what was typed and shows one more row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A step about one lot: its single fields, and the list whose rows are of one form."""

    step: Step
    texts: tuple[str, ...]
    rows: str
    empty: Mapping[str, str]


_ITEMS = _Part(step=Step.LOTS, texts=LOT, rows="items", empty=ITEM)
_CRITERIA = _Part(step=Step.METHOD, texts=METHOD, rows="criteria", empty=CRITERION)


def _lot_of(draft: WorkingDraft, number: int) -> dict[str, Any]:
    lots = draft.content["lots"]
    if not 1 <= number <= len(lots):
        raise NotFound(f"lot {number}")
    lot: dict[str, Any] = lots[number - 1]
    return lot


def _with_lot(draft: WorkingDraft, number: int, **values: Any) -> list[Any]:  # noqa: ANN401 - what was typed
    lots = list(draft.content["lots"])
    lots[number - 1] = {**lots[number - 1], **values}
    return lots


@blueprint.post("/drafts/<draft_id>/lots")
@allow(Role.AGENCY, relation="own_org")
def add_lot(draft_id: str) -> Response:
    """Add an empty lot at the end."""
    draft = own_draft(draft_id)
    if ActForm().validate_on_submit():
        content = service.with_section(draft, "lots", [*draft.content["lots"], new_lot()])
        service.save(runtime().ledger, current_actor(), draft, draft.version, content)
        number = len(content["lots"])
        return redirect(url_for("agency.lot", draft_id=draft_id, number=number), HTTPStatus.SEE_OTHER)
    return redirect(url_for("agency.steps", draft_id=draft_id), HTTPStatus.SEE_OTHER)


@blueprint.post("/drafts/<draft_id>/lots/<int:number>/remove")
@allow(Role.AGENCY, relation="own_org")
def remove_lot(draft_id: str, number: int) -> Response:
    """Take a lot out of the draft; the last one stays."""
    draft = own_draft(draft_id)
    _lot_of(draft, number)
    lots = list(draft.content["lots"])
    if ActForm().validate_on_submit() and len(lots) > 1:
        del lots[number - 1]
        content = service.with_section(draft, "lots", lots)
        service.save(runtime().ledger, current_actor(), draft, draft.version, content)
    return redirect(url_for("agency.steps", draft_id=draft_id), HTTPStatus.SEE_OTHER)


@blueprint.route("/drafts/<draft_id>/lots/<int:number>", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
@many_fields
def lot(draft_id: str, number: int) -> Page | Response:
    """What one lot buys."""
    draft = own_draft(draft_id)
    typed = _lot_of(draft, number)
    rows = [*typed["items"], dict(ITEM)]
    form = LotForm(data={**typed, "items": rows, "version": draft.version})
    form.category.choices = [SelectChoice(each, CATEGORIES[each]) for each in _kind_of(draft).selection.categories]
    done = _kept(form, draft, number, _ITEMS)
    return done if done is not None else page("lot.html", form, draft=draft, number=number, act=ActForm(prefix="act"))


def _kept(form: Form, draft: WorkingDraft, number: int, part: _Part) -> Response | None:
    """Save what was typed about a lot; go on, or return None to show the form again, perhaps with one more row."""
    if not form.validate_on_submit():
        return None
    rows: Any = form[part.rows]
    values: dict[str, Any] = {**texts_of(form, part.texts), part.rows: rows_of(rows, part.empty)}
    if part is _CRITERIA:
        values["benchmarks"] = list(form["benchmarks"].data or ())
    content = service.with_section(draft, "lots", _with_lot(draft, number, **values))
    if ADD not in request.form:
        return keep(form, draft, content, part.step, number - 1)
    save(form, draft, content)
    if len(rows.entries) < MOST_ROWS:
        rows.append_entry(dict(part.empty))
    return None


@blueprint.route("/drafts/<draft_id>/lots/<int:number>/method", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
@many_fields
def method(draft_id: str, number: int) -> Page | Response:
    """How the bids of one lot are compared."""
    draft = own_draft(draft_id)
    typed = _lot_of(draft, number)
    rows = [*typed["criteria"], dict(CRITERION)]
    kind = _kind_of(draft)
    form = MethodForm(data={**new_lot(), **typed, "criteria": rows, "version": draft.version})
    form.method.choices = [SelectChoice(each, METHODS[each]) for each in kind.selection.methods]
    done = _kept(form, draft, number, _CRITERIA)
    shown = {"sample": BANDS_SAMPLE, "factors": FACTORS_SAMPLE, "trim": TRIM_SAMPLE}
    return done if done is not None else page("method.html", form, draft=draft, number=number, kind=kind, **shown)


def _kind_of(draft: WorkingDraft) -> ProcedureKind:
    return next(kind for kind in KINDS if kind.code == kind_typed(draft.content))
