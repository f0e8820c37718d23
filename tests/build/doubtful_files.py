"""Files by name: content, and what is doubtful about it before it is sealed. Marks are set exactly at their limits."""

from __future__ import annotations

from typing import Final

_PDF_END: Final = b"trailer\n<<>>\nstartxref\n9\n%%EOF"
_ZIP_END: Final = b"PK\x05\x06" + bytes(18)
_PNG: Final = b"\x89PNG\r\n\x1a\n"

FILES: Final[dict[str, tuple[bytes, list[str]]]] = {
    "empty.pdf": (b"", ["empty"]),
    "empty.anything": (b"", ["empty"]),
    "unknown.anything": (b"x", []),
    "noextension": (b"x", []),
    "ends.": (b"x", []),
    "good.pdf": (b"%PDF-1.7\n" + _PDF_END, []),
    "GOOD.PDF": (b"%PDF-1.7\n" + _PDF_END, []),
    "two.dots.pdf": (b"PK\x03\x04" + _ZIP_END, ["wrong_type"]),
    ".pdf": (b"x", ["wrong_type"]),
    "late start.pdf": (b" " * 1024 + b"%PDF-1.7\n" + _PDF_END, []),
    "too late start.pdf": (b" " * 1025 + b"%PDF-1.7\n" + _PDF_END, ["wrong_type"]),
    "cut.pdf": (b"%PDF-1.7\n" + _PDF_END[:-1], ["truncated"]),
    "early end.pdf": (b"%PDF-1.7\n%%EOF" + b"\n" * 1019, []),
    "too early end.pdf": (b"%PDF-1.7\n%%EOF" + b"\n" * 1020, ["truncated"]),
    "locked.pdf": (b"%PDF-1.7\n<</Encrypt 1 0 R>>" + b" " * 4000 + _PDF_END, ["locked"]),
    "cut and locked.pdf": (b"%PDF-1.7\n<</Encrypt 1 0 R>>", ["truncated", "locked"]),
    "good.docx": (b"PK\x03\x04" + bytes(90_000) + _ZIP_END, []),
    "cut.xlsx": (b"PK\x03\x04" + bytes(90_000), ["truncated"]),
    "longest comment.zip": (b"PK\x03\x04" + _ZIP_END + bytes(65_535), []),
    "too long comment.zip": (b"PK\x03\x04" + _ZIP_END + bytes(65_536), ["truncated"]),
    "no member.zip": (_ZIP_END, []),
    "locked.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["wrong_type"]),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", []),
    "good.png": (_PNG + b"IEND\xaeB`\x82", []),
    "cut.png": (_PNG + b"IEND\xaeB`", ["truncated"]),
    "good.jpg": (b"\xff\xd8\xff\xe0\xff\xd9", []),
    "cut.jpeg": (b"\xff\xd8\xff\xe0\xff", ["truncated"]),
    "picture.gif": (b"GIF89a;", []),
    "scan.tif": (b"II*\0", []),
    "scan.TIFF": (b"MM\0*", []),
    "wrong.tif": (b"%PDF-1.7", ["wrong_type"]),
}
