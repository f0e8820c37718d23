"""Whose signature is valid where: the trust file, the log's key records, and the position of use (P5.5, P6.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verifier.es256 import SignatureFault, verify_es256
from verifier.trust import Trust

# Parties whose keys a reader may take from the log; everyone else must stand in the trust file (P5.5).
ROLES_FROM_LOG = ("ack", "bidder")


class UnknownAlgorithm(ValueError):
    """The signature's algorithm is not part of this verifier: *not checked*."""


@dataclass(frozen=True)
class Signer:
    """A key whose signature verified: who it belongs to and in which role."""

    kid: str
    role: str
    name: str


@dataclass(frozen=True)
class KeyEvent:
    """A ``key.registered`` or ``key.revoked`` record at its position."""

    n: int
    kid: str
    org: str = ""
    role: str = ""
    spki_sha256: str = ""
    enrol_sha256: str | None = None


@dataclass
class KeyRing:
    """Institution keys by trust file, and what the log says about keys; ``spki`` from ``mb.key-enrol`` documents."""

    trust: Trust
    registered: dict[str, list[KeyEvent]] = field(default_factory=dict)
    revoked: dict[str, list[KeyEvent]] = field(default_factory=dict)
    spki: dict[str, bytes] = field(default_factory=dict)

    def verify(self, document: bytes, signature: dict[str, Any], used_at: int | None) -> Signer:
        """Check one signature over ``document`` as used at log index ``used_at`` (``None``: position unknown).

        Raises:
            SignatureFault: Key unknown, not yet registered or already revoked there, or the signature fails.
            UnknownAlgorithm: ``CMS`` or ``SM2SM3``.
        """
        kid = signature["kid"]
        signer, spki = self._owner(kid)
        if signature["alg"] != "ES256":
            raise UnknownAlgorithm(f"signature of {signer.name} uses {signature['alg']}")
        self._check_position(kid, signer, used_at)
        verify_es256(spki, document, signature)
        return signer

    def _owner(self, kid: str) -> tuple[Signer, bytes]:
        known = self.trust.institutions.get(kid)
        if known is not None:
            return Signer(kid, known.role, known.name), known.spki
        events = self.registered.get(kid, [])
        if not events:
            raise SignatureFault(f"key {kid[:16]}… is neither in the trust file nor registered in the log")
        if events[0].role not in ROLES_FROM_LOG:
            raise SignatureFault(f"key {kid[:16]}… of role {events[0].role} is not in the trust file")
        if kid not in self.spki:
            raise SignatureFault(f"key {kid[:16]}…: its mb.key-enrol document is not in the bundle")
        return Signer(kid, events[0].role, events[0].org), self.spki[kid]

    def _check_position(self, kid: str, signer: Signer, used_at: int | None) -> None:
        if used_at is None:
            return
        events = self.registered.get(kid, [])
        if (events or kid not in self.trust.institutions) and not any(event.n < used_at for event in events):
            raise SignatureFault(f"key {kid[:16]}… of {signer.name} was not registered before entry {used_at}")
        if any(event.n < used_at for event in self.revoked.get(kid, [])):
            raise SignatureFault(f"key {kid[:16]}… of {signer.name} was revoked before entry {used_at}")

    def role_clashes(self) -> list[tuple[str, set[str]]]:
        """Return every key that appears in more than one role (P6.1)."""
        roles: dict[str, set[str]] = {kid: {known.role} for kid, known in self.trust.institutions.items()}
        for kid, events in self.registered.items():
            roles.setdefault(kid, set()).update(event.role for event in events)
        return [(kid, found) for kid, found in sorted(roles.items()) if len(found) > 1]
