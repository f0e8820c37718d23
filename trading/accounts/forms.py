"""Forms of signing in, of the account pages, of registration and of the service desk."""

from __future__ import annotations

from flask_wtf.file import FileField
from wtforms import HiddenField, PasswordField, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, EqualTo, Length, Regexp

from trading.web.forms import Form, StepUpForm
from trading.web.locale import lazy as _
from trading.web.signing import SigningForm

_PLAIN = {"spellcheck": "false", "autocapitalize": "none"}
_CODE = {"autocomplete": "one-time-code", "spellcheck": "false", "maxlength": 20}
_MAIL = Regexp(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z", message=_("Enter an e-mail address, such as name@example.com"))
_LOGIN = Regexp(
    r"[a-z][a-z0-9._-]{2,39}\Z",
    message=_("3 to 40 small letters, digits, dots or hyphens, beginning with a letter, such as li.wen"),
)


class SignInForm(Form):
    """Login, password and code at once, so that no step says which of them did not fit."""

    login = StringField(
        _("User name"), [DataRequired(), Length(max=100)], render_kw={"autocomplete": "username", **_PLAIN}
    )
    password = PasswordField(
        _("Password"), [DataRequired(), Length(max=200)], render_kw={"autocomplete": "current-password"}
    )
    code = StringField(_("Six-digit code or recovery code"), [DataRequired()], render_kw=_CODE)


class SetupForm(Form):
    """Choose a password; the code proves the authenticator, the new one or the one kept."""

    password = PasswordField(
        _("New password"), [DataRequired(), Length(max=200)], render_kw={"autocomplete": "new-password"}
    )
    repeated = PasswordField(
        _("New password once more"),
        [DataRequired(), EqualTo("password", message=_("The two passwords differ"))],
        render_kw={"autocomplete": "new-password"},
    )
    code = StringField(_("Six-digit code"), [DataRequired()], render_kw=_CODE)


class PasswordForm(StepUpForm):
    """Change the password."""

    old = PasswordField(_("Present password"), [DataRequired()], render_kw={"autocomplete": "current-password"})
    new = PasswordField(
        _("New password"), [DataRequired(), Length(max=200)], render_kw={"autocomplete": "new-password"}
    )
    repeated = PasswordField(
        _("New password once more"),
        [DataRequired(), EqualTo("new", message=_("The two passwords differ"))],
        render_kw={"autocomplete": "new-password"},
    )


class TokenForm(StepUpForm):
    """Ask for a token of the API."""

    name = StringField(_("What it is for"), [DataRequired(), Length(max=60)])
    scopes = SelectMultipleField(_("What it may do"), [DataRequired(message=_("Choose at least one"))])


class KeyRequestForm(StepUpForm):
    """Ask for a challenge for a device key."""

    role = RadioField(_("The key signs as"), [DataRequired(message=_("Choose one of the options"))])


class EnrolmentForm(Form):
    """Hand in the enrolment document that the key signed: written by the script, or uploaded."""

    role = HiddenField()
    document = HiddenField()
    file = FileField(_("Signed enrolment (*.signed.json)"))


class RevocationForm(StepUpForm, SigningForm):
    """Sign the revocation of a key."""


class UserForm(StepUpForm):
    """Ask for one more account of the own organisation."""

    name = StringField(_("Full name"), [DataRequired(), Length(max=60)], render_kw={"autocomplete": "off"})
    login = StringField(_("User name"), [DataRequired(), _LOGIN], render_kw={"autocomplete": "off", **_PLAIN})
    mail = StringField(_("E-mail"), [DataRequired(), _MAIL], render_kw={"autocomplete": "off", "inputmode": "email"})
    role = RadioField(_("Role"), [DataRequired(message=_("Choose one of the options"))])


class RegisterForm(Form):
    """Register an organisation with its first account."""

    code = StringField(
        _("Unified social credit code (18 characters)"),
        [DataRequired()],
        filters=[lambda text: (text or "").strip().upper()],
        render_kw={"maxlength": 18, **_PLAIN},
    )
    name_zh = StringField(
        _("Name of the organisation"), [DataRequired(), Length(max=120)], render_kw={"autocomplete": "organization"}
    )
    name_en = StringField(_("Name in English"), [Length(max=120)])
    role = RadioField(_("You take part as"), [DataRequired(message=_("Choose one of the options"))])
    name = StringField(_("Your name"), [DataRequired(), Length(max=60)], render_kw={"autocomplete": "name"})
    mail = StringField(
        _("Your e-mail"), [DataRequired(), _MAIL], render_kw={"autocomplete": "email", "inputmode": "email"}
    )
    login = StringField(
        _("User name you would like"), [DataRequired(), _LOGIN], render_kw={"autocomplete": "username", **_PLAIN}
    )


class DecisionForm(StepUpForm):
    """Approve a request, or an act of the desk on an account."""


class RefusalForm(Form):
    """Refuse a request."""

    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=500)])


class ReasonForm(StepUpForm):
    """Take a role away, or close an account."""

    reason = TextAreaField(_("Reason"), [DataRequired(), Length(max=500)])
