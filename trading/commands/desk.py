"""``mingbiao desk``: organisations, accounts, tokens and the two-person act that enrols a key (P6.2)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from trading.accounts import service as accounts
from trading.commands.context import actor, read_signed, runtime, telling
from trading.kernel.credit_code import is_credit_code
from trading.kernel.roles import Actor, Role
from trading.parties import service as parties
from trading.procedures import service as procedures
from trading.rulebook.calendar_days import days_of

_CONSOLE = Actor(account="system:desk", roles=frozenset({Role.DESK}))


@click.group("desk")
def desk() -> None:
    """Service desk: organisations, accounts, tokens, keys, calendar."""


@desk.command("organisation")
@click.argument("code")
@click.option("--name-zh", required=True)
@click.option("--name-en", required=True)
@click.option("--role", "roles", multiple=True, required=True, help="bidder, agency, supervisor, custodian, …")
@telling
def organisation(code: str, name_zh: str, name_en: str, roles: tuple[str, ...]) -> None:
    """Register an organisation whose identity was checked; CODE is its unified social credit code."""
    if not is_credit_code(code):
        raise click.BadParameter(
            f"{code}: 统一社会信用代码校验不通过 / the check digit does not fit", param_hint="CODE"
        )
    with runtime() as opened:
        parties.register_organisation(
            opened.ledger, _CONSOLE, code=code, name_zh=name_zh, name_en=name_en, roles=tuple(roles)
        )
    click.echo(f"已登记 / registered: {code} {name_zh}")


@desk.command("affiliation")
@click.argument("codes", nargs=2)
@click.option("--ground", required=True, help="Why: a share, a common owner, a person in both.")
@click.option("--ended", is_flag=True, help="They are not affiliated any more.")
@telling
def affiliation(codes: tuple[str, str], ground: str, *, ended: bool) -> None:
    """State that two organisations are affiliated: with agency and operator they count as one custodian (SB1 S3.1)."""
    with runtime() as opened:
        parties.state_affiliation(opened.ledger, _CONSOLE, *codes, affiliated=not ended, ground=ground)
    click.echo(f"已登记 / stated: {codes[0]} {'≁' if ended else '~'} {codes[1]}")


@desk.command("account")
@click.argument("login")
@click.option("--organisation", "code", required=True)
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in Role]))
@telling
def account(login: str, code: str, roles: tuple[str, ...]) -> None:
    """Create an account of an organisation and print its id."""
    with runtime() as opened:
        chosen = tuple(Role(role) for role in roles)
        click.echo(accounts.create_account(opened.ledger, login=login, org_code=code, roles=chosen))


@desk.command("token")
@click.argument("login")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(sorted(accounts.SCOPES)))
@telling
def token(login: str, scopes: tuple[str, ...]) -> None:
    """Issue a bearer token; it is printed once and kept only as a hash."""
    with runtime() as opened:
        click.echo(accounts.issue_token(opened.ledger, login, tuple(scopes)))


@desk.command("challenge")
@click.argument("login")
@telling
def challenge(login: str) -> None:
    """Print account id and a challenge for enrolling a key; it is good for ten minutes and once."""
    with runtime() as opened:
        account_id, value = accounts.issue_challenge(opened.ledger, login)
    click.echo(f"{account_id} {value.hex()}")


@desk.command("enrol")
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--staff", "staff", multiple=True, required=True, help="Two different desk logins.")
@telling
def enrol(document: Path, staff: tuple[str, ...]) -> None:
    """Register the key of a signed enrolment document: an act of two staff members."""
    with runtime() as opened:
        recorded = accounts.enrol_key(opened.ledger, two_of_desk(staff, opened), read_signed(document))
    click.echo(f"密钥已登记 / key registered: {recorded.body['kid']}")


@desk.command("revoke")
@click.argument("kid")
@click.option("--reason", required=True)
@click.option("--staff", "staff", multiple=True, required=True, help="Two different desk logins.")
@telling
def revoke(kid: str, reason: str, staff: tuple[str, ...]) -> None:
    """Revoke a key: an act of two staff members. Bids that were received stay valid."""
    with runtime() as opened:
        parties.revoke_key(opened.ledger, two_of_desk(staff, opened), kid, reason)
    click.echo(f"密钥已吊销 / key revoked: {kid}")


def two_of_desk(staff: tuple[str, ...], opened: object) -> tuple[Actor, Actor]:
    """Return two different people of the service desk by login."""
    if len(staff) != 2:  # noqa: PLR2004 - "two staff members", P6.2
        raise click.UsageError("需要两名工作人员 / two staff members are needed: --staff A --staff B")
    first, second = (actor(opened, login) for login in staff)  # type: ignore[arg-type]  # a Runtime
    for person in (first, second):
        if Role.DESK not in person.roles:
            raise click.UsageError(f"{person.account} 不是服务台人员 / is not of the service desk")
    return first, second


@desk.command("calendar")
@click.argument("year", type=int)
@click.option("--staff", required=True)
@telling
def calendar(year: int, staff: str) -> None:
    """Enter the working days of YEAR from the rule book's data; a year without complete data is refused."""
    with runtime() as opened:
        days = days_of(year)
        rows: list[tuple[date, bool, str]] = [(day.day, day.is_workday, day.name) for day in days]
        procedures.set_calendar(opened.ledger, actor(opened, staff), rows, days[0].source)
    click.echo(f"{year}: {len(rows)}")
