"""Reactions of the evaluation: once an opening is complete, files are inspected and their pages drawn."""

from __future__ import annotations

from typing import Final

from trading.audit.relay import Subscription
from trading.evaluation.service import files, pages

SUBSCRIPTIONS: Final = (
    Subscription(name="evaluation.files", kinds=frozenset({"opening.completed"}), react=files.wake),
)
ERRANDS: Final = {files.INSPECT: files.run, pages.DRAW: pages.run}
