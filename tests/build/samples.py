"""Every page in every state, gathered from the files that build them; each part appends its own."""

from __future__ import annotations

from collections.abc import Iterator

from tests.build import (
    pages,
    pages_accounts,
    pages_agency,
    pages_bidder,
    pages_desk,
    pages_disclosure,
    pages_draws,
    pages_evaluation,
    pages_hall,
    pages_log,
    pages_opendata,
    pages_pool,
    pages_questions,
    pages_statistics,
)
from tests.build.pages import Sample


def samples() -> Iterator[Sample]:
    """Yield every sample of every part."""
    parts = (pages, pages_accounts, pages_agency, pages_bidder, pages_draws, pages_evaluation, pages_hall, pages_desk)
    for part in (*parts, pages_questions, pages_log, pages_pool, pages_disclosure, pages_opendata, pages_statistics):
        yield from part.samples()
