"""The auditor's pages: bundles to take home, the log entry by entry, the full verification.

Looking at what is not public is an act of its own: it is a POST, and a record tells of it (security 9, F58).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, send_file, url_for
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from trading.audit import verifying
from trading.audit.entries import note_before, place
from trading.audit.queries import logged, logged_records
from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt, reader, receipt, record_access, token_beside, witnessed
from trading.audit.tables import audit_entry
from trading.audit.verifying import Run
from trading.disclosure import views
from trading.disclosure.explorer import POSITION
from trading.disclosure.rules.tiers import Tier
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.notices.queries.page import page
from trading.notices.rules.records import AT_ONCE
from trading.receipts.views import PDF, PROOF, download
from trading.supervision import queries
from trading.supervision.queries import Scope, Told, Wish
from trading.supervision.rules.visibility import Secrecy
from trading.web import streams
from trading.web.downloads import STAMP_TYPE, evidence_file
from trading.web.forms import Form
from trading.web.permissions import allow, current_actor
from trading.web.streams import Shared

blueprint = Blueprint("auditor", __name__, url_prefix="/audit")

EVERYTHING: Final = Scope(supervisor=None)
_LONGEST: Final = 80
_COMMITMENT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The newest verifications. Numbers of entries are told only while nothing is sealed: they count bids (AL1 L6)."""

    newest: tuple[Run, ...]
    counted: bool

    @property
    def version(self) -> str:
        """Return the tag of what a page shows of them."""
        return sha256_hex(repr((self.newest, self.counted)).encode())[:16]

    @property
    def going(self) -> bool:
        """Whether one waits or runs."""
        return any(run.state != "done" for run in self.newest)


_RUNS: Final[Shared[Runs]] = Shared()


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


def _runs(runtime: Runtime) -> Runs:
    def make() -> Runs:
        with runtime.ledger.read() as conn:
            return Runs(newest=tuple(verifying.newest(conn)), counted=not queries.is_sealed_anywhere(conn))

    return _RUNS.get(id(runtime), make)


@blueprint.get("")
@allow(Role.AUDITOR)
def index() -> str:
    """Bundles to download, the newest verification, and where to look further."""
    with _runtime().ledger.read() as conn:
        found = queries.watched(conn, EVERYTHING)
    ready = [each for each in found if each.secrecy is Secrecy.OVER and any(lot.step for lot in each.lots)]
    waiting = [each for each in found if each.secrecy is not Secrecy.OVER]
    return render_template("disclosure/auditor.html", ready=ready, waiting=waiting, form=Form(), runs=_runs(_runtime()))


@blueprint.post("/bundles/<reference>")
@allow(Role.AUDITOR, privileged=True)
def bundle(reference: str) -> Response:
    """Hand out the auditor's bundle of one procedure; that it was handed out, and to whom, is recorded."""
    with _runtime().ledger.read() as conn:
        shown = page(conn, reference, _runtime().clock.now_ms())
    if not shown.complete:
        raise NotFound(f"bundle of {reference}")
    newest, note = shown.log[-1], witnessed(_runtime())
    if newest.n is None or note is None or note.size <= newest.n:
        raise RuleBroken("log.not_witnessed", "AL1 L7.3")
    record_access(_runtime().ledger, current_actor(), f"bundle.auditor:{reference}")
    path = views.made(reference, newest.h, newest.n, Tier.AUDIT)
    return send_file(path, as_attachment=True, download_name=f"{reference}-audit.zip", mimetype="application/zip")


@blueprint.get("/log")
@allow(Role.AUDITOR)
def log() -> str | AnyResponse:
    """The log of all procedures with filters; what is sealed is not in it yet. A position or commitment leads to it."""
    sought = request.args.get("sought", "").strip()[:_LONGEST]
    if (target := _target(sought)) is not None:
        return redirect(target)
    asked = {name: request.args.get(name, "").strip()[:_LONGEST] or None for name in ("reference", "kind", "before")}
    wish = Wish(**asked)
    with _runtime().ledger.read() as conn:
        told = queries.log_page(conn, EVERYTHING, wish)
        kinds = queries.kinds_told(conn, EVERYTHING)
        general = queries.general_page(conn) if wish == Wish() else []
    older = None
    if len(told) >= queries.PAGE:
        older = url_for("auditor.log", reference=wish.reference, kind=wish.kind, before=told[-1].h)
    return render_template(
        "disclosure/log.html", told=told, wish=wish, kinds=kinds, general=general, older=older, sought=sought
    )


def _target(sought: str) -> str | None:
    """Return the page of an entry by position or commitment; None if the text is neither.

    A position whose record may not be told leads to the explorer, which shows what everybody may see of it.
    """
    if POSITION.fullmatch(sought):
        with _runtime().ledger.read() as conn:
            for found in logged_records(conn, int(sought), int(sought) + 1):
                with suppress(NotFound):
                    if queries.one_record(conn, EVERYTHING, found.h.hex())[2]:
                        return url_for("auditor.record", h=found.h.hex())
        return url_for("explorer.entry", n=int(sought))
    return url_for("auditor.record", h=sought) if _COMMITMENT.fullmatch(sought) else None


@blueprint.route("/log/<h>", methods=["GET", "POST"])
@allow(Role.AUDITOR, privileged=True)
def record(h: str) -> str:
    """One record: its place and proof, and what it says; to be shown what is not public is an act and is recorded."""
    form, shown = Form(), None
    with _runtime().ledger.read() as conn:
        told, content, placed = queries.one_record(conn, EVERYTHING, h)
        found = logged(conn, audit_entry.c.h == bytes.fromhex(h)) if placed else []
        issued = receipt(conn, reader(_runtime().log_dir), bytes.fromhex(h)) if placed else None
    is_public, files = told.kind in AT_ONCE, reader(_runtime().log_dir)
    if found and (covering := files.covering(found[0].n)) is not None:
        earlier = note_before(files, found[0].n)
        shown = place(_runtime(), found[0].n, covering[0], record=found[0], earlier=earlier)
    is_opened = not is_public and form.validate_on_submit()
    if is_opened:
        record_access(_runtime().ledger, current_actor(), f"record:{told.reference or ''}:{h}")
    return render_template(
        "disclosure/record.html",
        told=told,
        content=content if is_public or is_opened else None,
        place=shown,
        issued=issued,
        is_public=is_public,
        form=form,
    )


@blueprint.route("/log/<h>.pdf", methods=["GET", "POST"], defaults={"form": PDF})
@blueprint.route("/log/<h>.tlog-proof", methods=["GET", "POST"], defaults={"form": PROOF})
@allow(Role.AUDITOR, privileged=True)
def proof(h: str, form: str) -> Response:
    """The receipt of a record, also to print (AL1 L8.1, L8.2).

    It holds the record: one that is not public is asked for, and recorded.
    """
    told, issued = _receipt(h)
    if told.kind not in AT_ONCE:
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        record_access(_runtime().ledger, current_actor(), f"proof:{told.reference or ''}:{h}")
    return download(_runtime(), issued, form)


@blueprint.get("/log/<h>/<file>")
@allow(Role.AUDITOR)
def token(h: str, file: str) -> Response:
    """A time-stamp token over the checkpoint of that receipt (TE1 T8); it holds nothing of the record."""
    return evidence_file(token_beside(reader(_runtime().log_dir), _receipt(h)[1], file), file, STAMP_TYPE)


def _receipt(h: str) -> tuple[Told, IssuedReceipt]:
    with _runtime().ledger.read() as conn:
        told, _content, placed = queries.one_record(conn, EVERYTHING, h)
        issued = receipt(conn, reader(_runtime().log_dir), bytes.fromhex(h)) if placed else None
    if issued is None:
        raise NotFound(h)
    return told, issued


@blueprint.route("/verification", methods=["GET", "POST"])
@allow(Role.AUDITOR)
def verification() -> str | AnyResponse:
    """Start the full verification and follow its bar; the page may be closed meanwhile."""
    form = Form()
    if form.validate_on_submit():
        verifying.ask(_runtime().ledger, current_actor())
        return redirect(url_for("auditor.verification"), HTTPStatus.SEE_OTHER)
    runs = _runs(_runtime())
    return render_template(
        "disclosure/verification.html",
        runs=runs,
        form=form,
        now=_runtime().clock.now_ms(),
        refresh="refresh" in request.args,
    )


@blueprint.get("/verification/state")
@allow(Role.AUDITOR)
def verification_state() -> Response:
    """Return how far the newest verification is."""
    runs = _runs(_runtime())
    return streams.state(
        runs.version, _runtime().clock.now_ms(), lambda: render_template("disclosure/_runs.html", runs=runs)
    )


@blueprint.get("/verification/events")
@allow(Role.AUDITOR)
def verification_events() -> Response:
    """Tell a page when the bar has moved."""
    runtime, version = _runtime(), ""

    def look() -> Iterator[str]:
        nonlocal version
        runs = _runs(runtime)
        if runs.version != version:
            version = runs.version
            yield streams.message("state", {"version": version})

    return streams.respond(look, runtime.clock.now_ms)
