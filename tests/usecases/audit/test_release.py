"""The release: idempotent, all or nothing, blind to no missing guard (architecture 8, P13)."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.databases import DEMO_ORIGIN, ORIGIN, Database
from trading.kernel.errors import InvalidInput
from trading.release import faults, release
from trading.release.installing import MIGRATIONS

WEAKENED = {
    "DROP TRIGGER a_guard ON record.bid": "a_guard",
    "ALTER TABLE record.bid DISABLE TRIGGER a_guard": "a_guard",
    "ALTER TABLE record.bid ENABLE TRIGGER a_guard": "a_guard",  # on, but silent under the replica role
    "ALTER TABLE record.lot DISABLE TRIGGER b_keep": "b_keep",
    "ALTER TABLE log.audit_entry DISABLE TRIGGER c_frozen": "c_frozen",
    "ALTER TABLE log.audit_entry ENABLE TRIGGER a_stamp": "a_stamp",
    "DROP TRIGGER a_guard ON record.bid; CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE ON record.bid FOR EACH ROW"
    " EXECUTE FUNCTION log.guard(); ALTER TABLE record.bid ENABLE ALWAYS TRIGGER a_guard": "a_guard",
    "GRANT DELETE ON record.bid TO trading_web": "DELETE",
    "GRANT SELECT ON record.bid TO PUBLIC": "PUBLIC",
    "GRANT INSERT (h) ON log.audit_entry TO trading_web": "audit_entry.h",
    "GRANT SELECT ON log.audit_queue TO trading_web": "audit_queue",
    "GRANT USAGE ON SEQUENCE log.audit_entry_id TO trading_web": "audit_entry_id",
    "REVOKE UPDATE ON record.bid FROM trading_worker": "trading_worker lacks UPDATE",
    "ALTER SEQUENCE log.audit_entry_id CACHE 10": "cached",
    "CREATE TABLE record.stray (id bigint PRIMARY KEY)": "stray",
    "CREATE TABLE public.stray (id bigint PRIMARY KEY)": "outside",
    "GRANT CREATE ON SCHEMA record TO trading_web": "more than",
    "ALTER TABLE record.bid OWNER TO trading_web": "trading_owner",
    "ALTER FUNCTION log.guard() RESET search_path": "search path",
    "CREATE TABLE log.demo_shift (ms bigint)": "clock",
}


@pytest.mark.parametrize(("statement", "named"), WEAKENED.items(), ids=lambda value: str(value)[:40])
def test_a_weakened_guard_is_found(database: Database, statement: str, named: str) -> None:
    with database.connect() as superuser:
        assert faults(superuser) == []
        superuser.exec_driver_sql(statement)
        found = faults(superuser)
    assert any(named in fault for fault in found), found
    with pytest.raises(InvalidInput, match=r"release\.guard"):
        release(database.url("postgres"), origin=ORIGIN, demo=False)


def test_a_release_may_be_repeated(database: Database, demo_database: Database) -> None:
    release(database.url("postgres"), origin=ORIGIN, demo=False)
    release(demo_database.url("postgres"), origin=DEMO_ORIGIN, demo=True, demo_shift_ms=5)
    with demo_database.connect() as superuser:
        assert superuser.exec_driver_sql("SELECT ms FROM log.demo_shift").scalar_one() == 0


def test_after_the_first_time_no_superuser_is_needed(database: Database) -> None:
    role = f"releaser_{database.name}"
    with database.connect() as superuser:
        superuser.exec_driver_sql(f"CREATE ROLE {role} LOGIN IN ROLE trading_owner")
        superuser.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database.name} TO {role}")
        try:
            release(database.url(role), origin=ORIGIN, demo=False)
        finally:
            superuser.exec_driver_sql(f"REVOKE ALL ON DATABASE {database.name} FROM {role}")
            superuser.exec_driver_sql(f"DROP ROLE {role}")


def test_a_database_stays_what_it_was_born_as(database: Database, demo_database: Database) -> None:
    for target, origin, demo in (
        (database, DEMO_ORIGIN, True),
        (demo_database, ORIGIN, False),
        (database, "log.other/audit", False),
        (database, DEMO_ORIGIN, False),
        (demo_database, ORIGIN, True),
    ):
        with pytest.raises(InvalidInput, match=r"release\.origin"):
            release(target.url("postgres"), origin=origin, demo=demo)


def test_demo_time_is_shifted_and_only_moves_on(demo_database: Database) -> None:
    difference = "SELECT extract(epoch FROM log.platform_time() - clock_timestamp()) * 1000"
    with demo_database.connect("trading_web") as web:
        web.exec_driver_sql("UPDATE log.demo_shift SET ms = 3600000")
        assert 3_599_000 < web.exec_driver_sql(difference).scalar_one() <= 3_600_000
        for ms in (3_600_000, 5):
            with pytest.raises(Exception, match="only moves on"):
                web.exec_driver_sql(f"UPDATE log.demo_shift SET ms = {ms}")  # noqa: S608 - two literals


def test_the_head_file_names_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    heads = ScriptDirectory.from_config(config).get_heads()
    assert [Path(MIGRATIONS / ".head").read_text().strip()] == heads
