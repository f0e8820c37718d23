"""Tender documents of a draft: attached, listed with size and digest, taken off again."""

from __future__ import annotations

from http import HTTPStatus

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from trading.agency import queries, service
from trading.agency.forms import ActForm, DocumentForm
from trading.agency.queries import WorkingDraft
from trading.agency.views.blueprint import blueprint, own_draft, page, runtime
from trading.agency.views.drafts import Page
from trading.documents.rules.media import EXTENSIONS, MAX_BYTES
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.web.downloads import attachment
from trading.web.limits import MIB, body_limit
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor


@blueprint.route("/drafts/<draft_id>/documents", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
@body_limit(MAX_BYTES + MIB)
def documents(draft_id: str) -> Page | Response:
    """Attach files, one at a time; each is checked and hashed when it arrives."""
    draft, form = own_draft(draft_id), DocumentForm()
    if form.validate_on_submit():
        file = form.file.data
        try:
            taken = service.add_document(
                runtime().ledger, runtime().objects, current_actor(), draft, file.filename or "", file.stream
            )
        except (InvalidInput, RuleBroken) as refusal:
            form.refuse(refusal, "file")
        else:
            flash(_("Attached: %(name)s") % {"name": taken.name})
            return redirect(url_for("agency.documents", draft_id=draft_id), HTTPStatus.SEE_OTHER)
    return _page(draft, form)


def _page(draft: WorkingDraft, form: DocumentForm) -> Page:
    with runtime().ledger.read() as conn:
        found = queries.documents_of(conn, draft.id)
    return page(
        "documents.html",
        form,
        draft=draft,
        documents=found,
        act=ActForm(),
        extensions=", ".join(each.upper() for each in EXTENSIONS),
    )


@blueprint.post("/drafts/<draft_id>/documents/remove")
@allow(Role.AGENCY, relation="own_org")
def remove_document(draft_id: str) -> Response:
    """Take a file off the draft."""
    draft = own_draft(draft_id)
    if ActForm().validate_on_submit():
        service.drop_document(runtime().ledger, draft, request.form.get("name", ""))
    return redirect(url_for("agency.documents", draft_id=draft_id), HTTPStatus.SEE_OTHER)


@blueprint.get("/drafts/<draft_id>/documents/<digest>")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def draft_document(draft_id: str, digest: str) -> Response:
    """Download a file of a draft as it will be published."""
    draft = own_draft(draft_id)
    with runtime().ledger.read() as conn:
        found = next((each for each in queries.documents_of(conn, draft.id) if each.sha256 == digest), None)
    if found is None:
        raise NotFound(digest)
    return attachment(runtime().objects, found.name, found.media, found.sha256, found.size)
