"""The banner of demo mode, word for word as P13 fixes it, and the note that demo time is shifted."""

from __future__ import annotations

from typing import Final

from flask import Flask

TEXT: Final = (
    "演示模式：密钥均在本机，结果不具有证明力 / Demo mode: all keys are on this machine; results prove nothing"
)


def install(app: Flask, *, demo: bool) -> None:
    """Give every template the banner's text; None outside demo mode."""
    app.jinja_env.globals["demo_banner"] = TEXT if demo else None
