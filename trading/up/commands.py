"""``mingbiao up``, ``release`` and ``doctor``."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

import click
from sqlalchemy import NullPool, create_engine

from trading.audit.demo_clock import restore_file
from trading.config import VARIABLES, ConfigError, Process, Settings
from trading.db import psycopg_url
from trading.embedded.processes import EmbeddedServerError
from trading.kernel.errors import MingbiaoError
from trading.release import release as release_database
from trading.up.platform import AlreadyRunning, ForeignDirectory, Platform
from trading.up.supervisor import ProgramFailed

DEMO_BANNER = "演示模式：密钥均在本机，结果不具有证明力\nDemo mode: all keys are on this machine; results prove nothing"


@click.command("up")
@click.option("--listen", envvar="LISTEN", default="127.0.0.1:8000", show_default=True, help="Loopback host and port.")
@click.option("--probe/--no-probe", "probing", default=True, help="Whether the platform measures itself.")
@click.option("--practice/--no-practice", "practising", default=True, help="Whether bidders can practise.")
def up(listen: str, *, probing: bool, practising: bool) -> None:
    """Start servers, migrations and all processes on this machine; stop them with Ctrl-C."""
    configured = [name for name, variable in VARIABLES.items() if variable.server and os.environ.get(name)]
    if configured:
        raise click.UsageError(
            f"{', '.join(configured)} is set. Real servers are run process by process: see Procfile and "
            "docs/configuration.md."
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    platform = Platform(Path(os.environ.get("DATA_DIR") or "var"), listen=listen)
    click.secho(DEMO_BANNER, fg="red")
    click.echo(f"正在启动平台 / Starting the platform in {platform.data_dir}")
    try:
        platform.start()
        if probing:
            platform.start_probes()
        if practising:
            platform.start_practice()
    except (AlreadyRunning, ForeignDirectory, EmbeddedServerError, ProgramFailed) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"平台已就绪 / The platform is ready: {platform.base_url}")
    ended.wait()
    click.echo("正在停止 / Stopping")
    platform.stop()


@click.command("release")
@click.option("--demo-shift-ms", type=int, default=0, help="Demonstration only: first shift of time.")
def release(demo_shift_ms: int) -> None:
    """Bring the database to this release: roles, schemas, migrations, checks."""
    settings = settings_of("release")
    try:
        release_database(
            settings.database_url, origin=settings.log_origin, demo=settings.demo, demo_shift_ms=demo_shift_ms
        )
        if settings.demo:
            _restore_shift(settings)
    except MingbiaoError as error:
        raise click.ClickException(str(error)) from error


def _restore_shift(settings: Settings) -> None:
    """Write the shift of demo time for the other processes: a crash during a move leaves the file behind (P13)."""
    engine = create_engine(psycopg_url(settings.database_url), poolclass=NullPool)
    with engine.connect() as connection:
        restore_file(connection, settings.shift_file)


@click.command("doctor")
@click.argument("process", type=click.Choice([str(process) for process in Process]))
def doctor(process: str) -> None:
    """Print the settings of a process as it would read them now, secrets masked, and what it runs without."""
    settings = settings_of(process)
    for name, value in settings.described():
        click.echo(f"{name:<22} {value}")
    for sentence in settings.lacks:
        click.echo(f"\n{sentence}", err=True)


def settings_of(process: str) -> Settings:
    """Return the settings of a process, or end with every problem and exit code 2."""
    try:
        return Settings.from_env(process)
    except ConfigError as error:
        raise click.UsageError("\n".join(("settings refused:", *error.problems))) from error
