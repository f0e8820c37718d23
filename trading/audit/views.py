"""The public log: its files, its page, and how to check everything without the platform.

Files are served as they stand. What would tell how much happened lately stays back: entry bundles, cosigned notes and
time-stamp tokens follow thirty days later (AL1 L6, L9), and the working head is not for the public: it moves with every
bid. The public head grows at a fixed rate. A demonstration has none: it shows its working head, and says what that
gives away.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

from flask import Blueprint, Response, current_app, render_template
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from trading.audit import queries, scripts, service
from trading.audit.entries import note_before, receipt_under
from trading.audit.files import is_old
from trading.audit.model import ClosedLog
from trading.audit.rules import comparing
from trading.audit.rules.comparing import MAX_KEPT, Comparison, Outcome
from trading.audit.rules.cover import Growth
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.policy import Policy
from trading.audit.rules.proof import BEFORE
from trading.audit.rules.tiles import TILE_WIDTH, changed_tiles, file_reader, parse_tile_path
from trading.audit.rules.tree import HASH_BYTES
from trading.audit.runtime import Runtime
from trading.audit.service import LogReader
from trading.crypto.notes import verify_note_signature
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput, NotFound
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE
from trading.storage.tokens import parse_token_path
from trading.web.downloads import STAMP_TYPE
from trading.web.forms import Form
from trading.web.locale import lazy as _
from trading.web.permissions import public

blueprint = Blueprint("log", __name__)

_NOTE_FILE: Final = re.compile(r"checkpoints/(0|[1-9][0-9]{0,18})-(first|last)")
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "public, max-age=5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest public checkpoint: the note verbatim, what it says, and the place of the first entry of its log."""

    note: str
    checkpoint: Checkpoint
    signers: tuple[str, ...]
    base: int = 0

    @property
    def end(self) -> int:
        """Return the place below which everything is under it, counted through all logs (``queries.Position``)."""
        return self.base + self.checkpoint.size

    @property
    def root(self) -> str:
        """Return the root in standard base64, as it stands in the note."""
        return b64(self.checkpoint.root)


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


def _covered() -> bool:
    """Whether the sequencer keeps a public head whose growth tells nothing (AL1 L6)."""
    return (_runtime().log_dir / PUBLIC).is_dir()


def _folder() -> Path | None:
    """Return the folder that the public may read; None if there is none."""
    if _covered():
        return _runtime().log_dir / PUBLIC
    return _runtime().log_dir if _runtime().demo else None


def head() -> Head | None:
    """Return the newest public checkpoint; None before there is one."""
    folder = _folder()
    if folder is None:
        return None
    try:
        data = (folder / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        return None
    note = parse_note(data)
    signers = tuple(line.name for line in note.signatures)
    base = service.reader(_runtime().log_dir).base
    return Head(note=data.decode(), checkpoint=parse_checkpoint_text(note.text), signers=signers, base=base)


@blueprint.get("/log")
@public
def index() -> str:
    """The log: newest checkpoint, keys, witnesses, files."""
    policy = service.policy_of(_runtime().witness_policy)
    shown = {"covered": _covered(), "origin": _runtime().origin, "policy": policy, "earlier": earlier()}
    return render_template("log/index.html", head=head(), **shown)


def earlier() -> list[ClosedLog]:
    """Return the closed logs that this one continues, the newest first, for pages that speak of the log."""
    if not service.reader(_runtime().log_dir).earlier:
        return []
    with _runtime().ledger.read() as conn:
        return [each for each in reversed(queries.closed_logs(conn)) if each.origin != _runtime().origin]


class CheckpointForm(Form):
    """A checkpoint that somebody kept, as it was pasted."""

    note = TextAreaField(
        _("Checkpoint"), [DataRequired(), Length(max=MAX_KEPT)], render_kw={"rows": 8, "spellcheck": "false"}
    )

    @property
    def kept(self) -> bytes:
        """Return the note: a browser sends line breaks its own way, and people lose the last one."""
        return ("\n".join(str(self.note.data).strip().splitlines()) + "\n").encode()


@blueprint.route("/log/compare", methods=["GET", "POST"])
@public
def compare() -> str | tuple[str, int]:
    """Compare a kept checkpoint with the newest public one; nothing is stored, and no account is needed."""
    form, newest, policy, found = CheckpointForm(), head(), service.policy_of(_runtime().witness_policy), None
    status = HTTPStatus.OK
    if newest is not None and policy is not None and form.is_submitted():
        if form.validate():
            found = _compared(form.kept, newest, policy)
        else:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
    shown = {"form": form, "newest": newest, "configured": policy is not None, "origin": _runtime().origin}
    return render_template("log/compare.html", found=found, b64=b64, **shown), status


def _compared(kept: bytes, newest: Head, policy: Policy) -> Comparison:
    """Compare with the newest public checkpoint, or, of a closed log, with its final one."""
    log, shown, name = service.reader(_runtime().log_dir), newest.note.encode(), _runtime().origin
    closed = next((each for each in earlier() if kept.startswith(f"{each.origin}\n".encode())), None)
    if closed is not None:
        log, shown, name = log.of(closed.base), closed.checkpoint, closed.origin
    found = comparing.compare(
        kept, shown, origin=name, policy=policy, verify=verify_note_signature, proof=log.proofs.consistency
    )
    if closed is not None and found.outcome is Outcome.AHEAD:
        return replace(found, outcome=Outcome.DROPPED)
    return found


@blueprint.get("/log/checkpoint")
@public
def checkpoint() -> Response:
    """The newest public checkpoint, a C2SP signed note."""
    return _file(CHECKPOINT, _FRESH)


@blueprint.get("/log/continued")
@public
def continued() -> Response:
    """The proof of entry 0 of a log that continues another one: a receipt of ``log.continued`` (AL1 L13)."""
    newest, log = head(), service.reader(_runtime().log_dir)
    if newest is None or log.before is None:
        raise NotFound("continued")
    with _runtime().ledger.read() as conn:
        first = queries.logged_records(conn, log.base, log.base + 1)
    data = receipt_under(_runtime(), first[0], newest.note.encode()).encode()
    return _answer(data, "text/plain", _FRESH)


@blueprint.get("/log/scripts.json")
@public
def script_list() -> Response:
    """The list of all scripts that pages of this release run, with their digests."""
    return _answer(scripts.listed(), "application/json", _FRESH)


@blueprint.get("/log/scripts.tlog-proof")
@public
def script_proof() -> Response:
    """The proof that the digest of that list is in the log, under the newest public checkpoint."""
    newest = head()
    with _runtime().ledger.read() as conn:
        told = scripts.logged(conn)
    if newest is None or told is None or told.n >= newest.end:
        raise NotFound("scripts")
    return _answer(receipt_under(_runtime(), told, newest.note.encode()).encode(), "text/plain", _FRESH)


@blueprint.get("/log/<path:name>")
@public
def file(name: str) -> Response:
    """A tile, or a note, a time-stamp token or an entry bundle that is old enough.

    Below ``before/`` lie the files of the closed log that this one continues, up to its final checkpoint.
    """
    if name.startswith(BEFORE):
        return _file_before(service.reader(_runtime().log_dir), name)
    note = _NOTE_FILE.fullmatch(name)
    if note is not None:
        if _covered() and not _is_boundary(int(note[1])):
            raise NotFound(name)
        return _file(name, _FRESH, held_back=True)
    token = parse_token_path(name)
    if token is not None:
        if _covered() and not _is_boundary(token.size):
            raise NotFound(name)
        return _file(name, _IMMUTABLE, held_back=True)
    try:
        tile = parse_tile_path(name)
    except InvalidInput as error:
        raise NotFound(name) from error
    full = tile.width == TILE_WIDTH
    if tile.level is None and _covered() and not (full and (tile.index + 1) * TILE_WIDTH <= _own_size()):
        raise NotFound(name)  # which partial bundles there are tells where the log stood
    return _file(name, _IMMUTABLE if full else _FRESH, held_back=tile.level is None)


def public_size() -> int:
    """Return how many entries lie below the public head, those of earlier logs among them; 0 before there is one."""
    found = head()
    return service.reader(_runtime().log_dir).base if found is None else found.end


def _final_note(base: int) -> bytes:
    """Return the final checkpoint of the closed log that begins at a place; the record after it has published it."""
    return next(each.checkpoint for each in earlier() if each.base == base)


def _own_size() -> int:
    found = head()
    return 0 if found is None else found.checkpoint.size


def told_notes(n: int) -> tuple[bytes | None, bytes | None]:
    """Return the witnessed notes around entry ``n`` that the public may have: the last without it, the first with it.

    They are those of the public head's boundaries, thirty days after they were made; in a demonstration all of them.
    Of a closed log it is the final checkpoint, which the next log has made public.
    """
    log = service.reader(_runtime().log_dir)
    if not _covered():
        found = log.covering(n)
        return note_before(log, n), None if found is None else found[0]
    if n < log.base:
        return None, _final_note(log.of(n).base)
    lower, upper = _growth().around(n - log.base)
    return _old_note(lower, "last"), _old_note(upper, "first")


def _old_note(size: int, which: str) -> bytes | None:
    path = _runtime().log_dir / f"checkpoints/{size}-{which}"
    try:
        return path.read_bytes() if is_old(path) else None
    except FileNotFoundError:
        return None


def _growth() -> Growth:
    return Growth.of((_runtime().log_dir / PUBLIC / RATE).read_bytes())


def _is_boundary(size: int) -> bool:
    """Whether the public head stood at this size: every other note tells where the working head stood (AL1 L6)."""
    return size <= _own_size() and _growth().stood_at(size)


def _file_before(log: LogReader, name: str) -> Response:
    """Serve the final checkpoint or a hash tile of an earlier log; what it had more has its times, and stays back."""
    size = 0
    while name.startswith(BEFORE):
        if log.before is None:
            raise NotFound(name)
        size, log, name = log.earlier[-1].size, log.before, name.removeprefix(BEFORE)
    if name == CHECKPOINT:
        return _answer(_final_note(log.base), "text/plain", _FRESH)
    try:
        tile = parse_tile_path(name)
    except InvalidInput as error:
        raise NotFound(name) from error
    if tile.level is None or tile not in changed_tiles(0, size):
        raise NotFound(name)
    try:
        data = file_reader(log.tiles.read, wider=log.tiles.read_wider)(tile.level, tile.index, tile.width)
    except InvalidInput as error:
        raise NotFound(name) from error
    return _answer(data[: tile.width * HASH_BYTES], "application/octet-stream", _IMMUTABLE)


def _file(name: str, cache: str, *, held_back: bool = False) -> Response:
    """Serve one file whose name was checked above; a file that is not public yet is not found."""
    folder = _runtime().log_dir if held_back and _covered() else _folder()
    if folder is None:
        raise NotFound(name)
    path = folder / name
    try:
        if held_back and not is_old(path):
            raise NotFound(name)
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NotFound(name) from error
    return _answer(data, _type_of(name), cache)


def _answer(data: bytes, media: str, cache: str) -> Response:
    response = Response(data, mimetype=media)
    response.headers["Cache-Control"] = cache
    response.headers["Access-Control-Allow-Origin"] = "*"  # anyone's verifier may read the log from a page of its own
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _type_of(name: str) -> str:
    if name.startswith(CHECKPOINT):
        return "text/plain"
    return STAMP_TYPE if name.endswith(".tsr") else "application/octet-stream"


@blueprint.get("/verify")
@public
def verify() -> str:
    """How to check a receipt or a whole procedure offline."""
    source = _verifier()
    digest = hashlib.sha256(source).hexdigest() if source is not None else None
    return render_template(
        "log/verify.html",
        head=head(),
        origin=_runtime().origin,
        policy_text=_runtime().witness_policy,
        verifier_sha256=digest,
        verifier_size=len(source) if source is not None else 0,
        earlier=earlier(),
    )


@blueprint.get("/verify/verify.py")
@public
def verifier() -> Response:
    """The offline verifier as one file, the same bytes as in every bundle."""
    source = _verifier()
    if source is None:
        raise NotFound("verify.py")
    response = Response(source, mimetype="text/x-python")
    response.headers["Content-Disposition"] = 'attachment; filename="verify.py"'
    return response


def _verifier() -> bytes | None:
    return cast("bytes | None", current_app.extensions["verifier"]())
