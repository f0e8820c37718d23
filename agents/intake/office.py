"""The intake itself: takes envelopes until their deadline, and tells afterwards what it took (SB1 S7.6)."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from agents.intake.log import IntakeLog
from agents.intake.requests import HandOver, Question, read_hand_over, read_question
from agents.intake.state import IntakeState, Row
from trading.audit.rules.chain import NONCE_BYTES, record_commitment
from trading.bids.rules.closing import INTAKE_LIST
from trading.bids.rules.intake import Handed, Obtained
from trading.bids.rules.schedule import Intake
from trading.bids.rules.trust import TrustFile
from trading.crypto.envelope import require_part_shape
from trading.crypto.signatures import DocumentSigner, SignedDocument, sig_sha256, sign_document
from trading.kernel import canonical
from trading.kernel.clock import Clock
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.storage.objects import ObjectStore
from trading.storage.streams import expecting

WITNESSED_S: Final = 2.0  # how long an answer waits for the witnesses (AL1 L8)
_DRAINED_S: Final = 10.0  # how long a list waits for what is being received


class PartsMissing(RuleBroken):
    """Some parts of an envelope are neither here nor said to be at the platform; they may be sent now."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("bid.part_missing", "SB1 S7.2", missing=names)
        self.names = names


@dataclass(slots=True)
class _InFlight:
    """Instants of receipt of what is on its way into the log: a list waits for those before its deadline."""

    _instants: list[int] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def captured(self, clock: Clock) -> Iterator[int]:
        with self._changed:
            at = clock.now_ms()
            self._instants.append(at)
        try:
            yield at
        finally:
            with self._changed:
                self._instants.remove(at)
                self._changed.notify_all()

    def wait_for(self, close: int) -> bool:
        """Wait until nothing from before ``close`` is on its way."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(at < close for at in self._instants), _DRAINED_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One intake. ``signer`` is its document key in the role supervisor, which signs lists and nothing else."""

    own: Intake
    trust: TrustFile
    signer: DocumentSigner
    state: IntakeState
    log: IntakeLog
    parts: ObjectStore
    clock: Clock
    witnessed_s: float = WITNESSED_S
    _flight: _InFlight = field(default_factory=_InFlight)
    _order: threading.Lock = field(default_factory=threading.Lock)

    def take(self, raw: bytes, last_byte: float) -> tuple[dict[str, Any], bool]:
        """Receive an envelope; return the answer, and whether it had been received before.

        Args:
            raw: The request.
            last_byte: Monotonic instant (s) at which it was complete (TE1 T4.1).

        Raises:
            InvalidInput, RuleBroken: It is refused; ``bid.late``: its deadline has passed.
            PartsMissing: Some parts have to be sent first.
        """
        asked = read_hand_over(raw, self.trust, self.own)
        if asked.package.schedule_signed:
            self.state.know_deadline(asked.package.policy.sha256, asked.package.schedule.close)
        known = self.state.find(asked.signed.sha256)
        if known is not None:
            return self._answer(known, waits=True), True
        self._require_parts(asked)
        with self._flight.captured(self.clock) as received_at:
            if received_at >= asked.package.schedule.close:
                raise RuleBroken("bid.late", "SUB-01", close=asked.package.schedule.close, received_at=received_at)
            queue_ms = max(0, round((time.monotonic() - last_byte) * 1000))
            row, is_new = self._enter(asked, received_at, queue_ms)
        return self._answer(row, waits=True), not is_new

    def _enter(self, asked: HandOver, received_at: int, queue_ms: int) -> tuple[Row, bool]:
        """Log an envelope unless the same was logged at the same time; return its row."""
        with self._order:
            known = self.state.find(asked.signed.sha256)
            if known is not None:
                return known, False
            row = _row_of(asked, received_at, queue_ms)
            self.log.append(row)
        placed = self.state.find(row.sha256)
        if placed is None:
            raise NotFound("envelope")
        return placed, True

    def _require_parts(self, asked: HandOver) -> None:
        missing = [part for part in asked.envelope.parts if part.name not in asked.held]
        missing = [part for part in missing if self.parts.stat(part.sha256) is None]
        if missing:
            self.state.announce((part.sha256, part.size) for part in missing)
            raise PartsMissing([part.name for part in missing])
        price_bytes = asked.package.policy.price_bytes
        for part in asked.envelope.parts:
            size = self.parts.stat(part.sha256)
            if part.name in asked.held and size is None:
                continue
            if size != part.size:
                raise RuleBroken("bid.part_mismatch", "SB1 S7.2", part=part.name)
            head = next(self.parts.chunks(part.sha256), b"")
            require_part_shape(head, part.size, price_bytes if part.name == "price" else None)

    def store(self, sha256: str, length: int, source: BinaryIO) -> None:
        """Store a part that a signed envelope names.

        Raises:
            NotFound: No envelope that was shown here names it.
            InvalidInput: ``bid.part_mismatch``: it has another size or other bytes.
        """
        size = self.state.announced(sha256)
        if size is None:
            raise NotFound("part")
        if size != length:
            raise InvalidInput("bid.part_mismatch", f"{length} bytes instead of {size}")
        self.parts.put_stream(expecting(source, sha256), limit=size)

    def receipt(self, sha256: str) -> dict[str, Any]:
        """Return the best receipt of an envelope.

        Raises:
            NotFound: It was not received.
        """
        row = self.state.find(sha256)
        if row is None:
            raise NotFound("envelope")
        return self._answer(row)

    def _answer(self, row: Row, *, waits: bool = False) -> dict[str, Any]:
        if row.n is not None and waits:
            self.log.wait_witnessed(row.n, self.witnessed_s)
        receipt, state = self.log.receipt(row)
        told = {"envelope_sha256": row.sha256, "h": row.h.hex(), "n": row.n, "received_at": row.received_at}
        return {**told, "receipt": receipt.decode(), "state": state.value}

    def list_of(self, policy_sha256: str, raw: bytes) -> Mapping[str, Any]:
        """Return the signed list of a lot with every envelope on it, once its deadline has passed.

        Raises:
            InvalidInput: The question is malformed or of another intake.
            RuleBroken: ``intake.not_over``: by this clock, or by a schedule that the agency signed, bids are still due.
        """
        asked = read_question(raw, policy_sha256, self.trust, self.own)
        close, now = asked.schedule.close, self.clock.now_ms()
        if now < close or self.state.deadline(policy_sha256) > close:
            raise RuleBroken("intake.not_over", "SB1 S7.6", close=close)
        if not self._flight.wait_for(close):
            raise RuleBroken("intake.not_over", "SB1 S7.6", close=close)
        rows = self.state.of_policy(policy_sha256, close)
        last = max((row.n for row in rows if row.n is not None), default=None)
        if last is not None:
            self.log.wait_witnessed(last, self.witnessed_s)
        return self._signed(asked, rows, now).wire()

    def _signed(self, asked: Question, rows: list[Row], now: int) -> Obtained:
        fields = {"created": now, "envelopes": [row.sha256 for row in rows], "lot": asked.lot, "stage": asked.stage}
        raw = INTAKE_LIST.write({**fields, "policy_sha256": asked.policy_sha256})
        handed = [Handed(signed=SignedDocument.from_wire(row.envelope), proof=self.log.receipt(row)[0]) for row in rows]
        signed = sign_document(raw, self.signer)
        return Obtained.of(signed, tuple(handed))

    def close(self) -> None:
        """End."""
        self.log.close()
        self.state.close()


def _row_of(asked: HandOver, received_at: int, queue_ms: int) -> Row:
    """Return the row of a new envelope: its record is that of the platform's ``bid.received`` (AL1 L2)."""
    envelope = asked.envelope
    body = {
        "bid": envelope.bid,
        "bidder": envelope.bidder,
        "envelope_sha256": asked.signed.sha256,
        "lot": envelope.lot,
        "queue_ms": queue_ms,
        "received_at": received_at,
        "seq": envelope.seq,
        "sig_sha256": sig_sha256(asked.signed.sigs[0]),
        "stage": envelope.stage,
        "via": "intake",
    }
    record = {
        "actor": f"party:{envelope.bidder_kid}",
        "article": "招标投标法 28",
        "at": received_at,
        "body": body,
        "kind": "bid.received",
        "on_behalf_of": envelope.bidder,
        "procedure": envelope.tender,
        "request": None,
        "subject": f"bid:{envelope.bid}",
        "v": 1,
    }
    raw, nonce = canonical.dumps(record), secrets.token_bytes(NONCE_BYTES)
    return Row(
        sha256=asked.signed.sha256,
        h=record_commitment(nonce, raw),
        n=None,
        nonce=nonce,
        record=raw,
        envelope=asked.signed.wire_bytes(),
        policy_sha256=envelope.policy_sha256,
        received_at=received_at,
    )
