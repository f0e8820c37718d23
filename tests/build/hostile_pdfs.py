"""PDFs that mislead a reader of receipts; every one must be refused by each program that takes the attachment out."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from tests.build.printed import Taken

BOMB = 2**26  # bytes that a file of less than 100 kB would unpack to


def hostile(good: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Yield the name of a trick, a file, and part of what the verifier says of it."""
    yield from _containers(good)
    yield from _attachments(Taken.apart(good))


def _containers(good: bytes) -> Iterator[tuple[str, bytes, str]]:
    taken, end = Taken.apart(good), good.rindex(b"startxref")
    yield "nothing but the mark", b"%PDF-", "not a PDF as the platform"
    yield "another version", good.replace(b"%PDF-1.7", b"%PDF-2.0", 1), "not a PDF as the platform"
    yield "truncated", good[: len(good) // 2], "the PDF"
    yield "without its last byte", good[:-1], "the table"
    yield "something after the end", good + b"\n", "the table"
    yield "something before the beginning", b"%PDF-1.7\n" + good, "not a PDF as the platform"
    yield "an object beside the table", good[:end] + b"1 0 obj\n<<>>\nendobj\n" + good[end:], "the table"
    yield (
        "a later addition",
        good + b"\n1 0 obj\n<<>>\nendobj\nxref\n0 0\ntrailer\n<<>>\nstartxref\n9\n%%EOF",
        "the table",
    )
    first = b"%010d 00000 n" % good.index(b"1 0 obj\n")
    yield (
        "a table of other places",
        good.replace(first, b"%010d 00000 n" % (good.index(b"1 0 obj\n") + 1), 1),
        "the table",
    )
    yield "an object twice", good.replace(b"\n2 0 obj\n", b"\n1 0 obj\n", 1), "object 2"
    yield "objects within a stream", taken.with_object(b"<</Length 0/Type/ObjStm/N 0>>", b"").together(), "ObjStm"
    yield "encrypted", taken.with_object(b"<</Filter/Standard/Encrypt 1 0 R>>").together(), "Encrypt"
    yield "a script", taken.with_object(b"<</S/JavaScript/JS(app.alert)>>").together(), "JavaScript"
    yield "too long", good + bytes(5 * 2**20), "too long"


def _attachments(taken: Taken) -> Iterator[tuple[str, bytes, str]]:
    embedded = next(n for n, line in enumerate(taken.lines) if b"/EmbeddedFile/" in line)
    line, stream = taken.lines[embedded], taken.streams[embedded] or b""
    spec = next(each for each in taken.lines if b"/Filespec/" in each)
    proof = zlib.decompress(stream)

    def described(old: bytes, new: bytes, mark: bytes = b"/Filespec/") -> bytes:
        return taken.with_line(mark, lambda each: each.replace(old, new)).together()

    yield "no attachment", described(b"/EmbeddedFile/", b"/Other/", b"/EmbeddedFile/"), "0 attachments"
    yield "two attachments", taken.with_object(line, stream).together(), "2 attachments"
    yield "two names for it", taken.with_object(spec).together(), "1 attachments"
    hidden = line.replace(b"/EmbeddedFile/", b"/Embedded#46ile/")
    yield "another spelling", taken.with_object(hidden, stream).together(), "Embedded#46ile"
    hidden = b"<</A 1 %(\r/EF<</F 1 0 R>>%)\r>>"
    yield "a comment that hides a name", taken.with_object(hidden).together(), "the table"
    yield "another name of the file", described(b".tlog-proof", b".txt"), "not described"
    yield "a path as name", described(b"/F(", b"/F(../"), "not described"
    yield "another file behind the name", described(b"/EF<</F %d" % (embedded + 1), b"/EF<</F 1"), "not described"
    other = re.sub(rb"F %d 0 R" % (embedded + 1), b"F 1 0 R", spec)
    yield "a reference elsewhere", described(spec, other), "another attachment"
    yield "another name in the catalogue", described(b"/Names[(1", b"/Names[(7", b"/Catalog/"), "another attachment"
    yield "no name in the catalogue", described(b"/EmbeddedFiles", b"/Others", b"/Catalog/"), "not described"
    yield "a second filter", described(b"/FlateDecode/", b"[/FlateDecode/FlateDecode]/", b"/EmbeddedFile/"), "not desc"
    wrong = b"/Size %d" % len(proof)
    for size, says in ((len(proof) - 1, "as long"), (len(proof) + 1, "as long"), (2**26, "too long")):
        yield f"a size of {size}", described(wrong, b"/Size %d" % size, b"/EmbeddedFile/"), says
    yield "a bomb", taken.with_attached(_bomb()).together(), "as long"
    yield "damaged", taken.with_attached(stream[:20] + b"\0" * 9 + stream[29:]).together(), "damaged"
    yield "cut", taken.with_attached(stream[:-8]).together(), "as long"
    yield "more behind it", taken.with_attached(stream + b"more").together(), "as long"
    yield "not packed", taken.with_attached(proof).together(), "damaged"


def _bomb() -> bytes:
    """Return a small stream that would become 64 MiB."""
    packing, block = zlib.compressobj(), bytes(2**20)
    return b"".join(packing.compress(block) for _ in range(BOMB // 2**20)) + packing.flush()
