"""Pages in two steps: texts are written, then the documents made from them are signed and published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from trading.agency.forms import PublishForm
from trading.agency.views.blueprint import page
from trading.agency.views.drafts import Page
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.web.signing import signed_documents

OFFER = "offer"  # field that tells the second step from the first


def is_signing() -> bool:
    """Whether this request brings signatures."""
    return request.method == "POST" and OFFER in request.form


def offered(documents: Sequence[tuple[str, bytes]]) -> PublishForm:
    """Return a form that offers documents to be signed, whatever this request brought."""
    form = PublishForm(formdata=None)
    form.put(documents)
    return form


def signed(
    act: Callable[[list[SignedDocument]], object], *, done: str, back: str, title: str, values: Mapping[str, str]
) -> Page | Response:
    """Take the signed documents to an act; refused ones are offered again with the reason.

    Args:
        act: The use case.
        done: What is told when it has happened.
        back: Address to go to then.
        title: Of the page, if it is shown again.
        values: Further values of the template.
    """
    form = PublishForm()
    if form.validate_on_submit():
        try:
            act(signed_documents(form))
        except (RuleBroken, InvalidInput) as refusal:
            form.refuse(refusal)
        else:
            flash(done)
            return redirect(back, HTTPStatus.SEE_OTHER)
    try:
        form.again()
    except RuleBroken:
        return redirect(request.path, HTTPStatus.SEE_OTHER)  # too old to be signed: a new one is made
    return page("sign.html", form, title=title, back=back, **values)


def procedure_url(reference: str) -> str:
    """Return the address of the desk's page of a procedure."""
    return url_for("agency.procedure", reference=reference)
