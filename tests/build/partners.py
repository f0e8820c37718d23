"""Verifiers that other people wrote, installed from their registries by the locks below ``requirements`` (AL1 L15).

The Python ones ask for 3.12 or newer, so they run by an interpreter of their own; the others by Node. Nothing here is
part of the product or of its environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_LOCKS: Final = ROOT / "requirements"
_TOOLS: Final = ROOT / ".tools"
_NEW_ENOUGH: Final = "import sys; sys.exit(sys.version_info < (3, 12))"


def new_python() -> Path | None:
    """Return an interpreter of 3.12 or newer: ours, one beside it, or one on the path."""
    beside = sorted(Path(sys.base_prefix).parent.glob("3.*/bin/python3"))
    named = [shutil.which(f"python3.{minor}") for minor in range(12, 16)]
    for candidate in (Path(sys.executable), *beside, *(Path(each) for each in named if each is not None)):
        done = subprocess.run([str(candidate), "-c", _NEW_ENOUGH], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None


def python_packages(python: Path) -> Path:
    """Install the Python partners for ``python`` and return the folder to import them from."""
    folder = _TOOLS / "partners-python"
    lock = _LOCKS / "partners.txt"
    if _is_stale(folder, str(python).encode(), lock):
        options = ("--quiet", "--require-hashes", "--no-deps", "--python", python, "--target", folder)
        _run(Path(ROOT.anchor), _TOOLS / "bin" / "uv", "pip", "install", *options, "--requirement", lock)
        _mark(folder, str(python).encode(), lock)
    return folder


def node_packages(npm: str) -> Path:
    """Install the partners of the npm registry and return the folder below which Node finds them."""
    folder = _TOOLS / "partners-node"
    names = ("package.json", "package-lock.json", ".npmrc")
    locks = [_LOCKS / "partners" / name for name in names]
    if _is_stale(folder, b"", *locks):
        folder.mkdir(parents=True, exist_ok=True)
        for lock in locks:
            shutil.copy(lock, folder)
        _run(folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        _mark(folder, b"", *locks)
    return folder


def _is_stale(folder: Path, extra: bytes, *locks: Path) -> bool:
    stamp = folder / "mingbiao-lock"
    return not stamp.exists() or stamp.read_text() != _digest(extra, *locks)


def _mark(folder: Path, extra: bytes, *locks: Path) -> None:
    (folder / "mingbiao-lock").write_text(_digest(extra, *locks))


def _digest(extra: bytes, *locks: Path) -> str:
    return hashlib.sha256(extra + b"".join(lock.read_bytes() for lock in locks)).hexdigest()


def _run(folder: Path, *words: object) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "UV_PYTHON"}
    subprocess.run([str(word) for word in words], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
