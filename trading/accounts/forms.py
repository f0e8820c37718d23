"""Forms of signing in and of the account pages."""

from __future__ import annotations

from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from trading.web.forms import Form
from trading.web.locale import lazy as _

_CODE = {"autocomplete": "one-time-code", "spellcheck": "false", "maxlength": 20}


class SignInForm(Form):
    """Login, password and code at once, so that no step says which of them did not fit."""

    login = StringField(
        _("User name"),
        [DataRequired(), Length(max=100)],
        render_kw={"autocomplete": "username", "spellcheck": "false", "autocapitalize": "none"},
    )
    password = PasswordField(
        _("Password"), [DataRequired(), Length(max=200)], render_kw={"autocomplete": "current-password"}
    )
    code = StringField(_("Six-digit code or recovery code"), [DataRequired()], render_kw=_CODE)
