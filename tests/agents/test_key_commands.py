from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.keys import main as key
from agents.signing import TYPES, admit, describe, sign
from tests.build.bid_documents import VECTORS
from tests.build.sealed_lot import Lot, signer
from trading.crypto.keyfiles import is_encrypted, load_es256, save_es256
from trading.crypto.signatures import Es256Signer, SignedDocument, verify_es256
from trading.kernel import canonical
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput

PHRASE = "a long enough phrase"
CHALLENGE = "0a" * 32
LOT = Lot()


def run(command: object, *arguments: object, code: int = 0, answer: str = "", phrase: str | None = PHRASE) -> Result:
    environment = {"LANG": "en_GB.UTF-8", "LC_ALL": "", "MINGBIAO_PASSPHRASE": phrase}
    result = CliRunner().invoke(command, list(map(str, arguments)), env=environment, input=answer)  # type: ignore[arg-type]
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def test_a_new_key_is_encrypted_and_its_public_half_stands_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "bidder.pem"
    printed = run(key, "new", "--role", "bidder", "--out", out).output.split()[-1]
    assert is_encrypted(out)
    assert out.stat().st_mode & 0o777 == 0o600
    signed_by = load_es256(out, PHRASE)
    public = canonical.loads_object((tmp_path / "bidder.pem.pub").read_bytes())
    assert printed == public["kid"] == signed_by.kid
    assert b64u_decode(public["key"]) == signed_by.spki
    assert public["role"] == "bidder"
    assert run(key, "show", out).output.strip() == canonical.dumps(public).decode()
    run(key, "new", "--role", "bidder", "--out", out, code=1)  # never overwritten


def test_the_passphrase_comes_from_file_or_prompt_and_is_not_weak(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("from a file, ten\n")
    file.chmod(0o600)
    run(key, "new", "--role", "agency", "--out", tmp_path / "a", "--passphrase-file", file)
    assert load_es256(tmp_path / "a", "from a file, ten").kid
    run(key, "new", "--role", "agency", "--out", tmp_path / "b", phrase=None, answer=f"{PHRASE}\n{PHRASE}\n")
    assert load_es256(tmp_path / "b", PHRASE).kid
    assert (
        "key.weak_passphrase"
        in run(key, "new", "--role", "ack", "--out", tmp_path / "c", phrase="short", code=1).output
    )
    file.chmod(0o644)
    run(key, "new", "--role", "agency", "--out", tmp_path / "d", "--passphrase-file", file, code=1)
    warned = run(key, "new", "--role", "ack", "--out", tmp_path / "e", "--no-passphrase").output
    assert "demonstrations only" in warned
    assert not is_encrypted(tmp_path / "e")


def test_enrolment_proves_possession_and_may_be_countersigned(tmp_path: Path) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "enrol.json"
    for file in (first, second):
        run(key, "new", "--role", "bidder", "--out", file)
    arguments = ("--account", "a-1", "--org", "91310000MA1FL0XX0X", "--challenge", CHALLENGE, "--out", out)
    run(key, "enrol", "--key", second, "--role", "bidder", *arguments, "--countersign", first)
    signed = SignedDocument.from_wire(out.read_bytes())
    content = canonical.loads_object(signed.doc)
    assert (content["challenge"], content["account"], content["role"]) == (CHALLENGE, "a-1", "bidder")
    for file in (first, second):
        own = load_es256(file, PHRASE)
        (signature,) = [item for item in signed.sigs if item["kid"] == own.kid]
        verify_es256(own.spki, signed.doc, signature)
    assert b64u_decode(content["key"]) == load_es256(second, PHRASE).spki


def test_one_key_has_one_role(tmp_path: Path) -> None:
    run(key, "new", "--role", "bidder", "--out", tmp_path / "k")
    arguments = ("--account", "a-1", "--org", "91310000MA1FL0XX0X", "--challenge", CHALLENGE, "--out", tmp_path / "o")
    assert "key.other_role" in run(key, "enrol", "--key", tmp_path / "k", "--role", "agency", *arguments, code=1).output
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("change", [("--challenge", "0a"), ("--org", "short"), ("--challenge", "0A" * 32)])
def test_malformed_enrolments_are_not_signed(tmp_path: Path, change: tuple[str, str]) -> None:
    save_es256(tmp_path / "k", signer(7), None)
    given = {"--account": "a-1", "--org": "91310000MA1FL0XX0X", "--challenge": CHALLENGE, "--out": str(tmp_path / "o")}
    given[change[0]] = change[1]
    words = [word for pair in given.items() for word in pair]
    run(key, "enrol", "--key", tmp_path / "k", "--role", "bidder", *words, code=1)
    assert not (tmp_path / "o").exists()


def test_revocation(tmp_path: Path) -> None:
    save_es256(tmp_path / "k", signer(7), None)
    out = tmp_path / "revoke.json"
    run(key, "revoke", "--key", tmp_path / "k", "--reason", "lost", "--out", out, code=1, answer="n\n")
    run(key, "revoke", "--key", tmp_path / "k", "--reason", "lost", "--kid", "ab" * 32, "--out", out, "--yes")
    signed = SignedDocument.from_wire(out.read_bytes())
    assert canonical.loads_object(signed.doc)["kid"] == "ab" * 32
    verify_es256(signer(7).spki, signed.doc, signed.sigs[0])


# --- sign ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def agency(tmp_path: Path) -> Path:
    path = tmp_path / "agency.pem"
    save_es256(path, LOT.agency, None)
    return path


def test_documents_are_read_out_and_signed(tmp_path: Path, agency: Path) -> None:
    policy, schedule, out = tmp_path / "policy.json", tmp_path / "schedule.json", tmp_path / "signed"
    policy.write_bytes(LOT.policy_bytes)
    schedule.write_bytes(LOT.schedule_bytes)
    out.mkdir()
    spoken = run(sign, policy, schedule, "--key", agency, "--out", out, answer="y\n").output
    for word in ("opening policy", "k: 3", "role notary", "demo: True", "schedule", "2096-10-02"):
        assert word in spoken
    for name, document in (("policy", LOT.policy_bytes), ("schedule", LOT.schedule_bytes)):
        signed = SignedDocument.from_wire((out / f"{name}.signed.json").read_bytes())
        assert signed.doc == document
        verify_es256(LOT.agency.spki, document, signed.sigs[0])


def test_a_second_signature_joins_the_first(tmp_path: Path, agency: Path) -> None:
    policy, supervisor = tmp_path / "policy.json", tmp_path / "supervisor.pem"
    policy.write_bytes(LOT.policy_bytes)
    save_es256(supervisor, signer(3), None)
    run(sign, policy, "--key", agency, "--yes")
    run(sign, tmp_path / "policy.signed.json", "--key", supervisor, "--yes", "--out", tmp_path / "both.json")
    both = SignedDocument.from_wire((tmp_path / "both.json").read_bytes())
    assert {item["kid"] for item in both.sigs} == {LOT.agency.kid, signer(3).kid}
    run(sign, tmp_path / "both.json", "--key", agency, "--yes", code=1)  # one key signs once


def test_nothing_is_signed_without_consent(tmp_path: Path, agency: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_bytes(LOT.policy_bytes)
    run(sign, policy, "--key", agency, answer="n\n", code=1)
    assert not list(tmp_path.glob("*.signed.json"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"%PDF-1.7",
        b"{}",
        b"[]",
        b'{"typ":"mb.example","v":1}',
        b'{"typ":"mb.ack","v":1}',
        b'{"typ":"sb1.policy","v":1}',
        LOT.policy_bytes + b"\n",
        LOT.policy_bytes.replace(b'"k":3', b'"k": 3'),
        LOT.policy_bytes.replace(b'"demo":true', b'"demo":true,"extra":1'),
        b'{"typ":"mb.notice","v":2}',
        b'{"doc":"e30","sigs":[]}',
    ],
)
def test_whatever_is_no_known_document_is_not_signed(tmp_path: Path, agency: Path, raw: bytes) -> None:
    file, good = tmp_path / "x.json", tmp_path / "good.json"
    file.write_bytes(raw)
    good.write_bytes(LOT.policy_bytes)
    run(sign, good, file, "--key", agency, "--yes", code=1)
    assert not list(tmp_path.glob("*.signed.json"))  # not even the good one beside it
    run(sign, good, "--key", agency, "--yes")  # the control


def test_a_wrong_passphrase_signs_nothing(tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_bytes(LOT.policy_bytes)
    save_es256(tmp_path / "k", Es256Signer.generate(), PHRASE, rounds=1000)
    output = run(sign, policy, "--key", tmp_path / "k", "--yes", phrase="another phrase", code=1).output
    assert "key.wrong_passphrase" in output


def test_secrets_in_documents_are_not_read_out() -> None:
    raw = canonical.dumps(
        {
            "created": 1,
            "custodian": 1,
            "order_sha256": "ab" * 32,
            "seed": "cd" * 32,
            "typ": "sb1.key-disclosure",
            "v": 1,
        }
    )
    spoken = "\n".join(describe(*admit(raw)))
    assert "cdcd" not in spoken
    assert "order_sha256" in spoken


def test_every_type_has_a_name_in_both_languages_and_refuses_an_empty_document() -> None:
    for typ, known in TYPES.items():
        assert known.zh
        assert known.en
        if typ != "mb.notice":
            with pytest.raises(InvalidInput):
                admit(canonical.dumps({"typ": typ, "v": 1}))
    assert admit(VECTORS["sb1_open"]["policy"].encode())[0] == "sb1.policy"
