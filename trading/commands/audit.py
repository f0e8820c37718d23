"""``mingbiao verify-audit``: replay every history and compare it with the stored rows (AL1 L11.3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click

from trading.assembly import EVENTS  # noqa: F401 - declares every table of schema record
from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State, replay
from trading.awards import folds as awards
from trading.bids import folds as bids
from trading.commands.context import telling
from trading.config import Settings
from trading.custody import folds as custody
from trading.db import open_engine
from trading.documents import folds as documents
from trading.evaluation import folds as evaluation
from trading.notices import folds as notices
from trading.openings import folds as openings
from trading.parties import folds as parties
from trading.procedures import folds as procedures

_FOLDING: Final = (parties, custody, procedures, notices, bids, openings, evaluation, awards)
TABLES: Final[tuple[Replayed, ...]] = tuple(table for package in _FOLDING for table in package.REPLAYED)
COMPARE: Final[tuple[Compare, ...]] = (
    *documents.COMPARE,
    *procedures.COMPARE,
    *notices.COMPARE,
    *bids.COMPARE,
    *openings.COMPARE,
    *evaluation.COMPARE,
)


def _merged(tables: Iterable[Mapping[str, Fold]]) -> dict[str, Fold]:
    """Return one fold a kind that applies those of every package, in the order of the trade."""
    lists: dict[str, list[Fold]] = {}
    for table in tables:
        for kind, fold in table.items():
            lists.setdefault(kind, []).append(fold)
    return {kind: _all_of(folds) for kind, folds in lists.items()}


def _all_of(folds: list[Fold]) -> Callable[[State, Mapping[str, Any]], None]:
    def apply(state: State, record: Mapping[str, Any]) -> None:
        for fold in folds:
            fold(state, record)

    return apply


FOLDS: Final = _merged(package.FOLDS for package in _FOLDING)


def mismatches(database_url: str) -> list[Mismatch]:
    """Return every place where the stored rows differ from the fold of their history, in one snapshot."""
    engine = open_engine(database_url, pool_size=1, application="verify-audit")
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn:
            return replay(conn, FOLDS, TABLES, COMPARE)
    finally:
        engine.dispose()


@click.command("verify-audit")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON array.")
@telling
def verify_audit(*, as_json: bool) -> None:
    """Replay the records against the stored rows; exit 1 and name the place if they differ."""
    found = mismatches(Settings.from_env("auditor").database_url)
    if as_json:
        click.echo(json.dumps([_plain(item) for item in found], ensure_ascii=False))
    else:
        for item in found:
            told = _plain(item)
            click.echo(
                f"FAIL record.{told['table']} id {told['id']} {told['column']}: {told['stored']} ≠ {told['expected']}"
            )
        click.echo(f"重放完成，{len(found)} 处不一致 / replayed, {len(found)} differences")
    if found:
        raise SystemExit(1)


def _plain(item: Mismatch) -> dict[str, str]:
    return {name: _text(getattr(item, name)) for name in ("table", "id", "column", "stored", "expected")}


def _text(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        return data.decode() if data[:1] in (b"[", b"{", b"n") else data.hex()
    return str(value)
