"""Help: words explained, and every refusal code with its text (ux 4.5 page 23). Knows no business noun."""

from __future__ import annotations

from flask import Blueprint, render_template

from trading.web import refusals
from trading.web.locale import current_language
from trading.web.permissions import public

blueprint = Blueprint("help", __name__)


@blueprint.get("/help")
@public
def index() -> str:
    """The help page: how it works, glossary, accessibility, privacy, contact."""
    return render_template("help/index.html")


@blueprint.get("/help/codes")
@public
def codes() -> str:
    """Every refusal code with what it means; problem documents link here."""
    language = current_language()
    rows = [(code, refusal.texts[language]) for code, refusal in sorted(refusals.catalogue().items())]
    return render_template("help/codes.html", rows=rows)
