"""``mingbiao log close`` and ``log continue``: the end of a log that cannot go on, and the next one (AL1 L13).

Run with the settings of the release, as owner of the database, on the host of the log. Both are told by name what they
are about, so that nobody closes the log of another window.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import NullPool, create_engine

from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.origins import close_log, continue_log
from trading.audit.rules.policy import Policy, parse_policy
from trading.commands.context import telling
from trading.config import Settings
from trading.db import psycopg_url

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextmanager
def _owner(settings: Settings) -> Iterator[Ledger]:
    engine = create_engine(psycopg_url(settings.database_url), poolclass=NullPool)
    try:
        yield Ledger(engine, registry=REGISTRY)
    finally:
        engine.dispose()


def _policy(path: Path) -> Policy:
    return parse_policy(path.read_text())


@click.command("close")
@click.option("--log-dir", required=True, type=_DIRECTORY, help="LOG_DIR of the log.")
@click.option("--policy", required=True, type=_FILE, help="WITNESS_POLICY of the log.")
@click.option("--reason", required=True, help="Why; it will be the first that the next log says.")
@click.option("--checkpoint", type=_FILE, help="The final witnessed checkpoint, if it is not the one in LOG_DIR.")
@click.option("--yes-i-mean", "meant", required=True, metavar="ORIGIN", help="The name of the log to close.")
@telling
def close(log_dir: Path, policy: Path, reason: str, checkpoint: Path | None, meant: str) -> None:
    """Close the log for ever at its last witnessed checkpoint; nobody appends to it or signs it any more.

    The sequencer is stopped before. LOG_ORIGIN is still the name of this log.
    """
    settings = Settings.from_env("release")
    if meant != settings.log_origin:
        raise click.UsageError(f"LOG_ORIGIN is {settings.log_origin}, not {meant}.")
    given = None if checkpoint is None else checkpoint.read_bytes()
    with _owner(settings) as ledger:
        done = close_log(ledger, log_dir, _policy(policy), reason=reason, checkpoint=given)
    facts = {"dropped": done.dropped, "origin": done.log.origin, "rebuilt": done.rebuilt, "size": done.log.size}
    click.echo(f"日志已关闭 / The log is closed: {json.dumps(facts)}")


@click.command("continue")
@click.option("--old-log-dir", required=True, type=_DIRECTORY, help="LOG_DIR of the closed log; it stays where it is.")
@click.option("--log-dir", required=True, type=_DIRECTORY, help="LOG_DIR of the new log.")
@click.option("--policy", required=True, type=_FILE, help="WITNESS_POLICY of the new log: it lists both logs.")
@click.option("--yes-i-mean", "meant", required=True, metavar="ORIGIN", help="The name of the new log.")
@telling
def resume(old_log_dir: Path, log_dir: Path, policy: Path, meant: str) -> None:
    """Begin the new log after the closed one: its first entry is log.continued, and then comes all that waits.

    LOG_ORIGIN is the name of the new log. Witnesses and all who hold the trust file learn of it from the supervisor.
    """
    settings = Settings.from_env("release")
    if meant != settings.log_origin:
        raise click.UsageError(f"LOG_ORIGIN is {settings.log_origin}, not {meant}.")
    with _owner(settings) as ledger:
        log = continue_log(ledger, meant, _policy(policy), old_log_dir=old_log_dir, log_dir=log_dir)
    click.echo(f"日志已续接 / The log is continued: {meant} after {log.size} entries of {log.origin}")
