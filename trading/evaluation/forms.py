"""Forms of an evaluation: findings and votes, one sheet per bid made of the lot's criteria, signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wtforms import BooleanField, FileField, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length

from trading.evaluation.rules.examination import Outcome
from trading.evaluation.rules.sheets import COMMENT_LIMIT, Score, scored
from trading.evaluation.service.examining import Opinion
from trading.procedures.rules.criteria import Criterion, CriterionKind
from trading.procedures.rules.formula_terms import DeviationFactor
from trading.web.forms import Form, StepUpForm
from trading.web.locale import lazy as _
from trading.web.locale import pick

_TEXT_LIMIT: Final = 4_000
_UNITS: Final = "units_"  # before the name of a deviation
_SUBJECTIVE: Final = {"inputmode": "decimal", "autocomplete": "off", "maxlength": 6, "class": "points"}


class OpinionForm(Form):
    """What somebody finds about one bid; words are needed against it, and the use case asks for them."""

    outcome = RadioField(
        _("Your finding"),
        [InputRequired()],
        choices=[
            SelectChoice(Outcome.CONFORMING.value, _("Meets the requirements")),
            SelectChoice(Outcome.INVALID.value, _("Does not meet them")),
        ],
    )
    reason = TextAreaField(_("Reason"), [Length(max=_TEXT_LIMIT)], render_kw={"rows": 3})
    grants = BooleanField(_("Grant the deduction"))

    def opinion(self, bid: str) -> Opinion:
        """Return what was entered about ``bid``."""
        return Opinion(
            bid=bid,
            outcome=Outcome(self.outcome.data),
            reason=self.reason.data or "",
            grants=bool(self.grants.data),
            deviations={
                field.name.removeprefix(_UNITS): field.data or "" for field in self if field.name.startswith(_UNITS)
            },
        )

    @property
    def units(self) -> list[Any]:
        """The fields of the quantified deviations."""
        return [field for field in self if field.name.startswith(_UNITS)]


def opinion_form(factors: Sequence[DeviationFactor]) -> OpinionForm:
    """Return the form of a vote, with a field for the units of every deviation that the documents quantify (MET-05)."""
    fields = {
        f"{_UNITS}{each.id}": StringField(pick(each.title_zh, each.title_en), render_kw=_SUBJECTIVE) for each in factors
    }
    made: OpinionForm = type("OpinionForm", (OpinionForm,), fields)()
    return made


class WordsForm(Form):
    """An explanation in words: of a price, or of an unusual score."""

    place = HiddenField()
    words = TextAreaField(_("Explanation"), [DataRequired(), Length(max=_TEXT_LIMIT)], render_kw={"rows": 4})


class ActForm(Form):
    """A button: an act without further input."""


class SealForm(Form):
    """Why an evaluation stops: which seat cannot be filled, and what was tried."""

    seal_reason = TextAreaField(
        _("Why the seat cannot be filled at once"), [DataRequired(), Length(max=1_000)], render_kw={"rows": 3}
    )


class ReplaceForm(Form):
    """Exchange a member who left for one who is present."""

    seat = SelectField(_("Member who left"), [InputRequired()])
    by = SelectField(_("New member"), [InputRequired()])
    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=_TEXT_LIMIT)], render_kw={"rows": 2})


class SignSheetForm(StepUpForm):
    """Sign the digest of a sheet; after the scores are open, the changed sheet itself goes with it."""

    commit = StringField(
        _("Digest of the sheet (SHA-256)"), [Length(max=64)], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )
    version = HiddenField(_("Version"))
    sheet = FileField(_("The changed sheet (.json)"))


class HandInForm(Form):
    """The sheet that was signed, as a file; the script of the page puts it there."""

    sheet = FileField(_("The sheet that you signed (.json)"), [DataRequired()])


class HoldForm(Form):
    """That the signed sheet is there: the digest of challenge and sheet, made by the script of the page (ADR 0078)."""

    version = HiddenField(_("Version"))
    echo = StringField(
        _("Echo of the sheet (SHA-256)"), [Length(max=64)], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )


class RenewalForm(Form):
    """Why a signed sheet cannot be handed in, or why the supervisor makes it void."""

    seat = HiddenField()
    why = TextAreaField(_("Reason, without any score"), [DataRequired(), Length(max=1_000)], render_kw={"rows": 3})


class SignReportForm(StepUpForm):
    """Sign the report, in agreement or with a dissent in writing."""

    report = HiddenField()
    verdict = RadioField(
        _("Your signature"),
        [InputRequired()],
        choices=[
            SelectChoice("agree", _("I agree with the report")),
            SelectChoice("dissent", _("I sign and dissent, for the reason below")),
        ],
    )
    dissent = TextAreaField(_("Reason of the dissent"), [Length(max=_TEXT_LIMIT)], render_kw={"rows": 4})


def score_form(criteria: Sequence[Criterion], cells: Mapping[str, Score]) -> Form:
    """Return the form of one bid's scores, filled with what was typed before."""
    fields: dict[str, Any] = {}
    for criterion in scored(criteria):
        fields[f"points_{criterion.id}"] = _points(criterion)
        fields[f"comment_{criterion.id}"] = StringField(_("Comment"), [Length(max=COMMENT_LIMIT)])
    made = type("ScoreForm", (Form,), fields)
    data = {}
    for name, cell in cells.items():
        data[f"points_{name}"], data[f"comment_{name}"] = cell.points, cell.comment or ""
    form: Form = made(data=data)
    return form


def _points(criterion: Criterion) -> Any:  # noqa: ANN401 - a field
    if criterion.kind is CriterionKind.OBJECTIVE:
        label = str(_("%(points)s points: %(text)s"))
        choices = [
            SelectChoice(band.points, label % {"points": band.points, "text": pick(band.text_zh, band.text_en)})
            for band in criterion.bands
        ]
        return RadioField(_("Points"), choices=choices, validate_choice=False)
    return StringField(_("Points"), render_kw=_SUBJECTIVE)
