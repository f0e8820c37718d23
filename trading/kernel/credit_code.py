"""The unified social credit code (统一社会信用代码, GB 32100-2015): 17 characters and a check character.

A wrong check character is almost always a typing error; a right one proves nothing about the organisation.
"""

from __future__ import annotations

import re
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # 31 characters: no I, O, S, V, Z
_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_BODY: Final = re.compile(f"[{_ALPHABET}]{{17}}\\Z")


def check_character(body: str) -> str:
    """Return the 18th character for the first 17.

    Raises:
        ValueError: ``body`` is not 17 characters of the alphabet.
    """
    if not _BODY.match(body):
        raise ValueError("not 17 characters of the alphabet of GB 32100")
    total = sum(_ALPHABET.index(character) * weight for character, weight in zip(body, _WEIGHTS, strict=True))
    return _ALPHABET[-total % 31]


def is_credit_code(code: str) -> bool:
    """Say whether ``code`` is 18 characters of the alphabet with the right check character."""
    return len(code) == 18 and _BODY.match(code[:17]) is not None and check_character(code[:17]) == code[17]  # noqa: PLR2004 - the length of the code
