"""What the tests install below ``.tools``: once for each state of what it is made from, by one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TOOLS: Final = ROOT / ".tools"
LOCKS: Final = ROOT / "requirements"


def installed(name: str, make: Callable[[Path], None], *inputs: bytes) -> Path:
    """Return the folder ``name``; unless it was made from just these ``inputs``, ``make`` fills it anew."""
    folder, stamp = TOOLS / name, TOOLS / name / "mingbiao-lock"
    digest = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in inputs)).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one run may ask for the same folder at once
        if not stamp.exists() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            stamp.write_text(digest)
    return folder


def pip_install(folder: Path, python: Path, lock: Path) -> None:
    """Install what a lock names into ``folder``, to be imported by ``python``; every hash is checked."""
    options = ("--quiet", "--require-hashes", "--no-deps", "--python", python, "--target", folder)
    run(TOOLS / "bin" / "uv", "pip", "install", *options, "--requirement", lock)


def run(*words: object, folder: Path | None = None, variables: dict[str, str] | None = None) -> None:
    """Run a program that must succeed, without ``UV_PYTHON``, which would name another interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "UV_PYTHON"} | (variables or {})
    place = folder or Path(ROOT.anchor)  # not in the product's folder, whose settings are not meant for this
    subprocess.run([str(word) for word in words], cwd=place, env=environment, stdout=subprocess.DEVNULL, check=True)
