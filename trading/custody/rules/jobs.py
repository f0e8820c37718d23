"""Jobs for custodian agents: a ZIP of kind ``custodian-job`` (AL1 L12.1, SB1 S13.2), written here and read here.

The reader treats a job as hostile: names from a closed list, every file named with size and SHA-256 in ``bundle.json``,
limits of P12 tightened to what an agent can hold in memory. A job that reads well is only well formed; what it says is
judged by the agent against its own trust file. Layout and fields: docs/custodian-jobs.md.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.kernel import fields
from trading.kernel.canonical import MAX_DOCUMENT, dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

MAX_FILES: Final = 200_000  # P12
MAX_PACKED: Final = 128 * 1024 * 1024
MAX_UNPACKED: Final = 256 * 1024 * 1024
MAX_RATIO: Final = 200  # P12
# bundle.json lists every file; a receipt is a record of at most 1 MiB, twice in base64, with proof and checkpoint.
_MAX_LIST: Final = 64 * 1024 * 1024
_MAX_FILE: Final = 5 * 1024 * 1024
_BUNDLE: Final = "bundle.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content always gives the same bytes
_ENCRYPTED_FLAG: Final = 1
# Everything that the library raises for bytes that are no whole ZIP file; RuntimeError stands for encryption.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
_NAME = re.compile(
    r"(request\.json|order\.json|seal\.tlog-proof|trust\.json|trust\.sig|docs/[0-9a-f]{64}\.(json|sig)"
    r"|(before/)*(checkpoint|log/(0|[1-9][0-9]{0,18})\.tlog-proof"
    r"|consistency/(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})))\Z"
)


class JobKind(StrEnum):
    """What an agent is asked for."""

    KEY = "key"
    PROVE = "prove"
    ADMIT = "admit"
    CHECK = "check"
    RELEASE = "release"
    REHEARSE = "rehearse"
    DISCLOSE = "disclose"
    NON_RELEASE = "non-release"
    DRAW_KEY = "draw-key"
    DRAW_PROVE = "draw-prove"
    DRAW_ADMIT = "draw-admit"
    DRAW_CHECK = "draw-check"
    DRAW_RECOVER = "draw-recover"
    DRAW_RELEASE_KEY = "draw-release-key"

    @property
    def is_draw(self) -> bool:
        """Whether it is about a draw of experts (ED1) and not about a lot."""
        return self.value.startswith("draw-")


_PLACE: Final = {"kind": fields.one_of(*JobKind), "lot": fields.text, "stage": fields.text, "tender": fields.text}
_DRAW: Final = {"draw": fields.matching(r"[!-~]{1,40}"), "kind": fields.one_of(*JobKind)}
_ATTEMPT: Final = {"attempt": fields.integer(1), "policy_sha256": fields.digest}
_ORDERED: Final = {
    "order_sha256": fields.digest,
    "policy_sha256": fields.digest,
    "schedule_sha256": fields.digest,
}
_REQUESTS: Final[Mapping[JobKind, Mapping[str, fields.Reader]]] = {
    JobKind.KEY: {"title_en": fields.text, "title_zh": fields.text},
    JobKind.PROVE: {"ct": fields.b64u_of(1, MAX_DOCUMENT), "custodian_key_sha256": fields.digest},
    JobKind.ADMIT: {"policy_sha256": fields.digest, "schedule_sha256": fields.digest},
    JobKind.CHECK: _ORDERED,
    JobKind.RELEASE: {**_ORDERED, "factor_list_sha256": fields.nullable(fields.digest)},
    JobKind.REHEARSE: {"policy_sha256": fields.digest, "rehearsal_sha256": fields.digest},
    JobKind.DISCLOSE: {"auditor": fields.text, "order_sha256": fields.digest, "policy_sha256": fields.digest},
    JobKind.NON_RELEASE: {
        "envelopes": fields.sorted_by(fields.itself, fields.digest, least=1),
        "policy_sha256": fields.digest,
    },
    JobKind.DRAW_KEY: {},
    JobKind.DRAW_PROVE: {"ct": fields.b64u_of(1, MAX_DOCUMENT), "custodian_key_sha256": fields.digest},
    JobKind.DRAW_ADMIT: {"policy_sha256": fields.digest},
    JobKind.DRAW_CHECK: {
        **_ATTEMPT,
        "documents": fields.sorted_by(fields.itself, fields.digest, least=1),
        "spec_sha256": fields.digest,
    },
    JobKind.DRAW_RECOVER: {
        **_ATTEMPT,
        "parties": fields.sorted_by(fields.itself, fields.matching(r"[a-z0-9-]{1,32}"), least=1),
        "sealed_h": fields.digest,
        "spec_sha256": fields.digest,
    },
    JobKind.DRAW_RELEASE_KEY: {
        **_ATTEMPT,
        "order_sha256": fields.digest,
        "use": fields.one_of("ed1.pool-key", "ed1.exclusion-key"),
    },
}


def read_request(request: Mapping[str, Any]) -> tuple[JobKind, Mapping[str, Any]]:
    """Return the kind of a request and its converted fields (``ct`` as bytes, arrays as tuples).

    Raises:
        InvalidInput: ``job.malformed``: not exactly the fields of its kind.
    """
    kind = request.get("kind")
    if kind not in list(JobKind):
        raise InvalidInput("job.malformed", "unknown kind of job")
    about = _DRAW if JobKind(kind).is_draw else _PLACE
    try:
        content = fields.record({**about, **_REQUESTS[JobKind(kind)]})(dict(request))
    except ValueError as error:
        raise InvalidInput("job.malformed", f"request.json: {error}") from error
    return JobKind(kind), content


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A well-formed job. ``files`` are the bytes by path, without ``bundle.json``; ``origin`` is a mere claim."""

    kind: JobKind
    request: Mapping[str, Any]
    origin: str
    files: Mapping[str, bytes]

    @property
    def place(self) -> tuple[str, str, str]:
        """Return tender, lot and stage; of a draw its id, with empty lot and stage, which no lot has."""
        if self.kind.is_draw:
            return self.request["draw"], "", ""
        return self.request["tender"], self.request["lot"], self.request["stage"]

    def need(self, path: str) -> bytes:
        """Return a file that the kind requires.

        Raises:
            InvalidInput: ``job.incomplete``.
        """
        if path not in self.files:
            raise InvalidInput("job.incomplete", f"{path} is missing")
        return self.files[path]

    def document(self, sha256: str) -> SignedDocument:
        """Return the document called ``sha256`` with its signatures; its bytes have that hash.

        Raises:
            InvalidInput: ``job.incomplete``, or ``doc.…`` for a malformed signature array.
        """
        doc = self.need(f"docs/{sha256}.json")
        sigs = self.files.get(f"docs/{sha256}.sig")
        return SignedDocument(doc) if sigs is None else SignedDocument.from_parts(doc, sigs)

    def documents(self) -> Iterator[str]:
        """Yield the names (SHA-256) of all documents, sorted."""
        for path in sorted(self.files):
            if path.startswith("docs/") and path.endswith(".json"):
                yield path[len("docs/") : -len(".json")]

    def of_type(self, typ: str) -> Iterator[SignedDocument]:
        """Yield the documents that say they are of a type; their own parser admits them."""
        mark = f'"typ":"{typ}"'.encode()
        for sha256 in self.documents():
            if mark in self.files[f"docs/{sha256}.json"]:
                yield self.document(sha256)

    def proofs(self, prefix: str = "") -> Iterator[bytes]:
        """Yield the receipts of one log in its order; ``prefix`` is ``BEFORE``, repeated, for one before the newest."""
        start = f"{prefix}log/"
        names = [path for path in self.files if path.startswith(start)]
        for path in sorted(names, key=lambda name: int(name[len(start) : -len(".tlog-proof")])):
            yield self.files[path]


def document_files(document: SignedDocument) -> dict[str, bytes]:
    """Return the one or two files of a document; an unsigned one has no ``.sig``."""
    files = {f"docs/{document.sha256}.json": document.doc}
    if document.sigs:
        files[f"docs/{document.sha256}.sig"] = document.sigs_bytes
    return files


def consistency_file(old: int, new: int, proof: list[bytes]) -> dict[str, bytes]:
    """Return the file of a consistency proof: base64 lines, each with its newline (AL1 L12.1)."""
    return {f"consistency/{old}-{new}": "".join(b64(item) + "\n" for item in proof).encode()}


def build_job(
    kind: JobKind, files: Mapping[str, bytes], request: Mapping[str, Any], *, origin: str, checkpoint_size: int = 0
) -> bytes:
    """Return a job as ZIP bytes; the same arguments always give the same bytes.

    Args:
        kind: Must equal ``request["kind"]`` if that is given.
        files: By path as in docs/custodian-jobs.md, without ``request.json`` and ``bundle.json``.
        request: The further fields of the kind, with ``lot``, ``stage`` and ``tender``, or with ``draw``.
        origin: Origin of the log.
        checkpoint_size: Size of the file ``checkpoint``; 0 if there is none.

    Raises:
        InvalidInput: ``job.malformed``: the reader would refuse it.
    """
    complete = {**request, "kind": kind.value}
    read_request(complete)
    content = {**files, "request.json": dumps(complete)}
    for path in content:
        if not _NAME.match(path):
            raise InvalidInput("job.malformed", f"{path} does not belong in a job")
    bundle = {
        "checkpoint_size": checkpoint_size,
        "files": [
            {"path": path, "sha256": sha256_hex(content[path]), "size": len(content[path])} for path in sorted(content)
        ],
        "kind": "custodian-job",
        "lot": complete.get("lot"),
        "origin": origin,
        "procedure": complete.get("tender", complete.get("draw")),
        "stage": complete.get("stage"),
        "tier": "custodian",
        "typ": "mb.bundle",
        "v": 1,
    }
    content[_BUNDLE] = dumps(bundle)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(content):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content[path], compress_type=zipfile.ZIP_DEFLATED)
    return target.getvalue()


def read_job(data: bytes) -> Job:
    """Read a job from untrusted bytes.

    Raises:
        InvalidInput: ``job.too_large``, ``job.malformed`` or ``job.incomplete`` (no ``request.json``).
    """
    if len(data) > MAX_PACKED:
        raise InvalidInput("job.too_large", f"{len(data)} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _unpack(archive, len(data))
    except _UNREADABLE as error:
        raise InvalidInput("job.malformed", "not a readable ZIP file") from error
    bundle = loads_object(files.pop(_BUNDLE, b""), _MAX_LIST)
    _check_list(bundle, files)
    if "request.json" not in files:
        raise InvalidInput("job.incomplete", "request.json is missing")
    request = loads_object(files["request.json"])
    kind, converted = read_request(request)
    subject = request.get("tender", request.get("draw")), request.get("lot"), request.get("stage")
    if (bundle["procedure"], bundle["lot"], bundle["stage"]) != subject:
        raise InvalidInput("job.malformed", "bundle.json and request.json name different lots or draws")
    for path, content in files.items():
        if path.startswith("docs/") and path.endswith(".json") and sha256_hex(content) != path[5:-5]:
            raise InvalidInput("job.malformed", f"{path} has another hash than its name")
    return Job(kind=kind, request=converted, origin=bundle["origin"], files=files)


def _unpack(archive: zipfile.ZipFile, packed: int) -> dict[str, bytes]:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise InvalidInput("job.too_large", f"{len(members)} files")
    # The sizes in the directory are claims, so each file is also read with a limit.
    stated = sum(member.file_size for member in members)
    if stated > min(MAX_UNPACKED, max(packed, 1) * MAX_RATIO):
        raise InvalidInput("job.too_large", f"{stated} bytes unpacked")
    files: dict[str, bytes] = {}
    for member in members:
        name = member.filename
        if name in files or not (name == _BUNDLE or _NAME.match(name)):
            raise InvalidInput("job.malformed", f"{name[:100]!r} does not belong in a job, or stands twice")
        if member.flag_bits & _ENCRYPTED_FLAG or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidInput("job.malformed", f"{name} is encrypted or packed in another way")
        files[name] = _read_member(archive, member)
    return files


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    limit = _MAX_LIST if member.filename == _BUNDLE else _MAX_FILE
    if member.file_size > limit:
        raise InvalidInput("job.too_large", f"{member.filename} is larger than a job may hold")
    with archive.open(member) as source:
        content = source.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise InvalidInput("job.malformed", f"{member.filename} has another size than the directory says")
    return content


def _check_list(bundle: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    if bundle.get("kind") != "custodian-job" or bundle.get("typ") != "mb.bundle" or bundle.get("v") != 1:
        raise InvalidInput("job.malformed", "bundle.json is not that of a custodian job")
    of_draw = bundle.get("lot") is None and bundle.get("stage") is None
    named = ("origin", "procedure") if of_draw else ("lot", "origin", "procedure", "stage")
    if not {"lot", "stage"} <= bundle.keys() or not all(isinstance(bundle.get(name), str) for name in named):
        raise InvalidInput("job.malformed", "bundle.json: lot, origin, procedure or stage")
    actual = [{"path": path, "sha256": sha256_hex(files[path]), "size": len(files[path])} for path in sorted(files)]
    if bundle.get("files") != actual:
        raise InvalidInput("job.malformed", "the files are not those that bundle.json lists")
