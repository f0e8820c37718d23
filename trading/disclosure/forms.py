"""Forms of disclosure: HTTP strings to requests, replies and declared tables."""

from __future__ import annotations

from typing import Any, Final

from wtforms import DateField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Regexp

from trading.disclosure.rules.annual import FEES, Declared, indicators
from trading.disclosure.rules.requests import LONGEST, LONGEST_REASON, SHORTEST, grounds
from trading.kernel.money import Money
from trading.web.forms import Form
from trading.web.locale import lazy as _
from trading.web.locale import pick

_DAY: Final = {"type": "date"}
_MOST: Final = 10**12
_SHA256: Final = r"[0-9a-f]{64}\Z"


class AskForm(Form):
    """A citizen's request."""

    name = StringField(_("Your name"), [DataRequired(), Length(max=60)], render_kw={"autocomplete": "name"})
    contact = StringField(_("How we reach you: e-mail, phone or address"), [DataRequired(), Length(max=200)])
    text = TextAreaField(_("Which information you ask for"), [DataRequired(), Length(min=SHORTEST, max=LONGEST)])


class RegisterForm(AskForm):
    """A request that came to the office."""

    channel = RadioField(
        _("How it came"),
        [InputRequired()],
        choices=[SelectChoice("in_person", _("In person")), SelectChoice("letter", _("By letter"))],
    )
    name = StringField(_("Name of the applicant"), [DataRequired(), Length(max=60)])
    contact = StringField(_("How the applicant is reached"), [DataRequired(), Length(max=200)])
    text = TextAreaField(_("Which information is asked for"), [DataRequired(), Length(min=SHORTEST, max=LONGEST)])
    received_on = DateField(_("Received on"), [DataRequired()], render_kw=_DAY)


class ConfirmForm(Form):
    """The receipt of an online request."""

    received_on = DateField(_("Received on"), [DataRequired()], render_kw=_DAY)


class ExtendForm(Form):
    """One extension."""

    why = TextAreaField(_("Why more time is needed"), [DataRequired(), Length(max=LONGEST_REASON)])


class ReplyForm(Form):
    """A reply by its ground."""

    ground = SelectField(_("Reply"), [InputRequired()])
    reason = TextAreaField(_("Reason in words"), [Length(max=LONGEST_REASON)])
    fee_waived = StringField(_("Fee reduced or waived, in yuan"), [Length(max=20)], default="0")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - of the form library
        super().__init__(*args, **kwargs)
        self.ground.choices = [
            SelectChoice(each.code, f"{pick(each.title_zh, each.title_en)} · {each.article}")
            for each in grounds().values()
        ]

    @property
    def fee(self) -> int:
        """Return the fee in fen.

        Raises:
            InvalidInput: ``money.malformed``, ``money.too_fine``.
        """
        return Money.parse((self.fee_waived.data or "0").strip(), "CNY").minor


class ContestForm(Form):
    """A review, a lawsuit or an appeal."""

    route = SelectField(
        _("What it is"),
        [InputRequired()],
        choices=[
            SelectChoice("review", _("Administrative review")),
            SelectChoice("lawsuit", _("Administrative lawsuit")),
            SelectChoice("appeal", _("Appeal or report")),
        ],
    )
    number = StringField(_("Number of the request"), [Length(max=40)])
    noted_on = DateField(_("Received on"), [DataRequired()], render_kw=_DAY)


class PrintForm(Form):
    """A print in the gazette."""

    document = StringField(
        _("SHA-256 of the document, as its notice shows it"),
        [DataRequired(), Regexp(_SHA256)],
        filters=[lambda text: (text or "").strip().lower()],
    )
    issue = StringField(_("Issue of the gazette"), [DataRequired(), Length(max=100)])
    printed_on = DateField(_("Printed on"), [DataRequired()], render_kw=_DAY)


class DeclareForm(Form):
    """The table of a year before the platform: ``y_<code>`` of the year, ``a_<code>`` of all years; fees in yuan."""

    year = IntegerField(_("Year"), [InputRequired(), NumberRange(min=1949, max=9999)])
    source = StringField(_("Published in"), [DataRequired(), Length(max=300)])
    reason = TextAreaField(_("Why it is entered here"), [DataRequired(), Length(max=300)])

    def declared(self) -> Declared:
        """Return what was typed as a table."""
        columns = [{code: self._number(f"{column}_{code}", code) for code in codes()} for column in ("y", "a")]
        return Declared(year=int(self.year.data or 0), of_year=columns[0], cumulative=columns[1])

    def _number(self, name: str, code: str) -> int:
        number = int(self[name].data)
        return number * 100 if code == FEES else number


def codes() -> list[str]:
    """Return the codes of the rows in their order."""
    return [each.code for each in indicators()]


for _code in codes():
    for _column in ("y", "a"):
        _label = _("Number of the year") if _column == "y" else _("Number of all years")
        _field = IntegerField(_label, [InputRequired(), NumberRange(min=0, max=_MOST)], default=0)
        setattr(DeclareForm, f"{_column}_{_code}", _field)
