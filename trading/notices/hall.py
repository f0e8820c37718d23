"""The opening hall as it runs: its state for pages that ask, its events for pages that listen.

Both read one value per lot that all readers of a process share (``trading.web.streams``), so that two thousand viewers
cost the database what one does. What is told is what the page tells: before the opening order, nothing about bids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from flask import Blueprint, Response, current_app, render_template, request

from trading.audit.runtime import Runtime
from trading.kernel.digests import sha256_hex
from trading.notices.queries.ceremony import ceremony
from trading.notices.queries.opening import Ceremony
from trading.notices.queries.read_out import By, read_out
from trading.web import streams
from trading.web.locale import current_language
from trading.web.permissions import public
from trading.web.streams import Shared

blueprint = Blueprint("hall", __name__, url_prefix="/procedures/<reference>/lots/<lot>/opening")

_TAG_DIGITS: Final = 16
_HALLS: Final[Shared[Ceremony]] = Shared()
_TEXTS: Final[Shared[str]] = Shared()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a reader wants the hall: what the table is sorted by, and whether in text alone. It is the address."""

    by: By = By.ORDER
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """The ceremony of one lot at one instant (ms); ``version`` changes when, and only when, its page does."""

    ceremony: Ceremony
    now: int

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.ceremony.over(self.now)

    @property
    def version(self) -> str:
        """Return the tag of this state: everything shown, and which of its instants are still to come."""
        shown = self.ceremony
        before = shown.close_at is not None and self.now < shown.close_at
        return sha256_hex(repr((shown, before, tuple(shown.windows.coming(self.now)))).encode())[:_TAG_DIGITS]


def look(runtime: Runtime, reference: str, lot: str) -> Hall:
    """Return the hall as it is now, for somebody who opens the page.

    Raises:
        NotFound: No such published procedure or lot.
    """
    return Hall(ceremony=_ceremony(runtime, reference, lot), now=runtime.clock.now_ms())


def wish() -> Wish:
    """Return what the address of the request asks for; what it does not know is not asked."""
    by = request.args.get("by", "")
    return Wish(by=By(by) if by in set(By) else By.ORDER, plain=request.args.get("view") == "text")


def shown(hall: Hall, wanted: Wish) -> dict[str, object]:
    """Return what the templates of the hall need."""
    table = read_out(hall.ceremony, wanted.by, current_language())
    return {"c": hall.ceremony, "now": hall.now, "table": table, "wish": wanted}


def _follow(runtime: Runtime, reference: str, lot: str) -> Hall:
    """Return the hall for those who follow it: at most a second old, and one for all of them."""
    found = _HALLS.get((id(runtime), reference, lot), lambda: _ceremony(runtime, reference, lot))
    return Hall(ceremony=found, now=runtime.clock.now_ms())


def _ceremony(runtime: Runtime, reference: str, lot: str) -> Ceremony:
    with runtime.ledger.read() as conn:
        return ceremony(conn, reference, lot)


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/state")
@public
def state(reference: str, lot: str) -> Response:
    """Return what the page shows now; 304 while nothing has changed."""
    hall, wanted = _follow(_runtime(), reference, lot), wish()
    key = (hall.version, current_language(), wanted)
    return streams.state(hall.version, hall.now, lambda: _TEXTS.get(key, lambda: _text(hall, wanted)), over=hall.over)


def _text(hall: Hall, wanted: Wish) -> str:
    template = "notices/_hall_text.html" if wanted.plain else "notices/_hall.html"
    return render_template(template, **shown(hall, wanted))


@blueprint.get("/events")
@public
def events(reference: str, lot: str) -> Response:
    """Stream the acts of the ceremony; ``Last-Event-ID`` is the commitment of the last record that the reader has."""
    runtime, seen, version = _runtime(), streams.last_seen(), ""
    _follow(runtime, reference, lot)  # what does not exist is refused before a place is taken

    def look() -> Iterator[str]:
        nonlocal seen, version
        hall = _follow(runtime, reference, lot)
        for act in hall.ceremony.after(seen):
            seen = act.h
            yield streams.message("record", {"at": act.at, "kind": act.kind}, id=act.h)
        if hall.version != version:
            version = hall.version
            yield streams.message("state", {"version": version})

    return streams.respond(look, runtime.clock.now_ms)
