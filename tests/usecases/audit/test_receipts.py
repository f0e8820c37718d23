"""Receipts and acknowledgements end to end: an act, the sequencer, three witnesses, an independent check (AL1 L8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.logs import LogWorld
from trading.audit import service
from trading.audit.ledger import Ledger
from trading.audit.rules.proof import ReceiptState, verify_receipt
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import Es256Signer, verify_es256
from trading.kernel import canonical
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor

ACTOR = Actor.system("test")
CHANGED = Event(kind="config.changed", subject="setting:x", body={"what": "x"})


@dataclass(frozen=True)
class Access:
    ledger: Ledger
    log_dir: Path
    origin: str
    witness_policy: str


@pytest.fixture
def access(world: LogWorld, ledger: Ledger) -> Iterator[Access]:
    service.reader.cache_clear()
    yield Access(ledger, world.tiles.root, world.database.origin, world.policy_text)
    service.reader.cache_clear()


def act(ledger: Ledger) -> bytes:
    with ledger.begin(ACTOR) as uow:
        return uow.record(CHANGED).h


def current(access: Access, h: bytes) -> service.IssuedReceipt | None:
    with access.ledger.read() as conn:
        return service.receipt(conn, service.reader(access.log_dir), h)


def test_a_receipt_verifies_by_the_policy_alone(world: LogWorld, access: Access, ledger: Ledger) -> None:
    hashes = [act(ledger) for _ in range(7)]
    assert current(access, hashes[3]) is None
    with world.running():
        assert service.wait_logged(access, hashes[6]) is not None
        assert service.wait_witnessed(access, hashes[6], 10.0) is not None
        for h in hashes:
            issued = current(access, h)
            assert issued is not None
            assert issued.state is ReceiptState.WITNESSED
            found = verify_receipt(issued.text, origin=access.origin, policy=world.policy, verify=verify_note_signature)
            assert found.state is ReceiptState.WITNESSED
            assert found.record["body"] == {"what": "x"}
            assert found.receipt.entry.h == h
    last = current(access, hashes[6])
    assert last is not None
    tampered = last.text.replace(b"index 6", b"index 5")
    with pytest.raises(InvalidInput):
        verify_receipt(tampered, origin=access.origin, policy=world.policy, verify=verify_note_signature)


def test_without_witnesses_a_receipt_stays_logged(world: LogWorld, access: Access, ledger: Ledger) -> None:
    with world.running():
        for witness in world.witnesses[1:]:
            witness.stop()
        h = act(ledger)
        issued = service.wait_logged(access, h)
        assert issued is not None
        assert issued.state is ReceiptState.LOGGED
        assert service.wait_witnessed(access, h, 0.3) is None
        world.witnesses[1].start()
        assert service.wait_witnessed(access, h, 10.0) is not None


def test_waiting_ends_without_a_sequencer(access: Access, ledger: Ledger) -> None:
    assert service.wait_logged(access, act(ledger), 0.05) is None
    assert service.wait_witnessed(access, act(ledger), 0.05) is None


def test_only_so_many_threads_wait(
    world: LogWorld, access: Access, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = service.LogReader(access.log_dir, waiting=1)
    monkeypatch.setattr(service, "reader", lambda _path: few)
    with world.running():
        h = act(ledger)
        few.slots.acquire()  # as if another thread were waiting
        assert service.wait_logged(access, h) is None
        few.slots.release()
        assert service.wait_logged(access, h) is not None


def test_heartbeat_times_must_be_late_enough(world: LogWorld, access: Access, ledger: Ledger) -> None:
    with world.running():
        h = act(ledger)
        seen = service.wait_witnessed(access, h, 10.0)
        assert seen is not None
        assert len(seen.times) >= 2
        assert service.wait_witnessed(access, h, 0.2, not_before_ms=1000 * seen.t_low + 3_600_000) is None
        # The log is idle: only a heartbeat of the same size brings a later time.
        later = service.wait_witnessed(access, h, 10.0, not_before_ms=1000 * (seen.t_low + 1))
        assert later is not None
        assert later.size == seen.size
    first = world.tiles.read(f"checkpoints/{seen.size}-first")
    last = world.tiles.read(f"checkpoints/{seen.size}-last")
    assert first != last
    assert first is not None


def test_acknowledgement_is_a_signed_promise() -> None:
    signer = Es256Signer.generate()
    h = bytes(range(32))
    ack = service.acknowledge(
        signer, origin="log.test/audit", h=h, doc_sha256="ab" * 32, received_at=5, code="bid.late"
    )
    verify_es256(signer.spki, ack.doc, ack.sigs[0])
    assert canonical.loads_object(ack.doc) == {
        "code": "bid.late",
        "decision": "refused",
        "doc_sha256": "ab" * 32,
        "h": h.hex(),
        "origin": "log.test/audit",
        "promise_ms": 60_000,
        "received_at": 5,
        "typ": "mb.ack",
        "v": 1,
    }
    accepted = service.acknowledge(signer, origin="log.test/audit", h=h, doc_sha256="ab" * 32, received_at=5)
    assert canonical.loads_object(accepted.doc)["decision"] == "accepted"


def test_a_receipt_never_tells_how_the_log_has_grown_since(world: LogWorld, access: Access, ledger: Ledger) -> None:
    with world.running():
        h = act(ledger)
        assert service.wait_witnessed(access, h, 10.0) is not None
        before = current(access, h)
        for _ in range(3):
            assert service.wait_witnessed(access, act(ledger), 10.0) is not None
        newest = service.reader(access.log_dir).note("witnessed")
        assert newest is not None
        assert newest[1].size == 4
        assert current(access, h) == before


def test_the_first_witnessed_note_is_found_however_far_it_is(
    world: LogWorld, access: Access, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = [act(ledger) for _ in range(5)]
    with world.running():
        assert service.wait_witnessed(access, hashes[4], 10.0) is not None
        assert service.wait_witnessed(access, act(ledger), 10.0) is not None
    near = current(access, hashes[0])
    monkeypatch.setattr(service, "_NEAR", 2)
    assert near is not None
    assert current(access, hashes[0]) == near
