"""The banner of demo mode, word for word as P13 fixes it, and that of practice tenders."""

from __future__ import annotations

from typing import Final

from flask import Flask

TEXT: Final = (
    "演示模式：密钥均在本机，结果不具有证明力 / Demo mode: all keys are on this machine; results prove nothing"
)
#: Of practice tenders, on paper; whoever reads one must not need the other language (ADR 0061).
PRACTICE: Final = (
    "模拟项目：不是真实的采购，投标不产生任何后果 / Practice tender: nothing is bought, and nothing comes of any bid"
)


def install(app: Flask, *, demo: bool) -> None:
    """Give every template the banner's text; None outside demo mode."""
    app.jinja_env.globals["demo_banner"] = TEXT if demo else None
