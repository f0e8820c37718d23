"""Vectors of AL1 L14 and TE1 T12: entries, checkpoints, cosignatures, receipts, bounds."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verifier.bounds import lower_ms, time_verdict, upper_ms
from verifier.hashing import genesis, hex_digest, record_commitment
from verifier.merkle import ProofFault, leaf_hash, root_of, verify_consistency, verify_inclusion
from verifier.notes import Checkpoint, Cosigned, NoteFault, parse_checkpoint, parse_note, parse_vkey
from verifier.policy import (
    LogPolicy,
    PolicyFault,
    SignedCheckpoint,
    parse_log_policy,
    quorum_time,
    verify_checkpoint,
)
from verifier.proofs import entry_bytes, parse_proof
from verifier.tiles import EntryChain

VECTORS: dict[str, Any] = json.loads(Path("tests/vectors/protocols.json").read_text("utf-8"))
ABC, LOG = VECTORS["al1_abc"], VECTORS["al1_log"]
ORIGIN = LOG["origin"]


def policy(extra: str = "") -> LogPolicy:
    return parse_log_policy(extra + LOG["policy"])


def test_three_entries() -> None:
    assert genesis(ORIGIN).hex() == ABC["genesis_p0"]
    chain = EntryChain(ORIGIN)
    for n, entry in enumerate(ABC["entries"]):
        h, t = chain.take(n, entry.encode())
        assert (h.decode(), t) == (hex_digest(ABC["h_of"][n].encode()), ABC["t"])
    root = root_of([entry.encode() for entry in ABC["entries"]])
    assert base64.b64encode(root).decode() == ABC["root_b64"]
    bare = parse_log_policy(f"log {ABC['vkey']}\nquorum none\n")
    note = verify_checkpoint(ABC["checkpoint"].encode(), bare, ORIGIN)
    assert note.checkpoint.root == root
    assert not note.witnessed
    assert hex_digest(note.text.encode()) == ABC["tst_imprint_sha256"]


def test_entries_with_q() -> None:
    chain = EntryChain(ORIGIN)
    for n, entry in enumerate(ABC["with_q"]["entries"]):
        chain.take(n, entry.encode())
    root = root_of([entry.encode() for entry in ABC["with_q"]["entries"]])
    assert base64.b64encode(root).decode() == ABC["with_q"]["root_b64"]


def test_q_is_checked() -> None:
    chain = EntryChain(ORIGIN)
    entry = ABC["with_q"]["entries"][0].replace('"q":"', '"q":"0')
    with pytest.raises(ValueError, match="entry 0"):
        chain.take(0, entry[: entry.index('","t"') - 1].encode() + entry[entry.index('","t"') :].encode())


def test_records_entries_and_leaves() -> None:
    before = genesis(ORIGIN)
    for n, (record, nonce) in enumerate(zip(LOG["records"], LOG["nonces"], strict=True)):
        h = record_commitment(bytes.fromhex(nonce), record.encode())
        assert h.hex() == LOG["h"][n]
        t = json.loads(LOG["entries"][n])["t"]
        entry = entry_bytes(h, n, before, None, t)
        assert entry.decode() == LOG["entries"][n]
        before = leaf_hash(entry)
        assert before.hex() == LOG["leaf_hashes"][n]
    assert root_of([entry.encode() for entry in LOG["entries"]]).hex() == LOG["root"]
    assert root_of([LOG["bids_root_leaf"].encode()]).hex() == LOG["bids_root"]


def test_witnessed_checkpoint() -> None:
    note = verify_checkpoint(LOG["checkpoint_witnessed"].encode(), policy(), ORIGIN)
    assert (note.t_up, note.t_low) == (1700003611, 1700003610)  # two of the three lines
    assert note.text == LOG["checkpoint_body"]
    assert hex_digest(note.text.encode()) == LOG["tst_imprint_sha256"]
    logged = verify_checkpoint(LOG["checkpoint"].encode(), policy(), ORIGIN)
    assert (logged.witnessed, logged.checkpoint) == (False, note.checkpoint)


def test_mldsa44_cosignature() -> None:
    vector = LOG["mldsa44"]
    rules = parse_log_policy(f"log {LOG['log_vkey']}\nwitness w4 {vector['vkey']}\nquorum w4\n")
    note = LOG["checkpoint"] + vector["cosignature"]
    assert verify_checkpoint(note.encode(), rules, ORIGIN).t_up == vector["time"]
    with pytest.raises(NoteFault, match="does not verify"):
        verify_checkpoint(note.replace(vector["cosignature"][60:70], "A" * 10).encode(), rules, ORIGIN)


def test_old_library_without_mldsa_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    vector = LOG["mldsa44"]
    monkeypatch.setattr("verifier.notes.importlib.import_module", absent)
    rules = parse_log_policy(f"log {LOG['log_vkey']}\nwitness w4 {vector['vkey']}\nquorum w4\n")
    note = verify_checkpoint((LOG["checkpoint"] + vector["cosignature"]).encode(), rules, ORIGIN)
    assert (note.unverified, note.witnessed) == (["witness4.example"], False)


def test_stored_consistency_proof() -> None:
    body = LOG["add_checkpoint_old1"].split("\n\n", 1)[0].split("\n")
    path = [base64.b64decode(line) for line in body[1:]]
    root = bytes.fromhex(LOG["root"])
    verify_consistency(1, 3, bytes.fromhex(LOG["leaf_hashes"][0]), root, path)


def test_receipt() -> None:
    proof = parse_proof(LOG["receipt"].encode())
    note = verify_checkpoint(proof.checkpoint, policy(), ORIGIN)
    verify_inclusion(proof.n, note.checkpoint.size, proof.leaf, proof.path, note.checkpoint.root)
    assert (proof.n, proof.h.hex()) == (1, LOG["h"][1])
    assert note.witnessed


def receipt_of(change: Callable[[dict[str, Any]], None]) -> bytes:
    lines = LOG["receipt"].split("\n")
    extra = json.loads(base64.b64decode(lines[1][6:]))
    change(extra)
    text = json.dumps(extra, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    lines[1] = "extra " + base64.b64encode(text.encode()).decode()
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra.update(n=2),
        lambda extra: extra.update(t=extra["t"] + 1),
        lambda extra: extra.update(p="0" * 64),
        lambda extra: extra.update(nonce="0" * 64),
        lambda extra: extra.update(q="0" * 64),
        lambda extra: extra.update(v=2),
        lambda extra: extra.update(more=1),
        lambda extra: extra.pop("nonce"),
        lambda extra: extra.update(record=extra["record"][:-2]),
        lambda extra: extra.update(nonce="0" * 62),
    ],
)
def test_changed_extra_lines(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(ProofFault):
        judge(receipt_of(change))


def judge(data: bytes) -> None:
    proof = parse_proof(data)
    note = verify_checkpoint(proof.checkpoint, policy(), ORIGIN)
    verify_inclusion(proof.n, note.checkpoint.size, proof.leaf, proof.path, note.checkpoint.root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("index 1", "index 01"),
        ("index 1", "index 2"),
        ("index 1", "index 3"),
        ("index 1", "Index 1"),
        ("@v1", "@v2"),
        ("4XWV", "5XWV"),
        ("XDQL", "AAAA"),
        ("\nXDQLqE0/o0KyE9UpiT5O70O8NuRu9OSpwxH37/Z2Lu4=", ""),
        ("\nXDQL", "\nXDQLqE0/o0KyE9UpiT5O70O8NuRu9OSpwxH37/Z2Lu4=\nXDQL"),
        ("\nXDQLqE0/o0KyE9UpiT5O70O8NuRu9OSpwxH37/Z2Lu4=", "\nXDQL"),
        ("\n3\n", "\n03\n"),
        ("\n3\n", "\n1\n"),
        ("\n3\n", "\n0\n"),
        ("\nlog.example/audit\n", "\nlog.example/other\n"),
        ("Q5tZ", "R5tZ"),
        ("— log.example/audit X0aYiIMO", "— log.example/audit X0aYiIMP"),
        ("— witness1.example 0AicBgAAAABlU/8a", "— witness1.example 0AicBgAAAABlU/8b"),
        ("extra ", "extra"),
    ],
)
def test_changed_receipts(old: str, new: str) -> None:
    assert old in LOG["receipt"]
    with pytest.raises((ProofFault, NoteFault)):
        judge(LOG["receipt"].replace(old, new, 1).encode())


def test_every_flipped_bit_of_a_receipt_is_found_or_harmless() -> None:
    data = LOG["receipt"].encode()
    harmless = 0
    for position in range(0, len(data), 3):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        try:
            judge(bytes(changed))
        except (ProofFault, NoteFault):
            continue
        harmless += 1
        assert b"witness" in data[: position + 40][-80:], "only the name or key id of a witness line may be ignored"
    assert harmless < 40


def test_a_note_with_one_cosignature_removed_is_only_logged() -> None:
    lines = LOG["checkpoint_witnessed"].splitlines(keepends=True)
    assert not verify_checkpoint("".join(lines[:6]).encode(), policy(), ORIGIN).witnessed


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note[:-1],
        lambda note: note + note.splitlines(keepends=True)[-1],
        lambda note: note.replace("\n\n", "\nextension\n\n", 1),
        lambda note: note.replace("\n\n", "\n", 1),
        lambda note: note.replace("3\n", "3\r\n", 1),
        lambda note: "x" * 65536 + note,
        lambda note: "\n".join(line for line in note.split("\n") if "— log" not in line),
    ],
)
def test_malformed_notes(change: Callable[[str], str]) -> None:
    with pytest.raises(NoteFault):
        verify_checkpoint(change(LOG["checkpoint_witnessed"]).encode(), policy(), ORIGIN)


@pytest.mark.parametrize("text", ["a\n1\n", "a\n1\nAAAA\n", "\n1\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\n!\n"])
def test_malformed_checkpoint_texts(text: str) -> None:
    with pytest.raises(NoteFault):
        parse_checkpoint(text)


def test_notes_without_signatures() -> None:
    for data in (b"", b"a\n", b"a\n\n", b"a\n\nb\n", b"\xff\n\n", b"a\n\n\xe2\x80\x94 x AAAA\n"):
        with pytest.raises(NoteFault):
            parse_note(data)


@pytest.mark.parametrize("change", ["+5f469889+", "+5F469888+", "+"])
def test_vkeys_are_checked(change: str) -> None:
    with pytest.raises(NoteFault):
        parse_vkey(LOG["log_vkey"].replace("+5f469888+", change))


W1, W2, W3 = LOG["witness_vkeys"]
HEAD = f"log {LOG['log_vkey']}\nwitness a {W1}\nwitness b {W2}\nwitness c {W3}\n"


@pytest.mark.parametrize(
    ("rules", "met", "unmet"),
    [
        ("group g 2 a b c\nquorum g\n", "ab", "a"),
        ("group g any a b c\nquorum g\n", "c", ""),
        ("group g all a b c\nquorum g\n", "abc", "ab"),
        ("group g any a b\ngroup h all g c\nquorum h\n", "ac", "ab"),
        ("quorum b\n", "b", "ac"),
        ("# note\n\n  group\tg 1 a\nquorum g\n", "a", "b"),
    ],
)
def test_policies(rules: str, met: str, unmet: str) -> None:
    parsed = parse_log_policy(HEAD + rules)
    keys = {name: parsed.witnesses[name].public for name in "abc"}
    assert parsed.met_by({keys[name] for name in met})
    assert not parsed.met_by({keys[name] for name in unmet})


def test_no_quorum_is_never_met() -> None:
    parsed = parse_log_policy(HEAD + "quorum none\n")
    assert not parsed.met_by({key.public for key in parsed.witnesses.values()})


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "quorum a\nquorum a\n",
        "quorum x\n",
        "group g 4 a b c\nquorum g\n",
        "group g 0 a\nquorum g\n",
        "group g 2 a a\nquorum g\n",
        "group g any x\nquorum g\n",
        "group g any a\ngroup h any a\nquorum h\n",
        "group a any b\nquorum a\n",
        f"witness a {W1}\nquorum a\n",
        f"witness d {W1}\nquorum a\n",
        f"witness d {LOG['log_vkey']}\nquorum d\n",
        f"log {LOG['log_vkey']}\nquorum a\n",
        f"log {W1}\nquorum a\n",
        "witness d x\nquorum a\n",
        "other\nquorum a\n",
    ],
)
def test_refused_policies(rules: str) -> None:
    with pytest.raises(PolicyFault):
        parse_log_policy(HEAD + rules)


def test_a_policy_of_many_lines() -> None:
    lines = "".join(f"group g{i} any {name}\n" for i, name in enumerate("abc"))
    lines += "group h3 any g0 g1 g2\n" + "".join(f"group h{i} any h{i - 1}\n" for i in range(4, 40))
    assert parse_log_policy(HEAD + lines + "quorum h39\n").met_by({parse_vkey(W3).public})


@pytest.mark.parametrize("case", VECTORS["te1"]["bounds"])
def test_time_bounds(case: dict[str, Any]) -> None:
    rules = parse_log_policy(HEAD + f"group g {case['quorum']} a b c\nquorum g\n")
    cosigned = [
        Cosigned(key, time) for key, time in zip(rules.witnesses.values(), case["cosignature_times"], strict=False)
    ]
    note = SignedCheckpoint(
        Checkpoint(ORIGIN, 3, bytes(32)),
        "",
        cosigned,
        quorum_time(rules, cosigned),
        quorum_time(rules, cosigned, -1),
        [],
    )
    assert (note.t_up, note.t_low) == (case["T_up"], case["T_low"])
    assert [upper_ms(n, [note]) for n in range(3)] == [case["upper_ms"]] * 3
    assert (upper_ms(3, [note]), lower_ms(3, [note]), lower_ms(2, [note])) == (None, case["lower_ms"], 0)


@pytest.mark.parametrize("case", VECTORS["te1"]["verdicts"])
def test_time_verdicts(case: dict[str, Any]) -> None:
    found = time_verdict(
        case["n"], case["n_close"], case["close"], case["upper_ms"], case["lower_ms"], case["intake_upper_ms"]
    )
    assert found == case["verdict"]


@pytest.mark.parametrize(
    ("n", "entry", "message"),
    [
        (0, ABC["entries"][1], "number"),
        (0, ABC["entries"][0].replace('"n":0', '"n":00'), "canonical"),
        (0, ABC["entries"][0].replace('"p":"5', '"p":"6'), "leaf hash"),
        (0, ABC["entries"][0] + " ", "canonical"),
        (0, '{"n":0,"h":"' + "0" * 64 + '"}', "canonical"),
    ],
)
def test_refused_entries(n: int, entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntryChain(ORIGIN).take(n, entry.encode())


def test_time_may_not_decrease() -> None:
    chain = EntryChain(ORIGIN)
    chain.take(0, ABC["entries"][0].encode())
    with pytest.raises(ValueError, match="t decreases"):
        chain.take(1, ABC["entries"][1].replace('"t":17', '"t":16').encode())


def test_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(NoteFault):
        parse_vkey("a+00000000+" + base64.b64encode(b"\x05" + bytes(32)).decode())
