from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.bid_documents import CONTEXT, ENVELOPE, VECTORS
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.manifest import (
    FileSource,
    build_manifest,
    file_digest,
    parse_manifest,
    read_main,
    write_main,
)
from trading.bids.rules.package import build_package, package_name, parse_package
from trading.bids.rules.price import PriceItem, build_price, pad_price, parse_price, parse_price_document
from trading.bids.rules.tar import Member, read_tar, tar_size, write_tar
from trading.kernel import canonical
from trading.kernel.digests import sha256
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

SALT = b"\x0b" * 32


# --- price -----------------------------------------------------------------------------------------------------------


def test_the_price_of_the_vectors() -> None:
    vector = VECTORS["sb1_open"]
    context = parse_envelope(vector["envelope"].encode()).context
    price = parse_price(vector["expect"]["price_json"].encode().ljust(4096), 4096, context)
    assert (price.total, price.currency, price.items) == (1_234_560_000, "CNY", ())


def price(**changes: object) -> bytes:
    items = (PriceItem(amount=300, code="A-1", quantity="1.5", unit_price="2"),)
    made = build_price(CONTEXT, currency="CNY", total=300, items=items, terms={"days": 90})
    return canonical.dumps({**canonical.loads_object(made), **changes})


def test_build_and_parse() -> None:
    parsed = parse_price(pad_price(price(), 4096), 4096, CONTEXT)
    assert parsed.items[0].quantity == "1.5"
    assert parsed.terms == {"days": 90}
    assert parsed.raw == price()
    assert "terms" not in canonical.loads_object(build_price(CONTEXT, currency="CNY", total=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"bid": "b-2"},
        {"bidder": "91310000YYYY"},
        {"lot": "2"},
        {"stage": "price"},
        {"tender": "T-2"},
        {"currency": "cny"},
        {"total": "300"},
        {"total": True},
        {"terms": []},
        {"items": [{"amount": 1, "code": "A", "quantity": "01", "unit_price": "1"}]},
        {"items": [{"amount": 1, "code": "A", "quantity": "1.0", "unit_price": "1"}]},
        {"extra": 1},
        {"typ": "sb1.manifest"},
    ],
)
def test_prices_that_are_malformed_content(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        parse_price(pad_price(price(**changes), 4096), 4096, CONTEXT)


def test_size_and_padding_are_exact() -> None:
    for plaintext in (
        price().ljust(4095),
        price().ljust(4097),
        price(),
        price().ljust(4096, b"\n"),
        b" " + price().ljust(4095),
    ):
        with pytest.raises(InvalidInput):
            parse_price(plaintext, 4096, CONTEXT)
    with pytest.raises(InvalidInput, match=r"price\.too_large"):
        pad_price(price(), len(price()) - 1)
    assert pad_price(price(), len(price())) == price()
    with pytest.raises(ValueError, match="bad_field"):
        build_price(CONTEXT, currency="yuan", total=1)
    with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
        parse_price_document(price() + b" ")


# --- archive ---------------------------------------------------------------------------------------------------------

PATHS = st.lists(
    st.from_regex(r"[a-z0-9 文件标]{1,20}(/[a-z0-9_.技术]{1,60}){0,3}", fullmatch=True).filter(lambda p: ".." not in p),
    max_size=5,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(PATHS, st.data())
def test_archive_round_trip_and_a_common_library_agrees(paths: list[str], data: st.DataObject) -> None:
    contents = {path: data.draw(st.binary(max_size=1500)) for path in paths}
    archive = b"".join(
        write_tar(
            Member(path=path, size=len(content), content=lambda content=content: iter((content,)))  # type: ignore[misc]
            for path, content in contents.items()
        )
    )
    assert len(archive) % 65536 == 0
    assert len(archive) == tar_size((path, len(content)) for path, content in contents.items())
    assert {entry.path: b"".join(entry.chunks) for entry in read_tar(io.BytesIO(archive))} == contents
    with tarfile.open(fileobj=io.BytesIO(archive)) as other:
        found = {member.name: other.extractfile(member).read() for member in other}  # type: ignore[union-attr]
    assert found == contents


def library_archive(*files: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, form: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for path, content in files:
            info = tarfile.TarInfo(path)
            info.size, info.type = len(content), kind
            archive.addfile(info, io.BytesIO(content))
    raw = target.getvalue()
    return raw + bytes(-len(raw) % 65536)


def test_reads_what_a_common_library_writes() -> None:
    files = (("manifest.json", b"{}"), ("d" * 60 + "/" + "n" * 90, b"x" * 600), ("技术/方案.pdf", b"hello\n"))
    for form in (tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        archive = library_archive(*files, form=form)
        assert [(entry.path, b"".join(entry.chunks)) for entry in read_tar(io.BytesIO(archive))] == list(files)


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        bytes(512),
        bytes(1024),
        bytes(65536 + 512),
        bytes(65535) + b"x",
        library_archive(("a", b"x"))[:-512],
        library_archive(("a", b"x"))[:1024],
        library_archive(("a", b"x"))[:-1] + b"x",
        library_archive(("a", b""), kind=tarfile.DIRTYPE),
        library_archive(("a", b""), kind=tarfile.SYMTYPE),
        library_archive(("a" * 150, b"x"), form=tarfile.GNU_FORMAT),
        library_archive(("a", b"x")).replace(b"ustar\x0000", b"ustar  \0", 1),
        b"\xff" + library_archive(("a", b"x"))[1:],
        library_archive(("a", b"x"))[:513] + b"y" + library_archive(("a", b"x"))[514:],
        library_archive(("文", b"x")).replace(b"path=", b"path-", 1),
        library_archive(("文", b"x")).replace("文\n".encode(), b"\xff\xfe\xfd\n", 1),
    ],
)
def test_archives_that_are_malformed(archive: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"main\.malformed"):
        list(read_tar(io.BytesIO(archive)))


def test_a_file_that_changes_while_it_is_read_is_noticed() -> None:
    with pytest.raises(InvalidInput, match=r"main\.file_changed"):
        list(write_tar([Member(path="a", size=3, content=lambda: iter((b"xx",)))]))


# --- manifest --------------------------------------------------------------------------------------------------------

FILES = (FileSource.of_bytes("技术/方案.pdf", b"hello\n"), FileSource.of_bytes("a.txt", b"x" * 1000))
MANIFEST = build_manifest(CONTEXT, FILES, [SALT] * 2)


def main_of(manifest: bytes, *files: FileSource) -> bytes:
    return b"".join(write_main(manifest, files))


def test_the_digest_of_the_vectors() -> None:
    vector = VECTORS["sb1_ceremony"]["file"]
    content = bytes.fromhex(vector["content_hex"])
    made = file_digest(bytes.fromhex(vector["salt"]), vector["path"], sha256(content))
    assert made.hex() == vector["digest"]
    assert {row.path: row.digest for row in parse_manifest(MANIFEST).files}[vector["path"]] == made


def test_a_main_part_round_trip_and_what_is_kept() -> None:
    kept: dict[str, bytes] = {}

    def keep(path: str, chunks: Iterator[bytes]) -> None:
        kept[path] = b"".join(chunks)

    manifest = read_main(io.BytesIO(main_of(MANIFEST, *FILES)), CONTEXT, keep)
    assert manifest.raw == MANIFEST
    assert kept == {"技术/方案.pdf": b"hello\n", "a.txt": b"x" * 1000}
    assert read_main(io.BytesIO(main_of(MANIFEST, *FILES)), CONTEXT) == manifest


def _changed(**changes: object) -> bytes:
    return canonical.dumps({**canonical.loads_object(MANIFEST), **changes})


ROWS: list[dict[str, Any]] = canonical.loads_object(MANIFEST)["files"]


@pytest.mark.parametrize(
    "plaintext",
    [
        main_of(MANIFEST, FILES[0]),
        main_of(MANIFEST, *FILES, FileSource.of_bytes("extra", b"")),
        main_of(MANIFEST, FILES[0], FileSource.of_bytes("a.txt", b"y" * 1000)),
        main_of(MANIFEST, FILES[0], FileSource.of_bytes("a.txt", b"x" * 999)),
        main_of(MANIFEST, *FILES, FILES[1]),
        main_of(_changed(bid="b-2"), *FILES),
        main_of(_changed(files=ROWS[::-1]), *FILES),
        main_of(_changed(files=[{**ROWS[0], "salt": "0c" * 32}, ROWS[1]]), *FILES),
        main_of(_changed(files=[{**ROWS[0], "size": 999}, ROWS[1]]), *FILES),
        main_of(_changed(files=[{**ROWS[0], "path": "../a.txt"}, ROWS[1]]), *FILES),
        main_of(b"{}", *FILES),
        library_archive(("a.txt", b"x"), ("manifest.json", MANIFEST)),
        library_archive(),
    ],
)
def test_main_parts_that_are_malformed_content(plaintext: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_main(io.BytesIO(plaintext), CONTEXT)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a/./b",
        "a/",
        "",
        "x" * 201,
        "文" * 67,
        "e\u0301.txt",
        "manifest.json",
        "Manifest.JSON",
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match=r"main\.bad_path"):
        build_manifest(CONTEXT, [FileSource.of_bytes(path, b"")], [SALT])


def test_paths_that_differ_only_in_case_are_refused() -> None:
    files = [FileSource.of_bytes("Plan.pdf", b""), FileSource.of_bytes("plan.PDF", b"")]
    with pytest.raises(InvalidInput, match=r"main\.bad_path"):
        build_manifest(CONTEXT, files, [SALT] * 2)


# --- opening package -------------------------------------------------------------------------------------------------

SIGNED = SignedDocument(VECTORS["sb1_open"]["envelope"].encode(), (VECTORS["sb1_open"]["envelope_signature"],))


def test_an_opening_package_holds_the_bid_and_hides_its_secrets() -> None:
    policy = ENVELOPE["policy_sha256"]
    made = build_package(SIGNED, created=5, policy_sha256=policy, s_c=b"\x01" * 32, s_b=b"\x02" * 32)
    package = parse_package(made)
    assert (package.s_c, package.s_b, package.signed) == (b"\x01" * 32, b"\x02" * 32, SIGNED)
    assert package_name(package.envelope) == "b-7f3a-1.mbkey"
    assert "0101" not in repr(replace(package, raw=b"")).replace(package.envelope.sha256, "")
    assert "\\x01\\x01" not in repr(package)
    assert parse_package(build_package(SIGNED, created=5, policy_sha256=policy, s_c=b"\x01" * 32, s_b=b"")).s_b == b""


@pytest.mark.parametrize(
    "changes", [{"policy_sha256": "0" * 64}, {"s_c": ""}, {"s_b": "00"}, {"envelope": ""}, {"sig": {}}, {"sig": None}]
)
def test_packages_that_are_malformed(changes: dict[str, object]) -> None:
    made = build_package(SIGNED, created=5, policy_sha256=ENVELOPE["policy_sha256"], s_c=b"\x01" * 32, s_b=b"\x02" * 32)
    with pytest.raises(InvalidInput):
        parse_package(canonical.dumps({**canonical.loads_object(made), **changes}))


# --- rare forms of the archive ---------------------------------------------------------------------------------------


def pax(kind: bytes, *records: bytes) -> bytes:
    """Return an extended header of a kind with these records."""
    from trading.bids.rules.tar import _header  # noqa: PLC0415 - the tests write what the writer never does

    body = b"".join(records)
    return _header(b"PaxHeaders/x", len(body), kind) + body + bytes(-len(body) % 512)


def plain(name: bytes, content: bytes, *, size: int | None = None) -> bytes:
    from trading.bids.rules.tar import _header  # noqa: PLC0415 - as above

    head = _header(name, len(content) if size is None else size, b"0")
    return head + content + bytes(-len(content) % 512)


def ended(*blocks: bytes) -> bytes:
    raw = b"".join(blocks) + bytes(1024)
    return raw + bytes(-len(raw) % 65536)


def test_sizes_beyond_the_octal_field_stand_in_the_extended_header() -> None:
    from trading.bids.rules.tar import _headers  # noqa: PLC0415 - nobody writes eight gigabytes in a test

    header = _headers("a", 8**11)
    assert b"size=8589934592\n" in header
    archive = ended(pax(b"x", b"10 size=3\n"), plain(b"a", b"xyz", size=0))
    assert [(entry.path, entry.size, b"".join(entry.chunks)) for entry in read_tar(io.BytesIO(archive))] == [
        ("a", 3, b"xyz")
    ]


def test_shared_headers_hold_for_all_and_own_ones_for_one() -> None:
    archive = ended(pax(b"g", b"14 comment=ab\n"), pax(b"x", b"9 path=b\n"), plain(b"a", b"1"), plain(b"c", b"2"))
    assert [(entry.path, b"".join(entry.chunks)) for entry in read_tar(io.BytesIO(archive))] == [
        ("b", b"1"),
        ("c", b"2"),
    ]


@pytest.mark.parametrize(
    "archive",
    [
        ended(pax(b"x", b"9 path=b\n")),
        ended(pax(b"x", b"10 size=x\n"), plain(b"a", b"")),
        ended(pax(b"x", b"99 path=b\n"), plain(b"a", b"")),
        ended(pax(b"x", b"path=b\n"), plain(b"a", b"")),
        ended(pax(b"x", b"9 path=b."), plain(b"a", b"")),
        ended(pax(b"x", b"x" * 70_000), plain(b"a", b"")),
        ended(plain(b"\xff", b"")),
        ended(plain(b"a", b"x", size=70_000)),
    ],
)
def test_extended_headers_that_are_malformed(archive: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"main\.malformed"):
        list(read_tar(io.BytesIO(archive)))
