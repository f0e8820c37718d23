"""What the command line says: short, in the reader's language, or in both where the locale names neither."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Final

import click

from trading.kernel.errors import InvalidInput, MingbiaoError, RuleBroken

BEIJING: Final = timezone(timedelta(hours=8))
FAILED: Final = 1
INCOMPLETE: Final = 2


def language() -> str | None:
    """Return ``zh`` or ``en`` by the locale's variables, or ``None`` for both."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return next((code for code in ("zh", "en") if value.lower().startswith(code)), None)
    return None


def words(zh: str, en: str) -> str:
    """Return one of the two texts, or both on one line."""
    chosen = {"zh": zh, "en": en}.get(language() or "")
    return f"{zh} / {en}" if chosen is None else chosen


def say(zh: str, en: str) -> None:
    """Print a line for the person."""
    click.echo(words(zh, en))


def warn(zh: str, en: str) -> None:
    """Print a line that must not be missed, to standard error."""
    click.echo(f"! {words(zh, en)}", err=True)


def demo_banner() -> None:
    """Print the banner of demo mode (P13)."""
    warn("演示模式：密钥均在本机，结果不具有证明力", "Demo mode: all keys are on this machine; results prove nothing")


class Stopped(click.ClickException):
    """The command cannot go on: what happened, what is kept, what to do next."""

    exit_code = FAILED

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(words(zh, en))


class Unfinished(Stopped):
    """Nothing failed, but something could not be done or checked yet; trying again is right."""

    exit_code = INCOMPLETE


def instant(ms: int) -> str:
    """Return an instant as people read it, in Beijing time, to the second."""
    return datetime.fromtimestamp(ms / 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S +08:00")


def size(count: int) -> str:
    """Return a size in bytes with separators."""
    return f"{count:,} B"


@contextmanager
def reporting(kept_zh: str = "没有任何内容被改动", kept_en: str = "nothing was changed") -> Iterator[None]:
    """Turn an expected error into one message that also says what is kept; unexpected ones stay visible."""
    try:
        yield
    except InvalidInput as error:
        raise Stopped(f"{error.code}：{error.detail}；{kept_zh}", f"{error.code}: {error.detail}; {kept_en}") from error
    except RuleBroken as error:
        detail = f": {error.facts['detail']}" if "detail" in error.facts else ""
        raise Stopped(f"{error}{detail}；{kept_zh}", f"{error}{detail}; {kept_en}") from error
    except MingbiaoError as error:
        raise Stopped(f"{error}；{kept_zh}", f"{error}; {kept_en}") from error
    except OSError as error:
        named = error.filename or ""
        reason = error.strerror or type(error).__name__
        raise Stopped(f"{named} {reason}；{kept_zh}", f"{named} {reason}; {kept_en}") from error
