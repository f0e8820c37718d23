"""Past tenders from a file: good rows are read, bad ones named and left out, a wrong file refused whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from trading.demo.tenders_csv import read_tenders
from trading.kernel.errors import InvalidInput

HEAD = "Tender,Bid_value,Winner,Pre-Tender Estimate (PTE)\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "past.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_tenders_in_the_order_of_the_file(tmp_path: Path) -> None:
    past = read_tenders(_file(tmp_path, HEAD + "7,1000.5,0.0,900\n7,999.99,1.0,900\n3,20,1,\n"))
    assert [(tender.number, len(tender.bids), tender.estimate) for tender in past.tenders] == [
        ("7", 2, 90_000),
        ("3", 1, None),
    ]
    assert [bid.amount for bid in past.tenders[0].bids] == [100_050, 99_999]
    assert [bid.won for bid in past.tenders[0].bids] == [False, True]


def test_binary_noise_is_rounded_and_counted(tmp_path: Path) -> None:
    past = read_tenders(_file(tmp_path, HEAD + "1,107807690.49000001,1.0,\n1,107807690.49,0.0,\n"))
    assert [bid.amount for bid in past.tenders[0].bids] == [10_780_769_049, 10_780_769_049]
    assert past.rounded == 1


def test_identical_rows_are_separate_bids(tmp_path: Path) -> None:
    past = read_tenders(_file(tmp_path, HEAD + "1,5,1.0,\n1,5,1.0,\n"))
    assert len(past.tenders[0].bids) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,abc,0.0,", "abc"),
        ("1,5,perhaps,", "perhaps"),
        ("1,-5,0.0,", "-5"),
        ("1,0,0.0,", "0"),
        (",5,0.0,", "no tender"),
        ("1,5,0.0,1,2,3", "too few or too many"),
        ("1,5", "too few or too many"),
        ("1,5,0.0,about ten", "about ten"),
    ],
)
def test_a_malformed_row_is_named_with_line_and_reason_and_left_out(tmp_path: Path, row: str, reason: str) -> None:
    past = read_tenders(_file(tmp_path, HEAD + f"1,4,1.0,\n{row}\n1,6,0.0,\n"))
    assert [bid.amount for bid in past.tenders[0].bids] == [400, 600]
    assert [bad.line for bad in past.bad_rows] == [3]
    assert reason in past.bad_rows[0].reason


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "past.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "1,5,1.0,\n").encode()))
    assert len(read_tenders(path).tenders) == 1


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Tender,Winner\n1,1\n"])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"csv\.columns"):
        read_tenders(_file(tmp_path, text))


@pytest.mark.parametrize("text", [HEAD, HEAD + "1,abc,0.0,\n"])
def test_a_file_without_a_good_row_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"csv\.empty"):
        read_tenders(_file(tmp_path, text))


WHOLE = gzip.compress(HEAD.encode() * 99, mtime=0)
CUT, DAMAGED = WHOLE[:-9], bytearray(WHOLE)
DAMAGED[14:18] = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"\x1f\x8bbroken", CUT, bytes(DAMAGED), HEAD.encode() + b"1,%s,1.0,\n" % (b"9" * 200_000)],
    ids=["no text", "no gzip", "cut", "damaged", "too long a row"],
)
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "past.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"csv\.unreadable"):
        read_tenders(path)
