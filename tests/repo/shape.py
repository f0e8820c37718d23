"""How large modules, functions and argument lists are: ``run.py shape`` prints the tail, test_shape.py bounds it."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.repo.tree import ROOT, files, name_of, text_of, tree_of

FOLDERS = ("trading", "agents", "verifier", "migrations", "benchmarks", "tests")
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function: where it is, how many lines and arguments it has."""

    where: str
    lines: int
    arguments: int


def module_lines() -> dict[str, int]:
    """Return the lines of every module."""
    modules = (*files(".py", *FOLDERS), ROOT / "run.py")
    return {name_of(path): len(text_of(path).splitlines()) for path in modules}


def functions() -> list[Function]:
    """Return every function of the product and its tests."""
    return [function for path in files(".py", *FOLDERS) for function in _functions(path)]


def _functions(path: Path) -> list[Function]:
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spec = node.args
            arguments = [
                a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs) if a.arg not in {"self", "cls"}
            ]
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            where = f"{name_of(path)}:{node.lineno} {node.name}"
            found.append(Function(where=where, lines=lines, arguments=len(arguments)))
    return found


def _a_month_ago(name: str) -> str:
    """Return the length of a module a month ago, as text; a dash if it did not exist."""
    commit = _git("rev-list", "-1", "--before=1 month ago", "HEAD").strip()
    text = _git("show", f"{commit}:{name}") if commit else ""
    return str(len(text.splitlines())) if text else "–"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


def main() -> None:
    """Print the ten longest of each kind."""
    print("modules (lines, a month ago)")
    for name, lines in sorted(module_lines().items(), key=lambda item: -item[1])[:_SHOWN]:
        print(f"  {lines:>4}  {_a_month_ago(name):>4}  {name}")
    print("functions (lines)")
    for function in sorted(functions(), key=lambda each: -each.lines)[:_SHOWN]:
        print(f"  {function.lines:>4}  {function.where}")
    print("functions (arguments)")
    for function in sorted(functions(), key=lambda each: -each.arguments)[:_SHOWN]:
        print(f"  {function.arguments:>4}  {function.where}")


if __name__ == "__main__":
    main()
