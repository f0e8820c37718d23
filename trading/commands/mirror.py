"""``mingbiao mirror``: keeps a bucket where the public head stands; it has no database and no key of the log."""

from __future__ import annotations

import logging
import signal
import sys
import threading

import click

from trading.assembly import TILES
from trading.audit.mirroring import Mirror, follow
from trading.audit.rules.policy import parse_policy
from trading.config import ConfigError, Settings
from trading.kernel.errors import Conflict, MingbiaoError
from trading.storage.bucket import Bucket

_log = logging.getLogger("mingbiao.mirror")


def _build(settings: Settings) -> Mirror:
    if settings.log_dir is None or settings.witness_policy is None or settings.log_mirror is None:
        raise ConfigError(["The mirror needs LOG_DIR, WITNESS_POLICY, LOG_MIRROR_URL and LOG_MIRROR_KEY_FILE."])
    keys = parse_policy(settings.witness_policy.read_text()).log_keys(settings.log_origin)
    return Mirror(settings.log_dir / TILES, Bucket(settings.log_mirror), settings.log_origin, keys)


@click.command("mirror")
@click.option("--once", is_flag=True, help="Copy what there is now and end.")
def mirror(*, once: bool) -> None:
    """镜像公开日志: copy the public log into a bucket, and go on as it grows.

    Exit 0 after a signal or a copy, 1 when the bucket must not be written to, 2 with --once if the service is away.
    """
    raise SystemExit(_run(once=once))


def _run(*, once: bool) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        built = _build(Settings.from_env("mirror"))
        if not once:
            follow(built, stopped)
            return 0
        built.begin()
        click.echo(f"size {built.publish()}")
    except (OSError, Conflict) as error:
        _log.warning("the public log is not copied: %s", error)
        return 2
    except (MingbiaoError, ConfigError) as error:
        _log.critical("the mirror stops: %s", error)
        return 1
    return 0
