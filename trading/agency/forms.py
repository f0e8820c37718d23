"""Forms of the desk. They keep what was typed; what is amiss is found by the rules and attached to its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask_wtf.file import FileField, FileRequired
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms import Form as Part
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it
from wtforms.validators import DataRequired

from trading.agency.rules.specification import Problem
from trading.procedures.rules.catalogue import KINDS
from trading.web.forms import Form
from trading.web.locale import lazy as _
from trading.web.locale import pick
from trading.web.signing import SigningForm

# What a drafter is told about a field that cannot stand in a specification.
_CODES: Final = {
    "required": _("Fill in this field"),
    "blank": _("Fill in this field"),
    "not_text": _("Fill in this field"),
    "too_long": _("This text is too long"),
    "bad_characters": _("This text has characters that cannot be shown"),
    "bad_form": _("This value is not in the expected form; see the hint"),
    "not_integer": _("Enter a number, such as 1,500,000.00 or 90"),
    "out_of_range": _("This number or length is out of range; see the hint"),
    "not_a_choice": _("Choose one of the options"),
    "bad_credit_code": _("Choose an organisation of the register"),
    "not_array": _("Add at least one line"),
    "not_object": _("This line is not in the expected form: from-to: points | Chinese | English"),
    "duplicate": _("The same code stands twice"),
    "bad_threshold": _("Fewer custodians must be needed than there are"),
    "not_whole_second": _("Choose one of the options"),
    "unknown": _("This value is not expected here"),
}
CATEGORIES: Final = {"goods": _("Goods"), "services": _("Services"), "works": _("Works")}
METHODS: Final = {
    "lowest_evaluated_price": _("Lowest evaluated price"),
    "comprehensive_scoring": _("Comprehensive scoring"),
    "consultation_scoring": _("Scoring after consultation"),
    "lowest_final_quote": _("Lowest final quote"),
    "lowest_price_evaluated_tl": _("Evaluated lowest price, with quantified deviations"),
    "comprehensive_evaluation_tl": _("Comprehensive evaluation with a benchmark price"),
}
_OTHER: Final = _("This value does not fit; check it against the hint")
_LONG: Final = {"rows": 14}
_SHORT: Final = {"rows": 3}
_DECIMAL: Final = {"inputmode": "decimal"}


class DraftForm(Form):
    """A step of a draft; ``version`` is the state of the draft that the person saw."""

    version = HiddenField()


class SubjectForm(DraftForm):
    """What is bought, by whom, under whose supervision."""

    kind = RadioField(
        _("Kind of procedure"),
        choices=[SelectChoice(kind.code, "") for kind in KINDS],
        validate_choice=False,
    )
    title_zh = StringField(_("Title in Chinese"))
    title_en = StringField(_("Title in English"))
    buyer = SelectField(_("Buyer"), validate_choice=False)
    supervisor = SelectField(_("Supervisor"), validate_choice=False)
    text_zh = TextAreaField(_("Text of the notice in Chinese"), render_kw=_LONG)
    text_en = TextAreaField(_("Text of the notice in English"), render_kw=_LONG)


class ItemPart(Part):
    """One item of a lot."""

    code = StringField(_("Code"))
    name_zh = StringField(_("Item in Chinese"))
    name_en = StringField(_("Item in English"))
    quantity = StringField(_("Quantity"), render_kw={"inputmode": "decimal"})
    unit = StringField(_("Unit"))


class LotForm(DraftForm):
    """One lot: what it buys, budget and ceiling, items."""

    title_zh = StringField(_("Title in Chinese"))
    title_en = StringField(_("Title in English"))
    category = RadioField(
        _("Kind"),
        choices=[SelectChoice(name, label) for name, label in CATEGORIES.items()],
        validate_choice=False,
    )
    budget = StringField(_("Budget"), render_kw={"inputmode": "decimal"})
    ceiling = StringField(_("Price ceiling"), render_kw={"inputmode": "decimal"})
    items = FieldList(FormField(ItemPart))


class CriterionPart(Part):
    """One line of the criteria tree."""

    id = StringField(_("Short name"))
    kind = SelectField(
        _("How it is scored"),
        choices=[
            SelectChoice("price", _("Price, by the formula")),
            SelectChoice("objective", _("Objective, by intervals")),
            SelectChoice("subjective", _("By judgement of the experts")),
        ],
        validate_choice=False,
    )
    max = StringField(_("Most points"), render_kw={"inputmode": "decimal"})
    step = StringField(_("Step"), render_kw={"inputmode": "decimal"})
    title_zh = StringField(_("Title in Chinese"))
    title_en = StringField(_("Title in English"))
    text_zh = TextAreaField(_("What is scored, in Chinese"), render_kw=_SHORT)
    text_en = TextAreaField(_("What is scored, in English"), render_kw=_SHORT)
    bands = TextAreaField(_("Intervals, one a line"), render_kw=_SHORT)


class MethodForm(DraftForm):
    """How the bids of one lot are compared."""

    method = RadioField(
        _("Award method"),
        choices=[SelectChoice(name, label) for name, label in METHODS.items()],
        validate_choice=False,
    )
    small_micro = StringField(
        _("Deduction for small and micro enterprises, per cent"), render_kw={"inputmode": "decimal"}
    )
    consortium = StringField(
        _("Deduction for consortia and subcontracts with them, per cent"), render_kw={"inputmode": "decimal"}
    )
    domestic = StringField(_("Deduction for domestic products, per cent"), render_kw=_DECIMAL)
    abnormal_mean = StringField(_("Below the mean of all conforming quotes, per cent of it"), render_kw=_DECIMAL)
    abnormal_second_lowest = StringField(_("Below the second lowest quote, per cent of it"), render_kw=_DECIMAL)
    abnormal_ceiling = StringField(_("Below the ceiling, per cent of it"), render_kw=_DECIMAL)
    factors = TextAreaField(_("Quantified deviations, one a line"), render_kw=_SHORT)
    benchmarks = SelectMultipleField(
        _("Benchmark price"),
        choices=[
            SelectChoice("mean", _("Mean of the quotes, lowered by K")),
            SelectChoice("composite", _("Ceiling lowered by K1 and mean of the quotes, by the weight w")),
            SelectChoice("second_mean", _("Second mean: of the quotes near the mean of all")),
            SelectChoice("median", _("Median of the quotes, lowered by K")),
            SelectChoice("lowest", _("Lowest quote")),
        ],
        validate_choice=False,
    )
    reduction = StringField(_("K, per cent"))
    ceiling_reduction = StringField(_("K1, per cent"))
    ceiling_weight = StringField(_("Weight w of the ceiling, per cent"))
    band = StringField(_("Width of the second mean, per cent of the mean"), render_kw=_DECIMAL)
    trim = TextAreaField(_("Quotes left out of the mean, one rule a line"), render_kw=_SHORT)
    above = StringField(_("Points lost for each per cent above the benchmark"), render_kw=_DECIMAL)
    below = StringField(_("Points lost for each per cent below it"), render_kw=_DECIMAL)
    floor = StringField(_("Fewest points of the price"), render_kw=_DECIMAL)
    ties = StringField(_("What decides between equal totals, in order"))
    technical = StringField(_("Technical criteria, by their short names"))
    masked = RadioField(
        _("What members see of the bidders until they have signed their scores"),
        choices=[
            SelectChoice("", _("Their names")),
            SelectChoice("yes", _("Letters that are drawn by lot")),
        ],
        validate_choice=False,
    )
    criteria = FieldList(FormField(CriterionPart))


class DatesForm(DraftForm):
    """The dates, each chosen from days on which it is lawful."""

    issue_day = SelectField(_("Planned day of publication"), validate_choice=False)
    close_day = SelectField(_("Deadline for bids: day"), validate_choice=False)
    close_time = SelectField(_("Deadline for bids: time"), validate_choice=False)
    supply_day = SelectField(_("Last day of the supply of documents"), validate_choice=False)
    questions_day = SelectField(_("Last day for questions"), validate_choice=False)
    validity_days = StringField(_("Validity of bids, days from the deadline"), render_kw={"inputmode": "numeric"})
    extension = RadioField(
        _("If the platform fails, may the deadline move by rule?"),
        choices=[
            SelectChoice("yes", _("Yes, by the rule below, for everyone alike and without a further decision")),
            SelectChoice("no", _("No, the lot waits each time until the agency decides by a signed correction")),
        ],
        validate_choice=False,
    )
    triggers = SelectMultipleField(
        _("What moves it"),
        choices=[
            SelectChoice("clock", _("The platform cannot vouch for its clock at the deadline")),
            SelectChoice("outage", _("The platform cannot be reached before the deadline")),
            SelectChoice("refusal", _("The platform refuses, by its own fault, what arrived in time")),
        ],
        validate_choice=False,
    )
    extend_minutes = StringField(
        _("Time given from the end of the failure on, minutes"), render_kw={"inputmode": "numeric"}
    )
    intake = RadioField(
        _("May bids be handed to the supervisor's intake, too?"),
        choices=[
            SelectChoice("yes", _("Yes, before the deadline; the close waits for its list")),
            SelectChoice("no", _("No, only this platform takes bids")),
        ],
        validate_choice=False,
    )


class SealingForm(DraftForm):
    """Who must come together to open a bid."""

    n = SelectField(
        _("Custodians of the opening keys"),
        choices=[SelectChoice(str(n), str(n)) for n in range(3, 10)],
        validate_choice=False,
    )
    k = SelectField(
        _("Custodians needed to open"),
        choices=[SelectChoice(str(k), str(k)) for k in range(2, 9)],
        validate_choice=False,
    )
    bidder_factor = RadioField(
        _("Does opening also take the bidder?"),
        choices=[
            SelectChoice("yes", _("Yes, each bidder confirms the opening of its own bid")),
            SelectChoice("no", _("No, the custodians alone")),
        ],
        validate_choice=False,
    )


class DocumentForm(Form):
    """One file to attach."""

    file = FileField(_("File"), [FileRequired()])


class AmountsPart(Part):
    """What a correction may change in a lot."""

    title_zh = StringField(_("Title in Chinese"))
    title_en = StringField(_("Title in English"))
    budget = StringField(_("Budget"), render_kw={"inputmode": "decimal"})
    ceiling = StringField(_("Price ceiling"), render_kw={"inputmode": "decimal"})


class CorrectionForm(DraftForm):
    """A correction: only what may change is there at all (DOC-18)."""

    title_zh = StringField(_("Title in Chinese"))
    title_en = StringField(_("Title in English"))
    text_zh = TextAreaField(_("Text of the notice in Chinese"), render_kw=_LONG)
    text_en = TextAreaField(_("Text of the notice in English"), render_kw=_LONG)
    lots = FieldList(FormField(AmountsPart))
    close_day = SelectField(_("Deadline for bids: day"), validate_choice=False)
    close_time = SelectField(_("Deadline for bids: time"), validate_choice=False)
    supply_day = SelectField(_("Last day of the supply of documents"), validate_choice=False)
    questions_day = SelectField(_("Last day for questions"), validate_choice=False)
    validity_days = StringField(_("Validity of bids, days from the deadline"), render_kw={"inputmode": "numeric"})
    declared = BooleanField(_("The change of the text may affect how bids are prepared"))
    cause = StringField(_("Why, for the record"))


class ReturnForm(Form):
    """Why a draft goes back to its drafter."""

    reason = TextAreaField(_("What has to change"), render_kw={"rows": 4})


class CustodiansForm(Form):
    """Which institutions are asked for a share of the opening keys."""

    keepers = SelectMultipleField(_("Institutions to ask"), validate_choice=False)


class ActForm(Form):
    """A plain act without fields: a button."""


class PublishForm(SigningForm):
    """Sign the offered documents and publish them."""


class TextsForm(Form):
    """The texts of a last notice, before its document is made and signed."""

    text_zh = TextAreaField(_("Text of the notice in Chinese"), [DataRequired()], render_kw={"rows": 6})
    text_en = TextAreaField(_("Text of the notice in English"), [DataRequired()], render_kw={"rows": 6})


class CancelForm(TextsForm):
    """Texts and ground of a cancellation."""

    reason = StringField(_("Ground of the cancellation"), [DataRequired()])


class TermsForm(Form):
    """What the agency writes into a contract; everything else follows from the award."""

    number = StringField(_("Number of the contract"), [DataRequired()])
    terms_zh = TextAreaField(_("Terms in Chinese"), [DataRequired()], render_kw=_LONG)
    terms_en = TextAreaField(_("Terms in English"), [DataRequired()], render_kw=_LONG)


class FilingForm(Form):
    """The number under which the finance department filed the contract."""

    filing = StringField(_("Filing number"), [DataRequired()])


def texts_of(form: Form, names: Iterable[str]) -> dict[str, str]:
    """Return what was typed in some fields, as texts with one kind of line end."""
    return {name: plain(form[name].data) for name in names}


def rows_of(fields: FieldList[Any], names: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a list that are not empty; a row in which only a choice was made is empty."""
    found = []
    for entry in fields:
        row = {name: plain(entry.form[name].data) for name in names}
        typed = [name for name in names if not isinstance(entry.form[name], SelectField)]
        if any(row[name].strip() for name in typed):
            found.append(row)
    return found


def plain(value: object) -> str:
    """Return a typed text without carriage returns; nothing is the empty text."""
    return "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")


def attach(form: Form, problems: Iterable[Problem]) -> None:
    """Put every problem to its field; one without a field of its own stands above the form."""
    for problem in problems:
        message = str(_CODES.get(problem.code, _OTHER))
        if not _attach(form, problem.field.split("."), message):
            form.form_errors.append(message)


def _attach(part: Any, path: list[str], message: str) -> bool:  # noqa: ANN401 - a form, a part or a list of parts
    """Walk to the field, telling every list on the way that something in it is amiss."""
    name, *rest = path
    if name not in part:
        return False
    field = part[name]
    if isinstance(field, FieldList) and rest:
        place = int(rest[0])
        if place >= len(field.entries) or len(rest) == 1:
            field.errors = [*field.errors, message] if len(rest) == 1 else field.errors
            return len(rest) == 1
        found = _attach(field.entries[place].form, rest[1:], message)
        field.errors = [entry.errors for entry in field.entries]
        return found
    field.errors = [*field.errors, _about(field, message)]
    return True


def _about(field: Any, message: str) -> str:  # noqa: ANN401 - any field
    """Return the message with the name of its field, so that it can be read alone in the summary (ux 5.1)."""
    return f"{field.label.text}{pick('：', ': ')}{message}"


def refuse_dates(form: Form, refused: Mapping[str, str]) -> None:
    """Put the law's refusal of a date to its field."""
    for name, message in refused.items():
        form[name].errors = [*form[name].errors, message]
