"""Documents of custodians outside a ceremony: non-release, key destruction, polling (SB1 S12, S13.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trading.kernel import fields
from trading.kernel.errors import InvalidInput, RuleBroken

POLL_TOLERANCE_MS: Final = 60_000
_NONCE_BYTES: Final = 16
_INDEX: Final = fields.integer(1, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class NonRelease:
    """``sb1.non-release``: "I released no share of these envelopes" (S12). The policy says of which tender."""

    raw: bytes
    created: int
    custodian: int
    envelopes: tuple[str, ...]
    lot: str
    policy_sha256: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestroyed:
    """``sb1.key-destroyed``: the share key of this policy no longer exists."""

    raw: bytes
    created: int
    custodian: int
    policy_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """``mb.poll``: who asks for jobs. ``audience`` is the log origin; a nonce counts once."""

    raw: bytes
    audience: str
    created: int
    custodian_kid: str
    nonce: bytes


NON_RELEASE: Final = fields.Table(
    "sb1.non-release",
    {
        "created": fields.instant,
        "custodian": _INDEX,
        "envelopes": fields.sorted_by(fields.itself, fields.digest, least=1),
        "lot": fields.text,
        "policy_sha256": fields.digest,
        "stage": fields.one_of("all", "tech", "price"),
    },
)
KEY_DESTROYED: Final = fields.Table(
    "sb1.key-destroyed", {"created": fields.instant, "custodian": _INDEX, "policy_sha256": fields.digest}
)
POLL: Final = fields.Table(
    "mb.poll",
    {
        "audience": fields.text,
        "created": fields.instant,
        "custodian_kid": fields.digest,
        "nonce": fields.hex_of(_NONCE_BYTES),
    },
    limit=4096,
)


def parse_non_release(raw: bytes) -> NonRelease:
    """Admit a statement of non-release; raises ``InvalidInput`` with a code of P11."""
    return NonRelease(raw=raw, **NON_RELEASE.read(raw))


def parse_key_destroyed(raw: bytes) -> KeyDestroyed:
    """Admit a statement of destruction; raises ``InvalidInput`` with a code of P11."""
    return KeyDestroyed(raw=raw, **KEY_DESTROYED.read(raw))


def parse_poll(raw: bytes) -> Poll:
    """Admit ``mb.poll``; raises ``InvalidInput`` with a code of P11."""
    return Poll(raw=raw, **POLL.read(raw))


def make_non_release(
    lot: str, stage: str, envelopes: Sequence[str], *, policy_sha256: str, custodian: int, created: int
) -> bytes:
    """Return the statement for the envelopes (hex names)."""
    return NON_RELEASE.write(
        {
            "created": created,
            "custodian": custodian,
            "envelopes": sorted(envelopes),
            "lot": lot,
            "policy_sha256": policy_sha256,
            "stage": stage,
        }
    )


def make_key_destroyed(policy_sha256: str, *, custodian: int, created: int) -> bytes:
    """Return the statement that the share key of a policy is destroyed."""
    return KEY_DESTROYED.write({"created": created, "custodian": custodian, "policy_sha256": policy_sha256})


def make_poll(*, audience: str, custodian_kid: str, nonce: bytes, created: int) -> bytes:
    """Return the document that a custodian signs to fetch its jobs; the nonce is 16 fresh random bytes."""
    return POLL.write({"audience": audience, "created": created, "custodian_kid": custodian_kid, "nonce": nonce.hex()})


def require_fresh_poll(poll: Poll, *, origin: str, kid: str, at: int) -> None:
    """Refuse a poll for another log, by another key than signed it, or more than 60 s away (S13.3).

    That its nonce is new is asked of the nonces seen in the last two minutes, by the caller.

    Raises:
        InvalidInput: ``poll.wrong_key``.
        RuleBroken: ``poll.wrong_audience`` or ``poll.stale``.
    """
    if poll.custodian_kid != kid:
        raise InvalidInput("poll.wrong_key", "custodian_kid is not the key that signed")
    if poll.audience != origin:
        raise RuleBroken("poll.wrong_audience", "SB1 S13.3", audience=poll.audience)
    if abs(poll.created - at) > POLL_TOLERANCE_MS:
        raise RuleBroken("poll.stale", "SB1 S13.3", created=poll.created, at=at)
