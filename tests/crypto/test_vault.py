"""Secrets at rest: nothing opens without the passphrase, under another name, or after a flipped bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading.crypto.vault import Vault, is_encrypted
from trading.kernel.errors import Conflict, InvalidInput

WORDS = "correct horse battery"
CHEAP = 2**4


def test_what_was_sealed_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    sealed = Vault.create(path, WORDS, cost=CHEAP).seal("seed:1", b"\x01" * 32)
    assert Vault.open(path, WORDS).unseal("seed:1", sealed) == b"\x01" * 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert is_encrypted(path)
    assert b"\x01" * 32 not in sealed


@pytest.mark.parametrize("passphrase", ["correct horse batterz", None])
def test_another_passphrase_does_not_open(tmp_path: Path, passphrase: str | None) -> None:
    Vault.create(tmp_path / "vault", WORDS, cost=CHEAP)
    with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase"):
        Vault.open(tmp_path / "vault", passphrase)


def test_name_content_and_vault_are_bound(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "one", WORDS, cost=CHEAP)
    other = Vault.create(tmp_path / "two", WORDS, cost=CHEAP)
    sealed = vault.seal("seed:1", b"secret")
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for opener, name, data in ((vault, "seed:2", sealed), (other, "seed:1", sealed), (vault, "seed:1", flipped)):
        with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase"):
            opener.unseal(name, data)
    with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase"):
        vault.unseal("seed:1", b"")


def test_a_vault_in_clear_is_for_demo_mode_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    sealed = Vault.create(path, None).seal("n", b"x")
    assert Vault.open(path, None).unseal("n", sealed) == b"x"
    assert not is_encrypted(path)
    with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase"):
        Vault.open(path, WORDS)


def test_a_vault_is_never_overwritten_and_never_weak(tmp_path: Path) -> None:
    Vault.create(tmp_path / "vault", None)
    with pytest.raises(Conflict):
        Vault.create(tmp_path / "vault", None)
    with pytest.raises(InvalidInput, match=r"key\.weak_passphrase"):
        Vault.create(tmp_path / "weak", "short")


def test_a_damaged_or_open_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"{}")
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match=r"key\.unreadable"):
        Vault.open(path, None)
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match=r"key\.file_mode"):
        Vault.open(path, None)


def test_nothing_of_a_vault_is_printed(tmp_path: Path) -> None:
    assert "Vault object" in repr(Vault.create(tmp_path / "vault", None))
