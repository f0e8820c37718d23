"""Public pages of draws: indices only while the result is secret, everything with its proofs after it (ux 5b, D11)."""

from __future__ import annotations

from flask import Blueprint, render_template

from trading.experts.service import pages
from trading.experts.views.desk import runtime
from trading.web.permissions import public

blueprint = Blueprint("draw_proofs", __name__)


@blueprint.get("/procedures/<reference>/draw")
@public
def proof(reference: str) -> str:
    """How the committee of a procedure was drawn; the same words for everybody until the result is determined."""
    with runtime().ledger.read() as conn:
        found = pages.public_page(conn, reference)
    return render_template("experts/proof.html", page=found, reference=reference)


@blueprint.get("/draws/public")
@public
def sealed() -> str:
    """The draws whose contributions are sealed, by their random names."""
    with runtime().ledger.read() as conn:
        found = pages.sealed_draws(conn)
    return render_template("experts/sealed.html", rows=found)


@blueprint.get("/draws/public/<draw>")
@public
def anonymous(draw: str) -> str:
    """One sealed draw: strata, sizes, exclusions as counts, contributions, seed, and the order of indices."""
    with runtime().ledger.read() as conn:
        found = pages.anonymous_page(conn, draw)
    return render_template("experts/anonymous.html", page=found)
