"""``mingbiao import``: history that other platforms published in OCDS, with a report of what is wrong row by row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.commands.context import runtime, telling
from trading.history import queries, service
from trading.history.model import Outcome
from trading.kernel.cells import harmless

_MOST: Final = 15  # kinds of faults that are printed of a file


@click.command("ocds")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Who published the files, and where.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write every fault to this CSV.")
@telling
def ocds(files: tuple[Path, ...], source: str, report: Path | None) -> None:
    """Import release packages, record packages or JSON Lines (.gz too) as foreign history; nothing is corrected."""
    with runtime() as opened:
        done = [_import(opened, path, source) for path in files]
        if report is not None:
            write_report(opened.ledger, [each.sha256 for each in done], report)


def _import(opened: Runtime, path: Path, source: str) -> Outcome:
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(path.name, total=None)
        found = service.import_file(
            opened.ledger,
            path,
            source,
            lambda size, rows: bars.update(bar, description=f"{path.name}: {rows} / {size} B"),
        )
    state = "已导入过，没有改动 / was there already" if found.was_done else "已导入 / imported"
    whole = service.is_whole(opened.ledger, found.sha256)
    click.echo(f"{path.name}: {state}, {found.rows} 行 rows, {found.faults} 个问题 faults")
    click.echo(f"  sha256 {found.sha256}, {'逐字节一致 / byte for byte' if whole else '不一致 / NOT WHOLE'}")
    with opened.ledger.read() as conn:
        for each in queries.summary(conn, found.sha256, _MOST):
            click.echo(f"  {each.row:>7} {each.code:<18} {each.path}")
    return found


def write_report(ledger: Ledger, files: list[str], target: Path) -> int:
    """Write every fault of files as CSV whose cells no spreadsheet runs; return how many there were."""
    count = 0
    with target.open("w", encoding="utf-8-sig", newline="") as opened, ledger.read() as conn:
        writer = csv.writer(opened, quoting=csv.QUOTE_ALL)
        writer.writerow(("file_sha256", "row", "code", "path", "detail"))
        for sha256 in files:
            for each in queries.faults(conn, sha256):
                writer.writerow((sha256, each.row, *map(harmless, (each.code, each.path, each.detail))))
                count += 1
    return count


@click.command("check")
@telling
def check() -> None:
    """Put the pieces of every imported file together again and compare its SHA-256; exit 1 if one differs."""
    with runtime() as opened:
        with opened.ledger.read() as conn:
            found = queries.files(conn)
        faulty = [
            each for each in found if each.done_at is not None and not service.is_whole(opened.ledger, each.sha256)
        ]
    for each in found:
        state = (
            "未完成 / not complete"
            if each.done_at is None
            else "不一致 / DIFFERS"
            if each in faulty
            else "一致 / whole"
        )
        click.echo(f"{each.sha256[:16]} {state} {each.name}")
    raise SystemExit(1 if faulty else 0)
