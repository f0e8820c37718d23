"""``mb.key-revoke``: an active key of an organisation takes another one of the same organisation out (P6.2 item 5)."""

from __future__ import annotations

from typing import Final

from trading.kernel import canonical, fields

KEY_REVOKE: Final = fields.Table(
    "mb.key-revoke", {"created": fields.instant, "kid": fields.digest, "reason": fields.text}
)


def make_key_revoke(*, kid: str, reason: str, created: int) -> bytes:
    """Return the canonical document; ``created`` is the instant in ms, informational."""
    return canonical.dumps({"created": created, "kid": kid, "reason": reason, "typ": KEY_REVOKE.typ, "v": 1})
