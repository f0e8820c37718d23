from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trading.crypto import keyfiles
from trading.crypto.files import read_secret, write_secret
from trading.crypto.signatures import Es256Signer
from trading.kernel.errors import Conflict, InvalidInput

PHRASE = "correct horse battery"
CHEAP = 1000


@pytest.fixture
def signer() -> Es256Signer:
    return Es256Signer.generate()


@pytest.mark.parametrize("passphrase", [PHRASE, None, "口令口令口令口令口令口令"])
def test_round_trip(tmp_path: Path, signer: Es256Signer, passphrase: str | None) -> None:
    path = tmp_path / "k.pem"
    keyfiles.save_es256(path, signer, passphrase, rounds=CHEAP)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyfiles.load_es256(path, passphrase).kid == signer.kid
    assert keyfiles.is_encrypted(path) == (passphrase is not None)
    assert [item.name for item in tmp_path.iterdir()] == ["k.pem"]


def test_the_default_cost_is_the_published_one(tmp_path: Path, signer: Es256Signer) -> None:
    keyfiles.save_es256(tmp_path / "k.pem", signer, PHRASE)
    assert keyfiles.load_es256(tmp_path / "k.pem", PHRASE).kid == signer.kid


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command on this machine")
def test_openssl_reads_the_file(tmp_path: Path, signer: Es256Signer) -> None:
    path = tmp_path / "k.pem"
    keyfiles.save_es256(path, signer, PHRASE, rounds=CHEAP)
    command = ["openssl", "pkey", "-in", str(path), "-passin", f"pass:{PHRASE}", "-pubout", "-outform", "DER"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == signer.spki
    bad = subprocess.run([*command[:5], "pass:wrong wrong wrong", *command[6:]], capture_output=True, check=False)
    assert bad.returncode != 0


def test_a_wrong_or_missing_passphrase_is_refused_without_quoting_the_file(tmp_path: Path, signer: Es256Signer) -> None:
    path, clear = tmp_path / "k.pem", tmp_path / "clear.pem"
    keyfiles.save_es256(path, signer, PHRASE, rounds=CHEAP)
    keyfiles.save_es256(clear, signer, None)
    for file, passphrase in [(path, "wrong passphrase"), (path, None), (clear, PHRASE)]:
        with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase") as caught:
            keyfiles.load_es256(file, passphrase)
        assert PHRASE not in str(caught.value)


def test_a_weak_passphrase_is_refused_and_writes_nothing(tmp_path: Path, signer: Es256Signer) -> None:
    with pytest.raises(InvalidInput, match=r"key\.weak_passphrase"):
        keyfiles.save_es256(tmp_path / "k.pem", signer, "123456789")
    assert not list(tmp_path.iterdir())


def test_an_existing_key_is_never_overwritten(tmp_path: Path, signer: Es256Signer) -> None:
    path = tmp_path / "k.pem"
    keyfiles.save_es256(path, signer, None)
    before = path.read_bytes()
    with pytest.raises(Conflict):
        keyfiles.save_es256(path, Es256Signer.generate(), None)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
    write_secret(path, b"new", replace=True)  # the control: replacing is possible, but only when asked for
    assert path.read_bytes() == b"new"


def test_a_key_file_open_to_others_is_refused(tmp_path: Path, signer: Es256Signer) -> None:
    path = tmp_path / "k.pem"
    keyfiles.save_es256(path, signer, None)
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match=r"key\.file_mode"):
        keyfiles.load_es256(path, None)
    path.chmod(0o600)
    assert keyfiles.load_es256(path, None).kid == signer.kid


def test_garbage_and_other_keys_are_refused(tmp_path: Path) -> None:
    garbage = tmp_path / "g.pem"
    write_secret(garbage, b"not a key")
    with pytest.raises(InvalidInput, match=r"key\.unreadable"):
        keyfiles.load_es256(garbage, None)
    other = ed25519.Ed25519PrivateKey.generate()
    write_secret(tmp_path / "o.pem", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InvalidInput, match=r"key\.not_es256"):
        keyfiles.load_es256(tmp_path / "o.pem", None)


def test_note_seeds(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    seed = keyfiles.new_note_seed(path)
    assert len(seed) == 32
    assert keyfiles.load_note_seed(path) == seed == read_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict):
        keyfiles.new_note_seed(path)
    write_secret(path, seed + b"\n", replace=True)
    with pytest.raises(InvalidInput, match=r"key\.unreadable"):
        keyfiles.load_note_seed(path)
