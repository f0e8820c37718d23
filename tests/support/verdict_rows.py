"""One kind of bid for every row of SB1 S10, and what must come of it whichever custodians are honest.

``Case.expected`` says it from the arithmetic of S10 alone, by counting, and knows nothing of the rules under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from tests.build.ceremony import CUSTODIANS, Bidder, World
from trading.bids.rules.price import build_price, pad_price
from trading.crypto.envelope import derive_identity, encrypt_part
from trading.crypto.keys import hpke_seal, share_info
from trading.crypto.shares import commit_share, deal
from trading.crypto.signatures import sign_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.signed import SignedDocument
from trading.openings.rules.verdicts import AtFault, Code

THREE: Final = (("某代理公司", "agency"), ("某监督局", "supervisor"), ("某公证处", "notary"))
SCHEMES: Final[Mapping[str, tuple[int, tuple[tuple[str, str], ...]]]] = {
    "2 of 3": (2, THREE),
    "3 of 5": (3, CUSTODIANS),
}
ABSENT, WITHHOLDS, LIES, DENIES = "ABSENT", "NO_RELEASE", "BAD_SHARE", "FALSE_BAD"
WRONGS: Final = (ABSENT, WITHHOLDS, LIES, DENIES)
DEALT, OPEN = 1, 2  # the custodians whose share was dealt badly, once adjudicated and once not


@dataclass(frozen=True)
class Row:
    """A kind of bid: how its bidder or the platform went wrong, and whether its factor is revealed and listed."""

    make: Callable[[World, Bidder], SignedDocument] | None = None
    revealed: bool = True
    listed: bool = True


def _resigned(change: Callable[[World, Bidder, dict[str, Any]], None]) -> Callable[[World, Bidder], SignedDocument]:
    """Return how a dishonest bidder changes its own envelope before signing it."""

    def make(world: World, bidder: Bidder) -> SignedDocument:
        body = loads_object(bidder.done.envelope.doc)
        change(world, bidder, body)
        return sign_document(dumps(body), bidder.signer)

    return make


def _not_signed_again(_world: World, bidder: Bidder) -> SignedDocument:
    body = {**loads_object(bidder.done.envelope.doc), "created": 1}
    return SignedDocument(dumps(body), bidder.done.envelope.sigs)


def _copy(world: World, _bidder: Bidder, body: dict[str, Any]) -> None:
    original = loads_object(world.bidders[0].done.envelope.doc)
    body.update({name: original[name] for name in ("shares", "parts", "seed_commit", "factor_commit")})


def _garbage(index: int) -> Callable[[World, Bidder, dict[str, Any]], None]:
    def change(_world: World, _bidder: Bidder, body: dict[str, Any]) -> None:
        share = body["shares"][index - 1]
        ct = b64u_decode(share["ct"])
        share["ct"] = b64u(ct[:-1] + bytes([ct[-1] ^ 1]))

    return change


def _foreign_share(world: World, bidder: Bidder, body: dict[str, Any]) -> None:
    ctx, last = bidder.done.context.bytes(), len(world.custodians)
    share = deal(b"\x77" * 32, ctx, world.k, last).shares[-1]
    ct = hpke_seal(world.policy.custodians[-1].hpke_pk, share_info(last, ctx), share)
    body["shares"][-1] = {"c": commit_share(share, ctx).hex(), "ct": b64u(ct), "i": last}


def _with_price(content: Callable[[World, Bidder], bytes]) -> Callable[[World, Bidder, dict[str, Any]], None]:
    def change(world: World, bidder: Bidder, body: dict[str, Any]) -> None:
        data = content(world, bidder)
        world.parts[sha256_hex(data)] = data
        part = next(part for part in body["parts"] if part["name"] == "price")
        part |= {"sha256": sha256_hex(data), "size": len(data)}

    return change


def _flipped(_world: World, bidder: Bidder) -> bytes:
    data = bidder.done.parts["price"]
    return data[:-1] + bytes([data[-1] ^ 1])


def _of_another_bid(world: World, bidder: Bidder) -> bytes:
    price = {**loads_object(build_price(world.context_of(bidder), currency="CNY", total=1)), "bid": "b-0001"}
    sealed = bidder.done
    identity = derive_identity(sealed.s_c, sealed.s_b, sealed.context.bytes(), "price")
    return encrypt_part(identity, pad_price(dumps(price), 4096))


#: One bid per row, in this order; the copy is of the first.
ROWS: Final[Mapping[str, Row]] = {
    "honest": Row(),
    "bad intake": Row(_not_signed_again),
    "copied": Row(_resigned(_copy), revealed=False, listed=False),
    "part lost": Row(),
    "no factor": Row(revealed=False, listed=False),
    "factor lost": Row(listed=False),
    "rescued": Row(),
    "dealt bad": Row(_resigned(_garbage(DEALT))),
    "not adjudicated": Row(_resigned(_garbage(OPEN))),
    "other dealing": Row(_resigned(_foreign_share)),
    "part does not open": Row(_resigned(_with_price(_flipped))),
    "foreign content": Row(_resigned(_with_price(_of_another_bid))),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Which custodians are honest, and what each of the others does."""

    n: int
    k: int
    wrongs: Mapping[int, str]

    @property
    def name(self) -> str:
        told = ", ".join(f"{index} {wrong}" for index, wrong in sorted(self.wrongs.items()))
        return f"{self.k} of {self.n}: {told or 'all honest'}"

    def expected(self, row: str) -> tuple[Code, AtFault]:
        """Return verdict and responsible party of a bid, by counting as S10 does."""
        match row:
            case "bad intake":
                return Code.PLATFORM_BAD_INTAKE, AtFault.PLATFORM
            case "copied" if self.n - self._count(ABSENT) >= self.k:
                return Code.BIDDER_COPIED, AtFault.BIDDER
            case "copied" | "no factor":
                return Code.BIDDER_NO_FACTOR, AtFault.BIDDER
            case "part lost":
                return Code.PLATFORM_PART_LOST, AtFault.PLATFORM
            case "factor lost":
                return Code.PLATFORM_FACTOR_LOST, AtFault.PLATFORM
            case "rescued":
                return Code.OK, AtFault.NOBODY
            case _:
                return self._by_shares(row)

    def _by_shares(self, row: str) -> tuple[Code, AtFault]:
        """Return the same of a bid whose shares decide: who held a good one, and why the others did not give theirs."""
        bad = {"dealt bad": DEALT, "not adjudicated": OPEN}.get(row)
        excused = bad is not None and self.wrongs.get(bad) != ABSENT
        good = sum(index not in self.wrongs and index != bad for index in range(1, self.n + 1))
        at_fault = len(self.wrongs) - (excused and bad in self.wrongs)
        if good >= self.k:
            return {
                "other dealing": (Code.BIDDER_MALFORMED_SEALING, AtFault.BIDDER),
                "part does not open": (Code.BIDDER_MALFORMED_SEALING, AtFault.BIDDER),
                "foreign content": (Code.BIDDER_MALFORMED_CONTENT, AtFault.BIDDER),
            }.get(row, (Code.OK, AtFault.NOBODY))
        if at_fault > self.n - self.k:
            return Code.TOO_FEW_SHARES, AtFault.CUSTODIANS
        if row == "not adjudicated":
            return Code.PENDING, AtFault.OPEN
        return Code.BIDDER_MALFORMED_SEALING, AtFault.BIDDER

    def named(self) -> list[tuple[str, int]]:
        """Return the faults that must be named with every bid whose shares all custodians hold."""
        return [(f"CUSTODIAN_{wrong}", index) for index, wrong in sorted(self.wrongs.items())]

    def _count(self, wrong: str) -> int:
        return sum(each == wrong for each in self.wrongs.values())


def cases(scheme: str) -> Iterator[Case]:
    """Yield a case for every subset of honest custodians; what the others do goes round."""
    k, custodians = SCHEMES[scheme]
    n, turn = len(custodians), 0
    for size in range(n, -1, -1):
        for honest in combinations(range(1, n + 1), size):
            wrongs = {}
            for index in sorted(set(range(1, n + 1)) - set(honest)):
                wrong = WRONGS[turn % len(WRONGS)]
                # Who denies a share is adjudicated, and the share dealt to it badly with it: this one shall stay open.
                wrongs[index] = ABSENT if (index, wrong) == (OPEN, DENIES) else wrong
                turn += 1
            yield Case(n=n, k=k, wrongs=wrongs)
