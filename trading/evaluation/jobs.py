"""Reactions of the evaluation: the files of a bid are inspected as soon as its opening is complete."""

from __future__ import annotations

from typing import Final

from trading.audit.relay import Subscription
from trading.evaluation.service import files

SUBSCRIPTIONS: Final = (
    Subscription(name="evaluation.files", kinds=frozenset({"opening.completed"}), react=files.wake),
)
ERRANDS: Final = {files.INSPECT: files.run}
