from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.build.signed_log import ORIGIN, VECTORS, SignedLog, cosign, witness_key
from trading.audit.rules import tree
from trading.audit.rules.cosigning import (
    SIZE_TYPE,
    AddCheckpoint,
    Cosigned,
    Judgement,
    Refused,
    Seen,
    SizeConflict,
    add_checkpoint_body,
    judge,
    parse_add_checkpoint,
    parse_answer,
    verified_cosignatures,
    with_cosignatures,
)
from trading.audit.rules.note import Checkpoint, parse_note
from trading.crypto.notes import verify_note_signature
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput

VECTOR = VECTORS["al1_log"]["add_checkpoint_old1"].encode()


def test_the_request_of_the_vectors() -> None:
    request = parse_add_checkpoint(VECTOR)
    assert (request.old, len(request.proof)) == (1, 2)
    assert request.note == VECTORS["al1_log"]["checkpoint"].encode()
    assert request.encode() == VECTOR
    hashes = [bytes.fromhex(value) for value in VECTORS["al1_log"]["leaf_hashes"]]
    proof = tree.consistency_proof(1, 3, tree.nodes_of(hashes))
    assert add_checkpoint_body(1, proof, request.note) == VECTOR
    checkpoint = Checkpoint(origin=ORIGIN, size=3, root=tree.root_of_hashes(hashes))
    assert judge(request, checkpoint, Seen(size=1, root=hashes[0])).status == HTTPStatus.OK


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"old 1\n",
        b"new 1\n\nnote",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"old  1\n\nnote",
        b"old 9223372036854775808\n\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n????\n\nnote",
        b"old 1\n\xff\n\nnote",
        ("old 1\n" + (b64(b"x" * 32) + "\n") * 64 + "\nnote").encode(),
        ("old 1\n" + b64(b"x" * 33) + "\n\nnote").encode(),
    ],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"witness\.malformed"):
        parse_add_checkpoint(body)


def ask(log: SignedLog, old: int, size: int, seen: Seen) -> Judgement:
    return judge(parse_add_checkpoint(log.request(old, size)), log.checkpoint(size), seen)


def test_judgements_in_their_order() -> None:
    log, fork = SignedLog().grow(8), SignedLog(salt=b"fork").grow(8)
    at5 = Seen(size=5, root=log.checkpoint(5).root)
    assert ask(log, 0, 5, Seen()).status == HTTPStatus.OK
    assert ask(log, 5, 8, at5).status == HTTPStatus.OK
    assert ask(log, 5, 5, at5).status == HTTPStatus.OK  # a heartbeat
    assert ask(log, 0, 0, Seen()).status == HTTPStatus.OK
    assert ask(log, 5, 3, at5).status == HTTPStatus.BAD_REQUEST  # rolled back, and says so
    assert ask(log, 3, 3, at5) == Judgement(status=HTTPStatus.CONFLICT, reason="old size is not the last size")
    assert ask(log, 0, 8, at5).status == HTTPStatus.CONFLICT
    assert ask(log, 6, 8, at5).status == HTTPStatus.CONFLICT
    assert ask(fork, 5, 8, at5).status == HTTPStatus.UNPROCESSABLE_ENTITY
    same = ask(fork, 5, 5, at5)
    assert (same.status, same.fraud) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    hidden = ask(fork, 3, 5, at5)
    assert (hidden.status, hidden.fraud) == (HTTPStatus.CONFLICT, True)


def test_proofs_that_are_not_the_proof() -> None:
    log = SignedLog().grow(8)
    at5, proof = Seen(size=5, root=log.checkpoint(5).root), parse_add_checkpoint(log.request(5)).proof
    for wrong in (proof[:-1], proof[1:], (*proof, proof[0]), proof[::-1], ()):
        request = AddCheckpoint(old=5, proof=wrong, note=b"")
        assert judge(request, log.checkpoint(), at5).status == HTTPStatus.UNPROCESSABLE_ENTITY
    needless = AddCheckpoint(old=0, proof=(b"x" * 32,), note=b"")
    assert judge(needless, log.checkpoint(), Seen()).status == HTTPStatus.UNPROCESSABLE_ENTITY
    again = AddCheckpoint(old=5, proof=(b"x" * 32,), note=b"")
    assert judge(again, log.checkpoint(5), at5).status == HTTPStatus.UNPROCESSABLE_ENTITY
    empty = Checkpoint(origin=ORIGIN, size=0, root=b"x" * 32)
    assert judge(AddCheckpoint(old=0, proof=(), note=b""), empty, Seen()).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_answers_of_a_witness() -> None:
    line = cosign(1, SignedLog().grow(2).checkpoint(), 9)
    assert parse_answer(200, "text/plain", (line.encode() * 2).encode()) == Cosigned(lines=(line, line))
    assert parse_answer(409, SIZE_TYPE, b"17\n") == SizeConflict(size=17)
    assert parse_answer(409, SIZE_TYPE + "; charset=utf-8", b"0\n") == SizeConflict(size=0)
    assert parse_answer(422, None, b"another history\n") == Refused(status=422, reason="another history")
    assert parse_answer(503, None, b"\xff" * 999) == Refused(status=503, reason="�" * 200)
    for status, kind, body in (
        (200, None, b""),
        (200, None, b"junk\n"),
        (200, None, line.encode().encode()[:-1]),
        (200, None, b"\xff\n"),
        (200, None, line.encode().encode() * 2000),
        (409, "text/plain", b"17\n"),
        (409, None, b"17\n"),
        (409, SIZE_TYPE, b"17"),
        (409, SIZE_TYPE, b"017\n"),
        (409, SIZE_TYPE, b"-1\n"),
    ):
        with pytest.raises(InvalidInput, match=r"witness\.bad_answer"):
            parse_answer(status, kind, body)


def test_cosignatures_are_verified_before_they_are_merged() -> None:
    log = SignedLog().grow(4)
    checkpoint = log.checkpoint()
    lines = [cosign(number, checkpoint, 10 + number) for number in (1, 2, 3)]
    keys = [witness_key(1), witness_key(2)]
    found = verified_cosignatures(lines, checkpoint, keys, verify_note_signature)
    assert {key: time_s for key, (_, time_s) in found.items()} == {keys[0]: 11, keys[1]: 12}
    for bad in ([lines[0], lines[0]], [cosign(1, log.checkpoint(3), 11)]):
        with pytest.raises(InvalidInput, match=r"checkpoint\.bad_signature"):
            verified_cosignatures(bad, checkpoint, keys, verify_note_signature)
    note = with_cosignatures(parse_note(log.note()), lines[:2])
    later = cosign(1, checkpoint, 99)
    newer = with_cosignatures(note, [later])
    assert newer.signatures == (*parse_note(log.note()).signatures, lines[1], later)
