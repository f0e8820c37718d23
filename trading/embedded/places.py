"""Where an embedded server keeps its files, and as which user of the system it runs.

PostgreSQL refuses to run as root. Started by root it therefore runs as ``postgres`` or ``nobody``, and its files must
lie where that user can reach them: in the wished directory if every folder above allows it, else in a private folder
under ``/var/tmp`` whose path is noted in the wished directory. No permission of a folder we did not make is changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trading.embedded.processes import EmbeddedServerError

_NOTE = "place"
_SOCKET_NOTE = "socket-place"
_PREFIX = "mingbiao-"
# sun_path holds 108 bytes on Linux and 104 elsewhere, its final zero byte included; "/.s.PGSQL.5432" takes 14.
_SOCKET_DIRECTORY_LIMIT = 103 - len("/.s.PGSQL.5432")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The user of the operating system as whom a server runs; ``switch`` says that it is not the present one."""

    uid: int
    gid: int
    switch: bool

    def popen_options(self) -> dict[str, object]:
        """Return the options of ``subprocess`` that start a program as this user, with no other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}


def present_user() -> ServerUser:
    """Return the user as whom this process runs."""
    return ServerUser(uid=os.geteuid(), gid=os.getegid(), switch=False)


def server_user() -> ServerUser:
    """Return the present user, or for root the first of ``postgres`` and ``nobody`` that exists."""
    if os.geteuid() != 0:
        return present_user()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor nobody."
    )


def is_reachable(path: Path, user: ServerUser) -> bool:
    """Return whether ``user`` may pass through every existing folder on the way to ``path``, itself included."""
    path = path.resolve()
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        status = folder.stat()
        if status.st_uid == user.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == user.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def admit_server(directory: Path) -> None:
    """Make ``directory`` if it is missing: private to this user, and passable (not listable) for the server's user.

    For folders of the product only, such as ``DATA_DIR``. An ordinary user gets mode 0700, root 0710 with the group of
    the server's user.
    """
    user = server_user()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user.switch:
        os.chown(directory, 0, user.gid)
        directory.chmod(0o710)
    else:
        directory.chmod(0o700)


def server_home(wished: Path, user: ServerUser) -> Path:
    """Return the folder of a server, owned by ``user`` with mode 0700; make it at the first call.

    Raises:
        EmbeddedServerError: The folder noted at an earlier start is gone or belongs to somebody else.
    """
    wished = wished.resolve()
    if is_reachable(wished.parent, user):
        own_directory(wished, user)
        return wished
    wished.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = wished / _NOTE
    if note.exists():
        return _noted_home(Path(note.read_text()), wished, user)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_shared_folder(user)))
    os.chown(home, user.uid, user.gid)
    note.write_text(str(home))
    return home


def discard(wished: Path, home: Path) -> None:
    """Delete the files of a stopped server, wherever they are."""
    for folder in (home, wished):
        shutil.rmtree(folder, ignore_errors=True)


def discard_noted(wished: Path) -> None:
    """Delete the files of a server that no longer runs, also those that had to lie elsewhere."""
    note, home = wished / _NOTE, wished
    if note.exists():
        with suppress(EmbeddedServerError):  # gone already, or somebody else's by now: not ours to delete
            home = _noted_home(Path(note.read_text()), wished, server_user())
    discard(wished, home)


def socket_directory(home: Path, user: ServerUser) -> Path:
    """Return a private folder for sockets: in ``home`` if the path is short enough, else a new temporary one."""
    inside = home / "socket"
    if len(os.fsencode(inside)) <= _SOCKET_DIRECTORY_LIMIT:
        own_directory(inside, user)
        return inside
    # Programs that know the address must find a server there that was started again, so the folder is remembered.
    note = home / _SOCKET_NOTE
    if note.exists():
        outside = Path(note.read_text())
        if outside.is_dir() and not outside.is_symlink() and outside.stat().st_uid == user.uid:
            return outside
    outside = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_shared_folder(user)))
    os.chown(outside, user.uid, user.gid)
    note.write_text(str(outside))
    return outside


def forget_sockets(home: Path, sockets: Path) -> None:
    """Remove the socket folder of a stopped server if it lies outside ``home``."""
    if sockets.parent != home:
        shutil.rmtree(sockets, ignore_errors=True)
        (home / _SOCKET_NOTE).unlink(missing_ok=True)


def own_directory(folder: Path, user: ServerUser) -> None:
    """Make ``folder`` if it is missing, owned by ``user`` with mode 0700; refuse one that belongs to somebody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user.switch and folder.stat().st_uid == 0:
        os.chown(folder, user.uid, user.gid)
    if folder.stat().st_uid != user.uid:
        raise EmbeddedServerError(f"{folder} belongs to another user. Choose another DATA_DIR.")
    folder.chmod(0o700)


def _noted_home(home: Path, wished: Path, user: ServerUser) -> Path:
    try:
        status = home.lstat()
    except FileNotFoundError:
        raise EmbeddedServerError(f"The files that belong to {wished} were in {home} and are gone.") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user.uid:
        raise EmbeddedServerError(f"{home}, noted in {wished}, belongs to another user.")
    return home


def _shared_folder(user: ServerUser) -> Path:
    for folder in (Path("/var/tmp"), Path(tempfile.gettempdir())):  # noqa: S108 - mkdtemp makes a private folder in it
        if folder.is_dir() and os.access(folder, os.W_OK) and is_reachable(folder, user):
            return folder
    raise EmbeddedServerError(
        "No temporary folder that another user can reach. Set DATA_DIR to a path such as /srv/mingbiao."
    )
