from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[1] / "vectors" / "protocols.json"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(VECTORS.read_text())
    return value
