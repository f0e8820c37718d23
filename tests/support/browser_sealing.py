"""The sealing worker of the browser, driven from a test: a page with its own worker, and a key as a device has it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from playwright.sync_api import Page

from trading.bids.rules.context import BidContext
from trading.bids.rules.policy import Policy
from trading.crypto.signatures import Es256Signer
from trading.kernel.encoding import b64u

PASSPHRASE = "five words of a passphrase"  # noqa: S105 - of packages that live for one test
PRICE = {"currency": "CNY", "items": [], "total": 123_456_700}
FILES = {"技术/方案.txt": "我们的方案\n".encode(), "letter.txt": b"our offer", "empty.bin": b""}

_PREPARE = """async ([d, x, y, spki, kid]) => {
    const { SealingWorker } = await import("/static/seal/client.js");
    const curve = { name: "ECDSA", namedCurve: "P-256" }, jwk = { kty: "EC", crv: "P-256", d, x, y };
    const key = { private: await crypto.subtle.importKey("jwk", jwk, curve, false, ["sign"]), spki, kid };
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const text = (data) => btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
    const folder = async (name) => (await (await navigator.storage.getDirectory()).getDirectoryHandle("sealed"))
        .getDirectoryHandle(name);
    window.sealing = { worker: new SealingWorker(), key, bytes, text, folder };
}"""
_ASK = """async ([act, given]) => {
    try {
        return { done: await window.sealing.worker.ask(act, given) };
    } catch (error) {
        return { fault: { code: error.code, values: error.values } };
    }
}"""
_SEAL = """async ([given, policy, files]) => {
    const { worker, key, bytes } = window.sealing;
    const added = files.map(([path, data]) => ({ path, file: new File([bytes(data)], path) }));
    try {
        return { done: await worker.ask("seal", { ...given, key, policy: bytes(policy), files: added }) };
    } catch (error) {
        return { fault: { code: error.code, values: error.values } };
    }
}"""
_SEAL_RANDOM = """async ([given, policy, size]) => {
    const { worker, key, bytes } = window.sealing, data = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
    const files = [{ path: "offer.bin", file: new File([data], "offer.bin") }];
    return worker.ask("seal", { ...given, key, policy: bytes(policy), files });
}"""
_RESUME = """async ([given, data, brought]) => {
    const { worker, bytes } = window.sealing, files = brought.map((each) => new File([bytes(each)], "part.age"));
    const file = new File([bytes(data)], "saved.mbkey");
    try {
        return { done: await worker.ask("resume", { ...given, file, files }) };
    } catch (error) {
        return { fault: { code: error.code, values: error.values } };
    }
}"""
_HAND_IN = """async ([act, given, policy]) => {
    const { worker, key, bytes } = window.sealing;
    return worker.ask(act, { ...given, key, policy: bytes(policy) });
}"""
_WITH_PACKAGE = """async ([act, given, data]) => {
    const { worker, bytes } = window.sealing, file = new File([bytes(data)], "saved.mbkey");
    return worker.ask(act, { ...given, file }).then(() => null, ({ code }) => code);
}"""
_KEEP = """async (passphrase) => {
    const { worker, text } = window.sealing, { name, data } = await worker.ask("keep", { passphrase });
    return [name, text(data)];
}"""
_CONFIRM = """async ([data, passphrase]) => {
    const { worker, bytes } = window.sealing, file = new File([bytes(data)], "saved.mbkey");
    return worker.ask("confirm", { file, passphrase }).then(() => null, ({ code }) => code);
}"""
_READ = """async ([folder, name]) => {
    const file = await (await (await window.sealing.folder(folder)).getFileHandle(name)).getFile();
    return window.sealing.text(new Uint8Array(await file.arrayBuffer()));
}"""
_WRITE = """async ([folder, name, data]) => {
    const handle = await (await window.sealing.folder(folder)).getFileHandle(name), out = await handle.createWritable();
    await out.write(window.sealing.bytes(data));
    await out.close();
}"""


class Fault(Exception):
    """What the worker refuses or finds: its code and what goes into the words."""

    def __init__(self, code: str, values: Mapping[str, Any]) -> None:
        super().__init__(f"{code} {dict(values)}")
        self.code = code
        self.values = values


def _scalar(number: int) -> str:
    return b64u(number.to_bytes(32))


@dataclass
class SealingPage:
    """One page with one worker; ``signer`` is the bidder's key, which the browser cannot give away."""

    page: Page
    signer: Es256Signer
    private: EllipticCurvePrivateKey
    shown: dict[str, Any] = field(default_factory=dict)

    def prepare(self) -> SealingPage:
        numbers = self.private.private_numbers()
        point = numbers.public_numbers
        words = [_scalar(value) for value in (numbers.private_value, point.x, point.y)]
        self.page.evaluate(_PREPARE, [*words, b64u(self.signer.spki), self.signer.kid])
        return self

    def seal(
        self,
        context: BidContext,
        policy: Policy,
        *,
        files: Mapping[str, bytes] = FILES,
        price: Mapping[str, Any] | None = PRICE,
        supersedes: str | None = None,
    ) -> dict[str, Any]:
        """Seal a version and return what its bidder is shown."""
        rows = [[path, b64encode(data).decode()] for path, data in files.items()]
        given = given_of(context, price=price, supersedes=supersedes)
        self.shown = self._answer(self.page.evaluate(_SEAL, [given, b64encode(policy.raw).decode(), rows]))
        return self.shown

    def seal_random(self, context: BidContext, policy: Policy, size: int, *, supersedes: str | None) -> None:
        """Seal a version with one file of ``size`` random bytes, which the page makes."""
        given = given_of(context, supersedes=supersedes)
        self.shown = self.page.evaluate(_SEAL_RANDOM, [given, b64encode(policy.raw).decode(), size])

    def resume(self, package: bytes, *brought: bytes, bid: str, seq: int, passphrase: str = PASSPHRASE) -> Any:  # noqa: ANN401 - as ``ask``
        """Go on with a version by its package and the sealed files that were brought along."""
        given = {"bid": bid, "seq": seq, "passphrase": passphrase}
        data = b64encode(package).decode()
        return self._answer(self.page.evaluate(_RESUME, [given, data, [b64encode(each).decode() for each in brought]]))

    def hand_in(self, act: str, context: BidContext, policy: Policy, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - as ``ask``
        """Let the worker sign and send a rehearsal or withdrawal; return the platform's answer."""
        told = {**given_of(context), **given}
        found: dict[str, Any] = self.page.evaluate(_HAND_IN, [act, told, b64encode(policy.raw).decode()])
        return found

    def with_package(self, act: str, package: bytes, passphrase: str = PASSPHRASE, **given: Any) -> str | None:  # noqa: ANN401 - as ``ask``
        """Let the worker send what ``reveal`` or ``rescue`` takes of a saved package; return why it does not."""
        told = {**given, "passphrase": passphrase}
        code: str | None = self.page.evaluate(_WITH_PACKAGE, [act, told, b64encode(package).decode()])
        return code

    def ask(self, act: str, **given: Any) -> Any:  # noqa: ANN401 - whatever an act answers
        return self._answer(self.page.evaluate(_ASK, [act, given]))

    @staticmethod
    def _answer(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        if "fault" in answer:
            raise Fault(**answer["fault"])
        return answer["done"]

    def reload(self) -> SealingPage:
        """Load the page again: what its worker knew is forgotten, what lies on the disk is not."""
        self.page.reload()
        return self.prepare()

    def keep(self, passphrase: str = PASSPHRASE) -> tuple[str, bytes]:
        """Return name and bytes of the locked opening package."""
        name, data = self.page.evaluate(_KEEP, passphrase)
        return name, b64decode(data)

    def confirm(self, package: bytes, passphrase: str = PASSPHRASE) -> str | None:
        """Show the saved package to the worker; return why it does not count."""
        code: str | None = self.page.evaluate(_CONFIRM, [b64encode(package).decode(), passphrase])
        return code

    @property
    def folder(self) -> str:
        return f"{self.shown['bid']}-{self.shown['seq']}"

    def part(self, name: str) -> bytes:
        """Return the ciphertext of a part as it lies in the browser."""
        return b64decode(self.page.evaluate(_READ, [self.folder, f"{name}.age"]))

    def overwrite(self, name: str, data: bytes) -> None:
        """Replace the ciphertext of a part behind the worker's back."""
        self.page.evaluate(_WRITE, [self.folder, f"{name}.age", b64encode(data).decode()])


def given_of(
    context: BidContext, *, price: Mapping[str, Any] | None = PRICE, supersedes: str | None = None
) -> dict[str, Any]:
    """Return what the worker is given of a version, without key, policy and files."""
    names = ("bid", "bidder", "lot", "seq", "stage", "tender")
    return {
        "context": {name: getattr(context, name) for name in names},
        "created": 1_790_000_000_000,
        "price": None if price is None else dict(price),
        "supersedes": supersedes,
    }
