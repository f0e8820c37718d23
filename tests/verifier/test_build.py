"""The single file: deterministic, old Python, nothing outside the standard library and cryptography, no shared code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from verifier import build
from verifier.build import MODULES, main, single_file_source

ROOT = Path("verifier")
OLDEST = (3, 9)
ALLOWED = {"cryptography", "verifier"}


def imports_of(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_every_module_is_in_the_single_file() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == {*MODULES, "__init__", "build", "cli"}


def test_only_the_standard_library_and_cryptography_are_imported() -> None:
    for path in ROOT.glob("*.py"):
        names = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text("utf-8")))}
        assert names - ALLOWED <= set(sys.stdlib_module_names), path
        assert "trading" not in names


def test_the_single_file_parses_under_the_oldest_python() -> None:
    text = single_file_source().decode()
    tree = ast.parse(text, feature_version=OLDEST)
    assert not any(name.startswith("verifier") for name in imports_of(tree))
    assert not {"TypeAlias", "StrEnum"} & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names = {keyword.arg for keyword in node.keywords}
            assert not names & {"strict", "slots", "kw_only"}, node.lineno


def test_every_name_of_the_single_file_is_defined() -> None:
    """What a module imported under another name is the likeliest to get lost; a control loses one."""
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--isolated", "--select", "F821", "-"]
    for source, code in ((single_file_source(), 0), (single_file_source().replace(b" as new_hash", b""), 1)):
        assert subprocess.run(ruff, input=source, capture_output=True, check=False).returncode == code


def test_the_build_is_deterministic() -> None:
    single_file_source.cache_clear()
    before = single_file_source()
    single_file_source.cache_clear()
    assert single_file_source() == before


def test_the_file_is_written(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([str(tmp_path / "verify.py")]) == 0
    assert (tmp_path / "verify.py").read_bytes() == single_file_source()
    assert main([]) == 0
    assert capfdbinary.readouterr().out == single_file_source()


def test_two_equal_names_stop_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MODULES", ("age", "bech32", "age"))
    single_file_source.cache_clear()
    with pytest.raises(ValueError, match="stands in age"):
        single_file_source()
    single_file_source.cache_clear()
