"""A bundle checked on the verify page: by keyboard, by dropping it, in both languages, and without a request.

A normal run reads the first bad entry in Chinese alone and opens every third hostile container.
"""

from __future__ import annotations

import re
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.support.browsers import overflows, violations
from tests.support.campaigns import LONG
from tests.support.made_tender import Tender
from tests.support.make_bundle import Files, make_bundle, trust_file, write_zip
from tests.support.two_verifiers import trust_path
from tests.support.verifying import told_once
from trading.kernel.digests import sha256_hex
from trading.web.headers import CONTENT_SECURITY_POLICY

ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "templates" / "log" / "_bundle_words.html"
MODULES = sorted((ROOT / "static" / "verify").glob("*.js"))
DROP = """([zip, trust, kept]) => {
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes(zip)], "bundle.zip"));
    if (trust) data.items.add(new File([bytes(trust)], "trust.json"));
    if (kept) data.items.add(new File([kept], "checkpoint"));
    const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector("[data-bundle-check]").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def tender() -> Tender:
    return told_once("clean")


@pytest.fixture(scope="module")
def files(tender: Tender) -> Files:
    return make_bundle(tender)


@pytest.fixture
def page(browser: Browser, gallery_url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 320, "height": 700}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{gallery_url}/gallery/verify?lang=en")
    expect(page.locator("[data-bundle-check]")).to_have_attribute("data-ready", "yes")
    yield page
    context.close()


def verdict(page: Page) -> tuple[str, str]:
    """Wait for the answer and return it: its kind, and its words."""
    shown = page.locator("[data-bundle-check] [data-verdict]")
    expect(shown).to_have_attribute("data-holds", re.compile("holds|incomplete|fails"), timeout=20_000)
    return str(shown.get_attribute("data-holds")), shown.inner_text()


def check(page: Page, bundle: Path, trust: Path | None = None, *kept: Path) -> tuple[str, str]:
    page.evaluate("document.querySelector('[data-bundle-check] [data-verdict]').removeAttribute('data-holds')")
    page.set_input_files("#bundle-file", bundle)
    page.set_input_files("#bundle-trust", [] if trust is None else trust)
    page.set_input_files("#bundle-against", [*kept])
    page.focus("#bundle-file")
    for _ in range(3):  # trust file, checkpoints, button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    return verdict(page)


def test_a_bundle_is_checked_by_keyboard_on_a_narrow_page_and_nothing_is_sent(
    page: Page, files: Files, tender: Tender, tmp_path: Path
) -> None:
    asked: list[Request] = []

    def note(request: Request) -> None:  # playwright takes no method of a list
        asked.append(request)

    page.on("request", note)
    page.context.set_offline(offline=True)
    bundle, trust, kept = write_zip(files, tmp_path / "bundle.zip"), trust_path(tender, tmp_path), tmp_path / "kept"
    kept.write_bytes(files[min(path for path in files if path.startswith("checkpoints/"))])
    holds, words = check(page, bundle, trust, kept)
    assert (holds, "with your trust file and holds" in words) == ("holds", True)
    assert f"SHA-256 {sha256_hex(trust_file(tender)[0])}" in words
    expect(page.locator("[data-check='AL-06']")).to_have_attribute("data-state", "ok")
    expect(page.locator("[data-check='AL-13']")).to_have_attribute("data-state", "absent")
    assert page.locator("[data-list] [data-state='ok']").count() > 30
    assert (asked, overflows(page), violations(page)) == ([], 0, [])

    holds, words = check(page, bundle)
    assert (holds, "No trust file was chosen" in words) == ("incomplete", True)
    kept.write_bytes(files["checkpoint"].replace(b"demo", b"omed") + b"x")
    assert check(page, bundle, trust, kept)[0] == "fails"
    expect(page.locator("[data-check='AL-06'] .failures")).to_have_attribute("data-place", "kept")


def test_what_was_left_to_the_command_is_never_called_checked(page: Page, tender: Tender, tmp_path: Path) -> None:
    files = make_bundle(tender, "auditor", "audit")
    holds, words = check(page, write_zip(files, tmp_path / "bundle.zip"), trust_path(tender, tmp_path))
    assert (holds, "SB-11, SB-14, SB-15, SB-17" in words) == ("incomplete", True)
    expect(page.locator("[data-check='SB-14'] .state")).to_have_text("NOT CHECKED")
    expect(page.locator("[data-left] code")).to_contain_text("verify.py bundle.zip --trust")


def test_the_first_bad_entry_is_named_in_the_reader_s_language(
    browser: Browser, gallery_url: str, files: Files, tmp_path: Path
) -> None:
    path = next(path for path in files if path.startswith("log/"))
    changed = {**files, path: files[path].replace(b"index ", b"index 1", 1)}
    bundle = write_zip(changed, tmp_path / "bundle.zip").read_bytes()
    said_in = {"zh": "大小或哈希值与清单不符", "en": "Size or hash differs from the list"}
    for language in said_in if LONG else ["zh"]:
        page = browser.new_page()
        page.goto(f"{gallery_url}/gallery/verify?lang={language}")
        page.evaluate(DROP, [b64(bundle), None, None])
        holds, said = verdict(page)
        assert (holds, f"AL-01, {path}" in said, said_in[language] in said) == ("fails", True, True)
        page.close()


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def hostile_zips(files: Files, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Containers that must be refused: AL1 L12.1, P12."""
    good = write_zip(files, folder / "good.zip").read_bytes()
    yield "cut off", good[:-30]
    yield "no archive", b"PK" + bytes(100)
    path = folder / "bad.zip"
    for name, member, kind in (
        ("outside", "../trust.json", 0),
        ("absolute", "/checkpoint", 0),
        ("link", "verify.py", 0o120777 << 16),
        ("name of no format", "docs/x.json", 0),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(member)
            info.external_attr = kind
            archive.writestr(info, b"x")
        yield name, path.read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint", bytes(2**22))
    yield "bomb", path.read_bytes()
    start = good.index(b"bundle.json") + 40
    yield "other bytes", good[:start] + bytes([good[start] ^ 1]) + good[start + 1 :]


def test_a_hostile_container_is_refused(page: Page, files: Files, tender: Tender, tmp_path: Path) -> None:
    trust = trust_path(tender, tmp_path)
    for name, data in [*hostile_zips(files, tmp_path)][:: 1 if LONG else 3]:
        bundle = tmp_path / "bundle.zip"
        bundle.write_bytes(data)
        assert check(page, bundle, trust)[0] == "fails", name
        expect(page.locator("[data-list] li[data-check]").first).to_have_attribute("data-check", "AL-01")


def test_every_finding_has_words_and_every_word_a_finding() -> None:
    said = dict(re.findall(r'data-word="([^"]+)">\{\{ _\("(.*)"\) \}\}<', WORDS.read_text()))
    source = "".join(path.read_text() for path in MODULES)
    strings = set(re.findall(r'"([a-z][a-z0-9_]*|[A-Z]{2}-[0-9]{2})"', source))
    of_the_page = {name for name in said if re.match(r"(progress|state|verdict)_|ED-", name)}
    page = set(re.findall(r'"([a-z_]+)"', (ROOT / "static" / "bundle.js").read_text()))
    assert said.keys() - strings - of_the_page - page == set()
    thrown = set(re.findall(r'(?:Fault|need)\([^;"]*?"([a-z][a-z0-9_]*)"(?=\)|, \{)', source))
    thrown |= set(re.findall(r'check\.(?:fail|gap|note)\([^;"]*?"([a-z][a-z0-9_]*)"(?=\)|, \{)', source))
    assert len(thrown) > 80
    assert thrown - said.keys() == set()


def test_the_policy_of_the_page_admits_the_worker() -> None:
    """Workers fall back to ``script-src``; a policy of their own would have to name them."""
    assert "script-src 'self'" in CONTENT_SECURITY_POLICY
    assert "worker-src" not in CONTENT_SECURITY_POLICY
