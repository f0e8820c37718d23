"""What may stand in opened parts: padded prices and the tar of part main (SB1 S5)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator

import pytest

from tests.support.made_bids import main_archive, price_document
from tests.support.made_log import sha256
from trading.kernel.canonical import dumps
from verifier.contents import ContentFault, read_main, read_price

CTX = {
    "bid": "b-1",
    "bidder": "91310000BIDDER0001",
    "bidder_kid": "0" * 64,
    "lot": "1",
    "policy_sha256": "1" * 64,
    "seq": 1,
    "stage": "all",
    "tender": "T-1",
}
FILES = {"技术/方案.pdf": b"plan", "a.txt": b"", "big.bin": bytes(200_000)}


Members = list[tuple[tarfile.TarInfo, bytes]]


def chunks(data: bytes) -> Iterator[bytes]:
    return iter([data[start : start + 65536] for start in range(0, len(data), 65536)])


def test_price() -> None:
    document = dumps(price_document(CTX, 1234))
    price = read_price(document.ljust(4096), 4096, CTX)
    assert (price.value["total"], price.sha256) == (1234, sha256(document).hex())


@pytest.mark.parametrize(
    "plaintext",
    [
        dumps(price_document(CTX, 1)).ljust(4095),
        dumps(price_document(CTX, 1)).ljust(4097),
        dumps(price_document({**CTX, "bid": "b-2"}, 1)).ljust(4096),
        dumps({**price_document(CTX, 1), "more": 1}).ljust(4096),
        (b" " + dumps(price_document(CTX, 1))).ljust(4096),
        dumps(price_document(CTX, 1)).ljust(4096, b"\t"),
        bytes(4096),
    ],
)
def test_refused_prices(plaintext: bytes) -> None:
    with pytest.raises(ContentFault):
        read_price(plaintext, 4096, CTX)


def test_terms_are_allowed() -> None:
    document = dumps({**price_document(CTX, 1), "terms": {"days": 30}})
    assert read_price(document.ljust(4096), 4096, CTX).value["terms"] == {"days": 30}


def test_main() -> None:
    data, manifest_sha256 = main_archive(CTX, FILES)
    assert read_main(chunks(data), CTX) == manifest_sha256


def changed(change: Callable[[Members], object]) -> bytes:
    """An archive made of the members of a good one after a change; a change returns new members or works in place."""
    data, _ = main_archive(CTX, FILES)
    members: Members = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            member.pax_headers = {}
            members.append((member, content.read() if content else b""))
    result = change(members)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, plain in result if isinstance(result, list) else members:
            member.size = len(plain)
            archive.addfile(member, io.BytesIO(plain))
    return buffer.getvalue().ljust(-(-len(buffer.getvalue()) // 65536) * 65536, b"\0")


def renamed(index: int, name: str) -> Callable[[Members], object]:
    return lambda members: setattr(members[index][0], "name", name)


def typed(index: int, kind: bytes) -> Callable[[Members], object]:
    return lambda members: setattr(members[index][0], "type", kind)


def test_the_rebuilt_archive_is_good() -> None:
    assert read_main(chunks(changed(lambda members: members)), CTX)


@pytest.mark.parametrize(
    "change",
    [
        renamed(1, "../方案.pdf"),
        renamed(1, "/方案.pdf"),
        renamed(1, "other.pdf"),
        renamed(0, "manifest.txt"),
        typed(1, tarfile.SYMTYPE),
        typed(1, tarfile.DIRTYPE),
        typed(1, tarfile.FIFOTYPE),
        lambda members: members[1:],
        lambda members: members[:-1],
        lambda members: [*members, members[-1]],
        lambda members: [members[1], members[0], *members[2:]],
        lambda members: [*members[:1], (members[1][0], b"another plan"), *members[2:]],
        lambda members: [(members[0][0], members[0][1] + b" "), *members[1:]],
        lambda members: [(members[0][0], members[0][1].replace(b"b-1", b"b-2")), *members[1:]],
        lambda _: [],
    ],
)
def test_refused_archives(change: Callable[[Members], object]) -> None:
    with pytest.raises(ContentFault):
        read_main(chunks(changed(change)), CTX)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-512],
        lambda data: data + bytes(512),
        lambda data: data[:-1] + b"\1",
        lambda data: data[:70_000],
        lambda _: b"",
        lambda _: bytes(65536),
        lambda _: b"\xff" * 65536,
    ],
)
def test_refused_padding_and_truncation(change: Callable[[bytes], bytes]) -> None:
    data, _ = main_archive(CTX, FILES)
    with pytest.raises(ContentFault):
        read_main(chunks(change(data)), CTX)


@pytest.mark.parametrize("path", ["a/../b", "a//b", "./a", "/a", "x" * 201])
def test_refused_paths(path: str) -> None:
    data, _ = main_archive(CTX, {path: b"x"})
    with pytest.raises(ContentFault):
        read_main(chunks(data), CTX)


def test_paths_that_differ_only_in_case() -> None:
    data, _ = main_archive(CTX, {"a.txt": b"x", "A.txt": b"y"})
    with pytest.raises(ContentFault, match="case"):
        read_main(chunks(data), CTX)


def test_sparse_members_are_refused() -> None:
    def sparse(members: Members) -> None:
        members[1][0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000"}

    with pytest.raises(ContentFault):
        read_main(chunks(changed(sparse)), CTX)
