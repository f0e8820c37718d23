"""Has the newest checkpoint of a running market stamped, as the workers of a platform with two authorities would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.support.authorities import OwnAuthority, serving
from tests.support.market import Market
from trading.audit.authorities import Authority
from trading.audit.queries import newest_h
from trading.audit.service import wait_witnessed
from trading.audit.stamping import stamp_newest
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u

NAMES = ("first.test", "second.test")


@dataclass
class Stamping:
    """Two authorities by the clock of a market's demonstration, reachable over HTTP."""

    market: Market
    owned: list[OwnAuthority]
    urls: list[str]

    def stamp(self) -> int:
        """Stamp the newest checkpoint by both, and have the anchors witnessed; return how many tokens there are new."""
        runtime = replace(
            self.market.runtime,
            authorities=tuple(Authority(name=name, url=url) for name, url in zip(NAMES, self.urls, strict=True)),
            authority_roots=lambda: {each.name: (each.root.der,) for each in self.owned},
        )
        self.witness()
        made = sum(stamp_newest(runtime, each) for each in runtime.authorities)
        self.witness()
        return made

    def witness(self) -> None:
        """Wait until everything is witnessed."""
        with self.market.runtime.ledger.read() as conn:
            h = newest_h(conn)
        assert h is not None
        assert wait_witnessed(self.market.runtime, h, 10.0) is not None

    def trusted(self, trust: bytes) -> bytes:
        """Return a trust file that names the roots of both as well; nobody has signed it."""
        rows: list[dict[str, Any]] = [{"cert": b64u(each.root.der), "name": each.name} for each in self.owned]
        return dumps({**loads_object(trust), "tsa": rows})


@contextmanager
def stamping(market: Market) -> Iterator[Stamping]:
    owned = [OwnAuthority(name, market.runtime.clock) for name in NAMES]
    with serving(owned[0].server()) as first, serving(owned[1].server()) as second:
        yield Stamping(market=market, owned=owned, urls=[first, second])
