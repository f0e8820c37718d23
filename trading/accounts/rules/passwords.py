"""Which passwords are taken (security 6.2: length, no composition rules, common ones refused offline)."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from trading.kernel.errors import RuleBroken

LEAST: Final = 12
MOST: Final = 200
_LEAST_DIFFERENT: Final = 5


def require_good(password: str, *, login: str) -> None:
    """Refuse a password that is too short, on the list of common ones, or the login itself in disguise.

    Raises:
        RuleBroken: ``password.length``, ``password.common``.
    """
    if not LEAST <= len(password) <= MOST:
        raise RuleBroken("password.length", None, least=LEAST, most=MOST)
    plain = password.casefold()
    simple = len(set(plain)) < _LEAST_DIFFERENT or plain in plain[1:] + plain[:-1]
    named = login.casefold() in plain and len(plain) < LEAST + len(login)
    if simple or named or plain in _common() or plain.rstrip("0123456789!.") in _common():
        raise RuleBroken("password.common")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    """Return the list, which holds what people choose first when twelve characters are asked for."""
    text = files("trading.accounts.rules").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line)
