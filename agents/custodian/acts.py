"""The commands that answer a question or make a statement (SB1 S13.1): a file in, a file out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from agents.custodian import admission, desk, disclosing, draw_answers, people, polling, releasing, statements
from agents.custodian import words as spoken
from agents.custodian.command import (
    FILE,
    OUT_FILE,
    Where,
    confirm,
    main,
    out_option,
    pass_where,
    perform,
    write,
    yes_option,
)
from agents.custodian.state import Place
from agents.words import Stopped, say, words
from trading.custody.rules.jobs import Job, JobKind, read_job
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

#: What the same command does for a draw.
_OF_DRAW: Final = {JobKind.KEY: JobKind.DRAW_KEY, JobKind.PROVE: JobKind.DRAW_PROVE, JobKind.ADMIT: JobKind.DRAW_ADMIT}


def _answer(where: Where, kind: JobKind, job_file: Path, *, yes: bool) -> dict[str, Any]:
    job = _read(job_file, kind, _OF_DRAW.get(kind, kind))
    return desk.answer(where.open(), job, confirm(yes=yes))


def _read(job_file: Path, *kinds: JobKind) -> Job:
    job = read_job(job_file.read_bytes())
    if job.kind not in kinds:
        raise InvalidInput("job.other_kind", f"{job_file.name} asks for {job.kind}, not for {kinds[0]}")
    return job


@main.command("key")
@click.option("--request", "request_file", type=FILE, help="Job file of kind key; or give the three below.")
@click.option("--tender")
@click.option("--lot")
@click.option("--stage", type=click.Choice(("all", "tech", "price")))
@out_option
@yes_option
@pass_where
def key(
    where: Where,
    request_file: Path | None,
    tender: str | None,
    lot: str | None,
    stage: str | None,
    out: Path,
    *,
    yes: bool,
) -> None:
    """Make the share key of one lot and stage, or of a draw, signed; the same again returns the same key."""

    def act() -> None:
        if request_file is not None:
            write(out, _answer(where, JobKind.KEY, request_file, yes=yes))
        elif tender and lot and stage:
            place = Place(tender=tender, lot=lot, stage=stage)
            confirm(yes=yes)(spoken.of_key(place, tender, tender))
            write(out, admission.make_key(where.open(), place).wire())
        else:
            raise click.UsageError("--request, or --tender, --lot and --stage")

    perform(act)


@main.command("prove")
@click.option("--challenge", "challenge_file", required=True, type=FILE)
@out_option
@pass_where
def prove(where: Where, challenge_file: Path, out: Path) -> None:
    """Prove possession of a share key."""
    perform(lambda: write(out, _answer(where, JobKind.PROVE, challenge_file, yes=True)))


@main.command("admit")
@click.option("--policy", "policy_file", required=True, type=FILE, help="Job file with the policy package.")
@pass_where
def admit(where: Where, policy_file: Path) -> None:
    """Check a policy against the trust file and store it with its schedule."""

    def act() -> None:
        admitted = _answer(where, JobKind.ADMIT, policy_file, yes=True)
        say(f"已接受密钥方案 {admitted['policy_sha256']}", f"Admitted the policy {admitted['policy_sha256']}")

    perform(act)


@main.command("check")
@click.option("--order", "order_file", type=FILE, help="Job file with the order of an opening; or --draw.")
@click.option("--draw", "draw_file", type=FILE, help="Job file with the documents of a draw.")
@out_option
@yes_option
@pass_where
def check(where: Where, order_file: Path | None, draw_file: Path | None, out: Path, *, yes: bool) -> None:
    """Check an open order and one's own share of every bid, or one's own shares of a draw."""

    def act() -> None:
        match order_file, draw_file:
            case Path(), None:
                write(out, _answer(where, JobKind.CHECK, order_file, yes=yes))
            case None, Path():
                write(out, _answer(where, JobKind.DRAW_CHECK, draw_file, yes=yes))
            case _:
                raise click.UsageError("either --order or --draw")

    perform(act)


@main.command("recover")
@click.option("--draw", "draw_file", required=True, type=FILE, help="Job file of kind draw-recover.")
@out_option
@yes_option
@pass_where
def recover(where: Where, draw_file: Path, out: Path, *, yes: bool) -> None:
    """Publish one's shares of the numbers that contributors to a draw did not reveal in time."""
    perform(lambda: write(out, _answer(where, JobKind.DRAW_RECOVER, draw_file, yes=yes)))


@main.command("release-key")
@click.option("--draw", "draw_file", required=True, type=FILE, help="Job file of kind draw-release-key.")
@out_option
@yes_option
@pass_where
def release_key(where: Where, draw_file: Path, out: Path, *, yes: bool) -> None:
    """Seal one's share of a key of a draw to the auditor that the supervisor's order names."""
    perform(lambda: write(out, _answer(where, JobKind.DRAW_RELEASE_KEY, draw_file, yes=yes)))


@main.command("release")
@click.option("--order", "order_file", required=True, type=FILE, help="Job file with order and factor list.")
@out_option
@yes_option
@pass_where
def release(where: Where, order_file: Path, out: Path, *, yes: bool) -> None:
    """Release the shares of all bids with a valid factor to the opening station."""
    perform(lambda: write(out, _answer(where, JobKind.RELEASE, order_file, yes=yes)))


@main.command("approval")
@click.option("--order", "order_file", required=True, type=FILE, help="Job file of kind release.")
@click.option("--out", required=True, type=OUT_FILE, help="Document for the people who approve, to sign.")
@pass_where
def approval(where: Where, order_file: Path, out: Path) -> None:
    """Write the document that people of the institution sign to approve a release (mingbiao sign)."""

    def act() -> None:
        document = releasing.ask_for_approval(where.open(), _read(order_file, JobKind.RELEASE))
        out.write_bytes(document)
        say(f"待签署：{out}（mingbiao sign）", f"To be signed: {out} (mingbiao sign)")

    perform(act)


@main.command("approve")
@click.argument("files", nargs=-1, required=True, type=FILE)
@pass_where
def approve(where: Where, files: tuple[Path, ...]) -> None:
    """Take signed approvals of a release; who has approved is said."""

    def act() -> None:
        agent = where.open()
        for file in files:
            names = "、".join(each.name for each in people.approve(agent, SignedDocument.from_wire(file.read_bytes())))
            say(f"已同意：{names}", f"Approved by: {names}")

    perform(act)


@main.command("rehearse")
@click.option("--bundle", "bundle_file", required=True, type=FILE)
@out_option
@pass_where
def rehearse(where: Where, bundle_file: Path, out: Path) -> None:
    """Answer a rehearsal with OK or BAD."""
    perform(lambda: write(out, _answer(where, JobKind.REHEARSE, bundle_file, yes=True)))


@main.command("acknowledge")
@click.option("--factor", "factor_file", required=True, type=FILE, help="The bidder's sb1.factor document.")
@out_option
@yes_option
@pass_where
def acknowledge(where: Where, factor_file: Path, out: Path, *, yes: bool) -> None:
    """Acknowledge a factor that a bidder handed over, and keep it for forwarding."""

    def act() -> None:
        agent = where.open()
        write(out, statements.acknowledge(agent, factor_file.read_bytes(), confirm(yes=yes)).ack.wire())

    perform(act)


@main.command("disclose")
@click.option("--order", "order_file", type=FILE, help="Job file of kind disclose; or --draw and --auditor.")
@click.option("--draw", "draw_file", type=FILE, help="The draw's job file of kind draw-check.")
@click.option("--auditor", help="With --draw: name of the auditor's organisation, as in the trust file.")
@click.option("--to", "recipient", required=True, help="The auditor's age recipient, age1…")
@click.option("--out", required=True, type=OUT_FILE, help="Age file for the auditor.")
@pass_where
def disclose(
    where: Where, order_file: Path | None, draw_file: Path | None, auditor: str | None, recipient: str, out: Path
) -> None:
    """Disclose the share key to an auditor who adjudicates a BAD. Asks for two people."""

    def act() -> None:
        agent = where.open()
        if order_file is not None and draw_file is None:
            job = _read(order_file, JobKind.DISCLOSE)
            disclosed = disclosing.disclose(agent, job, recipient, _two_people)
        elif draw_file is not None and auditor and order_file is None:
            job = _read(draw_file, JobKind.DRAW_CHECK)
            disclosed = disclosing.disclose_draw(agent, job, recipient, auditor, _two_people)
        else:
            raise click.UsageError("--order, or --draw and --auditor")
        out.write_bytes(disclosed.sealed)
        told = {"auditor": disclosed.auditor, "disclosure_sha256": disclosed.disclosure_sha256}
        write(out.with_name(f"{out.name}.answer.json"), told)
        if order_file is not None and order_file.resolve().parent == (agent.directory / "inbox").resolve():
            polling.put_into_outbox(agent.directory, order_file.stem, {"answer": told, "job": order_file.stem})

    perform(act)


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


@main.command("evidence")
@click.option("--draw", required=True, help="Id of the draw, D-….")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory.")
@pass_where
def evidence(where: Where, draw: str, out: Path) -> None:
    """Write the receipts of every seal of a draw that was shown to this agent; two of one attempt prove a fork."""

    def act() -> None:
        proofs = draw_answers.seal_proofs(where.open(), draw)
        out.mkdir(exist_ok=True)
        for question, proof in proofs.items():
            (out / f"seal-{question.replace(':', '-')}.tlog-proof").write_bytes(proof)
        say(f"封存凭证 {len(proofs)} 份：{out}", f"{len(proofs)} receipts of seals: {out}")

    perform(act)


@main.command("non-release")
@click.option("--request", "request_file", required=True, type=FILE, help="Job file of kind non-release.")
@out_option
@yes_option
@pass_where
def non_release(where: Where, request_file: Path, out: Path, *, yes: bool) -> None:
    """State that no share of some envelopes was released; from then on none will be."""
    perform(lambda: write(out, _answer(where, JobKind.NON_RELEASE, request_file, yes=yes)))


@main.command("destroy")
@click.option("--policy", "policy_sha256", required=True, help="SHA-256 of the policy whose share key is destroyed.")
@out_option
@yes_option
@pass_where
def destroy(where: Where, policy_sha256: str, out: Path, *, yes: bool) -> None:
    """Destroy the share key of a policy for ever and sign that it is gone."""

    def act() -> None:
        agent = where.open()
        signed: SignedDocument = statements.destroy(agent, policy_sha256, confirm(yes=yes))
        write(out, signed.wire())
        polling.put_into_outbox(agent.directory, f"destroyed-{policy_sha256}", {"answer": signed.wire(), "job": None})

    perform(act)


@main.command("answer")
@click.argument("job_id")
@yes_option
@pass_where
def answer(where: Where, job_id: str, *, yes: bool) -> None:
    """Answer a job that waits in the inbox of ``serve``, which then posts the answer."""

    def act() -> None:
        agent = where.open()
        job = read_job((agent.directory / "inbox" / f"{job_id}.zip").read_bytes())
        body = {"answer": desk.answer(agent, job, confirm(yes=yes)), "job": job_id}
        polling.put_into_outbox(agent.directory, job_id, body)

    perform(act)
