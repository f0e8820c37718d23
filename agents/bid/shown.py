"""What the bidder is shown: whom it trusts, what it sealed, how far it has got (SB1 S6.3)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from agents.bid.filetypes import Doubt
from agents.bid.intake import HandedOver
from agents.bid.prices import major
from agents.bid.sealer import Content, SealedVersion
from agents.bid.sending import Outcome
from agents.bid.uploading import Progress
from agents.bid.workdir import Version, WorkDir
from agents.words import demo_banner, instant, say, size, warn, words
from trading.audit.rules.proof import ReceiptState
from trading.bids.rules.envelope import Envelope
from trading.bids.rules.policy import CheckedPackage
from trading.bids.rules.trust import TrustFile
from trading.kernel.clock import SystemClock
from trading.kernel.ids import is_practice

_LINE_EVERY: Final = 10  # percent, where lines cannot be written over


def demo(trust: TrustFile) -> None:
    """Show the banner of demo mode where it applies, before anything else (P13)."""
    if trust.demo:
        demo_banner()


def practice(tender: str) -> None:
    """Say that nothing comes of the bid, where that is so: before anything else, at every command (ADR 0061)."""
    if is_practice(tender):
        warn(
            "模拟项目：不是真实的采购，投标不产生任何后果；密钥由平台自己保管，对平台不保密",
            "Practice tender: nothing is bought, nothing comes of any bid; the platform itself holds its keys",
        )


def package(checked: CheckedPackage) -> None:
    """Show who holds the shares, the mode and the deadline."""
    policy, schedule = checked.policy, checked.schedule
    say(
        f"标段 {policy.lot}，{policy.tender}（{policy.stage}）", f"Lot {policy.lot} of {policy.tender} ({policy.stage})"
    )
    if policy.bidder_factor:
        say(
            f"开标需要以下 {policy.n} 家中任意 {policy.k} 家，并且需要你本人",
            f"Opening takes any {policy.k} of these {policy.n} and you",
        )
    else:
        say(
            f"开标需要以下 {policy.n} 家中任意 {policy.k} 家；不需要你本人",
            f"Opening takes any {policy.k} of these {policy.n}; you are not needed",
        )
    for row in policy.custodians:
        say(f"  {row.i}. {row.name}（{row.role}）", f"  {row.i}. {row.name} ({row.role})")
    say(f"投标截止：{instant(schedule.close)} 之前", f"Deadline: before {instant(schedule.close)}")
    if not checked.schedule_signed:
        warn("截止时间由规则顺延，未经签名，以日志为准", "The deadline was extended by rule; the log is its proof")


_DOUBTS: Final = {
    Doubt.EMPTY: ("是空文件", "is empty"),
    Doubt.WRONG_TYPE: (
        "内容与扩展名不符，评委可能打不开",
        "does not begin as its extension says; evaluators may be unable to open it",
    ),
    Doubt.TRUNCATED: ("没有结尾，可能不完整；请重新导出", "has no end and may be incomplete; export it again"),
    Doubt.LOCKED: ("设了打开密码，评委将无法阅读", "asks for a password, so evaluators could not read it"),
}


def doubts(found: Iterable[tuple[str, tuple[Doubt, ...]]]) -> None:
    """Warn of files that evaluators may be unable to read; they are sealed all the same."""
    for name, each in found:
        for doubt in each:
            zh, en = _DOUBTS[doubt]
            warn(f"“{name}”{zh}", f'"{name}" {en}')


def sealed(work: WorkDir, made: SealedVersion, content: Content) -> None:
    """Show a sealed version: fingerprint, sizes, files with hashes, where the opening package is."""
    document = made.version.document
    say(f"已密封第 {made.version.seq} 版，尚未提交", f"Sealed version {made.version.seq}, not submitted yet")
    say(f"指纹 {made.fingerprint}", f"Fingerprint {made.fingerprint}")
    package(work.package())
    if isinstance(document, Envelope):
        for part in document.parts:
            say(f"  分卷 {part.name} {size(part.size)}", f"  part {part.name} {size(part.size)}")
    if content.price is not None:
        total = major(content.price.total, content.price.currency)
        say(f"  总价 {total}", f"  total {total}")
    for row in made.manifest.files if made.manifest is not None else ():
        say(
            f"  文件 {row.path} {size(row.size)} 摘要 {row.digest.hex()[:16]}…",
            f"  file {row.path} {size(row.size)} digest {row.digest.hex()[:16]}…",
        )
    if content.price is not None and not content.files and "main" in work.package().policy.parts:
        warn("没有附任何文件", "No file is attached")
    say(f"开标数据包：{made.package}", f"Opening package: {made.package}")
    warn(
        "没有这个数据包和口令就无法开标；请在另一台设备上再存一份",
        "Without this package and its passphrase the bid cannot be opened; keep a second copy on another device",
    )
    say("下一步：mingbiao bid submit", "Next: mingbiao bid submit")


@dataclass(slots=True)
class Uploading:
    """Shows the progress of parts: one line that changes on a terminal, elsewhere one for every ten percent."""

    _told: tuple[str, int] = ("", 0)

    def __call__(self, progress: Progress) -> None:
        """Show how far a part has got."""
        percent = 100 * progress.confirmed // progress.size
        is_done = progress.confirmed == progress.size
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{upload_line(progress, percent)}", err=True, nl=is_done)
        elif self._told[0] != progress.name or percent // _LINE_EVERY > self._told[1] // _LINE_EVERY:
            click.echo(upload_line(progress, percent), err=True)
            self._told = (progress.name, percent)


def upload_line(progress: Progress, percent: int) -> str:
    """Return bytes and percent that the platform has confirmed and, once they are known, rate and time left."""
    done = f"{progress.confirmed:,} / {size(progress.size)}"
    line = words(f"分卷 {progress.name}：{done}（{percent}%）", f"Part {progress.name}: {done} ({percent}%)")
    if not progress.rate or not progress.left_s:
        return line
    minutes, seconds = divmod(round(progress.left_s), 60)
    rate, left = f"{progress.rate / 1e6:.1f} MB/s", f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{line} {words(f'{rate}，约剩 {left}', f'{rate}, about {left} left')}"


def outcome(what_zh: str, what_en: str, result: Outcome) -> None:
    """Show how far a document has got; only a verified receipt is called received."""
    if result.receipt is None:
        at = "" if result.ack is None else instant(result.ack.received_at)
        warn(
            f"{what_zh}：平台已签收 {at}，尚未写入日志；稍后运行 mingbiao bid status",
            f"{what_en}: acknowledged {at}, not yet in the log; run mingbiao bid status in a moment",
        )
        return
    n = result.receipt.receipt.entry.n
    state = {"zh": "已写入日志", "en": "in the log"}
    if result.state is ReceiptState.WITNESSED:
        state = {"zh": "已写入日志并经见证", "en": "in the log and witnessed"}
    at = instant(result.receipt.record["at"])
    say(f"{what_zh}已收讫，{state['zh']}（序号 {n}，{at}）", f"{what_en} received, {state['en']} (entry {n}, {at})")
    say(f"回执：{result.file}", f"Receipt: {result.file}")


def handed_over(result: HandedOver, origin: str) -> None:
    """Show what the supervisor's intake has received, and what that proves."""
    at = instant(result.taken.received_at)
    say(
        f"监管接收点 {origin} 已收讫（序号 {result.n}，{at}）",
        f"The supervisor's intake {origin} has received it (entry {result.n}, {at})",
    )
    if not result.is_witnessed:
        warn(
            "见证方尚未签名；截止前请再运行一次，以取得能证明时间的回执",
            "No quorum of witnesses has signed yet; run it again before the deadline for a receipt that proves it",
        )
    say(f"回执：{result.file}", f"Receipt: {result.file}")
    say("平台截止时必须收入此信封；请保存回执", "The platform must enter this envelope at the close; keep the receipt")


def version(item: Version) -> None:
    """Show one version of the directory on one line."""
    progress, document = item.progress, item.document
    kind = ("信封", "envelope") if isinstance(document, Envelope) else ("撤回", "withdrawal")
    name = item.signed.sha256[:16]
    code = f" {progress.code}" if progress.code else ""
    state = {
        "sealed": ("已密封，未提交", "sealed, not submitted"),
        "sent": ("已发送，未得到答复", "sent, not answered"),
        "accepted": ("已签收", "acknowledged"),
        "refused": ("被拒收", "refused"),
    }[progress.state]
    say(
        f"  第 {item.seq} 版 {kind[0]} {name}… {state[0]}{code}",
        f"  version {item.seq} {kind[1]} {name}… {state[1]}{code}",
    )


def deadline_passed(work: WorkDir) -> bool:
    """Warn, and return true, if by this machine's clock the deadline has passed; the platform's clock decides."""
    close = work.package().schedule.close
    passed = SystemClock().now_ms() >= close
    if passed:
        warn(
            f"按本机时钟，截止时间 {instant(close)} 已过",
            f"By this machine's clock the deadline {instant(close)} has passed",
        )
    return passed


def saved(path: Path) -> None:
    """Show where something was saved."""
    say(f"已保存：{path}", f"Saved: {path}")
