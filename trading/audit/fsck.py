"""``mingbiao fsck``: does everything that is stored about the log still fit together? (AL1 L11.1).

Write-ahead log ↔ chain ↔ bundles ↔ tiles ↔ root ↔ head ↔ checkpoints, positions ↔ entries, records ↔ commitments. It
reads only, beside a running sequencer: everything is compared up to the head that it saw first. The closed logs that
this one continues are compared up to their final checkpoints, from the bundles that are served (L13).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from typing_extensions import override

from trading.audit import queries, service
from trading.audit.files import EarlierLog, bundled_entries, earlier_logs
from trading.audit.mirrored import MirrorCheck
from trading.audit.model import OVERDUE_MS, ClosedLog, Report
from trading.audit.queries import LoggedRecord
from trading.audit.rules.chain import entry_bytes, genesis, parse_entry, record_commitment
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.policy import Policy
from trading.audit.rules.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    GrowingTree,
    Tile,
    bundle_bytes,
    file_reader,
    parse_bundle,
    parse_tile_path,
)
from trading.audit.rules.tree import HASH_BYTES, leaf_hash
from trading.audit.tokens import check_tokens
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.head import HeadStore
from trading.storage.tiles import CHECKPOINT, EARLIER, WITNESSED, TileStore
from trading.storage.wal import read_frames

if TYPE_CHECKING:  # as in mirrored
    from trading.storage.bucket import Bucket

MAX_SIZE: Final = 2**63 - 1  # of a log
_ROWS: Final = 1_000
_PATIENCE_S: Final = 5.0


class Fsck:
    """One run over one log."""

    def __init__(
        self,
        conn: Connection,
        log_dir: Path,
        origin: str,
        policy: Policy,
        roots: Mapping[str, Sequence[bytes]],
        *,
        bucket: Bucket | None = None,
    ) -> None:
        """``roots`` are the certificates (DER) of the time-stamping authorities in the trust file, by name.

        ``bucket`` holds a copy of the public head, if there is one.
        """
        self._mirror = MirrorCheck(bucket, origin, policy.log_keys(origin))
        self._conn = conn
        self._roots = roots
        self._directory = log_dir
        self._tiles = TileStore(log_dir / "tiles")
        self._origin = origin
        self._policy = policy
        self._report = Report()
        self._tree = GrowingTree()
        self._partial: dict[int | None, tuple[Tile, bytes]] = {}
        self._earlier = earlier_logs(log_dir / "tiles")
        self._base = sum(each.size for each in self._earlier)  # place of the first entry

    def run(self) -> Report:
        """Compare everything and return the report."""
        closed = next((each for each in queries.closed_logs(self._conn) if each.origin == self._origin), None)
        if closed is not None:
            return self._run_closed(closed)
        self._mirror.open()  # before the head is read: it shows no more than that
        try:
            head = HeadStore(self._directory / "head").read()
        except IntegrityFailure as error:
            self._report.fault("head", "head.json", str(error))
            return self._report
        self._report.size = 0 if head is None else head.size
        if head is not None and head.origin != self._origin:
            self._report.fault("head", "head.json", f"the head is of {head.origin}, not of {self._origin}")
        notes = self._notes()
        self._walk(notes)
        if head is not None and (self._tree.size != head.size or self._tree.root() != head.root):
            self._report.fault(
                "head", "head.json", f"the write-ahead log leads to size {self._tree.size} and another root"
            )
        self._partial_tiles()
        self._check_mirror()
        self._check_tokens()
        self._positions()
        self._earlier_logs()
        self._overdue()
        self._queue()
        return self._report

    def _run_closed(self, log: ClosedLog) -> Report:
        """Compare a log that is closed and not continued yet: no green light, for entries wait for the next one."""
        files = EarlierLog(origin=log.origin, size=log.size, tiles=self._directory / "tiles")
        check = EarlierCheck(self._conn, files, self._policy, self._roots, log, self._earlier)
        self._report = check.run()
        self._earlier_logs()
        self._report.skip("continued", log.origin, "the log is closed; what is recorded since waits for the next one")
        return self._report

    def _earlier_logs(self) -> None:
        """Compare the closed logs that this one continues, and the record that leads from each to the next."""
        closed = queries.closed_logs(self._conn)
        told = [(each.origin, each.size) for each in self._earlier]
        if [(each.origin, each.size) for each in closed if each.origin != self._origin] != told:
            self._report.fault("continued", EARLIER, "other closed logs than the database knows")
            return
        for number, (log, files) in enumerate(zip(closed, self._earlier, strict=False)):
            check = EarlierCheck(self._conn, files, self._policy, self._roots, log, self._earlier[:number])
            self._report.take(check.run(), log.origin)
            self._report.count("closed logs")
            self._compare_continuation(log)

    def _compare_continuation(self, log: ClosedLog) -> None:
        if log.end >= queries.size(self._conn):
            self._report.skip("continued", log.origin, "the log after it has no entry yet")
            return
        first = queries.logged_records(self._conn, log.end, log.end + 1)
        body = first[0].data["body"] if first and first[0].kind == "log.continued" else {}
        if (body.get("old_origin"), body.get("old_checkpoint")) != (log.origin, log.checkpoint.decode()):
            self._report.fault("continued", f"place {log.end}", f"does not continue {log.origin} where it was closed")

    def _check_mirror(self) -> None:
        """Compare what is left of the copy of the public head; tell what was found."""
        mirror = self._mirror
        mirror.end(self._tree.size, file_reader(self._tiles.read, wider=self._tiles.read_wider))
        if mirror.compared:
            self._report.count("mirrored", mirror.compared)
        for place, detail in mirror.faults:
            self._report.fault("mirror", place, detail)
        if mirror.away:
            self._report.skip("mirror", mirror.away, "the rest of the mirror was not compared")

    def _entries(self) -> Iterator[bytes]:
        """Yield the entries of the write-ahead log up to the head."""
        n = 0
        for frame in read_frames(self._directory / "wal"):
            if n >= self._report.size:
                return
            if frame.first != n:
                raise IntegrityFailure(f"{frame.segment.name}: a frame begins at {frame.first} instead of {n}")
            yield from parse_bundle(frame.payload, frame.count)
            n += frame.count
        if n < self._report.size:
            raise IntegrityFailure(f"the write-ahead log ends at {n}, the head stands at {self._report.size}")

    def _walk(self, notes: dict[int, bytes]) -> None:
        """Follow the chain entry by entry; compare full tiles and bundles, and the root of every note's size."""
        previous, t, n = genesis(self._origin), 0, 0
        self._note_root(notes, 0)
        try:
            for data in self._entries():
                entry = parse_entry(data)
                if (entry.n, entry.p) != (n, previous) or entry.t < t:
                    self._report.fault(
                        "chain", f"entry {n}", "index, link or clock does not follow from the entry before"
                    )
                previous, t, n = leaf_hash(data), entry.t, n + 1
                self._tree.extend([data])
                self._note_root(notes, n)
                if n % TILE_WIDTH == 0 or n == self._mirror.size:
                    self._take_tiles()
        except (InvalidInput, IntegrityFailure) as error:
            self._report.fault("wal", f"entry {n}", str(error))
        self._report.count("entries", n)

    def _take_tiles(self) -> None:
        """Compare the tiles that have become full; remember the newest partial one of each level."""
        for path, data in self._tree.take_files():
            tile = parse_tile_path(path)
            if tile.width == TILE_WIDTH:
                self._compare_tile(path, data, self._tiles.read(path))
                self._mirror.take(tile, data)
            else:
                self._partial[tile.level] = (tile, data)
        if self._tree.size == self._mirror.size:
            self._mirror.stand(self._tree.root(), self._standing())

    def _partial_tiles(self) -> None:
        """Compare what is not full at the head; a tile that has become full since begins with it."""
        self._take_tiles()
        for tile, data in self._standing():
            stored = self._tiles.read(tile.path)
            if stored is None:
                stored = (self._tiles.read(Tile(tile.level, tile.index).path) or b"")[: len(data)]
            self._compare_tile(tile.path, data, stored)
            for width in self._tiles.widths(Tile(tile.level, tile.index).path):
                if width < tile.width:  # kept for readers of smaller checkpoints
                    narrower = Tile(tile.level, tile.index, width).path
                    stored = self._tiles.read(narrower)
                    if stored is not None:  # otherwise the tile has become full since, and partial ones were dropped
                        self._compare_tile(narrower, _beginning(tile, data, width), stored)

    def _standing(self) -> Iterator[tuple[Tile, bytes]]:
        """Yield what is not full at this size; a tile that has become full was compared then."""
        for tile, data in self._partial.values():
            if (tile.index, tile.width) == divmod(self._tree.size >> TILE_HEIGHT * (tile.level or 0), TILE_WIDTH):
                yield tile, data

    def _compare_tile(self, path: str, data: bytes, stored: bytes | None) -> None:
        self._report.count("tiles")
        if stored != data:
            self._report.fault("tile", path, "missing" if not stored else "not what the entries hash to")

    def _notes(self) -> dict[int, bytes]:
        """Verify every note that was kept; return the root that is claimed for each size."""
        roots: dict[int, bytes] = {}
        for named, path in ((None, CHECKPOINT), (None, WITNESSED), *self._tiles.notes()):
            data = self._tiles.read(path)
            if data is None:
                if self._report.size:
                    self._report.skip("note", path, "there is none")
                continue
            self._report.count("notes")
            try:
                verified = service.verified_note(data, self._origin, self._policy)
            except InvalidInput as error:
                self._report.fault("note", path, str(error))
                continue
            if path != CHECKPOINT and not self._policy.is_met(verified.times.keys()):
                self._report.fault("note", path, "kept as witnessed, but without a quorum")
            found = verified.checkpoint
            if named not in {None, found.size}:
                self._report.fault("note", path, f"holds a note of size {found.size}")
            if found.size > self._head_size():
                self._report.fault("note", path, f"signed for size {found.size}, which the head has not reached")
            if roots.setdefault(found.size, found.root) != found.root:
                self._report.fault("note", path, f"another root for size {found.size}: two histories were signed")
        return roots

    def _head_size(self) -> int:
        head = HeadStore(self._directory / "head").read()
        return 0 if head is None else head.size

    def _note_root(self, notes: dict[int, bytes], size: int) -> None:
        if size in notes and notes[size] != self._tree.root():
            self._report.fault("note", f"size {size}", "the signed root is not that of the entries")

    def _check_tokens(self) -> None:
        check_tokens(self._conn, self._tiles, self._roots, self._report)

    def _positions(self) -> None:
        """Compare positions with entries, and every record with its commitment."""
        self._wait_for_positions()
        # An unreadable write-ahead log is a fault already; records are still compared with their commitments.
        entries = None if any(each.check == "wal" for each in self._report.findings) else self._entries()
        n = 0
        while n < self._report.size:
            end = min(n + _ROWS, self._report.size)
            rows = queries.logged_records(self._conn, self._base + n, self._base + end)
            if not rows:
                break
            for row in rows:
                at = row.n - self._base
                for missing in range(n, at):
                    self._report.fault("position", f"entry {missing}", "the database has no position")
                self._compare_row(row, at, None if entries is None else next(islice(entries, at - n, None), b""))
                n = at + 1
        self._report.count("positions", n)
        if n < self._report.size:
            age = service.platform_ms(self._conn) - self._logged_at(n)
            self._report.late(age, "position", f"entry {n}", "the database has no position from here on")
        if queries.size(self._conn) < self._base + n:
            self._report.fault("position", f"entry {n}", "a position is missing")

    def _logged_at(self, n: int) -> int:
        """Return the clock of entry ``n``, ms; of none that can be read 0: long ago."""
        try:
            return next((parse_entry(data).t for data in islice(self._entries(), n, None)), 0)
        except (InvalidInput, IntegrityFailure):
            return 0

    def _compare_row(self, row: LoggedRecord, n: int, entry: bytes | None) -> None:
        """Compare a position and its record with entry ``n`` of the log; None if that cannot be read."""
        if entry is not None and entry != entry_bytes(row.h, n, row.p, row.t):
            self._report.fault("position", f"entry {n}", "the database's position is not the entry of the log")
        if record_commitment(row.nonce, row.record) != row.h:
            self._report.fault("record", f"entry {n}", "the record does not hash to its commitment")

    def _wait_for_positions(self) -> None:
        """Positions follow the head by a few milliseconds (AL1 L5.1 B7, B9)."""
        deadline = time.monotonic() + _PATIENCE_S
        while queries.size(self._conn) < self._base + self._report.size and time.monotonic() < deadline:
            time.sleep(0.05)

    def _overdue(self) -> None:
        now = service.platform_ms(self._conn)
        for entry_id, record in queries.unlogged(self._conn):
            at = loads_object(record).get("at")
            if not isinstance(at, int) or now - at > OVERDUE_MS:
                self._report.fault("overdue", f"audit_entry {entry_id}", "older than 60 s and not in the log")

    def _queue(self) -> None:
        for entry_id in queries.queue_faults(self._conn):
            self._report.fault(
                "queue", f"audit_entry {entry_id}", "queued although logged, or neither queued nor logged"
            )


class EarlierCheck(Fsck):
    """One run over a closed log, up to its final checkpoint: nothing behind that is part of it any more."""

    def __init__(
        self,
        conn: Connection,
        files: EarlierLog,
        policy: Policy,
        roots: Mapping[str, Sequence[bytes]],
        log: ClosedLog,
        before: Sequence[EarlierLog],
    ) -> None:
        super().__init__(conn, files.tiles.parent, files.origin, policy, roots)
        self._earlier = tuple(before)
        self._tiles = TileStore(files.tiles)
        self._base = sum(each.size for each in before)
        self._log = log

    @override
    def run(self) -> Report:
        """Compare everything up to the final checkpoint and return the report."""
        if self._tiles.read(CHECKPOINT) is None:
            self._report.skip("note", CHECKPOINT, "the files of this closed log are not there")
            return self._report
        self._report.size = self._log.size
        notes = self._notes()
        try:
            final = parse_checkpoint_text(parse_note(self._log.checkpoint).text)
            notes[final.size] = final.root
        except InvalidInput as error:
            self._report.fault("continued", self._log.origin, f"its final checkpoint: {error}")
        self._walk(notes)
        self._partial_tiles()
        self._check_tokens()
        self._positions()
        return self._report

    @override
    def _partial_tiles(self) -> None:
        """Compare what is not full at the final checkpoint; the log may have gone on a little further."""
        self._take_tiles()
        for tile, data in self._standing():
            whole = Tile(tile.level, tile.index).path
            stored = self._tiles.read(tile.path) or self._tiles.read_wider(whole, tile.width) or self._tiles.read(whole)
            self._compare_tile(tile.path, data, (stored or b"")[: len(data)])

    @override
    def _head_size(self) -> int:
        return MAX_SIZE  # what was signed behind the final checkpoint was dropped, and its entries were logged again

    @override
    def _entries(self) -> Iterator[bytes]:
        yield from bundled_entries(self._tiles, self._log.size)


def _beginning(tile: Tile, data: bytes, width: int) -> bytes:
    """Return the bytes of the tile with the first ``width`` hashes or entries of ``tile``."""
    return bundle_bytes(parse_bundle(data)[:width]) if tile.level is None else data[: width * HASH_BYTES]
