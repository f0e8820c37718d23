"""Receipts as PDF, typeset by the product from a small signed log, and taken apart to be put together otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask import Flask

from tests.build.gallery import gallery
from tests.build.recorded_log import RecordedLog
from tests.build.signed_log import policy_text
from trading.audit.rules.proof import ReceiptState
from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt
from trading.kernel.digests import sha256_hex
from trading.receipts.views import PDF, download

ORIGIN = "demo.log.example/audit"
PLATFORM = "https://trade.example"
AT = 1_778_558_400_412
TENDER = "T-2026-7k3m9q2d"
ENVELOPE = sha256_hex(b"sealed bytes")
BID = {
    "bid": "b-7k3m9q2d4x6w8z1a",
    "bidder": "91320100MA1X2Y3Z4K",
    "envelope_sha256": ENVELOPE,
    "lot": "1",
    "queue_ms": 14,
    "received_at": AT - 51,
    "seq": 2,
    "sig_sha256": sha256_hex(b"signature"),
    "stage": "bid",
    "via": "platform",
}


@dataclass
class Press:
    """A platform that prints receipts of a log in memory; nothing else of it works."""

    app: Flask
    runtime: Runtime
    log: RecordedLog = field(default_factory=lambda: RecordedLog(ORIGIN))

    @classmethod
    def at(cls, folder: Path, *, demo: bool = False) -> Press:
        app = gallery(folder, demo=demo)
        runtime: Runtime = app.extensions["runtime"]
        runtime = replace(runtime, witness_policy=policy_text(ORIGIN), public_url=PLATFORM)
        press = cls(app, runtime)
        for n in range(12):
            press.log.add("clock.state", {"host": "h", "n": n}, at=AT, procedure=None)
        return press

    def issued(self, kind: str, body: Mapping[str, object], witnesses: tuple[int, ...] = (1, 2, 3)) -> IssuedReceipt:
        """Log a record and return its receipt, cosigned two seconds later."""
        placed = self.log.add(kind, dict(body), at=AT, procedure=TENDER)
        text = self.log.receipt(placed.n, self.log.note(AT + 2000, witnesses=witnesses), self.log.size)
        state = ReceiptState.WITNESSED if witnesses else ReceiptState.LOGGED
        return IssuedReceipt(text=text, state=state, h=bytes.fromhex(placed.h), n=placed.n, t=AT)

    def printed(self, issued: IssuedReceipt, language: str = "zh") -> bytes:
        """Return its PDF for a reader of a language."""
        with self.app.test_request_context(f"/?lang={language}"):
            return download(self.runtime, issued, PDF).get_data()


@dataclass(frozen=True)
class Taken:
    """A PDF of the form that the platform writes, in pieces: lines of objects, their streams, and the rest."""

    lines: tuple[bytes, ...]
    streams: tuple[bytes | None, ...]
    trailer: bytes

    @classmethod
    def apart(cls, data: bytes) -> Taken:
        lines: list[bytes] = []
        streams: list[bytes | None] = []
        at = data.index(b"1 0 obj\n")
        while found := re.compile(rb"[0-9]+ 0 obj\n([^\n]*)\n").match(data, at):
            at, stream = found.end(), None
            if data.startswith(b"stream\n", at):
                size = int(found[1][len(b"<</Length ") :].partition(b"/")[0])
                stream = data[at + 7 : at + 7 + size]
                at += 7 + size + len(b"\nendstream\n")
            lines.append(found[1])
            streams.append(stream)
            at += len(b"endobj\n")
        trailer = data[data.index(b"trailer\n", at) : data.index(b"startxref\n", at)]
        return cls(tuple(lines), tuple(streams), trailer)

    def together(self) -> bytes:
        """Return the file again, with the places that its objects now have."""
        data, places = b"%PDF-1.7\n%\x80\x80\x80\x80\n\n", []
        for number, (line, stream) in enumerate(zip(self.lines, self.streams, strict=True), 1):
            places.append(len(data))
            if stream is not None:
                line = re.sub(rb"\A<</Length [0-9]+", b"<</Length %d" % len(stream), line)  # noqa: PLW2901
                line += b"\nstream\n" + stream + b"\nendstream"  # noqa: PLW2901
            data += b"%d 0 obj\n%s\nendobj\n" % (number, line)
        start = len(data)
        rows = b"".join(b"%010d 00000 n\r\n" % place for place in places)
        trailer = re.sub(rb"/Size [0-9]+", b"/Size %d" % (len(places) + 1), self.trailer)
        table = b"xref\n0 %d\n0000000000 65535 f\r\n" % (len(places) + 1)
        return data + table + rows + trailer + b"startxref\n%d\n%%%%EOF" % start

    def with_line(self, mark: bytes, change: Callable[[bytes], bytes]) -> Taken:
        """Return it with the one line that has a mark changed."""
        assert sum(mark in line for line in self.lines) == 1, mark
        return replace(self, lines=tuple(change(line) if mark in line else line for line in self.lines))

    def with_attached(self, stream: bytes) -> Taken:
        """Return it with another stream as the attachment, whose size it still declares as before."""
        places = [b"/EmbeddedFile/" in line for line in self.lines]
        return replace(
            self,
            streams=tuple(stream if here else old for here, old in zip(places, self.streams, strict=True)),
        )

    def with_object(self, line: bytes, stream: bytes | None = None) -> Taken:
        """Return it with one more object at the end."""
        return replace(self, lines=(*self.lines, line), streams=(*self.streams, stream))
