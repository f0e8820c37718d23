from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from tests.build.signed_log import LOG_SEED, ORIGIN, VECTORS, SignedLog, log_key, policy_text, sign_line
from trading.audit.rules import tree
from trading.audit.rules.chain import entry_bytes, genesis, record_commitment
from trading.audit.rules.note import Checkpoint, Note
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import (
    Receipt,
    ReceiptState,
    VerifiedReceipt,
    build_receipt,
    parse_receipt,
    verify_receipt,
)
from trading.crypto.notes import verify_note_signature
from trading.kernel.canonical import dumps, loads
from trading.kernel.encoding import b64, b64_decode
from trading.kernel.errors import InvalidInput

LOG = VECTORS["al1_log"]
RECEIPT = LOG["receipt"].encode()
POLICY = parse_policy(LOG["policy"])


def verify(data: bytes | Receipt, *, origin: str = ORIGIN) -> VerifiedReceipt:
    return verify_receipt(data, origin=origin, policy=POLICY, verify=verify_note_signature)


def with_extra(change: Callable[[dict[str, object]], None]) -> bytes:
    lines = RECEIPT.decode().split("\n")
    extra = loads(b64_decode(lines[1].removeprefix("extra ")))
    assert isinstance(extra, dict)
    change(extra)  # type: ignore[arg-type]  # a document of the profile, changed by the test
    lines[1] = f"extra {b64(dumps(extra))}"
    return "\n".join(lines).encode()


def test_the_receipt_of_the_vectors() -> None:
    found = verify(RECEIPT)
    assert found.state is ReceiptState.WITNESSED
    assert len(RECEIPT) == 1710
    assert found.record == loads(LOG["records"][1].encode())
    assert (found.receipt.entry.n, found.receipt.entry.h.hex()) == (1, LOG["h"][1])
    assert found.receipt.encode() == RECEIPT


def test_building_gives_the_receipt_of_the_vectors() -> None:
    nodes = tree.nodes_of([bytes.fromhex(value) for value in LOG["leaf_hashes"]])
    receipt = build_receipt(
        LOG["entries"][1].encode(),
        bytes.fromhex(LOG["nonces"][1]),
        LOG["records"][1].encode(),
        tree.inclusion_proof(1, 3, nodes),
        LOG["checkpoint_witnessed"].encode(),
    )
    assert receipt.encode() == RECEIPT
    with pytest.raises(ValueError, match="does not open entry 1"):
        build_receipt(LOG["entries"][1].encode(), b"n" * 32, b"{}", [], b"")


def test_without_one_cosignature_it_is_only_logged() -> None:
    lines = RECEIPT.decode().split("\n")
    less = "\n".join(line for line in lines if not line.startswith("— witness2")).encode()
    assert verify(less).state is ReceiptState.LOGGED
    none = "\n".join(line for line in lines if not line.startswith("— witness")).encode()
    assert verify(none).state is ReceiptState.LOGGED


def test_a_receipt_of_a_log_with_q() -> None:
    record, nonce = LOG["records"][1].encode(), b"n" * 32
    data = entry_bytes(record_commitment(nonce, record), 0, genesis(ORIGIN), 5, b"q" * 32)
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=tree.leaf_hash(data))
    note = Note(text=checkpoint.text, signatures=(sign_line(log_key(), LOG_SEED, checkpoint),)).encode()
    receipt = build_receipt(data, nonce, record, [], note)
    assert verify(receipt.encode()).receipt == receipt
    with pytest.raises(InvalidInput, match=r"proof\.wrong_root"):
        verify(dataclasses.replace(receipt, entry=dataclasses.replace(receipt.entry, q=None)))


def test_every_flipped_bit_of_a_receipt_is_noticed() -> None:
    whole = verify(RECEIPT)
    for bit in range(len(RECEIPT) * 8):
        data = bytearray(RECEIPT)
        data[bit // 8] ^= 1 << bit % 8
        try:
            found = verify(bytes(data))
        except InvalidInput:
            continue
        # Only a cosignature made a stranger's gets through, and it no longer counts.
        assert found.state is ReceiptState.LOGGED
        assert (found.record, found.verified.checkpoint) == (whole.record, whole.verified.checkpoint)


def _flip(value: str) -> str:
    return ("0" if value[0] != "0" else "1") + value[1:]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda extra: extra.update(n=2), "receipt.malformed"),
        (lambda extra: extra.update(n=True), "doc.bad_field"),
        (lambda extra: extra.update(n=-1), "doc.bad_field"),
        (lambda extra: extra.update(t=extra["t"] + 1), "proof.wrong_root"),
        (lambda extra: extra.update(nonce=_flip(extra["nonce"])), "proof.wrong_root"),
        (lambda extra: extra.update(p=_flip(extra["p"])), "proof.wrong_root"),
        (lambda extra: extra.update(q="00" * 32), "proof.wrong_root"),
        (lambda extra: extra.update(q="00" * 31), "doc.bad_field"),
        (lambda extra: extra.update(nonce=extra["nonce"].upper()), "doc.bad_field"),
        (lambda extra: extra.update(nonce=extra["nonce"][2:]), "doc.bad_field"),
        (lambda extra: extra.update(typ="al1.receip"), "doc.bad_field"),
        (lambda extra: extra.update(v=2), "doc.bad_field"),
        (lambda extra: extra.update(more=1), "doc.unknown_field"),
        (lambda extra: extra.pop("t"), "doc.bad_field"),
        (lambda extra: extra.update(record=extra["record"] + "="), "receipt.malformed"),
        (lambda extra: extra.update(record=5), "doc.bad_field"),
        (lambda extra: extra.update(record=""), "doc.not_canonical"),
    ],
)
def test_a_changed_extra_is_refused(change: Callable[[dict[str, object]], None], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        verify(with_extra(change))
    assert caught.value.code == code


HASH_LINE = b64(hashlib.sha256(b"x").digest()) + "\n"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("tlog-proof@v1", "tlog-proof@v2", "receipt.malformed"),
        ("c2sp.org", "\nc2sp.org", "receipt.malformed"),
        ("\nindex 1\n", "\nindex 01\n", "receipt.malformed"),
        ("\nindex 1\n", "\nindex 0\n", "receipt.malformed"),
        ("\nindex 1\n", "\nindex  1\n", "receipt.malformed"),
        ("\nindex 1\n", "\n", "receipt.malformed"),
        ("\nextra ", "\nextra  ", "receipt.malformed"),
        ("\nextra ", "\nEXTRA ", "receipt.malformed"),
        ("\nindex 1\n", "\nindex 1\n" + HASH_LINE, "proof.too_long"),
        ("\nindex 1\n", "\nindex 1\n" + HASH_LINE * 64, "proof.too_long"),
        ("4XWV3lUvu8Mr3I584GyXTp3p83wcY1a7Bd3FrYrlz90=\n", "", "proof.too_short"),
        ("4XWV3lUvu8Mr3I584GyXTp3p83wcY1a7Bd3FrYrlz90=\n", HASH_LINE, "proof.wrong_root"),
        ("4XWV3lUvu8Mr3I584GyXTp3p83wcY1a7Bd3FrYrlz90=\n", b64(b"x" * 31) + "\n", "proof.bad_hash"),
        ("4XWV3lUvu8Mr3I584GyXTp3p83wcY1a7Bd3FrYrlz90=\n", b64(b"x" * 33) + "\n", "proof.bad_hash"),
        ("4XWV3lUvu8Mr3I584GyXTp3p83wcY1a7Bd3FrYrlz90=\n", "4XWV\n", "proof.bad_hash"),
        ("Bd3FrYrlz90=\n", "Bd3FrYrlz91=\n", "receipt.malformed"),
        ("\n\nlog.example/audit", "\nlog.example/audit", "receipt.malformed"),
        ("\nlog.example/audit\n3\n", "\nlog.example/audit\n4\n", "checkpoint.bad_signature"),
        ("\nlog.example/audit\n3\n", "\nlog.example/audit\n1\n", "checkpoint.bad_signature"),
        ("\nlog.example/audit\n3\n", "\nlog.example/audit\n0\n", "checkpoint.bad_signature"),
    ],
)
def test_a_changed_line_is_refused(old: str, new: str, code: str) -> None:
    text = RECEIPT.decode()
    assert old in text
    with pytest.raises(InvalidInput) as caught:
        verify(text.replace(old, new, 1).encode())
    assert caught.value.code == code


def test_cut_off_receipts_and_wrong_origins() -> None:
    for end in range(0, len(RECEIPT), 7):
        with pytest.raises(InvalidInput):
            verify(RECEIPT[:end])
    with pytest.raises(InvalidInput, match=r"note\.malformed"):
        verify(RECEIPT[:-1])
    with pytest.raises(InvalidInput, match=r"checkpoint\.wrong_origin"):
        verify(RECEIPT, origin="log.example/other")
    with pytest.raises(InvalidInput, match=r"receipt\.malformed"):
        parse_receipt("c2sp.org/tlog-proof@v1\nextra 明标\n\n".encode())
    with pytest.raises(InvalidInput, match=r"receipt\.too_large"):
        parse_receipt(b"x" * 5_000_000)


def test_an_index_at_the_size_of_the_tree() -> None:
    log = SignedLog().grow(3)
    record, nonce = LOG["records"][1].encode(), b"n" * 32
    data = entry_bytes(record_commitment(nonce, record), 3, log.hashes[2], 5)
    receipt = build_receipt(data, nonce, record, [], log.note())
    with pytest.raises(InvalidInput, match=r"proof\.bad_index"):
        verify(receipt)


def test_a_receipt_from_a_split_view_has_its_own_root() -> None:
    honest, other = SignedLog().grow(5), SignedLog(salt=b"other").grow(5)
    assert honest.checkpoint().root != other.checkpoint().root
    policy = parse_policy(policy_text())
    record, nonce = LOG["records"][1].encode(), b"n" * 32
    data = entry_bytes(record_commitment(nonce, record), 5, honest.hashes[4], 5)
    honest.hashes.append(tree.leaf_hash(data))
    path = tree.inclusion_proof(5, 6, tree.nodes_of(honest.hashes))
    other.grow(1)
    good = build_receipt(data, nonce, record, path, honest.note())
    assert verify_receipt(good, origin=ORIGIN, policy=policy, verify=verify_note_signature).state == "logged"
    with pytest.raises(InvalidInput, match=r"proof\.wrong_root"):
        verify(dataclasses.replace(good, checkpoint=other.note()))
