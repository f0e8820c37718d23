"""What the synthetic bidders tell of the platform (TE1 T6): whoever else asks finds nothing there."""

from __future__ import annotations

from flask import Blueprint, Response

from trading.api import tokens
from trading.api.bodies import answer, body, list_member, runtime
from trading.bids import probing
from trading.bids.rules.probing import parse_rounds
from trading.kernel.roles import Role
from trading.web.permissions import allow

blueprint = Blueprint("availability", __name__, url_prefix="/api/v1")


@blueprint.post("/availability")
@allow(Role.BIDDER, relation="own_org")
@tokens.scoped("write:bids")
def tell() -> Response:
    """Record the rounds of a vantage point, in order and once; ``told_until`` says which it need not tell again."""
    rounds = parse_rounds(list_member(body(), "rounds"))
    return answer({"told_until": probing.tell(runtime().ledger, tokens.actor(), rounds)})
