"""``run.py demo``: play one tender and stay up; ``--once`` ends after it; ``--real-bids FILE`` replays past tenders."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from trading.accounts.service.demonstration import open_ways_in, ways_in
from trading.assembly import open_runtime
from trading.demo import keepsakes, replay, visitors
from trading.demo.entering import can_enter
from trading.demo.keepsakes import Verified
from trading.demo.people import ProgramRefused
from trading.demo.play import Play, TooSlow
from trading.demo.scenes import perform
from trading.demo.stage import set_stage
from trading.demo.tenders_csv import PastTenders, read_tenders
from trading.embedded.places import admit_server
from trading.embedded.processes import EmbeddedServerError
from trading.kernel.clock import SystemClock
from trading.kernel.errors import InvalidInput, MingbiaoError
from trading.up import Platform
from trading.up.commands import DEMO_BANNER
from trading.up.platform import AlreadyRunning, discard_platform, lock_directory
from trading.up.supervisor import ProgramFailed

# A fixed date of a year whose working-day calendar is complete (P13); time runs on from there at its own pace.
START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))
_HOME: Final = Path("var/demo")
_VERIFIED: Final = ("public.zip", "draw.zip", "audit.zip")


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the play; exit 0 only if everything verified.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Keep what outsiders can download here.")
@click.option("--real-bids", type=click.Path(dir_okay=False, path_type=Path), help="CSV of past tenders to replay.")
@click.option("--json", "as_json", is_flag=True, help="With --real-bids: end with one line of JSON.")
@click.option("--listen", default="127.0.0.1:8000", show_default=True, help="Loopback host and port of the site.")
def main(out: Path | None, real_bids: Path | None, listen: str, *, once: bool, as_json: bool) -> None:
    """Play one tender from notice to result with everybody in it, and verify all of it offline."""
    console = Console()
    signal.signal(signal.SIGTERM, _end_in_order)
    if real_bids is not None:
        raise SystemExit(_replay(real_bids, console, as_json=as_json))
    console.print(DEMO_BANNER, style="red", highlight=False)
    with _home(once=once) as home, _platform(home, "127.0.0.1:0" if once else listen) as platform:
        kept = (out or home / "out").absolute()
        verified = _play(platform, kept, console)
        _tell(platform, kept, verified, console)
        if not once and _passed(verified):
            _stay(platform, home, console)
    raise SystemExit(0 if _passed(verified) else 1)


def _end_in_order(number: int, _frame: object) -> None:
    """Leave by the way of every error, so that whatever was started is stopped, in the middle of the play too."""
    raise SystemExit(128 + number)


@contextmanager
def _home(*, once: bool) -> Iterator[Path]:
    """Give the demonstration a directory of its own; each one begins anew, but never under one that still runs.

    One that runs once leaves nothing, unless it failed: then its logs are still there to be read.
    """
    if once:
        folder = Path(tempfile.mkdtemp(prefix="mingbiao-"))
        admit_server(folder)
        yield folder / "demo"
        discard_platform(folder / "demo")
        folder.rmdir()
        return
    admit_server(_HOME)
    try:
        lock = lock_directory(_HOME)
    except AlreadyRunning as error:
        raise click.ClickException(f"演示已在运行，请先停止它。/ {error} Stop it first.") from error
    try:
        site = _HOME / "site"
        if site.exists():
            discard_platform(site)
        yield site.absolute()
    finally:
        os.close(lock)


@contextmanager
def _platform(home: Path, listen: str, *, fsync: bool = True) -> Iterator[Platform]:
    """Run the whole platform in ``home``; stop it in order, whatever happens."""
    shift = round(START.timestamp() * 1000) - SystemClock().now_ms()
    platform = Platform(home, listen=listen, demo_shift_ms=shift, fsync=fsync)
    try:
        platform.start()
        yield platform
    except (ProgramFailed, EmbeddedServerError, ProgramRefused, TooSlow, MingbiaoError) as error:
        raise click.ClickException(f"{error}\n日志 / logs: {home / 'logs'}") from error
    finally:
        platform.stop()


def _play(platform: Platform, kept: Path, console: Console) -> list[Verified]:
    began = time.monotonic()
    runtime = open_runtime(platform.settings("worker"), pool_size=4)
    stage = set_stage(runtime, platform.data_dir / "people", START.year)
    keepsakes.hand_out_trust(stage)
    shift_file = platform.data_dir / "demo-shift"
    play = Play(stage=stage, base_url=platform.base_url, shift_file=shift_file, console=console)
    perform(play)
    play.scene("导出公开包和审计包，离线核验", "bundles are exported and verified offline")
    play.wait_published()
    play.wait_witnessed()
    keepsakes.keep(play, kept)
    verified = [keepsakes.verify(kept, name) for name in _VERIFIED]
    parts = (*visitors.PARTS, *map(visitors.expert_part, play.members[:1]))
    ways = open_ways_in(runtime, platform.data_dir, parts)
    people = {way.login: can_enter(platform.base_url, way) for way in ways}
    figures = keepsakes.summary(play, verified, time.monotonic() - began)
    keepsakes.write_summary(kept, {**figures, "people": people})
    if not all(people.values()):
        raise click.ClickException(f"不能登录 / cannot sign in: {people}")
    return verified


def _passed(verified: list[Verified]) -> bool:
    return all(one.code == 0 for one in verified)


def _tell(platform: Platform, kept: Path, verified: list[Verified], console: Console) -> None:
    for one in verified:
        colour = "green" if one.code == 0 else "red"
        last = one.output.strip().splitlines()[-1] if one.code == 0 else one.output
        console.print(f"[{colour}]mingbiao verify {one.name}: {one.code}[/{colour}] {last}", highlight=False)
    console.print(f"下载物 / downloads: {kept}", highlight=False)
    console.print(f"网站 / site: {platform.base_url}", highlight=False)


def _stay(platform: Platform, home: Path, console: Console) -> None:
    """Leave the site running until somebody stops it, and say what to try."""
    platform.start_probes()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    console.print("\n人员 / people (口令、一次性恢复码 / password, one-time recovery code):", highlight=False)
    for way in ways_in(platform.data_dir):
        console.print(
            f"  {way.login:<17} {way.password}  {way.recovery[0]}  {way.title_zh} / {way.title_en}", highlight=False
        )
    console.print(f"  免口令登录 / sign in as anyone: {platform.base_url}/demo/people", highlight=False)
    console.print("\n十件可以试的事 / ten things to try:", highlight=False)
    for place, (zh, en) in enumerate(visitors.THINGS_TO_TRY, start=1):
        console.print(f"  {place:>2}. {zh} / {en}", highlight=False)
    console.print("\n在另一个终端 / in another terminal:", highlight=False)
    for what in ("tamper bid", "verify-audit"):
        console.print(f"  DATA_DIR={home} python3 run.py mingbiao {what}", highlight=False, soft_wrap=True)
    console.print(f"\n{platform.base_url}  按 Ctrl-C 停止 / Ctrl-C stops it", highlight=False)
    ended.wait()


def _replay(path: Path, console: Console, *, as_json: bool) -> int:
    try:
        past = read_tenders(path)
    except InvalidInput as error:
        raise click.ClickException(f"{error.detail or error.code}\n没有启动任何程序 / Nothing was started.") from error
    began = time.monotonic()
    # A replay proves nothing about crashes and its database is gone at the end: commits need not wait for the disk.
    with _home(once=True) as home, _platform(home, "127.0.0.1:0", fsync=False) as platform:
        outcomes = replay.replay(past, platform, console)
    figures = replay.report(past, outcomes, time.monotonic() - began)
    _tell_replay(past, figures, console)
    if as_json:
        click.echo(replay.as_line(figures))
    return 0


def _tell_replay(past: PastTenders, figures: dict[str, object], console: Console) -> None:
    for bad in past.bad_rows:
        console.print(f"[yellow]第 {bad.line} 行未采用 / line {bad.line} left out: {bad.reason}[/yellow]")
    console.print(
        f"{figures['tenders']} 个项目 / tenders, {figures['bids']} 份投标 / bids, "
        f"{figures['winners_equal']} 个中标人相同 / winners equal, {figures['amounts_rounded']} 个金额取整 / rounded"
    )
    different = figures["different"]
    for one in different if isinstance(different, list) else ():
        console.print(
            f"[yellow]不同 / different: tender {one['tender']}: line {one['chosen_line']} ({one['chosen_amount']}), "
            f"file line {one['file_line']} ({one['file_amount']})[/yellow]"
        )


if __name__ == "__main__":
    main(prog_name="demo")
