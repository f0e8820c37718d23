"""Forms of committees, draws, calls and seats: HTTP strings to the arguments of the use cases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from typing_extensions import override
from wtforms import BooleanField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from trading.experts.rules.plan import Plan
from trading.experts.rules.requirements import Trait
from trading.experts.rules.specialties import Tree
from trading.experts.rules.strata import strata_of_tree, stratum_title
from trading.experts.service.committees import Windows
from trading.experts.service.contests import MOST_WORDS
from trading.kernel.calendar import CHINA
from trading.kernel.instants import parse_instant
from trading.web.forms import Form, StepUpForm
from trading.web.locale import current_language
from trading.web.locale import lazy as _

_MINUTE_MS: Final = 60_000
_NEEDS: Final = 4
_SECOND: Final = "1"  # the id of the second place in the plan


def _strata(tree: Tree) -> list[SelectChoice]:
    place = 0 if current_language() == "zh" else 1
    named = ((each, f"{each.partition('-')[0]} {stratum_title(each, tree)[place]}") for each in strata_of_tree(tree))
    return [SelectChoice("", "–"), *(SelectChoice(each, title) for each, title in named)]


class PlanForm(Form):
    """The committee's plan: up to four strata with their numbers, representatives, time and place."""

    stratum1 = SelectField(_("First specialty"), validators=[DataRequired()], default="")
    need1 = IntegerField(_("Experts of the first specialty"), [InputRequired(), NumberRange(1, 15)], default=4)
    stratum2 = SelectField(_("Second specialty"), default="")
    need2 = IntegerField(_("Experts of the second specialty"), [NumberRange(0, 15)], default=0)
    stratum3 = SelectField(_("Third specialty"), default="")
    need3 = IntegerField(_("Experts of the third specialty"), [NumberRange(0, 15)], default=0)
    representatives = IntegerField(_("Representatives of the buyer"), [InputRequired(), NumberRange(0, 5)], default=1)
    evaluation_at = StringField(
        _("Beginning of the evaluation"),
        [DataRequired()],
        render_kw={"type": "datetime-local", "step": "60"},
    )
    place_zh = StringField(_("Place, in Chinese"), [DataRequired(), Length(max=200)])
    place_en = StringField(_("Place, in English"), [DataRequired(), Length(max=200)])
    away1 = BooleanField(_("The first specialty sits at the second place"))
    away2 = BooleanField(_("The second specialty sits at the second place"))
    away3 = BooleanField(_("The third specialty sits at the second place"))
    second_zh = StringField(_("Second place, in Chinese"), [Length(max=200)])
    second_en = StringField(_("Second place, in English"), [Length(max=200)])
    large = BooleanField(_("Complex technology or great social impact"))
    water_works = BooleanField(_("Water works"))
    above_limit = BooleanField(_("Value at or above the limit of public tenders"))
    legal_expert = BooleanField(_("Complex or highly specialised: one of the experts is in law"))

    def offer(self, tree: Tree) -> None:
        """Fill in every node of the tree in force at every region level, in the reader's language."""
        choices = _strata(tree)
        for number in range(1, _NEEDS):
            self[f"stratum{number}"].choices = choices

    def show(self, plan: Plan) -> None:
        """Begin with a plan that is to be changed, as far as the form has room for its specialties."""
        for number, item in enumerate(plan.strata[: _NEEDS - 1], 1):
            self[f"stratum{number}"].data, self[f"need{number}"].data = item.id, item.need
            self[f"away{number}"].data = item.site is not None
        for site in plan.sites[:1]:
            self.second_zh.data, self.second_en.data = site.place_zh, site.place_en
        for trait in Trait:
            self[trait.value].data = trait in plan.traits
        self.representatives.data, self.large.data = plan.representatives, plan.large
        self.place_zh.data, self.place_en.data = plan.place_zh, plan.place_en
        at = datetime.fromtimestamp(plan.evaluation_at // 1000, CHINA)
        self.evaluation_at.data = at.strftime("%Y-%m-%dT%H:%M")

    def body(self) -> dict[str, Any]:
        """Return the fields of ``mb.committee-plan``; a specialty named twice counts its experts together.

        Raises:
            InvalidInput: ``instant.…``: the beginning, in the time of China or with an offset, is no single instant.
        """
        need: dict[str, int] = {}
        away: set[str] = set()
        for number in range(1, _NEEDS):
            stratum, count = self[f"stratum{number}"].data, self[f"need{number}"].data or 0
            if stratum and count:
                need[stratum] = need.get(stratum, 0) + count
                away |= {stratum} if self[f"away{number}"].data else set()
        traits = sorted(trait.value for trait in Trait if self[trait.value].data)
        return {
            **({"traits": traits} if traits else {}),
            **({"sites": [self._second()]} if away else {}),
            "evaluation_at": parse_instant(self.evaluation_at.data or "", CHINA),
            "large": bool(self.large.data),
            "place_en": self.place_en.data,
            "place_zh": self.place_zh.data,
            "representatives": self.representatives.data,
            "strata": [
                {"id": stratum, "need": need[stratum], **({"site": _SECOND} if stratum in away else {})}
                for stratum in sorted(need)
            ],
        }

    def _second(self) -> dict[str, str]:
        return {"id": _SECOND, "place_en": self.second_en.data or "", "place_zh": self.second_zh.data or ""}

    @override
    def validate(self, extra_validators: Any = None) -> bool:
        """Ask for the second place too when anybody sits there."""
        whole: bool = super().validate(extra_validators)
        if any(self[f"away{number}"].data for number in range(1, _NEEDS)):
            for field in (self.second_zh, self.second_en):
                if not field.data:
                    field.errors = [*field.errors, _("Name the place in both languages.")]
                    whole = False
        return whole


class BeginForm(StepUpForm):
    """Lengths of time of a draw, in minutes."""

    call = IntegerField(_("Time to answer a call, in minutes"), [InputRequired(), NumberRange(1, 1440)], default=30)
    commit = IntegerField(_("Time to commit, in minutes"), [InputRequired(), NumberRange(0, 1440)], default=10)
    reveal = IntegerField(_("Time to reveal, in minutes"), [InputRequired(), NumberRange(0, 1440)], default=5)

    @property
    def windows(self) -> Windows:
        """Return them as the use case takes them."""
        return Windows(
            call_ms=(self.call.data or 0) * _MINUTE_MS,
            commit_ms=(self.commit.data or 0) * _MINUTE_MS,
            reveal_ms=(self.reveal.data or 0) * _MINUTE_MS,
        )


class CancelForm(Form):
    """Why an attempt is cancelled; after the seal only causes that anybody can recompute."""

    reason = SelectField(
        _("Cause"),
        choices=[
            SelectChoice("wrong_plan", _("The plan must change")),
            SelectChoice("custodian_silent", _("A custodian does not answer")),
            SelectChoice("too_few_valid", _("Too few contributions are usable")),
            SelectChoice("unrecoverable", _("A contribution cannot be recovered")),
            SelectChoice("stopped", _("The procedure has ended")),
        ],
    )


class ReplaceForm(StepUpForm):
    """Who leaves the committee, by seat, and on which of the lawful grounds."""

    seat = SelectField(_("Seat"))
    reason = SelectField(
        _("Ground"),
        choices=[
            SelectChoice("absent", _("did not come")),
            SelectChoice("ill", _("fell ill")),
            SelectChoice("unable", _("cannot evaluate for another reason")),
            SelectChoice("conflict", _("has a conflict of interest")),
        ],
    )


class CallForm(Form):
    """An expert's answer to his call."""

    choice = RadioField(
        _("Your answer"),
        choices=[
            SelectChoice("accept", _("I will come")),
            SelectChoice("decline", _("I cannot come")),
            SelectChoice("conflict", _("I have a conflict of interest or am not qualified")),
        ],
        validators=[DataRequired()],
    )
    reason = SelectField(
        _("If you cannot come, the reason"),
        default="busy",
        choices=[
            SelectChoice("busy", _("another engagement")),
            SelectChoice("ill", _("illness")),
            SelectChoice("away", _("out of town")),
            SelectChoice("other", _("another reason")),
        ],
    )


class ContestForm(Form):
    """What an expert says about a record that he contests."""

    statement = TextAreaField(
        _("What happened instead"), [DataRequired(), Length(max=MOST_WORDS)], render_kw={"rows": 6}
    )


class DecideContestForm(StepUpForm):
    """The supervisor's decision about a contest."""

    decision = RadioField(
        _("Your decision"),
        choices=[
            SelectChoice("upheld", _("The record is false; the contest is upheld")),
            SelectChoice("dismissed", _("The record is right; the contest is dismissed")),
        ],
        validators=[DataRequired()],
    )


class SeatForm(StepUpForm):
    """The seat code from the mail; the fresh second factor makes the sign-in the member's own act."""

    seat_code = StringField(
        _("Seat code"),
        [DataRequired(), Length(max=64)],
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )
    promise = BooleanField(_("I promise this"))


class TakeForm(StepUpForm):
    """The buyer's representative takes the seat that his account was given; the promise is the same."""

    promise = BooleanField(_("I promise this"))


class DeclareForm(StepUpForm):
    """The declaration of interests once the bidders are known."""

    declaration = RadioField(
        _("Your declaration"),
        choices=[
            SelectChoice("none", _("I have no interest in any bidder and am not related to its head")),
            SelectChoice("conflict", _("I must recuse myself")),
        ],
        validators=[DataRequired()],
    )


class AppointForm(StepUpForm):
    """The buyer's representative: the login of his account, and his name for the result notice."""

    login = StringField(_("Login of the representative"), [DataRequired(), Length(max=100)])
    name = StringField(_("Name of the representative"), [DataRequired(), Length(max=100)])
