"""``mingbiao user``: accounts from the console. No password is set or seen here either: a link lets the owner do it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from trading.accounts import service as accounts
from trading.accounts.model import administered
from trading.accounts.queries import find_accounts
from trading.accounts.service.credentials import SetupKind, issue_setup
from trading.accounts.service.people import CONSOLE
from trading.accounts.service.sessions import end_all
from trading.commands.context import actor, runtime, telling
from trading.kernel.roles import Role

_ROLE = click.Choice([role.value for role in Role])


@click.group("user")
def user() -> None:
    """账号: list accounts, give and take roles, end sessions, close, start a set-up."""


@user.command("list")
@click.argument("text", default="")
@click.option("--json", "as_json", is_flag=True)
@telling
def list_users(text: str, *, as_json: bool) -> None:
    """List accounts whose name, login or organisation code contains TEXT."""
    with runtime() as opened, opened.ledger.upkeep() as conn:
        found = find_accounts(conn, text)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        roles = ", ".join(f"{held.role}@{held.jurisdiction}" for held in each.memberships) or "–"
        closed = "" if each.active else "\t已关闭 / closed"
        click.echo(f"{each.login}\t{each.name}\t{each.org_code}\t{roles}{closed}")


@user.command("grant")
@click.argument("login")
@click.argument("role", type=_ROLE)
@click.option("--jurisdiction", default="CN", show_default=True)
@telling
def grant(login: str, role: str, jurisdiction: str) -> None:
    """Give an account one more role; refused when it would both supervise and trade in one jurisdiction (管采分离)."""
    with runtime() as opened:
        accounts.grant_membership(opened.ledger, CONSOLE, actor(opened, login).account, Role(role), jurisdiction)
    click.echo(f"已授予 / granted: {login} {role}@{jurisdiction}")


@user.command("revoke")
@click.argument("login")
@click.argument("role", type=_ROLE)
@click.option("--jurisdiction", default="CN", show_default=True)
@click.option("--reason", required=True, help="Stands in the log.")
@telling
def revoke(login: str, role: str, jurisdiction: str, reason: str) -> None:
    """Take a role away; the next request of the account no longer has it."""
    with runtime() as opened:
        account = actor(opened, login).account
        accounts.end_membership(opened.ledger, CONSOLE, account, Role(role), jurisdiction, reason=reason)
    click.echo(f"已终止 / ended: {login} {role}@{jurisdiction}")


@user.command("end-sessions")
@click.argument("login")
@telling
def end_sessions(login: str) -> None:
    """End every session of an account."""
    with runtime() as opened:
        end_all(opened.ledger, CONSOLE, actor(opened, login).account)
    click.echo(f"登录已全部结束 / every session has ended: {login}")


@user.command("close")
@click.argument("login")
@telling
def close(login: str) -> None:
    """Close an account: its sessions and tokens die at once."""
    with runtime() as opened:
        accounts.close_account(opened.ledger, actor(opened, login).account)
    click.echo(f"已关闭 / closed: {login}")


@user.command("setup")
@click.argument("login")
@click.option("--password-only", is_flag=True, help="Keep the second factor; it is asked for as always.")
@telling
def setup(login: str, *, password_only: bool) -> None:
    """Print an address, good for ten minutes and once, with which the owner sets password and second factor.

    For the first people of a new platform; later the service desk does it, two people at a time.
    """
    kind = SetupKind.PASSWORD if password_only else SetupKind.FACTORS
    with runtime() as opened:
        account = actor(opened, login).account
        with opened.ledger.begin(CONSOLE) as uow:
            token = issue_setup(uow.connection, account, kind)
            uow.record(administered(account, "setup.issued"))
        click.echo(f"{opened.public_url}/account/setup/{token}")
