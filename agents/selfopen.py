"""The mandatory look back before sending (SB1 S6.1), with code that shares nothing with the sealing path.

Everything is read again as it will be sent and judged by the offline verifier's own modules: canonical form, signature,
every derivation from the secrets, hashes and sizes, and each part decrypted by the verifier's own age reader.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trading.kernel.errors import MingbiaoError
from verifier.age import AgeError, open_age_stream
from verifier.canonical import NotCanonical, admit_object
from verifier.dealing import context_of, deal, factor_commitment, part_identity
from verifier.encoding import b64u_decode
from verifier.es256 import SignatureFault, verify_es256

_READ: Final = 1024 * 1024
_SEALED_SHARE: Final = 1169


class ClientFault(MingbiaoError):
    """What was sealed does not open as it must: the client's fault, nothing may be sent. Holds no secret."""

    code = "client.self_open"

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(f"{step}: {detail}")
        self.step = step
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What is looked at: the exact bytes to be sent, the part files, and what the sealing path claims to have used.

    ``plaintexts`` are the SHA-256 of what went into each part, taken while it was encrypted.
    """

    envelope: bytes
    signature: Mapping[str, Any]
    spki: bytes
    k: int
    n: int
    parts: Mapping[str, Path]
    plaintexts: Mapping[str, bytes]
    s_c: bytes
    s_b: bytes


def self_open(sealed: Sealed) -> None:
    """Check everything that S6.1 asks for.

    Raises:
        ClientFault: The step and what is wrong, without any secret.
    """
    try:
        envelope = admit_object(sealed.envelope)
        verify_es256(sealed.spki, sealed.envelope, dict(sealed.signature))
    except (NotCanonical, SignatureFault) as error:
        raise ClientFault("envelope", str(error)) from error
    _check_derivations(envelope, sealed)
    rows = {row["name"]: row for row in envelope["parts"]}
    if rows.keys() != sealed.parts.keys():
        raise ClientFault("parts", "the envelope names other parts than there are")
    context = context_of(envelope)
    for name, path in sealed.parts.items():
        _check_file(name, path, rows[name])
        identity = part_identity(name, sealed.s_c, sealed.s_b, context)
        _check_opens(name, path, identity, sealed.plaintexts[name])


def _check_derivations(envelope: Mapping[str, Any], sealed: Sealed) -> None:
    context = context_of(dict(envelope))
    again = deal(sealed.s_c, sealed.s_b, context, sealed.k, sealed.n)
    if envelope["seed_commit"] != again.seed_commit.hex():
        raise ClientFault("derivation", "seed_commit differs")
    factor = factor_commitment(sealed.s_b, context).hex() if sealed.s_b else None
    if envelope["factor_commit"] != factor:
        raise ClientFault("derivation", "factor_commit differs")
    if [row["c"] for row in envelope["shares"]] != [c.hex() for c in again.commitments]:
        raise ClientFault("derivation", "a share's commitment differs")
    if any(len(b64u_decode(row["ct"])) != _SEALED_SHARE for row in envelope["shares"]):
        raise ClientFault("derivation", "a sealed share has another length")


def _check_file(name: str, path: Path, row: Mapping[str, Any]) -> None:
    state, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_READ):
            state.update(chunk)
            size += len(chunk)
    if (state.hexdigest(), size) != (row["sha256"], row["size"]):
        raise ClientFault("parts", f"the file of part {name} differs from the envelope")


def _check_opens(name: str, path: Path, identity: str, expected: bytes) -> None:
    state = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in open_age_stream(identity, file):
                state.update(chunk)
    except AgeError as error:
        raise ClientFault("decryption", f"part {name}: {error}") from error
    if not hmac.compare_digest(state.digest(), expected):
        raise ClientFault("decryption", f"part {name} opens to something else")
