from __future__ import annotations

import pytest

from tests.build.signed_log import (
    LOG_SEED,
    ORIGIN,
    VECTORS,
    SignedLog,
    cosign,
    log_key,
    sign_line,
    witness_key,
)
from trading.audit.rules.note import (
    ED25519,
    ML_DSA_44,
    Checkpoint,
    Note,
    SignatureLine,
    VerifiedCheckpoint,
    VerifierKey,
    check_key_name,
    cosignature_message,
    message_to_sign,
    parse_checkpoint_text,
    parse_decimal,
    parse_note,
    parse_signature_line,
    parse_vkey,
    signature_line,
    subtree_message,
    verify_checkpoint,
    verify_line,
)
from trading.crypto.notes import sign_mldsa44, verify_note_signature
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput

ABC, LOG = VECTORS["al1_abc"], VECTORS["al1_log"]
WITNESSED = LOG["checkpoint_witnessed"].encode()
WITNESSES = tuple(witness_key(number) for number in (1, 2, 3))


def verify(note: bytes, *, origin: str = ORIGIN, logs: tuple[VerifierKey, ...] = (log_key(),)) -> VerifiedCheckpoint:
    return verify_checkpoint(note, origin, logs, WITNESSES, verify_note_signature)


def test_keys_of_the_vectors() -> None:
    assert log_key().vkey == ABC["vkey"] == LOG["log_vkey"]
    assert [key.vkey for key in WITNESSES] == LOG["witness_vkeys"]
    for text in (ABC["vkey"], *LOG["witness_vkeys"], LOG["mldsa44"]["vkey"]):
        assert parse_vkey(text).vkey == text
    key = log_key()
    assert key.kid.startswith(key.key_id.hex())


def test_notes_of_the_vectors() -> None:
    log = SignedLog()
    log.entries = [entry.encode() for entry in LOG["entries"]]
    log.hashes = [bytes.fromhex(value) for value in LOG["leaf_hashes"]]
    assert log.checkpoint().text == LOG["checkpoint_body"]
    assert log.note().decode() == LOG["checkpoint"]
    assert log.note(cosigners=[(1, 1700003610), (2, 1700003611)]) == WITNESSED
    lines = [cosign(number, log.checkpoint(), 1700003609 + number).encode() for number in (1, 2, 3)]
    assert lines == LOG["cosignatures"]


def test_the_witnessed_checkpoint_of_the_vectors() -> None:
    found = verify(WITNESSED)
    assert (found.checkpoint.origin, found.checkpoint.size, found.checkpoint.root.hex()) == (ORIGIN, 3, LOG["root"])
    assert found.times == {WITNESSES[0]: 1700003610, WITNESSES[1]: 1700003611}
    assert found.log_keys == (log_key(),)
    assert parse_note(WITNESSED).encode() == WITNESSED


def test_the_ml_dsa_cosignature_of_the_vectors() -> None:
    case = LOG["mldsa44"]
    key, checkpoint = parse_vkey(case["vkey"]), parse_checkpoint_text(LOG["checkpoint_body"])
    line = parse_signature_line(case["cosignature"].removesuffix("\n"))
    assert key.kind == ML_DSA_44
    assert subtree_message(key.name, case["time"], checkpoint).hex() == case["message_hex"]
    assert verify_line(line, key, checkpoint, verify_note_signature) == case["time"]
    # Signing is randomised, so a new signature is only verified, together with the rest of the note.
    signature = sign_mldsa44(bytes.fromhex(case["seed"]), message_to_sign(key, checkpoint, 5))
    note = WITNESSED + signature_line(key, signature, 5).encode().encode()
    found = verify_checkpoint(note, ORIGIN, [log_key()], [*WITNESSES, key], verify_note_signature)
    assert found.times[key] == 5
    with pytest.raises(InvalidInput, match=r"checkpoint\.bad_signature"):
        verify_line(line, key, Checkpoint(origin=ORIGIN, size=4, root=checkpoint.root), verify_note_signature)


def test_messages_carry_the_time() -> None:
    assert cosignature_message(1700003610, "a\n1\nb\n") == b"cosignature/v1\ntime 1700003610\na\n1\nb\n"
    with pytest.raises(ValueError, match="time"):
        signature_line(WITNESSES[0], b"x" * 64)
    with pytest.raises(ValueError, match="time"):
        signature_line(log_key(), b"x" * 64, 1)


def test_unknown_keys_are_ignored() -> None:
    stranger = sign_line(
        VerifierKey(name=ORIGIN, kind=ED25519, public_key=b"k" * 32), LOG_SEED, verify(WITNESSED).checkpoint
    )
    same_id = SignatureLine(name="other.example", key_id=log_key().key_id, signature=b"x" * 64)
    junk = SignatureLine(name="z", key_id=b"none", signature=b"x")
    note = WITNESSED + "".join(line.encode() for line in (stranger, same_id, junk, junk)).encode()
    assert verify(note).times == verify(WITNESSED).times


def test_a_known_key_twice_or_wrong_spoils_the_note() -> None:
    checkpoint = verify(WITNESSED).checkpoint
    for line in (
        cosign(1, checkpoint, 1700003610),  # the very same line again
        cosign(1, checkpoint, 1700003699),  # a second, valid one
        sign_line(log_key(), LOG_SEED, checkpoint),
        SignatureLine(name=WITNESSES[2].name, key_id=WITNESSES[2].key_id, signature=b"x" * 72),
        SignatureLine(name=WITNESSES[2].name, key_id=WITNESSES[2].key_id, signature=b"x" * 71),
        SignatureLine(name=WITNESSES[2].name, key_id=WITNESSES[2].key_id, signature=b"x"),
    ):
        with pytest.raises(InvalidInput, match=r"checkpoint\.bad_signature"):
            verify(WITNESSED + line.encode().encode())


def test_every_flipped_bit_of_the_note_is_noticed() -> None:
    whole = verify(WITNESSED)
    for bit in range(len(WITNESSED) * 8):
        data = bytearray(WITNESSED)
        data[bit // 8] ^= 1 << bit % 8
        try:
            found = verify(bytes(data))
        except InvalidInput:
            continue
        # A flip in the name or key id of a cosignature makes it a stranger's: fewer witnesses, never another content.
        assert found.checkpoint == whole.checkpoint
        assert set(found.times.items()) < set(whole.times.items())


def test_the_log_itself_must_have_signed() -> None:
    log = SignedLog().grow(3)
    without = Note(text=log.checkpoint().text, signatures=(cosign(1, log.checkpoint(), 1),)).encode()
    with pytest.raises(InvalidInput, match=r"checkpoint\.not_signed"):
        verify(without)
    with pytest.raises(InvalidInput, match=r"checkpoint\.not_signed"):
        verify(log.note(), logs=(log_key(seed=b"\x09" * 32),))
    with pytest.raises(InvalidInput, match=r"checkpoint\.not_signed"):
        verify(log.note(), logs=(log_key("other.example"),))
    with pytest.raises(InvalidInput, match=r"checkpoint\.wrong_origin"):
        verify(log.note(), origin="other.example")


def test_two_known_keys_with_one_key_id_are_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four bytes can be found by brute force; the policy refuses such a pair, so here it would be our own mistake.
    monkeypatch.setattr(VerifierKey, "key_id", b"same")
    twin = VerifierKey(name=ORIGIN, kind=ED25519, public_key=b"t" * 32)
    with pytest.raises(ValueError, match="share the name"):
        verify_checkpoint(SignedLog().grow(3).note(), ORIGIN, [log_key(), twin], [], verify_note_signature)


def test_both_keys_of_a_rotation() -> None:
    log, old, new = SignedLog().grow(2), log_key(), log_key(seed=b"\x08" * 32)
    lines = [sign_line(old, LOG_SEED, log.checkpoint()), sign_line(new, b"\x08" * 32, log.checkpoint())]
    note = Note(text=log.checkpoint().text, signatures=tuple(lines)).encode()
    for known in ((old,), (new,), (old, new)):
        assert verify(note, logs=known).log_keys == known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.example/audit\n3\n",
        "log.example/audit\n3\n" + b64(b"r" * 32),
        "log.example/audit\n3\n" + b64(b"r" * 32) + "\nextension\n",
        "\n3\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n03\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n+3\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n-3\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n9223372036854775808\n" + b64(b"r" * 32) + "\n",
        "log.example/audit\n3\n" + b64(b"r" * 31) + "\n",
        "log.example/audit\n3\n" + b64(b"r" * 33) + "\n",
        "log.example/audit\n3\n" + b64(b"r" * 32).rstrip("=") + "\n",
        "log.example/audit\n3\n" + b64(b"r" * 32)[:-2] + "J=\n",
        "log.example/audit\n3 \n" + b64(b"r" * 32) + "\n",
        "log example\n3\n" + b64(b"r" * 32) + "\n",
        "log+example\n3\n" + b64(b"r" * 32) + "\n",
    ],
)
def test_other_texts_are_no_checkpoint(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"checkpoint\.malformed"):
        parse_checkpoint_text(text)


LINE = cosign(1, SignedLog().grow(1).checkpoint(), 7).encode()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno dash name b64\n",
        ("text\n\n" + LINE)[:-1].encode(),  # the last newline is missing
        ("text\n" + LINE).encode(),  # no empty line
        ("te\0xt\n\n" + LINE).encode(),
        ("te\rxt\n\n" + LINE).encode(),
        ("text\n\n" + LINE).encode().replace(b"text", b"te\xff"),
        ("text\n\n" + LINE.replace("— ", "- ")).encode(),
        ("text\n\n" + LINE.replace(" ", "  ", 1)).encode(),
        ("text\n\n" + LINE.replace("\n", " \n")).encode(),
        ("text\n\n" + LINE.replace("=", "")).encode(),
        "text\n\n— name AAAAAA==\n".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
    ],
)
def test_other_bytes_are_no_note(note: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"note\.malformed"):
        parse_note(note)


def test_limits_of_a_note() -> None:
    checkpoint = SignedLog().grow(1)
    many = [SignatureLine(name=f"w{number}", key_id=b"abcd", signature=b"x" * 72) for number in range(100)]
    parse_note(checkpoint.note() + "".join(line.encode() for line in many[:16]).encode())
    text = checkpoint.checkpoint().text
    assert len(parse_note(Note(text=text, signatures=tuple(many)).encode()).signatures) == 100
    with pytest.raises(InvalidInput, match=r"note\.too_large"):
        parse_note(Note(text=text, signatures=(*many, many[0])).encode())
    big = SignatureLine(name="w", key_id=b"abcd", signature=b"x" * 50_000)
    with pytest.raises(InvalidInput, match=r"note\.too_large"):
        parse_note(Note(text=text, signatures=(big,)).encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+5f469888",
        ABC["vkey"].replace("5f469888", "5f469889"),
        ABC["vkey"].replace("5f469888", "5F469888"),
        ABC["vkey"].replace("log.example", "lag.example"),
        ABC["vkey"].replace("log.example/audit", ""),
        ABC["vkey"][:-1],
        ABC["vkey"] + "\n",
        "name+00000000+" + b64(b"\x02" + b"k" * 32),
        "name+00000000+" + b64(b"\x01" + b"k" * 31),
        "name+00000000+",
        "na me+00000000+" + b64(b"\x01" + b"k" * 32),
    ],
)
def test_other_texts_are_no_vkey(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"note\.bad_key"):
        parse_vkey(text)


def test_names_and_decimals() -> None:
    assert check_key_name("明标.example/日志") == "明标.example/日志"
    for name in ("", "a b", "a+b", "a\tb", "a\u00a0b", "a\u3000b", "x" * 256):
        with pytest.raises(InvalidInput, match=r"note\.bad_key"):
            check_key_name(name)
    assert parse_decimal("9223372036854775807") == 2**63 - 1
    for text in ("", "00", "01", " 1", "1 ", "1_0", "+1", "-1", "1.0", "٣", "9223372036854775808", "9" * 30):
        with pytest.raises(ValueError, match="decimal"):
            parse_decimal(text)
