"""PDFs of text pages for whoever draws them, and what breaks those who do."""

from __future__ import annotations

from collections.abc import Iterator


def book(*texts: str, size: tuple[float, float] = (595, 842)) -> bytes:
    """Return a PDF of one page for each text (ASCII; lines by newline), in a font that every reader has."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for text in texts:
        lines = "".join(f"({line}) Tj T* " for line in text.split("\n"))
        content = f"BT /F1 14 Tf 18 TL 60 {size[1] - 80:g} Td {lines}ET".encode()
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
        box = f"{size[0]:g} {size[1]:g}".encode()
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
        objects.append(page % (box, len(objects)))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    return _written(objects)


def _written(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def breaking() -> Iterator[tuple[str, bytes]]:
    """Yield a name and a PDF that asks for too much, or leads in a circle."""
    good = book("one", "two")
    yield "nothing behind the mark", b"%PDF-1.7\n"
    yield "cut", good[: len(good) // 2]
    yield "a page as wide as a country", book("wide", size=(1e9, 1e9))
    yield "a page without width", book("flat", size=(0, 842))
    yield "pages within themselves", good.replace(b"/Kids[5 0 R", b"/Kids[2 0 R", 1)
    yield "more pages than there are", good.replace(b"/Count 2", b"/Count 2000000000", 1)
    yield "a form that draws itself", _nested()


def _nested() -> bytes:
    """Return a page whose picture holds itself ten times, and so on."""
    again = b"/X Do " * 10
    form = (
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>/Length %d>>stream\n%s\nendstream"
    )
    content = b"/X Do"
    return _written([
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 5 0 R/Resources<</XObject<</X 4 0 R>>>>>>",
        form % (len(again), again),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    ])  # fmt: skip
