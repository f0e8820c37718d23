"""Roles, schemas, rights and the log's origin: what only the superuser of a database can state.

A database is born for one log origin, as production or as demonstration, and stays that (P13).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from trading.db import run_script
from trading.kernel.errors import InvalidInput

DEMO_ORIGIN_PREFIX: Final = "demo."
DEMO_LOCK: Final = 0x6D62_6A75  # held shared by acts and exclusively while demonstration time is moved on (P13)
LOGIN_ROLES: Final = (
    "trading_web",
    "trading_worker",
    "trading_reader",
    "trading_sequencer",
    "trading_clock",
    "trading_auditor",
    "trading_contact",
)

_ROLES = """
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['trading_owner', {logins}] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I', role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server is being released at the same moment
      END;
    END IF;
  END LOOP;
  FOREACH role IN ARRAY ARRAY[{logins}] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role AND rolcanlogin) THEN
      EXECUTE format('ALTER ROLE %I LOGIN', role);
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT 1 FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
                 WHERE r.rolname = 'trading_reader' AND s.setdatabase = 0) THEN
    ALTER ROLE trading_reader SET default_transaction_read_only = on;
  END IF;
END $$
"""

# Neither is copied by CREATE DATABASE ... TEMPLATE, so every release states it again.
_DATABASE = """
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO trading_owner, {logins}', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC
"""

_SCHEMAS = """
CREATE SCHEMA IF NOT EXISTS log AUTHORIZATION trading_owner;
CREATE SCHEMA IF NOT EXISTS record AUTHORIZATION trading_owner;
CREATE SCHEMA IF NOT EXISTS desk AUTHORIZATION trading_owner;
CREATE SCHEMA IF NOT EXISTS history AUTHORIZATION trading_owner;
SET ROLE trading_owner;
GRANT USAGE ON SCHEMA log, record
  TO trading_web, trading_worker, trading_sequencer, trading_reader, trading_auditor, trading_contact;
GRANT USAGE ON SCHEMA log TO trading_clock;
GRANT USAGE ON SCHEMA desk
  TO trading_web, trading_worker, trading_reader, trading_clock, trading_auditor, trading_contact;
GRANT USAGE ON SCHEMA history TO trading_web, trading_worker, trading_reader;
RESET ROLE
"""

_DEMO = """
CREATE TABLE log.demo_shift (one boolean PRIMARY KEY DEFAULT true CHECK (one), ms bigint NOT NULL);
CREATE FUNCTION log.demo_shift_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.ms <= OLD.ms THEN
    RAISE EXCEPTION 'demonstration time only moves on' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_grows BEFORE UPDATE ON log.demo_shift FOR EACH ROW EXECUTE FUNCTION log.demo_shift_grows();
CREATE OR REPLACE FUNCTION log.platform_time() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared({lock});
  RETURN clock_timestamp() + (SELECT d.ms * interval '1 millisecond' FROM log.demo_shift d);
END $$;
GRANT SELECT ON log.demo_shift
  TO trading_web, trading_worker, trading_sequencer, trading_reader, trading_clock, trading_auditor, trading_contact;
GRANT UPDATE (ms) ON log.demo_shift TO trading_web, trading_worker
"""


def prepare_database(connection: Connection) -> None:
    """Create roles and schemas and take every right from PUBLIC; as superuser, may be repeated.

    A member of ``trading_owner`` who is no superuser can release only where a superuser has done this before; that
    nothing of it is missing is checked at the end of every release.
    """
    if not connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar_one():
        return
    run_script(connection, _ROLES.replace("{logins}", ", ".join(f"'{role}'" for role in LOGIN_ROLES)))
    restrict_database(connection)
    run_script(connection, _SCHEMAS)


def restrict_database(connection: Connection) -> None:
    """Let only the roles of the product connect, and nobody but owners create or use temporary tables."""
    run_script(connection, _DATABASE.replace("{logins}", ", ".join(LOGIN_ROLES)))


def set_origin(connection: Connection, origin: str, *, demo: bool, demo_shift_ms: int = 0) -> None:
    """Bind the database to its log at the first release; later releases must name the same one.

    Args:
        connection: Inside the release transaction.
        origin: Schema-less URL of the log. Begins with ``demo.`` if and only if this is a demonstration (P13).
        demo: Whether ``log.platform_time()`` gets its shift.
        demo_shift_ms: The shift of the first start; ignored later.

    Raises:
        InvalidInput: ``release.origin`` if the prefix, the origin or the mode does not fit.
    """
    if origin.startswith(DEMO_ORIGIN_PREFIX) != demo:
        raise InvalidInput("release.origin", f"{origin}: a demonstration origin begins with 'demo.', no other does")
    stored = connection.exec_driver_sql("SELECT origin, demo FROM log.origin").one_or_none()
    if stored is not None:
        if (stored.origin, stored.demo) != (origin, demo):
            raise InvalidInput("release.origin", f"this database belongs to {stored.origin} and stays with it")
        return
    connection.exec_driver_sql("SET ROLE trading_owner")
    connection.exec_driver_sql("INSERT INTO log.origin (origin, demo) VALUES (%s, %s)", (origin, demo))
    if demo:
        run_script(connection, _DEMO.replace("{lock}", str(DEMO_LOCK)))
        connection.exec_driver_sql("INSERT INTO log.demo_shift (ms) VALUES (%s)", (demo_shift_ms,))
    connection.exec_driver_sql("RESET ROLE")
