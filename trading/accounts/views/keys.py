"""Device keys of the person's organisation: enrolled in the browser or by a program, revoked by a signature (P6.2)."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from trading.accounts import service as accounts
from trading.accounts.forms import EnrolmentForm, KeyRequestForm, RevocationForm
from trading.accounts.service import requests
from trading.accounts.service.keys import KEY_ROLES, key_roles_of, keys_of_organisation
from trading.accounts.views.blueprint import blueprint, done, me, runtime, status_of
from trading.kernel.clock import SystemClock
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.parties import service as parties
from trading.parties.model import SigningKey
from trading.parties.rules.documents import make_key_revoke
from trading.web.locale import gettext as _
from trading.web.permissions import allow
from trading.web.signing import signed_documents, takes_documents

_HOLDERS = tuple(KEY_ROLES)
_REASON = "revoked by its organisation"


@blueprint.route("/account/keys/new", methods=["GET", "POST"])
@allow(*_HOLDERS, step_up=True)
def new_key() -> tuple[str, int]:
    """Ask for a challenge with a fresh second factor; the answer is the page on which the key is made."""
    form = KeyRequestForm()
    form.role.choices = [(role, role) for role in key_roles_of(me().actor)]
    if form.validate_on_submit():
        person = me()
        account, challenge = accounts.issue_challenge(runtime().ledger, person.actor.account)
        enrolment = EnrolmentForm(formdata=None, role=form.role.data)
        return render_template(
            "accounts/enrol.html",
            form=enrolment,
            role=form.role.data,
            account=account,
            org=person.actor.organisation,
            challenge=challenge.hex(),
        ), 200
    return render_template("accounts/key.html", form=form), status_of(form)


@blueprint.post("/account/keys")
@allow(*_HOLDERS)
def enrol_key() -> Response:
    """Take the enrolment document that the new key signed."""
    form = EnrolmentForm()
    raw = form.file.data.read().strip() if form.file.data else (form.document.data or "").encode()
    signed = SignedDocument.from_wire(raw)
    if requests.ask_key(runtime().ledger, me().actor, signed):
        return done(_("The key is registered: an active key of your organisation vouched for it."), "accounts.account")
    return done(
        _("The key has proved itself. Two people of the service desk now register it; until then it cannot sign."),
        "accounts.account",
    )


@blueprint.get("/account/keys")
@allow(*_HOLDERS)
def keys() -> Response:
    """Send whoever reloads the enrolment page back to the account."""
    return redirect(url_for("accounts.account"))


@blueprint.route("/account/keys/<kid>/revoke", methods=["GET", "POST"])
@allow(*_HOLDERS, relation="own_org", step_up=True)
@takes_documents
def revoke_key(kid: str) -> tuple[str, int] | Response:
    """Sign the revocation of a key with any active key of the organisation."""
    key, form, ledger = _own_key(kid), RevocationForm(), runtime().ledger
    if form.validate_on_submit():
        try:
            parties.revoke_key_by_document(ledger, me().actor, signed_documents(form)[0])
        except (RuleBroken, InvalidInput, NotPermitted) as error:
            if isinstance(error, NotPermitted):
                raise
            form.refuse(error)
        else:
            return done(_("The key is revoked. What it signed before stays as it is."), "accounts.account")
    document = make_key_revoke(kid=key.kid, reason=_REASON, created=SystemClock().now_ms())
    form.put([(_("Revocation of a key"), document)])
    return render_template("accounts/revoke.html", form=form, key=key), status_of(form)


def _own_key(kid: str) -> SigningKey:
    for key in keys_of_organisation(runtime().ledger, me().actor.organisation or ""):
        if key.kid == kid and key.active:
            return key
    raise NotFound(kid)
