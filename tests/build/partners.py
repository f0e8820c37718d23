"""Verifiers that other people wrote, installed from their registries by the locks below ``requirements`` (AL1 L15).

The Python ones ask for 3.12 or newer, so they run by an interpreter of their own; the others by Node and Go. Nothing
here is part of the product or of its environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.build.debian import debian_package
from tests.build.toolbox import LOCKS, ROOT, installed, pip_install, run

_NEW_ENOUGH: Final = "import sys; sys.exit(sys.version_info < (3, 12))"
_DRIVER: Final = ROOT / "tests" / "partners" / "driver.go"
_QUICK: Final = ("-trimpath", "-gcflags=all=-N -l", "-ldflags=-s -w")  # to compile; it hashes little


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
    lock = LOCKS / "partners.txt"
    make = lambda folder: pip_install(folder, python, lock)  # noqa: E731 - one line
    return installed("partners-python", make, str(python).encode(), lock.read_bytes())


def node_packages(npm: str) -> Path:
    """Install the partners of the npm registry and return the folder below which Node finds them."""
    locks = [LOCKS / "partners" / name for name in ("package.json", "package-lock.json", ".npmrc")]

    def make(folder: Path) -> None:
        for lock in locks:
            shutil.copy(lock, folder)
        run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)

    return installed("partners-node", make, *(lock.read_bytes() for lock in locks))


def go_driver() -> Path | None:
    """Compile ``driver.go`` with Debian's sources of ``golang.org/x/mod`` and return the program; None without apt."""
    sources = debian_package("golang-golang-x-mod-dev")
    if sources is None:
        return None
    lock = LOCKS / "partners-go.txt"
    toolchain = installed(
        "partners-go", lambda folder: pip_install(folder, Path(sys.executable), lock), lock.read_bytes()
    )
    version = (sources / "mingbiao-version").read_bytes()

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            variables = _go_variables(toolchain / "go", sources / "usr" / "share" / "gocode", Path(cache))
            run(
                toolchain / "go" / "bin" / "go", "build", *_QUICK, "-o", folder / "driver", _DRIVER, variables=variables
            )

    return installed("partners-driver", make, _DRIVER.read_bytes(), lock.read_bytes(), version) / "driver"


def _go_variables(root: Path, path: Path, cache: Path) -> dict[str, str]:
    """Return what lets Go find everything on this machine and ask for nothing else; Debian keeps sources by path."""
    places = {"GOROOT": root, "GOPATH": path, "GOCACHE": cache, "GOENV": "off"}
    closed = {"GO111MODULE": "off", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOTELEMETRY": "off", "GOFLAGS": ""}
    return {name: str(value) for name, value in places.items()} | closed | {"CGO_ENABLED": "0"}
