"""Hashes of the protocols: tuple hash (P4.1), domain labels (P4.2), record commitment and genesis (AL1 L1.1, L1.2)."""

from __future__ import annotations

import hashlib

LABEL_SHARE_COMMIT = "mingbiao/sb1/share-commit"
LABEL_BIDDER_FACTOR = "mingbiao/sb1/bidder-factor"
LABEL_SEED = "mingbiao/sb1/seed"
LABEL_FILE = "mingbiao/sb1/file"
LABEL_POLY = "mingbiao/sb1/poly"
LABEL_COEF = "mingbiao/sb1/coef"
LABEL_AGE_X25519 = "mingbiao/sb1/age-x25519/"
LABEL_SHARE = "mingbiao/sb1/share"
LABEL_POP = "mingbiao/sb1/pop"
LABEL_RELEASE = "mingbiao/sb1/release"
LABEL_CONTRIBUTION = "mingbiao/ed1/contribution"
LABEL_DRAW_SEED = "mingbiao/ed1/seed"
LABEL_POOL_KEY = "mingbiao/ed1/pool-key"
LABEL_EXCLUSION_KEY = "mingbiao/ed1/exclusion-key"
LABEL_DISPOSITION = "mingbiao/ed1/disposition"
LABEL_PROCEDURE = "mingbiao/ed1/procedure"
LABEL_TICKET = "mingbiao/ed1/ticket"
LABEL_RECORD = "mingbiao/al1/record"
LABEL_GENESIS = "mingbiao/al1/genesis"
LABEL_MASKS = "mingbiao/evaluation/masks"
LABEL_MASK = "mingbiao/evaluation/mask"
LABEL_RANK_TIE = "mingbiao/rank/tie"
LABEL_SHEET_CHALLENGE = "mingbiao/sheet/challenge"
LABEL_SHEET_ECHO = "mingbiao/sheet/echo"
LABEL_RANK_COEFFICIENT = "mingbiao/rank/coefficient"


def digest(data: bytes) -> bytes:
    """Return SHA-256 of ``data``."""
    return hashlib.sha256(data).digest()


def hex_digest(data: bytes) -> str:
    """Return SHA-256 of ``data`` in lowercase hex."""
    return hashlib.sha256(data).hexdigest()


def tuple_hash(label: str, *parts: bytes) -> bytes:
    """Return ``TH(label, parts…)``: each part is preceded by its length, so no two tuples meet (P4.1)."""
    state = hashlib.sha256(label.encode("ascii") + b"\0")
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def record_commitment(nonce: bytes, record: bytes) -> bytes:
    """Return ``h`` of a record (AL1 L1.1)."""
    return digest(LABEL_RECORD.encode() + b"\0" + nonce + record)


def genesis(origin: str) -> bytes:
    """Return the ``p`` of entry 0 of a log (AL1 L1.2)."""
    return digest(LABEL_GENESIS.encode() + b"\0" + origin.encode())
