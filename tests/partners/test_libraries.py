"""The libraries of the sealing page are those of their lock: made anew, the script has the same bytes (SB1 S21.10)."""

from __future__ import annotations

import shutil

import pytest

from tests.build.libraries import LICENCES, SCRIPT, build
from tests.support.campaigns import LONG


@pytest.mark.skipif(not LONG, reason="npm installs from its registry; part of the long run")
def test_the_script_is_what_its_lock_makes() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is needed")
    script, licences = build(npm)
    assert script == SCRIPT.read_bytes()
    assert licences == LICENCES.read_text(encoding="utf-8")
