"""A custodian that lives in this process: the cryptography of the agent without its files, polling and person.

For replays in bulk only (P13); the demonstration's custodians are agents of their own (``mingbiao custodian serve``).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.custodian.shares import open_share
from trading.bids.rules.envelope import Envelope
from trading.crypto.keys import XWingPrivateKey, hpke_open, hpke_seal, pop_info, release_info
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.demo.cast import Organisation
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64u
from trading.openings.rules.answers import make_release, make_share_check
from trading.openings.rules.orders import OpenOrder
from trading.openings.rules.verdicts import Check

Place = tuple[str, str, str]


@dataclass(slots=True)
class LocalCustodian:
    """One institution with its signing key and one share key a lot and stage."""

    organisation: Organisation
    signer: Es256Signer
    _seeds: dict[Place, bytes] = field(default_factory=dict)
    _documents: dict[Place, SignedDocument] = field(default_factory=dict)
    _opened: dict[Place, dict[str, bytes]] = field(default_factory=dict)

    def key_document(self, place: Place, created: int) -> SignedDocument:
        """Make the share key of a lot and stage and return its signed document (SB1 S3.2)."""
        tender, lot, stage = place
        seed = secrets.token_bytes(32)
        document = {
            "created": created,
            "hpke_pk": b64u(XWingPrivateKey.from_seed(seed).public.raw),
            "lot": lot,
            "name": self.organisation.name_zh,
            "role": self.organisation.seat,
            "stage": stage,
            "suite": "SB1-XWING-AGE",
            "tender": tender,
            "typ": "sb1.custodian-key",
            "v": 1,
        }
        self._seeds[place] = seed
        self._documents[place] = sign_document(dumps(document), self.signer)
        return self._documents[place]

    def prove(self, place: Place, sealed_challenge: bytes) -> bytes:
        """Open the challenge of the proof of possession."""
        return hpke_open(self._seeds[place], pop_info(self._documents[place].doc), sealed_challenge)

    def check(
        self, place: Place, index: int, order: OpenOrder, envelopes: Mapping[str, Envelope], created: int
    ) -> SignedDocument:
        """Open the own share of every bid and say whether it fits (S9.3)."""
        key = XWingPrivateKey.from_seed(self._seeds[place])
        codes: dict[str, Check] = {}
        kept = self._opened.setdefault(place, {})
        for bid, envelope in envelopes.items():
            opened = open_share(key, envelope.shares[index - 1], envelope.context)
            codes[bid] = opened.code
            if opened.share is not None:
                kept[bid] = opened.share
        document = make_share_check(order, codes, custodian=index, created=created)
        return sign_document(document, self.signer)

    def release(
        self,
        place: Place,
        index: int,
        order: OpenOrder,
        valid: Sequence[str],
        factor_list_sha256: str,
        created: int,
    ) -> SignedDocument:
        """Seal the own share of every bid with a valid factor to the station, in one document (S9.7)."""
        kept, order_hash = self._opened[place], bytes.fromhex(order.sha256)
        names = {bid.bid: bytes.fromhex(bid.envelope_sha256) for bid in order.bids}
        sealed: dict[str, bytes | None] = {
            bid: hpke_seal(order.station_pk, release_info(index, order_hash, names[bid]), kept[bid])
            if bid in kept
            else None
            for bid in valid
        }
        document = make_release(order, sealed, custodian=index, created=created, factor_list_sha256=factor_list_sha256)
        return sign_document(document, self.signer)
