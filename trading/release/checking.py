"""Are the guards and rights in place? Read from the catalogue, not from what a migration meant to do (AL1 L3).

Every check lists what is wrong; an empty list is what lets a release pass. Trigger types are PostgreSQL's bits: row 1,
before 2, insert 4, delete 8, update 16, truncate 32.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from trading.release.bootstrap import LOGIN_ROLES

_RECORD_TABLES: Final = """
    SELECT c.oid, c.relname, a.attname IS NOT NULL AS scoped
      FROM pg_class c
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'procedure_id' AND NOT a.attisdropped
     WHERE c.relnamespace = 'record'::regnamespace AND c.relkind IN ('r', 'p')
"""
_TRIGGERS: Final = """
    SELECT c.oid::regclass::text, t.tgname, t.tgtype, p.oid::regproc::text, t.tgenabled::text,
           replace(encode(t.tgargs, 'escape'), '\\000', '')
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE NOT t.tgisinternal AND c.relnamespace IN ('record'::regnamespace, 'log'::regnamespace)
"""
_LOG_TRIGGERS: Final = (
    ("log.audit_entry", "a_stamp", 7, "log.audit_entry_stamp", "A", ""),
    ("log.audit_entry", "b_enqueue", 5, "log.audit_entry_enqueue", "A", ""),
    ("log.audit_entry", "c_frozen", 58, "log.refuse", "A", ""),
    ("log.log_position", "c_frozen", 58, "log.refuse", "A", ""),
    ("log.closed_log", "c_frozen", 58, "log.refuse", "A", ""),
    ("log.dropped_position", "c_frozen", 58, "log.refuse", "A", ""),
)
_GRANTS: Final = """
    SELECT c.oid::regclass::text || coalesce('.' || a.attname, ''), coalesce(r.rolname, 'PUBLIC'), x.privilege_type
      FROM pg_class c
      JOIN LATERAL (
        SELECT NULL::name AS attname, c.relacl AS acl
        UNION ALL
        SELECT a.attname, a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL
      ) a ON true
      JOIN LATERAL aclexplode(a.acl) x ON true
      LEFT JOIN pg_roles r ON r.oid = x.grantee
     WHERE c.relnamespace IN ('record'::regnamespace, 'log'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
       AND c.relname <> 'alembic_version' AND x.grantee <> c.relowner
"""
_WRITERS: Final = ("trading_web", "trading_worker")
_ENTRY_COLUMNS: Final = ("procedure_id", "kind", "record", "nonce")
# Tables whose rows not everybody who serves may read (security 12), and everything that the contact service may do.
_SECRET: Final = {
    "record.expert_identity": {
        ("record.expert_identity", "trading_web", "INSERT"),
        ("record.expert_identity", "trading_worker", "INSERT"),
    },
    # Personal data of the pool (migration 0010): row-level security says which rows the web reads.
    "record.pool_dossier": {
        *(("record.pool_dossier", "trading_web", right) for right in ("SELECT", "INSERT", "UPDATE")),
        *(("record.pool_dossier", "trading_worker", right) for right in ("SELECT", "INSERT")),
    },
    "record.pool_note": {("record.pool_note", "trading_web", right) for right in ("SELECT", "INSERT")},
}
# Views of digests, through which an auditor compares what he may not read (ADR 0045).
_DIGESTS: Final = (
    *("record.held_seat", "record.kept_dossier", "record.kept_identity"),
    *("record.kept_note", "record.signed_sheet"),
)
_CONTACT_READS: Final = (
    *(
        "document",
        "draw",
        "draw_answer",
        "draw_share_key",
        "draw_step",
        "committee",
        "committee_member",
        "expert",
        "expert_identity",
    ),
    *("organisation", "panel_name", "pool_file", "procedure", "seat_holder", "signing_key", "specialty_tree"),
)
_CONTACT_WRITES: Final = ("committee", "committee_member", "draw", "draw_step", "panel_name")
_NOTHING_ELSE: Final = {
    "a table stands outside record, log, desk and history": """
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('record', 'log', 'desk', 'history')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND n.nspname NOT LIKE 'pg@_toast%%' ESCAPE '@' AND n.nspname NOT LIKE 'pg@_temp%%' ESCAPE '@'
    """,
    "it does not belong to trading_owner": """
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relnamespace IN ('record'::regnamespace, 'log'::regnamespace, 'desk'::regnamespace,
                                   'history'::regnamespace)
           AND c.relkind IN ('r', 'p', 'v', 'S') AND c.relowner <> 'trading_owner'::regrole
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace = 'log'::regnamespace AND p.proowner <> 'trading_owner'::regrole
    """,
    "a record table without id, or without entry_id that refers to the log": """
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'record'::regnamespace AND c.relkind IN ('r', 'p') AND NOT (
           EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'id' AND a.attnotnull)
           AND EXISTS (SELECT 1 FROM pg_attribute a JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
                        AND k.confrelid = 'log.audit_entry'::regclass AND k.conkey = ARRAY[a.attnum]
                       WHERE a.attrelid = c.oid AND a.attname = 'entry_id' AND a.attnotnull))
    """,
    "the sequence of entry ids is cached, which breaks the order of the log": """
        SELECT sequencename FROM pg_sequences WHERE schemaname = 'log' AND sequencename = 'audit_entry_id'
           AND cache_size <> 1
    """,
    "a role that serves has more than a role that serves needs": """
        SELECT rolname FROM pg_roles WHERE rolname = ANY(%(logins)s)
           AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
        UNION ALL
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = ANY(%(logins)s)
        UNION ALL
        SELECT l FROM unnest(%(logins)s::text[]) l
         WHERE has_database_privilege(l, current_database(), 'CREATE')
            OR has_database_privilege(l, current_database(), 'TEMPORARY')
            OR EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname IN ('record', 'log', 'desk', 'history', 'public')
                        AND has_schema_privilege(l, n.oid, 'CREATE'))
    """,
    "a function that acts as its owner has no fixed search path": """
        SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'log'::regnamespace
           AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
    """,
    "the database's clock does not fit its mode": """
        SELECT o.origin FROM log.origin o
         WHERE o.demo IS DISTINCT FROM (to_regclass('log.demo_shift') IS NOT NULL)
            OR o.demo IS DISTINCT FROM (SELECT p.prosrc LIKE '%%demo_shift%%' FROM pg_proc p
                                         WHERE p.oid = 'log.platform_time()'::regprocedure)
    """,
}


def faults(connection: Connection) -> list[str]:
    """Return what is wrong with guards and rights of this database, one sentence each; an empty list is right."""
    return [*_trigger_faults(connection), *_grant_faults(connection), *_other_faults(connection)]


def _trigger_faults(connection: Connection) -> list[str]:
    found = {tuple(row) for row in connection.exec_driver_sql(_TRIGGERS)}
    wanted = set(_LOG_TRIGGERS)
    for row in connection.exec_driver_sql(_RECORD_TABLES):
        argument = "id" if row.relname == "procedure" else "procedure_id" if row.scoped else ""
        wanted.add((f"record.{row.relname}", "a_guard", 23, "log.guard", "A", argument))
        wanted.add((f"record.{row.relname}", "b_keep", 42, "log.refuse", "A", ""))
    return [f"{table}: trigger {name} is missing, weakened or off" for table, name, *_ in sorted(wanted - found)]


def _grant_faults(connection: Connection) -> list[str]:
    wanted = _log_grants() | {(view, "trading_auditor", "SELECT") for view in _DIGESTS}
    for row in connection.exec_driver_sql(_RECORD_TABLES):
        table = f"record.{row.relname}"
        if table in _SECRET:
            wanted |= _SECRET[table]
            continue
        wanted |= {(table, role, right) for role in _WRITERS for right in ("SELECT", "INSERT", "UPDATE")}
        wanted |= {(table, role, "SELECT") for role in ("trading_reader", "trading_auditor")}
    found = {(row[0], row[1], row[2]) for row in connection.exec_driver_sql(_GRANTS)}
    demo = {each for each in found if each[0].startswith("log.demo_shift")}  # demo mode alone has it (P13)
    missing = [f"{role} lacks {right} on {table}" for table, role, right in sorted(wanted - found)]
    return missing + [f"{role} has {right} on {table}" for table, role, right in sorted(found - wanted - demo)]


def _log_grants() -> set[tuple[str, str, str]]:
    """Return the rights of AL1 L3 and of the table in architecture 8."""
    everyone = (*_WRITERS, "trading_reader", "trading_sequencer", "trading_clock", "trading_auditor")
    loggers = (*_WRITERS, "trading_sequencer")
    readers = {
        "log.audit_entry": (*loggers, "trading_reader", "trading_auditor"),
        "log.log_position": everyone,
        "log.audit_queue": ("trading_sequencer", "trading_auditor"),
        "log.sequencer_barrier": ("trading_sequencer", "trading_auditor"),
        "log.origin": everyone,
        "log.closed_log": everyone,
        "log.dropped_position": ("trading_auditor",),
    }
    grants = {(table, role, "SELECT") for table, roles in readers.items() for role in roles}
    grants |= {(f"log.audit_entry.{column}", role, "INSERT") for column in _ENTRY_COLUMNS for role in loggers}
    grants |= {("log.audit_queue", "trading_sequencer", "DELETE"), ("log.log_position", "trading_sequencer", "INSERT")}
    grants.add(("log.sequencer_barrier", "trading_sequencer", "UPDATE"))
    return grants | _contact_grants()


def _contact_grants() -> set[tuple[str, str, str]]:
    grants = {(f"record.{table}", "trading_contact", "SELECT") for table in _CONTACT_READS}
    grants |= {
        (f"record.{table}", "trading_contact", right) for table in _CONTACT_WRITES for right in ("INSERT", "UPDATE")
    }
    grants |= {(f"log.audit_entry.{column}", "trading_contact", "INSERT") for column in _ENTRY_COLUMNS}
    return grants | {
        (f"log.{table}", "trading_contact", "SELECT") for table in ("audit_entry", "log_position", "origin")
    }


def _other_faults(connection: Connection) -> list[str]:
    found = []
    for sentence, query in _NOTHING_ELSE.items():
        rows = connection.exec_driver_sql(query, {"logins": list(LOGIN_ROLES)})
        found += [f"{row[0]}: {sentence}" for row in rows]
    return found
