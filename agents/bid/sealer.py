"""Sealing to disk in constant memory, the look back, and the opening package, in the order that loses nothing.

Parts and envelope are made in a temporary directory; the version appears under its number only after the self-open has
passed and the opening package has been written and re-opened from disk (SB1 S6). Until then nothing can be submitted.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from typing_extensions import Buffer, override

from agents.bid.documents import context_of
from agents.bid.prices import PriceInput
from agents.bid.workdir import Version, WorkDir
from agents.sealing import BidSecrets, SealedPart, build_envelope
from agents.selfopen import ClientFault, Sealed, self_open
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import parse_envelope, require_policy
from trading.bids.rules.manifest import FileSource, Manifest, build_manifest, read_main, write_main
from trading.bids.rules.package import build_package, package_name, parse_package
from trading.bids.rules.policy import Policy
from trading.bids.rules.price import pad_price, parse_price
from trading.crypto.envelope import encrypt_part_io
from trading.crypto.files import read_secret, write_secret
from trading.crypto.packages import lock_package, unlock_package
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.kernel.errors import InvalidInput
from verifier.age import open_age_stream

_READ: Final = 1024 * 1024
_SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the bidder offers: a price, if the policy has that part, and files for the part ``main``."""

    price: PriceInput | None
    files: tuple[FileSource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How the opening package is kept; tests pass cheap functions for the two slow ones."""

    passphrase: str
    directory: Path
    lock: Callable[[bytes, str], bytes] = lock_package
    unlock: Callable[[bytes, str], bytes] = unlock_package


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedVersion:
    """A version that is ready to be submitted, with what the person is shown (SB1 S6.3)."""

    version: Version
    fingerprint: str
    package: Path
    manifest: Manifest | None


def seal_version(
    work: WorkDir, signer: Es256Signer, content: Content, keeping: Keeping, *, created: int
) -> SealedVersion:
    """Seal the next version of the bid and save its opening package.

    Raises:
        ClientFault: What was sealed does not open as it must; a diagnostic without secrets is saved.
        Conflict: An earlier version was sent and not answered.
        InvalidInput: The content does not fit the policy.
    """
    policy = work.package().policy
    _require_content(content, policy)
    seq, supersedes = work.next_place()
    context = context_of(work, signer.kid, seq)
    used = BidSecrets.draw(policy)
    desk = work.path / "versions" / f".sealing-{secrets.token_hex(4)}"
    (desk / "parts").mkdir(mode=0o700, parents=True)
    try:
        made = _seal_parts(desk, context, used, content, policy)
        rows = [part.row for part in made]
        envelope = build_envelope(context, policy, used, rows, created=created, supersedes=supersedes)
        signed = sign_document(envelope, signer)
        write_secret(desk / "document.json", signed.wire_bytes())
        manifest = _look_back(work, desk, policy, signer, made, used)
        package = _keep_package(signed, used, keeping, created=created)
        version = Version(directory=desk.with_name(str(seq)), seq=seq)
        desk.rename(version.directory)
    finally:
        shutil.rmtree(desk, ignore_errors=True)
    fingerprint = parse_envelope(envelope).fingerprint
    return SealedVersion(version=version, fingerprint=fingerprint, package=package, manifest=manifest)


def _require_content(content: Content, policy: Policy) -> None:
    if (content.price is not None) != ("price" in policy.parts):
        raise InvalidInput("price.malformed", f"this lot's parts are {', '.join(policy.parts)}")
    if bool(content.files) and "main" not in policy.parts:
        raise InvalidInput("main.not_wanted", f"this lot's parts are {', '.join(policy.parts)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _MadePart:
    row: SealedPart
    path: Path
    plaintext_sha256: bytes


def _seal_parts(desk: Path, context: BidContext, used: BidSecrets, content: Content, policy: Policy) -> list[_MadePart]:
    made = []
    if policy.price_bytes is not None and content.price is not None:
        plain = pad_price(content.price.document(context), policy.price_bytes)
        made.append(_encrypt(desk, context, used, "price", iter((plain,))))
    if "main" in policy.parts:
        salts = [secrets.token_bytes(_SALT_BYTES) for _ in content.files]
        manifest = build_manifest(context, content.files, salts)
        made.append(_encrypt(desk, context, used, "main", write_main(manifest, content.files)))
    return made


def _encrypt(desk: Path, context: BidContext, used: BidSecrets, name: str, plain: Iterator[bytes]) -> _MadePart:
    path = desk / "parts" / f"{name}.age"
    source = ChunkReader(plain)
    with path.open("xb") as writer:
        # The buffer matters: the encryption asks for small pieces, and the reader below has large ones.
        encrypt_part_io(used.identity(context, name), io.BufferedReader(source, _READ), writer)
        writer.flush()
        os.fsync(writer.fileno())
    row = SealedPart(name=name, sha256=_sha256_of(path), size=path.stat().st_size)
    return _MadePart(row=row, path=path, plaintext_sha256=source.sha256)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ChunkReader(io.RawIOBase):
    """A stream over an iterator of chunks that remembers the SHA-256 of what has passed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._state = hashlib.sha256()

    @property
    def sha256(self) -> bytes:
        """Return the digest of everything read so far."""
        return self._state.digest()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer)
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._state.update(chunk)
            self._rest = memoryview(chunk)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _look_back(
    work: WorkDir, desk: Path, policy: Policy, signer: Es256Signer, made: Sequence[_MadePart], used: BidSecrets
) -> Manifest | None:
    """S6.1: everything is read again from disk; a failure saves a diagnostic and stops."""
    signed = SignedDocument.from_wire((desk / "document.json").read_bytes())
    sealed = Sealed(
        envelope=signed.doc,
        signature=signed.sigs[0],
        spki=signer.spki,
        k=policy.k,
        n=policy.n,
        parts={part.row.name: part.path for part in made},
        plaintexts={part.row.name: part.plaintext_sha256 for part in made},
        s_c=used.s_c,
        s_b=used.s_b,
    )
    try:
        self_open(sealed)
        return _look_at_content(signed.doc, policy, made, used)
    except (ClientFault, InvalidInput) as error:
        path = work.diagnose(
            {
                "code": error.code,
                "detail": error.detail,
                "envelope_sha256": signed.sha256,
                "step": error.step if isinstance(error, ClientFault) else "content",
                "parts": {part.row.name: part.row.size for part in made},
            }
        )
        raise ClientFault("self-open", f"nothing was sent; diagnostic: {path}") from error


def _look_at_content(envelope: bytes, policy: Policy, made: Sequence[_MadePart], used: BidSecrets) -> Manifest | None:
    parsed = parse_envelope(envelope)
    require_policy(parsed, policy)
    manifest = None
    for part in made:
        identity = used.identity(parsed.context, part.row.name)
        with part.path.open("rb") as file:
            plain: BinaryIO = io.BufferedReader(ChunkReader(open_age_stream(identity, file)), _READ)
            if part.row.name == "main":
                manifest = read_main(plain, parsed.context)
            elif policy.price_bytes is not None:
                parse_price(plain.read(), policy.price_bytes, parsed.context)
    return manifest


def _keep_package(signed: SignedDocument, used: BidSecrets, keeping: Keeping, *, created: int) -> Path:
    """Write the opening package and open it once from disk; only then may the version be submitted (S6.2)."""
    envelope = parse_envelope(signed.doc)
    plain = build_package(signed, created=created, policy_sha256=envelope.policy_sha256, s_c=used.s_c, s_b=used.s_b)
    keeping.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = keeping.directory / package_name(envelope)
    _set_aside(path)
    write_secret(path, keeping.lock(plain, keeping.passphrase))
    reopened = parse_package(keeping.unlock(read_secret(path), keeping.passphrase))
    if (reopened.s_c, reopened.s_b, reopened.signed) != (used.s_c, used.s_b, signed):
        raise ClientFault("package", f"{path} does not open to what was saved")
    return path


def _set_aside(path: Path) -> None:
    """Rename the package of a version that never stood; it is kept, for nobody can tell where its envelope went."""
    if not path.exists():
        return
    number = 1
    while (aside := path.with_name(f"{path.stem}.set-aside-{number}{path.suffix}")).exists():
        number += 1
    path.rename(aside)
