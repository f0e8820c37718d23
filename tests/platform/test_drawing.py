"""Pages are drawn where nothing else can be done, and only plain pictures come out of there (F10, F47; ADR 0067)."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.build.drawn_files import book, breaking
from tests.build.hostile_files import CASES, png
from tests.build.hostile_pdfs import hostile
from tests.support.campaigns import LONG
from trading.inspection import pages
from trading.inspection.easel import AT_ONCE, MOST_BROKEN, Missing, Told, drawn
from trading.inspection.limits import Limits
from trading.inspection.pages import LARGE_PIXELS, SMALL_SIDE, Page, Unbelievable, measure

File = Callable[[bytes], BinaryIO]
TEN = book(*(f"page {number}" for number in range(1, 11)))
CONFINED = "import sys; from trading.inspection.limits import Limits, confine; from trading.inspection.pages import *;"


@pytest.fixture
def opened(tmp_path: Path) -> File:
    def write(data: bytes) -> BinaryIO:
        (tmp_path / "file").write_bytes(data)
        return (tmp_path / "file").open("rb")

    return write


def test_every_page_comes_in_two_sizes_with_its_text(opened: File, caplog: pytest.LogCaptureFixture) -> None:
    with opened(TEN) as file:
        told, *found = drawn(file, "pdf")
    assert told == Told(pages=10)
    assert len(found) > AT_ONCE, "more than one process draws"
    for number, each in enumerate(found, 1):
        assert isinstance(each, Page)
        assert (each.number, each.text) == (number, f"page {number}")
        assert measure(each.large) == (each.width, each.height)
        assert max(measure(each.small)) == SMALL_SIDE
        assert each.width * each.height <= LARGE_PIXELS
    first, second = found[:2]
    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert first.large != second.large, "one can see what page it is"
    if sys.platform == "linux":
        assert caplog.text == "", "it had no way to the network, to files, or to other programs"


def test_a_large_page_is_bounded_and_a_picture_is_one_page(opened: File) -> None:
    with opened(book("plan", size=(2384, 3370))) as file:
        _, page = drawn(file, "pdf")
    assert isinstance(page, Page)
    assert LARGE_PIXELS * 0.9 < page.width * page.height <= LARGE_PIXELS
    with opened(png()) as file:
        assert [type(each) for each in drawn(file, "png")] == [Told, Page]


def test_drawing_goes_on_where_it_was_left(opened: File) -> None:
    with opened(TEN) as file:
        assert [each.number for each in drawn(file, "pdf", first=9) if isinstance(each, Page)] == [9, 10]
        assert list(drawn(file, "pdf", first=11)) == [Told(pages=10)]


@pytest.mark.parametrize(("name", "data"), list(breaking()))
def test_what_asks_for_too_much_ends_and_tells_so(name: str, data: bytes, opened: File) -> None:
    with opened(data) as file:
        found = list(drawn(file, "pdf", limits=Limits(cpu_s=2, wall_s=8.0)))
    assert found, name
    assert all(isinstance(each, Told | Missing | Page) for each in found), name
    shown = [each for each in found if isinstance(each, Page)]
    assert all(each.width * each.height <= LARGE_PIXELS for each in shown), name


@pytest.mark.skipif(not LONG, reason="a process for each file: long runs")
def test_no_hostile_file_stops_the_one_who_draws(opened: File) -> None:
    files = [(case.name, case.data) for case in CASES] + [(name, data) for name, data, _ in hostile(TEN)]
    for name, data in files:
        for kind in ("pdf", "png", "jpeg", "gif", "bmp"):
            with opened(data) as file:
                assert all(isinstance(each, Told | Missing | Page) for each in drawn(file, kind)), name


def _program(body: str) -> tuple[str, ...]:
    return ("-c", f"{CONFINED} first = int(sys.argv[2]); out = sys.stdout.buffer; {body}")


def plain(width: int = 8, height: int = 8, *, colour: int = 0, extra: bytes = b"", rows: int | None = None) -> bytes:
    """Return a PNG, right or wrong in one place."""
    channels = {0: 1, 2: 3}.get(colour, 1)
    pixels = zlib.compress(bytes((height if rows is None else rows) * (1 + width * channels)))
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))

    beside = chunk(b"tEXt", extra) if extra else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + beside + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_only_plain_pictures_pass() -> None:
    assert measure(plain()) == (8, 8)
    assert measure(plain(9, 7, colour=2)) == (9, 7)
    wrong = {
        "another form": b"\xff\xd8\xff" + plain(),
        "a palette": plain(colour=3),
        "words beside the pixels": plain(extra=b"hello"),
        "fewer rows than it says": plain(rows=7),
        "more rows than it says": plain(rows=9),
        "too large": plain(6_000, 1_001),
        "too long": plain(6_001, 1),
        "without width": plain(0, 8),
        "cut": plain()[:-1],
        "something behind it": plain() + b"x",
        "a check sum": plain()[:40] + bytes([plain()[40] ^ 1]) + plain()[41:],
    }
    for data in wrong.values():
        with pytest.raises(Unbelievable):
            measure(data)


def answer(*pages_sent: Page, total: int = 3, end: bool = True) -> bytes:
    lines = [pages.begin_line(total, []), *(b"".join(pages.lines_of(page)) for page in pages_sent)]
    return b"".join([*lines, pages.end_line() if end else b""])


def sent(number: int, **changes: bytes) -> Page:
    images = {"large": plain(), "small": plain(), **changes}
    return Page(number=number, width=0, height=0, text="a\u202eb\x00c", **images)


def test_an_answer_is_believed_by_its_form_alone() -> None:
    _, page = pages.read_answer(io.BytesIO(answer(sent(1))))
    assert isinstance(page, Page)
    assert (page.width, page.height, page.text) == (8, 8, "a\ufffdb\ufffdc")
    wrong = (
        b"",
        b"[]\n",
        b'{"pages": -1, "held": []}\n',
        b'{"pages": 1000000, "held": []}\n',
        b'{"pages": 1, "held": []}',
        b"[" * 100_000 + b"\n",
        answer(sent(1), end=False),
        answer(sent(4)),
        answer(sent(1, large=b"\xff\xd8\xff not a plain picture")),
        answer(sent(1))[:-40],
    )
    for each in wrong:
        with pytest.raises(Unbelievable):
            list(pages.read_answer(io.BytesIO(each)))


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ("out.write(begin_line(9, [])); out.flush(); raise SystemExit(1)", [1, 2, 3]),
        ("out.write(begin_line(9, [])); out.flush(); confine(Limits(cpu_s=1))\nwhile True: pass", [1, 2, 3]),
        ("out.write(begin_line(2, [])); out.write(end_line())", [1, 2]),
        ("out.write(b'x' * 10**7)", [1]),
    ],
    ids=["dies", "hangs", "sends nothing", "sends something else"],
)
def test_a_process_that_breaks_costs_a_page_and_three_of_them_the_file(
    body: str, numbers: list[int], opened: File
) -> None:
    with opened(TEN) as file:
        found = list(drawn(file, "pdf", program=_program(body), limits=Limits(cpu_s=1, wall_s=10.0)))
    missing = [each for each in found if isinstance(each, Missing)]
    assert [each.number for each in missing] == numbers
    assert len(missing) <= MOST_BROKEN
    assert missing[-1].rest == (len(numbers) != 2)


def test_a_page_that_breaks_its_process_is_left_out_alone(opened: File) -> None:
    """The real program, which cannot draw page 2: all others are there."""
    odd = TEN.replace(b"/MediaBox[0 0 595 842]/Contents 6 0 R", b"/MediaBox[0 0 0 842]    /Contents 6 0 R")
    with opened(odd) as file:
        found = list(drawn(file, "pdf"))
    by_type = {kind: [each.number for each in found if isinstance(each, kind)] for kind in (Page, Missing)}
    assert by_type in (
        {Page: [1, 3, 4, 5, 6, 7, 8, 9, 10], Missing: [2]},
        {Page: list(range(1, 11)), Missing: []},  # a library that repairs the box
    )
