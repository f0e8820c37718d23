"""The embedded servers of a platform, and the note that tells its processes where they listen."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy

from trading.config.demo import EmbeddedServers
from trading.embedded.postgres import SUPERUSER, PostgresServer, start_postgres
from trading.embedded.processes import EmbeddedServerError
from trading.embedded.valkey import ValkeyServer, start_valkey

DATABASE = "mingbiao"
_LOG = logging.getLogger(__name__)


class Servers:
    """PostgreSQL and Valkey of one ``DATA_DIR``.

    Args:
        data_dir: Gets ``postgres/`` and ``valkey/``.
        fsync: Whether commits wait for the disk.
    """

    def __init__(self, data_dir: Path, *, fsync: bool) -> None:
        self._data_dir = data_dir
        self._fsync = fsync
        self.postgres: PostgresServer | None = None
        self.valkey: ValkeyServer | None = None

    def start(self) -> None:
        """Start or adopt both servers, create the database at the first start, and write the note."""
        self.postgres = self._start_postgres()
        self.valkey = self._start_valkey()
        _create_database(self.postgres)
        EmbeddedServers(database=self.postgres.url("ROLE", DATABASE), redis=self.valkey.url).write(self._data_dir)

    def revive(self) -> None:
        """Start a server again that ended by itself, on the same socket; a failure is logged and tried again later."""
        try:
            if self.postgres is not None and not self.postgres.is_running:
                _LOG.warning("PostgreSQL ended; starting it again")
                self.postgres = self._start_postgres()
            if self.valkey is not None and not self.valkey.is_running:
                _LOG.warning("Valkey ended; starting it again")
                self.valkey = self._start_valkey()
        except EmbeddedServerError:
            _LOG.exception("the server does not start yet")

    def stop(self) -> None:
        """Stop both servers, the doorbell first."""
        if self.valkey is not None:
            self.valkey.stop()
        if self.postgres is not None:
            self.postgres.stop()
        self.valkey = self.postgres = None

    def _start_postgres(self) -> PostgresServer:
        return start_postgres(self._data_dir / "postgres", fsync=self._fsync)

    def _start_valkey(self) -> ValkeyServer:
        return start_valkey(self._data_dir / "valkey")


def _create_database(server: PostgresServer) -> None:
    """Create the platform's database at the first start; the release fills it."""
    engine = sqlalchemy.create_engine(server.url(SUPERUSER, SUPERUSER), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            known = sqlalchemy.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.scalar(known, {"name": DATABASE}) is None:
                connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
    finally:
        engine.dispose()
