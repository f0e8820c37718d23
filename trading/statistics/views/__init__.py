"""The page of statistics with its files, and the bulletins of months."""

from __future__ import annotations

import csv
import io
from typing import Any, Final, cast

from flask import Blueprint, Response, current_app, jsonify, render_template, request

from trading.audit.runtime import Runtime
from trading.audit.service import reader, receipt
from trading.kernel.cells import harmless
from trading.kernel.errors import NotFound
from trading.statistics import queries
from trading.statistics.cache import Kept
from trading.statistics.queries import Bulletin
from trading.statistics.rules.bulletin import figures, parse, told
from trading.statistics.rules.cube import BY, By, Cube, Figure, Wish, grouped, select, total
from trading.statistics.rules.indicators import INDICATORS, REASONS
from trading.statistics.rules.months import Month, month_at, month_named
from trading.statistics.views.printing import bulletin_pdf
from trading.statistics.views.words import Words, charts
from trading.web.downloads import evidence_file
from trading.web.locale import current_language
from trading.web.permissions import public

blueprint = Blueprint("statistics", __name__)

_SHOWN: Final = 12  # months, unless others are asked for
_MOST_MONTHS: Final = 60
_MOST_ROWS: Final = 30  # of a table on the page; the files have all
_PAGE: Final = 36
_FRESH: Final = "public, max-age=60, must-revalidate"
_SETTLED: Final = "public, max-age=31536000, immutable"


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


def _cube() -> Cube:
    kept = cast("Kept", current_app.extensions.setdefault("statistics", Kept()))
    with _runtime().ledger.read() as conn:
        return kept.cube(conn)


def _months(found: Cube) -> list[Month]:
    """Return the months that there are, from the first with a figure to the present one."""
    present = month_at(_runtime().clock.now_ms())
    first = min([present, *filter(None, map(month_named, found.values("month")))])
    months = [first]
    while months[-1] < present:
        months.append(months[-1].next)
    return months


def _wish(months: list[Month]) -> tuple[Wish, By]:
    """Return what the address asks for; what it does not know is not asked."""
    asked, names = request.args, [each.name for each in months]
    first, last = asked.get("from", ""), asked.get("to", "")
    last = last if last in names else names[-1]
    # The earliest month for which there is room.
    first = first if first in names and first <= last else max(names[0], _back(last, _SHOWN))
    first = max(first, _back(last, _MOST_MONTHS))
    wish = Wish(first=first, last=last, **{name: asked.get(name, "") for name in BY if name != "month"})
    by = asked.get("by", "")
    return wish, by if by in BY else "month"


def _back(month: str, count: int) -> str:
    found = month_named(month)
    return month if found is None else found.plus(1 - count).name


def _rows(whole: Cube, months: list[Month], wish: Wish, by: By) -> dict[str, list[Figure]]:
    names = [each.name for each in months if wish.first <= each.name <= wish.last] if by == "month" else []
    return grouped(select(whole, wish.fits), by, names)


@blueprint.get("/statistics")
@public
def index() -> str:
    """Every indicator as a sentence, a chart and a table, for the selection in the address."""
    whole = _cube()
    months = _months(whole)
    wish, by = _wish(months)
    return render_template("statistics/index.html", **selection(whole, months, wish, by, current_language()))


def selection(whole: Cube, months: list[Month], wish: Wish, by: By, language: str) -> dict[str, Any]:
    """Return what the template of the page needs."""
    words = Words(language=language, agencies=whole.agencies)
    rows = _rows(whole, months, wish, by)
    most = {code: _most(found, by) for code, found in rows.items()}
    return {
        "words": words,
        "wish": wish,
        "by": by,
        "months": months,
        "choices": {each: whole.values(each) for each in BY if each != "month"},
        "chosen": dict(wish.parts()),
        "indicators": INDICATORS,
        "totals": {each.indicator.code: each for each in total(select(whole, wish.fits))},
        "rows": most,
        "cut": {code: len(rows[code]) - len(most[code]) for code in rows},
        "charts": lambda: charts(most, by, words),  # drawn with the page: its words need a language
        "here": _here(wish, by),
    }


def _most(rows: list[Figure], by: By) -> list[Figure]:
    """Return the rows that fit on the page: all months; of the others those that stand on most, then by name."""
    if by == "month":
        return rows
    return sorted(rows, key=lambda each: (-each.sum.denominator, each.group))[:_MOST_ROWS]


def _here(wish: Wish, by: By) -> dict[str, str]:
    parts: dict[str, str] = dict(wish.parts())
    told = {"from": wish.first, "to": wish.last, "by": by, **parts}
    return {name: value for name, value in told.items() if value}


@blueprint.get("/statistics.json", defaults={"form": "json"})
@blueprint.get("/statistics.csv", defaults={"form": "csv"})
@public
def figures_file(form: str) -> Response:
    """The figures of the selection for programs, exact; the definitions stand with them."""
    whole = _cube()
    months = _months(whole)
    wish, by = _wish(months)
    rows = _rows(whole, months, wish, by)
    listed = [each for indicator in INDICATORS for each in rows[indicator.code]]
    if form == "csv":
        return _csv(listed, whole, by)
    totals = total(select(whole, wish.fits))
    answer = jsonify(
        selection=_here(wish, by),
        definitions=[_definition(each) for each in INDICATORS],
        reasons={code: {"zh": zh, "en": en} for code, (zh, en) in REASONS.items()},
        total=[told(each) for each in totals],
        figures=[told(each, whole.agencies if by == "agency" else None) for each in listed],
    )
    answer.headers["Cache-Control"] = _FRESH
    return answer


def _definition(indicator: Any) -> dict[str, Any]:  # noqa: ANN401 - an Indicator, whose fields are read by name
    texts = {
        name: dict(zip(("zh", "en"), getattr(indicator, name), strict=True))
        for name in ("title", "numerator", "denominator", "month")
    }
    return {"indicator": indicator.code, "unit": indicator.unit, **texts}


def _csv(rows: list[Figure], found: Cube, by: By) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["indicator", by, "name", "numerator", "denominator", "value", "left_out"])
    for each in rows:
        line = told(each, found.agencies if by == "agency" else None)
        left = "; ".join(f"{one['reason']} {one['count']}" for one in line["left_out"])
        numbers = (line["numerator"], line["denominator"], line["value"])
        cells = [line["indicator"], harmless(each.group), harmless(line.get("name", "")), *numbers, left]
        writer.writerow(["" if cell is None else cell for cell in cells])
    answer = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="statistics.csv"'
    answer.headers["Cache-Control"] = _FRESH
    return answer


@blueprint.get("/statistics/bulletins")
@public
def bulletins() -> str:
    """The bulletins that there are, the newest first; older ones by ``?before=``."""
    before = request.args.get("before", "")
    wanted = before if month_named(before) is not None else None
    with _runtime().ledger.read() as conn:
        found = queries.bulletins(conn, before=wanted, limit=_PAGE + 1)
    return render_template("statistics/bulletins.html", bulletins=found[:_PAGE], more=len(found) > _PAGE)


@blueprint.get("/statistics/bulletins/<month>")
@public
def bulletin(month: str) -> str:
    """The bulletin of a month, to read and to print."""
    return render_template("statistics/bulletin.html", **shown(_found(month), current_language()))


@blueprint.get("/statistics/bulletins/<month>.json", defaults={"form": "json"})
@blueprint.get("/statistics/bulletins/<month>.pdf", defaults={"form": "pdf"})
@public
def bulletin_file(month: str, form: str) -> Response:
    """The bulletin byte for byte as the log names it, or on paper with the receipt of its record attached."""
    found = _found(month)
    name = f"bulletin-{found.month}.{form}"
    if form == "json":
        answer = evidence_file(found.raw, name, "application/json", cache=_SETTLED)
        answer.set_etag(found.sha256)
        return answer
    with _runtime().ledger.read() as conn:
        issued = receipt(conn, reader(_runtime().log_dir), bytes.fromhex(found.h))
    if issued is None:
        raise NotFound(name)
    return evidence_file(bulletin_pdf(_runtime(), found, issued), name, "application/pdf")


def shown(found: Bulletin, language: str) -> dict[str, Any]:
    """Return what the template of a bulletin needs."""
    content = parse(found.raw)
    parts: tuple[By, ...] = ("region", "kind", "agency")
    names = {row["group"]: row["name"] for row in content["by_agency"] if "name" in row}
    return {
        "bulletin": found,
        "content": content,
        "words": Words(language=language, agencies=names),
        "totals": figures(content),
        "parts": {by: _table(figures(content, by)) for by in parts},
        "indicators": INDICATORS,
    }


def _table(rows: list[Figure]) -> dict[str, dict[str, Figure]]:
    """Return figures by group, then by indicator."""
    found: dict[str, dict[str, Figure]] = {}
    for each in rows:
        found.setdefault(each.group, {})[each.indicator.code] = each
    return found


def _found(month: str) -> Bulletin:
    with _runtime().ledger.read() as conn:
        found = queries.one(conn, month)
    if found is None:
        raise NotFound(month)
    return found
