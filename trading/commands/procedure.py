"""``mingbiao procedure``: what agency and buyer do with a tender until their pages come (B4.1).

Documents are written unsigned, signed with ``mingbiao sign`` on the agency's own machine, and handed back signed.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from trading.audit.errands import platform_ms
from trading.awards import service as awards
from trading.commands.context import actor, read_signed, runtime, telling
from trading.commands.instants import INSTANT
from trading.custody import service as custody
from trading.evaluation import service as evaluation
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.service import LotDocuments
from trading.parties.queries import keys_of
from trading.procedures import queries, service

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("procedure")
def procedure() -> None:
    """Draft, publish, correct, cancel, evaluate and award a procedure."""


@procedure.command("draft")
@click.argument("specification", type=FILE)
@click.option("--as", "login", required=True, help="Login of the drafter.")
@telling
def draft(specification: Path, login: str) -> None:
    """Store a specification as a draft and print the new reference."""
    with runtime() as opened:
        value = json.loads(specification.read_bytes())
        click.echo(service.draft(opened.ledger, actor(opened, login), value))


@procedure.command("submit")
@click.argument("reference")
@click.option("--as", "login", required=True)
@telling
def submit(reference: str, login: str) -> None:
    """Hand a draft to the second person."""
    with runtime() as opened:
        service.submit_for_review(opened.ledger, actor(opened, login), reference)
    click.echo(f"{reference}: 已提交复核 / submitted for review")


@procedure.command("return")
@click.argument("reference")
@click.option("--as", "login", required=True)
@click.option("--reason", required=True)
@telling
def give_back(reference: str, login: str, reason: str) -> None:
    """Give a draft back to its drafter."""
    with runtime() as opened:
        service.return_to_drafter(opened.ledger, actor(opened, login), reference, reason)
    click.echo(f"{reference}: 已退回 / returned")


@procedure.command("ask-custodians")
@click.argument("reference")
@click.option("--custodian", "codes", multiple=True, required=True, help="Organisation code, once for each.")
@telling
def ask_custodians(reference: str, codes: tuple[str, ...]) -> None:
    """Ask institutions for a share key of every lot; their agents show the request to a person."""
    with runtime() as opened:
        with opened.ledger.read() as conn:
            row = queries.find(conn, reference)
            lots = queries.lots_of(conn, row.id)
            kids = [key.kid for code in codes for key in keys_of(conn, code, "custodian")[:1]]
        for lot in lots:
            for kid in kids:
                custody.ask_for_key(
                    opened.ledger,
                    kid=kid,
                    procedure_id=row.id,
                    tender=reference,
                    lot=lot.number,
                    stage=lot.stage,
                    titles=(row.title_zh, row.title_en),
                )
    click.echo(f"{reference}: {len(kids)} × {len(lots)}")


@procedure.command("documents")
@click.argument("reference")
@click.option("--out", type=FOLDER, required=True)
@telling
def documents(reference: str, out: Path) -> None:
    """Write the unsigned notice, policies and schedules of a procedure in review into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with runtime() as opened, opened.ledger.read() as conn:
        drafted = drafting.tender_draft(
            conn, reference, at=platform_ms(conn), demo=opened.demo, intake=opened.named_intake
        )
    (out / "notice.json").write_bytes(drafted.notice)
    for lot in drafted.lots:
        (out / f"policy-{lot.lot}-{lot.stage}.json").write_bytes(lot.policy)
        (out / f"schedule-{lot.lot}-{lot.stage}.json").write_bytes(lot.schedule)
    click.echo(f"{out}: 签名后发布 / sign each with mingbiao sign, then publish")


@procedure.command("publish")
@click.argument("reference")
@click.argument("folder", type=FOLDER)
@click.option("--as", "login", required=True, help="Login of the second person.")
@telling
def publish(reference: str, folder: Path, login: str) -> None:
    """Publish the tender with the signed documents (``*.signed.json``) of a folder."""
    with runtime() as opened:
        with opened.ledger.read() as conn:
            lots = queries.lots_of(conn, queries.find(conn, reference).id)
        signed = signed_lots(folder, [(lot.number, lot.stage) for lot in lots])
        notice = read_signed(folder / "notice.signed.json")
        notices.publish_tender(opened.ledger, actor(opened, login), reference, notice, signed, demo=opened.demo)
    click.echo(f"{reference}: 已发布 / published")


def signed_lots(folder: Path, places: list[tuple[str, str]]) -> dict[tuple[str, str], LotDocuments]:
    """Return the signed policy and schedule of each lot and stage from a folder of ``*.signed.json``."""
    return {
        (lot, stage): LotDocuments(
            policy=read_signed(folder / f"policy-{lot}-{stage}.signed.json"),
            schedule=read_signed(folder / f"schedule-{lot}-{stage}.signed.json"),
        )
        for lot, stage in places
    }


@procedure.command("extension")
@click.argument("reference")
@click.option("--close", "new_close", type=INSTANT, required=True, help="New deadline: 2026-05-12T09:30+08:00, or ms.")
@click.option("--text-zh", required=True)
@click.option("--text-en", required=True)
@click.option("--out", type=FOLDER, required=True)
@telling
def extension(reference: str, new_close: int, text_zh: str, text_en: str, out: Path) -> None:
    """Write the unsigned correction notice and schedules that move the deadline of every open lot."""
    out.mkdir(parents=True, exist_ok=True)
    with runtime() as opened, opened.ledger.read() as conn:
        texts = {"text_zh": text_zh, "text_en": text_en}
        drafted = drafting.extension_draft(conn, reference, at=platform_ms(conn), new_close=new_close, texts=texts)
    (out / "notice.json").write_bytes(drafted.notice)
    for (lot, stage), schedule in drafted.schedules.items():
        (out / f"schedule-{lot}-{stage}.json").write_bytes(schedule)


@procedure.command("extend")
@click.argument("reference")
@click.argument("folder", type=FOLDER)
@click.option("--as", "login", required=True, help="Login of the second person.")
@click.option("--cause", help="Why the deadline moves, for the record.")
@click.option("--affects-bids/--does-not-affect-bids", default=False, help="Whether NOT-05's lead applies.")
@telling
def extend(reference: str, folder: Path, login: str, cause: str | None, *, affects_bids: bool) -> None:
    """Publish the signed correction of a folder."""
    with runtime() as opened:
        schedules = {}
        for path in sorted(folder.glob("schedule-*.signed.json")):
            _, lot, stage = path.name.removesuffix(".signed.json").split("-", 2)
            schedules[(lot, stage)] = read_signed(path)
        notices.extend(
            opened.ledger,
            actor(opened, login),
            reference,
            read_signed(folder / "notice.signed.json"),
            schedules,
            cause=cause,
            affects_bids=affects_bids,
        )
    click.echo(f"{reference}: 已顺延 / extended")


@procedure.command("evaluate")
@click.argument("reference")
@click.option("--lot", default="1", show_default=True)
@click.option("--stage", default="all", show_default=True)
@click.option("--as", "login", required=True)
@telling
def evaluate(reference: str, lot: str, stage: str, login: str) -> None:
    """Rank the opened bids of a lot."""
    with runtime() as opened:
        ranking, _ = evaluation.evaluate(opened.ledger, actor(opened, login), reference, lot, stage)
    for item in sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0, item.bid)):
        click.echo(f"{item.rank or '–'}\t{item.bidder}\t{item.price}\t{item.reason or ''}")


@procedure.command("award")
@click.argument("reference")
@click.option("--lot", default="1", show_default=True)
@click.option("--stage", default="all", show_default=True)
@click.option("--as", "login", required=True)
@telling
def award(reference: str, lot: str, stage: str, login: str) -> None:
    """Award a lot to the first of its ranking."""
    with runtime() as opened:
        recorded = awards.determine(opened.ledger, actor(opened, login), reference, lot, stage)
    click.echo(f"{recorded.body['bidder']}\t{recorded.body['price']}")


@procedure.command("closing-notice")
@click.argument("reference")
@click.option("--kind", type=click.Choice(["result", "failed", "cancellation"]), required=True)
@click.option("--text-zh", required=True)
@click.option("--text-en", required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@telling
def closing_notice(reference: str, kind: str, text_zh: str, text_en: str, out: Path) -> None:
    """Write the unsigned result, failure or cancellation notice."""
    with runtime() as opened, opened.ledger.read() as conn:
        texts = {"text_zh": text_zh, "text_en": text_en}
        out.write_bytes(drafting.closing_draft(conn, reference, at=platform_ms(conn), kind=kind, texts=texts))


@procedure.command("result")
@click.argument("reference")
@click.argument("notice", type=FILE)
@click.option("--as", "login", required=True, help="Login of the second person.")
@telling
def result(reference: str, notice: Path, login: str) -> None:
    """Publish the signed result notice."""
    with runtime() as opened:
        notices.publish_result(opened.ledger, actor(opened, login), reference, read_signed(notice))
    click.echo(f"{reference}: 结果已公告 / result published")


@procedure.command("cancel")
@click.argument("reference")
@click.argument("notice", type=FILE)
@click.option("--as", "login", required=True, help="Login of the second person.")
@click.option("--reason", required=True)
@telling
def cancel(reference: str, notice: Path, login: str, reason: str) -> None:
    """Cancel a procedure with the signed cancellation notice; sealed bids stay sealed."""
    with runtime() as opened:
        notices.cancel(opened.ledger, actor(opened, login), reference, read_signed(notice), reason)
    click.echo(f"{reference}: 已终止 / cancelled")
