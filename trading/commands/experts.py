"""``mingbiao experts``: bring a pool that the regulator approved, and register the contact service's key."""

from __future__ import annotations

import csv
from pathlib import Path

import click

from agents.signing import load_signer
from trading.audit.service import platform_ms
from trading.commands.context import actor, read_signed, runtime, telling
from trading.commands.desk import two_of_desk
from trading.crypto.signatures import sign_document
from trading.experts.rules.identity import Identity
from trading.experts.rules.register import Act, Item
from trading.experts.service import register
from trading.kernel.errors import InvalidInput

COLUMNS = ("id", "name", "mail", "phone", "employer", "unit", "strata", "account")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("experts")
def experts() -> None:
    """Pool of experts."""


@experts.command("draft")
@click.argument("file", type=_FILE)
@click.argument("target", type=click.Path(path_type=Path))
@telling
def draft(file: Path, target: Path) -> None:
    """Write the register change that admits the people of FILE to TARGET, for the regulator to sign."""
    people = read_people(file)
    with runtime() as opened, opened.ledger.read() as conn:
        target.write_bytes(register.draft_change(conn, Act.ADMITTED, [item for item, _ in people], platform_ms(conn)))
    click.echo(f"{target}: {len(people)}")


@experts.command("import")
@click.argument("file", type=_FILE)
@click.option("--signed", type=_FILE, help="The change as the regulator signed it (mingbiao sign).")
@click.option("--key", type=_FILE, help="The regulator's key file, to sign here and now.")
@click.option("--as", "login", required=True, help="Login of the regulator.")
@telling
def import_(file: Path, signed: Path | None, key: Path | None, login: str) -> None:
    """Admit the people of FILE (CSV: id,name,mail,phone,employer,unit,strata,account); names are sealed at once."""
    if (signed is None) == (key is None):
        raise click.UsageError("给出 --signed 或 --key 之一 / give either --signed or --key")
    people = read_people(file)
    identities = {item.id: identity for item, identity in people}
    with runtime() as opened:
        if signed is not None:
            document = read_signed(signed)
        else:
            with opened.ledger.read() as conn:
                raw = register.draft_change(conn, Act.ADMITTED, [item for item, _ in people], platform_ms(conn))
            document = sign_document(raw, load_signer(key or file, None))
        register.change_register(opened.ledger, actor(opened, login), document, identities)
        register.start_snapshots(opened.ledger)
    click.echo(f"已入库 / admitted: {len(people)}")


@experts.command("contact-key")
@click.argument("public")
@click.option("--organisation", "code", required=True, help="Code of the trading centre.")
@click.option("--staff", "staff", multiple=True, required=True, help="Two different desk logins.")
@telling
def contact_key(public: str, code: str, staff: tuple[str, ...]) -> None:
    """Register the PUBLIC key (hex) of the contact service: an act of two staff members."""
    with runtime() as opened:
        register.register_contact_key(opened.ledger, two_of_desk(staff, opened), bytes.fromhex(public), code)
    click.echo("已登记 / registered")


def read_people(file: Path) -> list[tuple[Item, Identity]]:
    """Return the people of a CSV file; strata are separated by spaces.

    Raises:
        InvalidInput: ``csv.experts``: a column is missing, or a row lacks a name, mail or stratum.
    """
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        if set(COLUMNS) - {"account"} - set(reader.fieldnames or ()):
            raise InvalidInput("csv.experts", f"the columns are {', '.join(COLUMNS)}")
        people = []
        for number, row in enumerate(reader, 2):
            strata = tuple((row["strata"] or "").split())
            if not all((row["id"], row["name"], row["mail"], row["employer"], strata)):
                raise InvalidInput("csv.experts", f"row {number} lacks something")
            identity = Identity(
                name=row["name"],
                mail=row["mail"],
                phone=row["phone"] or "",
                employer=row["employer"],
                account=row.get("account") or None,
            )
            people.append((Item(id=row["id"], strata=strata, unit=row["unit"] or ""), identity))
    return people
