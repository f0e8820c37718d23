"""``mingbiao authority serve``: time-stamping authorities of a demonstration (P13). Real ones are other organisations.

Its certificates prove nothing, and its clock is shifted with the demonstration.
"""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import click

from agents.stamp_server import StampServer
from trading.crypto.authority import open_authority
from trading.kernel.clock import ShiftedClock
from trading.kernel.errors import MingbiaoError


@click.group("authority")
def main() -> None:
    """演示用时间戳机构: time-stamping authorities of a demonstration."""


@main.command("serve")
@click.option("--at", "served", required=True, multiple=True, metavar="FOLDER=HOST:PORT", help="An authority to serve.")
@click.option(
    "--shift-file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the shift of the demonstration's clock in ms.",
)
def serve(served: tuple[str, ...], shift_file: Path) -> None:
    """Answer requests for time stamps (RFC 3161) until SIGTERM."""
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    servers = [_server(each, shift_file) for each in served]
    for server in servers:
        Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
    ended.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


def _server(text: str, shift_file: Path) -> StampServer:
    folder, _, listen = text.rpartition("=")
    address = urlsplit(f"//{listen}")
    if not folder or address.hostname is None or address.port is None:
        raise click.UsageError("--at is FOLDER=HOST:PORT")
    try:
        signer = open_authority(Path(folder))
    except (MingbiaoError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    return StampServer((address.hostname, address.port), signer, ShiftedClock(shift_file))
