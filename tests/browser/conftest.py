"""A real Chromium before the gallery: every page in every state, without servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.build.gallery import gallery
from tests.support.browsers import open_browser
from tests.support.serving import serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def gallery_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the gallery on a port of its own."""
    with serving(gallery(tmp_path_factory.mktemp("gallery"))) as address:
        yield address
