"""A stored file as a download: always an attachment, with its name as data, never shown inside a page."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from flask import Response

from trading.storage.objects import ObjectStore

IMMUTABLE: Final = "public, max-age=31536000, immutable"


PROOF_TYPE: Final = "text/plain"
STAMP_TYPE: Final = "application/timestamp-reply"


def evidence_file(data: bytes, name: str, media: str, *, cache: str = "no-store") -> Response:
    """Return a receipt (``.tlog-proof``) or a time-stamp token (``.tsr``) as a file; a better one may come later.

    Args:
        data: The file.
        name: Of letters, digits, dots and hyphens alone.
        media: Its media type.
        cache: Who may keep it; nobody, unless every reader of the address gets the same.
    """
    response = Response(data, mimetype=media)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = cache
    return response


def attachment(store: ObjectStore, name: str, media: str, digest: str, size: int) -> Response:
    """Return the bytes as an attachment; they are hashed again while they are sent.

    Args:
        store: Where they are.
        name: File name for whoever saves it; may have any characters.
        media: Media type that was checked when the file came in.
        digest: SHA-256 in hex, which is the address, so that the answer can never change.
        size: In bytes.
    """
    response = Response(store.chunks(digest), mimetype=media)
    response.headers["Content-Length"] = str(size)
    extension = name.rpartition(".")[2]
    plain = extension if extension.isascii() and extension.isalnum() else "bin"
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{digest[:16]}.{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    response.headers["Cache-Control"] = IMMUTABLE
    return response
