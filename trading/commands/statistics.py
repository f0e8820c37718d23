"""``mingbiao statistics``: the bulletin of a month computed again from downloaded bulk files, offline.

Needs no installation and no network: only the files. Exit codes are those of all checks: 0 equal, 1 something differs,
2 it could not be checked (P11).
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.statistics.rules.bulletin import bulletin, differing, parse, slice_of
from trading.statistics.rules.months import Month, month_named

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_GZIP = b"\x1f\x8b"
_MOST = 20  # differences that are printed


@click.command("statistics")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--bulletin", "told_in", required=True, type=_FILE, help="The bulletin as downloaded (JSON).")
@click.option("--sha256", "digest", help="What the log says: its SHA-256, from the record statistics.published.")
@click.option("--out", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the bulletin made anew.")
def statistics(files: tuple[Path, ...], told_in: Path, digest: str | None, target: Path | None) -> None:
    """月报复算: compute a bulletin again from bulk FILES (.jsonl or .jsonl.gz) and compare it byte for byte.

    FILES are those of the days of the month and of the first day of the next, in the order of the days; or of years.
    """
    raw = told_in.read_bytes()
    if digest is not None and sha256_hex(raw) != digest.lower():
        _differs(f"月报的 SHA-256 与日志不符 / the SHA-256 of the bulletin is {sha256_hex(raw)}, not that of the log")
    content, month = _read(raw)
    lines = [line for path in files for line in _lines(path)]
    made = _made(month, lines, content)
    if target is not None:
        target.write_bytes(made)
    if made == raw:
        count = content["releases"]["count"]
        click.echo(f"一致 / EQUAL: {month.name}, {count} 条发布 releases, sha256 {sha256_hex(made)}")
        return
    for path in differing(content, parse(made))[:_MOST]:
        click.echo(f"  {path}: {_at(content, path)} -> {_at(parse(made), path)}", err=True)
    _differs(f"不一致 / DIFFERS: {month.name}")


def _read(raw: bytes) -> tuple[dict[str, Any], Month]:
    try:
        content = parse(raw)
        month = month_named(content["month"])
        wanted = content["releases"]
        if month is None or not {"count", "first", "last"} <= wanted.keys():
            raise ValueError("the month or the releases are missing")
    except (InvalidInput, KeyError, TypeError, ValueError, AttributeError) as error:
        _unable(f"不是月报 / this is no bulletin: {error}")
    return content, month


def _made(month: Month, lines: list[bytes], content: dict[str, Any]) -> bytes:
    wanted = content["releases"]
    try:
        found = slice_of(lines, wanted["first"], wanted["last"])
        if found is None:
            _unable("文件中没有月报所读的首条或末条发布 / the files lack the first or last release of the bulletin")
        return bulletin(month, found)
    except (ValueError, AttributeError) as error:
        _unable(f"文件中有不是发布的行 / a line of the files is no release: {error}")


def _lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    try:
        text = gzip.decompress(data) if data.startswith(_GZIP) else data
    except (OSError, EOFError) as error:
        _unable(f"{path}: {error}")
    return text.split(b"\n")[:-1] if text.endswith(b"\n") else text.split(b"\n") if text else []


def _at(content: Any, path: str) -> str:  # noqa: ANN401 - any part of a bulletin
    found: Any = content
    for name in path.split("/")[1:]:
        found = found[int(name)] if isinstance(found, list) else (found or {}).get(name)
    return json.dumps(found, ensure_ascii=False)[:200]


def _differs(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(1)


def _unable(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(2)
