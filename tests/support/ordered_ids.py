"""Ids that count up instead of being drawn by lot, so that lists sorted by them have one order in two runs.

Ids and references tell nothing (SB1 S21.13); what is drawn by lot from them is only the order of lists.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Final
from unittest.mock import patch

from trading.kernel import ids

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_FIRST_ROW: Final = 1 << 61  # as long as the longest that is drawn


@contextmanager
def ordered_ids() -> Iterator[None]:
    """Let every later id be greater than every earlier one, wherever ids are made in this process."""
    rows, names = count(_FIRST_ROW), count(1)

    def random_name(length: int = 12) -> str:
        number, found = next(names), ""
        for _ in range(length):
            number, digit = divmod(number, len(_ALPHABET))
            found = _ALPHABET[digit] + found
        return found

    made = {"new_row_id": (ids.new_row_id, lambda: next(rows)), "random_name": (ids.random_name, random_name)}
    with ExitStack() as stack:
        for module in [each for name, each in sorted(sys.modules.items()) if name.startswith("trading.")]:
            for name, (drawn, counted) in made.items():
                if vars(module).get(name) is drawn:
                    stack.enter_context(patch.object(module, name, counted))
        yield
