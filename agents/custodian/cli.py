"""``mingbiao custodian``: every command of SB1 S13.1. Files in, files out; ``serve`` polls.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong usage or something needed is missing.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final

import click

from agents import passphrases
from agents.custodian import admission, desk, disclosing, doctor, polling, statements
from agents.custodian import words as spoken
from agents.custodian.agent import JOBS_PER_MINUTE, Agent, create_agent, open_agent, pin_trust
from agents.custodian.state import Place
from agents.http import Refused, Unreachable, require_base
from agents.signing import load_signer, read_document
from agents.words import Stopped, Unfinished, demo_banner, instant, reporting, say, warn, words
from trading.crypto.vault import is_encrypted
from trading.custody.rules.jobs import Job, JobKind, read_job
from trading.kernel.canonical import dumps
from trading.kernel.clock import Clock, ShiftedClock, SystemClock
from trading.kernel.errors import InvalidInput, MingbiaoError, RuleBroken
from trading.kernel.signed import SignedDocument

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)
_ROLES: Final = ("agency", "operator", "supervisor", "notary", "association", "centre", "other")
_MISSING: Final = frozenset({"job.incomplete", "job.stale", "trust.missing", "busy"})
_MAX_PAUSE_S: Final = 15.0
_VARIABLE: Final = passphrases.KEY_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """Options of the group: where the agent lives and which clock it has."""

    directory: Path
    passphrase_file: Path | None
    shift_file: Path | None

    def clock(self) -> Clock:
        return SystemClock() if self.shift_file is None else ShiftedClock(self.shift_file)

    def open(self) -> Agent:
        """Open the agent, asking for its passphrase if it has one."""
        phrase = None
        if is_encrypted(self.directory / "vault"):
            phrase = passphrases.existing(self.passphrase_file, _VARIABLE, "保管方", "the custodian agent")
        agent = open_agent(self.directory, phrase, self.clock())
        pinned = agent.pinned.current()
        if pinned is not None and pinned.demo:
            demo_banner()
        elif pinned is not None and self.shift_file is not None:
            raise InvalidInput("clock.shifted", "only an agent of a demo log takes a shifted clock (P13)")
        return agent


_pass_where = click.make_pass_decorator(_Where)
_out = click.option("--out", required=True, type=_OUT_FILE, help="Answer file: {doc, sigs}.")
_yes = click.option("--yes", is_flag=True, help="Do not ask; what is signed is still read out.")


@click.group("custodian")
@click.option("--state", "directory", required=True, type=_DIRECTORY, help="State directory of the agent, mode 0700.")
@click.option("--passphrase-file", type=_FILE, help=f"First line, mode 0600; or {_VARIABLE}; or the prompt.")
@click.option(
    "--shift-file",
    "--demo-shift",
    "shift_file",
    type=_OUT_FILE,
    help="Demonstration only: file with the shift of the clock in ms.",
)
@click.pass_context
def main(ctx: click.Context, directory: Path, passphrase_file: Path | None, shift_file: Path | None) -> None:
    """开标密钥保管方: keep one share key per lot, answer only after the deadline, once, for all bids."""
    # A crash must not write keys to disk (P10).
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctx.obj = _Where(directory=directory, passphrase_file=passphrase_file, shift_file=shift_file)


def _confirm(*, yes: bool) -> spoken.Confirm:
    """Return what reads out and asks; a "no" stops before anything is signed."""

    def ask(text: str) -> None:
        click.echo(text)
        if not yes and not click.confirm(words("签署？", "Sign?")):
            raise Stopped("没有签署", "Nothing was signed")

    return ask


def _act(act: Callable[[], None]) -> None:
    """Run a command's work; what is missing ends with exit code 2, a refusal with 1."""
    with reporting("没有签署任何文件", "nothing was signed"):
        try:
            act()
        except MingbiaoError as error:
            if error.code in _MISSING:
                raise Unfinished(f"{error}；没有签署任何文件", f"{error}; nothing was signed") from error
            raise


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(dumps(content))
    say(f"答复文件：{path}", f"Answer: {path}")


def _answer(where: _Where, kind: JobKind, job_file: Path, *, yes: bool) -> dict[str, Any]:
    job = _read(job_file, kind)
    return desk.answer(where.open(), job, _confirm(yes=yes))


def _read(job_file: Path, kind: JobKind) -> Job:
    job = read_job(job_file.read_bytes())
    if job.kind is not kind:
        raise InvalidInput("job.other_kind", f"{job_file.name} asks for {job.kind}, not for {kind}")
    return job


@main.command("init")
@click.option("--name", required=True, help="Name of the organisation, exactly as in the trust file.")
@click.option("--role", required=True, type=click.Choice(_ROLES), help="Role in opening policies (SB1 S3.2).")
@click.option("--key", "key_file", type=_FILE, help="Existing institution key; by default a new one is made.")
@click.option("--trust", "trust_file", type=_FILE, help="Trust file, wire form or bare document (P8).")
@click.option("--jobs-per-minute", type=click.IntRange(1, 10_000), default=JOBS_PER_MINUTE, show_default=True)
@click.option("--no-passphrase", is_flag=True, help="Demo mode only: keys lie in clear.")
@_pass_where
def init(
    where: _Where,
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
            phrase = passphrases.new(where.passphrase_file, _VARIABLE, "保管方", "the custodian agent")
        key = None if key_file is None else load_signer(key_file, None)
        kid = create_agent(
            where.directory, name=name, role=role, passphrase=phrase, key=key, jobs_per_minute=jobs_per_minute
        )
        if trust_file is not None:
            pin_trust(where.directory, read_document(trust_file))
    click.echo(kid)


@main.command("trust")
@click.option(
    "--file", "trust_file", required=True, type=_FILE, help="Wire form; a later one signed by the supervisor."
)
@_pass_where
def trust(where: _Where, trust_file: Path) -> None:
    """Pin a trust file, or a later one that the supervisor of the pinned one has signed (P8)."""
    with reporting():
        pinned = pin_trust(where.directory, read_document(trust_file))
    say(f"信任文件第 {pinned.seq} 号，日志 {pinned.origin}", f"Trust file {pinned.seq} of {pinned.origin}")


@main.command("key")
@click.option("--request", "request_file", type=_FILE, help="Job file of kind key; or give the three below.")
@click.option("--tender")
@click.option("--lot")
@click.option("--stage", type=click.Choice(("all", "tech", "price")))
@_out
@_yes
@_pass_where
def key(
    where: _Where,
    request_file: Path | None,
    tender: str | None,
    lot: str | None,
    stage: str | None,
    out: Path,
    *,
    yes: bool,
) -> None:
    """Make the share key of one lot and stage, signed; the same again returns the same key."""

    def act() -> None:
        if request_file is not None:
            _write(out, _answer(where, JobKind.KEY, request_file, yes=yes))
        elif tender and lot and stage:
            place = Place(tender=tender, lot=lot, stage=stage)
            _confirm(yes=yes)(spoken.of_key(place, tender, tender))
            _write(out, admission.make_key(where.open(), place).wire())
        else:
            raise click.UsageError("--request, or --tender, --lot and --stage")

    _act(act)


@main.command("prove")
@click.option("--challenge", "challenge_file", required=True, type=_FILE)
@_out
@_pass_where
def prove(where: _Where, challenge_file: Path, out: Path) -> None:
    """Prove possession of a share key."""
    _act(lambda: _write(out, _answer(where, JobKind.PROVE, challenge_file, yes=True)))


@main.command("admit")
@click.option("--policy", "policy_file", required=True, type=_FILE, help="Job file with the policy package.")
@_pass_where
def admit(where: _Where, policy_file: Path) -> None:
    """Check a policy against the trust file and store it with its schedule."""

    def act() -> None:
        admitted = _answer(where, JobKind.ADMIT, policy_file, yes=True)
        say(f"已接受开标密钥方案 {admitted['policy_sha256']}", f"Admitted the policy {admitted['policy_sha256']}")

    _act(act)


@main.command("check")
@click.option("--order", "order_file", required=True, type=_FILE, help="Job file with the order.")
@_out
@_yes
@_pass_where
def check(where: _Where, order_file: Path, out: Path, *, yes: bool) -> None:
    """Check an open order and one's own share of every bid."""
    _act(lambda: _write(out, _answer(where, JobKind.CHECK, order_file, yes=yes)))


@main.command("release")
@click.option("--order", "order_file", required=True, type=_FILE, help="Job file with order and factor list.")
@_out
@_yes
@_pass_where
def release(where: _Where, order_file: Path, out: Path, *, yes: bool) -> None:
    """Release the shares of all bids with a valid factor to the opening station."""
    _act(lambda: _write(out, _answer(where, JobKind.RELEASE, order_file, yes=yes)))


@main.command("rehearse")
@click.option("--bundle", "bundle_file", required=True, type=_FILE)
@_out
@_pass_where
def rehearse(where: _Where, bundle_file: Path, out: Path) -> None:
    """Answer a rehearsal with OK or BAD."""
    _act(lambda: _write(out, _answer(where, JobKind.REHEARSE, bundle_file, yes=True)))


@main.command("acknowledge")
@click.option("--factor", "factor_file", required=True, type=_FILE, help="The bidder's sb1.factor document.")
@_out
@_yes
@_pass_where
def acknowledge(where: _Where, factor_file: Path, out: Path, *, yes: bool) -> None:
    """Acknowledge a factor that a bidder handed over, and keep it for forwarding."""

    def act() -> None:
        agent = where.open()
        _write(out, statements.acknowledge(agent, factor_file.read_bytes(), _confirm(yes=yes)).ack.wire())

    _act(act)


@main.command("disclose")
@click.option("--order", "order_file", required=True, type=_FILE, help="Job file of kind disclose.")
@click.option("--to", "recipient", required=True, help="The auditor's age recipient, age1…")
@click.option("--out", required=True, type=_OUT_FILE, help="Age file for the auditor.")
@_pass_where
def disclose(where: _Where, order_file: Path, recipient: str, out: Path) -> None:
    """Disclose the share key to an auditor who adjudicates a BAD. Asks for two people."""

    def act() -> None:
        job, agent = _read(order_file, JobKind.DISCLOSE), where.open()
        disclosed = disclosing.disclose(agent, job, recipient, _two_people)
        out.write_bytes(disclosed.sealed)
        told = {"auditor": disclosed.auditor, "disclosure_sha256": disclosed.disclosure_sha256}
        _write(out.with_name(f"{out.name}.answer.json"), told)

    _act(act)


def _two_people(text: str) -> None:
    click.echo(text)
    names = [
        click.prompt(words(f"第{zh}人姓名", f"Name of the {en} person"))
        for zh, en in (("一", "first"), ("二", "second"))
    ]
    if names[0].strip().casefold() == names[1].strip().casefold():
        raise Stopped("必须是两个人", "It takes two different people")
    if not click.confirm(words(f"{names[0]} 与 {names[1]} 同意披露？", f"Do {names[0]} and {names[1]} agree?")):
        raise Stopped("没有披露", "Nothing was disclosed")


@main.command("non-release")
@click.option("--request", "request_file", required=True, type=_FILE, help="Job file of kind non-release.")
@_out
@_yes
@_pass_where
def non_release(where: _Where, request_file: Path, out: Path, *, yes: bool) -> None:
    """State that no share of some envelopes was released; from then on none will be."""
    _act(lambda: _write(out, _answer(where, JobKind.NON_RELEASE, request_file, yes=yes)))


@main.command("destroy")
@click.option("--policy", "policy_sha256", required=True, help="SHA-256 of the policy whose share key is destroyed.")
@_out
@_yes
@_pass_where
def destroy(where: _Where, policy_sha256: str, out: Path, *, yes: bool) -> None:
    """Destroy the share key of a policy for ever and sign that it is gone."""

    def act() -> None:
        agent = where.open()
        signed: SignedDocument = statements.destroy(agent, policy_sha256, _confirm(yes=yes))
        _write(out, signed.wire())
        polling.put_into_outbox(agent.directory, f"destroyed-{policy_sha256}", {"answer": signed.wire(), "job": None})

    _act(act)


@main.command("answer")
@click.argument("job_id")
@_yes
@_pass_where
def answer(where: _Where, job_id: str, *, yes: bool) -> None:
    """Answer a job that waits in the inbox of ``serve``, which then posts the answer."""

    def act() -> None:
        agent = where.open()
        job = read_job((agent.directory / "inbox" / f"{job_id}.zip").read_bytes())
        body = {"answer": desk.answer(agent, job, _confirm(yes=yes)), "job": job_id}
        polling.put_into_outbox(agent.directory, job_id, body)

    _act(act)


@main.command("serve")
@click.option("--poll", "base", required=True, help="Address of the platform: https, or http on this machine.")
@click.option("--interval", type=click.FloatRange(0.05, 3600), default=5.0, show_default=True, help="Seconds.")
@click.option("--auto-release", is_flag=True, help="Release without a person.")
@click.option("--auto-key", is_flag=True, help="Make share keys without a person.")
@_pass_where
def serve(where: _Where, base: str, interval: float, *, auto_release: bool, auto_key: bool) -> None:
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
@_pass_where
def show(where: _Where) -> None:
    """Show the key id, the admitted policies and the last checkpoint."""
    with reporting():
        agent = where.open()
    click.echo(f"{agent.name} ({agent.role}) {agent.signer.kid}")
    for place, admitted in agent.state.policies():
        click.echo(f"{place}: {admitted.policy_sha256} #{admitted.custodian} {instant(admitted.first_close)}")
    if agent.pinned.current() is not None and (seen := agent.state.seen(agent.trust.origin)) is not None:
        click.echo(f"{agent.trust.origin}: {seen.size}")


@main.command("doctor")
@_pass_where
def examine(where: _Where) -> None:
    """Check clock, swap, core dumps, disk, trust file and memory."""
    with reporting():
        findings = doctor.examine(where.open())
    for finding in findings:
        click.echo(f"{finding.level.value:<12} {finding.what}: {finding.detail}")
    raise SystemExit(doctor.exit_code(findings))
