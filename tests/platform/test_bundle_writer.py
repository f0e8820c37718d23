"""Bundles are written as their parts are read: a sealed part can be larger than the memory of whoever packs it."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from trading.disclosure.service import BundleWriter
from trading.kernel.canonical import loads_object
from trading.storage.objects import CHUNK

_CHUNK = bytes(CHUNK)
_MANY = 40


def test_a_part_passes_through_in_pieces(tmp_path: Path) -> None:
    digest = sha256(_CHUNK * _MANY).hexdigest()

    def chunks() -> Iterator[bytes]:
        for _ in range(_MANY):
            yield bytes(bytearray(CHUNK))  # each is a new one

    writer, path = BundleWriter(tmp_path / "bundle.zip"), f"parts/{digest}.age"
    tracemalloc.start()
    writer.add_sealed(path, digest, _MANY * CHUNK, chunks())
    writer.add_sealed(path, digest, _MANY * CHUNK, iter(()))  # once is enough
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    writer.finish({})
    assert peak < 8 * CHUNK
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert bundle.testzip() is None
        assert sha256(bundle.read(path)).hexdigest() == digest
        assert bundle.getinfo(path).compress_type == zipfile.ZIP_STORED
        (row,) = loads_object(bundle.read("bundle.json"))["files"]
    assert row == {"path": path, "sha256": digest, "size": _MANY * CHUNK}
