"""Many bidders before one tender: registered, their keys enrolled, bids sealed, parts stored, tokens issued."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from io import BytesIO

from sqlalchemy import NullPool, create_engine, select

from agents.sealing import SealedBid
from benchmarks.support.load import Post
from tests.build.market import open_market
from trading.accounts import service as accounts
from trading.assembly import open_runtime
from trading.audit.rules.chain import parse_entry
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import parse_bundle, tiles_of
from trading.audit.runtime import Runtime
from trading.bids import service as bids
from trading.bids.tables import bid_version
from trading.db import psycopg_url
from trading.kernel.digests import sha256_hex
from trading.storage.tiles import CHECKPOINT, TileStore
from trading.up import Platform

_PRICE = 100_000_00  # fen


def runtime_of(platform: Platform) -> Runtime:
    """Return what a use case needs, for setting the stage in this very process."""
    return open_runtime(platform.settings("worker"), pool_size=4)


class Bidding:
    """Published tenders on a running platform and everybody who bids for the first; some bid for the second as well.

    Args:
        platform: Running.
        bidders: How many organisations, numbered from 0.
        procedures: How many tenders are published; the first one takes the bids.
        second: How many of the organisations bid for the second tender, too.
    """

    def __init__(self, platform: Platform, *, bidders: int, procedures: int = 1, second: int = 0) -> None:
        self._platform = platform
        self._runtime = runtime_of(platform)
        self._market = open_market(self._runtime, bidders=bidders)
        self._lots = [self._market.publish()[0] for _ in range(procedures)]
        self._bids = [
            [self._market.start_bid(lot, bidder) for bidder in self._market.bidders[:count]]
            for lot, count in zip(self._lots, (bidders, second), strict=False)
        ]
        self._tokens = [
            accounts.issue_token(self._runtime.ledger, f"bidder{number}", ("write:bids",))
            for number in range(1, bidders + 1)
        ]
        self._sealed: dict[tuple[int, int, int], SealedBid] = {}

    @property
    def reference(self) -> str:
        """Return the reference of the tender that takes the bids."""
        return self._lots[0].tender

    def envelope(self, number: int, seq: int, *, tender: int = 0) -> Post:
        """Seal version ``seq`` of a bidder's bid, store its parts, and return the request that submits it.

        It asks for the acknowledgement alone, without waiting for the log. Versions are made in order.
        """
        lot, bidder, bid = self._lots[tender], self._market.bidders[number], self._bids[tender][number]
        context = self._market.context(lot, bidder, bid, seq=seq)
        before = self._sealed.get((tender, number, seq - 1))
        sealed = self._market.seal(
            lot, context, total=_PRICE + number, supersedes=None if before is None else before.envelope.sha256
        )
        self._sealed[tender, number, seq] = sealed
        for data in sealed.parts.values():
            bids.store_part(
                self._runtime.ledger, self._runtime.objects, bidder.actor, bid, BytesIO(data), sha256_hex(data)
            )
        headers = {
            "Authorization": f"Bearer {self._tokens[number]}",
            "Content-Type": "application/json",
            "Prefer": "respond-async",
        }
        body = json.dumps(sealed.envelope.wire())
        return Post(name=sealed.envelope.sha256, path=f"/api/v1/bids/{bid}/envelope", headers=headers, body=body)

    @staticmethod
    def with_receipt(post: Post) -> Post:
        """Return the same request of a client that waits for its receipt."""
        return replace(post, headers={name: value for name, value in post.headers.items() if name != "Prefer"})

    def stored(self) -> set[str]:
        """Return the commitments of all versions in the database, in hex."""
        url = psycopg_url(self._platform.settings("auditor").database_url)
        with create_engine(url, poolclass=NullPool).connect() as conn:
            return {bytes(h).hex() for h in conn.execute(select(bid_version.c.h)).scalars()}

    def logged(self) -> Counter[str]:
        """Return how often each commitment stands in the public log, in hex."""
        tiles = TileStore(self._platform.data_dir / "log" / "tiles")
        note = tiles.read(CHECKPOINT)
        size = 0 if note is None else parse_checkpoint_text(parse_note(note).text).size
        found: Counter[str] = Counter()
        for tile in tiles_of(size):
            data = tiles.read(tile.path) if tile.level is None else None
            if data is not None:
                found.update(parse_entry(entry).h.hex() for entry in parse_bundle(data, tile.width))
        return found
