"""Pages of statistics and bulletins with nothing and with much, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.build.pages import NOW, Sample, digest
from tests.build.releases import market, written
from trading.statistics.queries import Bulletin
from trading.statistics.rules.bulletin import bulletin
from trading.statistics.rules.cube import BY, By, Cube, Wish, cube
from trading.statistics.rules.facts import newest, read
from trading.statistics.rules.months import Month
from trading.statistics.views import selection, shown

MONTH = Month(2025, 3)
LINES = written(list(market(120)))


def bulletin_of(lines: list[bytes], *, logged: bool) -> Bulletin:
    raw = bulletin(MONTH, lines)
    sha256 = digest(MONTH.name)
    return Bulletin(month=MONTH.name, raw=raw, sha256=sha256, made_at=NOW, h=sha256, position=4_711 if logged else None)


def _page(found: Cube, by: By) -> dict[str, Any]:
    months = [Month(2024, 1).plus(n) for n in range(29)]
    return selection(found, months, Wish(first="2024-06", last="2026-05"), by, "zh")


def samples() -> Iterator[Sample]:
    """Yield every page of this part in every state."""
    much = cube(each.tender for each in newest(map(read, LINES)).values())
    yield Sample("statistics-empty", "/statistics", "statistics/index.html", _page(Cube(), "month"))
    for by in BY:
        yield Sample(f"statistics-{by}", "/statistics", "statistics/index.html", _page(much, by))
    path = "/statistics/bulletins"
    rows = [bulletin_of(LINES, logged=True), bulletin_of([], logged=False)]
    for name, found in (("none", []), ("some", rows)):
        context = {"bulletins": found, "more": bool(found)}
        yield Sample(f"bulletins-{name}", path, "statistics/bulletins.html", context)
    for name, one in zip(("full", "empty"), rows, strict=True):
        yield Sample(f"bulletin-{name}", f"{path}/{MONTH.name}", "statistics/bulletin.html", shown(one, "zh"))
