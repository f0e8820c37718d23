"""The receipt attached to a PDF, as the platform writes it (ADR 0042). The file is hostile until it has been read.

A reader of any PDF could be shown something else than the program that its holder uses. This one takes one form alone:
numbered objects one after the other, each dictionary on one line; a plain table of their places at the end; no object
streams, no later additions, no encryption, no other spelling of a name; one attachment, that of a receipt.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from verifier.merkle import ProofFault
from verifier.proofs import PROOF_LIMIT

PDF_MARK = b"%PDF-"
PDF_LIMIT = PROOF_LIMIT + 2**21
PDF_HEAD = re.compile(rb"%PDF-1\.7\n%[\x80-\xff]{4}\n\n")
PDF_OBJECT = re.compile(rb"([1-9][0-9]{0,5}) 0 obj\n([\x20-\xff]*)\n")  # no other end of line, at which comments end
PDF_LENGTH = re.compile(rb"<</Length ([0-9]{1,8})/")
PDF_STRING = re.compile(rb"\((?:[^()\\]|\\.)*\)")
PDF_NAME = re.compile(rb"/([^ /<>\[\](){}%]*)")
PDF_TRAILER = re.compile(
    rb"trailer\n<</Size ([0-9]{1,6})/Root ([0-9]{1,6}) 0 R/Info [0-9]{1,6} 0 R/ID\[\([\w+/=]*\)\([\w+/=]*\)\]>>\n"
    rb"startxref\n([0-9]{1,8})\n%%EOF\Z"
)
PDF_EMBEDDED = re.compile(
    rb"<</Length [0-9]{1,8}/Type/EmbeddedFile/Filter/FlateDecode/Subtype/text#2Fplain"
    rb"/Params<</Size ([0-9]{1,8})/ModDate\(D:[0-9]{14}Z\)>>>>\Z"
)
PDF_FILESPEC = re.compile(
    rb"<</Type/Filespec/F\(((?:0|[1-9][0-9]{0,15})\.tlog-proof)\)/UF\(\1\)/EF<</F ([0-9]{1,6}) 0 R/UF \2 0 R>>"
    rb"/AFRelationship/Source/Desc(?:\([^()\\]*\)|<[0-9A-F]*>)>>\Z"
)
PDF_NAMED = re.compile(rb"/Names<</EmbeddedFiles<</Names\[\(([^()\\]*)\)([0-9]{1,6}) 0 R\]>>>>/AF\[\2 0 R\]>>\Z")
# What would let the file say one thing to this program and another to a viewer.
PDF_FOREIGN = frozenset((b"ObjStm", b"XRef", b"Encrypt", b"Crypt", b"JavaScript", b"JS", b"Launch"))
MEDIA_NAME = b"text#2Fplain"


@dataclass(frozen=True)
class PdfObject:
    """One object: where it begins, its dictionary or value on one line, and the bytes of its stream if it has one."""

    at: int
    line: bytes
    stream: bytes | None

    @property
    def names(self) -> list[bytes]:
        """Return every name of the line, those within texts left out."""
        return PDF_NAME.findall(PDF_STRING.sub(b"()", self.line))


def attached_proof(data: bytes) -> bytes:
    """Return the tlog-proof that a PDF carries.

    Raises:
        ProofFault: Any deviation from the form that the platform writes.
    """
    if len(data) > PDF_LIMIT:
        raise ProofFault("PDF too long")
    objects, end = _objects(data)
    root = _root(data, end, objects)
    for each in objects:
        _admit(each)
    found = [each for each in objects if b"EmbeddedFile" in each.names]
    specs = [each for each in objects if b"Filespec" in each.names or b"EF" in each.names]
    if len(found) != 1 or len(specs) != 1:
        raise ProofFault(f"a PDF with {len(found)} attachments, where one receipt must be")
    embedded, spec, named = (
        PDF_EMBEDDED.match(found[0].line),
        PDF_FILESPEC.match(specs[0].line),
        PDF_NAMED.search(root.line),
    )
    if not embedded or not spec or not named:
        raise ProofFault("the attachment of the PDF is not described as that of a receipt")
    place, origin = objects.index(found[0]) + 1, objects.index(specs[0]) + 1
    if int(spec.group(2)) != place or named.groups() != (spec.group(1), str(origin).encode()):
        raise ProofFault("the PDF names another attachment than the one it holds")
    return _inflated(found[0].stream or b"", int(embedded.group(1)))


def _objects(data: bytes) -> tuple[list[PdfObject], int]:
    """Return the objects in their order, numbered from 1 without a gap, and where they end."""
    head = PDF_HEAD.match(data)
    if not head:
        raise ProofFault("not a PDF as the platform writes it")
    found: list[PdfObject] = []
    at = head.end()
    for each, end in _walk(data, at):
        found.append(each)
        at = end
    return found, at


def _walk(data: bytes, at: int) -> Iterator[tuple[PdfObject, int]]:
    number = 0
    while (found := PDF_OBJECT.match(data, at)) is not None:
        number += 1
        line, stop, stream = found.group(2), found.end(), None
        if data.startswith(b"stream\n", stop):
            length = PDF_LENGTH.match(line)
            start = stop + 7
            stop = start + (int(length.group(1)) if length else len(data))
            stream = data[start:stop]
            if not data.startswith(b"\nendstream\n", stop):
                raise ProofFault(f"object {number} of the PDF: a stream of another length")
            stop += 11
        if int(found.group(1)) != number or not data.startswith(b"endobj\n", stop):
            raise ProofFault(f"object {number} of the PDF is not where or what it must be")
        yield PdfObject(at, line, stream), stop + 7
        at = stop + 7


def _root(data: bytes, end: int, objects: list[PdfObject]) -> PdfObject:
    """Check the table of places and the trailer, and return the catalogue: every viewer reads the same objects."""
    rows = [b"0000000000 65535 f\r\n", *(b"%010d 00000 n\r\n" % each.at for each in objects)]
    table = b"xref\n0 %d\n" % len(rows) + b"".join(rows)
    trailer = PDF_TRAILER.match(data, end + len(table))
    if not data.startswith(table, end) or not trailer:
        raise ProofFault("the table at the end of the PDF does not fit its objects")
    size, root, start = (int(group) for group in trailer.groups())
    if size != len(rows) or start != end or not 1 <= root <= len(objects):
        raise ProofFault("the trailer of the PDF does not fit its objects")
    if not objects[root - 1].line.startswith(b"<</Type/Catalog/"):
        raise ProofFault("the PDF has no catalogue")
    return objects[root - 1]


def _admit(each: PdfObject) -> None:
    """Refuse names that could hide something, and names spelt in another way."""
    for name in each.names:
        if name in PDF_FOREIGN or (b"#" in name and name != MEDIA_NAME):
            raise ProofFault(f"the PDF holds {name.decode('ascii', 'replace')}, which no receipt has")


def _inflated(stream: bytes, size: int) -> bytes:
    """Return the attachment; nothing beyond the size that it declares is ever unpacked."""
    if size > PROOF_LIMIT:
        raise ProofFault("proof file too long")
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(stream, size + 1)
    except zlib.error as error:
        raise ProofFault(f"the attachment of the PDF is damaged: {error}") from error
    if len(data) != size or not unpacking.eof or unpacking.unused_data:
        raise ProofFault("the attachment of the PDF is not as long as it says")
    return data
