"""Forms of the bidder's desk. None of them has a field for a price: that never leaves the bidder's machine."""

from __future__ import annotations

from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from trading.audit.rules.proof import MAX_RECEIPT
from trading.web.forms import Form, StepUpForm
from trading.web.locale import lazy as _


class FollowForm(Form):
    """A button without fields; it carries the CSRF token."""


class ObjectionForm(Form):
    """The receipt that shows that there is a bid which the opening order does not list (SB1 S9.2)."""

    receipt = TextAreaField(
        _("Receipt of your bid (content of the file ending in .tlog-proof)"),
        [DataRequired(), Length(max=MAX_RECEIPT)],
        render_kw={"rows": 6, "spellcheck": "false", "autocomplete": "off"},
    )


class SealForm(StepUpForm):
    """It is the bidder who begins to seal (security 8: a fresh factor for each seal)."""
