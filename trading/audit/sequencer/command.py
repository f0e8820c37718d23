"""``mingbiao sequencer``: the one process that holds the log key (architecture 8)."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click
import psycopg

from trading.audit.rules.cover import Rate
from trading.audit.rules.policy import parse_policy
from trading.audit.sequencer.loop import Options, Sequencer
from trading.audit.sequencer.writer import LogFiles, LogSigner
from trading.config import ConfigError, Settings
from trading.crypto.keyfiles import load_note_seed
from trading.db import psycopg_url
from trading.kernel.errors import MingbiaoError
from trading.storage.head import HeadStore
from trading.storage.tiles import TileStore
from trading.storage.wal import WriteAheadLog

_log = logging.getLogger("mingbiao.sequencer")


def open_files(log_dir: Path) -> LogFiles:
    """Open the three places under ``LOG_DIR``; the write-ahead log is taken for this process alone."""
    return LogFiles(
        wal=WriteAheadLog(log_dir / "wal"), head=HeadStore(log_dir / "head"), tiles=TileStore(log_dir / "tiles")
    )


def _build(settings: Settings) -> Sequencer:
    if settings.log_dir is None or settings.log_key_file is None or settings.witness_policy is None:
        raise ConfigError(["The sequencer needs LOG_DIR, LOG_KEY_FILE and WITNESS_POLICY."])
    url = psycopg_url(settings.database_url).set(drivername="postgresql")
    return Sequencer(
        conninfo=url.render_as_string(hide_password=False),
        files=open_files(settings.log_dir),
        signer=LogSigner(settings.log_origin, load_note_seed(settings.log_key_file)),
        policy=parse_policy(settings.witness_policy.read_text()),
        clock=settings.clock(),
        # A demonstration shows its working head and says so: whoever tries it wants to see the log grow.
        options=Options(cover=None if settings.demo else Rate(quantum=settings.log_quantum)),
    )


@click.command("sequencer")
def main() -> None:
    """Give committed entries their place in the log. Exit 0 after a signal, 1 when the log must not go on."""
    raise SystemExit(_run())


def _run() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    sequencer = None
    try:
        sequencer = _build(Settings.from_env("sequencer"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sequencer.stop())
        sequencer.start()
        sequencer.run()
    except (MingbiaoError, ConfigError, psycopg.Error, OSError) as error:
        _log.critical("the sequencer stops: %s", error)
        return 1
    finally:
        if sequencer is not None:
            sequencer.close()
    return 0
