"""One release of a database: everything or nothing, under one advisory lock, with time-outs.

A migration that would have to wait gives up and leaves the old state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine

from trading.db import psycopg_url
from trading.kernel.errors import InvalidInput
from trading.release.bootstrap import prepare_database, set_origin
from trading.release.checking import faults

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"
_RELEASE_LOCK: Final = 0x6D62_7265


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` as ``trading_owner`` on this connection, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
    connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")
    connection.exec_driver_sql("SET ROLE trading_owner")
    command.upgrade(config, revision)
    connection.exec_driver_sql("RESET ROLE")


def release(url: str, *, origin: str, demo: bool, demo_shift_ms: int = 0) -> None:
    """Bring the database at ``url`` to this release, or leave it untouched.

    Raises:
        InvalidInput: Another origin or mode (``release.origin``), or a guard or grant is missing (``release.guard``).
    """
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_RELEASE_LOCK,))
        prepare_database(connection)
        migrate(connection)
        set_origin(connection, origin, demo=demo, demo_shift_ms=demo_shift_ms)
        if found := faults(connection):
            raise InvalidInput("release.guard", "; ".join(found))
