"""Parts of bids in chunks (SB1 S7.1): begin, append, ask for the offset, give up. Own bids only.

Fields are those of the IETF's *Resumable Uploads for HTTP* (draft-ietf-httpbis-resumable-upload). A client that knows
nothing begins again: the answer tells where to go on. A foreign upload is answered as one that does not exist. Where
senders reach the bucket, a chunk may go there past the platform, which then reads and counts it (ADR 0062).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO, Final, cast

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import LengthRequired

from trading.api import tokens
from trading.api.bodies import answer, body, runtime, text_member
from trading.bids.rules.uploads import LEAST_CHUNK, MOST_CHUNK, OffsetConflict, Upload
from trading.bids.uploads import Chunk, SentPiece, Uploads
from trading.kernel.errors import InvalidInput, NotFound
from trading.kernel.roles import Role
from trading.storage.objects import MAX_PART
from trading.web.errors import problem_of, respond
from trading.web.limits import body_limit
from trading.web.permissions import allow

blueprint = Blueprint("uploads", __name__, url_prefix="/api/v1/bids/<bid>/uploads")

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_OFFSET: Final = re.compile(r"(0|[1-9][0-9]{0,14})\Z")
_LARGEST: Final = 1 << 53


@blueprint.errorhandler(OffsetConflict)
def _elsewhere(error: OffsetConflict) -> Response:
    response = respond(problem_of(error))
    response.headers["Upload-Offset"] = str(error.facts["offset"])
    return response


@blueprint.post("")
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("write:bids")
def begin(bid: str) -> Response:
    """Begin the upload of a part, or find the one that is on its way, or the part if it is stored."""
    content = body()
    sha256, length = _digest(content), content.get("length")
    if type(length) is not int or not 0 <= length < _LARGEST:
        raise InvalidInput("body.malformed", "length is a number of bytes")
    found = _uploads(bid).begin(text_member(content, "name"), sha256, length)
    if not found.id:
        return _told(found, HTTPStatus.OK)
    response = _told(found, HTTPStatus.CREATED)
    response.headers["Location"] = url_for(".append", bid=bid, upload=found.id)
    return response


@blueprint.patch("/<upload>")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(MOST_CHUNK)
@tokens.scoped("write:bids")
def append(bid: str, upload: str) -> Response:
    """Take the chunk that begins at ``Upload-Offset``; with the last one the part is hashed and stored."""
    start = request.headers.get("Upload-Offset", "")
    if not _OFFSET.match(start):
        raise InvalidInput("body.malformed", "the header Upload-Offset with the place of the first byte is needed")
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired  # a chunk that was cut must be told from one that is whole
    chunk = Chunk(start=int(start), size=request.content_length or 0, body=cast("BinaryIO", request.stream))
    found = _uploads(bid).append(upload, chunk)
    return _told(found, HTTPStatus.CREATED if found.is_whole else HTTPStatus.OK)


@blueprint.post("/<upload>/pieces")
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("write:bids")
def address(bid: str, upload: str) -> Response:
    """Return where the chunk at ``offset`` may be put past the platform, for these very bytes and for minutes."""
    found = _uploads(bid).destination(upload, _piece(body().get("offset")))
    if found is None:
        raise NotFound("address")
    return answer({"headers": found.headers, "url": found.url}, HTTPStatus.CREATED)


@blueprint.post("/<upload>/pieces/<int:start>")
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("write:bids")
def count(bid: str, upload: str, start: int) -> Response:
    """Count the chunk that was put there: its bytes are read and hashed first. Answers as ``append`` does."""
    found = _uploads(bid).count(upload, _piece(start))
    return _told(found, HTTPStatus.CREATED if found.is_whole else HTTPStatus.OK)


def _piece(start: object) -> SentPiece:
    content = body()
    sha256, size = _digest(content), content.get("length")
    if type(start) is not int or type(size) is not int or not (0 <= start < _LARGEST and 0 <= size < _LARGEST):
        raise InvalidInput("body.malformed", "offset and length are numbers of bytes")
    return SentPiece(start=start, size=size, sha256=sha256)


def _digest(content: Mapping[str, Any]) -> str:
    sha256 = text_member(content, "sha256")
    if not _DIGEST.match(sha256):
        raise InvalidInput("body.malformed", "sha256 is 64 characters of lowercase hex")
    return sha256


@blueprint.route("/<upload>", methods=["HEAD"])
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("write:bids")
def offset(bid: str, upload: str) -> Response:
    """Tell how many bytes are durable; the next chunk begins there."""
    response = Response(status=HTTPStatus.NO_CONTENT)
    return _with_fields(response, _uploads(bid).find(upload), is_complete=False)


@blueprint.delete("/<upload>")
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("write:bids")
def give_up(bid: str, upload: str) -> Response:
    """Throw away what has arrived of a part; parts that are stored stay."""
    uploads = _uploads(bid)
    uploads.end(uploads.find(upload).id)
    response = Response(status=HTTPStatus.NO_CONTENT)
    response.headers["Cache-Control"] = "no-store"
    return response


def _uploads(bid: str) -> Uploads:
    process = runtime()
    return Uploads(ledger=process.ledger, objects=process.objects, actor=tokens.actor(), bid=bid)


def _told(found: Upload, status: int) -> Response:
    is_stored = found.is_whole and (not found.id or request.endpoint != "uploads.begin")
    told = {"complete": is_stored, "length": found.length, "offset": found.offset, "sha256": found.sha256}
    upload: dict[str, object] = {"upload": found.id} if found.id and not is_stored else {}
    if upload and runtime().objects.pieces.origin:
        upload["direct"] = True
    return _with_fields(answer({**told, **upload}, status), found, is_complete=is_stored)


def _with_fields(response: Response, found: Upload, *, is_complete: bool) -> Response:
    keep_s = runtime().upload_keep_ms // 1000
    limits = f"max-size={MAX_PART}, min-append-size={LEAST_CHUNK}, max-append-size={MOST_CHUNK}, max-age={keep_s}"
    response.headers["Upload-Offset"] = str(found.offset)
    response.headers["Upload-Length"] = str(found.length)
    response.headers["Upload-Complete"] = "?1" if is_complete else "?0"
    response.headers["Upload-Limit"] = limits
    response.headers["Cache-Control"] = "no-store"
    return response
