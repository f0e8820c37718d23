"""Tuple hash and the table of domain labels (P4.1, P4.2). Every label stands here and is used for one function only."""

from __future__ import annotations

import hashlib
from typing import Final

SB1_SHARE_COMMIT: Final = "mingbiao/sb1/share-commit"
SB1_BIDDER_FACTOR: Final = "mingbiao/sb1/bidder-factor"
SB1_SEED: Final = "mingbiao/sb1/seed"
SB1_FILE: Final = "mingbiao/sb1/file"
SB1_POLY: Final = "mingbiao/sb1/poly"
SB1_COEF: Final = "mingbiao/sb1/coef"
SB1_AGE_X25519: Final = "mingbiao/sb1/age-x25519/"
SB1_SHARE: Final = "mingbiao/sb1/share"
SB1_POP: Final = "mingbiao/sb1/pop"
SB1_RELEASE: Final = "mingbiao/sb1/release"
ED1_CONTRIBUTION: Final = "mingbiao/ed1/contribution"
ED1_SEED: Final = "mingbiao/ed1/seed"
ED1_POOL_KEY: Final = "mingbiao/ed1/pool-key"
ED1_EXCLUSION_KEY: Final = "mingbiao/ed1/exclusion-key"
ED1_DISPOSITION: Final = "mingbiao/ed1/disposition"
ED1_PROCEDURE: Final = "mingbiao/ed1/procedure"
ED1_TICKET: Final = "mingbiao/ed1/ticket"
AL1_RECORD: Final = "mingbiao/al1/record"
AL1_GENESIS: Final = "mingbiao/al1/genesis"
AL1_PERSONAL: Final = "mingbiao/al1/personal"
EXPERTS_IDENTITY: Final = "mingbiao/experts/identity"
EXPERTS_DRAW_KEYS: Final = "mingbiao/experts/draw-keys"
EXPERTS_DRAW_HANDOVER: Final = "mingbiao/experts/draw-handover"
EXPERTS_CODE: Final = "mingbiao/experts/code"
EXPERTS_LINK: Final = "mingbiao/experts/link"
EXPERTS_HOLDER: Final = "mingbiao/experts/holder"
POOL_DOSSIER: Final = "mingbiao/pool/dossier"
POOL_NOTE: Final = "mingbiao/pool/note"
MESSAGES_MAIL: Final = "mingbiao/messages/mail"
RANK_TIE: Final = "mingbiao/rank/tie"  # not of P4.2: ADR 0024, the tie rule of the ranking
EVALUATION_MASKS: Final = "mingbiao/evaluation/masks"  # not of P4.2: ADR 0072, the seed of letters
EVALUATION_MASK: Final = "mingbiao/evaluation/mask"  # not of P4.2: ADR 0072, the ticket of one bid
SHEET_CHALLENGE: Final = "mingbiao/sheet/challenge"  # not of P4.2: ADR 0078, made of all signed sheets of a lot
SHEET_ECHO: Final = "mingbiao/sheet/echo"  # not of P4.2: ADR 0078, shows that a signed sheet is there
RANK_COEFFICIENT: Final = "mingbiao/rank/coefficient"  # not of P4.2: ADR 0065, the draw of coefficients (MET-06)


def tuple_hash(label: str, *parts: bytes) -> bytes:
    """Return ``TH(label, parts…)`` of P4.1: SHA-256 over the label, a zero byte and each part with its u64 length."""
    state = hashlib.sha256(label.encode("ascii") + b"\0")
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of ``data``."""
    return hashlib.sha256(data).digest()


def sha256_hex(data: bytes) -> str:
    """Return SHA-256 of ``data`` as lowercase hex."""
    return hashlib.sha256(data).hexdigest()
