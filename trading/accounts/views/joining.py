"""Before there is a sign-in: registering an organisation, and the link with which an account is set up."""

from __future__ import annotations

import io
from base64 import b64encode

import segno
from flask import render_template, request
from werkzeug.wrappers import Response

from trading.accounts.forms import RegisterForm, SetupForm
from trading.accounts.rules.codes import provisioning_uri
from trading.accounts.rules.requests import FIRST_ROLE
from trading.accounts.service import credentials, requests
from trading.accounts.service.credentials import Setup, SetupKind
from trading.accounts.views.blueprint import blueprint, runtime, status_of
from trading.kernel.errors import RuleBroken
from trading.web.locale import gettext as _
from trading.web.permissions import public

_ISSUER = "Mingbiao"


@blueprint.route("/register", methods=["GET", "POST"])
@public
def register() -> tuple[str, int] | Response:
    """Ask to register an organisation. The answer is the same whether it is known or not."""
    form = RegisterForm()
    titles = {
        "bidder": _("Bidder"),
        "agency": _("Agency or buyer"),
        "supervisor": _("Supervising authority"),
        "authority": _("Regulator of experts"),
        "centre": _("Trading centre"),
        "custodian": _("Custodian of opening keys"),
    }
    form.role.choices = [(role, titles[role]) for role in FIRST_ROLE]
    if form.validate_on_submit():
        fields = ("code", "name_zh", "name_en", "role", "name", "mail", "login")
        body = {name: str(form[name].data or "").strip() for name in fields}
        try:
            number = requests.ask_organisation(runtime().ledger, body, address=request.remote_addr or "")
        except RuleBroken as error:
            form.refuse(error, "code" if error.code == "organisation.code_wrong" else None)
        else:
            return render_template("accounts/registered.html", number=number, name=body["name_zh"]), 200
    return render_template("accounts/register.html", form=form), status_of(form)


@blueprint.route("/account/setup/<token>", methods=["GET", "POST"])
@public
def setup(token: str) -> tuple[str, int]:
    """Set password and second factor through a link that works once."""
    process, form = runtime(), SetupForm()
    found = credentials.setup_of(process.ledger, token)
    if form.validate_on_submit():
        try:
            codes = credentials.complete_setup(
                process.ledger,
                process.passwords,
                token,
                password=form.password.data or "",
                code=form.code.data or "",
            )
        except RuleBroken as error:
            form.refuse(error, "password" if error.code.startswith("password.") else "code")
        else:
            return render_template("accounts/set_up.html", codes=codes, login=found.login), 200
    return render_template("accounts/setup.html", form=form, setup=found, picture=_picture(found)), status_of(form)


def _picture(found: Setup) -> str:
    """Return the QR code for the authenticator as an address; empty when the authenticator is kept."""
    if found.kind is not SetupKind.FACTORS:
        return ""
    out = io.BytesIO()
    uri = provisioning_uri(found.secret, login=found.login, issuer=_ISSUER)
    segno.make(uri, error="m").save(out, kind="svg", scale=4, border=3, dark="#000", light="#fff", xmldecl=False)
    return "data:image/svg+xml;base64," + b64encode(out.getvalue()).decode()
