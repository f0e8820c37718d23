"""A stored file as a download: always an attachment, with its name as data, never shown inside a page.

A large one is fetched from the bucket itself where readers reach it; whoever calls has checked who asks (ADR 0062).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from trading.storage.objects import ObjectStore, Saved

IMMUTABLE: Final = "public, max-age=31536000, immutable"


LEAST_BY_ADDRESS: Final = 8 * 1024 * 1024  # bytes; what is smaller is hashed before it goes out
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
    response.headers["Content-Disposition"] = _disposition(name, digest)
    response.headers["Cache-Control"] = IMMUTABLE
    return response


def handed_out(store: ObjectStore, name: str, media: str, digest: str, size: int) -> AnyResponse:
    """Return a file as ``attachment`` does, or send the reader of a large one to where it lies, for some minutes.

    The address is for whoever asked just now, so nothing keeps the answer. Asking for the head alone gets the head:
    the address would be signed for something else.
    """
    is_large = size >= LEAST_BY_ADDRESS and request.method == "GET"
    saved = Saved(media=media, disposition=_disposition(name, digest))
    address = store.address(digest, size, saved) if is_large else None
    if address is None:
        return attachment(store, name, media, digest, size)
    response = redirect(address, HTTPStatus.SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _disposition(name: str, digest: str) -> str:
    extension = name.rpartition(".")[2]
    plain = extension if extension.isascii() and extension.isalnum() else "bin"
    return f"attachment; filename=\"{digest[:16]}.{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
