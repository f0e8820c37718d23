"""A bid that the browser seals: other tools open it, the platform takes it, one wrong bit stops it (SB1 S4 to S6).

What the custodians do is done by the code of their agents, what the platform does by the platform itself. A normal run
puts three wrong bits into the sealing path and two on the disk, ``MINGBIAO_CAMPAIGN=long`` all of them.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from agents.sealing import seal_bid
from agents.selfopen import Sealed, self_open
from tests.build.doubtful_files import FILES as DOUBTFUL
from tests.build.sealed_lot import Lot, signer
from tests.support.browser_sealing import FILES, PASSPHRASE, PRICE, Fault, SealingPage
from tests.support.campaigns import LONG
from trading.bids.rules.envelope import require_policy
from trading.bids.rules.manifest import FileSource, build_manifest, read_main, write_main
from trading.bids.rules.package import OpeningPackage, parse_package
from trading.bids.rules.price import build_price, pad_price, parse_price
from trading.crypto.envelope import decrypt_part, derive_identity
from trading.crypto.packages import unlock_package
from trading.crypto.shares import combine
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from verifier.age import open_age

BARE = "/static/seal/LICENCES.txt"  # a page of the same origin without a script of its own
Edit = tuple[str, str, str]
CHEAP: Edit = ("package.js", "WORK = 16", "WORK = 2")  # scrypt takes its time on purpose
BIDDER, LOT = signer(7), Lot()
FOLDER = "投标文件" * 6 + "/"
TOKEN = "pt_none"  # noqa: S105 - of nobody
CONTENT = {**FILES, f"{FOLDER}{'a' * 90}.bin": bytes(range(256)) * 800}
REOPEN = """async ([given, parts]) => {
    const { reopen } = await import("/static/reopen/reopening.js");
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const files = Object.entries(parts).map(([name, data]) => [name, new File([bytes(data)], name)]);
    const decoded = ["envelope", "policy", "seed", "factor"].map((name) => [name, bytes(given[name])]);
    return reopen({ ...given, ...Object.fromEntries(decoded), parts: Object.fromEntries(files) });
}"""
DOUBTS = """async (files) => {
    const { doubtsOf } = await import("/static/seal/filetypes.js"), { bytes } = window.sealing;
    return Promise.all(files.map(([name, data]) => doubtsOf(new File([bytes(data)], name))));
}"""
FOLDED = """async (points) => {
    const { placed } = await import("/static/seal/content.js"), missed = [];
    for (const [one, other] of points) {
        try {
            placed([one, other].map((path) => ({ path, file: null })));
            if (one.normalize("NFC") !== other.normalize("NFC")) missed.push([one, other]);
        } catch {
            // refused, as it must be
        }
    }
    return missed;
}"""


@contextmanager
def opened(browser: Browser, url: str, *edits: Edit) -> Iterator[SealingPage]:
    """Open a page with a sealing worker, of which some modules are changed on the way."""
    context = browser.new_context()
    for module, old, new in edits:
        context.route(f"**/static/seal/{module}", edited(old, new))
    page = context.new_page()
    page.goto(f"{url}{BARE}")
    try:
        yield SealingPage(page, BIDDER, BIDDER.private_key).prepare()
    finally:
        context.close()


def edited(old: str, new: str) -> Callable[[Route], None]:
    def change(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        assert old in text, "the line to change is written in another way"
        route.fulfill(response=answer, body=text.replace(old, new))

    return change


@pytest.fixture
def sealing(browser: Browser, gallery_url: str) -> Iterator[SealingPage]:
    with opened(browser, gallery_url, CHEAP) as sealing:
        yield sealing


def kept(sealing: SealingPage) -> OpeningPackage:
    """Take a sealed version through look, keep and confirm; return what its package says to Python."""
    sealing.ask("look")
    name, locked = sealing.keep()
    assert name == f"{sealing.folder}.mbkey"
    assert sealing.confirm(locked) is None
    return parse_package(unlock_package(locked, PASSPHRASE))


def test_an_opening_package_is_an_age_file_with_its_real_cost(browser: Browser, gallery_url: str) -> None:
    with opened(browser, gallery_url) as sealing:
        sealing.seal(LOT.context(BIDDER), LOT.policy, files={})
        sealing.ask("look")
        _, locked = sealing.keep()
    assert re.match(rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} 16\n", locked)
    assert parse_package(unlock_package(locked, PASSPHRASE)).envelope.bidder_kid == BIDDER.kid


def test_what_the_browser_seals_every_other_tool_opens(sealing: SealingPage, tmp_path: Path) -> None:
    shown = sealing.seal(LOT.context(BIDDER), LOT.policy, files=CONTENT)
    package = kept(sealing)
    envelope, context = package.envelope, package.envelope.context
    require_policy(envelope, LOT.policy)
    assert (shown["sha256"], shown["fingerprint"]) == (envelope.sha256, envelope.fingerprint)
    shares = [LOT.open_share(envelope, i) for i in range(1, 6)]
    assert combine(shares[1:4]) == combine(shares[2:]) == package.s_c
    parts = {part.name: sealing.part(part.name) for part in envelope.parts}
    assert [(part.sha256, part.size) for part in envelope.parts] == [
        (sha256_hex(parts[name]), len(parts[name])) for name in ("main", "price")
    ]
    opened_by_all = {}
    for name, data in parts.items():
        identity = derive_identity(package.s_c, package.s_b, context.bytes(), name)
        plain = opened_by_all[name] = open_age(identity, data)
        assert decrypt_part(identity, data) == plain == stock_age(tmp_path, identity, data, plain)
    price = parse_price(opened_by_all["price"], 4096, context)
    assert (price.total, price.currency) == (PRICE["total"], "CNY")
    files: dict[str, bytes] = {}
    manifest = read_main(
        io.BytesIO(opened_by_all["main"]), context, lambda path, data: files.update({path: b"".join(data)})
    )
    assert files == CONTENT
    assert [row["path"] for row in shown["files"]] == [row.path for row in manifest.files]
    looked = look_of(package, parts, opened_by_all, tmp_path)
    self_open(looked)  # the look back of the command


def stock_age(folder: Path, identity: str, data: bytes, expected: bytes) -> bytes:
    """Return what Debian's ``age`` opens; where there is none, what was expected of it."""
    age = shutil.which("age")
    if age is None:
        return expected
    key, part = folder / "identity", folder / "part.age"
    key.write_text(identity + "\n")
    part.write_bytes(data)
    words = [age, "--decrypt", "--identity", str(key), str(part)]
    return subprocess.run(words, capture_output=True, check=True).stdout


def look_of(package: OpeningPackage, parts: dict[str, bytes], plain: dict[str, bytes], folder: Path) -> Sealed:
    paths = {name: folder / f"{name}.age" for name in parts}
    for name, path in paths.items():
        path.write_bytes(parts[name])
    return Sealed(
        envelope=package.envelope.raw,
        signature=package.sig,
        spki=BIDDER.spki,
        k=3,
        n=5,
        parts=paths,
        plaintexts={name: bytes.fromhex(sha256_hex(data)) for name, data in plain.items()},
        s_c=package.s_c,
        s_b=package.s_b,
    )


LOTS = {
    "all": Lot(),
    "no factor": Lot(bidder_factor=False),
    "price alone": Lot(parts=("price",), stage="price"),
    "files alone, all but one": Lot(parts=("main",), stage="tech", k=4),
}


@pytest.mark.parametrize("kind", [*LOTS][:: 1 if LONG else 3])
def test_what_the_command_seals_the_browser_opens(sealing: SealingPage, kind: str) -> None:
    lot = LOTS[kind]
    context = lot.context(BIDDER)
    sources = [FileSource.of_bytes(path, data) for path, data in CONTENT.items()]
    manifest = build_manifest(context, sources, [bytes([number]) * 32 for number in range(len(sources))])
    price = pad_price(build_price(context, currency="CNY", total=5, terms={"note": "含税"}), 4096)
    plain = {"main": b"".join(write_main(manifest, sources)), "price": price}
    parts = {name: data for name, data in plain.items() if name in lot.parts}
    sealed = seal_bid(context=context, policy=lot.policy, parts=parts, signer=BIDDER)
    rows = sorted((path, sha256_hex(data), len(data)) for path, data in CONTENT.items())
    names = ("path", "sha256", "size")
    given = {
        "envelope": b64encode(sealed.envelope.doc).decode(),
        "signature": dict(sealed.envelope.sigs[0]),
        "spki": b64u(BIDDER.spki),
        "policy": b64encode(lot.policy.raw).decode(),
        "seed": b64encode(sealed.s_c).decode(),
        "factor": b64encode(sealed.s_b).decode(),
        "expected": {
            "price": sha256_hex(price),
            "manifest": sha256_hex(manifest),
            "files": [dict(zip(names, row, strict=True)) for row in rows],
        },
    }
    files = {name: b64encode(data).decode() for name, data in sealed.parts.items()}
    assert sealing.page.evaluate(REOPEN, [given, files]) is None
    name = next(iter(files))
    at = len(sealed.parts[name]) // 2
    bad = flip(sealed.parts[name], 8 * at)
    found = sealing.page.evaluate(REOPEN, [given, {**files, name: b64encode(bad).decode()}])
    assert (found["step"], found["code"]) == ("parts", "age")


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@dataclass(frozen=True)
class Wrong:
    """A line of the sealing path with one bit wrong behind it, and what the look back finds."""

    module: str
    old: str
    new: str
    found: tuple[str, str]


WRONG = {
    "share": Wrong(
        "dealing.js",
        "share[secret.length] = i;",
        "share[secret.length] = i; share[9] ^= i === 5 ? 4 : 0;",
        ("derivation", "share_commit"),
    ),
    "envelope": Wrong(
        "sealing.js",
        "await signed(envelope, key);",
        "await signed(envelope, key); envelope[12] ^= 1;",
        ("envelope", "signature"),
    ),
    "file": Wrong(
        "archive.js",
        "yield* pieces(file);",
        "for await (const piece of pieces(file)) { if (written > 999) piece[0] ^= 1; yield piece; }",
        ("parts", "content_file"),
    ),
    "sealed share": Wrong(
        "sealing.js",
        "await signed(envelope, key);",
        "await signed(envelope, key); envelope.set([envelope.at(-300) === 65 ? 66 : 65], envelope.length - 300);",
        ("envelope", "signature"),
    ),
    "coefficient": Wrong("dealing.js", "return product;", "return product ^ 1;", ("derivation", "share_commit")),
    "factor": Wrong(
        "envelope.js",
        "commitFactor(factor, ctx)",
        "commitFactor(factor.map((byte, at) => byte ^ (at === 3)), ctx)",
        ("derivation", "factor_commit"),
    ),
    "identity": Wrong("dealing.js", "age-x25519/${part}", "age-x25519/${part.slice(1)}", ("parts", "age")),
    "manifest": Wrong("content.js", "utf8(path), content)", "utf8(path), salt)", ("parts", "content_file")),
    "price": Wrong(
        "content.js",
        "padded.set(document);",
        "padded.set(document); padded[size - 1] = 0x0a;",
        ("parts", "canonical"),
    ),
    "hash": Wrong(
        "parts.js",
        'this.state.digest("hex")',
        'this.state.digest("hex").replace(/.$/, (digit) => (digit === "0" ? "1" : "0"))',
        ("parts", "part_hash"),
    ),
}


@pytest.mark.parametrize("what", [*WRONG][: None if LONG else 3])
def test_one_wrong_bit_is_found_and_nothing_can_be_sent(browser: Browser, gallery_url: str, what: str) -> None:
    wrong, asked = WRONG[what], []
    with opened(browser, gallery_url, (wrong.module, wrong.old, wrong.new)) as sealing:
        sealing.page.on("request", lambda request: asked.append(request) if "/api/" in request.url else None)
        sealing.seal(LOT.context(BIDDER), LOT.policy)
        fault = refused(lambda: sealing.ask("look"))
        assert (fault.code, fault.values["step"], fault.values["code"]) == ("self_open", *wrong.found)
        assert is_shut(sealing)
        assert asked == []


def refused(act: Callable[[], Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        act()
    return caught.value


def is_shut(sealing: SealingPage) -> bool:
    """Whether neither a package is made nor anything sent."""
    codes = [refused(lambda: sealing.ask("keep", passphrase=PASSPHRASE)).code]
    codes += [refused(lambda act=act: sealing.ask(act, token=TOKEN)).code for act in ("send", "commit")]  # type: ignore[misc]
    return codes == ["not_looked", "not_ready", "not_ready"]


def test_a_bit_that_flips_on_the_disk_is_found(sealing: SealingPage) -> None:
    sealing.seal(LOT.context(BIDDER), LOT.policy)
    for name in ("main", "price"):
        good = sealing.part(name)
        end = 8 * len(good)
        for bit in (0, 300, 1200, end // 2, end - 1) if LONG else (end // 2,):
            sealing.overwrite(name, flip(good, bit))
            fault = refused(lambda: sealing.ask("look"))
            assert (fault.code, fault.values["step"]) == ("self_open", "parts"), bit
        sealing.overwrite(name, good[:-1])
        assert refused(lambda: sealing.ask("look")).values["code"] == "part_size"
        assert is_shut(sealing)
        sealing.overwrite(name, good)
    sealing.ask("look")  # the control: as it was, it opens


def test_the_package_must_come_back_from_where_it_was_saved(sealing: SealingPage) -> None:
    context = LOT.context(BIDDER)
    sealing.seal(context, LOT.policy, files={})
    assert refused(lambda: sealing.ask("confirm", file=None, passphrase=PASSPHRASE)).code == "not_looked"
    sealing.ask("look")
    _, first = sealing.keep()
    assert sealing.confirm(first, "another passphrase") == "package"
    assert sealing.confirm(flip(first, 8 * 300)) == "package"
    assert refused(lambda: sealing.ask("send", token=TOKEN)).code == "not_ready"
    assert sealing.confirm(first) is None
    sealing.seal(context, LOT.policy, files={})  # again: nothing of the version before opens this one
    assert is_shut(sealing)
    sealing.ask("look")
    assert sealing.confirm(first) == "package_other"
    assert refused(lambda: sealing.ask("send", token=TOKEN)).code == "not_ready"
    _, second = sealing.keep()
    packages = [parse_package(unlock_package(each, PASSPHRASE)) for each in (first, second)]
    drawn = {secret for package in packages for secret in (package.s_c, package.s_b)}
    assert len(drawn) == 4, "secrets are drawn anew for every version (S21.12)"


@pytest.mark.parametrize(
    ("files", "price", "code"),
    [
        ({"../a": b""}, PRICE, "path"),
        ({"a//b": b""}, PRICE, "path"),
        ({"a" * 201: b""}, PRICE, "path_long"),
        ({"A.pdf": b"", "a.PDF": b""}, PRICE, "path_twice"),
        ({"Manifest.json": b""}, PRICE, "path_twice"),
        ({"a" * 200: b""}, {**PRICE, "terms": {"note": "x" * 4096}}, "price_large"),
        ({}, {**PRICE, "total": 0.5}, "document"),
        ({}, None, "price_wanted"),
    ],
)
def test_what_cannot_be_sealed_is_refused_by_name(
    sealing: SealingPage, files: dict[str, bytes], price: dict[str, Any] | None, code: str
) -> None:
    assert refused(lambda: sealing.seal(LOT.context(BIDDER), LOT.policy, files=files, price=price)).code == code
    assert refused(lambda: sealing.ask("look")).code == "not_sealed"


def test_names_that_other_systems_take_for_one_are_never_both_accepted(sealing: SealingPage) -> None:
    """The readers compare by Python's ``casefold``; the browser has none and is at least as strict."""
    groups: dict[str, list[str]] = {}
    for point in (*range(0x21, 0xD800), *range(0xE000, 0x1F000)):
        letter = chr(point)
        if letter.isalpha() and letter.casefold() != letter:
            groups.setdefault(letter.casefold(), [letter.casefold()]).append(letter)
    pairs = [(group[0], other) for group in groups.values() for other in group[1:]]
    assert len(pairs) > 1000
    assert sealing.page.evaluate(FOLDED, pairs) == []
    assert sealing.page.evaluate(FOLDED, [("a", "b")]) == [["a", "b"]]  # the control


def test_neither_path_imports_from_the_other() -> None:
    """What the two workers load: the pages may use both, they hold no secret."""
    static = Path(__file__).parents[2] / "static"
    first, second = (loaded(static / name / "worker.js") for name in ("seal", "reopen"))
    assert {each.parent.name for each in first} == {"seal"}
    assert {each.parent.name for each in second} == {"reopen", "verify"}
    assert static / "seal/libraries.js" in first  # the control


def loaded(script: Path) -> set[Path]:
    """Return a module and everything that it imports, however far away."""
    found, waiting = {script}, [script]
    while waiting:
        here = waiting.pop()
        if here.name == "libraries.js":
            continue
        imported = re.findall(r'(?:from|import) "([^"]+\.js)"', here.read_text())
        new = {(here.parent / each).resolve() for each in imported} - found
        found |= new
        waiting += new
    return found


def test_what_is_doubtful_about_a_file_is_what_the_command_says(sealing: SealingPage) -> None:
    given = [[name, b64encode(content).decode()] for name, (content, _) in DOUBTFUL.items()]
    assert sealing.page.evaluate(DOUBTS, given) == [expected for _, expected in DOUBTFUL.values()]
