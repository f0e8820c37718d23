"""One large bid that Chromium seals and sends to a whole running platform, and what became of it there (SB1 S6, S7)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from benchmarks.support.browser import MB, Watch, choose
from tests.build.market import Market, OpenLot, Party, open_market
from tests.support.browser_sealing import PASSPHRASE, SealingPage, given_of
from tests.support.platforms import runtime_on, temporary_platform
from trading.accounts import service as accounts
from trading.audit.rules.proof import parse_receipt
from trading.bids import queries as bids
from trading.bids.rules.context import BidContext
from trading.bids.rules.manifest import read_main
from trading.bids.rules.package import OpeningPackage, parse_package
from trading.crypto.envelope import decrypt_part_file, derive_identity
from trading.crypto.packages import unlock_package

#: From the chosen file to the receipt, as the sealing page does it; each step timed apart, in s.
_SEALED_AND_SENT: Final = """async ([given, policy, token, passphrase]) => {
    const { worker, key, bytes, text } = window.sealing, marks = [performance.now()];
    const mark = () => marks.push(performance.now());
    const file = document.querySelector("input").files[0], files = [{ path: file.name, file }];
    const shown = await worker.ask("seal", { ...given, key, policy: bytes(policy), files });
    mark();
    await worker.ask("look");
    mark();
    const { name, data } = await worker.ask("keep", { passphrase });
    await worker.ask("confirm", { file: new File([data], name), passphrase });
    mark();
    await worker.ask("send", { token });
    mark();
    const { status, content } = await worker.ask("commit", { token });
    mark();
    const [seal_s, look_s, keep_s, send_s, commit_s] = marks.slice(1).map((at, place) => (at - marks[place]) / 1000);
    return { seal_s, look_s, keep_s, send_s, commit_s, status, content, parts: shown.parts, locked: text(data) };
}"""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """One bidder before an open lot of a running platform at ``address``."""

    market: Market
    lot: OpenLot
    address: str

    @cached_property
    def bid(self) -> str:
        """Return the bid id of the bidder."""
        return self.market.start_bid(self.lot, self.bidder)

    @property
    def bidder(self) -> Party:
        """Return the bidder."""
        return self.market.bidders[0]

    @property
    def context(self) -> BidContext:
        """Return the context of its first version."""
        return self.market.context(self.lot, self.bidder, self.bid)

    def send(self, page: Page, source: Path) -> dict[str, Any]:
        """Seal and send the file; return times, answer, package, and ``tab_mb``, the most that the tab held."""
        choose(page, source)
        SealingPage(page, self.bidder.signer, self.bidder.signer.private_key).prepare()
        token = accounts.issue_token(self.market.ledger, "bidder1", ("write:bids",))
        policy = b64encode(self.lot.policy.raw).decode()
        with Watch(os.getpid()).watching() as watch:
            found: dict[str, Any] = page.evaluate(_SEALED_AND_SENT, [given_of(self.context), policy, token, PASSPHRASE])
        return {**found, "tab_mb": watch.most}

    def problems(self, sent: dict[str, Any], source: Path) -> list[str]:
        """Say what is wrong with what arrived: the bid must stand, be in the log, and open to the very file.

        The parts are taken from the platform's store, hashed, and opened by the secrets of the saved package.
        """
        package = parse_package(unlock_package(b64decode(sent["locked"]), PASSPHRASE))
        content, name = sent["content"], package.envelope.sha256
        found = [] if sent["status"] in {200, 201, 202} else [f"answered {sent['status']}: {content.get('code')}"]
        with self.market.ledger.read() as conn:
            version = bids.version_by_digest(conn, name)
        if version is None or version.h.hex() != content.get("h"):
            return [*found, "the version that was sent does not stand"]
        if "receipt" not in content:
            found.append("no receipt came with the answer")
        elif name.encode() not in parse_receipt(content["receipt"].encode()).record:
            found.append("the receipt is of something else")
        return found + self._differences(package, source)

    def _differences(self, package: OpeningPackage, source: Path) -> list[str]:
        found = []
        with tempfile.TemporaryDirectory(dir=source.parent) as folder:
            stored = {part.name: Path(folder) / f"{part.name}.age" for part in package.envelope.parts}
            for part in package.envelope.parts:
                with stored[part.name].open("xb") as file:
                    file.writelines(self.market.runtime.objects.chunks(part.sha256))  # hashed again to the end
                size = stored[part.name].stat().st_size
                found += [] if size == part.size else [f"{part.name}: {size} bytes for {part.size}"]
            opened = digests_of(package, stored["main"])
        with source.open("rb") as file:
            chosen = {source.name: digest_of(iter(lambda: file.read(MB), b""))}
        return found if opened == chosen else [*found, "the opened file is not the one that was chosen"]


def digests_of(package: OpeningPackage, sealed: Path) -> dict[str, str]:
    """Open the part ``main`` by the secrets of the saved package; return the SHA-256 of its files by their paths."""
    context, plain, found = package.envelope.context, sealed.with_suffix(".tar"), dict[str, str]()
    decrypt_part_file(derive_identity(package.s_c, package.s_b, context.bytes(), "main"), sealed, plain)

    def keep(path: str, chunks: Iterator[bytes]) -> None:
        found[path] = digest_of(chunks)

    with plain.open("rb") as archive:
        read_main(archive, context, keep)
    return found


def digest_of(chunks: Iterator[bytes]) -> str:
    """Return the SHA-256 of bytes that pass, in hex."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


@contextmanager
def sender() -> Iterator[Sender]:
    """Start a whole platform with one open lot and one bidder; nothing is left of it."""
    with temporary_platform() as platform, runtime_on(platform) as runtime:
        market = open_market(runtime, bidders=1)
        yield Sender(market=market, lot=market.publish()[0], address=platform.base_url)
