"""One PostgreSQL server for the whole run, one migrated template, a throw-away clone for each test that wants one.

A clone costs 40 ms and commits for real, so every test runs under the guard as production does (style, Tests).
``TEST_DATABASE_URL`` (a superuser's address) points the suite at another server, whose roles must be trusted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url

from trading.db import open_engine, psycopg_url
from trading.embedded.postgres import PostgresServer, start_postgres
from trading.release import release, restrict_database

ORIGIN = "log.test/audit"
DEMO_ORIGIN = "demo.log.test/audit"
SERVER_VARIABLE = "MINGBIAO_TEST_SERVER"
_TEMPLATES = {False: "template_mingbiao", True: "template_mingbiao_demo"}
_LOCK = 0x7465_7374
_running: list[PostgresServer] = []  # kept, so that its process handle is not collected while it runs


@dataclass(frozen=True)
class Server:
    """The server of this run; ``superuser`` is the address of its database ``postgres``."""

    superuser: str

    def url(self, role: str, database: str) -> str:
        return make_url(self.superuser).set(username=role, database=database).render_as_string(hide_password=False)

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[Connection]:
        """Connect as superuser, committing each statement."""
        url = make_url(self.superuser).set(database=database)
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    def template(self, *, demo: bool) -> str:
        """Return the name of the migrated template; the first caller of the run makes it."""
        name = _TEMPLATES[demo]
        with self.connect() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_lock(%s)", (_LOCK,))
            found = connection.exec_driver_sql("SELECT datistemplate FROM pg_database WHERE datname = %s", (name,))
            if found.scalar_one_or_none() is None:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
                origin = DEMO_ORIGIN if demo else ORIGIN
                release(self.url("postgres", name), origin=origin, demo=demo)
                connection.exec_driver_sql(f"ALTER DATABASE {name} IS_TEMPLATE true")
            connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (_LOCK,))
        return name


@dataclass
class Database:
    """One clone: addresses by role, engines that are disposed with it."""

    server: Server
    name: str
    demo: bool
    _engines: list[Engine] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return DEMO_ORIGIN if self.demo else ORIGIN

    def url(self, role: str) -> str:
        return self.server.url(role, self.name)

    def engine(self, role: str = "trading_web", *, pool_size: int = 4, acquire_s: float = 4.0) -> Engine:
        engine = open_engine(self.url(role), pool_size=pool_size, application="test", acquire_s=acquire_s)
        self._engines.append(engine)
        return engine

    @contextmanager
    def connect(self, role: str = "postgres") -> Iterator[Connection]:
        """Connect as ``role``, committing each statement; for looking and for what an owner would do."""
        engine = create_engine(psycopg_url(self.url(role)), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    def dispose(self) -> None:
        for engine in self._engines:
            engine.dispose()


def server_of_run() -> Server:
    """Start or adopt the server whose folder the controller named; it is the controller that stops it."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url is not None:
        return Server(psycopg_url(url).render_as_string(hide_password=False))
    if not _running:
        _running.append(start_postgres(_folder(), fsync=False))
    return Server(_running[0].url("postgres", "postgres"))


def stop_server_of_run() -> None:
    """Stop the server and delete its files, if this run started one in this process or in a worker."""
    if not _running and _folder().exists():
        _running.append(start_postgres(_folder(), fsync=False))
    while _running:
        _running.pop().destroy()


def _folder() -> Path:
    return Path(os.environ[SERVER_VARIABLE]) / "postgres"


@contextmanager
def clone(server: Server, *, demo: bool = False) -> Iterator[Database]:
    """Yield a fresh copy of the template and drop it afterwards."""
    with _copy(server, server.template(demo=demo), demo=demo) as database:
        yield database


@contextmanager
def copied(database: Database) -> Iterator[Database]:
    """Yield a copy of a database that nobody uses any more, and drop it afterwards."""
    database.dispose()
    with _copy(database.server, database.name, demo=database.demo) as copy:
        yield copy


@contextmanager
def _copy(server: Server, template: str, *, demo: bool) -> Iterator[Database]:
    name = f"test_{token_hex(6)}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    database = Database(server=server, name=name, demo=demo)
    with database.connect() as connection:
        restrict_database(connection)  # rights on a database are not copied with it
    try:
        yield database
    finally:
        database.dispose()
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
