"""Reading of a bundle as hostile input: a ZIP or a directory (AL1 L12.1, limits of P12).

Nothing is unpacked to disk, no path leaves the bundle, no link is followed, and nothing in it is executed.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO

MAX_FILES = 200_000
MAX_UNPACKED = 64 * 2**30
MAX_RATIO = 200
MAX_INDEX = 64 * 2**20
KEPT_FILE = 4 * 2**20
KEPT_TOTAL = 32 * 2**20
READ_BLOCK = 2**20
TILE_NUMBER = r"(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"
BEFORE = "before/"  # the files of the closed log that a log continues, as in its own bundle; for more logs, repeated
PATH_RULE = re.compile(
    r"bundle\.json|verify\.py|trust\.(?:json|sig)|order\.json|request\.json"
    r"|docs/[0-9a-f]{64}\.(?:json|sig)|parts/[0-9a-f]{64}\.age"
    r"|(?:before/){0,15}(?:checkpoint"
    r"|log/(?:0|[1-9][0-9]{0,15})\.tlog-proof|records/(?:0|[1-9][0-9]{0,15})\.json"
    r"|checkpoints/(?:0|[1-9][0-9]{0,15})-(?:first|last)|consistency/(?:0|[1-9][0-9]{0,15})-(?:0|[1-9][0-9]{0,15})"
    r"|tst/[0-9]{1,16}/[A-Za-z0-9._-]{1,80}\.tsr"
    rf"|tile/(?:[0-9]{{1,2}}|entries)/{TILE_NUMBER})\Z"
)


class BundleFault(ValueError):
    """The container breaks a limit, holds a forbidden name or link, or cannot be read."""


UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError)


class Bundle:
    """The files of a bundle by path.

    What was hashed is what is used: a file that was read is kept, or, beyond ``KEPT_TOTAL``, must be the same again.
    """

    def __init__(self, opener: Callable[[str], IO[bytes]]) -> None:
        self._opener = opener
        self._kept: dict[str, bytes] = {}
        self._kept_total = 0
        self._hashes: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}

    def open(self, path: str) -> IO[bytes]:
        """Return a stream over a file of the bundle.

        Raises:
            BundleFault: No such file, or it cannot be opened.
        """
        if path not in self.sizes:
            raise BundleFault(f"{path}: not in the bundle")
        try:
            return self._opener(path)
        except UNREADABLE as error:
            raise BundleFault(f"{path}: {error}") from error

    def __contains__(self, path: str) -> bool:
        return path in self.sizes

    def read(self, path: str, limit: int = KEPT_FILE) -> bytes:
        """Return the bytes of a file.

        Raises:
            BundleFault: No such file, longer than ``limit``, longer than announced, damaged, or other than it was.
        """
        if path in self._kept:
            return self._kept[path]
        if path not in self.sizes:
            raise BundleFault(f"{path}: not in the bundle")
        size = self.sizes[path]
        if size > limit:
            raise BundleFault(f"{path}: {size} bytes, at most {limit} are allowed here")
        try:
            with self.open(path) as stream:
                data = stream.read(size + 1)
        except UNREADABLE as error:
            raise BundleFault(f"{path}: {error}") from error
        if len(data) != size:
            raise BundleFault(f"{path}: length differs from the announced one")
        if size <= KEPT_FILE and self._kept_total + size <= KEPT_TOTAL:
            self._kept[path] = data
            self._kept_total += size
        else:
            self._require_same(path, sha256(data).digest())
        return data

    def _require_same(self, path: str, found: bytes) -> None:
        if self._hashes.setdefault(path, found) != found:
            raise BundleFault(f"{path}: changed while it was being verified")

    def sha256(self, path: str) -> str:
        """Return SHA-256 of a file in hex, streaming large ones.

        Raises:
            BundleFault: As ``read``.
        """
        if self.sizes.get(path, 0) <= KEPT_FILE:
            data = self.read(path)
            return (self._hashes.get(path) or sha256(data).digest()).hex()
        state, length = sha256(), 0
        try:
            with self.open(path) as stream:
                while block := stream.read(READ_BLOCK):
                    state.update(block)
                    length += len(block)
        except UNREADABLE as error:
            raise BundleFault(f"{path}: {error}") from error
        if length != self.sizes[path]:
            raise BundleFault(f"{path}: length differs from the announced one")
        self._require_same(path, state.digest())
        return state.hexdigest()

    def under(self, folder: str) -> list[str]:
        """Return the paths below a folder, sorted by bytes."""
        return sorted(path for path in self.sizes if path.startswith(folder))

    def admit(self, path: str, size: int) -> None:
        """Add a file to the list.

        Raises:
            BundleFault: A name outside the format, a name twice, or too many files.
        """
        if not PATH_RULE.fullmatch(path):
            raise BundleFault(f"{path}: not a name of the bundle format")
        if path in self.sizes:
            raise BundleFault(f"{path}: twice in the bundle")
        self.sizes[path] = size
        if len(self.sizes) > MAX_FILES:
            raise BundleFault(f"more than {MAX_FILES} files")


def part_of(whole: Bundle, folder: str) -> Bundle:
    """Return the files of a bundle below a folder, under the names that they have there; read through the whole."""
    part = Bundle(lambda path: BytesIO(whole.read(folder + path, whole.sizes[folder + path])))
    part.sizes = {path[len(folder) :]: whole.sizes[path] for path in whole.under(folder)}
    return part


def zip_bundle(path: Path) -> Bundle:
    """Return the bundle of a ZIP file: stored or deflated, no encryption, no links.

    Raises:
        BundleFault: Not a ZIP within the limits.
    """
    try:
        archive = zipfile.ZipFile(path)
        infos = archive.infolist()
    except UNREADABLE as error:
        raise BundleFault(f"not a readable ZIP: {error}") from error
    if sum(info.file_size for info in infos) > min(MAX_UNPACKED, MAX_RATIO * path.stat().st_size):
        raise BundleFault("unpacked size or ratio above the limit")
    bundle = Bundle(archive.open)
    for info in infos:
        mode = info.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BundleFault(f"{info.filename}: a link or special file")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleFault(f"{info.filename}: encrypted, or another compression than deflate")
        if not info.is_dir():
            bundle.admit(info.filename, info.file_size)
    return bundle


def directory_bundle(root: Path) -> Bundle:
    """Return the bundle of a directory.

    Raises:
        BundleFault: A link, a special file, a forbidden name, or a limit.
    """
    bundle = Bundle(lambda path: (root / path).open("rb"))
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            found = Path(folder) / name
            status = found.lstat()
            inside = found.relative_to(root).as_posix()
            if stat.S_ISREG(status.st_mode):
                bundle.admit(inside, status.st_size)
            elif not stat.S_ISDIR(status.st_mode):
                raise BundleFault(f"{inside}: a link or special file")
    if sum(bundle.sizes.values()) > MAX_UNPACKED:
        raise BundleFault("unpacked size above the limit")
    return bundle


def open_bundle(path: Path) -> Bundle:
    """Return the bundle at ``path``.

    Raises:
        BundleFault: Neither a directory nor a ZIP within the limits.
    """
    return directory_bundle(path) if path.is_dir() else zip_bundle(path)
