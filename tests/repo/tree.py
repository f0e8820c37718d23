"""The files of the repository, as the tests of its shape see them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_GENERATED = {"var", "dist", "node_modules", "__pycache__"}


@cache
def files(suffix: str = "", *folders: str) -> tuple[Path, ...]:
    """Return the committed or staged files with a suffix, under some folders or everywhere."""
    # A checkout that belongs to another user is still ours to look at; in an unpacked archive every file counts.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0:
        names = [Path(name) for name in done.stdout.decode().split("\0") if name]
    else:
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [name for name in names if not _GENERATED & set(name.parts) and not _is_hidden(name)]
    inside = tuple(f"{folder}/" for folder in folders)
    chosen = (name for name in names if name.name.endswith(suffix) and (not inside or str(name).startswith(inside)))
    return tuple(path for path in (ROOT / name for name in chosen) if path.is_file())


def _is_hidden(name: Path) -> bool:
    return name.parts[0].startswith(".") and name.parts[0] not in {".ci", ".gitignore"}


@cache
def text_of(path: Path) -> str:
    """Return the text of a file; bytes that are no UTF-8 become question marks."""
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(text_of(path), filename=str(path))


def name_of(path: Path) -> str:
    """Return the path from the top of the repository, as a person names it."""
    return str(path.relative_to(ROOT))
