"""The header with which a key, not an account, speaks to the platform: a signed ``mb.poll`` (SB1 S13.3)."""

from __future__ import annotations

import secrets

from trading.crypto.signatures import DocumentSigner
from trading.custody.rules.documents import make_poll
from trading.kernel.encoding import b64u
from trading.kernel.signed import SignedDocument

_NONCE_BYTES = 16


def authorization(signer: DocumentSigner, origin: str, at: int) -> str:
    """Return the value of ``Authorization`` for one call at ``at`` (ms); each call has a fresh nonce."""
    poll = make_poll(audience=origin, custodian_kid=signer.kid, nonce=secrets.token_bytes(_NONCE_BYTES), created=at)
    return f"MB-ES256 {b64u(SignedDocument(poll, (signer.sign(poll),)).wire_bytes())}"
