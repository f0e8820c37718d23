"""``mingbiao tamper``: change a row of a demonstration as somebody with the database's keys could, for others to find.

Refused on a production database (P13). The guard is switched off for the one statement, as only the owner can.
"""

from __future__ import annotations

from typing import Final

import click
from sqlalchemy import NullPool, create_engine

from trading.commands.context import telling
from trading.config import Settings
from trading.db import psycopg_url

_CHANGES: Final = {
    "bid": ("record.bid", "received_at = received_at - 60000 WHERE seq > 0"),
    "price": (
        "record.opened_bid",
        """price = replace(convert_from(price, 'UTF8'), '"total":1', '"total":2')::bytea WHERE price IS NOT NULL""",
    ),
    "ranking": (
        "record.ranking",
        """items = replace(convert_from(items, 'UTF8'), '"rank":1,', '"rank":9,')::bytea""",
    ),
}


@click.command("tamper")
@click.argument("what", type=click.Choice(sorted(_CHANGES)))
@telling
def tamper(what: str) -> None:
    """Change stored rows of the demonstration behind the platform's back; then run verify-audit."""
    settings = Settings.from_env("release")
    if not settings.demo:
        raise click.ClickException("只用于演示库 / Only a demonstration database may be tampered with.")
    table, change = _CHANGES[what]
    engine = create_engine(psycopg_url(settings.database_url), poolclass=NullPool)
    with engine.connect() as conn, conn.begin():
        conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        rows = conn.exec_driver_sql(f"UPDATE {table} SET {change}").rowcount  # noqa: S608 - constants of this file
        conn.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER a_guard")
        conn.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER b_keep")
    click.echo(f"已篡改 {table} {rows} 行 / changed {rows} rows of {table}")
    click.echo("现在运行 / now run: mingbiao verify-audit")
