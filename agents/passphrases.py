"""Where a passphrase comes from: a file, the environment, or the person; never a command-line argument."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from agents.words import words
from trading.crypto.files import read_secret
from trading.crypto.keyfiles import require_passphrase

KEY_VARIABLE: Final = "MINGBIAO_PASSPHRASE"
PACKAGE_VARIABLE: Final = "MINGBIAO_PACKAGE_PASSPHRASE"


def given(file: Path | None, variable: str) -> str | None:
    """Return the passphrase of a file (first line, mode 0600) or of the environment, if either is there.

    Raises:
        InvalidInput: ``key.file_mode``.
    """
    if file is not None:
        return read_secret(file).decode().split("\n", 1)[0].rstrip("\r")
    return os.environ.get(variable)


def existing(file: Path | None, variable: str, what_zh: str, what_en: str) -> str:
    """Return the passphrase of something that exists; asks once."""
    found = given(file, variable)
    if found is not None:
        return found
    answer: str = click.prompt(words(f"{what_zh}的口令", f"Passphrase of {what_en}"), hide_input=True)
    return answer


def new(file: Path | None, variable: str, what_zh: str, what_en: str) -> str:
    """Return the passphrase for something new; asks twice.

    Raises:
        InvalidInput: ``key.weak_passphrase``: fewer than 10 characters.
    """
    found = given(file, variable)
    if found is None:
        found = click.prompt(
            words(f"{what_zh}的新口令（至少 10 个字符）", f"New passphrase of {what_en} (10 characters or more)"),
            hide_input=True,
            confirmation_prompt=words("再输入一次", "Repeat"),
        )
    require_passphrase(found)
    return found
