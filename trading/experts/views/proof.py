"""Public pages of draws: indices only while the result is secret, everything with its proofs after it (ux 5b, D11)."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template

from trading.experts.queries import disclosed_records
from trading.experts.service import pages
from trading.experts.views.desk import runtime
from trading.receipts.service import offer
from trading.web.permissions import public

blueprint = Blueprint("draw_proofs", __name__)

# The records whose receipts stand on the page; those of single calls and checks are in the bundle.
_OFFERED: Final = frozenset({
    "draw.cancelled", "draw.committed", "draw.disclosed", "draw.policy_fixed", "draw.recovered", "draw.result",
    "draw.revealed", "draw.sealed", "draw.seeded", "draw.specified",
})  # fmt: skip


@blueprint.get("/procedures/<reference>/draw")
@public
def proof(reference: str) -> str:
    """How the committee of a procedure was drawn; the same words for everybody until the result is determined."""
    with runtime().ledger.read() as conn:
        found = pages.public_page(conn, reference)
        records = [] if found is None else disclosed_records(conn, found.draw)
    offers = [
        offer(runtime(), kind=each.kind, lot=None, at=each.data["at"], h=each.h.hex(), n=each.n)
        for each in records
        if each.kind in _OFFERED
    ]
    return render_template("experts/proof.html", page=found, reference=reference, offers=offers)


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
