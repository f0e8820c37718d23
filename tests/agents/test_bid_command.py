from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.bid import commands, sealer, uploading
from agents.bid.commands import main
from agents.bid.platform import Platform as Client
from agents.bid.receipts import read_ack
from agents.bid.workdir import WorkDir
from tests.build.bid_platform import BID, TOKEN, Drop, Platform, serving
from tests.build.sealed_lot import ORIGIN, Lot, signer
from tests.build.signed_log import log_key, policy_text
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.rules.package import parse_package
from trading.bids.rules.trust import parse_trust
from trading.crypto.envelope import encrypt_part_io
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import save_es256
from trading.crypto.shares import combine
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel import canonical
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput
from verifier.age import open_age
from verifier.dealing import part_identity

BIDDER = signer(7)
PHRASE = "a long enough phrase"
ORG = "91310000MA1FL0XX0X"


def cheap_lock(plain: bytes, phrase: str) -> bytes:
    return phrase.encode() + b"\n" + plain[::-1]


def cheap_unlock(locked: bytes, phrase: str) -> bytes:
    if not locked.startswith(phrase.encode() + b"\n"):
        raise InvalidInput("package.wrong_passphrase", "the package does not open")
    return locked.removeprefix(phrase.encode() + b"\n")[::-1]


class Desk:
    """A bidder's machine: files, environment, and a platform to talk to."""

    def __init__(self, folder: Path, platform: Platform, address: str) -> None:
        self.folder, self.platform, self.address = folder, platform, address
        self.dir = folder / "bid"
        self.token, self.key, self.trust = folder / "token", folder / "key.pem", folder / "trust.json"
        write_secret(self.token, TOKEN.encode() + b"\n")
        save_es256(self.key, BIDDER, None)
        self.trust.write_bytes(platform.lot.trust_bytes)
        self.plan = folder / "方案.pdf"
        self.plan.write_bytes(b"%PDF plan" * 9000)

    def run(self, command: str, *arguments: object, code: int = 0, answer: str = "") -> Result:
        environment = {"MINGBIAO_PACKAGE_PASSPHRASE": PHRASE, "LANG": "en_GB.UTF-8", "LC_ALL": ""}
        words = [command, "--dir", str(self.dir), *map(str, arguments)]
        result = CliRunner().invoke(main, words, env=environment, input=answer)
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        self.require_quiet(result.output)
        return result

    def require_quiet(self, output: str) -> None:
        """No secret of any version ever stands in what is printed."""
        assert TOKEN not in output
        for path in self.folder.rglob("*.mbkey"):
            if not path.read_bytes().startswith(PHRASE.encode()):
                continue  # a test has damaged it
            package = parse_package(cheap_unlock(path.read_bytes(), PHRASE))
            for secret in filter(None, (package.s_c, package.s_b)):
                assert secret.hex() not in output
                assert repr(secret) not in output

    def start(self, *arguments: object, code: int = 0) -> Result:
        given = ("--api", self.address, "--token-file", self.token, "--tender", self.platform.lot.tender)
        return self.run("start", *given, "--org", ORG, "--trust", self.trust, *arguments, code=code)

    def seal(self, *arguments: object, code: int = 0) -> Result:
        given = arguments or ("--amount", "1234.56", "--file", self.plan)
        return self.run("seal", "--key", self.key, *given, code=code)

    def submit(self, code: int = 0) -> Result:
        return self.run("submit", "--token-file", self.token, "--wait", 0, code=code)

    @property
    def work(self) -> WorkDir:
        return WorkDir(self.dir)

    def envelope(self, seq: int) -> Envelope:
        raw = (self.dir / "versions" / str(seq) / "document.json").read_bytes()
        return parse_envelope(SignedDocument.from_wire(raw).doc)


@pytest.fixture(autouse=True)
def cheap_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of scrypt per package add nothing to these tests; one test below uses the real file format."""
    monkeypatch.setattr(commands, "unlock_package", cheap_unlock)
    real = sealer.Keeping

    def keeping(**arguments: Any) -> sealer.Keeping:  # noqa: ANN401 - any field
        return real(lock=cheap_lock, unlock=cheap_unlock, **arguments)

    monkeypatch.setattr(commands, "Keeping", keeping)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(base: str, token: str) -> Client:
        return Client(base, token, attempts=3, pause=lambda _seconds: None, timeout_s=10.0)

    monkeypatch.setattr(commands, "Platform", client)
    sending = uploading.Sending
    monkeypatch.setattr(commands, "Sending", lambda **given: sending(pause=lambda _seconds: None, **given))


@pytest.fixture
def platform() -> Platform:
    return Platform(Lot())


@pytest.fixture
def desk(tmp_path: Path, platform: Platform) -> Iterator[Desk]:
    with serving(platform) as address:
        yield Desk(tmp_path, platform, address)


def test_a_whole_bid_from_start_to_factor(desk: Desk) -> None:
    started = desk.start().output
    assert "any 3 of these 5 and you" in started
    assert "Demo mode" in started
    shown = desk.seal().output
    fingerprint = desk.envelope(1).fingerprint
    assert fingerprint in shown
    assert '! "方案.pdf" does not begin as its extension says' in shown
    assert "total 1,234.56 CNY" in shown
    assert f"{BID}-1.mbkey" in shown
    assert not desk.platform.documents  # sealing sends nothing
    submitted = desk.submit().output
    assert "Version 1 received, in the log and witnessed" in submitted
    desk.run("check")
    assert "acknowledged" in desk.run("status").output
    revealed = desk.run("reveal", "--token-file", desk.token).output
    assert "Factor received" in revealed
    h, signed = list(desk.platform.documents.values())[-1]
    content = canonical.loads_object(signed.doc)
    package = parse_package(cheap_unlock((desk.dir / f"{BID}-1.mbkey").read_bytes(), PHRASE))
    assert content["s_b"] == package.s_b.hex()
    assert "s_c" not in content
    assert h in desk.platform.records


def test_the_evidence_of_a_result_is_fetched_when_it_is_there(desk: Desk) -> None:
    desk.start()
    target = desk.dir / "evidence.zip"
    given = ("--token-file", desk.token)
    assert "Not there yet (not_found)" in desk.run("evidence", *given, code=2).output
    assert not target.exists()
    desk.platform.evidence = b"PK and so on"
    fetched = desk.run("evidence", *given).output
    assert hashlib.sha256(b"PK and so on").hexdigest() in fetched
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"PK and so on", 0o600)
    desk.platform.evidence = b"another"
    assert "is there already" in desk.run("evidence", *given, code=1).output
    assert target.read_bytes() == b"PK and so on"
    desk.run("evidence", *given, "--out", desk.folder / "again.zip")
    desk.token.unlink()
    write_secret(desk.token, b"pt_other\n")
    assert "401 not_signed_in" in desk.run("evidence", *given, "--out", desk.folder / "no.zip", code=1).output
    assert not (desk.folder / "no.zip").exists()


def test_the_custodians_and_the_package_open_what_was_submitted(desk: Desk) -> None:
    desk.start()
    desk.seal("--amount", "1,234.56", "--file", desk.plan)
    desk.submit()
    lot, envelope = desk.platform.lot, desk.envelope(1)
    package = parse_package(cheap_unlock((desk.dir / f"{BID}-1.mbkey").read_bytes(), PHRASE))
    s_c = combine([lot.open_share(envelope, i) for i in (2, 4, 5)])
    stored = {part.name: desk.platform.parts[part.sha256] for part in envelope.parts}
    price = open_age(part_identity("price", s_c, package.s_b, envelope.context.bytes()), stored["price"])
    assert json.loads(price)["total"] == 123_456
    assert len(price) == 4096


def test_a_replacement_supersedes_and_shares_nothing(desk: Desk) -> None:
    desk.start()
    for seq in (1, 2):
        desk.seal("--amount", "1234.56")
        desk.submit()
        assert desk.envelope(seq).seq == seq
    first, second = desk.envelope(1), desk.envelope(2)
    assert second.supersedes == first.sha256
    packages = [parse_package(cheap_unlock((desk.dir / f"{BID}-{seq}.mbkey").read_bytes(), PHRASE)) for seq in (1, 2)]
    assert packages[0].s_c != packages[1].s_c
    assert packages[0].s_b != packages[1].s_b
    assert not {part.sha256 for part in first.parts} & {part.sha256 for part in second.parts}


def test_withdrawal_and_a_new_bid_after_it(desk: Desk) -> None:
    desk.start()
    desk.run("withdraw", "--key", desk.key, "--token-file", desk.token, "--yes", code=1)
    desk.seal()
    desk.submit()
    withdrawn = desk.run("withdraw", "--key", desk.key, "--token-file", desk.token, "--wait", 0, answer="y\n").output
    assert "Withdrawal received" in withdrawn
    desk.run("reveal", "--token-file", desk.token, code=1)  # nothing stands any more
    desk.seal("--amount", "9")
    desk.submit()
    assert desk.envelope(3).supersedes == desk.work.versions()[1].signed.sha256


def test_rehearsal_leaves_the_bid_alone(desk: Desk) -> None:
    desk.start()
    desk.run("rehearse", "--key", desk.key, "--token-file", desk.token)
    (signed,) = (signed for _h, signed in desk.platform.documents.values())
    assert canonical.loads_object(signed.doc)["stage"] == "rehearsal"
    assert desk.work.versions() == []


# --- nothing is lost -------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_cured_by_submitting_again(desk: Desk) -> None:
    desk.start()
    desk.seal()
    lost = iter([True] * 3)

    def drop_answers(path: str) -> dict[str, Any] | None:
        if path.endswith("/envelope") and next(lost, False):
            return {"status": 503, "code": "unavailable", "after": True}
        return None

    desk.platform.faults = drop_answers
    first = desk.submit(code=2).output
    assert "No answer" in first
    assert "submit again" in first
    assert len(desk.platform.documents) == 1  # it had arrived
    desk.seal(code=1)  # and may not be sealed anew while its fate is unknown
    assert "received" in desk.submit().output
    assert len(desk.platform.documents) == 1


def test_dropped_connections_are_retried(desk: Desk) -> None:
    drops = iter([True, False, True, False, True])

    def drop(_path: str) -> None:
        if next(drops, False):
            raise Drop

    desk.platform.faults = drop
    desk.start()
    desk.seal()
    assert "received" in desk.submit().output


def test_a_large_part_goes_on_where_it_was_cut(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection, and then another run of the command: what was confirmed is not sent again."""
    monkeypatch.setattr(uploading, "CHUNK", 16_384)
    desk.start()
    desk.seal()
    size = desk.work.versions()[0].part("main").stat().st_size
    passed = iter([True] * 3)

    def cut(path: str) -> None:
        if "/uploads/" in path and not next(passed, False):
            raise Drop

    desk.platform.faults = cut
    shown = desk.submit(code=2).output
    assert f"Part main: 49,152 / {size:,} B ({100 * 49_152 // size}%)" in shown
    assert "submit again, what was uploaded need not be sent again" in shown
    assert desk.platform.documents == {}
    desk.platform.faults = lambda _path: None
    finished = desk.submit().output
    assert f"Part main: 49,152 / {size:,} B" in finished
    assert f"Part main: {size:,} / {size:,} B (100%)" in finished
    assert desk.platform.appended == size


def test_a_definite_refusal_lets_the_same_version_be_sealed_again(desk: Desk) -> None:
    desk.start()
    desk.seal()
    name = desk.envelope(1).sha256
    problem = {"status": 422, "code": "bid.copied", "en": "It repeats another bid.", "zh": "与其他投标重复。"}
    problem["ack"] = desk.platform.ack(name, "ab" * 32, "bid.copied")
    desk.platform.faults = lambda path: problem if path.endswith("/envelope") else None
    refused = desk.submit(code=1).output
    assert "bid.copied" in refused
    assert "It repeats another bid." in refused
    assert (desk.dir / "versions" / "1" / "refusal-ack.json").exists()
    desk.platform.faults = lambda _path: None
    desk.seal()
    assert desk.envelope(1).sha256 != name
    assert "received" in desk.submit().output
    aside = sorted(path.name for path in desk.dir.rglob("*set-aside*"))
    assert aside == ["1.set-aside-1", f"{BID}-1.set-aside-1.mbkey"]


@pytest.mark.parametrize("code", ["not_signed_in", "busy", "too_many_requests"])
def test_a_refusal_that_says_nothing_of_the_document_keeps_it_sent(desk: Desk, code: str) -> None:
    desk.start()
    desk.seal()
    desk.platform.faults = lambda path: {"status": 403, "code": code} if path.endswith("/envelope") else None
    desk.submit(code=1)
    assert desk.work.versions()[0].progress.state == "sent"
    desk.platform.faults = lambda _path: None
    assert "received" in desk.submit().output


def test_sealing_again_before_submitting_keeps_the_older_one_aside(desk: Desk) -> None:
    desk.start()
    desk.seal()
    first = desk.envelope(1).sha256
    desk.seal("--amount", "5")
    assert desk.envelope(1).sha256 != first
    assert (desk.dir / f"{BID}-1.set-aside-1.mbkey").exists()
    assert "received" in desk.submit().output


def test_a_crash_while_sealing_leaves_no_version(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.start()

    def dies(_plain: bytes, _phrase: str) -> bytes:
        raise MemoryError

    def keeping(**arguments: Any) -> sealer.Keeping:  # noqa: ANN401 - any field
        return sealer.Keeping(lock=dies, unlock=cheap_unlock, **arguments)

    monkeypatch.setattr(commands, "Keeping", keeping)
    result = CliRunner().invoke(
        main,
        ["seal", "--dir", str(desk.dir), "--key", str(desk.key), "--amount", "1"],
        env={"MINGBIAO_PACKAGE_PASSPHRASE": PHRASE},
    )
    assert isinstance(result.exception, MemoryError)
    assert desk.work.versions() == []
    assert list((desk.dir / "versions").iterdir()) == []


def test_acknowledged_is_not_received_until_the_log_proves_it(desk: Desk) -> None:
    desk.platform.held = 2
    desk.start()
    desk.seal()
    first = desk.submit(code=2).output
    assert "acknowledged" in first
    assert "received" not in first.replace("received_at", "")
    desk.platform.held = 0
    assert "received" in desk.run("status", "--token-file", desk.token).output


def test_a_receipt_without_a_quorum_is_logged_only(desk: Desk) -> None:
    desk.platform.witnesses = (1,)
    desk.start()
    desk.seal()
    assert "received, in the log (" in desk.submit(code=2).output
    desk.run("check", code=2)
    desk.platform.witnesses = (1, 3)
    assert "witnessed" in desk.run("status", "--token-file", desk.token).output
    desk.run("check")
    receipts = sorted(path.name for path in (desk.dir / "versions" / "1").glob("*.tlog-proof"))
    assert receipts == ["receipt-2.tlog-proof", "receipt.tlog-proof"]  # every version of it is kept


# --- nothing is believed ---------------------------------------------------------------------------------------------


def test_a_receipt_of_another_record_is_not_received(desk: Desk) -> None:
    desk.start()
    desk.seal()
    h = desk.platform.append("bid.received", {"bid": BID, "envelope_sha256": "ab" * 32})
    other = desk.platform.receipt(h).encode()
    desk.platform.tamper = lambda _receipt: other
    output = desk.submit(code=1).output
    assert "receipt.other_record" in output
    assert "received, in the log" not in output
    assert (desk.dir / "versions" / "1" / "receipt.tlog-proof").read_bytes() == other  # kept as evidence
    assert desk.work.versions()[0].progress.state == "sent"


def _flip_proof(receipt: bytes) -> bytes:
    lines = receipt.split(b"\n")
    lines[3] = lines[3].translate(bytes.maketrans(b"ABCDEFGH", b"HGFEDCBA"))
    return b"\n".join(lines)


@pytest.mark.parametrize(
    "tamper",
    [
        _flip_proof,
        lambda receipt: receipt.replace(b"index ", b"index 1", 1),
        lambda receipt: receipt[:-40],
        lambda receipt: receipt.replace(b"demo.log.example/audit\n", b"demo.log.example/other\n", 1),
        lambda _receipt: b"c2sp.org/tlog-proof@v1\n",
        lambda _receipt: b"",
    ],
)
def test_a_damaged_receipt_is_not_received(desk: Desk, tamper: Any) -> None:  # noqa: ANN401 - bytes to bytes
    desk.start()
    desk.seal()
    desk.platform.tamper = tamper
    assert "received, in the log" not in desk.submit(code=1).output
    desk.platform.tamper = lambda receipt: receipt
    assert "received, in the log" in desk.submit().output  # the control


def test_an_ack_of_another_document_is_refused(desk: Desk) -> None:
    desk.start()
    desk.seal()
    desk.platform.held = 9
    desk.platform.acked = "ab" * 32
    assert "ack.mismatch" in desk.submit(code=1).output


def test_a_platform_that_inserts_its_own_custodian_keys_is_refused(desk: Desk) -> None:
    desk.platform.lot = Lot(first_seed=77, agency=signer(66))
    output = desk.start(code=1).output
    assert "sig.missing" in output
    assert not (desk.dir / "package.json").exists()


def test_a_lot_of_another_tender_is_refused(desk: Desk) -> None:
    desk.platform.lot = Lot(tender="T-2026-other000")
    arguments = ("--api", desk.address, "--token-file", desk.token, "--tender", "T-2026-7k3m9q2d", "--org", ORG)
    output = desk.run("start", *arguments, "--trust", desk.trust, code=1).output
    assert "policy.mismatch" in output


def test_a_replaced_policy_asks_for_sealing_again(desk: Desk) -> None:
    desk.start()
    desk.seal()
    old = desk.platform.lot.policy.sha256
    desk.platform.lot = Lot(first_seed=40, supersedes=old)
    desk.start()
    assert "policy was replaced" in desk.submit(code=1).output
    desk.seal()
    assert desk.envelope(1).policy_sha256 != old
    assert "received" in desk.submit().output


def test_a_directory_is_of_one_bid_and_one_trust_file(desk: Desk) -> None:
    desk.start()
    desk.start()  # the control: repeating refreshes
    desk.trust.write_bytes(Lot(agency=signer(5)).trust_bytes)
    assert "use another directory" in desk.start(code=1).output
    (desk.folder / "empty").mkdir()
    desk.dir = desk.folder / "empty"
    assert "mingbiao bid start" in desk.submit(code=1).output


def test_a_later_trust_file_is_that_of_the_log_which_continues(desk: Desk) -> None:
    """After the continuation of a closed log its receipts stay what they were (AL1 L13)."""
    supervisor, following = signer(6), log_key(f"{ORIGIN}-2", bytes([9]) * 32)
    row = {"alg": "ES256", "key": b64u(supervisor.spki), "kid": supervisor.kid, "name": "office", "role": "supervisor"}
    body = loads_object(desk.trust.read_bytes())
    body["institutions"] = sorted([*body["institutions"], row], key=lambda each: str(each["kid"]))
    desk.trust.write_bytes(dumps(body))
    desk.start()
    desk.seal()
    desk.submit()
    pinned = desk.work.trust
    both = policy_text(logs=[log_key(ORIGIN), following])
    told = {**body, "origin": following.name, "seq": 2, "supersedes": pinned.sha256}
    later = desk.folder / "later.json"
    later.write_bytes(
        sign_document(dumps({**told, "log_policy": policy_text(logs=[following])}), supervisor).wire_bytes()
    )
    assert "trust.not_newer" in desk.run("trust", "--file", later, code=1).output
    later.write_bytes(sign_document(dumps({**told, "log_policy": both}), signer(5)).wire_bytes())
    assert "sig.missing" in desk.run("trust", "--file", later, code=1).output
    later.write_bytes(sign_document(dumps({**told, "log_policy": both}), supervisor).wire_bytes())
    assert following.name in desk.run("trust", "--file", later).output
    assert desk.work.trust.seq == 2
    desk.run("check")
    ack = SignedDocument.from_wire(next((desk.dir / "versions" / "1").glob("ack.json")).read_bytes())
    sent = desk.work.versions()[0].signed.sha256
    assert read_ack(ack, desk.work.trust, sent).origin == ORIGIN
    alone = parse_trust(dumps({**told, "log_policy": policy_text(logs=[following])}))
    with pytest.raises(InvalidInput, match=r"ack\.mismatch"):
        read_ack(ack, alone, sent)


def test_two_commands_do_not_work_on_one_directory(desk: Desk) -> None:
    desk.start()
    with desk.work.locked():
        assert "another command" in desk.seal(code=1).output
    desk.seal()


# --- what check finds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["part", "package", "other_package", "missing_package", "receipt", "policy"])
def test_check_finds_damage(desk: Desk, damage: str) -> None:
    desk.start()
    desk.seal()
    desk.submit()
    desk.run("check")
    version, package = desk.dir / "versions" / "1", desk.dir / f"{BID}-1.mbkey"
    match damage:
        case "part":
            with (version / "parts" / "main.age").open("r+b") as file:
                file.seek(500)
                file.write(b"\xff\xfe")
        case "package":
            package.write_bytes(b"other\n" + package.read_bytes())
        case "other_package":
            desk.seal()
            shutil.copy(desk.dir / f"{BID}-2.mbkey", package)
        case "missing_package":
            package.unlink()
        case "receipt":
            (version / "receipt.tlog-proof").write_bytes(b"x")
        case _:
            (desk.dir / "package.json").write_bytes(canonical.dumps(Lot(agency=signer(5)).package.wire()))
    result = desk.run("check", code=2 if damage == "missing_package" else 1)
    assert ("FAIL" in result.output) == (damage != "missing_package")


def test_check_without_opening_packages_is_incomplete(desk: Desk) -> None:
    desk.start()
    desk.seal()
    desk.submit()
    assert "not checked" in desk.run("check", "--no-package", code=2).output


# --- what is typed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--amount", "1.234"), "price.malformed"),
        (("--amount", "-1"), "price.malformed"),
        (("--amount", "12 yuan"), "price.malformed"),
        (("--amount", "1e400"), "price.malformed"),
        (("--amount", "NaN"), "price.malformed"),
        (("--amount", "1_000"), "price.malformed"),
        (("--amount", "12,34"), "price.malformed"),
        (("--amount", "１２"), "price.malformed"),
        (("--amount", "90071992547409.93"), "price.malformed"),
        (("--amount", "1", "--currency", "yuan"), "price.malformed"),
        ((), "price.malformed"),
    ],
)
def test_prices_that_are_refused(desk: Desk, arguments: tuple[str, ...], word: str) -> None:
    desk.start()
    assert word in desk.run("seal", "--key", desk.key, *arguments, code=1).output
    assert desk.work.versions() == []


def test_a_price_file_with_items(desk: Desk) -> None:
    desk.start()
    prices = desk.folder / "price.json"
    item = {"amount": 300, "code": "A-1", "quantity": "1.5", "unit_price": "2"}
    prices.write_text(json.dumps({"currency": "CNY", "total": 300, "items": [item], "terms": {"days": 30}}))
    desk.seal("--price-file", prices)
    given = {"currency": "CNY", "total": 1}
    terms = ({"delivery_days": 0}, {"delivery_days": True}, {"delivery_days": "30"}, {"sme": "large"}, [1])
    kinds: tuple[object, ...] = ({"currency": "CNY", "total": 3.5}, {"currency": "CNY"}, {**given, "x": 1}, [])
    for bad in (*kinds, *({**given, "terms": each} for each in terms)):
        prices.write_text(json.dumps(bad))
        assert "price.malformed" in desk.seal("--price-file", prices, code=1).output
    prices.write_text(json.dumps({"currency": "CNY", "total": 300, "items": [item] * 200}))
    assert "price.too_large" in desk.seal("--price-file", prices, code=1).output
    assert "either" in desk.seal("--price-file", prices, "--amount", "1", code=1).output


def test_files_of_a_folder_keep_their_paths(desk: Desk) -> None:
    folder = desk.folder / "docs"
    (folder / "技术").mkdir(parents=True)
    (folder / "技术" / "e\u0301.txt").write_text("x")
    (folder / "big.bin").write_bytes(bytes(3_000_000))
    desk.start()
    shown = desk.seal("--amount", "1", "--folder", folder, "--file", desk.plan).output
    for path in ("技术/\u00e9.txt", "big.bin", "方案.pdf"):
        assert path in shown
    assert "received" in desk.submit().output
    clash = desk.seal("--amount", "1", "--folder", folder, "--file", folder / "big.bin", code=1).output
    assert "main.bad_path" in clash


def test_a_lot_without_main_takes_no_files(tmp_path: Path) -> None:
    platform = Platform(Lot(parts=("price",), stage="price"))
    with serving(platform) as address:
        desk = Desk(tmp_path, platform, address)
        desk.start("--stage", "price")
        assert "main.not_wanted" in desk.seal(code=1).output
        desk.seal("--amount", "1")
        assert "received" in desk.submit().output


def test_a_lot_without_factor_needs_no_reveal(tmp_path: Path) -> None:
    platform = Platform(Lot(bidder_factor=False))
    with serving(platform) as address:
        desk = Desk(tmp_path, platform, address)
        assert "you are not needed" in desk.start().output
        desk.seal()
        desk.submit()
        assert "no factor" in desk.run("reveal", "--token-file", desk.token, code=1).output
        rescued = desk.run("rescue", "--token-file", desk.token, "--wait", 0, answer="y\n").output
        assert "Rescue received" in rescued


def test_the_opening_package_may_be_elsewhere_and_must_be_of_this_version(desk: Desk) -> None:
    desk.start()
    elsewhere = desk.folder / "usb"
    desk.seal("--amount", "1", "--package-dir", elsewhere)
    desk.submit()
    desk.run("reveal", "--token-file", desk.token, code=1)
    desk.seal("--amount", "2")
    wrong = desk.run("reveal", "--token-file", desk.token, "--package", desk.dir / f"{BID}-2.mbkey", code=1).output
    assert "package.other_bid" in wrong
    desk.run("reveal", "--token-file", desk.token, "--package", elsewhere / f"{BID}-1.mbkey")


def test_a_wrong_passphrase_reveals_nothing(desk: Desk) -> None:
    desk.start()
    desk.seal()
    desk.submit()
    before = len(desk.platform.documents)
    other = desk.folder / "phrase"
    write_secret(other, b"another phrase\n")
    output = desk.run("reveal", "--token-file", desk.token, "--package-passphrase-file", other, code=1).output
    assert "package.wrong_passphrase" in output
    assert len(desk.platform.documents) == before


@pytest.mark.parametrize("language", ["zh_CN.UTF-8", "C.UTF-8"])
def test_messages_follow_the_locale(desk: Desk, language: str) -> None:
    arguments = ["start", "--dir", str(desk.dir), "--api", desk.address, "--token-file", str(desk.token)]
    arguments += ["--tender", desk.platform.lot.tender, "--org", ORG, "--trust", str(desk.trust)]
    output = CliRunner().invoke(main, arguments, env={"LANG": language, "LC_ALL": ""}).output
    assert "投标截止" in output
    assert ("Deadline" in output) == (language == "C.UTF-8")


def test_a_token_goes_nowhere_but_over_https_or_to_this_machine() -> None:
    for address in ("http://platform.example", "ftp://127.0.0.1", "file:///etc/passwd", "platform.example"):
        with pytest.raises(InvalidInput, match=r"platform\.not_https"):
            Client(address, TOKEN)
    Client("https://platform.example", TOKEN)


def test_redirects_are_not_followed(desk: Desk) -> None:
    desk.platform.faults = lambda _path: {"status": 302, "code": "moved"}
    desk.start(code=1)
    assert len(desk.platform.requests) == 1


@pytest.mark.parametrize("answer", [b"[]", b"not json", b"\xff", b"{}" + b" " * (8 * 1024 * 1024)])
def test_answers_that_are_no_object_or_too_large_are_refused(desk: Desk, answer: bytes) -> None:
    desk.platform.raw_answer = answer
    assert "platform.answer_" in desk.start(code=1).output


def test_a_sealing_fault_stops_with_a_diagnostic_that_holds_no_secret(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.start()
    used: list[str] = []

    def faulty(identity: str, reader: Any, writer: Any) -> None:  # noqa: ANN401 - streams
        used.append(identity)
        encrypt_part_io(used[0], reader, writer)  # the second part is encrypted to the identity of the first

    monkeypatch.setattr(sealer, "encrypt_part_io", faulty)
    output = desk.seal(code=1).output
    assert "client.self_open" in output or "nothing was sent" in output
    assert desk.work.versions() == []
    (diagnostic,) = desk.dir.glob("diagnostic-*.json")
    text = diagnostic.read_text()
    assert json.loads(text)["step"] == "decryption"
    assert not any(identity in text or identity in output for identity in used)
    monkeypatch.undo()


def test_a_derived_extension_is_shown_as_unsigned(desk: Desk) -> None:
    desk.start()
    schedule = desk.platform.lot.package.schedule
    content = canonical.loads_object(schedule.doc)
    changes = {"cause": "outage", "evidence": ["ab" * 32], "seq": 2, "supersedes": schedule.sha256}
    derived = SignedDocument(canonical.dumps({**content, **changes, "close": content["close"] + 60_000}))
    desk.platform.lot.package = replace(desk.platform.lot.package, schedule=derived)
    assert "extended by rule" in desk.start().output


def test_a_deadline_that_has_passed_is_said_and_the_platform_decides(tmp_path: Path) -> None:
    platform = Platform(Lot(close=1_000_000_000_000))
    with serving(platform) as address:
        desk = Desk(tmp_path, platform, address)
        desk.start()
        assert "has passed" in desk.seal().output
        assert "received" in desk.submit().output
