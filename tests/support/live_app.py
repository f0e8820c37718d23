"""The web application of a market as gunicorn loads it: what it needs comes in one variable of the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask

from tests.support.market import Market
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.db import open_engine
from trading.kernel.clock import ShiftedClock
from trading.storage.local import LocalStore

VARIABLE = "MINGBIAO_TEST_MARKET"
POOL = 8  # far fewer connections than streams: a stream holds none


def described(market: Market) -> str:
    """Return the value of the variable for a market."""
    return json.dumps({
        "directory": str(market.directory),
        "log_dir": str(market.runtime.log_dir),
        "origin": market.runtime.origin,
        "policy": market.runtime.witness_policy,
        "shift": str(market.shift_file),
        "url": market.database.url("trading_web"),
    })  # fmt: skip


def make() -> Flask:
    """Return the application of the market in the environment."""
    told = json.loads(os.environ[VARIABLE])
    directory = Path(told["directory"])
    runtime = Runtime(
        ledger=Ledger(open_engine(told["url"], pool_size=POOL, application="web"), registry=REGISTRY),
        objects=LocalStore(directory / "objects"),
        log_dir=Path(told["log_dir"]),
        origin=told["origin"],
        demo=True,
        clock=ShiftedClock(Path(told["shift"])),
        witness_policy=told["policy"],
    )
    settings = Settings(
        process=Process.WEB,
        demo=True,
        data_dir=directory,
        database_url=told["url"],
        log_origin=told["origin"],
        jurisdiction="CN",
    )
    return create_app(settings, runtime)
