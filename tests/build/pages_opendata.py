"""Pages of open data and of imported history, built in memory."""

from __future__ import annotations

from collections.abc import Iterator

from tests.build.pages import DAY, NOW, Sample, digest
from trading.history.queries import File, Found, Whole, Wrong
from trading.opendata.queries import Bulk
from trading.opendata.rules.manifest import BulkFile, Extent, manifest
from trading.opendata.rules.periods import Period, day_of, year_of
from trading.opendata.rules.sheets import SHEETS

SOURCE = "Colombia Compra Eficiente, ODC-PDDL"
SHA = digest("history")


def bulk(period: Period, releases: int, *, final: bool) -> Bulk:
    files = [
        BulkFile(name=f"mingbiao-{period.name}.{each}", media="application/zip", sha256=digest(each), size=81_920)
        for each in ("jsonl.gz", "csv.zip", "xlsx")
    ]
    extent = Extent(releases=releases, first=1, last=releases)
    return Bulk(
        name=period.name,
        final=final,
        releases=releases,
        last=releases,
        manifest=manifest(period, extent, files, final=final, origin="log.example/audit"),
        manifest_sha256=digest(period.name),
        made_at=NOW,
        position=4_711 if final else None,
    )


def row(number: int, *, bare: bool = False) -> Found:
    return Found(
        file=SHA,
        source=SOURCE,
        number=number,
        kind="broken" if bare else "release",
        ocid=None if bare else f"ocds-k50g02-{number}",
        release_id=None if bare else f"{number}",
        date=None if bare else "2020-05-18T00:00:00Z",
        title=None if bare else "Suministro de elementos de bioseguridad",
        buyer=None if bare else "ALCALDÍA DE PUERTO GAITÁN",
        faults=number,
    )


def samples() -> Iterator[Sample]:
    """Yield every page of this part in every state."""
    days = [bulk(day_of(NOW - n * DAY), 12 + n, final=n > 0) for n in range(31)]
    years = [bulk(year_of(NOW), 4_120, final=False), bulk(year_of(NOW - 365 * DAY), 12_345, final=True)]
    for name, given in (("empty", ([], [])), ("full", (years, days))):
        context = {"years": given[0], "days": given[1], "more": bool(given[1]), "sheets": SHEETS}
        yield Sample(f"open-data-{name}", "/open-data", "opendata/index.html", context)
    file = File(
        sha256=SHA,
        name="colombia-100-releases.json",
        source=SOURCE,
        size=439_785,
        content_sha256=SHA,
        rows=100,
        faults=903,
        begun_at=NOW - DAY,
        done_at=NOW,
    )
    going = File(
        sha256=digest(1),
        name="a.jsonl.gz",
        source="–",
        size=1,
        content_sha256=None,
        rows=7,
        faults=0,
        begun_at=NOW,
        done_at=None,
    )
    rows = [row(1), row(2), row(3, bare=True)]
    common = {"text": "", "total": 0, "rows": [], "page": 1, "size": 50}
    found = common | {"text": "suministro", "total": 120, "rows": rows, "page": 2}
    yield Sample("history-empty", "/history", "history/index.html", common | {"files": []})
    yield Sample("history-full", "/history", "history/index.html", found | {"files": [file, going]})
    wrong = [
        Wrong(row=800, code="member.unknown", path="tender/items/*/fecha", detail="str"),
        Wrong(row=2, code="json.broken", path="", detail=""),
    ]
    yield Sample("history-file", "/history/x", "history/file.html", found | {"file": file, "wrong": wrong})
    yield Sample("history-file-empty", "/history/x", "history/file.html", common | {"file": going, "wrong": []})
    for name, each, faults in (("row", row(1), tuple(wrong)), ("row-broken", row(3, bare=True), ())):
        whole = Whole(found=each, raw=b"{}", faults=faults)
        context = {"row": whole, "shown": '{"ocid": "ocds-k50g02-1"}' * 30, "is_cut": name == "row"}
        yield Sample(f"history-{name}", "/history/x/1", "history/row.html", context)
