"""``mingbiao bid start | price | seal | rehearse | submit | withdraw | reveal | rescue | check | status | evidence``.

The directory of ``--dir`` carries a bid from one command to the next. Any command may be stopped and run again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from agents import passphrases
from agents.bid import evidence, handing, prices, pricing, shown
from agents.bid.checking import Report, check_directory, read_package
from agents.bid.documents import make_rehearsal, make_withdrawal
from agents.bid.filetypes import doubts_of
from agents.bid.platform import Platform, Refused, Unreachable
from agents.bid.receipts import of_version
from agents.bid.sealer import Content, Keeping, seal_version
from agents.bid.sending import Outcome, Waiting, follow, read_answer, send_unsigned, submit_version
from agents.bid.uploading import Sending
from agents.bid.workdir import BidName, Version, WorkDir
from agents.pinning import pin_told
from agents.signing import load_signer, read_document
from agents.words import Stopped, Unfinished, reporting, say, words
from trading.audit.rules.proof import ReceiptState
from trading.bids.rules.envelope import Envelope
from trading.bids.rules.manifest import FileSource
from trading.bids.rules.package import OpeningPackage, parse_package
from trading.bids.rules.policy import PolicyPackage
from trading.bids.rules.trust import parse_trust
from trading.crypto.packages import unlock_package
from trading.kernel import fields
from trading.kernel.clock import SystemClock
from trading.kernel.errors import Conflict, InvalidInput, NotFound
from trading.openings.rules.factors import make_factor, make_rescue

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIR = click.option(
    "--dir", "directory", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory of this bid."
)
_TOKEN = click.option("--token-file", required=True, type=_EXISTING, help="File with the access token, mode 0600.")
_KEY = click.option("--key", "key_file", required=True, type=_EXISTING, help="The bidder's signing key.")
_PHRASE = click.option("--passphrase-file", type=_EXISTING, help=f"Of the key; or {passphrases.KEY_VARIABLE}.")
_PACKAGE_PHRASE = click.option(
    "--package-passphrase-file", type=_EXISTING, help=f"Of the opening package; or {passphrases.PACKAGE_VARIABLE}."
)
_PACKAGE = click.option("--package", "package_file", type=_EXISTING, help="Opening package, if it was moved.")
_WAIT = click.option("--wait", default=60, show_default=True, help="Seconds to wait for a witnessed receipt.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_READ: Final = 1024 * 1024
_KEPT: Final = "the sealed version is kept; submit again, what was uploaded need not be sent again"


@click.group("bid")
def main() -> None:
    """投标: seal a bid on this machine, submit it, and open it at the ceremony."""


main.add_command(pricing.price)
main.add_command(handing.hand_over)
main.add_command(evidence.evidence)


@contextmanager
def _working(directory: Path, kept_zh: str, kept_en: str) -> Iterator[WorkDir]:
    """Open and lock a directory; an error says what is kept."""
    with reporting(kept_zh, kept_en):
        work = WorkDir(directory)
        shown.demo(work.trust)
        shown.practice(work.name.tender)
        with work.locked(), _platform_errors(kept_zh, kept_en):
            yield work


@contextmanager
def _platform_errors(kept_zh: str, kept_en: str) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise Stopped(
            f"平台拒收（{error.code}）：{error.text('zh')}；{kept_zh}",
            f"Refused ({error.code}): {error.text('en')}; {kept_en}",
        ) from error
    except Unreachable as error:
        raise Unfinished(f"平台没有答复：{error}；{kept_zh}", f"No answer: {error}; {kept_en}") from error


def _platform(work: WorkDir, token_file: Path) -> Platform:
    return Platform(work.name.api, _token(token_file))


def _token(token_file: Path) -> str:
    return passphrases.given(token_file, "") or ""


@main.command("start")
@click.option("--api", required=True, help="Address of the platform, https.")
@_TOKEN
@click.option("--tender", required=True, help="Procedure reference.")
@click.option("--lot", default="1", show_default=True)
@click.option("--stage", default="all", show_default=True, type=click.Choice(["all", "tech", "price"]))
@click.option("--org", required=True, help="统一社会信用代码, your organisation code.")
@click.option(
    "--trust",
    "trust_file",
    required=True,
    type=_EXISTING,
    help="Trust file of the supervisor (mb.trust), obtained elsewhere than from the platform.",
)
@_DIR
def start(
    api: str, token_file: Path, tender: str, lot: str, stage: str, org: str, trust_file: Path, directory: Path
) -> None:
    """Get a bid id with the opening policy, check both against your trust file; repeat to refresh the policy."""
    with reporting(), _platform_errors("没有任何内容被改动", "nothing was changed"):
        trust = trust_file.read_bytes()
        parse_trust(trust)
        answer = Platform(api, _token(token_file)).start(tender, lot, stage).body
        name = BidName(api=api, bid=str(answer.get("bid")), bidder=org, lot=lot, stage=stage, tender=tender)
        work = WorkDir.create(directory, name, trust)
        with work.locked():
            checked = work.keep_package(PolicyPackage.from_wire(answer))
    shown.demo(work.trust)
    shown.practice(tender)
    shown.package(checked)
    say(f"投标编号 {name.bid}；下一步：mingbiao bid seal", f"Bid id {name.bid}; next: mingbiao bid seal")


@main.command("trust")
@click.option("--file", "trust_file", required=True, type=_EXISTING, help="Wire form, signed by the supervisor.")
@_DIR
def trust(trust_file: Path, directory: Path) -> None:
    """Pin a later trust file, as after the continuation of a closed log; the pinned one's supervisor signed it (P8)."""
    with _working(directory, "没有任何内容被改动", "nothing was changed"):
        pin_told(directory, read_document(trust_file))


@main.command("seal")
@_DIR
@_KEY
@_PHRASE
@_PACKAGE_PHRASE
@click.option("--amount", help="Total price in major units, e.g. 1234567.89.")
@click.option("--currency", default="CNY", show_default=True)
@click.option(
    "--price-file", type=_EXISTING, help="JSON instead of --amount: currency, total, items, terms; see: bid price."
)
@click.option("--file", "files", multiple=True, type=_EXISTING, help="File for the part main; may be repeated.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="All files of a folder.")
@click.option("--package-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the package is saved.")
def seal(
    directory: Path,
    key_file: Path,
    passphrase_file: Path | None,
    package_passphrase_file: Path | None,
    amount: str | None,
    currency: str,
    price_file: Path | None,
    files: tuple[Path, ...],
    folder: Path | None,
    package_dir: Path | None,
) -> None:
    """Seal the next version: encrypt, sign, open it again as a check, save the opening package. Nothing is sent."""
    with _working(directory, "之前的版本不变", "earlier versions are unchanged") as work:
        named = [*((path, path.name) for path in files), *_below(folder)]
        shown.doubts([(name, doubts_of(path)) for path, name in named])
        sources = tuple(_source(path, name) for path, name in named)
        content = Content(price=_price(amount, currency, price_file), files=sources)
        signer = load_signer(key_file, passphrase_file)
        phrase = passphrases.new(
            package_passphrase_file, passphrases.PACKAGE_VARIABLE, "开标数据包", "the opening package"
        )
        keeping = Keeping(passphrase=phrase, directory=package_dir or directory)
        made = seal_version(work, signer, content, keeping, created=SystemClock().now_ms())
        shown.sealed(work, made, content)
        shown.deadline_passed(work)


def _price(amount: str | None, currency: str, price_file: Path | None) -> prices.PriceInput | None:
    if amount is not None and price_file is not None:
        raise InvalidInput("price.malformed", "either --amount or --price-file")
    if amount is not None:
        return prices.of_amount(amount, currency)
    return None if price_file is None else prices.of_file(price_file)


def _below(folder: Path | None) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")) if folder is not None else ():
        if path.is_file():
            yield path, path.relative_to(folder or path).as_posix()


def _source(path: Path, name: str) -> FileSource:
    def content() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_READ):
                yield chunk

    # Some systems spell names decomposed; the archive and its manifest are NFC (SB1 S5.2).
    return FileSource(path=unicodedata.normalize("NFC", name), size=path.stat().st_size, content=content)


@main.command("submit")
@_DIR
@_TOKEN
@_WAIT
def submit(directory: Path, token_file: Path, wait: int) -> None:
    """Send the sealed version; run it again after a lost connection: the same bytes give the same receipt."""
    with _working(directory, "密封的版本仍在，可再次提交，已上传的不用重传", _KEPT) as work:
        version = work.pending() or work.handed_over()
        if version is None:
            raise NotFound("nothing is waiting to be submitted; run: mingbiao bid seal")
        if version.document.policy_sha256 != work.package().policy.sha256:
            raise Conflict("the opening policy was replaced; run: mingbiao bid seal (SB1 S3.4)")
        shown.deadline_passed(work)
        sending = Sending(report=shown.Uploading())
        _finish(submit_version(work, _platform(work, token_file), version, Waiting(wait), sending), version)


def _finish(result: Outcome, version: Version) -> None:
    withdrawn = not isinstance(version.document, Envelope)
    what = ("撤回", "Withdrawal") if withdrawn else (f"第 {version.seq} 版投标", f"Version {version.seq}")
    shown.outcome(*what, result)
    if result.state is not ReceiptState.WITNESSED:
        raise Unfinished(
            "见证回执还没有到，稍后运行 mingbiao bid status", "No witnessed receipt yet; run mingbiao bid status"
        )


@main.command("withdraw")
@_DIR
@_KEY
@_PHRASE
@_TOKEN
@_WAIT
@_YES
def withdraw(
    directory: Path, key_file: Path, passphrase_file: Path | None, token_file: Path, wait: int, *, yes: bool
) -> None:
    """Withdraw the standing version before the deadline; you may seal and submit again afterwards."""
    with _working(directory, "平台上的版本不变", "the version at the platform stands") as work:
        pending = work.pending()
        if pending is None or isinstance(pending.document, Envelope):
            if not yes and not click.confirm(words("撤回当前有效的版本？", "Withdraw the standing version?")):
                raise Stopped("没有撤回", "Not withdrawn")
            signer = load_signer(key_file, passphrase_file)
            pending = make_withdrawal(work, signer, created=SystemClock().now_ms())
        _finish(submit_version(work, _platform(work, token_file), pending, Waiting(wait)), pending)


@main.command("rehearse")
@_DIR
@_KEY
@_PHRASE
@_TOKEN
def rehearse(directory: Path, key_file: Path, passphrase_file: Path | None, token_file: Path) -> None:
    """Let the custodians try their shares of a rehearsal from this machine; no bid and no price is involved."""
    with _working(directory, "正式投标不受影响", "your bid is not affected") as work:
        signed = make_rehearsal(work, load_signer(key_file, passphrase_file), created=SystemClock().now_ms())
        _platform(work, token_file).post(work.name.bid, "rehearsal", signed.wire())
    say(
        "演练已送出，保管方一天内答复，结果见平台页面",
        "Rehearsal sent; custodians answer within a day, see the platform",
    )


def _open_package(
    work: WorkDir, version: Version, package_file: Path | None, passphrase_file: Path | None
) -> OpeningPackage:
    path = package_file or work.package_file(version.seq)
    if not path.exists():
        raise NotFound(f"{path} is missing; pass --package")
    phrase = passphrases.existing(passphrase_file, passphrases.PACKAGE_VARIABLE, f"{path.name} ", path.name)
    package = parse_package(read_package(path, unlock_package, phrase))
    if package.signed.sha256 != version.signed.sha256:
        raise InvalidInput("package.other_bid", f"{path} holds another version than the one that stands")
    return package


def _standing(work: WorkDir) -> Version:
    version = work.head()
    if version is None or not isinstance(version.document, Envelope):
        raise NotFound("no version of this bid stands at the platform")
    return version


@main.command("reveal")
@_DIR
@_TOKEN
@_PACKAGE
@_PACKAGE_PHRASE
@_WAIT
def reveal(
    directory: Path, token_file: Path, package_file: Path | None, package_passphrase_file: Path | None, wait: int
) -> None:
    """Reveal your factor in the window after the deadline (解密). Without it your bid counts as revoked."""
    with _working(directory, "可在时限内再次提交", "you may try again within the window") as work:
        version = _standing(work)
        package = _open_package(work, version, package_file, package_passphrase_file)
        if not package.s_b:
            raise Stopped("本标段不需要投标人因子", "This lot needs no factor of yours")
        document = make_factor(work.name.bid, version.signed.sha256, package.s_b)
        result = send_unsigned(work, _platform(work, token_file), version, "factor", document, Waiting(wait))
    shown.outcome("投标人因子", "Factor", result)


@main.command("rescue")
@_DIR
@_TOKEN
@_PACKAGE
@_PACKAGE_PHRASE
@_WAIT
@_YES
def rescue(
    directory: Path,
    token_file: Path,
    package_file: Path | None,
    package_passphrase_file: Path | None,
    wait: int,
    *,
    yes: bool,
) -> None:
    """Replace failed custodians by both of your secrets (补救); only when you were told to, after the factor window."""
    with _working(directory, "可在时限内再次提交", "you may try again within the window") as work:
        version = _standing(work)
        if not yes and not click.confirm(
            words("补救会把两个秘密都交给平台，确定？", "A rescue gives both secrets to the platform. Sure?")
        ):
            raise Stopped("没有发送", "Not sent")
        package = _open_package(work, version, package_file, package_passphrase_file)
        document = make_rescue(work.name.bid, version.signed.sha256, s_b=package.s_b, s_c=package.s_c)
        result = send_unsigned(work, _platform(work, token_file), version, "rescue", document, Waiting(wait))
    shown.outcome("补救", "Rescue", result)


@main.command("check")
@_DIR
@_PACKAGE_PHRASE
@click.option("--no-package", is_flag=True, help="Leave the opening packages unopened.")
@click.pass_context
def check(ctx: click.Context, directory: Path, package_passphrase_file: Path | None, *, no_package: bool) -> None:
    """Check everything in the directory again, offline: signatures, parts, receipts, opening packages."""
    with _working(directory, "没有任何内容被改动", "nothing was changed") as work:
        report, phrases = Report(click.echo), _Phrases(package_passphrase_file)
        check_directory(work, report, None if no_package else phrases.open)
    ctx.exit(report.exit_code)


@dataclass(slots=True)
class _Phrases:
    """Asks for the passphrase once and uses it for every package of the directory."""

    file: Path | None
    phrase: str | None = None

    def open(self, path: Path) -> bytes:
        """Return the decrypted package."""
        if self.phrase is None:
            self.phrase = passphrases.existing(
                self.file, passphrases.PACKAGE_VARIABLE, "开标数据包", "the opening package"
            )
        return read_package(path, unlock_package, self.phrase)


@main.command("status")
@_DIR
@click.option("--token-file", type=_EXISTING, help="With it, fetch and verify newer receipts.")
@click.option("--wait", default=0, show_default=True, help="Seconds to wait for a witnessed receipt.")
def status(directory: Path, token_file: Path | None, wait: int) -> None:
    """Show every version and how far it has got; fetch better receipts if a token is given."""
    with _working(directory, "没有任何内容被改动", "nothing was changed") as work:
        shown.package(work.package())
        for version in work.versions():
            shown.version(version)
        head = work.head()
        if head is None or token_file is None or head.progress.h is None:
            return
        if head.at_intake:
            say(
                "此版本由监管接收点收讫；平台在截止时收入",
                "This version stands at the supervisor's intake; the platform enters it at the close",
            )
            return
        signed, platform = head.signed, _platform(work, token_file)
        expected = of_version(fields.type_of(signed.doc), signed.sha256, work.name.bid)
        result = read_answer(platform.receipt(head.progress.h), work.trust, expected, head)
        if result.receipt is not None:
            result = follow(platform, work.trust, expected, head, result, Waiting(wait))
        _finish(result, head)
