"""Receipts in PDFs: the verifier takes them out of exactly the form that the platform writes (ADR 0042)."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hostile_pdfs import BOMB, hostile
from tests.build.printed import AT, BID, ORIGIN, Press, Taken
from tests.build.signed_log import policy_text
from trading.audit.service import IssuedReceipt
from trading.kernel.canonical import dumps
from verifier import attachment
from verifier.attachment import attached_proof
from verifier.cli import main
from verifier.merkle import ProofFault


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Press:
    return Press.at(tmp_path_factory.mktemp("press"))


@pytest.fixture(scope="module")
def issued(press: Press) -> IssuedReceipt:
    return press.issued("bid.received", BID)


@pytest.fixture(scope="module")
def pdf(press: Press, issued: IssuedReceipt) -> bytes:
    return press.printed(issued)


@pytest.fixture(scope="module")
def tricks(pdf: bytes) -> list[tuple[str, bytes, str]]:
    return list(hostile(pdf))


def test_the_exact_receipt_is_attached(press: Press, issued: IssuedReceipt, pdf: bytes) -> None:
    assert attached_proof(pdf) == issued.text
    assert attached_proof(press.printed(issued, "en")) == issued.text
    assert attached_proof(Taken.apart(pdf).together()) == issued.text  # so every trick below fails by its trick alone


def test_every_trick_is_refused_and_named(tricks: list[tuple[str, bytes, str]]) -> None:
    said = {}
    for name, data, _ in tricks:
        with pytest.raises(ProofFault) as caught:
            attached_proof(data)
        said[name] = str(caught.value)
    assert {name: said[name] for name, _, part in tricks if part not in said[name]} == {}


def test_a_bomb_is_not_unpacked(tricks: list[tuple[str, bytes, str]]) -> None:
    bomb = next(data for name, data, _ in tricks if name == "a bomb")
    tracemalloc.start()
    with pytest.raises(ProofFault):
        attached_proof(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BOMB // 16


def test_a_reader_without_the_checks_would_be_misled(
    tricks: list[tuple[str, bytes, str]], issued: IssuedReceipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the checks of names are for is accepted without them."""
    files = {name: data for name, data, _ in tricks}
    monkeypatch.setattr(attachment, "_admit", lambda _each: None)
    for name in ("another spelling", "objects within a stream", "encrypted", "a script"):
        assert attached_proof(files[name]) == issued.text


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_a_changed_bit_changes_nothing_or_is_refused(pdf: bytes, issued: IssuedReceipt, at: float, bit: int) -> None:
    changed = bytearray(pdf)
    changed[int(at * len(pdf))] ^= 1 << bit
    with suppress(ProofFault):
        assert attached_proof(bytes(changed)) == issued.text  # the page is not what is checked


def test_the_command_takes_the_pdf(
    pdf: bytes, tmp_path: Path, tricks: list[tuple[str, bytes, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, trust = tmp_path / "12.pdf", tmp_path / "trust.json"
    named = {
        "institutions": [],
        "log_policy": policy_text(ORIGIN),
        "origin": ORIGIN,
        "release_sha256": [],
        "tsa": [],
        "x509_roots": [],
    }
    trust.write_bytes(dumps({**named, "issued": AT, "seq": 1, "supersedes": None, "typ": "mb.trust", "v": 1}))
    file.write_bytes(pdf)
    assert main([str(file)]) == 2  # without trust
    capsys.readouterr()
    main([str(file), "--trust", str(trust)])
    assert "WITNESSED, entry 12" in capsys.readouterr().out
    for name, data, part in tricks:
        if name in {"two attachments", "a bomb", "truncated"}:
            file.write_bytes(data)
            assert main([str(file), "--trust", str(trust)]) == 1
            assert part in capsys.readouterr().out
