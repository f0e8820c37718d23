"""A platform over HTTP that accepts bids into a small signed log: what the bidder's client is tested against."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tests.build.sealed_lot import ORIGIN, Lot, signer
from tests.build.signed_log import SignedLog
from trading.audit.rules import tree
from trading.audit.rules.chain import genesis, link, record_commitment
from trading.audit.rules.proof import build_receipt
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel import canonical, fields

BID = "b-0123456789abcdef"
RECEIVED_AT = 1_790_000_000_000
TOKEN = "pt_test"  # noqa: S105 - of a server that lives for one test


@dataclass
class Platform:
    """What it has accepted, and how a test makes it misbehave.

    Attributes:
        lot: The lot it serves.
        witnesses: Witness numbers that cosign; two make a quorum.
        held: Answer 202 with an acknowledgement until the receipt is asked for this many times.
        faults: Called with the path before a request is handled; may raise ``Drop`` or return a problem document.
        tamper: Changes a receipt's bytes before they are sent.
    """

    lot: Lot
    witnesses: tuple[int, ...] = (1, 2)
    held: int = 0
    faults: Callable[[str], dict[str, Any] | None] = lambda _path: None
    tamper: Callable[[bytes], bytes] = lambda receipt: receipt
    raw_answer: bytes | None = None  # sent instead of any answer
    evidence: bytes = b""  # none before the opening is complete
    acked: str | None = None  # the document that acknowledgements name, if not the right one
    log: SignedLog = field(default_factory=lambda: SignedLog(origin=ORIGIN).grow(3))
    records: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)  # of parts on their way, by digest
    lengths: dict[str, int] = field(default_factory=dict)
    appended: int = 0  # bytes of all chunks that came
    documents: dict[str, tuple[str, SignedDocument]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def append(self, kind: str, body: dict[str, Any]) -> str:
        """Log one record and return its commitment in hex."""
        record = canonical.dumps(
            {
                "actor": "a-1",
                "article": None,
                "at": RECEIVED_AT,
                "body": body,
                "kind": kind,
                "on_behalf_of": None,
                "procedure": self.lot.tender,
                "request": None,
                "subject": f"bid:{BID}",
                "v": 1,
            }
        )
        nonce = hashlib.sha256(record).digest()
        h, n = record_commitment(nonce, record), len(self.log.entries)
        previous = self.log.hashes[-1] if n else genesis(ORIGIN)
        entries = link([h], first=n, previous=previous, t=RECEIVED_AT)
        self.log.entries += entries
        self.log.hashes += [tree.leaf_hash(entry) for entry in entries]
        self.records[h.hex()] = (n, nonce, record)
        self.log.grow(1)
        return h.hex()

    def receipt(self, h: str) -> str:
        n, nonce, record = self.records[h]
        size = len(self.log.hashes)
        path = tree.inclusion_proof(n, size, tree.nodes_of(self.log.hashes))
        note = self.log.note(cosigners=[(number, RECEIVED_AT // 1000) for number in self.witnesses])
        return self.tamper(build_receipt(self.log.entries[n], nonce, record, path, note).encode()).decode()

    def ack(self, doc_sha256: str, h: str, code: str | None = None) -> dict[str, Any]:
        document = {
            "code": code,
            "decision": "accepted" if code is None else "refused",
            "doc_sha256": self.acked or doc_sha256,
            "h": h,
            "origin": ORIGIN,
            "promise_ms": 60_000,
            "received_at": RECEIVED_AT,
            "typ": "mb.ack",
            "v": 1,
        }
        return sign_document(canonical.dumps(document), signer(90)).wire()

    def start(self) -> dict[str, Any]:
        return {"bid": BID, **self.lot.package.wire(), "receipts": {}}

    def begin_upload(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        sha256, length = wanted["sha256"], wanted["length"]
        if sha256 in self.parts:
            return 200, {"complete": True, "length": length, "offset": length, "sha256": sha256}
        offset = len(self.uploads.setdefault(sha256, bytearray()))
        told = {"complete": False, "length": length, "offset": offset, "sha256": sha256, "upload": sha256[:26]}
        self.lengths[sha256] = length
        return 201, told

    def append_chunk(self, upload: str, offset: int, chunk: bytes) -> tuple[int, dict[str, Any]]:
        self.appended += len(chunk)
        sha256 = next((each for each in self.uploads if each.startswith(upload)), None)
        if sha256 is None:
            return 404, {"code": "not_found", "status": 404}
        data = self.uploads[sha256]
        if offset != len(data):
            return 409, {"code": "upload.offset", "facts": {"offset": len(data)}, "status": 409}
        data += chunk
        is_whole = len(data) == self.lengths[sha256]
        if is_whole:
            assert hashlib.sha256(data).hexdigest() == sha256
            self.parts[sha256] = bytes(self.uploads.pop(sha256))
        return 200 + is_whole, {"complete": is_whole, "offset": len(data), "sha256": sha256}

    def accept(self, action: str, wire: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        signed = SignedDocument.from_wire(wire)
        if signed.sha256 not in self.documents:
            content = canonical.loads_object(signed.doc)
            if action == "envelope":
                missing = [part for part in content["parts"] if part["sha256"] not in self.parts]
                assert not missing, "the envelope came before its parts"
            self.documents[signed.sha256] = (self.append(*_record_of(signed, content)), signed)
        h = self.documents[signed.sha256][0]
        answer: dict[str, Any] = {"state": "acknowledged", "receipt": None, "ack": self.ack(signed.sha256, h)}
        if self.held:
            return 202, answer
        return 201, {**answer, "state": "logged", "receipt": self.receipt(h)}

    def poll(self, h: str) -> tuple[int, dict[str, Any]]:
        if self.held:
            self.held -= 1
            return 404, {"code": "not_found", "status": 404}
        return 200, {"state": "logged", "receipt": self.receipt(h)}


def _record_of(signed: SignedDocument, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    match fields.type_of(signed.doc):
        case "sb1.envelope":
            return "bid.received", {"bid": content["bid"], "envelope_sha256": signed.sha256}
        case "sb1.withdrawal":
            return "bid.withdrawn", {"bid": content["bid"], "withdrawal_sha256": signed.sha256}
        case "sb1.factor":
            return "factor.revealed", {"bid": content["bid"], "envelope_sha256": content["envelope_sha256"]}
        case "sb1.rescue":
            return "rescue.accepted", {"bid": content["bid"], "envelope_sha256": content["envelope_sha256"]}
        case other:
            return "rehearsal.received", {"bid": content["bid"], "typ": other}


class Drop(Exception):
    """Close the connection without an answer."""


class _Handler(BaseHTTPRequestHandler):
    platform: Platform

    def do_GET(self) -> None:
        self._handle(b"")

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers["Content-Length"])))

    def _handle(self, body: bytes) -> None:
        url, platform = urlsplit(self.path), self.platform
        platform.requests.append(f"{self.command} {url.path}")
        try:
            problem = platform.faults(url.path)
            status, answer = (problem["status"], problem) if problem else self._route(url.path, url.query, body)
            if problem and problem.get("after"):
                self._route(url.path, url.query, body)
        except Drop:
            self.close_connection = True
            return
        is_evidence = status == HTTPStatus.OK and url.path.endswith("/evidence")
        raw = platform.evidence if is_evidence else platform.raw_answer or json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _route(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"code": "not_signed_in", "status": 401, "zh": "请先登录", "en": "Sign in first."}
        match path.removeprefix("/api/v1/").split("/"):
            case ["procedures", _tender, "lots", _lot, "bids"]:
                return 200, self.platform.start()
            case ["bids", _bid, "parts"]:
                digest = hashlib.sha256(body).hexdigest()
                assert parse_qs(query)["name"][0] in {"main", "price"}
                assert self.headers["X-Content-SHA256"] == digest
                self.platform.parts[digest] = body
                return 201, {"sha256": digest, "size": len(body)}
            case ["bids", _bid, "uploads"]:
                return self.platform.begin_upload(json.loads(body))
            case ["bids", _bid, "uploads", upload]:
                return self.platform.append_chunk(upload, int(self.headers["Upload-Offset"]), body)
            case ["bids", _bid, "evidence"] if self.platform.evidence:
                return 200, {}
            case ["bids", _bid, action] if self.command == "POST":
                return self.platform.accept(action, json.loads(body))
            case ["receipts", h]:
                return self.platform.poll(h)
            case _:
                return 404, {"code": "not_found", "status": 404}

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test asks the platform what it was asked."""


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    """Serve the platform on a free port of this machine and yield its address."""
    handler = type("Handler", (_Handler,), {"platform": platform})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
