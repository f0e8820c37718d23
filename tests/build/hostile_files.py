"""Files that harm whoever opens them, all made here, and harmless ones beside them: name, bytes, findings."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trading.inspection.findings import Found
from trading.inspection.kinds import TEST_VIRUS

_TYPES: Final = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">%s</Types>'
)
_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LETTER: Final = "投标函：愿以读出的价格供货。"


@dataclass(frozen=True)
class Case:
    """One file; ``text`` is part of what is shown of it."""

    name: str
    data: bytes
    found: frozenset[Found] = frozenset()
    text: str = ""

    @property
    def id(self) -> str:
        return self.name


def packed(entries: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


def word(body: str = "", *, more: Mapping[str, bytes] | None = None, types: bytes = b"") -> bytes:
    paragraph = f"<w:p><w:r><w:t>{body or LETTER}</w:t></w:r></w:p>"
    text = f'<?xml version="1.0"?><w:document xmlns:w="{_WORD}"><w:body>{paragraph}</w:body></w:document>'
    return packed({"[Content_Types].xml": _TYPES % types, "word/document.xml": text.encode(), **(more or {})})


def links(kind: str, target: str) -> dict[str, bytes]:
    row = f'<Relationship Id="r1" Type="{_LINKS}/{kind}" Target="{target}" TargetMode="External"/>'
    return {"word/_rels/document.xml.rels": f"<Relationships>{row}</Relationships>".encode()}


def pdf(*objects: bytes, head: bytes = b"%PDF-1.7\n", tail: bytes = b"") -> bytes:
    """Return a PDF of one empty page with further objects."""
    body = head
    places = []
    catalog = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R>>")
    for number, each in enumerate((*catalog, *objects), 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    at = len(body)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(places) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\n" % (count, rows, count)
    return body + b"startxref\n%d\n%%%%EOF\n" % at + tail


def stream(data: bytes, *, deflated: bool = True) -> bytes:
    packed_data = zlib.compress(data) if deflated else data
    kind = b"/Filter/FlateDecode" if deflated else b""
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (kind, len(packed_data), packed_data)


def png(width: int = 2, height: int = 2, *, tail: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))

    rows = zlib.compress(b"\x00" * 20)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"") + tail


def gif(width: int = 1, *, comment: bytes = b"") -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, 1) + b"\x80\x00\x00" + bytes(6) + comment + b";"


def jpeg(width: int = 16, height: int = 16) -> bytes:
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01" + bytes(7) + frame + b"\xff\xd9"


def _edited(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, new)


def _link_archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("drawing")
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def _twice() -> bytes:
    """An archive that names an entry twice; the library warns of it, so the second name is put in by hand."""
    return _edited(packed({"a.txt": b"one", "b.txt": b"two"}), b"b.txt", b"a.txt")


def _other_local_name() -> bytes:
    data = packed({"a.txt": b"one"}, method=zipfile.ZIP_STORED)
    return data.replace(b"a.txt", b"b.txt", 1)


def _two_directories() -> bytes:
    """One archive behind another, each with a directory that a program may take for the only one."""
    first, second = packed({"a.txt": b"one"}), packed({"b.txt": b"two"})
    shift = len(first)
    at = second.rfind(b"PK\x05\x06")
    start = struct.unpack("<I", second[at + 16 : at + 20])[0]
    moved = second[: at + 16] + struct.pack("<I", start + shift) + second[at + 20 :]
    entry = moved.find(b"PK\x01\x02")
    return first + moved[: entry + 42] + struct.pack("<I", shift) + moved[entry + 46 :]


def _lying_size() -> bytes:
    """A bomb whose directory says that it is small."""
    data = bytearray(packed({"zeros.txt": bytes(4_000_000)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(signature)
        data[at + place : at + place + 4] = struct.pack("<I", 1_000)
    return bytes(data)


def _overlapping() -> bytes:
    """Two entries of the directory that share one local entry."""
    data = packed({"a.txt": b"one", "b.txt": b"two"})
    second = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 1)
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def _locked() -> bytes:
    data = bytearray(packed({"a.txt": b"one"}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        data[at + place] |= 1
    return bytes(data)


def _bomb() -> bytes:
    """Headers alone: 100 entries that say they are of 40 MB; nobody unpacks them to find out."""
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed_data = block.compress(bytes(40_000)) + block.flush()
    local, directory = b"", b""
    for number in range(100):
        name = b"%03d.txt" % number
        sizes = struct.pack("<III", 0, len(packed_data), 40_000_000)
        directory += b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, len(local)) + name
        local += b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0)
        local += name + packed_data
    end = struct.pack("<HHHHIIH", 0, 0, 100, 100, len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


def harmless() -> Iterator[Case]:
    """What honest bidders send: nothing is found, and text is shown."""
    yield Case("letter.txt", LETTER.encode(), text=LETTER)
    yield Case("gbk.txt", LETTER.encode("gb18030"), text=LETTER)
    yield Case("wide.txt", LETTER.encode("utf-16"), text=LETTER)
    yield Case("prices.csv", b"item,price\nchair,-12.50\ntable,+99\n", text="chair,-12.50")
    yield Case("letter.docx", word(), text=LETTER)
    yield Case("linked.docx", word(more=links("hyperlink", "https://example.com/")), text=LETTER)
    yield Case("book.xlsx", packed({"[Content_Types].xml": _TYPES % b"", "xl/workbook.xml": b"<workbook/>"}))
    yield Case("offer.pdf", pdf(stream(b"BT (JavaScript is only a word here) Tj ET")))
    yield Case("plan.zip", packed({"plans/a.txt": b"one", "plans/b.png": png()}))
    yield Case("photo.png", png())
    yield Case("photo.jpg", jpeg())
    yield Case("mark.gif", gif())
    yield Case("data.xml", b"<?xml version='1.0'?><bid><price>1</price></bid>", text="<price>1</price>")


def suspicious() -> Iterator[Case]:
    """What may be read with a warning."""
    yield Case("nothing.pdf", b"", frozenset({Found.EMPTY}))
    yield Case("noise.dwg", b"AC1032\x00\x00" + bytes(range(256)), frozenset({Found.TYPE_UNKNOWN}))
    yield Case("letter.pdf", b"not a PDF at all", frozenset({Found.TYPE_DISAGREES}))
    yield Case("cut.pdf", pdf()[:80], frozenset({Found.MALFORMED}))
    yield Case("locked.pdf", pdf(b"<</Encrypt 9 0 R>>"), frozenset({Found.ENCRYPTED}))
    yield Case("attached.pdf", pdf(b"<</Type/EmbeddedFile>>"), frozenset({Found.PDF_EMBEDDED}))
    yield Case("locked.zip", _locked(), frozenset({Found.ENCRYPTED}))
    yield Case("embedded.docx", word(more={"word/embeddings/other.docx": word()}), frozenset({Found.OFFICE_EMBEDDED}))
    yield Case("torn.png", png()[:-6], frozenset({Found.MALFORMED}))
    yield Case("turned.txt", "price \u202e0001".encode(), frozenset({Found.TEXT_MISLEADING}), "price")
    yield Case("sums.csv", b"item,price\nchair,=HYPERLINK(A1)\n", frozenset({Found.TABLE_FORMULA}), "chair")


def hostile() -> Iterator[Case]:
    """What nobody may be given."""
    yield from _hostile_files()
    yield from _hostile_archives()
    yield from _hostile_documents()


def _hostile_files() -> Iterator[Case]:
    yield Case("virus.txt", TEST_VIRUS, frozenset({Found.TEST_VIRUS}))
    yield Case("setup.exe", b"MZ" + bytes(200), frozenset({Found.EXECUTABLE}))
    yield Case("offer.pdf.exe", pdf(), frozenset({Found.EXECUTABLE}))
    yield Case("renamed.pdf", b"MZ" + bytes(200), frozenset({Found.EXECUTABLE}))
    yield Case("tool", b"\x7fELF" + bytes(200), frozenset({Found.EXECUTABLE}))
    yield Case("run.sh", b"#!/bin/sh\nrm -rf /\n", frozenset({Found.EXECUTABLE}))
    yield Case("link.lnk", b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(100), frozenset({Found.EXECUTABLE}))
    yield Case("page.html", b"<html><script>alert(1)</script></html>", frozenset({Found.MARKUP_ACTIVE}))
    yield Case(
        "drawing.svg",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        frozenset({Found.MARKUP_ACTIVE}),
    )
    yield Case(
        "entity.xml",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
        frozenset({Found.MARKUP_ENTITY}),
    )
    yield Case("script.png", png(tail=b"<script>alert(1)</script>"), frozenset({Found.POLYGLOT}))
    yield Case("script.gif", gif(0x2A2F, comment=b"*/=1;alert(1)"), frozenset({Found.POLYGLOT}))
    yield Case("flood.png", png(200_000, 200_000), frozenset({Found.IMAGE_FLOOD}))
    yield Case("flood.jpg", jpeg(65_000, 65_000), frozenset({Found.IMAGE_FLOOD}))
    yield Case("offer.pdf", b"<html>" + pdf(), frozenset({Found.POLYGLOT}))
    yield Case("both.pdf", pdf() + packed({"a.txt": b"one"}), frozenset({Found.POLYGLOT}))


def _hostile_archives() -> Iterator[Case]:
    yield Case("bomb.zip", _bomb(), frozenset({Found.ARCHIVE_BOMB}))
    yield Case("liar.zip", _lying_size(), frozenset({Found.ARCHIVE_BOMB}))
    yield Case(
        "many.zip",
        packed({f"{number}": b"" for number in range(2_001)}, method=zipfile.ZIP_STORED),
        frozenset({Found.ARCHIVE_BOMB}),
    )
    yield Case("nested.zip", packed({"inner.zip": packed({"a": b"1"})}), frozenset({Found.ARCHIVE_NESTED}))
    yield Case("slip.zip", packed({"../../etc/cron.d/x": b"1"}), frozenset({Found.ARCHIVE_PATH}))
    yield Case("root.zip", packed({"/etc/passwd": b"1"}), frozenset({Found.ARCHIVE_PATH}))
    yield Case("drive.zip", packed({"C:\\autoexec.txt": b"1"}), frozenset({Found.ARCHIVE_PATH}))
    yield Case("link.zip", _link_archive(), frozenset({Found.ARCHIVE_LINK}))
    yield Case("twice.zip", _twice(), frozenset({Found.ARCHIVE_AMBIGUOUS}))
    yield Case("renamed.zip", _other_local_name(), frozenset({Found.ARCHIVE_AMBIGUOUS}))
    yield Case("behind.zip", _two_directories(), frozenset({Found.ARCHIVE_AMBIGUOUS}))
    yield Case("overlap.zip", _overlapping(), frozenset({Found.ARCHIVE_AMBIGUOUS}))
    yield Case("trailing.zip", packed({"a.txt": b"1"}) + b"more", frozenset({Found.ARCHIVE_AMBIGUOUS}))
    yield Case("program.zip", packed({"readme.scr": b"1"}), frozenset({Found.EXECUTABLE}))
    yield Case("hidden.zip", packed({"readme.txt": b"MZ" + bytes(90)}), frozenset({Found.EXECUTABLE}))
    yield Case("virus.zip", packed({"readme.txt": TEST_VIRUS}), frozenset({Found.TEST_VIRUS}))


def _hostile_documents() -> Iterator[Case]:
    macro = frozenset({Found.OFFICE_MACRO})
    yield Case("macro.docx", word(more={"word/vbaProject.bin": b"\x00" * 50}), macro)
    yield Case(
        "typed.docx",
        word(types=b'<Override ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>'),
        macro,
    )
    yield Case(
        "sheet4.xlsx",
        packed({"[Content_Types].xml": _TYPES % b"", "xl/workbook.xml": b"<w/>", "xl/macrosheets/s1.xml": b"<m/>"}),
        macro,
    )
    yield Case(
        "old.doc",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "_VBA_PROJECT".encode("utf-16-le") + bytes(500),
        macro,
    )
    yield Case(
        "template.docx",
        word(more=links("attachedTemplate", "https://example.com/t.dotm")),
        frozenset({Found.OFFICE_EXTERNAL}),
    )
    yield Case(
        "dde.docx",
        word("</w:t></w:r><w:r><w:instrText>DDEAUTO c:\\\\x</w:instrText><w:t>"),
        frozenset({Found.OFFICE_EXTERNAL}),
        "DDEAUTO",
    )
    yield Case(
        "laughs.docx",
        packed(
            {"[Content_Types].xml": _TYPES % b"", "word/document.xml": b"<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>"}
        ),
        frozenset({Found.MARKUP_ENTITY}),
    )
    script, launch = frozenset({Found.PDF_SCRIPT}), frozenset({Found.PDF_LAUNCH})
    yield Case("script.pdf", pdf(b"<</S/JavaScript/JS(app.alert(1))>>"), script)
    yield Case("spelt.pdf", pdf(b"<</S/J#61va#53cript/JS(app.alert(1))>>"), script)
    yield Case("packed.pdf", pdf(stream(b"4 0 <</S /JavaScript /JS (app.alert(1))>>")), script)
    yield Case("launch.pdf", pdf(b"<</S/Launch/F(cmd.exe)>>"), launch)
    yield Case("send.pdf", pdf(stream(b"7 0 <</S/SubmitForm/F(https://example.com)>>")), launch)


CASES: Final = (*harmless(), *suspicious(), *hostile())
