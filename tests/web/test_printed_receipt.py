"""A receipt on paper: what stands on it, what its QR code carries, and the same bytes every time (ADR 0042)."""

from __future__ import annotations

import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pypdfium2
import pytest
import zxingcpp

from tests.build.printed import BID, ENVELOPE, PLATFORM, Press
from trading.assembly import REGISTRY
from trading.audit.service import IssuedReceipt
from trading.kernel.errors import IntegrityFailure
from trading.receipts import typesetting
from trading.receipts.views.fields import field_title

SCALE = 3  # 216 dots an inch: less than any printer


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Press:
    return Press.at(tmp_path_factory.mktemp("press"))


@pytest.fixture(scope="module")
def issued(press: Press) -> IssuedReceipt:
    return press.issued("bid.received", BID)


def text_of(pdf: bytes) -> str:
    """Return the text of all pages without blanks: groups of digests are set apart for the eye only."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join("".join(page.get_textpage().get_text_bounded().split()) for page in document)
    finally:
        document.close()


def code_of(pdf: bytes) -> str:
    """Return what a camera would read in the QR code of the first page."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        bitmap = document[0].render(scale=SCALE, grayscale=True)
        pixels = memoryview(bytes(bitmap.buffer)).cast("B", (bitmap.height, bitmap.stride))
        found = zxingcpp.read_barcode(pixels)
        assert found is not None
        return found.text
    finally:
        document.close()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "zh",
            (
                "回执",
                "投标收讫",
                "已写入日志，见证方已签名",
                "2026-05-1212:00:00.361(北京时间UTC+8)",
                "密封信封SHA-256",
            ),
        ),
        (
            "en",
            ("Receipt", "Bidreceived", "cosignedbythewitnesses", "12:00:00.361(BeijingtimeUTC+8)", "Sealedenvelope"),
        ),
    ],
)
def test_the_page_says_what_the_receipt_says(
    press: Press, issued: IssuedReceipt, language: str, words: tuple[str, ...]
) -> None:
    pdf = press.printed(issued, language)
    shown = text_of(pdf)
    facts = (ENVELOPE, issued.h.hex(), "T-2026-7k3m9q2d", "91320100MA1X2Y3Z4K", "b-7k3m9q2d4x6w8z1a")
    witnesses = tuple(f"witness{number}.example·2026-05-1212:00:02" for number in (1, 2, 3))
    both = ("如何核验", "Howtocheckit", f"{PLATFORM}/verify", f"verify.py{issued.n}.pdf--trusttrust.json")
    assert [each for each in (*words, *facts, *witnesses, *both) if each not in shown] == []
    assert "演示模式" not in shown
    document = pypdfium2.PdfDocument(pdf)
    title = document.get_metadata_value("Title")
    assert title.endswith(f"{issued.n}.tlog-proof")
    assert document.get_version() == 17
    assert document.is_tagged()
    assert document.count_attachments() == 1
    assert bytes(document.get_attachment(0).get_data()) == issued.text
    document.close()
    assert f"/Lang({'zh-CN' if language == 'zh' else 'en-GB'})".encode() in pdf
    assert b"/S/GTS_PDFA1" in pdf
    embedded = pdf.count(b"/FontFile2 ") + pdf.count(b"/FontFile3 ")
    assert pdf.count(b"/FontDescriptor ") == embedded > 1


def test_the_code_leads_to_the_entry_and_carries_what_the_paper_says(press: Press, issued: IssuedReceipt) -> None:
    address = urlsplit(code_of(press.printed(issued)))
    told = {name: value[0] for name, value in parse_qs(address.fragment).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{PLATFORM}/log/entries/{issued.h.hex()}"
    assert address.query == ""  # what follows is never sent
    size = int(told["size"])
    assert (int(told["n"]), size) == (issued.n, issued.n + 1)
    assert urlsafe_b64decode(told["leaf"] + "=") == press.log.hashes[issued.n]
    assert urlsafe_b64decode(told["root"] + "=") == press.log.checkpoint(size).root


def test_the_same_receipt_gives_the_same_bytes(press: Press, issued: IssuedReceipt) -> None:
    first = press.printed(issued)
    typesetting.typeset.cache_clear()
    assert press.printed(issued) == first
    assert press.printed(issued, "en") != first


def test_a_receipt_without_witnesses_says_so(press: Press) -> None:
    shown = text_of(press.printed(press.issued("bid.received", BID, witnesses=()), "en"))
    assert "Inthelog,thewitnessesfollow" in shown
    assert "witness1.example" not in shown


def test_a_demonstration_says_so_on_paper(tmp_path_factory: pytest.TempPathFactory) -> None:
    press = Press.at(tmp_path_factory.mktemp("demo"), demo=True)
    assert "演示模式：密钥均在本机，结果不具有证明力" in text_of(press.printed(press.issued("bid.received", BID), "en"))


def test_every_letter_of_the_font_is_set_and_every_other_spelt_out(press: Press) -> None:
    letters = "".join(_letters())
    pieces = {f"part_{n}": letters[at : at + 300] for n, at in enumerate(range(0, len(letters), 300))}
    shown = text_of(press.printed(press.issued("config.changed", {"what": "中\U00020bb7龘\u200bé", **pieces})))
    assert r"中\u{20bb7}\u{9f98}\u{200b}é" in shown
    assert {each for each in letters if not each.isspace()} <= set(shown)


def _letters() -> Iterator[str]:
    """Yield every letter that the font was cut to, as its README says."""
    yield from map(chr, (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)))
    yield from "–€"
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            yield bytes((high, low)).decode("gb2312", "ignore").replace("\u3000", "")


def test_a_record_is_data_and_long_values_are_cut(press: Press) -> None:
    body = {"what": "#panic(1) *b* $x$ @a \\u{41}", "items": [{"bid": f"b-{n}", "rank": n} for n in range(500)]}
    pdf = press.printed(press.issued("bids.ranked", body), "en")
    shown = text_of(pdf)
    assert "#panic(1)*b*$x$@a\\u{41}" in shown
    assert "(infullintheattachedfile)" in shown
    assert shown.count('"rank"') < 30


def test_fields_that_bidders_and_the_public_ask_about_have_titles(press: Press) -> None:
    kinds = {kind.name: kind for kind in REGISTRY}
    asked = ("bid.received", "bid.withdrawn", "tender.published", "tender.closed", "result.published", "draw.result")
    fields = {field for name in asked for field in kinds[name].fields}
    with press.app.test_request_context("/?lang=zh"):
        assert {field for field in fields if field_title(field) == field} == {"heartbeat_size"}


def test_a_checkpoint_that_does_not_verify_is_never_printed(press: Press, issued: IssuedReceipt) -> None:
    line = next(each for each in issued.text.split(b"\n") if each.startswith("— witness1".encode()))
    forged = issued.text.replace(line, line[:-9] + b"AAAAAAAA" + line[-1:])
    assert forged != issued.text
    with pytest.raises(IntegrityFailure):
        press.printed(replace(issued, text=forged))
    with pytest.raises(IntegrityFailure):
        press.printed(replace(issued, text=issued.text[:-30]))


def test_a_worker_that_prints_does_not_load_the_typesetter(press: Press, issued: IssuedReceipt) -> None:
    press.printed(issued)
    assert "typst" not in sys.modules  # it would keep 100 MB
