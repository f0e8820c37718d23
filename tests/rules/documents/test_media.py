"""Tender documents: type by content and extension together, names as data."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from trading.documents import files
from trading.documents.rules import media
from trading.documents.rules.media import clean_name, media_of
from trading.kernel.errors import InvalidInput
from trading.storage.local import LocalStore

ZIP = b"PK\x03\x04"


def code_of(name: str, head: bytes, members: frozenset[str] | None = None) -> str:
    try:
        media_of(name, head, members)
    except InvalidInput as refused:
        return refused.code
    return ""


@pytest.mark.parametrize(
    ("name", "head", "members", "expected"),
    [
        ("a.pdf", b"%PDF-1.7", None, ""),
        ("A.PDF", b"%PDF-2.0", None, ""),
        ("a.pdf", b"<html>", None, "document.other_content"),
        ("a.pdf", ZIP, frozenset({"word/document.xml"}), "document.other_content"),
        ("a.docx", ZIP, frozenset({"word/document.xml"}), ""),
        ("a.docx", ZIP, frozenset({"xl/workbook.xml"}), "document.other_content"),
        ("a.docx", ZIP, None, "document.other_content"),
        ("a.docx", b"%PDF-1.7", frozenset({"word/document.xml"}), "document.other_content"),
        ("a.xlsx", ZIP, frozenset({"xl/workbook.xml"}), ""),
        ("a.ofd", ZIP, frozenset({"OFD.xml"}), ""),
        ("a.ofd", ZIP, frozenset({"doc.xml"}), "document.other_content"),
        ("a.zip", ZIP, frozenset(), ""),
        ("a.zip", b"Rar!", None, "document.other_content"),
        ("a.txt", "采购需求".encode(), None, ""),
        ("a.txt", "采购需求".encode("gb18030"), None, ""),
        ("a.txt", "采购需求".encode()[:-1], None, ""),  # the head may end inside a character
        ("a.txt", b"MZ\x00\x01", None, "document.other_content"),
        ("a.txt", b"\xff\xfe\xff\xff", None, "document.other_content"),
        ("a.exe", b"MZ", None, "document.wrong_type"),
        ("a.html", b"<html>", None, "document.wrong_type"),
        ("pdf", b"%PDF-1.7", None, ""),
        ("noextension", b"%PDF-1.7", None, "document.wrong_type"),
        ("a.pdf", b"", None, "document.empty"),
    ],
)
def test_content_and_extension_agree(name: str, head: bytes, members: frozenset[str] | None, expected: str) -> None:
    assert code_of(name, head, members) == expected


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("招标文件.pdf", "招标文件.pdf"),
        ("C:\\fakepath\\a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ('a <b>&"c".pdf', 'a <b>&"c".pdf'),
        ("e\u0301.pdf", "\u00e9.pdf"),
        ("x" * 200, "x" * 200),
    ],
)
def test_names_are_data(given: str, shown: str) -> None:
    assert clean_name(given) == shown


@pytest.mark.parametrize(
    "given", ["", "  ", "a/", ".htaccess", "a\x00.pdf", "a\nb.pdf", "x" * 201, "fdp.\u202egnp.pdf"]
)
def test_names_that_could_mislead_are_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        clean_name(given)
    assert refused.value.code == "document.bad_name"


def archive(**members: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    made.seek(0)
    return made


def test_a_file_is_stored_under_its_digest(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    taken = files.take(store, "需求.txt", io.BytesIO("采购需求".encode()))
    assert (taken.name, taken.media, taken.size) == ("需求.txt", "text/plain", 12)
    assert store.get(taken.sha256) == "采购需求".encode()
    packed = files.take(store, "all.zip", archive(a=b"1"))
    assert packed.media == "application/zip"
    assert store.stat(packed.sha256) == packed.size


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    store, data = LocalStore(tmp_path), b"%PDF-" + bytes(95 + over)
    if not over:
        assert files.take(store, "a.pdf", io.BytesIO(data)).size == 100
        return
    with pytest.raises(InvalidInput) as refused:
        files.take(store, "a.pdf", io.BytesIO(data))
    assert refused.value.code == "document.too_large"
    assert list(store.walk()) == []


def test_a_container_with_too_many_entries_is_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_MEMBERS", 1)
    with pytest.raises(InvalidInput) as refused:
        files.take(LocalStore(tmp_path), "a.zip", archive(a=b"", b=b""))
    assert refused.value.code == "document.other_content"


def test_every_type_is_tried_above() -> None:
    assert {each.extension for each in media.TYPES} == {"pdf", "ofd", "docx", "xlsx", "txt", "zip"}
