"""The import contracts of pyproject.toml hold, and name every package."""

from __future__ import annotations

import tomllib

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.repo.tree import ROOT


def test_import_contracts_hold() -> None:
    assert lint_imports(str(ROOT / "pyproject.toml"), no_logo=True) == EXIT_STATUS_SUCCESS


def test_every_package_of_the_trade_has_its_inner_layers_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    listed = set(contracts[1]["containers"])
    packages = {path.parent.name for path in (ROOT / "trading").glob("*/tables.py")}
    assert {f"trading.{name}" for name in packages} <= listed
