"""Small guarded tables beside the real ones: what the guard is tried on, whatever the trade's columns are today."""

from __future__ import annotations

from tests.support.databases import Database
from trading.db import guarded_ddl

_TABLES = """
CREATE TABLE record.trial_procedure (
  id bigint PRIMARY KEY, entry_id bigint NOT NULL REFERENCES log.audit_entry, phase text NOT NULL
);
CREATE TABLE record.trial_bid (
  id bigint PRIMARY KEY, entry_id bigint NOT NULL REFERENCES log.audit_entry,
  procedure_id bigint NOT NULL REFERENCES record.trial_procedure, head text
);
CREATE TABLE record.trial_setting (
  id bigint PRIMARY KEY, entry_id bigint NOT NULL REFERENCES log.audit_entry, value text
);
"""
_GUARDED = {"trial_procedure": "id", "trial_bid": "procedure_id", "trial_setting": None}


def make_trial_tables(database: Database) -> None:
    """Create the tables as the owner would."""
    with database.connect() as superuser:
        superuser.exec_driver_sql("SET ROLE trading_owner")
        superuser.exec_driver_sql(_TABLES)
        for table, column in _GUARDED.items():
            for statement in guarded_ddl(f"record.{table}", column):
                superuser.exec_driver_sql(statement)
