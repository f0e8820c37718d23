"""A pool of as many experts as a country has, put into a database past the services: for measurements alone."""

from __future__ import annotations

import secrets
from typing import Final

import psycopg

#: Made of so many surnames and given names that a search finds neither nobody nor everybody.
_CROWD: Final = """
INSERT INTO record.pool_file (id, entry_id, number, commit, regime, via, batch, state, rule, until, trained_at)
SELECT n * 2 + 1, %(entry)s, 'E-' || upper(substr(md5(n::text), 1, 12)), sha256(int8send(n)), 'GP', 'import', NULL,
       CASE WHEN n %% 10 = 0 THEN 'waiting' ELSE 'admitted' END, NULL,
       CASE WHEN n %% 10 = 0 THEN NULL ELSE 1800000000000 + (n %% 1000) * 86400000 END, NULL
  FROM generate_series(1::bigint, %(count)s) n;
"""
_DOSSIERS: Final = """
INSERT INTO record.pool_dossier (id, entry_id, number, salt, body)
SELECT n * 2 + 1, %(entry)s, 'E-' || upper(substr(md5(n::text), 1, 12)), decode(repeat('00', 32), 'hex'),
       json_build_object('name', substr('赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨', (n %% 16)::int + 1, 1)
           || chr(19968 + (n %% 997)::int) || chr(19968 + (n %% 1009)::int),
           'identity_no', 'X' || n, 'employer', 'UNIT' || (n %% 5000), 'account', NULL,
           'employers', json_build_array('UNIT' || (n %% 5000), 'UNIT' || (n %% 4999)), 'relatives', json_build_array(),
           'available', n %% 100 <> 0)::text
  FROM generate_series(1::bigint, %(count)s) n;
"""
_REGISTER: Final = """
INSERT INTO record.expert (id, entry_id, expert_id, strata, unit, state)
SELECT n * 2 + 1, %(entry)s, 'E-' || upper(substr(md5(n::text), 1, 12)), ARRAY['A0201-C', 'C1601-P'],
       'UNIT' || (n %% 5000), 'active'
  FROM generate_series(1::bigint, %(count)s) n WHERE n %% 10 <> 0;
"""
_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes
 WHERE schemaname = 'record' AND tablename = ANY(%(tables)s) AND indexname LIKE 'ix@_%%' ESCAPE '@'
"""


def fill(connection: psycopg.Connection, count: int) -> None:
    """Insert ``count`` files with their dossiers, nine of ten in the register; the connection is a superuser's."""
    with connection.transaction():
        connection.execute("SET session_replication_role = replica")
        tables = ("pool_file", "pool_dossier", "expert")
        for table in tables:
            connection.execute(f"ALTER TABLE record.{table} DISABLE TRIGGER USER".encode())
        query = (
            "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce) VALUES (NULL, 'config.changed', '{}', %s)"
            " RETURNING id"
        )
        entry = int(connection.execute(query, (secrets.token_bytes(32),)).fetchall()[0][0])
        # An index that is built over all rows at once takes a fraction of the time of a million insertions into it.
        indexes = connection.execute(_INDEXES.encode(), {"tables": list(tables)}).fetchall()
        for name, _definition in indexes:
            connection.execute(f"DROP INDEX record.{name}".encode())
        for statement in (_CROWD, _DOSSIERS, _REGISTER):
            connection.execute(statement.encode(), {"entry": entry, "count": count})
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for _name, definition in indexes:
            connection.execute(str(definition).encode())
        for table in tables:
            connection.execute(f"ALTER TABLE record.{table} ENABLE TRIGGER USER".encode())
            connection.execute(f"ALTER TABLE record.{table} ENABLE ALWAYS TRIGGER a_guard".encode())
    connection.autocommit = True
    for table in tables:
        connection.execute(f"VACUUM ANALYZE record.{table}".encode())
