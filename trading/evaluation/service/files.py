"""Files of opened bids: decrypted once the opening is complete, inspected one by one, and only then shown (F47, S9.9).

Nothing here can stop a ceremony, which is over, nor an evaluation: a file that is hostile, hangs or breaks its
inspector is kept away from readers, and all others are there. What is kept away stays in the sealed part, for auditors.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.errands import Postponed
from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.runtime import Runtime
from trading.bids import queries as bids
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.rules.manifest import read_main
from trading.crypto.envelope import decrypt_part_file
from trading.documents import queries as documents
from trading.evaluation import queries, store
from trading.evaluation.queries import OpenedFile
from trading.evaluation.service.pages import DRAW, is_drawn
from trading.inspection.findings import Found, Inspection, Verdict
from trading.inspection.sandbox import inspect
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, NotFound
from trading.kernel.ids import is_practice
from trading.kernel.roles import Actor
from trading.openings.model import Place, bid_event
from trading.openings.rules.transcripts import parse_transcript
from trading.openings.rules.verdicts import Code
from trading.storage.objects import ObjectStore

INSPECT: Final = "evaluation.inspect"
RETRY_MS: Final = 60_000
MOST_TEXT: Final = 4 * 1024 * 1024  # characters kept of the files of one bid: a bid can have thousands of them
_PART: Final = "main"
_IN_CLEAR: Final = "opened-"
_ACTOR: Final = Actor.system("worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A bid whose part ``main`` opens: its envelope, and the identity of the part."""

    envelope: Envelope
    identity: str
    place: Place


def wake(runtime: Runtime, uow: UnitOfWork, entry: EntryRow) -> None:
    """Make an errand for each bid that a completed opening opened (subscription to ``opening.completed``)."""
    record = loads_object(entry.record)
    if runtime.opened is None or is_practice(record["procedure"]):
        return  # nobody evaluates a practice tender, so nobody is to read its files in clear (ADR 0061)
    for bid in _identities(uow.connection, record["body"]["transcript_sha256s"]):
        uow.wake(INSPECT, {"bid": bid, "entry": entry.id}, uow.at)


def _identities(conn: Connection, transcripts: list[str]) -> dict[str, str]:
    """Return the identities of the parts ``main`` by bid, from the transcript that has them."""
    found = {}
    for digest in transcripts:
        stored = documents.get(conn, bytes.fromhex(digest))
        if stored is None:
            raise IntegrityFailure(f"transcript {digest} is missing")
        for item in parse_transcript(stored.doc).items:
            if item.identity_main is not None and item.verdict is Code.OK:
                found[item.bid] = item.identity_main
    return found


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Inspect the files of one bid, unless they are; the errand ``evaluation.inspect``."""
    target, bid = runtime.opened, str(arg["bid"])
    with runtime.ledger.read() as conn:
        now = runtime.ledger.platform_time(conn)
        if target is None or queries.files_of(conn, bid) is not None:
            return None
        opened = _opened(conn, bid, int(arg["entry"]))
    if opened is None:
        return None
    try:
        with opening(runtime.spool or Path(gettempdir())) as folder:
            files = tuple(with_texts(_inspected(runtime, target, opened, folder)))
    except (NotFound, IntegrityFailure, OSError) as error:
        raise Postponed(now + RETRY_MS, "a sealed part cannot be read, or an opened file not be stored") from error
    with suppress(Conflict), runtime.ledger.begin(_ACTOR) as uow:  # another run was faster
        store.add_files(uow, bid, files)
        if any(map(is_drawn, files)):
            uow.wake(DRAW, {"bid": bid}, uow.at)
        uow.record(bid_event("bid.inspected", opened.place, bid, _told(bid, files)))
    return None


@contextmanager
def opening(spool: Path) -> Iterator[Path]:
    """Yield a folder for one bid in clear, held while it is in use; remove what inspections that died have left."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in spool.glob(f"{_IN_CLEAR}*"):
        with suppress(FileNotFoundError, BlockingIOError), _held(left):
            rmtree(left)
    with TemporaryDirectory(prefix=_IN_CLEAR, dir=spool) as name, _held(Path(name)):
        yield Path(name)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder; the lock goes with the process that has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _opened(conn: Connection, bid: str, entry_id: int) -> _Opened | None:
    target, entry = bids.target(conn, bid), queries.completed_opening(conn, entry_id)
    version = None if target is None else bids.version_by_digest(conn, target.head.head_sha256 or "")
    identity = _identities(conn, entry["body"]["transcript_sha256s"]).get(bid)
    if target is None or version is None or identity is None:
        raise IntegrityFailure(f"{bid} was opened and is not there")
    envelope, head = parse_envelope(version.doc), target.head
    if all(part.name != _PART for part in envelope.parts):
        return None
    place = Place(procedure=head.procedure, procedure_id=head.procedure_id, lot=head.lot, stage=head.stage)
    return _Opened(envelope=envelope, identity=identity, place=place)


def _inspected(runtime: Runtime, target: ObjectStore, opened: _Opened, folder: Path) -> Iterator[OpenedFile]:
    """Yield every file of the part, stored if it may be shown; a part that does not open is told as one file."""
    part = next(each for each in opened.envelope.parts if each.name == _PART)
    sealed, plain = folder / "sealed", folder / "plain"
    with sealed.open("xb") as file:
        file.writelines(runtime.objects.chunks(part.sha256))
    kept: list[tuple[str, Path]] = []

    def keep(path: str, chunks: Iterator[bytes]) -> None:
        place = folder / f"file-{len(kept)}"  # never a name that the bid chose
        with place.open("xb") as file:
            file.writelines(chunks)
        kept.append((path, place))

    try:
        decrypt_part_file(opened.identity, sealed, plain)
        with plain.open("rb") as archive:
            read_main(archive, opened.envelope.context, keep)
    except InvalidInput:
        yield _file(_PART, part.sha256, part.size, Inspection(kind="unknown", findings=(Found.FAILED,)))
        return
    finally:
        sealed.unlink()
        plain.unlink(missing_ok=True)
    if not kept:  # the list of files is told even if nothing is on it
        yield _file(_PART, part.sha256, part.size, Inspection(kind="empty", findings=(Found.EMPTY,)))
    for path, place in kept:
        yield _look(target, path, place)
        place.unlink()


def with_texts(files: Iterator[OpenedFile], most: int = MOST_TEXT) -> Iterator[OpenedFile]:
    """Yield the files with their texts as long as these have ``most`` characters together; the rest can be saved."""
    left = most
    for each in files:
        kept = each if len(each.preview) <= left else replace(each, preview="")
        left -= len(kept.preview)
        yield kept


def _look(target: ObjectStore, path: str, place: Path) -> OpenedFile:
    with place.open("rb") as file:
        found = inspect(file, path)
        file.seek(0)
        if found.verdict is Verdict.QUARANTINED:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), place.stat().st_size
        else:
            digest, size = target.put_stream(file)
    return _file(path, digest, size, found)


def _file(path: str, sha256: str, size: int, found: Inspection) -> OpenedFile:
    return OpenedFile(
        path=path, sha256=sha256, size=size, kind=found.kind, findings=found.findings, preview=found.preview
    )


def _told(bid: str, files: Sequence[OpenedFile]) -> dict[str, Any]:
    """Return the body of ``bid.inspected``; the list itself would disclose names of files."""
    rows = [{"findings": list(each.findings), "path": each.path, "sha256": each.sha256} for each in files]
    verdicts = [each.verdict for each in files]
    return {
        "bid": bid,
        "list_sha256": sha256_hex(dumps(sorted(rows, key=lambda row: str(row["path"])))),
        **{verdict.value: verdicts.count(verdict) for verdict in Verdict},
    }
