"""Packages of Debian, unpacked below ``.tools`` and never installed: what no other registry carries.

No root is needed and nothing is written elsewhere: apt gets a state of its own. Which archives it asks, and by whose
signatures it knows them, is what the machine is set up with.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Final

from tests.build.toolbox import TOOLS, installed, run

RELEASE: Final = Path("/etc/os-release")
_CONFIGURATION: Final = """\
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""  # the programs of the machine that follow an update would write to its own places


def debian_package(name: str) -> Path | None:
    """Return the folder in which a package is unpacked, of the version that this release has; None without apt."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    return installed(f"debian/{name}", partial(_unpack, name), RELEASE.read_bytes())


def strace() -> list[str] | None:
    """Return the words that start strace, the machine's or Debian's, to be attached; None where there is neither."""
    found = shutil.which("strace")
    if found is not None:
        return [found]
    program, library = debian_package("strace"), debian_package("libunwind8")
    if program is None or library is None:
        return None
    (place,) = {each.parent for each in library.glob("usr/lib/**/libunwind*.so.8")}
    return ["env", f"LD_LIBRARY_PATH={place}", str(program / "usr" / "bin" / "strace")]


def _unpack(name: str, folder: Path) -> None:
    apt = _apt_state()
    run("apt-get", "-qq", "-c", apt / "apt.conf", "update")
    run("apt-get", "-qq", "-c", apt / "apt.conf", "download", name, folder=folder)
    (archive,) = folder.glob("*.deb")
    run("dpkg-deb", "-x", archive, folder)
    (folder / "mingbiao-version").write_text(archive.name)
    archive.unlink()


def _apt_state() -> Path:
    """Make the places that apt writes to, an empty list of installed packages among them."""
    apt = TOOLS / "debian" / "apt"
    for each in ("state/lists/partial", "cache/archives/partial"):
        (apt / each).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "apt.conf").write_text(_CONFIGURATION.format(apt=apt))
    return apt
