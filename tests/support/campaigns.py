"""How large a campaign is: a sample in ordinary runs, more in the long run of all, everything when it runs alone.

The long run of all campaigns has a limit (40 minutes); ``run.py test long NAME`` has none.
"""

from __future__ import annotations

import os
from typing import Final

LONG: Final = os.environ.get("MINGBIAO_CAMPAIGN") == "long"
ALONE: Final = LONG and bool(os.environ.get("MINGBIAO_ALONE"))


def among(others: int, *, alone: int) -> int:
    """Return the size of a campaign in a long run: among others, or alone."""
    return alone if ALONE else others
