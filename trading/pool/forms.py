"""Forms of the pool: HTTP strings to dossiers, sanctions, files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from typing_extensions import override
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from trading.experts.rules.specialties import Tree
from trading.kernel.errors import InvalidInput
from trading.pool.rules.dossier import DOSSIER, Dossier
from trading.pool.service.appraisals import ITEMS
from trading.pool.service.decisions import REFUSAL_RULES, Sanction
from trading.web.forms import Form, StepUpForm
from trading.web.locale import current_language
from trading.web.locale import lazy as _
from trading.web.signing import SigningForm

_REGIMES: Final = [
    SelectChoice("GP", _("Pool of government procurement")),
    SelectChoice("TL", _("Pool of tenders")),
]
_TITLES: Final = [SelectChoice("3", _("Senior")), SelectChoice("2", _("Middle")), SelectChoice("1", _("Junior"))]
_MAY_LACK: Final = ("away_from", "away_until")
_DAY: Final = {"type": "date"}


def _codes(text: str | None) -> list[str]:
    return sorted(set((text or "").replace("，", " ").replace(",", " ").replace("；", " ").replace(";", " ").split()))


class ReachForm(Form):
    """What an expert changes by himself: how he is reached, whether he is free, what binds him to recuse."""

    mail = StringField(_("E-mail"), [DataRequired(), Length(max=200)], render_kw={"autocomplete": "email"})
    phone = StringField(_("Phone"), [DataRequired(), Length(max=32)], render_kw={"autocomplete": "tel"})
    employers = TextAreaField(_("Employers of the last three years, by code"), [Length(max=500)])
    relatives = TextAreaField(_("Organisations to recuse from because of relatives, by code"), [Length(max=500)])
    available = BooleanField(_("I can be called at present"), default=True)
    away_from = DateField(_("Away from"), [Optional()], render_kw=_DAY)
    away_until = DateField(_("Away until, that day included"), [Optional()], render_kw=_DAY)

    def show(self, dossier: Dossier) -> None:
        """Begin with what is known."""
        self.mail.data, self.phone.data, self.available.data = dossier.mail, dossier.phone, dossier.available
        for name in ("away_from", "away_until"):
            told = getattr(dossier, name)
            self[name].data = None if told is None else date.fromisoformat(told)
        self.employers.data, self.relatives.data = " ".join(dossier.employers), " ".join(dossier.relatives)

    @override
    def validate(self, extra_validators: Any = None) -> bool:
        """Ask for both ends of an absence, in their order."""
        whole: bool = super().validate(extra_validators)
        first, last = self.away_from.data, self.away_until.data
        if (first is None) != (last is None) or (first is not None and last is not None and last < first):
            self.away_until.errors = [
                *self.away_until.errors,
                str(_("Give the first and the last day, in this order.")),
            ]
            return False
        return whole

    def changes(self) -> dict[str, Any]:
        """Return the fields of a dossier that the form has."""
        return {
            "available": bool(self.available.data),
            "away_from": _iso(self.away_from.data),
            "away_until": _iso(self.away_until.data),
            "employers": tuple(_codes(self.employers.data)),
            "mail": (self.mail.data or "").strip(),
            "phone": (self.phone.data or "").strip(),
            "relatives": tuple(_codes(self.relatives.data)),
        }


class ApplicationForm(ReachForm):
    """An application to the pool."""

    regime = SelectField(_("Which pool"), choices=_REGIMES)
    name = StringField(_("Name"), [DataRequired(), Length(max=40)], render_kw={"autocomplete": "name"})
    identity_no = StringField(_("Identity number"), [DataRequired(), Length(min=18, max=18)])
    birth = DateField(_("Date of birth"), [DataRequired()], render_kw=_DAY)
    employer = StringField(_("Employer's organisation code"), [DataRequired(), Length(min=18, max=18)])
    employer_name = StringField(_("Employer"), [DataRequired(), Length(max=120)])
    region = StringField(_("Division code of the place of work"), [DataRequired(), Length(min=6, max=6)])
    title = SelectField(_("Rank of the professional title"), choices=_TITLES)
    title_name = StringField(_("Professional title"), [DataRequired(), Length(max=40)])
    years = IntegerField(_("Years of work in the field"), [InputRequired(), NumberRange(0, 80)])
    specialties = SelectMultipleField(_("Specialties"), [DataRequired()])
    trained = DateField(_("Newest training on"), [Optional()], render_kw=_DAY)

    def offer(self, tree: Tree) -> None:
        """Fill in the specialties in the reader's language."""
        zh = current_language() == "zh"
        leaves = tree.leaves
        self.specialties.choices = [
            SelectChoice(node.code, f"{node.code} {node.title_zh if zh else node.title_en}")
            for _depth, node in tree.lines()
            if node.code in leaves
        ]
        self.specialties.render_kw = {"size": 12}

    def dossier(self, account: str | None) -> Dossier | None:
        """Return the dossier, or None and messages at the fields that do not fit."""
        body: dict[str, Any] = {**self.changes(), "account": account}
        for name in ("name", "identity_no", "employer", "employer_name", "region", "title_name"):
            body[name] = (self[name].data or "").strip()
        body["identity_no"] = body["identity_no"].upper()
        body["birth"] = _iso(self.birth.data)
        body["trained"] = _iso(self.trained.data)
        body["title"], body["years"] = int(self.title.data), self.years.data
        body["specialties"] = tuple(sorted(self.specialties.data or ()))
        wrong = [
            name for name, value in body.items() if not ((name in _MAY_LACK and value is None) or _fits(name, value))
        ]
        for name in wrong:
            field = self[name]
            field.errors = [*field.errors, str(_("This value does not fit; check it against the hint"))]
        return None if wrong else Dossier(**body)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _fits(name: str, value: object) -> bool:
    try:
        DOSSIER.fields[name](list(value) if isinstance(value, tuple) else value)
    except (ValueError, InvalidInput):
        return False
    return True


class RefuseForm(StepUpForm):
    """A refusal by a rule."""

    rule = SelectField(_("Rule"), choices=[SelectChoice(rule, rule) for rule in REFUSAL_RULES])
    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=2000)])


class DisciplineForm(StepUpForm):
    """A sanction."""

    measure = SelectField(
        _("Measure"),
        choices=[
            SelectChoice("warning", _("Warning")),
            SelectChoice("fine", _("Fine")),
            SelectChoice("ban", _("Ban until a day")),
        ],
    )
    yuan = IntegerField(_("Amount of a fine, whole yuan"), [Optional(), NumberRange(1, 10_000_000)])
    until = DateField(_("Last day of a ban"), [Optional()], render_kw=_DAY)
    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=2000)])

    def sanction(self) -> Sanction:
        """Return what is meant; whether it is whole the use case says."""
        amount = None if self.yuan.data is None else self.yuan.data * 100
        return Sanction(measure=self.measure.data, amount=amount, until=self.until.data)


class ConfirmForm(StepUpForm):
    """An act without further fields."""


class PlainForm(Form):
    """A button."""


class OrderForm(SigningForm):
    """A signed suspension, resumption or removal."""

    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=2000)])


class SearchForm(Form):
    """A search by name, which is recorded."""

    name = StringField(_("Name begins with"), [DataRequired(), Length(max=40)])


class TrainingForm(Form):
    """A training of one expert."""

    number = StringField(_("Pool number"), [DataRequired(), Length(max=32)])
    day = DateField(_("Trained on"), [DataRequired()], render_kw=_DAY)


class ImportForm(StepUpForm):
    """A file of applications."""

    file = FileField(_("Workbook (.xlsx) or CSV"), [DataRequired()])
    regime = SelectField(_("Which pool"), choices=_REGIMES)
    mode = SelectField(
        _("If rows are wrong"),
        choices=[SelectChoice("all", _("Take nothing")), SelectChoice("good", _("Take the good rows"))],
    )


class TreeForm(StepUpForm):
    """The next version of the specialty tree."""

    file = FileField(_("Workbook (.xlsx) or CSV"), [DataRequired()])
    source = StringField(_("Source, as printed"), [DataRequired(), Length(max=300)])


def _mark(label: Any) -> IntegerField:  # noqa: ANN401 - a lazy text
    return IntegerField(label, [InputRequired(), NumberRange(1, 5)], render_kw={"min": 1, "max": 5})


class AppraisalForm(Form):
    """The appraisal of one seat: four marks and a remark."""

    seat = SelectField(_("Seat"))
    discipline = _mark(_("Kept to time and discipline"))
    criteria = _mark(_("Kept to the criteria"))
    care = _mark(_("Care and quality of opinions"))
    independence = _mark(_("Independence"))
    remark = TextAreaField(_("Remark"), [DataRequired(), Length(max=1000)])

    def offer(self, seats: Iterable[str]) -> None:
        """Fill in the seats that are not appraised yet."""
        self.seat.choices = [SelectChoice(seat, seat) for seat in seats]

    def marks(self) -> str:
        """Return the marks in the order of the form."""
        return "".join(str(self[name].data) for name in ITEMS)


class AnswerForm(Form):
    """What the expert says to his appraisal."""

    words = TextAreaField(_("What you have to say"), [DataRequired(), Length(max=1000)])
    rating = _mark(_("How you rate the agency, 1 to 5"))


def chosen(values: Iterable[str]) -> tuple[str, ...]:
    """Return values of ticks without doubles, in order."""
    return tuple(dict.fromkeys(value for value in values if value))
