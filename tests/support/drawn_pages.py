"""What the page of a draw shows of a told draw, and the page's own script on it in a browser without any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Route

from tests.support.made_draw import MadeDraw
from tests.support.made_log import Entry
from trading.kernel.canonical import loads_object

SCRIPT: Final = Path(__file__).parents[2] / "static/draw.js"
WALKED: Final = ("draw.called", "draw.disposed")
ADDRESS: Final = "https://draws.invalid/"  # a secure address, or there is no SHA-256; answered by the test itself
BEGIN: Final = """(attempts) => {
    const all = async () => {
        const found = [];
        for (const attempt of attempts) {
            try { found.push(await draws.recompute(attempt)); } catch (error) { found.push({ error: String(error) }); }
        }
        return found;
    };
    window.asked = all();
}"""
Fields = dict[str, Any]
Recompute = Callable[[list[Fields]], list[Fields]]
Begin = Callable[[list[Fields]], Callable[[], list[Fields]]]


def shown(made: MadeDraw) -> Fields:
    """Return the newest attempt as the page shows it, from public records and documents alone."""
    own = [entry for entry in made.log.entries if entry.value["body"].get("attempt") == made.attempt]
    records = [entry for entry in own if entry.kind.startswith("draw.")]
    documents = {name: data for name, (data, _) in made.documents.items() if name not in made.secret}
    seeded = next(entry for entry in records if entry.kind == "draw.seeded").value["body"]
    results = [entry.value["body"]["result_sha256"] for entry in records if entry.kind == "draw.result"]
    return {
        "spec": made.spec.raw.decode(),
        "final": documents[seeded["final_sha256"]].decode() if seeded["final_sha256"] in documents else "{}",
        "seed": seeded["seed"],
        "revealed": _numbers(made, documents),
        "trail": [_step(entry) for entry in records if entry.kind in WALKED],
        "result": documents[results[-1]].decode() if results else "",
        "leaves": _leaves(made, documents),
    }


def _step(entry: Entry) -> Fields:
    body = entry.value["body"]
    state = body.get("state", "CALLED")
    return {
        "index": body["index"],
        "stratum": body["stratum"],
        "state": state,
        "at": entry.value["at"],
        "h": entry.h,
    }


def _numbers(made: MadeDraw, documents: dict[str, bytes]) -> dict[str, str]:
    """Return the numbers as published: revealed by their parties, or recovered from the custodians' shares."""
    found = {party: made.rs[party].hex() for party in made.story.withheld if party in made.rs}
    for data in documents.values():
        value = loads_object(data)
        if value["typ"] == "ed1.reveal" and value["spec_sha256"] == made.spec.sha256:
            found.setdefault(value["party"], value["r"])
    return found


def _leaves(made: MadeDraw, documents: dict[str, bytes]) -> str:
    leaves = [data for data in documents.values() if b'"typ":"mb.draw-leaves"' in data]
    return next((data.decode() for data in leaves if loads_object(data)["attempt"] == made.attempt), "")


@contextmanager
def recomputing(browser: Browser) -> Iterator[Recompute]:
    """As ``beginning``, for who waits for the answer at once."""
    with beginning(browser) as begin:
        yield lambda attempts: begin(attempts)()


@contextmanager
def beginning(browser: Browser) -> Iterator[Begin]:
    """Open a page that holds the script and nothing else, then cut it off; a request of it fails the test.

    What is yielded gives the page its work and returns at once; what that returns waits for the answer.
    """
    context = browser.new_context()
    page = context.new_page()
    body = f"<!doctype html><title>draws</title><script>{SCRIPT.read_text()}</script>"

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body=body)

    asked: list[str] = []
    try:
        page.route(ADDRESS, answer)
        page.goto(ADDRESS)
        context.set_offline(True)
        page.on("request", lambda request: asked.append(request.url))

        def begin(attempts: list[Fields]) -> Callable[[], list[Fields]]:
            page.evaluate(BEGIN, attempts)
            return lambda: list(page.evaluate("window.asked"))

        yield begin
    finally:
        context.close()
    assert asked == []


def codes(found: Fields) -> set[str]:
    """Return the codes of the faults that the browser found."""
    return {"error"} if "error" in found else {fault["code"] for fault in found["faults"]}
