"""Draws the pages of one file, inside the process that can do nothing else (F47, ADR 0067).

The libraries that read PDF and pictures are large and written in C, so everything here is done where a file that takes
them over has gained nothing. What leaves this process is pixels and text; who gets them checks their form.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any, BinaryIO, Final

import pypdfium2
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageChops, ImageOps, JpegImagePlugin, PngImagePlugin

from trading.inspection.pages import LARGE_PIXELS, LONGEST_SIDE, MOST_PAGE_TEXT, SMALL_SIDE, Page

#: What can be drawn: pages of PDF, and pictures as one page.
PICTURES: Final[dict[str, Callable[..., Any]]] = {
    "bmp": BmpImagePlugin.BmpImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
}
_SCALE: Final = 2.4  # pixels to a point: about 170 to an inch, where print of 6 points can be read
_MOST_SOURCE: Final = 64 * 1024 * 1024  # bytes of a picture that is read at once
_WHITE: Final = (255, 255, 255)


class Undrawable(Exception):
    """The file or the page cannot be drawn."""


def prepare() -> None:
    """Load what cannot be loaded once nothing can be opened any more: the libraries, and the formats by name."""
    codecs.lookup("utf-16-le")  # of the texts of PDF
    Image.MAX_IMAGE_PIXELS = 100_000_000
    Image.init()
    made = io.BytesIO()
    for kind in ("PNG", "JPEG"):
        Image.new("RGB", (8, 8), _WHITE).save(made, kind)
    document = pypdfium2.PdfDocument.new()
    page = document.new_page(8, 8)
    page.render(scale=1).to_pil()
    page.get_textpage().get_text_range()
    document.close()


def count(file: BinaryIO, kind: str) -> int:
    """Return how many pages a file has.

    Raises:
        Undrawable: It is locked, or broken beyond reading.
    """
    if kind in PICTURES:
        return 1
    document = _document(file)
    try:
        return len(document)
    finally:
        document.close()


def draw(file: BinaryIO, kind: str, numbers: range) -> Iterator[Page]:
    """Yield pages of a file, numbered from 1."""
    if kind in PICTURES:
        yield _page(1, _picture(file, kind), "")
        return
    document = _document(file)
    for number in numbers:
        try:
            page = document[number - 1]
            image, text = _render(page), _text(page)
            page.close()
        except pypdfium2.PdfiumError as error:
            raise Undrawable from error
        yield _page(number, image, text)


def _document(file: BinaryIO) -> Any:  # noqa: ANN401 - the library carries no types
    file.seek(0)
    try:
        document = pypdfium2.PdfDocument(file)
        document.init_forms()
    except pypdfium2.PdfiumError as error:
        raise Undrawable from error
    return document


def _render(page: Any) -> Image.Image:  # noqa: ANN401 - the library carries no types
    width, height = page.get_size()
    if not (0 < width < LONGEST_SIDE * 100 and 0 < height < LONGEST_SIDE * 100):
        raise Undrawable
    scale = min(_SCALE, sqrt(LARGE_PIXELS / (width * height)), LONGEST_SIDE / max(width, height))
    image: Image.Image = page.render(scale=scale, fill_color=(*_WHITE, 255), rev_byteorder=True).to_pil()
    return image


def _text(page: Any) -> str:  # noqa: ANN401 - the library carries no types
    text = page.get_textpage()
    found: str = text.get_text_range(0, min(text.count_chars(), MOST_PAGE_TEXT), errors="replace")
    text.close()
    return found


def _picture(file: BinaryIO, kind: str) -> Image.Image:
    """Return a picture upright, on white where it is transparent; of an animation the first frame."""
    file.seek(0)
    data = file.read(_MOST_SOURCE + 1)
    if len(data) > _MOST_SOURCE:
        raise Undrawable
    try:
        image: Image.Image = PICTURES[kind](io.BytesIO(data))
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
            raise Undrawable
        image = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Undrawable from error
    ground = Image.new("RGBA", image.size, (*_WHITE, 255))
    return Image.alpha_composite(ground, image)


def _page(number: int, image: Image.Image, text: str) -> Page:
    plain = image.convert("RGB")
    sides = plain.size
    factor = min(1.0, sqrt(LARGE_PIXELS / (sides[0] * sides[1])), LONGEST_SIDE / max(sides))
    large = _scaled(plain, factor)
    small = _scaled(plain, min(1.0, SMALL_SIDE / max(sides)))
    width, height = large.size
    return Page(number=number, width=width, height=height, large=_packed(large), small=_packed(small), text=text)


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    if factor >= 1:
        return image
    width, height = (max(1, int(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _packed(image: Image.Image) -> bytes:
    """Return the pixels as a plain PNG without loss; what has no colour is kept as grey, a third of the size."""
    red, green, blue = image.split()
    is_grey = not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox())
    out = io.BytesIO()
    (red if is_grey else image).save(out, "PNG", compress_level=6)
    return out.getvalue()
