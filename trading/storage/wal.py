"""Write-ahead log of the sequencer: frames appended to segments, synced before anything is signed (AL1 L5.1 B4, B5).

Frame: ``"MBWL" ‖ u32(count) ‖ u64(first n) ‖ u32(len payload) ‖ payload ‖ SHA-256 of all preceding bytes``.
Segments are ``<first n, 16 digits>.wal`` and are closed at 64 MiB. The payload is opaque here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading.kernel.errors import Conflict, IntegrityFailure
from trading.storage.durable import make_directory, sync_directory

SEGMENT_BYTES: Final = 64 * 1024 * 1024
_HEADER: Final = struct.Struct(">4sIQI")
_MAGIC: Final = b"MBWL"
_DIGEST: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One batch as it lies on disk: ``count`` entries from index ``first``; where it begins and ends in its segment."""

    first: int
    count: int
    payload: bytes
    segment: Path
    start: int
    end: int


def encode_frame(first: int, count: int, payload: bytes) -> bytes:
    """Return the bytes of a frame."""
    body = _HEADER.pack(_MAGIC, count, first, len(payload)) + payload
    return body + hashlib.sha256(body).digest()


def _read_frame(descriptor: int, start: int, segment: Path) -> Frame | None:
    """Return the frame at ``start``, or None where no whole frame lies."""
    header = os.pread(descriptor, _HEADER.size, start)
    if len(header) < _HEADER.size:
        return None
    magic, count, first, length = _HEADER.unpack(header)
    if magic != _MAGIC or length > SEGMENT_BYTES:
        return None
    rest = os.pread(descriptor, length + _DIGEST, start + _HEADER.size)
    payload, digest = rest[:length], rest[length:]
    if hashlib.sha256(header + payload).digest() != digest:
        return None
    end = start + _HEADER.size + length + _DIGEST
    return Frame(first=first, count=count, payload=payload, segment=segment, start=start, end=end)


class WriteAheadLog:
    """The segments of one directory, held by one process through ``flock``."""

    def __init__(self, directory: Path) -> None:
        """Take the directory.

        Raises:
            Conflict: Another sequencer holds it.
        """
        make_directory(directory)
        self.directory = directory
        self._lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Conflict(f"another sequencer writes to {directory}") from error
        self._write: int | None = None
        self._read = -1
        self._segment = directory
        self._end = 0

    def close(self) -> None:
        """Release the directory."""
        self._leave_segment()
        os.close(self._lock)

    def append(self, first: int, count: int, payload: bytes) -> Frame:
        """Append a frame and wait until it is on disk (B4)."""
        if self._write is None or self._end >= SEGMENT_BYTES:
            self._open_segment(self.directory / f"{first:016d}.wal", 0)
        assert self._write is not None  # noqa: S101 - for the type checker: the segment was opened above
        data, start = encode_frame(first, count, payload), self._end
        _write_durably(self._write, data, start)
        self._end += len(data)
        return Frame(
            first=first, count=count, payload=payload, segment=self._segment, start=start, end=start + len(data)
        )

    def write_again(self, frame: Frame) -> None:
        """Write a frame that another process has left at the end once more, and wait until it is on disk (L5.2).

        That process may have died before its sync or because it failed. The bytes can be read all the same, and the
        next sync would succeed without them: what the kernel could not write it reports once and drops (F07).
        """
        descriptor = os.open(frame.segment, os.O_WRONLY)
        try:
            _write_durably(descriptor, encode_frame(frame.first, frame.count, frame.payload), frame.start)
        finally:
            os.close(descriptor)

    def read_back(self, frame: Frame) -> Frame:
        """Read a frame through another descriptor than the one that wrote it (B5).

        Raises:
            IntegrityFailure: No whole frame lies where one was written.
        """
        if frame.segment == self._segment:
            stored = _read_frame(self._read, frame.start, frame.segment)
        else:
            stored = next((each for each in _frames_of(frame.segment, is_last=True) if each.start == frame.start), None)
        if stored is None:
            raise IntegrityFailure(f"{frame.segment}: the frame at {frame.start} is not what was written")
        return stored

    def frames(self, n: int = 0) -> Iterator[Frame]:
        """Yield the whole frames that hold entries from index ``n`` on; stop at the first torn one.

        Raises:
            IntegrityFailure: A torn frame that is not at the end of the newest segment, or a gap between frames.
        """
        segments = self._segments_from(n)
        expected: int | None = None
        for segment in segments:
            for frame in _frames_of(segment, is_last=segment == segments[-1]):
                if expected is not None and frame.first != expected:
                    raise IntegrityFailure(f"{segment}: a frame begins at {frame.first} instead of {expected}")
                expected = frame.first + frame.count
                if expected > n:
                    yield frame

    def cut(self, after: Frame | None) -> None:
        """Cut off everything behind ``after``, or everything (None), and continue there."""
        for segment in self._segments_from(0):
            if after is None or int(segment.stem) > after.first:
                segment.unlink()
                sync_directory(self.directory)
        if after is not None:
            self._open_segment(after.segment, after.end)

    def _segments_from(self, n: int) -> list[Path]:
        segments = sorted(self.directory.glob("*.wal"))
        while len(segments) > 1 and int(segments[1].stem) <= n:
            segments.pop(0)
        return segments

    def _open_segment(self, path: Path, end: int) -> None:
        self._leave_segment()
        is_new = not path.exists()
        self._write = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        if os.fstat(self._write).st_size != end:
            os.ftruncate(self._write, end)
            os.fsync(self._write)
        self._read = os.open(path, os.O_RDONLY)
        self._segment, self._end = path, end
        if is_new:
            sync_directory(self.directory)

    def _leave_segment(self) -> None:
        if self._write is not None:
            os.close(self._write)
            os.close(self._read)
            self._write = None


def _write_durably(descriptor: int, data: bytes, start: int) -> None:
    written = os.pwrite(descriptor, data, start)
    if written != len(data):
        raise OSError(f"the disk took {written} of {len(data)} bytes")
    os.fdatasync(descriptor)


def _frames_of(segment: Path, *, is_last: bool) -> Iterator[Frame]:
    descriptor = os.open(segment, os.O_RDONLY)
    try:
        size, start = os.fstat(descriptor).st_size, 0
        while start < size:
            frame = _read_frame(descriptor, start, segment)
            if frame is None:
                if not is_last:
                    raise IntegrityFailure(f"{segment}: damaged at byte {start}")
                return
            yield frame
            start = frame.end
    finally:
        os.close(descriptor)


def read_frames(directory: Path) -> Iterator[Frame]:
    """Yield every whole frame without taking the directory; for checks beside a running sequencer.

    Raises:
        IntegrityFailure: A damaged frame that is not at the end of the newest segment.
    """
    segments = sorted(directory.glob("*.wal"))
    for segment in segments:
        yield from _frames_of(segment, is_last=segment == segments[-1])
