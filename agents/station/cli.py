"""``mingbiao station``: the laptop at the opening ceremony (SB1 S14).

Every step may be repeated, and any other station can redo the ceremony from a new order. Exit codes: 0 done, 1 refused
or a check failed, 2 wrong usage, or the step's time has not come.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import click

from agents import passphrases
from agents.http import require_base
from agents.pinning import pin_told
from agents.signing import load_signer, read_document
from agents.station import conduct
from agents.station.box import VAULT_FILE, Box, create_box, open_box
from agents.station.ceremony import Place
from agents.station.client import Client, client_for
from agents.station.reading import Opened
from agents.words import Unfinished, demo_banner, instant, reporting, say, warn, words
from trading.crypto.vault import is_encrypted
from trading.kernel.errors import MingbiaoError
from trading.kernel.money import Money, format_money
from trading.kernel.signed import SignedDocument
from trading.openings.rules.orders import parse_order
from trading.openings.rules.verdicts import Code

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)
_VARIABLE: Final = passphrases.KEY_VARIABLE
#: Refusals that say "not yet".
_EARLY: Final = frozenset({"order.early", "station.no_order", "station.not_closed", "station.not_combined"})
_TYPES: Final = ("sb1.open-order", "sb1.factor-list", "sb1.transcript", "sb1.objection-decision", "sb1.adjudication")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    directory: Path
    passphrase_file: Path | None

    def open(self) -> Box:
        """Open the station, asking for its passphrase if it has one."""
        phrase = None
        if is_encrypted(self.directory / VAULT_FILE):
            phrase = passphrases.existing(self.passphrase_file, _VARIABLE, "开标终端", "the opening station")
        box = open_box(self.directory, phrase)
        if box.trust.demo:
            demo_banner()
        return box


_pass_where = click.make_pass_decorator(_Where)
_token = click.option(
    "--token-file", required=True, type=_FILE, help="Access token of agency or supervisor, mode 0600."
)


@click.group("station")
@click.option(
    "--state", "directory", required=True, type=_DIRECTORY, help="The station's directory, on an encrypted disk."
)
@click.option("--passphrase-file", type=_FILE, help=f"First line, mode 0600; or {_VARIABLE}; or the prompt.")
@click.pass_context
def main(ctx: click.Context, directory: Path, passphrase_file: Path | None) -> None:
    """开标终端: order, collect, combine all, open all, transcripts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write keys to disk (P10)
    ctx.obj = _Where(directory=directory, passphrase_file=passphrase_file)


def _client(box: Box, token_file: Path) -> Client:
    return client_for(box.api, box.place, passphrases.given(token_file, "") or "")


def _act(act: Callable[[], None]) -> None:
    with reporting():
        try:
            act()
        except MingbiaoError as error:
            if error.code in _EARLY:
                raise Unfinished(f"{error}：还不到这一步", f"{error}: not yet") from error
            raise


@main.command("init")
@click.option("--api", required=True, help="Address of the platform: https, or http on this machine.")
@click.option("--tender", required=True)
@click.option("--lot", required=True)
@click.option("--stage", type=click.Choice(("all", "tech", "price")), default="all", show_default=True)
@click.option("--trust", "trust_file", required=True, type=_FILE, help="Trust file, wire form or bare document (P8).")
@click.option("--no-passphrase", is_flag=True, help="Demo mode only: the key lies in clear.")
@_pass_where
def init(where: _Where, api: str, tender: str, lot: str, stage: str, trust_file: Path, *, no_passphrase: bool) -> None:
    """Make the station's key for one ceremony."""
    with reporting():
        phrase = None
        if no_passphrase:
            warn("密钥未加密，只可用于演示", "The key is not encrypted; for demonstrations only")
        else:
            phrase = passphrases.new(where.passphrase_file, _VARIABLE, "开标终端", "the opening station")
        key = create_box(
            where.directory,
            api=require_base(api),
            place=Place(tender=tender, lot=lot, stage=stage),
            trust=read_document(trust_file).doc,
            passphrase=phrase,
        )
    click.echo(key.public.kid)


@main.command("trust")
@click.option("--file", "trust_file", required=True, type=_FILE, help="Wire form, signed by the supervisor.")
@_pass_where
def trust(where: _Where, trust_file: Path) -> None:
    """Pin a later trust file, as after the continuation of a closed log; the pinned one's supervisor signed it (P8)."""
    with reporting():
        pin_told(where.directory, read_document(trust_file))


@main.command("order")
@_token
@click.option("--out", type=_OUT_FILE, help="Also write the draft to a file, to be signed with mingbiao sign.")
@_pass_where
def order(where: _Where, token_file: Path, out: Path | None) -> None:
    """Draft the open order and hand it in for the signatures of agency and supervisor."""

    def act() -> None:
        box = where.open()
        client = _client(box, token_file)
        document = conduct.draft_order(box, conduct.fetch(box, client))
        drafted = parse_order(document)
        if out is not None:
            out.write_bytes(document)
        answer = client.post_document(SignedDocument(document))
        say(
            f"开标令 {drafted.sha256}：投标 {len(drafted.bids)} 份，截止时间 {instant(drafted.close)}",
            f"Order {drafted.sha256}: {len(drafted.bids)} bids, deadline {instant(drafted.close)}",
        )
        _say_needs(list(answer["needs"]))

    _act(act)


def _say_needs(needs: list[str]) -> None:
    if needs:
        say(f"待签署：{', '.join(needs)}", f"Signatures missing: {', '.join(needs)}")
    else:
        say("已签署齐全", "All signatures are there")


@main.command("fetch")
@_token
@click.option("--typ", required=True, type=click.Choice(_TYPES))
@click.option("--out", required=True, type=_OUT_FILE, help="The newest document of the type, to be signed.")
@_pass_where
def fetch(where: _Where, token_file: Path, typ: str, out: Path) -> None:
    """Fetch a document that waits for signatures."""

    def act() -> None:
        waiting = [item for item in _client(where.open(), token_file).documents(typ) if item["needs"]]
        if not waiting:
            raise Unfinished(f"没有待签署的 {typ}", f"No {typ} waits for signatures")
        signed = SignedDocument.from_wire({"doc": waiting[-1]["doc"], "sigs": waiting[-1]["sigs"]})
        out.write_bytes(signed.wire_bytes())
        click.echo(signed.sha256)

    _act(act)


@main.command("submit")
@_token
@click.argument("document", type=_FILE)
@_pass_where
def submit(where: _Where, token_file: Path, document: Path) -> None:
    """Hand in a signed document: order, factor list, decision, adjudication or transcript."""

    def act() -> None:
        _say_needs(list(_client(where.open(), token_file).post_document(read_document(document))["needs"]))

    _act(act)


@main.command("collect")
@_token
@click.option("--watch", type=click.FloatRange(0.1, 3600), help="Repeat every so many seconds until gaps are reported.")
@_pass_where
def collect(where: _Where, token_file: Path, watch: float | None) -> None:
    """Fetch releases and parts, check every share, report gaps when that is due."""

    def act() -> None:
        box = where.open()
        client, pause = _client(box, token_file), Event()
        while True:
            collected = conduct.collect(box, client)
            for bid, good in collected.good.items():
                click.echo(f"{bid}: {good}{' !' if bid in collected.gaps else ''}")
            if collected.reported:
                say(f"缺口 {len(collected.gaps)} 个，已报告", f"{len(collected.gaps)} gaps, reported")
                return
            if watch is None:
                raise Unfinished("份额尚未收齐", "Not all shares are here yet")
            pause.wait(watch)

    _act(act)


@main.command("combine")
@_token
@_pass_where
def combine(where: _Where, token_file: Path) -> None:
    """Combine the shares of every bid, before any is opened."""

    def act() -> None:
        box = where.open()
        for item in conduct.combine(box, _client(box, token_file)).items():
            click.echo(f"{item['bid']}: {item['verdict']} {item['faults'] or ''}".rstrip())

    _act(act)


@main.command("open")
@_token
@_pass_where
def open_bids(where: _Where, token_file: Path) -> None:
    """Open every bid and read it out; content goes to revealed/<bid>/."""

    def act() -> None:
        box = where.open()
        client = _client(box, token_file)
        conduct.open_all(box, conduct.evaluate(box, client), lambda result: _read_out(client, result))

    _act(act)


def _read_out(client: Client, result: Opened) -> None:
    client.post_result(result.result())
    source, price = result.combined.source, result.price
    if result.verdict.code is not Code.OK or source.envelope is None:
        click.echo(f"{source.bid}: {result.verdict.code}")
    elif price is None:
        click.echo(f"{source.bid} {source.envelope.bidder}: {words('已开启', 'opened')}")
    else:
        total = format_money(Money(minor=price.total, currency=price.currency))
        click.echo(f"{source.bid} {source.envelope.bidder}: {total}")


@main.command("transcript")
@_token
@click.option("--key", "key_file", type=_FILE, help="Key of the station operator; without it the drafts are handed in.")
@click.option("--key-passphrase-file", type=_FILE)
@_pass_where
def transcript(where: _Where, token_file: Path, key_file: Path | None, key_passphrase_file: Path | None) -> None:
    """Write the transcripts of both tiers and hand them in for signature."""

    def act() -> None:
        box = where.open()
        client = _client(box, token_file)
        evaluated = conduct.evaluate(box, client)
        opened = conduct.open_all(box, evaluated, lambda _result: None)
        documents = conduct.transcript_documents(evaluated, opened, client)
        if key_file is not None:
            signer = load_signer(key_file, key_passphrase_file)
            documents = [signed.with_signature(signer.sign(signed.doc)) for signed in documents]
        for sha256, needs in conduct.post_transcripts(client, documents):
            click.echo(sha256)
            _say_needs(needs)

    _act(act)
