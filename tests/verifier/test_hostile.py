"""Bundles that attack their reader: paths, links, bombs, damaged containers, escape sequences, crashes (AL1 L12.2)."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from tests.support.make_bundle import make_bundle, write_directory, write_zip
from tests.support.verifying import told_once, verify
from verifier.bundle import MAX_FILES, Bundle, BundleFault, open_bundle
from verifier.cli import main
from verifier.report import Report, printable
from verifier.verification import guarded


def zipped(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../bundle.json",
        "/bundle.json",
        "docs/../bundle.json",
        "docs/" + "A" * 64 + ".json",
        "docs/" + "a" * 63 + ".json",
        "log/01.tlog-proof",
        "log/1.tlog-proof\n",
        "tile/0/1000",
        "tile/0/x1/000",
        "tile/entries/000.p/0",
        "parts/x.age",
        "records/-1.json",
        "verify.pyc",
        "C:\\bundle.json",
        "bundle.json/",
        "Bundle.json",
        "checkpoints/1-middle",
        "tst/1/a/b.tsr",
    ],
)
def test_foreign_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BundleFault):
        Bundle(lambda _: io.BytesIO()).admit(name, 0)
    if not name.endswith("/"):
        with pytest.raises(BundleFault):
            open_bundle(zipped(tmp_path / "a.zip", (name, b"")))


@pytest.mark.parametrize(
    "name",
    [
        "tile/0/000",
        "tile/0/x001/x234/067",
        "tile/12/000.p/7",
        "tile/entries/001.p/255",
        "log/0.tlog-proof",
        "checkpoint",
    ],
)
def test_names_of_the_format(name: str) -> None:
    bundle = Bundle(lambda _: io.BytesIO())
    bundle.admit(name, 0)
    assert name in bundle


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("checkpoint")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BundleFault, match="link"):
        open_bundle(zipped(tmp_path / "a.zip", (link, b"/etc/passwd")))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "checkpoint").symlink_to("/etc/passwd")
    with pytest.raises(BundleFault, match="link"):
        open_bundle(folder)
    (folder / "checkpoint").unlink()
    (folder / "docs").symlink_to("/etc")
    with pytest.raises(BundleFault, match="link"):
        open_bundle(folder)
    (folder / "docs").unlink()
    os.mkfifo(folder / "checkpoint")
    with pytest.raises(BundleFault, match="special file"):
        open_bundle(folder)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFault, match="twice"):
        open_bundle(zipped(tmp_path / "a.zip", ("checkpoint", b"a"), ("checkpoint", b"b")))


def test_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFault, match="ratio"):
        open_bundle(zipped(tmp_path / "a.zip", ("checkpoint", bytes(10_000_000))))
    with pytest.raises(BundleFault, match="compression"):
        open_bundle(zipped(tmp_path / "b.zip", ("checkpoint", b"x"), method=zipfile.ZIP_BZIP2))


def test_too_many_files() -> None:
    bundle = Bundle(lambda _: io.BytesIO())
    bundle.sizes = {str(n): 0 for n in range(MAX_FILES)}
    with pytest.raises(BundleFault, match="more than"):
        bundle.admit("checkpoint", 0)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("checkpoint", b"x"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BundleFault, match="encrypted"):
        open_bundle(path)


@pytest.mark.parametrize("data", [b"", b"PK\5\6" + bytes(18), b"not a zip", b"PK\3\4" + bytes(100)])
def test_other_files_are_no_bundles(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert main([str(path)]) == 1


def test_damaged_archives_never_pass_or_crash(tmp_path: Path) -> None:
    tender = told_once("clean")
    good = write_zip(make_bundle(tender), tmp_path / "good.zip").read_bytes()
    path = tmp_path / "a.zip"
    for position in range(0, len(good), len(good) // 25):
        damaged = bytearray(good)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        assert main([str(path)]) in (1, 2)
        path.write_bytes(good[:position])
        assert main([str(path)]) == 1


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    bundle = open_bundle(write_directory({"checkpoint": b"short"}, tmp_path / "b"))
    (tmp_path / "b" / "checkpoint").write_bytes(b"longer than before")
    with pytest.raises(BundleFault, match="length"):
        bundle.read("checkpoint")


def test_what_was_hashed_is_what_is_used(tmp_path: Path) -> None:
    bundle = open_bundle(write_directory({"checkpoint": b"first"}, tmp_path / "b"))
    assert bundle.read("checkpoint") == b"first"
    (tmp_path / "b" / "checkpoint").write_bytes(b"other")
    assert bundle.read("checkpoint") == b"first"


def test_what_is_not_kept_must_be_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.bundle.KEPT_TOTAL", 0)
    bundle = open_bundle(write_directory({"checkpoint": b"first"}, tmp_path / "b"))
    assert bundle.sha256("checkpoint") == hashlib.sha256(b"first").hexdigest()
    assert bundle.read("checkpoint") == b"first"
    (tmp_path / "b" / "checkpoint").write_bytes(b"other")
    with pytest.raises(BundleFault, match="changed while it was being verified"):
        bundle.read("checkpoint")
    with pytest.raises(BundleFault, match="changed"):
        bundle.sha256("checkpoint")


def test_terminals_are_safe_from_names_in_bundles() -> None:
    assert printable("a\x1b[2Jb\n\u202e") == "a\\u001b[2Jb\\u000a\\u202e"
    assert len(printable("x" * 10_000)) < 500
    report = Report("t", trusted=True)
    report.check("AL-01", "x").fail("\x1b]0;evil\x07", "text\r")
    assert "\x1b" not in report.as_text()
    assert "\r" not in report.as_text()


def test_a_crash_is_a_failed_check() -> None:
    def crash() -> None:
        raise KeyError("hostile")

    report = Report("t", trusted=True)
    guarded(report, "AL-07", crash)
    assert report.exit_code == 1
    assert report.checks[0].failures == [("verifier", "KeyError: 'hostile'")]


def test_an_empty_report_is_not_a_pass() -> None:
    assert Report("t", trusted=True).exit_code == 2


def test_documents_larger_than_the_limit() -> None:
    tender = told_once("clean")
    files = make_bundle(tender)
    name = next(path for path in files if path.startswith("docs/") and path.endswith(".json"))
    report = verify({**files, name: b"x" * (2**20 + 1)}, tender)
    assert report.exit_code == 1
