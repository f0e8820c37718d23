"""The trust file ``mb.trust``: whom the reader believes (P8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from verifier.canonical import NotCanonical, admit, admit_object
from verifier.doctypes import DOCUMENT_RULES, SIGNATURE_LIST
from verifier.encoding import b64u_decode
from verifier.es256 import SignatureFault, verify_es256
from verifier.fields import FieldFault
from verifier.hashing import hex_digest
from verifier.policy import LogPolicy, PolicyFault, parse_log_policy


class TrustFault(ValueError):
    """The trust file is malformed, contradicts itself, or its signature fails."""


@dataclass(frozen=True)
class Institution:
    """An institution key of the trust file; ``spki`` is the public key (ES256) or the certificate (CMS)."""

    alg: str
    kid: str
    name: str
    role: str
    spki: bytes


@dataclass(frozen=True)
class Trust:
    """A read trust file; ``signed`` tells whether a supervisor key that it lists signed it.

    ``stampers`` are the root certificates (DER) of time-stamping authorities by name.
    """

    sha256: str
    origin: str
    issued: int
    seq: int
    policy: LogPolicy
    institutions: dict[str, Institution]
    release_sha256: list[str]
    stampers: dict[str, list[bytes]]
    signed: bool

    @property
    def origins(self) -> list[str]:
        """Return the logs that ``origin`` continues, the oldest first, and itself: the order of the policy (L13)."""
        names = list(dict.fromkeys(key.name for key in self.policy.logs))
        return names[: names.index(self.origin) + 1]

    def of(self, origin: str) -> Trust:
        """Return the same trust for a log that ``origin`` continues; unchanged for any other."""
        return replace(self, origin=origin) if origin in self.origins else self


def read_trust(data: bytes, signatures: bytes | None = None) -> Trust:
    """Read ``mb.trust`` from its document bytes, or from the signed wrapper of P7.1.

    Raises:
        TrustFault: Malformed, a key in two roles or with a wrong kid, or a signature that does not verify.
    """
    try:
        document, sigs = _unwrap_signed(data, signatures)
        value = admit_object(document)
        DOCUMENT_RULES["mb.trust"](value, "mb.trust")
        policy = parse_log_policy(value["log_policy"])
    except (NotCanonical, FieldFault, PolicyFault) as error:
        raise TrustFault(f"trust file: {error}") from error
    institutions = _institutions(value)
    _require_distinct_log_keys(policy, value["origin"])
    signed = _verify_own(document, sigs, institutions)
    return Trust(
        hex_digest(document),
        value["origin"],
        value["issued"],
        value["seq"],
        policy,
        institutions,
        value["release_sha256"],
        _stampers(value),
        signed,
    )


def _unwrap_signed(data: bytes, signatures: bytes | None) -> tuple[bytes, list[dict[str, Any]]]:
    value = admit_object(data.rstrip(b"\n"))
    if set(value) == {"doc", "sigs"} and isinstance(value["doc"], str):
        try:
            data, sigs = b64u_decode(value["doc"]), value["sigs"]
        except ValueError as error:
            raise NotCanonical(str(error)) from error
    else:
        data, sigs = data.rstrip(b"\n"), [] if signatures is None else admit(signatures)
    if sigs:
        SIGNATURE_LIST(sigs, "signatures")
    return data, sigs


def _institutions(value: dict[str, Any]) -> dict[str, Institution]:
    result = {}
    for row in value["institutions"]:
        spki = b64u_decode(row["key"])
        if hex_digest(spki) != row["kid"]:
            raise TrustFault(f"trust file: kid of {row['name']} is not the hash of its key")
        result[row["kid"]] = Institution(row["alg"], row["kid"], row["name"], row["role"], spki)
    return result


def _stampers(value: dict[str, Any]) -> dict[str, list[bytes]]:
    result: dict[str, list[bytes]] = {}
    for row in value["tsa"]:
        result.setdefault(row["name"], []).append(b64u_decode(row["cert"]))
    return result


def _require_distinct_log_keys(policy: LogPolicy, origin: str) -> None:
    keys = [key.public for key in policy.logs] + [key.public for key in policy.witnesses.values()]
    if len(set(keys)) != len(keys):
        raise TrustFault("trust file: one key as log key and as witness")
    if origin not in {key.name for key in policy.logs}:
        raise TrustFault("trust file: no log key for its origin")


def _verify_own(document: bytes, sigs: list[dict[str, Any]], institutions: dict[str, Institution]) -> bool:
    signed = False
    for signature in sigs:
        signer = institutions.get(signature["kid"])
        if signer is None or signature["alg"] != "ES256":
            continue
        try:
            verify_es256(signer.spki, document, signature)
        except SignatureFault as error:
            raise TrustFault(f"trust file: {error}") from error
        signed = signed or signer.role == "supervisor"
    return signed
