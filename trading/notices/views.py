"""Pages of what the public reads. Every view is a URL, none needs a script or an account (NOT-34, ux 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt, reader, receipt, token_beside
from trading.awards.rules.dot_plot import DotPlot, Priced, dot_plot
from trading.clarifications import queries as clarifications
from trading.clarifications.rules.asking import cutoff
from trading.kernel.canonical import dumps
from trading.kernel.encoding import hex_bytes
from trading.kernel.errors import NotFound
from trading.notices import hall
from trading.notices.printing import opening_pdf
from trading.notices.queries import log, publications, texts
from trading.notices.queries import page as pages
from trading.notices.queries import result as results
from trading.notices.queries import search as searches
from trading.notices.queries.opening_record import opening_record
from trading.notices.queries.values import Page
from trading.notices.rules import changes
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import ocid
from trading.notices.rules.progress import LotState, Stage
from trading.receipts.service import Offer, offer
from trading.receipts.views import PDF, PROOF, download
from trading.web.downloads import STAMP_TYPE, evidence_file, handed_out
from trading.web.instants import day_start
from trading.web.locale import pick
from trading.web.permissions import public

blueprint = Blueprint("notices", __name__)

MOST_TEXT = 100  # characters of a search text that are read
_LONGEST_PAGE = 9  # digits of a page number that are read; Python refuses to convert thousands of them
BUNDLE = "disclosure.bundle"
# The records whose receipts stand on the page of an opening and of a result; the others are in the log below each.
_OPENING: Final = frozenset({"open.ordered", "opening.completed", "opening.refused", "tender.closed"})
_RESULT: Final = frozenset({"award.determined", "bids.ranked", "contract.published", "result.published"})
IMMUTABLE = "public, max-age=31536000, immutable"


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/")
@public
def home() -> str:
    """The home page."""
    now = _runtime().clock.now_ms()
    with _runtime().ledger.read() as conn:
        found = searches.home(conn, now, day_start(now))
    return render_template("notices/home.html", home=found, now=now)


@blueprint.get("/procedures")
@public
def search() -> str:
    """The list of procedures; its filters are its address."""
    now = _runtime().clock.now_ms()
    with _runtime().ledger.read() as conn:
        found = searches.search(conn, _wish(), now)
    return render_template("notices/search.html", results=found, now=now, page_size=searches.PAGE_SIZE)


def _wish() -> searches.Filter:
    stage = request.args.get("stage", "")
    page = request.args.get("page", "")
    return searches.Filter(
        stage=Stage(stage) if stage in set(Stage) else None,
        text=request.args.get("q", "").strip()[:MOST_TEXT],
        page=min(max(int(page[:_LONGEST_PAGE]), 1), 10_000) if page.isascii() and page.isdigit() else 1,
    )


@blueprint.get("/procedures/<reference>")
@public
def procedure(reference: str) -> str:
    """One procedure: status, timeline, lots, notices, documents, log."""
    now = _runtime().clock.now_ms()
    with _runtime().ledger.read() as conn:
        found = pages.page(conn, reference, now)
        answers = clarifications.published(conn, reference)
        announced = publications.of_procedure(conn, reference, Channel.OCDS)
    return render_template(
        "notices/procedure.html",
        page=found,
        now=now,
        bundle_url=_bundle_url(found),
        answers=answers,
        questions_end_at=_questions_end_at(found),
        ocid=ocid(_runtime().ocid_prefix, reference) if announced else None,
    )


def _questions_end_at(found: Page) -> int | None:
    """Return from which instant on no question is taken (ms); None when no lot takes bids any more."""
    open_lots = [lot.close_at for lot in found.lots if lot.state is LotState.OPEN]
    return cutoff(found.questions_until, open_lots)


def _bundle_url(found: Page) -> str | None:
    """Return where the evidence is; the package that serves it stands above this one and may be absent."""
    if not found.complete or BUNDLE not in current_app.view_functions:
        return None
    return url_for(BUNDLE, reference=found.reference)


@blueprint.get("/procedures/<reference>/notices/<int:number>")
@public
def notice(reference: str, number: int) -> str:
    """One notice in full, with what it changed piece by piece."""
    with _runtime().ledger.read() as conn:
        found = texts.notice_text(conn, reference, number)
        published = publications.of_notice(conn, reference, number)
        named = log.records_naming(conn, reference, found.sha256)
    compared = [(change, changes.compare(change.old, change.new)) for change in found.changes]
    return render_template(
        "notices/notice.html", notice=found, compared=compared, publications=published, offers=_offers(named)
    )


def _offers(rows: Iterable[log.LogRow]) -> list[Offer]:
    return [offer(_runtime(), kind=row.kind, lot=row.lot, at=row.at, h=row.h, n=row.n) for row in rows]


@blueprint.get("/procedures/<reference>/documents/<digest>.<any(json, sig):kind>")
@public
def document(reference: str, digest: str, kind: str) -> Response:
    """The exact bytes of a notice or document, or its signatures, as they stand in a bundle (AL1 L12.1)."""
    try:
        wanted = hex_bytes(digest, 32)
    except ValueError as error:
        raise NotFound(digest) from error
    with _runtime().ledger.read() as conn:
        found = texts.exact(conn, reference, wanted)
    if kind == "sig" and found.sigs == b"[]":
        raise NotFound(digest)
    response = Response(found.doc if kind == "json" else found.sigs, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{digest}.{kind}"'
    # Named by its digest, so it can never change.
    response.headers["Cache-Control"] = IMMUTABLE if kind == "json" else "public, max-age=60"
    return response


@blueprint.get("/procedures/<reference>/lots/<lot>/opening")
@public
def opening(reference: str, lot: str) -> str:
    """The opening hall of one lot: steps, custodians, and the record once everything is read out."""
    found = hall.look(_runtime(), reference, lot)
    with _runtime().ledger.read() as conn:
        records = log.records_about(conn, reference, lot, _OPENING)
    return render_template(
        "notices/opening.html",
        version=found.version,
        offers=_offers(records),
        refresh="refresh" in request.args,
        **hall.shown(found, hall.wish()),
    )


@blueprint.get("/procedures/<reference>/lots/<lot>/opening/record.json", defaults={"form": "json"})
@blueprint.get("/procedures/<reference>/lots/<lot>/opening/record.pdf", defaults={"form": PDF})
@public
def record(reference: str, lot: str, form: str) -> Response:
    """The opening record as a file: for programs once everything is read out, on paper once it is signed and logged."""
    found = hall.look(_runtime(), reference, lot).ceremony
    name = f"opening-{reference}-{lot}.{form}"
    if form != PDF:
        return evidence_file(dumps(opening_record(found)), name, "application/json")
    if found.completed is None:
        raise NotFound("opening record")
    issued = _public_receipt(found.completed.h)
    return evidence_file(opening_pdf(_runtime(), found, issued), name, "application/pdf")


@blueprint.get("/procedures/<reference>/files/<digest>")
@public
def tender_file(reference: str, digest: str) -> AnyResponse:
    """A tender document: for everyone, without an account, and nothing counts who took it (DOC-05, NOT-36)."""
    with _runtime().ledger.read() as conn:
        found = texts.tender_file(conn, reference, digest)
    return handed_out(_runtime().objects, found.name, found.media, found.sha256, found.size)


@blueprint.get("/procedures/<reference>/lots/<lot>/result")
@public
def result(reference: str, lot: str) -> str:
    """The result of one lot: ranking, prices, reasons, award."""
    with _runtime().ledger.read() as conn:
        found = results.result(conn, reference, lot)
        records = log.records_about(conn, reference, lot, _RESULT)
    return render_template("notices/result.html", result=found, plot=_plot(found), offers=_offers(records))


def _plot(found: results.Result) -> DotPlot | None:
    prices = [
        Priced(
            label=pick(row.bid.bidder_zh, row.bid.bidder_en),
            price=row.price,
            kind="awarded" if row.awarded else "ranked" if row.rank is not None else "excluded",
        )
        for row in found.quotes
    ]
    return dot_plot(prices, found.ceiling)


@blueprint.get("/receipts")
@public
def receipts() -> str | AnyResponse:
    """Look up a commitment from a receipt; the answer is the entry's page."""
    asked = request.args.get("h", "").strip().lower()
    if not asked:
        return render_template("log/receipts.html", asked="", problem=False)
    try:
        hex_bytes(asked, 32)
    except ValueError:
        return render_template("log/receipts.html", asked=asked[:MOST_TEXT], problem=True)
    return redirect(url_for("notices.entry", h=asked), 303)


@blueprint.get("/log/entries/<h>")
@public
def entry(h: str) -> str:
    """Whether a commitment is in the log, and where, as far as that may be told now."""
    with _runtime().ledger.read() as conn:
        found = log.entry(conn, _commitment(h))
    if found is None:
        raise NotFound(h)
    offered = None
    if found.kind is not None and found.at is not None:
        offered = offer(_runtime(), kind=found.kind, lot=None, at=found.at, h=h, n=found.n)
    return render_template("log/entry.html", entry=found, offer=offered)


@blueprint.get("/log/entries/<h>.pdf", defaults={"form": PDF})
@blueprint.get("/log/entries/<h>.tlog-proof", defaults={"form": PROOF})
@public
def proof(h: str, form: str) -> Response:
    """The receipt of a public record: the proof that its entry is in the log, also to print (AL1 L8.2)."""
    return download(_runtime(), _public_receipt(h), form)


@blueprint.get("/log/entries/<h>/<file>")
@public
def token(h: str, file: str) -> Response:
    """A time-stamp token over the checkpoint of that receipt (TE1 T8)."""
    return evidence_file(token_beside(reader(_runtime().log_dir), _public_receipt(h), file), file, STAMP_TYPE)


def _public_receipt(h: str) -> IssuedReceipt:
    wanted = _commitment(h)
    with _runtime().ledger.read() as conn:
        found = log.entry(conn, wanted)
        if found is None:
            raise NotFound(h)
        found.require_receipt()
        issued = receipt(conn, reader(_runtime().log_dir), wanted)
    if issued is None:
        raise NotFound(h)
    return issued


def _commitment(h: str) -> bytes:
    """Return the commitment in an address; one that is none names nothing."""
    try:
        return hex_bytes(h, 32)
    except ValueError as error:
        raise NotFound(h) from error
