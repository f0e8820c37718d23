"""Receipts, acknowledgements and waiting for the log (AL1 L8, TE1 T5 step 2), from the files the sequencer writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

from trading.audit import queries, store
from trading.audit.files import EarlierLog, LogProofs, earlier_logs
from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.queries import EntryRow, Position
from trading.audit.rules.chain import entry_bytes
from trading.audit.rules.note import (
    Checkpoint,
    VerifiedCheckpoint,
    parse_checkpoint_text,
    parse_note,
    verify_checkpoint,
)
from trading.audit.rules.policy import Policy, parse_policy
from trading.audit.rules.proof import ReceiptState, VerifiedReceipt, build_receipt
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import DocumentSigner, SignedDocument, sign_document
from trading.kernel import canonical
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.tiles import CHECKPOINT, WITNESSED, TileStore
from trading.storage.tokens import TokenName, TokenStore

PROMISE_MS: Final = 60_000  # the entry will be in a witnessed checkpoint within this time (AL1 L8.4)
LONGEST_WAIT_S: Final = 2.0  # what a submission waits for LOGGED (AL1 L8.1)
_POLL_S: Final = 0.01  # one look at a file's date
_NEAR: Final = 1_000  # sizes looked at one by one before all of them are listed
_SLOTS: Final = 32  # half of the 64 threads of a web process
_T = TypeVar("_T")


class LogAccess(Protocol):
    """What waiting and receipts need of a process; ``trading.audit.runtime.Runtime`` has it.

    ``log_dir`` is the directory of tiles and notes; ``witness_policy`` the text of the C2SP policy.
    """

    @property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        ...

    @property
    def log_dir(self) -> Path:
        """Return the directory of tiles and notes."""
        ...

    @property
    def origin(self) -> str:
        """Return the origin of the log."""
        ...

    @property
    def witness_policy(self) -> str:
        """Return the policy text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedReceipt:
    """A ``.tlog-proof`` file, how far the record has got, where it stands, and the tokens over its checkpoint.

    ``n`` is the index in the log of the receipt, whose first entry has the place ``base`` (``queries.Position``).
    """

    text: bytes
    state: ReceiptState
    h: bytes
    n: int
    t: int
    tokens: tuple[TokenName, ...] = ()
    base: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedNote:
    """A checkpoint with a quorum of cosignatures: its verbatim text, and the signed times in seconds.

    It covers every place below ``size``; ``base`` is the place of the first entry of its log.
    """

    note: bytes
    size: int
    t_low: int
    times: tuple[int, ...]
    base: int = 0

    @property
    def own_size(self) -> int:
        """Return what the note says: the number of entries of its own log."""
        return self.size - self.base


class LogReader:
    """The log's files as one web or worker process reads them; shared by its threads.

    ``n`` is a place (``queries.Position``). ``base`` is that of the first entry, ``before`` the reader of the closed
    log that this one continues. Tiles, tokens and proofs are of this log and count from its own entry 0.
    """

    def __init__(self, log_dir: Path, *, waiting: int = _SLOTS, earlier: Sequence[EarlierLog] | None = None) -> None:
        self.tiles = TileStore(log_dir)
        self.tokens = TokenStore(log_dir)
        self.proofs = LogProofs(self.tiles)
        self.slots = threading.BoundedSemaphore(waiting)
        self.earlier = tuple(earlier_logs(log_dir) if earlier is None else earlier)
        self.base = sum(each.size for each in self.earlier)
        last = self.earlier[-1:]
        self.before = LogReader(last[0].tiles, earlier=self.earlier[:-1]) if last else None

    def of(self, n: int) -> LogReader:
        """Return the reader of the log that holds place ``n``."""
        return self if self.before is None or n >= self.base else self.before.of(n)

    def note(self, name: str) -> tuple[bytes, Checkpoint] | None:
        """Return the newest logged (``checkpoint``) or witnessed (``witnessed``) note and what it says."""
        data = self.tiles.read(name)
        return None if data is None else (data, parse_checkpoint_text(parse_note(data).text))

    def tokens_of(self, n: int, best: tuple[bytes, Checkpoint, ReceiptState]) -> tuple[TokenName, ...]:
        """Return the time stamps over what ``best(n)`` returned: none unless it was stamped."""
        _, checkpoint, state = best
        return tuple(self.of(n).tokens.of_size(checkpoint.size)) if state is ReceiptState.STAMPED else ()

    def covering(self, n: int) -> tuple[bytes, Checkpoint, ReceiptState] | None:
        """Return the best note that contains entry ``n``: the first witnessed one, else the newest logged one, or None.

        The first, because it bounds the time best (TE1 T7), and because it stays: the newest one would tell everybody
        who may ask for the receipt of an old record how much has been logged since, and so how many bids (AL1 L6).
        """
        log = self.of(n)
        if log is not self:
            return log.covering(n)
        n -= self.base
        witnessed = self.note(WITNESSED)
        if witnessed is not None and witnessed[1].size > n:
            first = self._first_witnessed(n, witnessed[1].size)
            data, checkpoint = witnessed if first is None else (first, parse_checkpoint_text(parse_note(first).text))
            return data, checkpoint, ReceiptState.WITNESSED
        logged = self.note(CHECKPOINT)
        return (*logged, ReceiptState.LOGGED) if logged is not None and logged[1].size > n else None

    def best(self, n: int) -> tuple[bytes, Checkpoint, ReceiptState] | None:
        """Return the note that proves most about entry ``n``: the first one that was stamped, else ``covering``.

        Also the first stamped one stays. It bounds the time a little later than the first witnessed one, which the
        holder of a receipt was given before (AL1 L8.1).
        """
        log = self.of(n)
        size = log.tokens.first_after(n - log.base)
        note = None if size is None else log.tiles.first_witnessed(size)
        if note is None:
            return self.covering(n)
        return note, parse_checkpoint_text(parse_note(note).text), ReceiptState.STAMPED

    def _first_witnessed(self, n: int, newest: int) -> bytes | None:
        """Return the smallest stored note of more than ``n`` entries; nearly always a few entries further on."""
        for size in range(n + 1, min(newest, n + _NEAR) + 1):
            if (data := self.tiles.first_witnessed(size)) is not None:
                return data
        further = next((size for size, _ in self.tiles.notes() if size > n), newest)
        return self.tiles.first_witnessed(further)

    def date(self) -> int:
        """Return a number that changes whenever the newest logged checkpoint does."""
        try:
            return (self.tiles.root / CHECKPOINT).stat().st_mtime_ns
        except FileNotFoundError:
            return 0


@lru_cache(maxsize=8)
def reader(log_dir: Path) -> LogReader:
    """Return the reader of a directory; one for each process, so that its tile cache is shared."""
    return LogReader(log_dir)


@lru_cache(maxsize=8)
def known_policy(text: str) -> Policy:
    """Return the witness policy of an installation that cannot go on without one; it is parsed once.

    Raises:
        InvalidInput: ``policy.malformed``, also where none is configured.
    """
    return parse_policy(text)


def policy_of(text: str) -> Policy | None:
    """Return the witness policy of an installation; None where none is configured."""
    return known_policy(text) if text.strip() else None


def platform_ms(conn: Connection) -> int:
    """Return ``log.platform_time()`` in ms."""
    return store.platform_time(conn)


def receipt(conn: Connection, log: LogReader, h: bytes) -> IssuedReceipt | None:
    """Return the receipt of the record with commitment ``h`` (AL1 L8.2), or None while it is only acknowledged.

    Raises:
        IntegrityFailure: The stored record does not open its entry, or the entry is not where the database says.
    """
    row = queries.entry_by_h(conn, h)
    if row is None or row.position is None:
        return None
    return _issue(log, row, row.position)


def _issue(log: LogReader, row: EntryRow, position: Position) -> IssuedReceipt | None:
    found = log.best(position.n)
    if found is None:
        return None
    note, checkpoint, state = found
    own = log.of(position.n)
    n = position.n - own.base
    entry = entry_bytes(row.h, n, position.p, position.t)
    path = own.proofs.inclusion(n, checkpoint.size)
    try:
        built = build_receipt(entry, row.nonce, row.record, path, note)
    except ValueError as error:
        raise IntegrityFailure(str(error)) from error
    tokens = log.tokens_of(position.n, found)
    text = built.encode()
    return IssuedReceipt(text=text, state=state, h=row.h, n=n, t=position.t, tokens=tokens, base=own.base)


def token_beside(log: LogReader, issued: IssuedReceipt | None, file: str) -> bytes:
    """Return the time-stamp token over the checkpoint of a receipt that has this file name.

    Raises:
        NotFound: There is none.
    """
    if issued is None:
        raise NotFound(file)
    tokens = log.of(issued.base).tokens
    found = next((tokens.read(each) for each in issued.tokens if each.file == file), None)
    if found is None:
        raise NotFound(file)
    return found


def wait_logged(access: LogAccess, h: bytes, seconds: float = LONGEST_WAIT_S) -> IssuedReceipt | None:
    """Wait until ``h`` is LOGGED and return its receipt; None after ``seconds``, or at once if too many wait.

    At most half of the threads of a process wait at a time (AL1 L8.1); the others' clients poll.
    """
    log = reader(access.log_dir)
    if not log.slots.acquire(blocking=False):
        return None
    try:

        def look() -> IssuedReceipt | None:
            with access.ledger.glance() as conn:
                return receipt(conn, log, h)

        return _when_changed(log, look, min(seconds, LONGEST_WAIT_S))
    finally:
        log.slots.release()


def _when_changed(log: LogReader, look: Callable[[], _T | None], seconds: float) -> _T | None:
    """Call ``look`` now and after each change of the newest checkpoint until it returns something."""
    deadline = time.monotonic() + seconds
    while True:
        date = log.date()
        found = look()
        if found is not None:
            return found
        while log.date() == date:
            if time.monotonic() >= deadline:
                return look()
            time.sleep(_POLL_S)


def wait_witnessed(access: LogAccess, h: bytes, seconds: float, *, not_before_ms: int = 0) -> WitnessedNote | None:
    """Wait until a quorum of witnesses has cosigned ``h`` at or after an instant (TE1 T5 step 2).

    Args:
        access: Ledger, tiles and policy of this process.
        h: Commitment of the record, e.g. of ``deadline.reached``.
        seconds: The longest wait.
        not_before_ms: ``1000·T_low`` must not be earlier than this, e.g. ``close``.

    Returns:
        The witnessed checkpoint, its size and times; None after ``seconds``.
    """
    log, deadline = reader(access.log_dir), time.monotonic() + seconds
    n: int | None = None
    while True:
        if n is None:
            with access.ledger.read() as conn:
                row = queries.entry_by_h(conn, h)
            n = None if row is None or row.position is None else row.position.n
        seen = None if n is None else witnessed(access, log)
        if seen is not None and n is not None and seen.size > n and 1000 * seen.t_low >= not_before_ms:
            return seen
        if time.monotonic() >= deadline:
            return None
        time.sleep(5 * _POLL_S)


def witnessed(access: LogAccess, log: LogReader | None = None) -> WitnessedNote | None:
    """Return the newest witnessed checkpoint, its signatures verified by the policy; None before the first."""
    log = log or reader(access.log_dir)
    data = log.tiles.read(WITNESSED)
    if data is None:
        return None
    policy = known_policy(access.witness_policy)
    verified = verified_note(data, access.origin, policy)
    t_low = policy.t_low(verified.times)
    if t_low is None:
        return None
    size, times = log.base + verified.checkpoint.size, tuple(sorted(verified.times.values()))
    return WitnessedNote(note=data, size=size, t_low=t_low, times=times, base=log.base)


def verified_note(note: bytes, origin: str, policy: Policy) -> VerifiedCheckpoint:
    """Verify a stored note by the policy.

    Raises:
        InvalidInput: A signature of a known key is not valid, or the log's is missing.
    """
    return verify_checkpoint(note, origin, policy.log_keys(origin), policy.witness_keys, verify_note_signature)


def origin_of(access: LogAccess, note: bytes) -> str:
    """Return the log that a note names if it is this one or one that it continues; otherwise this one.

    Raises:
        InvalidInput: No checkpoint.
    """
    named = parse_checkpoint_text(parse_note(note).text).origin
    return named if named in {each.origin for each in reader(access.log_dir).earlier} else access.origin


def verified_of_any(access: LogAccess, note: bytes, policy: Policy) -> VerifiedCheckpoint:
    """Verify a stored note of this log or of one that it continues.

    Raises:
        InvalidInput: As ``verified_note``; also a note of another log.
    """
    return verified_note(note, origin_of(access, note), policy)


def place_of(access: LogAccess, receipt: VerifiedReceipt) -> int:
    """Return the place of the entry of a receipt of this log or of one that it continues."""
    earlier = reader(access.log_dir).earlier
    names = [*(each.origin for each in earlier), access.origin]
    index = names.index(receipt.verified.checkpoint.origin)
    return sum(each.size for each in earlier[:index]) + receipt.receipt.entry.n


def acknowledge(
    signer: DocumentSigner, *, origin: str, h: bytes, doc_sha256: str, received_at: int, code: str | None = None
) -> SignedDocument:
    """Return the signed ``mb.ack`` of a submission (AL1 L8.4): a promise, bounded by ``promise_ms``.

    Args:
        signer: The acknowledgement key (role ``ack``).
        origin: Log that will contain the entry.
        h: Commitment of the record written, ``bid.received`` or ``bid.refused``.
        doc_sha256: Hex hash of the submitted document.
        received_at: ms.
        code: The refusal code; None if it was accepted.
    """
    document = {
        "code": code,
        "decision": "accepted" if code is None else "refused",
        "doc_sha256": doc_sha256,
        "h": h.hex(),
        "origin": origin,
        "promise_ms": PROMISE_MS,
        "received_at": received_at,
        "typ": "mb.ack",
        "v": 1,
    }
    return sign_document(canonical.dumps(document), signer)


def record_access(ledger: Ledger, actor: Actor, what: str) -> Recorded:
    """Record that somebody is handed what is not public, before it leaves (security 9, F58)."""
    with ledger.begin(actor) as uow:
        return uow.record(Event(kind="admin.read", subject=f"account:{actor.account}", body={"what": what}))
