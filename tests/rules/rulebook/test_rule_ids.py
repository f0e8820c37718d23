"""Every rule id in the product is in the rule book, and every one the rules cite has a test that names it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading.rulebook.loader import builtin

ROOT = Path(__file__).parents[3]
RULE_ID = re.compile(r"(?:[A-Z]{3}-\d{2}|MB-\d{2}|B\d{1,2}\.\d{1,2})\Z")
PRODUCT = ["trading", "agents"]
RULES = ["trading/kernel", "trading/rulebook", "trading/procedures/rules", "trading/evaluation/rules"]


def cited(text: str) -> Iterator[str]:
    """Yield the rule ids that stand in a module as whole strings; prose in docstrings does not count."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and RULE_ID.match(node.value):
            yield node.value


def modules(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", PRODUCT)
def test_every_rule_id_in_code_is_in_the_rule_book(folder: str) -> None:
    unknown = {
        f"{path.relative_to(ROOT)}: {rule}"
        for path in modules([folder])
        for rule in cited(path.read_text())
        if rule not in builtin().rules
    }
    assert unknown == set()


def test_every_rule_id_that_the_rules_cite_has_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "rules").rglob("*.py"))
    tests += "\n".join(path.read_text() for path in (ROOT / "tests" / "vectors" / "kinds").glob("*.md"))
    ids = {rule for path in modules(RULES) for rule in cited(path.read_text())}
    assert {rule for rule in ids if rule not in tests} == set()
    assert len(ids) > 20


def test_an_invented_rule_id_would_be_noticed() -> None:
    """Negative control."""
    assert list(cited('raise RuleBroken("x", "XYZ-99")')) == ["XYZ-99"]
    assert list(cited('"""See XYZ-99 here."""')) == []
    assert "XYZ-99" not in builtin().rules


def test_every_rule_has_titles_and_an_article() -> None:
    for rule in builtin().rules.values():
        assert all((rule.title_zh, rule.title_en, rule.article, rule.confidence)), rule.id
        assert RULE_ID.match(rule.id)
