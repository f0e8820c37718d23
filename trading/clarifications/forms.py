"""Forms of questions and answers."""

from __future__ import annotations

from typing import Final

from wtforms import HiddenField, IntegerField, RadioField, SelectField, TextAreaField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from trading.clarifications.rules.answering import LONGEST_ANSWER, Content, Effect
from trading.clarifications.rules.asking import LONGEST_QUESTION
from trading.web.forms import Form
from trading.web.locale import lazy as _

_LONGEST_NUMBER: Final = 9


class QuestionForm(Form):
    """A question about a tender; ``lot`` empty for all of them."""

    lot = SelectField(_("What it is about"))
    text = TextAreaField(_("Your question"), [DataRequired(), Length(max=LONGEST_QUESTION)], render_kw={"rows": 6})


class AnswerForm(Form):
    """An answer as everybody will read it. ``version`` is the one that the drafter had before him."""

    version = HiddenField(default="0")
    question_zh = TextAreaField(
        _("The question as everybody will read it, in Chinese"),
        [DataRequired(), Length(max=LONGEST_ANSWER)],
        render_kw={"rows": 4},
    )
    question_en = TextAreaField(_("The same in English"), [Length(max=LONGEST_ANSWER)], render_kw={"rows": 4})
    answer_zh = TextAreaField(
        _("The answer in Chinese"), [DataRequired(), Length(max=LONGEST_ANSWER)], render_kw={"rows": 6}
    )
    answer_en = TextAreaField(_("The answer in English"), [Length(max=LONGEST_ANSWER)], render_kw={"rows": 6})
    effect = RadioField(
        _("What it does to the documents"),
        choices=[
            SelectChoice(Effect.EXPLAINS.value, _("It explains what already stands in them")),
            SelectChoice(
                Effect.AFFECTS.value, _("It changes nothing, but bids may be prepared differently because of it")
            ),
            SelectChoice(Effect.AMENDS.value, _("They change: a correction notice says how")),
        ],
        default=Effect.EXPLAINS.value,
    )
    notice = IntegerField(_("Number of the correction notice"), [Optional(), NumberRange(min=1)])

    @property
    def version_read(self) -> int:
        """Return the version that the drafter had before him."""
        return _number(self.version.data)

    @property
    def content(self) -> Content:
        """Return what was typed as a value."""
        return Content(
            question_zh=(self.question_zh.data or "").strip(),
            question_en=(self.question_en.data or "").strip(),
            answer_zh=(self.answer_zh.data or "").strip(),
            answer_en=(self.answer_en.data or "").strip(),
            effect=Effect(self.effect.data),
            notice=self.notice.data,
        )


class PublishForm(Form):
    """The second person's button; ``version`` is the one that was read."""

    version = HiddenField(validators=[DataRequired()])

    @property
    def version_read(self) -> int:
        """Return the version that was read."""
        return _number(self.version.data)


def _number(text: str | None) -> int:
    """Return the number of a hidden field; 0, which is no version, for anything else."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else 0
