"""Runs the migrations on the connection that ``trading.release`` prepared: advisory lock, time-outs, owner role."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="log", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
