"""What a file is, by its content; its name must agree (security 4.5: 5.2.2). Bytes alone decide, never the name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

HEAD: Final = 4096
CHUNK: Final = 1024 * 1024
_PDF_WITHIN: Final = 1024  # where readers of PDF look for its beginning
_TAR_MAGIC_AT: Final = 257

# The virus that is none: every scanner finds it. In two halves, so that no scanner finds it here.
TEST_VIRUS: Final = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

_MAGIC: Final = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"MZ", "executable"),
    (b"\x7fELF", "executable"),
    (b"\xca\xfe\xba\xbe", "executable"),
    (b"\xcf\xfa\xed\xfe", "executable"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "executable"),  # a shortcut of Windows
    (b"#!", "executable"),
)
IMAGES: Final = frozenset({"png", "jpeg", "gif", "bmp", "tiff"})
PACKED: Final = frozenset({"zip", "rar", "7z", "gzip", "bzip2", "xz", "tar"})
OFFICE: Final = frozenset({"docx", "xlsx", "pptx"})

_EXTENSIONS: Final = {
    "pdf": {"pdf"},
    "ofd": {"ofd"},
    "docx": {"docx"},
    "xlsx": {"xlsx"},
    "pptx": {"pptx"},
    "doc": {"ole"},
    "xls": {"ole"},
    "ppt": {"ole"},
    "wps": {"ole"},
    "et": {"ole"},
    "zip": {"zip"},
    "rar": {"rar"},
    "7z": {"7z"},
    "gz": {"gzip"},
    "tgz": {"gzip"},
    "tar": {"tar"},
    "png": {"png"},
    "jpg": {"jpeg"},
    "jpeg": {"jpeg"},
    "gif": {"gif"},
    "bmp": {"bmp"},
    "tif": {"tiff"},
    "tiff": {"tiff"},
    "txt": {"text"},
    "csv": {"text"},
    "md": {"text"},
    "json": {"text"},
    "xml": {"text", "markup"},
    "svg": {"markup"},
    "html": {"markup"},
    "htm": {"markup"},
}
#: Names that a double click would run, whatever the bytes are.
_RUNNING: Final = frozenset({
    "apk", "app", "bat", "chm", "cmd", "com", "cpl", "dll", "exe", "hta", "inf", "iso", "jar", "js", "jse", "lnk",
    "msi", "msp", "pif", "ps1", "py", "reg", "scf", "scr", "sh", "url", "vb", "vbe", "vbs", "wsf", "wsh", "xll",
})  # fmt: skip


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file from its beginning."""
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk


def kind_of(head: bytes) -> str:
    """Return the kind of a file that begins with ``head``; ``unknown`` if nothing here knows it."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    return "text" if text_of(head) is not None else "unknown"


def text_of(data: bytes) -> str | None:
    """Return bytes as text (UTF-8, UTF-16 with its mark, GB 18030), perhaps cut at the end; None if they are none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(data, "utf-16")
    if b"\x00" in data:
        return None
    text = _decoded(data, "utf-8-sig")
    return _decoded(data, "gb18030") if text is None else text


def _decoded(data: bytes, encoding: str) -> str | None:
    for cut in range(min(4, len(data) + 1)):
        try:
            return data[: len(data) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def extension_of(name: str) -> str:
    """Return the end of a name in lower case, without the dot."""
    base = name.rsplit("/", 1)[-1]
    return base.rpartition(".")[2].lower() if "." in base else ""


def agrees(name: str, kind: str) -> bool:
    """Whether a name with an extension that is known here says what the content is."""
    known = _EXTENSIONS.get(extension_of(name))
    return known is None or kind in known


def is_running(name: str, kind: str) -> bool:
    """Whether opening the file would run it."""
    return kind == "executable" or extension_of(name) in _RUNNING


def contains(file: BinaryIO, needles: tuple[bytes, ...], *, most: int) -> frozenset[bytes]:
    """Return which of some lower-case byte strings stand in the first ``most`` bytes, in any case."""
    found: set[bytes] = set()
    before, overlap, seen = b"", max(map(len, needles)) - 1, 0
    for chunk in chunks(file):
        text = (before + chunk).lower()
        found |= {needle for needle in needles if needle in text}
        before, seen = chunk[-overlap:] if overlap else b"", seen + len(chunk)
        if seen >= most or len(found) == len(needles):
            break
    return frozenset(found)
