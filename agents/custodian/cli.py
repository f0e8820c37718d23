"""``mingbiao custodian``: setting up, serving and looking after an agent; the acts stand in ``acts``."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event
from typing import Final

import click

from agents import passphrases
from agents.custodian import acts, desk, doctor, people, polling
from agents.custodian.agent import JOBS_PER_MINUTE, create_agent
from agents.custodian.command import FILE, VARIABLE, Where, main, pass_where
from agents.custodian.evidence import seen_place
from agents.history import origins
from agents.http import Refused, Unreachable, require_base
from agents.pinning import pin_told, pin_trust
from agents.signing import load_signer, read_document
from agents.words import instant, reporting, say, warn
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument

__all__ = ["acts", "main"]  # importing acts registers its commands

_ROLES: Final = ("agency", "operator", "supervisor", "notary", "association", "centre", "other")
_MAX_PAUSE_S: Final = 15.0


@main.command("init")
@click.option("--name", required=True, help="Name of the organisation, exactly as in the trust file.")
@click.option("--role", required=True, type=click.Choice(_ROLES), help="Role in opening policies (SB1 S3.2).")
@click.option("--key", "key_file", type=FILE, help="Existing institution key; by default a new one is made.")
@click.option("--trust", "trust_file", type=FILE, help="Trust file, wire form or bare document (P8).")
@click.option("--jobs-per-minute", type=click.IntRange(1, 10_000), default=JOBS_PER_MINUTE, show_default=True)
@click.option("--no-passphrase", is_flag=True, help="Demo mode only: keys lie in clear.")
@pass_where
def init(
    where: Where,
    name: str,
    role: str,
    key_file: Path | None,
    trust_file: Path | None,
    jobs_per_minute: int,
    *,
    no_passphrase: bool,
) -> None:
    """Make the state directory and the institution key; prints the key id to enrol."""
    with reporting():
        phrase = None
        if no_passphrase:
            warn("密钥未加密，只可用于演示", "Keys are not encrypted; for demonstrations only")
        else:
            phrase = passphrases.new(where.passphrase_file, VARIABLE, "保管方", "the custodian agent")
        key = None if key_file is None else load_signer(key_file, None)
        kid = create_agent(
            where.directory, name=name, role=role, passphrase=phrase, key=key, jobs_per_minute=jobs_per_minute
        )
        if trust_file is not None:
            pin_trust(where.directory, read_document(trust_file))
    click.echo(kid)


@main.command("trust")
@click.option("--file", "trust_file", required=True, type=FILE, help="Wire form; a later one signed by the supervisor.")
@pass_where
def trust(where: Where, trust_file: Path) -> None:
    """Pin a trust file, or a later one that the supervisor of the pinned one has signed (P8)."""
    with reporting():
        pin_told(where.directory, read_document(trust_file))


@main.command("people")
@click.option("--add", "name", help="Name of a person who may approve releases; with --key.")
@click.option("--key", "key_file", type=FILE, help="The person's signed key enrolment (mb.key-enrol, wire form).")
@click.option("--remove", "kid", help="Id of the key of a person who approves nothing any more.")
@click.option("--release", "number", type=click.IntRange(0, people.MOST), help="How many must approve a release.")
@pass_where
def set_people(where: Where, name: str | None, key_file: Path | None, kid: str | None, number: int | None) -> None:
    """Say whose approval a release needs, and of how many; without options, show it."""
    with reporting():
        agent = where.open()
        if (name is None) != (key_file is None):
            raise click.UsageError("--add and --key belong together")
        if name is not None and key_file is not None:
            people.add_person(agent, name, SignedDocument.from_wire(key_file.read_bytes()))
        if kid is not None:
            people.remove_person(agent, kid)
        if number is not None:
            people.require_people(agent, number)
        found = people.people_of(agent.directory)
    say(f"释放需 {found.release} 人同意", f"A release needs the approval of {found.release} people")
    for each in found.people:
        click.echo(f"{each.kid} {each.name}")


@main.command("serve")
@click.option("--poll", "base", required=True, help="Address of the platform: https, or http on this machine.")
@click.option("--interval", type=click.FloatRange(0.05, 3600), default=5.0, show_default=True, help="Seconds.")
@click.option("--auto-release", is_flag=True, help="Release without a person.")
@click.option("--auto-key", is_flag=True, help="Make share keys without a person.")
@pass_where
def serve(where: Where, base: str, interval: float, *, auto_release: bool, auto_key: bool) -> None:
    """Poll for jobs until SIGTERM; what needs a person waits in the inbox."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with reporting():
        server = polling.Server(
            agent=where.open(),
            base=require_base(base),
            automatic=desk.Automatic(key=auto_key, release=auto_release),
            say=click.echo,
        )
    say(f"保管方 {server.agent.name} 已启动", f"Custodian {server.agent.name} is running")
    _poll_until(stop, server, interval)


def _poll_until(stop: Event, server: polling.Server, interval: float) -> None:
    pause = interval
    while not stop.wait(pause):
        try:
            server.round()
        except (Unreachable, Refused) as error:
            warn(f"平台：{error}", f"Platform: {error}")
            pause = min(pause * 2, max(interval, _MAX_PAUSE_S))
        except RuleBroken as error:
            warn(f"尚不能开始：{error}", f"Cannot begin yet: {error}")
        else:
            pause = interval


@main.command("show")
@pass_where
def show(where: Where) -> None:
    """Show the key id, the admitted policies and the last checkpoint of each log."""
    with reporting():
        agent = where.open()
    click.echo(f"{agent.name} ({agent.role}) {agent.signer.kid}")
    for place, admitted in agent.state.policies():
        close = "" if place.is_draw else f" {instant(admitted.first_close)}"
        click.echo(f"{place}: {admitted.policy_sha256} #{admitted.custodian}{close}")
    for origin in () if agent.pinned.current() is None else origins(agent.trust):
        if (seen := agent.state.seen(origin)) is not None:
            click.echo(f"{origin}: {seen.size}")
    if agent.pinned.current() is not None:
        say(f"已见日志条目 {seen_place(agent)}", f"Entries of the log seen: {seen_place(agent)}")


@main.command("doctor")
@pass_where
def examine(where: Where) -> None:
    """Check clock, swap, core dumps, disk, trust file and memory."""
    with reporting():
        findings = doctor.examine(where.open())
    for finding in findings:
        click.echo(f"{finding.level.value:<12} {finding.what}: {finding.detail}")
    raise SystemExit(doctor.exit_code(findings))
