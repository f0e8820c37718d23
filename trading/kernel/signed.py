"""A document and the signatures over its exact bytes, as they travel (P7.1). Verifying them is ``trading.crypto``'s."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from trading.kernel import canonical
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput

SignatureObject: TypeAlias = dict[str, str]

MAX_SIGNATURES: Final = 16
_KID = re.compile(r"[0-9a-f]{64}\Z")
_ALGORITHMS: Final = frozenset({"ES256", "CMS", "SM2SM3"})
# A CMS signature carries its certificates; a bare ES256 one has 86 characters.
_MAX_SIGNATURE_TEXT: Final = 65536


def read_signature_object(value: object) -> SignatureObject:
    """Return ``value`` as a signature object of exactly ``alg``, ``kid``, ``sig`` (P7.1).

    Raises:
        InvalidInput: ``doc.unknown_field`` or ``doc.bad_field``. Whether the signature verifies is another question.
    """
    if not isinstance(value, dict):
        raise InvalidInput("doc.bad_field", "a signature object is not an object")
    if unknown := set(value) - {"alg", "kid", "sig"}:
        raise InvalidInput("doc.unknown_field", f"signature object: {min(unknown)}")
    alg, kid, sig = value.get("alg"), value.get("kid"), value.get("sig")
    if not isinstance(alg, str) or alg not in _ALGORITHMS or not isinstance(kid, str) or not _KID.match(kid):
        raise InvalidInput("doc.bad_field", "signature object: alg or kid")
    if not isinstance(sig, str) or not 0 < len(sig) <= _MAX_SIGNATURE_TEXT:
        raise InvalidInput("doc.bad_field", "signature object: sig")
    try:
        b64u_decode(sig)
    except ValueError as error:
        raise InvalidInput("doc.bad_field", "signature object: sig") from error
    return {"alg": alg, "kid": kid, "sig": sig}


def sig_sha256(signature: Mapping[str, str]) -> str:
    """Return the hex SHA-256 of the canonical signature object, as ``bid.received`` records it (SB1 S7.3 item 6)."""
    return sha256_hex(canonical.dumps(dict(signature)))


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """Exact document bytes with their signature objects, always sorted by ``kid`` and one per key (P7.1)."""

    doc: bytes
    sigs: tuple[SignatureObject, ...] = ()

    def __post_init__(self) -> None:
        """Sort the signatures; a second signature of one key is refused.

        Raises:
            InvalidInput: ``doc.bad_field``.
        """
        ordered = tuple(sorted(self.sigs, key=lambda sig: sig["kid"]))
        if len({sig["kid"] for sig in ordered}) != len(ordered):
            raise InvalidInput("doc.bad_field", "two signatures of one key")
        object.__setattr__(self, "sigs", ordered)

    @property
    def sha256(self) -> str:
        """Return the document's name: the hex SHA-256 of its bytes, which no signature is part of."""
        return sha256_hex(self.doc)

    @property
    def sigs_bytes(self) -> bytes:
        """Return the canonical array of signature objects, as stored beside the document (AL1 L12.1 ``.sig``)."""
        return canonical.dumps([dict(sig) for sig in self.sigs])

    def wire(self) -> dict[str, Any]:
        """Return the wire form ``{"doc": b64u, "sigs": […]}``, ready to be a JSON body or part of one."""
        return {"doc": b64u(self.doc), "sigs": [dict(sig) for sig in self.sigs]}

    def wire_bytes(self) -> bytes:
        """Return the canonical bytes of the wire form."""
        return canonical.dumps(self.wire())

    def with_signature(self, signature: Mapping[str, str]) -> SignedDocument:
        """Return the same document with one more signature."""
        return SignedDocument(self.doc, (*self.sigs, dict(signature)))

    @classmethod
    def from_parts(cls, doc: bytes, sigs: bytes) -> SignedDocument:
        """Join a document and its stored array of signature objects (the two files of a bundle).

        Raises:
            InvalidInput: The array is not canonical, not sorted, or an object in it is malformed.
        """
        return cls._checked(doc, canonical.loads(sigs))

    @classmethod
    def from_wire(cls, wire: bytes | Mapping[str, Any]) -> SignedDocument:
        """Admit a wire form: canonical bytes, or an object already parsed from a larger body.

        Raises:
            InvalidInput: ``doc.not_canonical``, ``doc.too_large``, ``doc.unknown_field`` or ``doc.bad_field``. The
                document inside is not looked at; its own parser admits it.
        """
        value = canonical.loads_object(wire, 2 * canonical.MAX_DOCUMENT) if isinstance(wire, bytes) else wire
        if not isinstance(value, Mapping):
            raise InvalidInput("doc.bad_field", "a signed document is not an object")
        if unknown := set(value) - {"doc", "sigs"}:
            raise InvalidInput("doc.unknown_field", f"wire form: {min(unknown)}")
        text = value.get("doc")
        if not isinstance(text, str):
            raise InvalidInput("doc.bad_field", "wire form: doc")
        try:
            doc = b64u_decode(text)
        except ValueError as error:
            raise InvalidInput("doc.bad_field", "wire form: doc") from error
        if len(doc) > canonical.MAX_DOCUMENT:
            raise InvalidInput("doc.too_large", f"{len(doc)} bytes", size=len(doc), limit=canonical.MAX_DOCUMENT)
        return cls._checked(doc, value.get("sigs"))

    @classmethod
    def _checked(cls, doc: bytes, sigs: object) -> SignedDocument:
        if not isinstance(sigs, list | tuple) or len(sigs) > MAX_SIGNATURES:
            raise InvalidInput("doc.bad_field", "wire form: sigs")
        objects: Iterable[SignatureObject] = [read_signature_object(item) for item in sigs]
        kids = [item["kid"] for item in objects]
        if kids != sorted(kids):
            raise InvalidInput("doc.bad_field", "signatures are not sorted by kid")
        return cls(doc, tuple(objects))
