"""Forms of pages: CSRF for everybody with a session, bilingual messages, an error summary, the step-up code (ux 5.1).

A form keeps what was typed. Its messages come from the catalogues, those of WTForms included, because several of its
words are banned by ux 5.2. A program that calls the API brings a token instead of a session and needs no CSRF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, request
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden
from wtforms import Field, StringField, ValidationError
from wtforms.validators import DataRequired

from trading.kernel.errors import InvalidInput, RuleBroken
from trading.web import errors, permissions, refusals
from trading.web.locale import current_language
from trading.web.locale import lazy as _

#: Checks a step-up code of an account and spends it; raises ``RuleBroken("code.…")``. Given by the application.
Confirm: TypeAlias = Callable[[str, str], None]
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# What WTForms says, in our words.
_BUILT_IN: Final = {
    "This field is required.": _("Fill in this field"),
    "Not a valid choice.": _("Choose one of the options"),
    "Not a valid choice": _("Choose one of the options"),
    "Invalid Choice: could not coerce.": _("Choose one of the options"),
    "Not a valid integer value.": _("Enter a whole number, such as 30"),
    "Not a valid decimal value.": _("Enter a number, such as 12.50"),
    "Not a valid date value.": _("Enter a date, such as 2026-05-12"),
    "Not a valid datetime value.": _("Enter date and time, such as 2026-05-12 09:30"),
    "Invalid email address.": _("Enter an e-mail address, such as name@example.com"),
}
_OTHER: Final = _("This value does not fit; check it against the hint")


class _Messages:
    """The catalogue that WTForms asks for its own messages."""

    def gettext(self, message: str) -> str:
        """Return our text for a message of WTForms."""
        return str(_BUILT_IN.get(message, _OTHER))

    def ngettext(self, _singular: str, _plural: str, _count: int) -> str:
        """Lengths and bounds: the hint of the field names them."""
        return str(_OTHER)


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF carries no types
    """A form of a page. ``validate_on_submit()`` as in WTForms; a refusal of the use case joins the other errors."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Take messages from the catalogues."""

        def get_translations(self, _form: object) -> _Messages:
            """Return the source of WTForms' own messages."""
            return _Messages()

    def refuse(self, error: RuleBroken | InvalidInput, field: str | None = None) -> None:
        """Show why the use case refused, at ``field`` or above the form; everything typed stays.

        The page that shows the form again should answer 422.
        """
        text = refusals.find(error.code, "rule").say(current_language(), error.facts)
        message = f"{text.happened} {text.next}" if current_language() == "en" else text.happened + text.next
        if field is None:
            self.form_errors.append(message)
        else:
            target = self[field]
            target.errors = [*target.errors, message]

    @property
    def problems(self) -> list[tuple[str | None, str]]:
        """Return (id of the field or None, message) for the summary on top, in the order of the page."""
        return [*((None, str(message)) for message in self.form_errors), *_problems(self)]


def _problems(fields: Iterable[Any]) -> Iterator[tuple[str | None, str]]:
    """Yield the messages of fields, of the rows of a list and of forms inside forms."""
    for field in fields:
        if isinstance(field.errors, dict) or any(not isinstance(each, str) and _nested(each) for each in field.errors):
            yield from _problems(field)
        else:
            yield from ((field.id, str(message)) for message in field.errors)


def _nested(error: object) -> bool:
    return isinstance(error, dict | list | tuple)


def status_of(*forms: Form) -> HTTPStatus:
    """Return 422 for a page that shows a form again with what is wrong, else 200."""
    return HTTPStatus.UNPROCESSABLE_ENTITY if any(form.problems for form in forms) else HTTPStatus.OK


def spend_code(form: Form, field: Field) -> None:
    """Validate a step-up code: fresh, of the person who is signed in, spent by this very check (security 8)."""
    actor = permissions.current_actor()
    if form.form_errors or any(each.errors for each in form if each is not field):
        return  # the code stays good for the repeated attempt
    confirm: Confirm = current_app.extensions["confirm"]
    try:
        confirm(actor.account, field.data or "")
    except RuleBroken as error:
        text = refusals.find(error.code, "rule").say(current_language(), error.facts)
        raise ValidationError(text.happened + (" " if current_language() == "en" else "") + text.next) from error
    g.stepped_up = True


class StepUpForm(Form):
    """A form whose act needs a fresh second factor: the field ``code``; declare its route ``step_up=True``.

    Declare ``code`` last by inheriting from this class: it is only spent when nothing else is amiss.
    """

    code = StringField(
        _("Six-digit code or recovery code"),
        [DataRequired(), spend_code],
        render_kw={"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false", "maxlength": 20},
    )

    def validate(self, extra_validators: dict[str, list[Any]] | None = None) -> bool:
        """Validate every other field first, so that a typing error costs no code."""
        self._fields["code"] = self._fields.pop("code")
        return bool(super().validate(extra_validators))


def spoken(field: Field, described: str) -> dict[str, str]:
    """Return the attributes that join a control to its hint and its message."""
    wrong = {"aria-invalid": "true"} if field.errors else {}
    return wrong | ({"aria-describedby": described.strip()} if described.strip() else {})


def install(app: Flask, *, exempt: Iterable[Blueprint]) -> None:
    """Check origin and CSRF token of every state-changing request of a page (security 7.3).

    Args:
        app: The application.
        exempt: Blueprints of the API, which never look at a session.
    """
    app.config.update(WTF_CSRF_TIME_LIMIT=None)  # as long as the session, so that a long draft is not lost
    free = frozenset(blueprint.name for blueprint in exempt)
    app.extensions["api"] = free
    app.jinja_env.globals["spoken"] = spoken

    @app.before_request
    def same_site() -> None:
        if request.method in _SAFE or request.endpoint is None or request.blueprint in free:
            return
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if foreign or site not in {None, "same-origin", "none"}:
            raise Forbidden

    protection = CSRFProtect(app)
    for blueprint in exempt:
        protection.exempt(blueprint)
    app.register_error_handler(CSRFError, _expired)


def _expired(_error: CSRFError) -> Response:
    return errors.respond(errors.problem_of(InvalidInput("form.expired", "csrf")))
