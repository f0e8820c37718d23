"""No float gets into an evaluation: not in the code of rules and verifier, and not at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from tests.build.golden_formulas import Golden, cases

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "trading" / "evaluation" / "rules").rglob("*.py"))
TERMS = [
    ROOT / "trading" / "procedures" / "rules" / f"{name}.py"
    for name in ("criteria", "formula_terms", "formula_law", "abnormal_shares")
]
VERIFIER = [ROOT / "verifier" / f"{name}.py" for name in ("scoring", "benchmark", "formulas", "checks_ranking")]
BROWSER = [ROOT / "static" / "verify" / f"{name}.js" for name in ("fractions", "benchmark", "formulas", "scoring")]
CONTROL = """
from math import sqrt
import statistics

def half(price: int) -> float:
    return price / 2 + 0.5 + round(float(price), 2) + 1e3
"""
BANNED_NAMES = frozenset({"float", "complex", "Decimal", "round"})
BANNED_MODULES = frozenset({"math", "cmath", "decimal", "statistics", "numpy"})


def floats_in(text: str) -> Iterator[str]:
    """Yield every literal, name and module from which a float may come."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Constant(value=float() | complex()):
                yield f"{node.lineno}: {node.value!r}"
            case ast.Name(id=name) if name in BANNED_NAMES:
                yield f"{node.lineno}: {name}"
            case ast.Attribute(attr=name) if name in BANNED_NAMES:
                yield f"{node.lineno}: {name}"
            case ast.Import(names=names):
                yield from (f"{node.lineno}: {each.name}" for each in names if each.name in BANNED_MODULES)
            case ast.ImportFrom(module=module) if module in BANNED_MODULES:
                yield f"{node.lineno}: {module}"


@pytest.mark.parametrize("path", [*RULES, *TERMS, *VERIFIER], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_float_stands_in_the_code(path: Path) -> None:
    assert list(floats_in(path.read_text())) == []


def test_a_float_in_the_code_would_be_noticed() -> None:
    """Negative control: literals, names, modules."""
    found = " ".join(floats_in(CONTROL))
    assert all(word in found for word in ("math", "statistics", "0.5", "float", "round", "1000.0"))


@pytest.mark.parametrize("path", BROWSER, ids=lambda path: path.stem)
def test_the_browser_computes_with_whole_numbers(path: Path) -> None:
    """Every number of the arithmetic is a BigInt; plain numbers count and index, and are divided nowhere but by two."""
    text = path.read_text()
    assert not any(word in text for word in ("parseFloat", "toFixed", "Math.round", "Math.ceil", "Math.pow"))
    assert [line for line in text.splitlines() if "Math.floor" in line and "length / 2" not in line] == []


def floats_at(value: object, where: str = "") -> Iterator[str]:
    """Yield where a float stands in a value, through dataclasses, mappings and sequences."""
    if isinstance(value, float):
        yield where
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from floats_at(getattr(value, each.name), f"{where}.{each.name}")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from floats_at(each, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from floats_at(each, f"{where}.{place}")


@pytest.mark.parametrize("golden", cases(), ids=lambda golden: golden.name)
def test_no_float_comes_out_of_a_ranking(golden: Golden) -> None:
    ranking = golden.ranking()
    assert list(floats_at(ranking)) == []
    assert list(floats_at(ranking.body(golden.rules))) == []


def test_a_float_in_a_value_would_be_noticed() -> None:
    """Negative control."""
    assert list(floats_at({"items": [{"score": 87.5}]})) == [".items.0.score"]
