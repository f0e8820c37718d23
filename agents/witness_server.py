"""The witness itself: judge, remember, cosign (AL1 L7.2); and its HTTP front on the standard library.

Order matters: a checkpoint is remembered durably *before* it is cosigned. After a crash between the two the witness
knows more than it has said, which is harmless; the other way round it could be made to sign two histories.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

from typing_extensions import override

from agents.bounded import BoundedServer
from agents.witness_state import KnownLogState, WitnessState
from trading.audit.rules.cosigning import (
    MAX_REQUEST,
    NOTE_TYPE,
    SIZE_TYPE,
    AddCheckpoint,
    judge,
    parse_add_checkpoint,
    with_cosignatures,
)
from trading.audit.rules.note import (
    ED25519,
    ML_DSA_44,
    Checkpoint,
    Note,
    SignatureLine,
    VerifiedCheckpoint,
    VerifierKey,
    message_to_sign,
    parse_checkpoint_text,
    parse_note,
    signature_line,
    verify_checkpoint,
)
from trading.crypto.notes import sign_ed25519, sign_mldsa44, verify_note_signature
from trading.kernel.clock import Clock
from trading.kernel.errors import InvalidInput

LOG = logging.getLogger("mingbiao.witness")
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status, type and body of one answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = NOTE_TYPE

    @classmethod
    def text(cls, status: HTTPStatus, reason: str) -> Reply:
        """Return a one-line answer for people."""
        return cls(status=status, body=f"{reason or status.phrase}\n".encode())


class Witness:
    """Cosigns consistent growth of the logs it was given, and nothing else. Safe to call from many threads."""

    def __init__(self, seed: bytes, state: WitnessState, log_keys: Iterable[VerifierKey], clock: Clock) -> None:
        self.key = state.key
        self._seed = seed
        self._state = state
        self._clock = clock
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in log_keys:
            self._logs.setdefault(key.name, []).append(key)
        self._by_hash = {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in self._logs}
        self._last: dict[str, tuple[Checkpoint, SignatureLine]] = {}
        state.know(self._logs)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer one ``POST add-checkpoint``."""
        try:
            request = parse_add_checkpoint(body)
            note = parse_note(request.note)
            checkpoint = parse_checkpoint_text(note.text)
        except InvalidInput as error:
            return Reply.text(HTTPStatus.BAD_REQUEST, str(error))
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Reply.text(HTTPStatus.NOT_FOUND, "this witness does not know that log")
        try:
            verified = verify_checkpoint(note, checkpoint.origin, keys, (), verify_note_signature)
        except InvalidInput as error:
            return Reply.text(HTTPStatus.FORBIDDEN, str(error))
        return self._decide(request, verified)

    def _decide(self, request: AddCheckpoint, verified: VerifiedCheckpoint) -> Reply:
        checkpoint = verified.checkpoint
        note = _own_lines(verified)
        known = self._state.log(checkpoint.origin)
        judgement = judge(request, checkpoint, known.seen)
        while judgement.status == HTTPStatus.OK:
            if self._state.advance(known.seen, checkpoint, note):
                return Reply(status=HTTPStatus.OK, body=self._cosign(checkpoint).encode().encode())
            # Another request moved the log on between the judgement and the change: judge against that one.
            known = self._state.log(checkpoint.origin)
            judgement = judge(request, checkpoint, known.seen)
        self._state.keep_refused(self._clock.now_ms(), known, judgement, note)
        LOG.warning(
            "refused size %d of %s: %d %s%s",
            checkpoint.size, checkpoint.origin, judgement.status, judgement.reason, " FRAUD" if judgement.fraud else "",
        )  # fmt: skip
        if judgement.status == HTTPStatus.CONFLICT:
            return Reply(status=judgement.status, content_type=SIZE_TYPE, body=f"{known.seen.size}\n".encode())
        return Reply.text(judgement.status, judgement.reason)

    def _cosign(self, checkpoint: Checkpoint) -> SignatureLine:
        time_s = self._clock.now_ms() // _SECOND_MS
        sign = sign_mldsa44 if self.key.kind == ML_DSA_44 else sign_ed25519
        line = signature_line(self.key, sign(self._seed, message_to_sign(self.key, checkpoint, time_s)), time_s)
        self._last[checkpoint.origin] = (checkpoint, line)
        return line

    def latest(self, origin_sha256: str) -> Reply:
        """Answer ``GET <hex sha256(origin)>/checkpoint``: the newest cosigned checkpoint with our line."""
        origin = self._by_hash.get(origin_sha256)
        known = self._state.log(origin) if origin is not None else None
        if known is None or known.note is None:
            return Reply.text(HTTPStatus.NOT_FOUND, "no such checkpoint")
        note = parse_note(known.note)
        return Reply(status=HTTPStatus.OK, body=with_cosignatures(note, [self._line_for(note, known)]).encode())

    def _line_for(self, note: Note, known: KnownLogState) -> SignatureLine:
        checkpoint = parse_checkpoint_text(note.text)
        last = self._last.get(known.origin)
        if last is not None and last[0] == checkpoint:
            return last[1]
        return self._cosign(checkpoint)  # after a restart: what is remembered may be cosigned at any time


def _own_lines(verified: VerifiedCheckpoint) -> bytes:
    """Return the note with the log's verified lines only, so that junk lines cannot multiply the evidence."""
    keys = {(key.name, key.key_id) for key in verified.log_keys}
    lines = tuple(line for line in verified.note.signatures if (line.name, line.key_id) in keys)
    return Note(text=verified.note.text, signatures=lines).encode()


def require_log_keys(keys: Iterable[VerifierKey], *, demo: bool) -> None:
    """Refuse log keys that this witness must not serve.

    Raises:
        InvalidInput: ``witness.bad_log``: no key of type 0x01 for an origin, a cosigner's key, or a shifted clock for
            a log that is not a demonstration (P13).
    """
    kinds: dict[str, set[int]] = {}
    for key in keys:
        kinds.setdefault(key.name, set()).add(key.kind)
    for origin, found in kinds.items():
        if ED25519 not in found or not found <= {ED25519, ML_DSA_44}:
            raise InvalidInput("witness.bad_log", f"{origin} needs a log key of type 0x01")
        if demo and not origin.startswith("demo."):
            raise InvalidInput("witness.bad_log", f"a shifted clock never cosigns a real log: {origin}")
    if not kinds:
        raise InvalidInput("witness.bad_log", "no log to witness")


class WitnessServer(BoundedServer):
    """The front of one witness; connections are kept alive."""

    request_queue_size = 64
    log = LOG

    def __init__(self, address: tuple[str, int], witness: Witness, *, prefix: str = "", connections: int = 128) -> None:
        self.witness = witness
        self.prefix = prefix.rstrip("/")
        super().__init__(address, _Handler, connections)


class _Handler(BaseHTTPRequestHandler):
    """Paths, limits and framing; every decision is the witness's."""

    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = 30.0  # s without a byte, also between requests of one connection
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body leave in one packet
    server: WitnessServer  # type: ignore[mutable-override] # socketserver types the attribute, not the class

    def do_POST(self) -> None:
        """Serve ``add-checkpoint``."""
        body = self._body()
        if body is None:
            return
        if self.path != f"{self.server.prefix}/add-checkpoint":
            self._send(Reply.text(HTTPStatus.NOT_FOUND, ""))
        else:
            self._send(self._add(body))

    def do_GET(self) -> None:
        """Serve the newest checkpoint of one log."""
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        name = self.path.removeprefix(f"{self.server.prefix}/").removesuffix("/checkpoint")
        if self.path != f"{self.server.prefix}/{name}/checkpoint":
            self._send(Reply.text(HTTPStatus.NOT_FOUND, ""))
        else:
            self._send(self.server.witness.latest(name))

    def _add(self, body: bytes) -> Reply:
        try:
            return self.server.witness.add_checkpoint(body)
        except sqlite3.Error:
            # Disk full or broken: what cannot be remembered is not cosigned, and the log must hear it at once.
            LOG.exception("the memory cannot be written")
            return Reply.text(HTTPStatus.INTERNAL_SERVER_ERROR, "")

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
            return None
        if len(length) > len(str(MAX_REQUEST)) or int(length) > MAX_REQUEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _refuse(self, status: HTTPStatus) -> None:
        # The body was not read, so this connection cannot carry another request.
        self.close_connection = True
        self._send(Reply.text(status, ""))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    @override
    def version_string(self) -> str:
        """Return the server's name without versions."""
        return "mingbiao-witness"

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about ordinary requests; refusals are logged by the witness."""
