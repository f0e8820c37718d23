"""The evidence bundle of a procedure for everyone, once its opening is complete (AL1 L12.1, SB1 S11).

A bundle is made when the first reader asks and kept until the procedure has another record, so that many readers cost
no more than one. A demonstration also hands out what bidders get: its notice says so. A bidder gets besides what proves
the result of its own bid.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Final, cast

from flask import Blueprint, Response, current_app, send_file

from trading.audit.queries import anchors_of
from trading.audit.runtime import Runtime
from trading.audit.service import reader, witnessed
from trading.bids import queries as bids
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_draw, export_procedure
from trading.experts import queries as experts
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.kernel.signed import SignedDocument
from trading.notices.queries.page import page
from trading.procedures import queries as procedures
from trading.web.permissions import allow, current_actor, public

blueprint = Blueprint("disclosure", __name__)

# One bundle is made at a time in a process, because making one reads every proof of its procedure.
_MAKING: Final = threading.Lock()
_STAGE: Final = "all"


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/procedures/<reference>/bundle.zip")
@public
def bundle(reference: str) -> Response:
    """Everything public about a procedure, with its proofs and the program that checks them."""
    path = made(reference, *_newest(reference), _tier())
    return send_file(path, as_attachment=True, download_name=f"{reference}.zip", mimetype="application/zip")


@blueprint.get("/procedures/<reference>/lots/<lot>/evidence.zip")
@allow(Role.BIDDER, relation="own_bid")
def evidence(reference: str, lot: str) -> Response:
    """The evidence of the result of the own bid: with this file alone a third person recomputes it (SB1 S10, S11)."""
    with _runtime().ledger.read() as conn:
        own = bids.own_bids(conn, current_actor().organisation or "")
    here = (reference, lot, _STAGE)
    bid = next((each.reference for each in own if (each.procedure, each.lot, each.stage) == here), None)
    if bid is None:
        raise NotFound(f"bid for {reference}")
    return evidence_of(reference, bid)


def evidence_of(reference: str, bid: str) -> Response:
    """Return the evidence of the result of one bid as a file; the caller has made sure whose bid it is.

    Raises:
        NotFound: The opening is not complete, or does not list the bid.
    """
    path = made(reference, *_newest(reference), _tier(), bid)
    name = f"{reference}-{bid}.zip"
    response = send_file(path, as_attachment=True, download_name=name, mimetype="application/zip")
    response.headers["Cache-Control"] = "no-store"  # it holds what opens this bid
    return response


def _tier() -> Tier:
    return Tier.BIDDERS if _runtime().demo else Tier.PUBLIC


def _newest(reference: str) -> tuple[str, int]:
    """Return commitment and position of the newest record of a procedure whose opening is complete."""
    with _runtime().ledger.read() as conn:
        shown = page(conn, reference, _runtime().clock.now_ms())
    if not shown.complete:
        raise NotFound(f"bundle of {reference}")
    newest, note = shown.log[-1], witnessed(_runtime())
    if newest.n is None or note is None or note.size <= newest.n:
        raise RuleBroken("log.not_witnessed", "AL1 L7.3")  # in a moment; a bundle without the newest record would stay
    return newest.h, newest.n


@blueprint.get("/procedures/<reference>/draw.zip")
@public
def draw_bundle(reference: str) -> Response:
    """The bundle of the draw of a procedure's committee, once its result is determined (ED1 D11)."""
    with _runtime().ledger.read() as conn:
        procedure = procedures.find(conn, reference)
        rows = [row for row in experts.draws_of(conn, procedure.id) if row.state == "disclosed"]
        named = experts.panel_of(conn, procedure.id)
    if not rows or not named:
        raise NotFound(f"draw of {reference}")
    draw, folder = rows[-1].draw, cast("Path", current_app.extensions["bundles"])
    path = folder / f"{draw}-{len(rows)}.zip"
    with _MAKING:
        if not path.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            fresh = folder / f"{secrets.token_hex(8)}.part"
            export_draw(_runtime(), draw, Tier.PUBLIC, fresh, _extras())
            fresh.replace(path)
    return send_file(path, as_attachment=True, download_name=f"{reference}-draw.zip", mimetype="application/zip")


def made(reference: str, newest_h: str, newest_n: int, tier: Tier, bid: str | None = None) -> Path:
    """Return the bundle of a tier that holds the record ``newest_h`` at position ``newest_n``, for the bidder of a bid.

    It is made anew when that record gets another time stamp. Older ones of the tier are removed.
    """
    folder = cast("Path", current_app.extensions["bundles"])
    name = f"{reference}-{tier.value}" if bid is None else f"{reference}-of-{bid}"
    path = folder / f"{name}-{newest_h[:16]}-{_stamps(newest_n)}.zip"
    with _MAKING:
        if not path.exists():
            extras = _extras()
            folder.mkdir(mode=0o700, exist_ok=True)
            fresh = folder / f"{secrets.token_hex(8)}.part"
            try:
                export_procedure(_runtime(), reference, tier, fresh, extras, bid=bid)
                for old in folder.glob(f"{name}-*.zip"):
                    old.unlink(missing_ok=True)  # a reader who is still downloading keeps the open file
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
    return path


def _stamps(n: int) -> int:
    """Return how many time stamps over the first stamped checkpoint with entry ``n`` a bundle can show by now."""
    log, note = reader(_runtime().log_dir).of(n), witnessed(_runtime())
    size = log.tokens.first_after(n - log.base)
    if size is None or note is None:
        return 0
    with _runtime().ledger.read() as conn:
        return sum(each.n < note.size for each in anchors_of(conn, size, base=log.base))


def _extras() -> BundleExtras:
    """Return the verifier and the trust file; without a trust file there is no bundle to hand out."""
    trust = trust_file()
    if trust is None:
        raise NotFound("trust file")
    verifier = cast("bytes", current_app.extensions["verifier"]())
    return BundleExtras(verifier=verifier, trust=trust.doc, trust_sigs=trust.sigs_bytes)


def trust_file() -> SignedDocument | None:
    """Return the supervisor's trust file as it was handed to this installation (P8); None if it was not."""
    return cast("SignedDocument | None", current_app.extensions["trust_file"]())
