"""Bidders who submit and replace without pause over HTTP, and keep the one account that counts: their own journal.

An answer that never came is ``info``, neither success nor failure; the client sends the very same bytes again until it
knows. Nothing else may settle it (reliability 4 rule 4).
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Literal, TypeVar

from sqlalchemy.exc import DBAPIError

from agents.bid.receipts import ACK
from agents.sealing import SealedBid
from tests.build.market import Market, OpenLot, Party
from trading.accounts import service as accounts
from trading.bids.model import MAX_VERSIONS
from trading.bids.rules.envelope import WITHDRAWAL
from trading.crypto.signatures import SignedDocument, sign_document, verify_es256
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken

TIMEOUT_S = 30.0
WITHDRAWN_EVERY = 7
_TAKEN = frozenset({200, 201, 202})
_UNKNOWN = frozenset({0, 502, 503})  # and busy, which is 503 too: the same bytes may be sent again
_AGAIN_S = 0.05
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the journal. ``h`` and ``received_at`` are what the platform acknowledged."""

    what: Literal["invoke", "ok", "fail", "info"]
    tender: str
    bid: str
    seq: int
    kind: str
    doc_sha256: str
    status: int = 0
    code: str | None = None
    h: str | None = None
    received_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    tender: str
    bid: str
    seq: int
    kind: Literal["envelope", "withdrawal"]
    signed: SignedDocument
    parts: Sequence[bytes] = ()

    def step(self, what: Literal["invoke", "ok", "fail", "info"], **facts: Any) -> Step:  # noqa: ANN401 - fields of a step
        return Step(
            what=what,
            tender=self.tender,
            bid=self.bid,
            seq=self.seq,
            kind=self.kind,
            doc_sha256=self.signed.sha256,
            **facts,
        )


def insist(act: Callable[[], _T]) -> _T:
    """Repeat what the test itself asks of the services until the database is there."""
    while True:
        try:
            return act()
        except (DBAPIError, RuleBroken) as error:
            if isinstance(error, RuleBroken) and error.code != "busy":
                raise
            threading.Event().wait(_AGAIN_S)


@dataclass(kw_only=True)
class Lots:
    """The lots of a campaign, all with one deadline; a bid may have so many versions only, then the next lot serves."""

    market: Market
    published: list[OpenLot]
    _is_final: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, number: int) -> OpenLot | None:
        """Return a lot, published now if need be; None if there are no more."""
        with self._lock:
            if number == len(self.published) and not self._is_final:
                self.published += insist(lambda: self.market.publish([self.published[0].close]))
            return self.published[number] if number < len(self.published) else None

    def end_with(self, more: int) -> None:
        """Publish the last lots: when the deadline is near, the law allows no new one."""
        with self._lock:
            for _ in range(more):
                self.published += self.market.publish([self.published[0].close])
            self._is_final = True


@dataclass(kw_only=True)
class BidClient:
    """One bidder's program. ``failures`` are answers that it must never get; it stops at the first one."""

    address: str
    market: Market
    lots: Lots
    bidder: Party
    token: str
    ack_spki: bytes
    journal: list[Step]
    running: threading.Event
    ended: threading.Event
    failures: list[str] = field(default_factory=list)
    busy: threading.Lock = field(default_factory=threading.Lock)
    _connection: HTTPConnection | None = None

    def run(self) -> None:
        """Submit version after version until the deadline, a failure, or the end of the test."""
        number = 0
        while (lot := self.lots.get(number)) is not None and self._bid(lot):
            number += 1
        self._disconnect()

    def _bid(self, lot: OpenLot) -> bool:
        """Submit every version that one bid may have; return whether to go on."""
        try:
            bid, before = insist(lambda: self.market.start_bid(lot, self.bidder)), None
        except RuleBroken as refusal:
            if refusal.code != "bid.late":
                raise
            return False  # the deadline passed before the next lot was begun
        for seq in range(1, MAX_VERSIONS + 1):
            while not self.running.wait(0.1):
                pass
            if self.ended.is_set():
                return False
            with self.busy:
                version = self._version(lot, bid, seq, before)
                if not self._send(version):
                    return False
            before = version.signed.sha256
            self.ended.wait(secrets.randbelow(60) / 1000)
        return True

    def _version(self, lot: OpenLot, bid: str, seq: int, before: str | None) -> _Version:
        context = self.market.context(lot, self.bidder, bid, seq=seq)
        if seq % WITHDRAWN_EVERY == 0:
            body = {name: getattr(context, name) for name in context.__slots__}
            signed = sign_document(WITHDRAWAL.write({**body, "created": 0, "supersedes": before}), self.bidder.signer)
            return _Version(tender=lot.tender, bid=bid, seq=seq, kind="withdrawal", signed=signed)
        sealed: SealedBid = self.market.seal(lot, context, total=100_000_00 + seq, supersedes=before)
        return _Version(
            tender=lot.tender,
            bid=bid,
            seq=seq,
            kind="envelope",
            signed=sealed.envelope,
            parts=tuple(sealed.parts.values()),
        )

    def _send(self, version: _Version) -> bool:
        """Send one version until its outcome is known; return whether it was taken."""
        if not all(self._store(version, data) for data in version.parts):
            return False
        repeats = 1 if secrets.randbelow(8) == 0 else 0
        while True:
            taken = self._attempt(version)
            if taken is False or self.failures or (taken and repeats == 0):
                return bool(taken) and not self.failures
            repeats -= bool(taken)

    def _store(self, version: _Version, data: bytes) -> bool:
        """Store one part, again and again until there is an answer; return whether it was taken."""
        headers = {"X-Content-SHA256": sha256_hex(data), "Content-Type": "application/octet-stream"}
        while True:
            status, content = self._post(f"/api/v1/bids/{version.bid}/parts", data, headers)
            if status not in _UNKNOWN:
                return status in _TAKEN or self._is_refused(version, status, content)
            self._pause()

    def _is_refused(self, version: _Version, status: int, content: dict[str, Any]) -> bool:
        """Note a refusal that is not the deadline's as a failure; nothing was taken."""
        if content.get("code") not in {"bid.late", "bid.closed"}:
            self.failures.append(f"{version.kind} {version.seq} of {version.bid}: {status} {content}")
        return False

    def _attempt(self, version: _Version) -> bool | None:
        """Send once; return whether it was taken, or None if that is not known or it may be tried again."""
        self.journal.append(version.step("invoke"))
        prefer = {"Prefer": "respond-async"} if secrets.randbelow(2) else {}
        body = json.dumps(version.signed.wire()).encode()
        status, content = self._post(
            f"/api/v1/bids/{version.bid}/{version.kind}", body, {"Content-Type": "application/json", **prefer}
        )
        if status in _TAKEN:
            self._require_ack(version, content)
            facts = {"h": content["h"], "received_at": content["received_at"]}
            self.journal.append(version.step("ok", status=status, **facts))
            return True
        code = content.get("code")
        if status in _UNKNOWN:
            self.journal.append(version.step("fail" if code == "busy" else "info", status=status, code=code))
            self._pause()
            return None
        self.journal.append(version.step("fail", status=status, code=code))
        return self._is_refused(version, status, content)

    def _pause(self) -> None:
        """Wait a moment before asking again; to go on asking is the only way to know, so the end does not stop it."""
        threading.Event().wait(_AGAIN_S)

    def _require_ack(self, version: _Version, content: dict[str, Any]) -> None:
        """An acknowledgement that is not signed, or of something else, is a failure of the platform."""
        signed = SignedDocument.from_wire(content["ack"])
        verify_es256(self.ack_spki, signed.doc, signed.sigs[0])
        told = ACK.read(signed.doc)
        wanted = ("accepted", version.signed.sha256, content["h"], content["received_at"])
        if (told["decision"], told["doc_sha256"], told["h"], told["received_at"]) != wanted:
            self.failures.append(f"{version.kind} {version.seq} of {version.bid}: acknowledged as {told}")

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of the answer; status 0 if there was none."""
        try:
            if self._connection is None:
                self._connection = HTTPConnection(self.address, timeout=TIMEOUT_S)
            sent = {**headers, "Authorization": f"Bearer {self.token}", "Accept": "application/json"}
            self._connection.request("POST", path, body, sent)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except (OSError, HTTPException, ValueError):
            self._disconnect()
            return 0, {}

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(kw_only=True)
class Crowd:
    """Several clients in threads, with one journal. They can be held between two versions."""

    clients: list[BidClient]
    lots: Lots
    journal: list[Step]
    running: threading.Event
    ended: threading.Event
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.running.set()
        self._threads = [threading.Thread(target=self._guarded, args=(client,)) for client in self.clients]
        for thread in self._threads:
            thread.start()

    def _guarded(self, client: BidClient) -> None:
        try:
            client.run()
        except BaseException as error:  # noqa: BLE001 - judged by the test
            client.failures.append(repr(error))

    def hold(self) -> None:
        """Return when no client is in the middle of a version; none begins one until ``go_on``."""
        self.running.clear()
        for client in self.clients:
            with client.busy:
                pass

    def go_on(self) -> None:
        self.running.set()

    def stop(self) -> None:
        """Let every client settle what it has begun, then end."""
        self.ended.set()
        self.running.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def failures(self) -> list[str]:
        return [each for client in self.clients for each in client.failures]

    def taken(self) -> int:
        return sum(step.what == "ok" for step in self.journal)


def crowd_before(address: str, market: Market, lot: OpenLot, ack_spki: bytes) -> Crowd:
    """Return a client for each bidder of the market."""
    journal: list[Step] = []
    running, ended = threading.Event(), threading.Event()
    lots = Lots(market=market, published=[lot])
    clients = [
        BidClient(
            address=address,
            market=market,
            lots=lots,
            bidder=bidder,
            token=accounts.issue_token(market.ledger, f"bidder{number}", ("write:bids",)),
            ack_spki=ack_spki,
            journal=journal,
            running=running,
            ended=ended,
        )
        for number, bidder in enumerate(market.bidders, 1)
    ]
    return Crowd(clients=clients, lots=lots, journal=journal, running=running, ended=ended)
