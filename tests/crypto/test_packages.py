"""Opening packages are age passphrase files: ours open elsewhere, others' open here, whatever this machine is doing."""

from __future__ import annotations

import re

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
import pytest
from pyrage import passphrase as age_passphrase

from trading.crypto import packages
from trading.crypto.packages import lock_package, unlock_package
from trading.kernel.errors import InvalidInput

PHRASE = "a good passphrase, 含汉字"
CHEAP = 6


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200_000])
def test_another_implementation_opens_ours(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    locked = lock_package(content[:size], PHRASE, work=CHEAP)
    assert unlock_package(locked, PHRASE) == content[:size]
    assert age_passphrase.decrypt(locked, PHRASE) == content[:size]


def test_we_open_that_of_another_implementation() -> None:
    locked = bytes(age_passphrase.encrypt(b"secret", PHRASE))
    assert unlock_package(locked, PHRASE) == b"secret"


def test_the_work_is_that_of_age_and_never_measured() -> None:
    assert re.match(rb"age-encryption\.org/v1\n-> scrypt \S+ 18\n", lock_package(b"", "x"))


def test_a_package_asks_for_the_same_work_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a measuring reader calls too much work opens here; the control is one that bounds it as they do."""
    locked = lock_package(b"secret", PHRASE, work=CHEAP)
    assert unlock_package(locked, PHRASE) == b"secret"
    monkeypatch.setattr(packages, "MAX_WORK", CHEAP - 1)
    with pytest.raises(InvalidInput, match="more work"):
        unlock_package(locked, PHRASE)


def test_a_measuring_reader_takes_too_much_work_for_a_wrong_passphrase() -> None:
    header = b"age-encryption.org/v1\n-> scrypt " + b"A" * 22 + b" 40\n" + b"A" * 43 + b"\n--- " + b"A" * 43 + b"\n"
    with pytest.raises(pyrage.DecryptError, match="Excessive work"):
        age_passphrase.decrypt(header + bytes(40), PHRASE)
    with pytest.raises(InvalidInput, match="more work"):
        unlock_package(header + bytes(40), PHRASE)


@pytest.mark.parametrize("size", [0, 100, 65536, 70_000])
def test_nothing_changed_or_cut_off_opens(size: int) -> None:
    locked = lock_package(bytes(size), PHRASE, work=CHEAP)
    end = locked.index(b"\n--- ") + 49
    places = [30, 40, 60, 80, end - 20, end + 3, end + 20, len(locked) - 1]
    damaged = [locked[:place] + bytes([locked[place] ^ 1]) + locked[place + 1 :] for place in places]
    cut = [locked[:-1], locked[: end + 8], locked[: len(locked) // 2], locked + b"\0", b"", locked[:-65_552]]
    for wrong in (*damaged, *(each for each in cut if each != locked)):
        with pytest.raises(InvalidInput, match=r"package\.wrong_passphrase"):
            unlock_package(wrong, PHRASE)


def test_another_passphrase_opens_nothing() -> None:
    locked = lock_package(b"secret", PHRASE, work=CHEAP)
    assert b"secret" not in locked
    for wrong in ("", PHRASE + " ", PHRASE.upper()):
        with pytest.raises(InvalidInput, match=r"package\.wrong_passphrase"):
            unlock_package(locked, wrong)
    with pytest.raises(InvalidInput, match=r"package\.wrong_passphrase"):
        unlock_package(b"age-encryption.org/v1\n garbage", "x")
