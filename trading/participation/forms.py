"""Forms of the bidder's desk. None of them has a field for a price: that never leaves the bidder's machine."""

from __future__ import annotations

from wtforms import RadioField, TextAreaField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length

from trading.audit.rules.proof import MAX_RECEIPT
from trading.participation.rules.practice import MINUTES
from trading.web.forms import Form, StepUpForm
from trading.web.locale import lazy as _


class FollowForm(Form):
    """A button without fields; it carries the CSRF token."""


class PracticeForm(Form):
    """How long bids are taken in a practice tender; there is nothing else to choose."""

    minutes = RadioField(
        _("How long do you want to take bids?"),
        [DataRequired()],
        coerce=int,
        choices=[
            SelectChoice(minutes, label)
            for minutes, label in zip(
                MINUTES, (_("10 minutes"), _("30 minutes"), _("2 hours"), _("24 hours")), strict=True
            )
        ],
        default=MINUTES[0],
    )


class ObjectionForm(Form):
    """The receipt that shows that there is a bid which the opening order does not list (SB1 S9.2)."""

    receipt = TextAreaField(
        _("Receipt of your bid (content of the file ending in .tlog-proof)"),
        [DataRequired(), Length(max=MAX_RECEIPT)],
        render_kw={"rows": 6, "spellcheck": "false", "autocomplete": "off"},
    )


class SealForm(StepUpForm):
    """It is the bidder who begins to seal (security 8: a fresh factor for each seal)."""
