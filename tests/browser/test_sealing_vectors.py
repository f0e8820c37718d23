"""The vectors of SB1 S18 and P18 by the scripts of the sealing page: the path that seals, and the one that looks again.

Each derives everything by itself; the vectors are the only thing that they have in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.verifier.test_age import CCTV, STRICTER
from trading.kernel.encoding import b64u_decode

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "protocols.json").read_text())
DERIVE, OPEN, CEREMONY = VECTORS["sb1_derive"], VECTORS["sb1_open"], VECTORS["sb1_ceremony"]
MODULES = """
    const [dealing, encoding, parts, content, envelopes, libraries] = await Promise.all(
        ["dealing", "encoding", "parts", "content", "envelope", "libraries"].map((name) =>
            import(`/static/seal/${name}.js`)));
    const [again, sha, bytes, canonical, age] = await Promise.all(
        ["reopen/dealing", "reopen/sha256", "verify/bytes", "verify/canonical", "verify/age"].map((name) =>
            import(`/static/${name}.js`)));
    const { hex, unhex, utf8, fromB64u } = encoding;
"""
DERIVED = """
    const [seed, factor, none] = [unhex(given.s_c), unhex(given.s_b), new Uint8Array(0)], ctx = utf8(given.ctx);
    const context = JSON.parse(given.ctx), dealt = await dealing.deal(seed, ctx, given.k, given.n);
    const own = { ctx: new TextDecoder().decode(envelopes.contextBytes(context)),
        ctx_sha256: hex(await encoding.sha256(ctx)),
        poly: hex(await dealing.hkdf(seed, none, utf8("mingbiao/sb1/poly"))),
        coef: (await dealing.polynomial(seed, ctx, given.k)).map(hex), shares: dealt.shares.map(hex),
        C: dealt.commitments.map(hex), factor_commit: hex(await dealing.commitFactor(factor, ctx)) };
    const second = { ctx: new TextDecoder().decode(again.contextOf(context)), ctx_sha256: await bytes.hexDigest(ctx) };
    const shares = await again.shares(seed, ctx, given.k, given.n);
    Object.assign(second, { shares: shares.map(hex), factor_commit: await again.factorCommitment(factor, ctx),
        C: await Promise.all(shares.map((share) => again.shareCommitment(share, ctx))) });
    second.s_c = [[0, 1, 2], [2, 3, 4], [4, 0, 3], [0, 1, 2, 3, 4]]
        .map((chosen) => hex(again.combined(chosen.map((at) => shares[at]))));
    for (const [mine, seeds, identity] of [
        [own, dealing.commitSeed, parts.identityOf], [second, again.seedCommitment, again.identityOf],
    ]) {
        const text = (value) => (typeof value === "string" ? value : hex(value));
        mine.seed_commit = text(await seeds(seed, factor, ctx));
        mine.identity_price = await identity(seed, factor, ctx, "price");
        mine.identity_main = await identity(seed, factor, ctx, "main");
        mine.no_factor = { identity_price: await identity(seed, none, ctx, "price"),
            seed_commit: text(await seeds(seed, none, ctx)) };
    }
    return [own, second];
"""
SMALL = """
    const key = async (seed) => new libraries.XWing().importKey("raw", seed, false);
    const opened = async (seed, info, ct) => {
        const recipientKey = await key(unhex(seed)), [enc, sealed] = [ct.slice(0, 1120), ct.slice(1120)];
        return hex(new Uint8Array(await envelopes.hpke().open({ recipientKey, info, enc }, sealed)));
    };
    const kem = new libraries.XWing();
    await kem.generateKeyPair(); // it loads what it needs
    const { shamir, pop, release, file } = given;
    const label = (name, ...rest) => encoding.joined(utf8(name), Uint8Array.of(0), ...rest);
    const salt = unhex(file.salt), text = unhex(file.content_hex);
    return {
        xwing: await Promise.all(given.seeds.map(async (seed) => {
            const [, pk] = await kem._generateKeyPairDerand(unhex(seed));
            return [hex(await encoding.sha256(pk)), hex(new sha.Sha256().update(pk).digest())];
        })),
        shamir: dealing.split(unhex(shamir.secret), shamir.coef.map(unhex), shamir.n).map(hex),
        product: dealing.multiply(0x57, 0x83).toString(16),
        tuples: await Promise.all(given.tuples.map(({ label: name, parts_hex: all }) => Promise.all(
            [encoding, bytes].map(async ({ tupleHash }) => hex(await tupleHash(name, ...all.map(unhex))))))),
        challenge: await opened(given.seeds[0],
            label("mingbiao/sb1/pop", await encoding.sha256(utf8(given.key))), fromB64u(pop.ct_b64u)),
        released: await opened(release.station_seed, label("mingbiao/sb1/release", Uint8Array.of(1),
            unhex(release.order_sha256), unhex(given.envelope_sha256)), fromB64u(release.ct_b64u)),
        file: hex(await content.fileDigest(salt, file.path, await encoding.sha256(text))),
        again: hex(await bytes.tupleHash("mingbiao/sb1/file", salt, utf8(file.path),
            new sha.Sha256().update(text).digest())),
    };
"""
OPENED = """
    const value = canonical.admitObject(utf8(given.envelope)), ctx = envelopes.contextBytes(value), shares = [];
    for (const [at, seed] of given.custodian_seeds.entries()) {
        const recipientKey = await new libraries.XWing().importKey("raw", unhex(seed), false);
        const ct = fromB64u(value.shares[at].ct), info = envelopes.shareInfo(at + 1, ctx), enc = ct.slice(0, 1120);
        shares.push(new Uint8Array(await envelopes.hpke().open({ recipientKey, info, enc }, ct.slice(1120))));
    }
    const seed = again.combined(shares.slice(1, 4));
    const identity = await parts.identityOf(seed, unhex(given.s_b), ctx, "price");
    const sealed = fromB64u(given.price_age_b64u), decrypter = new libraries.Decrypter();
    decrypter.addIdentity(identity);
    const [library, own] = [await decrypter.decrypt(sealed), await age.openAge(identity, sealed)];
    const read = (data) => new TextDecoder().decode(data);
    const texts = { price: read(own), other: read(library) };
    return { shares: shares.map(hex), s_c: hex(seed), identity, length: own.length, ...texts };
"""
WRITTEN = """
    const taken = (make) => { try { return new TextDecoder().decode(make()); } catch (error) { return error.code; } };
    const values = [JSON.parse(given), { a: 1.5 }, { a: 2 ** 53 }, { a: -0 }, { S07: 1 }, { a: "e\\u0301" },
        { a: "\\ud800" }, { a: "\\0" }];
    return values.map((value) => taken(() => encoding.canonical(value)));
"""
STREAMED = """
    const random = (length) => {
        const data = new Uint8Array(length);
        for (let at = 0; at < length; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
        return data;
    };
    const failed = [], identity = await parts.identityOf(random(32), random(32), random(9), "main");
    for (const length of [...Array(131).keys(), 65535, 65536, 65537, 131072, 1048577, 1200000]) {
        const data = random(length), state = new sha.Sha256();
        for (let at = 0, step = 1; at < length; at += step, step = (7 * step) % 4099) {
            state.update(data.subarray(at, at + step));
        }
        if (hex(state.digest()) !== await bytes.hexDigest(data)) failed.push(["sha256", length]);
        if (length > 130 || length % 40 === 0) {
            const encrypter = new libraries.Encrypter();
            encrypter.addRecipient(await libraries.identityToRecipient(identity));
            const opened = await age.openAge(identity, await encrypter.encrypt(data));
            if (hex(await encoding.sha256(opened)) !== hex(await encoding.sha256(data))) failed.push(["age", length]);
        }
    }
    return failed;
"""
READ = """
    const answers = {};
    for (const [name, { identities, file_zlib_b64 }] of Object.entries(given)) {
        const packed = Uint8Array.from(atob(file_zlib_b64), (letter) => letter.charCodeAt(0));
        const file = new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")));
        const opened = age.openAge(identities[0], new Uint8Array(await file.arrayBuffer()));
        const refused = (fault) => (fault instanceof bytes.Fault ? "no" : String(fault));
        answers[name] = await opened.then(bytes.hexDigest, refused);
    }
    return answers;
"""


@pytest.fixture(scope="module")
def page(browser: Browser, gallery_url: str) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(f"{gallery_url}/static/seal/LICENCES.txt")
    yield page
    page.close()


def run(page: Page, body: str, given: Any = None) -> Any:  # noqa: ANN401 - whatever the script returns
    return page.evaluate(f"async (given) => {{{MODULES}{body}}}", given)


def test_both_paths_derive_what_the_vectors_say(page: Page) -> None:
    """S18.1, with and without a factor, and the secret back from shares."""
    for found in run(page, DERIVED, DERIVE):
        secrets = found.pop("s_c", [])
        assert set(secrets) <= {DERIVE["s_c"]}
        assert found == {name: DERIVE[name] for name in found}
        assert {"seed_commit", "identity_main", "no_factor", "C", "factor_commit"} <= found.keys()
    other = run(page, DERIVED, {**DERIVE, "s_b": "03" + DERIVE["s_b"][2:]})  # the control
    assert all(found["seed_commit"] != DERIVE["seed_commit"] for found in other)


def test_shamir_xwing_and_the_other_labels(page: Page) -> None:
    """S18.2, S18.3, S18.5 and the tuple hashes of P18."""
    found = run(
        page,
        SMALL,
        {
            "envelope_sha256": OPEN["envelope_sha256"],
            "file": CEREMONY["file"],
            "key": CEREMONY["custodian_key"],
            "pop": CEREMONY["pop"],
            "release": CEREMONY["release"],
            "seeds": [each["seed"] for each in VECTORS["xwing"]],
            "shamir": VECTORS["shamir"],
            "tuples": VECTORS["tuple_hash"],
        },
    )
    assert found["xwing"] == [[each["pk_sha256"]] * 2 for each in VECTORS["xwing"]]
    assert (found["shamir"], found["product"]) == (VECTORS["shamir"]["shares"], VECTORS["shamir"]["mul_57_83"])
    assert found["tuples"] == [[each["out"]] * 2 for each in VECTORS["tuple_hash"]]
    assert (found["challenge"], found["released"]) == (CEREMONY["pop"]["challenge"], OPEN["expect"]["shares"][0])
    assert (found["file"], found["again"]) == (CEREMONY["file"]["digest"],) * 2


def test_the_complete_bid_of_the_vectors_opens(page: Page) -> None:
    """S18.4: every custodian's share, the secret, the identity, and the price by both readers of age files."""
    found, expected = run(page, OPENED, OPEN), OPEN["expect"]
    assert (found["shares"], found["s_c"]) == (expected["shares"], expected["s_c"])
    assert (found["identity"], found["length"]) == (expected["identity_price"], expected["price_plaintext_bytes"])
    assert found["price"].rstrip(" ") == found["other"].rstrip(" ") == expected["price_json"]
    assert b64u_decode(OPEN["price_age_b64u"]).startswith(b"age-encryption.org/v1\n")


def test_documents_are_written_in_the_one_form_or_not_at_all(page: Page) -> None:
    text = bytes.fromhex(VECTORS["jcs"]["bytes_hex"]).decode()
    assert run(page, WRITTEN, text) == [text, *["document"] * 7]


def test_hashes_and_age_files_of_many_lengths(page: Page) -> None:
    """Lengths on both sides of a hash block and of a chunk, in uneven steps, and across implementations."""
    assert run(page, STREAMED) == []


def test_the_public_age_vectors_are_read_as_the_verifier_reads_them(page: Page) -> None:
    """C2SP CCTV (S19): every valid file opens to its digest, every other one is refused."""
    expected = {
        name: case["payload_sha256"] if case["expect"] == "success" and name not in STRICTER else "no"
        for name, case in CCTV.items()
    }
    assert run(page, READ, CCTV) == expected
