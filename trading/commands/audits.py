"""``mingbiao fsck`` and ``mingbiao verify-audit``: the operator's own checks of the log and of the stored state.

They prove nothing to others, who use ``mingbiao verify``; they find damage early. Exit 0, 1 or 2 as everywhere (P11).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click
from sqlalchemy import Connection, NullPool, create_engine

from trading.assembly import OPENED, authority_roots, open_copies, open_objects, opened_in
from trading.audit.fsck import Fsck
from trading.audit.model import Report
from trading.audit.replay import Mismatch, replay
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.envelope import parse_envelope
from trading.bids.sweeping import envelope_documents
from trading.commands.context import telling
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.commands.objects import PairCheck, check_objects
from trading.config import Settings
from trading.db import psycopg_url
from trading.evaluation.queries import stored_files
from trading.kernel.clock import SystemClock

if TYPE_CHECKING:
    from trading.storage.bucket import Bucket

_LONGEST: Final = 200


@contextmanager
def _snapshot(settings: Settings) -> Iterator[Connection]:
    """Connect as the auditor, reading one snapshot."""
    engine = create_engine(psycopg_url(settings.database_url), poolclass=NullPool)
    options = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with options.connect() as connection:
        yield connection


@click.command("fsck")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--objects", is_flag=True, help="Also read every object of both object stores and hash it again.")
@click.option("--repair", is_flag=True, help="With --objects: make bad copies anew from the store that is right.")
@telling
def fsck(*, as_json: bool, objects: bool, repair: bool) -> None:
    """Compare write-ahead log, tiles, checkpoints, positions and records, and the mirror of the public log."""
    if repair and not objects:
        raise click.UsageError("--repair needs --objects.")
    settings = Settings.from_env("auditor")
    if settings.log_dir is None or settings.witness_policy is None:
        raise click.UsageError("LOG_DIR and WITNESS_POLICY are needed.")
    engine = create_engine(psycopg_url(settings.database_url), poolclass=NullPool)
    policy = parse_policy(settings.witness_policy.read_text())
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        roots = authority_roots(settings.data_dir)
        check = Fsck(connection, settings.log_dir, settings.log_origin, policy, roots, bucket=_mirror(settings))
        report = check.run()
        if objects and settings.object_store is not None:
            _objects(report, settings, connection, repair=repair)
    click.echo(_as_json(report) if as_json else _as_text(report))
    raise SystemExit(report.exit_code)


def _mirror(settings: Settings) -> Bucket | None:
    if settings.log_mirror is None:
        return None
    from trading.storage.bucket import Bucket  # noqa: PLC0415 - only an installation with a bucket loads its library

    return Bucket(settings.log_mirror)


def _objects(report: Report, settings: Settings, conn: Connection, *, repair: bool) -> None:
    """Hash every object again; this takes as long as reading everything that was ever sent."""
    now = SystemClock().now_ms()  # stores tell their own time, also beside a demonstration whose time was moved on
    wanted = set()
    for raw, is_kept in envelope_documents(conn):
        if is_kept:
            wanted |= {part.sha256 for part in parse_envelope(raw).parts}
        else:
            report.count("old versions of synthetic bidders whose parts may be gone")
    pair, opened = open_copies(settings), stored_files(conn)
    if pair is not None:
        PairCheck(report, pair, now=now, repair=repair).run(wanted)
        PairCheck(report, opened_in(pair), now=now, repair=repair, what=OPENED).run(opened)
    elif settings.object_store is not None:
        store = open_objects(settings.object_store, settings.data_dir)
        check_objects(report, store, wanted)
        check_objects(report, store.folder(OPENED), opened, what=OPENED)


def _as_json(report: Report) -> str:
    data = {"size": report.size, "counts": report.counts, "unchecked": [asdict(each) for each in report.unchecked]}
    return json.dumps({**data, "findings": [asdict(finding) for finding in report.findings]}, ensure_ascii=False)


def _as_text(report: Report) -> str:
    lines = [f"FAIL {each.check} {each.place}: {each.detail}" for each in report.findings]
    lines += [f"not checked {each.place}: {each.detail}" for each in report.unchecked]
    counts = ", ".join(f"{number} {what}" for what, number in sorted(report.counts.items()))
    return "\n".join([*lines, f"size {report.size}: {counts or 'nothing stored'}"])


@click.command("verify-audit")
@click.option("--json", "as_json", is_flag=True, help="Print the mismatches as JSON.")
@telling
def verify_audit(*, as_json: bool) -> None:
    """Replay every procedure's records and compare the result with the stored rows."""
    with _snapshot(Settings.from_env("auditor")) as connection:
        found = replay(connection, FOLDS, REPLAYED, COMPARES)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=_value, ensure_ascii=False))
    else:
        click.echo("\n".join(map(_told, found)) or "状态与历史一致 / The stored state is the fold of its history.")
    raise SystemExit(1 if found else 0)


def _told(each: Mismatch) -> str:
    values = f"stored {_shown(each.stored)}, expected {_shown(each.expected)}"
    place = "no entry of the log" if each.n is None else f"entry {each.n}"
    return f"FAIL {each.table} {each.id} {each.column}: {values}, by {place}"


def _shown(value: object) -> str:
    """Return a value as one line of bounded length: bytes as hex, long ones by their beginning and length."""
    text = value.hex() if isinstance(value, bytes | memoryview) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)})"


def _value(value: object) -> str:
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)
