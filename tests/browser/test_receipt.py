"""A receipt checked on the reader's device: as the verifier finds it, and red for every change (AL1 L8.3)."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Request, expect

from tests.build.hostile_pdfs import hostile
from tests.build.printed import BID, Press, Taken
from tests.build.public_proofs import INCLUSION
from tests.build.recorded_log import RecordedLog
from tests.build.signed_log import VECTORS, policy_text
from tests.support.browsers import violations
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex

ORIGIN = "demo.log.example/audit"
AT = 1_778_558_400_000
ENVELOPE = b"sealed bytes"
ENTRIES = 7
MOST = 2**20  # bytes of a file that is handed to the browser as text
VERDICT = "[data-receipt-check] [data-verdict]"


@pytest.fixture(scope="module")
def log() -> RecordedLog:
    log = RecordedLog(ORIGIN)
    for number in range(ENTRIES):
        body = {"bid": f"b-{number}", "envelope_sha256": sha256_hex(ENVELOPE + bytes([number]))}
        log.add("bid.submitted", body, at=AT + number, procedure="T-2026-7k3m9q2d")
    return log


@pytest.fixture(scope="module")
def page(browser: Browser, gallery_url: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gallery_url}/gallery/verify?lang=en", wait_until="networkidle")
    yield page
    context.close()


def file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def trust(origin: str = ORIGIN, policy: str = "") -> bytes:
    return dumps({"log_policy": policy or policy_text(origin), "origin": origin})


def verdict(page: Page, receipt: bytes, trusted: bytes | None = None, own: bytes | None = None) -> tuple[str, str]:
    """Return what the page says of a receipt: ``true``, ``false`` or ``null``, and its words."""
    shown = page.locator(VERDICT)
    page.evaluate("document.querySelector('[data-receipt-check]').reset()")
    for name, data in (("trust", trusted), ("own", own)):
        if data is not None:
            page.set_input_files(f"#{name}-file", file("trust.json" if name == "trust" else "bid.mbid", data))
    page.evaluate(f"document.querySelector('{VERDICT}').removeAttribute('data-holds')")
    page.set_input_files("#receipt-file", file("bid.tlog-proof", receipt))
    expect(shown).to_have_attribute("data-holds", re.compile("true|false|null"))
    return str(shown.get_attribute("data-holds")), shown.inner_text()


def receipt(log: RecordedLog, n: int, size: int = ENTRIES, witnesses: tuple[int, ...] = (1, 2, 3)) -> bytes:
    return log.receipt(n, log.note(AT + 60_000, size, witnesses), size)


def test_receipts_of_every_place_and_size_hold_and_nothing_is_sent(page: Page, log: RecordedLog) -> None:
    asked: list[Request] = []

    def note(request: Request) -> None:  # playwright takes no method of a list
        asked.append(request)

    page.on("request", note)
    for size in range(1, ENTRIES + 1):
        for n in range(size):
            assert verdict(page, receipt(log, n, size), trust())[0] == "true", (n, size)
    facts = page.locator("[data-receipt-check] [data-facts]").inner_text()
    assert "bid.submitted" in facts
    assert "T-2026-7k3m9q2d" in facts
    assert "w1: 2026-05-12" in facts
    assert asked == []
    assert violations(page) == []


def test_the_receipt_of_the_protocol_holds(page: Page) -> None:
    vector = VECTORS["al1_log"]
    told = trust(vector["origin"], vector["policy"])
    holds, words = verdict(page, vector["receipt"].encode(), told)
    assert holds == "true", words


def test_the_public_vectors_hold_and_fail_as_they_say(page: Page) -> None:
    """The page's own walk; ``included`` throws for what does not hold (AL1 L15)."""
    walk = """(cases) => {
        const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const holds = ({ index, size, leaf, path, root }) =>
            receipts.included(bytes(leaf), index, size, path.map(bytes), bytes(root)).then(() => true, (fault) => {
                if (fault instanceof receipts.Fault) return false;
                throw fault;
            });
        return Promise.all(cases.map(holds));
    }"""
    cases = [
        {
            "index": min(each.first, 2**53),  # a number of JavaScript; the vectors' 2⁶⁴ − 1 is as far outside
            "size": each.second,
            "leaf": b64encode(each.right).decode(),
            "path": [b64encode(item).decode() for item in each.proof],
            "root": b64encode(each.left).decode(),
        }
        for each in INCLUSION
    ]
    found = page.evaluate(walk, cases)
    assert [each.name for each, holds in zip(INCLUSION, found, strict=True) if holds != each.holds] == []


def test_without_a_trust_file_the_page_says_whose_keys_it_used(page: Page, log: RecordedLog) -> None:
    holds, words = verdict(page, receipt(log, 2))
    assert (holds, "keys that this platform names" in words) == ("null", True)


def test_too_few_witnesses_leave_it_logged(page: Page, log: RecordedLog) -> None:
    holds, words = verdict(page, receipt(log, 2, witnesses=(3,)), trust())
    assert (holds, "not enough witnesses" in words) == ("null", True)


def test_the_own_file_must_be_the_one_that_the_record_names(page: Page, log: RecordedLog) -> None:
    assert verdict(page, receipt(log, 2), trust(), ENVELOPE + b"\2")[0] == "true"
    holds, words = verdict(page, receipt(log, 2), trust(), ENVELOPE + b"\3")
    assert (holds, "does not name the file" in words) == ("false", True)


def line(at: int, change: Callable[[str], str]) -> Callable[[str], str]:
    """Change one line of a receipt."""

    def changed(text: str) -> str:
        lines = text.split("\n")
        lines[at] = change(lines[at])
        return "\n".join(lines)

    return changed


def flipped(data: str, at: int = -1) -> str:
    raw = bytearray(b64decode(data))
    raw[at] ^= 1
    return b64encode(bytes(raw)).decode()


def extra(**fields: Any) -> Callable[[str], str]:  # noqa: ANN401 - JSON values
    def change(old: str) -> str:
        told = json.loads(b64decode(old.removeprefix("extra ")))
        return "extra " + b64encode(dumps({**told, **fields})).decode()

    return line(1, change)


def signature(old: str) -> str:
    dash, name, data = old.split(" ")
    return f"{dash} {name} {flipped(data)}"


# What is changed in the receipt of entry 2 among 7: two path hashes of three lines, the note after the blank line.
CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "other record": (extra(record=b64encode(b'{"v":1}').decode().rstrip("=")), "does not lead"),
    "other nonce": (extra(nonce="00" * 32), "does not lead"),
    "other time": (extra(t=AT), "does not lead"),
    "other previous": (extra(p="11" * 32), "does not lead"),
    "other index": (lambda text: line(2, lambda _: "index 3")(extra(n=3)(text)), "does not lead"),
    "index against extra": (line(2, lambda _: "index 3"), "no receipt"),
    "one field more": (extra(w=1), "no receipt"),
    "path": (line(3, flipped), "does not lead"),
    "shorter path": (lambda text: "\n".join([*text.split("\n")[:3], *text.split("\n")[4:]]), "does not lead"),
    "root": (line(9, flipped), "does not lead"),
    "size": (line(8, lambda _: "8"), "signature"),  # the same path leads there; nobody signed it
    "signature of the log": (line(11, signature), "signature"),
    "signature of a witness": (line(12, signature), "signature"),
    "no signature of the log": (
        lambda text: "\n".join([*text.split("\n")[:11], *text.split("\n")[12:]]),
        "signature",
    ),
    "a witness twice": (lambda text: text + text.split("\n")[12] + "\n", "signature"),
    "cut off": (lambda text: text[: len(text) // 2], "no receipt"),
}


def test_the_lines_are_where_the_changes_think(log: RecordedLog) -> None:
    lines = receipt(log, 2).decode().split("\n")
    assert (lines[6], lines[7], lines[8]) == ("", ORIGIN, str(ENTRIES))
    assert lines[11].startswith(f"— {ORIGIN} ")


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_red(page: Page, log: RecordedLog, name: str) -> None:
    change, words = CHANGES[name]
    changed = change(receipt(log, 2).decode()).encode()
    assert changed != receipt(log, 2)
    holds, said = verdict(page, changed, trust())
    assert (holds, words in said) == ("false", True), said


def test_other_keys_and_another_log_are_red(page: Page, log: RecordedLog) -> None:
    holds, said = verdict(page, receipt(log, 2), trust("other.example/audit"))
    assert (holds, "another log" in said) == ("false", True)
    strangers = policy_text("other.example/audit")
    holds, said = verdict(page, receipt(log, 2), trust(ORIGIN, strangers))
    assert (holds, "signature" in said) == ("false", True)
    assert verdict(page, receipt(log, 2), b"{}")[0] == "false"


def test_files_can_be_dropped(page: Page, log: RecordedLog) -> None:
    drop = """([receipt, trust]) => {
        const data = new DataTransfer();
        data.items.add(new File([receipt], "bid.tlog-proof"));
        data.items.add(new File([trust], "trust.json"));
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector("[data-receipt-check]").dispatchEvent(event);
    }"""
    page.evaluate(drop, [receipt(log, 4).decode(), trust().decode()])
    expect(page.locator(VERDICT)).to_have_attribute("data-holds", "true")


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Press:
    return Press.at(tmp_path_factory.mktemp("press"))


def test_a_printed_receipt_is_checked_by_what_is_attached(page: Page, press: Press) -> None:
    issued = press.issued("bid.received", BID)
    pdf = press.printed(issued, "en")
    drop = """([pdf, trust]) => {
        const data = new DataTransfer();
        const bytes = Uint8Array.from(atob(pdf), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], "12.pdf", { type: "application/pdf" }));
        data.items.add(new File([trust], "trust.json"));
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector("[data-receipt-check]").dispatchEvent(event);
    }"""
    page.evaluate(f"document.querySelector('{VERDICT}').removeAttribute('data-holds')")
    page.evaluate(drop, [b64encode(pdf).decode(), trust().decode()])
    expect(page.locator(VERDICT)).to_have_attribute("data-holds", "true")
    expect(page.locator("[data-receipt-check] [data-facts]")).to_contain_text(issued.h.hex())
    proof = zlib.compress(issued.text.replace(b"index 12", b"index 11"))
    holds, said = verdict(page, Taken.apart(pdf).with_attached(proof).together(), trust())
    assert (holds, "no receipt of this platform" in said) == ("false", True)


def test_every_trick_with_a_pdf_is_refused(page: Page, press: Press) -> None:
    pdf = press.printed(press.issued("bid.received", BID))
    take = """async (files) => {
        const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const taken = files.map((file) => attachments.proof(bytes(file)).then(() => true, () => false));
        return Promise.all(taken);
    }"""
    tricks = [trick for trick in hostile(pdf) if len(trick[1]) < MOST]
    taken = page.evaluate(take, [b64encode(data).decode() for data in (pdf, *(data for _, data, _ in tricks))])
    assert taken[0] is True  # the control: the file before each trick
    assert [name for (name, _, _), accepted in zip(tricks, taken[1:], strict=True) if accepted] == []
    holds, said = verdict(page, tricks[2][1], trust())
    assert (holds, "This PDF carries no receipt" in said) == ("false", True)
