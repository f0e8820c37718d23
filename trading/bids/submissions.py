"""What stands in the database about a submission when it arrives, for the checks without a lock (SB1 S7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, exists

from trading.bids.queries import TARGET, BidTarget, target_of
from trading.bids.tables import bid_version
from trading.parties.model import SigningKey
from trading.parties.queries import KEY_COLUMNS, key_of
from trading.parties.tables import signing_key


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBefore:
    """What stands in the database about a submission: its bid, its key, and whether its very bytes came before."""

    target: BidTarget
    key: SigningKey | None
    is_known: bool


# One question instead of three: each costs the web server as much as checking a signature.
_SUBMISSION: Final = TARGET.add_columns(
    *KEY_COLUMNS, exists().where(bid_version.c.doc_sha256 == bindparam("digest")).label("is_known")
).outerjoin(signing_key, signing_key.c.kid == bindparam("kid"))


def known_before(conn: Connection, reference: str, *, digest: str, kid: str | None) -> KnownBefore | None:
    """Return what is known of a submission to the bid ``reference``: SHA-256 of its document, and who signed it."""
    row = conn.execute(_SUBMISSION, {"reference": reference, "digest": bytes.fromhex(digest), "kid": kid}).one_or_none()
    if row is None:
        return None
    return KnownBefore(
        target=target_of(row), key=None if row.kid is None else key_of(row), is_known=bool(row._mapping["is_known"])
    )
