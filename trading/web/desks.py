"""Entries of the workspace: what each role can do, as each package declares it (trading.wiring)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One entry of the workspace of a role: a page without parameters, its title and one sentence on it."""

    endpoint: str
    title_zh: str
    title_en: str
    note_zh: str
    note_en: str
