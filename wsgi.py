"""The web application as gunicorn loads it."""

from __future__ import annotations

from trading.app import create_app
from trading.config import Settings

app = create_app(Settings.from_env("web"))
