"""Make ``static/seal/libraries.js`` anew from its lock: ``python -m tests.build.libraries``; Node and npm are needed.

The result stands in the repository, so that setting up the product needs neither. The same lock gives the same bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.build.toolbox import LOCKS, ROOT, installed, run

SCRIPT: Final = ROOT / "static" / "seal" / "libraries.js"
LICENCES: Final = ROOT / "static" / "seal" / "LICENCES.txt"
_SOURCES: Final = LOCKS / "seal"
_NAMES: Final = ("package.json", "package-lock.json", ".npmrc", "libraries.js")
_OPTIONS: Final = ("--bundle", "--format=esm", "--minify", "--target=es2022", "--charset=utf8", "--legal-comments=none")


def build(npm: str) -> tuple[bytes, str]:
    """Return the script, and the licences of what is in it."""
    sources = [_SOURCES / name for name in _NAMES]

    def make(folder: Path) -> None:
        for source in sources:
            shutil.copy(source, folder)
        run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)

    folder = installed("seal", make, *(source.read_bytes() for source in sources))
    with tempfile.TemporaryDirectory(dir=folder) as made:
        script, about = Path(made) / "libraries.js", Path(made) / "about.json"
        names = (f"--outfile={script}", f"--metafile={about}", "libraries.js")
        run(_esbuild(folder), *_OPTIONS, *names, folder=folder)
        used = json.loads(about.read_text(encoding="utf-8"))["inputs"]
        return script.read_bytes(), _licences(folder, used)


def _esbuild(folder: Path) -> Path:
    """Return the program itself: the script around it would look for an installation of its own."""
    (found,) = (folder / "node_modules" / "@esbuild").glob("*/bin/esbuild")
    return found


def _licences(folder: Path, used: dict[str, object]) -> str:
    """Return name, version and licence text of every package of which something was taken."""
    packages = {_package_of(folder / name) for name in used if name.startswith("node_modules/")}
    texts = []
    for package in sorted(packages):
        about = json.loads((package / "package.json").read_text(encoding="utf-8"))
        licence = (package / "LICENSE").read_text(encoding="utf-8").strip()
        texts.append(f"{about['name']} {about['version']} ({about['license']})\n\n{licence}\n")
    return f"\n{'-' * 80}\n\n".join(texts)


def _package_of(path: Path) -> Path:
    """Return the folder of the package that a file is of; folders inside it may have descriptions of their own."""
    parts = path.parts
    place = len(parts) - 1 - parts[::-1].index("node_modules")
    return Path(*parts[: place + (3 if parts[place + 1].startswith("@") else 2)])


if __name__ == "__main__":
    found = shutil.which("npm")
    if found is None:
        raise SystemExit("npm is needed")
    script, licences = build(found)
    SCRIPT.write_bytes(script)
    LICENCES.write_text(licences, encoding="utf-8")
    subprocess.run(["git", "diff", "--stat", "--", "static/seal"], cwd=ROOT, check=False)
