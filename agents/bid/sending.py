"""Sending what is sealed, and following it until the log and its witnesses prove it (SB1 S7, AL1 L8).

Before every POST the version is marked ``sent``: if the answer is lost, the same bytes are sent again and the platform
returns the same receipt. Nothing is called received before the client itself has verified the receipt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agents.bid.platform import Answer, Platform, Refused
from agents.bid.receipts import Ack, Expected, check_receipt, of_version, read_ack
from agents.bid.uploading import Sending, upload_part
from agents.bid.workdir import Version, WorkDir
from trading.audit.rules.proof import ReceiptState, VerifiedReceipt
from trading.bids.rules.envelope import Envelope
from trading.bids.rules.trust import TrustFile
from trading.crypto.signatures import SignedDocument
from trading.kernel import fields
from trading.kernel.errors import InvalidInput

#: A refusal of these families is about the document itself: it does not stand. Others (sign-in, busy) say nothing.
_DEFINITE: Final = ("bid.", "doc.", "sig.", "policy.", "clock.")
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How far a document has got; ``receipt`` is the verified proof and ``file`` where it is kept, if there is one."""

    ack: Ack | None
    receipt: VerifiedReceipt | None
    file: Path | None

    @property
    def state(self) -> ReceiptState:
        """Return the state of AL1 L8.1."""
        return ReceiptState.ACKNOWLEDGED if self.receipt is None else self.receipt.state


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to follow a document, in seconds; tests pass their own clock and pause."""

    seconds: float
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def submit_version(
    work: WorkDir, platform: Platform, version: Version, waiting: Waiting, sending: Sending | None = None
) -> Outcome:
    """Upload the parts, send the envelope or withdrawal, and follow it.

    Raises:
        Refused: The platform refuses it; a definite refusal is remembered with its code and signed acknowledgement.
        Unreachable: No answer; the version stays ``sent`` and may be sent again.
        InvalidInput: A part differs from its envelope, or the answer does not verify.
    """
    signed, document = version.signed, version.document
    if isinstance(document, Envelope):
        for part in document.parts:
            answer = upload_part(platform, document.bid, part, version.part(part.name), sending or Sending())
            _require_stored(answer, part.sha256)
    stands = version.at_intake  # whatever the platform answers
    if not stands:
        version.mark("sent")
    action = "envelope" if isinstance(document, Envelope) else "withdrawal"
    try:
        answer = platform.post(document.bid, action, signed.wire())
    except Refused as error:
        _remember_refusal(version, error, stands=stands)
        raise
    expected = of_version(fields.type_of(signed.doc), signed.sha256, document.bid)
    outcome = read_answer(answer, work.trust, expected, version)
    version.mark("accepted", h=commitment(outcome))
    return follow(platform, work.trust, expected, version, outcome, waiting)


def _require_stored(answer: Answer, sha256: str) -> None:
    stored = answer.body.get("sha256", sha256)
    if stored != sha256:
        raise InvalidInput("bid.part_mismatch", "the platform stored other bytes than were sent")


def _remember_refusal(version: Version, error: Refused, *, stands: bool) -> None:
    wire = error.body.get("ack")
    if isinstance(wire, Mapping):
        version.keep("refusal-ack.json", SignedDocument.from_wire(wire).wire_bytes())
    if error.code.startswith(_DEFINITE) and not stands:
        version.mark("refused", code=error.code)


def commitment(outcome: Outcome) -> str:
    """Return the commitment h of the record, in hex, from the receipt or else from the acknowledgement.

    Raises:
        InvalidInput: ``ack.missing``: the platform returned neither.
    """
    if outcome.receipt is not None:
        return outcome.receipt.receipt.entry.h.hex()
    if outcome.ack is None:
        raise InvalidInput("ack.missing", "the platform returned neither receipt nor acknowledgement")
    return outcome.ack.h


def read_answer(answer: Answer, trust: TrustFile, expected: Expected, version: Version, prefix: str = "") -> Outcome:
    """Keep and verify what came with an answer: ``ack`` (wire form) and ``receipt`` (the text of a tlog-proof).

    Everything is kept before it is judged, for a bad receipt is evidence, too.

    Raises:
        InvalidInput: Either does not verify.
    """
    ack, wire = None, answer.body.get("ack")
    if isinstance(wire, Mapping):
        signed = SignedDocument.from_wire(wire)
        version.keep(f"{prefix}ack.json", signed.wire_bytes())
        ack = read_ack(signed, trust, expected.sent_sha256)
        if ack.decision != "accepted":
            raise InvalidInput("ack.mismatch", f"accepted with an acknowledgement of the refusal {ack.code}")
    text = answer.body.get("receipt")
    if not isinstance(text, str):
        return Outcome(ack=ack, receipt=None, file=None)
    file = version.keep(f"{prefix}receipt.tlog-proof", text.encode())
    return Outcome(ack=ack, receipt=check_receipt(text.encode(), trust, expected), file=file)


def follow(
    platform: Platform,
    trust: TrustFile,
    expected: Expected,
    version: Version,
    outcome: Outcome,
    waiting: Waiting,
    prefix: str = "",
) -> Outcome:
    """Ask for better receipts until one is witnessed or the time is up; pauses of 1, 2, 4 … 30 s (AL1 L8.1)."""
    h, pause, end = commitment(outcome), _FIRST_PAUSE_S, waiting.now() + waiting.seconds
    while outcome.state is not ReceiptState.WITNESSED and waiting.now() < end:
        waiting.pause(min(pause, max(0.0, end - waiting.now())))
        pause = min(2 * pause, _LONGEST_PAUSE_S)
        try:
            answer = platform.receipt(h)
        except Refused as error:
            if error.status != 404:  # noqa: PLR2004 - not in the log yet
                raise
            continue
        newer = read_answer(answer, trust, expected, version, prefix)
        if newer.receipt is not None:
            outcome = Outcome(ack=outcome.ack, receipt=newer.receipt, file=newer.file)
    return outcome


def send_unsigned(
    work: WorkDir, platform: Platform, version: Version, action: str, document: bytes, waiting: Waiting
) -> Outcome:
    """Send a self-authenticating document about a standing version: ``factor`` or ``rescue`` (SB1 S9.5, S9.6)."""
    signed, trust, prefix = SignedDocument(document), work.trust, f"{action}-"
    expected = Expected(
        kind={"factor": "factor.revealed", "rescue": "rescue.accepted"}[action],
        field="envelope_sha256",
        bid=work.name.bid,
        sent_sha256=signed.sha256,
        named_sha256=version.signed.sha256,
    )
    answer = platform.post(work.name.bid, action, signed.wire())
    outcome = read_answer(answer, trust, expected, version, prefix)
    return follow(platform, trust, expected, version, outcome, waiting, prefix)
