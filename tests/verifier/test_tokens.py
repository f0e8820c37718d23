"""The verifier's own reader of time stamps: real ones pass, forged ones are found, unknown forms stay unchecked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.build.signed_log import VECTORS
from tests.support.authorities import OpensslAuthority, OwnAuthority, forged_signer, question
from tests.support.forgeries import AT, FORGERIES, MESSAGE, ROOT, SIGNER, stamped, with_certificates_reversed
from tests.support.make_bundle import make_bundle, trust_file, with_list
from tests.support.verifying import failures, state_of, told, told_once, verify, verify_told
from trading.crypto.authority import (
    SHA256_OID,
    Question,
    Signer,
    answer,
    make_root,
    make_stamper,
    response,
    token,
    tst_info,
)
from trading.crypto.stamps import make_request, verify_stamp
from trading.kernel import der
from trading.kernel.clock import FixedClock, SystemClock
from verifier.checks_tokens import AHEAD_MS, SANDWICH_MS
from verifier.cli import main
from verifier.hashing import hex_digest
from verifier.notes import parse_note
from verifier.policy import verify_checkpoint
from verifier.report import STATE_ABSENT, STATE_FAIL, STATE_GAP, STATE_OK, Report
from verifier.tokens import TokenFault, TokenUnreadable, verify_token
from verifier.trust import read_trust

FOUND = (TokenFault, TokenUnreadable)


def check(data: bytes, root: bytes = ROOT.der) -> int:
    return verify_token(data, MESSAGE, [root])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """Answers of real authorities, each with its root."""
    folder = tmp_path_factory.mktemp("authorities")
    kinds = {
        "rsa": OpensslAuthority(folder / "rsa", "rsa", rsa=True),
        "ec": OpensslAuthority(folder / "ec", "ec"),
        "v1": OpensslAuthority(folder / "v1", "v1", "ess_cert_id_alg = sha1"),
        "chain": OpensslAuthority(folder / "chain", "chain", "certs = root.pem"),
        "sha384": OpensslAuthority(folder / "sha384", "sha384", "signer_digest = sha384"),
    }
    return {name: (each.reply(make_request(MESSAGE).data), each.root) for name, each in kinds.items()}


@pytest.mark.parametrize("kind", ["rsa", "ec", "v1", "chain", "sha384"])
def test_real_tokens(real: dict[str, tuple[bytes, bytes]], kind: str) -> None:
    data, root = real[kind]
    gen_time = check(data, root)
    assert abs(gen_time - SystemClock().now_ms()) < 600_000
    assert verify_stamp(data, MESSAGE, [root]).gen_time == gen_time
    with pytest.raises(TokenFault, match="no chain"):
        check(data)
    with pytest.raises(TokenFault, match="something else"):
        verify_token(data, MESSAGE + b"x", [root])


def test_the_order_of_certificates_is_no_matter(real: dict[str, tuple[bytes, bytes]]) -> None:
    data, root = real["chain"]
    assert check(with_certificates_reversed(data), root) == check(data, root)


def test_imprints_of_the_vectors() -> None:
    checkpoint = VECTORS["al1_log"]["checkpoint"]
    assert hex_digest(parse_note(checkpoint.encode()).text.encode()) == (
        "95d75807049bfedd4ba87051eb00d198a808f17e66d769d6f3f3fd30cb53b43e"  # TE1 T12
    )


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_found(name: str) -> None:
    with pytest.raises(FOUND):
        check(FORGERIES[name][1]())


def hashed_otherwise() -> bytes:
    info = tst_info(Question(imprint=bytes(64), nonce=1), serial=1, at_ms=AT)
    info = info.replace(der.oid(SHA256_OID), der.oid("2.16.840.1.101.3.4.2.3"))
    return response(token(SIGNER, info))


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "an imprint by SHA-512": hashed_otherwise,
    "nothing": lambda: b"",
    "not DER": lambda: b"<html>",
    "too long": lambda: bytes(65_537),
    "a length without an end": lambda: b"\x30\x80\x00\x00",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_unknown_is_not_called_wrong(name: str) -> None:
    with pytest.raises(TokenUnreadable):
        check(UNREADABLE[name]())


def test_a_token_bound_to_another_certificate() -> None:
    other = make_stamper("tsa", ROOT, AT)
    data = response(token(SIGNER, tst_info(question(MESSAGE), serial=1, at_ms=AT), bound_to=other.der))
    with pytest.raises(TokenFault, match="bound to another certificate"):
        check(data)


def test_negative_controls() -> None:
    """A verifier without the check of the imprint, or of the purpose, takes the forgery for a stamp."""
    other, unfit = stamped(message=b"another"), FORGERIES["no purpose"][1]()
    assert verify_token(other, MESSAGE, [ROOT.der], imprinted=False) == AT
    assert verify_token(unfit, MESSAGE, [ROOT.der], purposed=False) == AT
    for data in (other, unfit):
        with pytest.raises(TokenFault):
            check(data)


def issued_by(issuer: Signer, name: str, *, ca: bool) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    like = make_root(name, AT).certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return Signer(certificate=builder.sign(issuer.key, hashes.SHA256()), key=key)


def with_certificate(data: bytes, more: bytes) -> bytes:
    """Put one more certificate into an answer."""
    status, whole = der.one(data).children
    name, wrapped = whole.children
    parts = [
        der.encode(0xA0, part.content, more) if part.tag == 0xA0 else part.raw
        for part in der.one(wrapped.content).children
    ]
    signed = der.encode(0xA0, der.encode(der.SEQUENCE, *parts))
    return der.encode(der.SEQUENCE, status.raw, der.encode(der.SEQUENCE, name.raw, signed))


def test_a_chain_through_an_authority_between() -> None:
    between = issued_by(ROOT, "between", ca=True)
    data = with_certificate(stamped(forged_signer(between, AT)), between.der)
    assert check(data) == AT
    with pytest.raises(TokenFault, match="no chain"):
        check(stamped(forged_signer(between, AT)))
    no_authority = issued_by(ROOT, "between", ca=False)
    with pytest.raises(TokenFault, match="no chain"):
        check(with_certificate(stamped(forged_signer(no_authority, AT)), no_authority.der))


def test_validity_at_gen_time_before_at_after() -> None:
    short = forged_signer(ROOT, AT, days=(-1, 1))
    first = int(short.certificate.not_valid_before_utc.timestamp()) * 1000
    last = int(short.certificate.not_valid_after_utc.timestamp()) * 1000 + 999
    assert [check(stamped(short, at_ms=at)) for at in (first, last)] == [first, last]
    for at in (first - 1, last + 1):
        with pytest.raises(TokenFault, match="not valid at genTime"):
            check(stamped(short, at_ms=at))


class StampedStory:
    """A told tender whose last checkpoint two authorities stamped and whose log anchors both tokens.

    ``ahead_ms`` is genTime from the instant that the witnesses signed, ``anchored_ms`` the anchor's from genTime.
    """

    def __init__(self, *, ahead_ms: int = 0, anchored_ms: int = 1_000, text: str | None = None) -> None:
        self.tender = told("clean")
        self.log = self.tender.log
        self.size, self.head = len(self.log.entries), self.log.text()
        self.at = -(-(self.tender.now + 1_000) // 1_000) * 1_000 + ahead_ms
        for name in ("first.test", "second.test"):
            authority = OwnAuthority(name, FixedClock(self.at))
            self.log.stampers[name] = authority.root.der
            data = answer(authority.signer, question((text or self.head).encode()), serial=1, at_ms=self.at)
            self.log.tokens[self.path(name)] = data
        self.anchored_at = self.at + anchored_ms
        for path, data in self.log.tokens.items():
            self.anchor(path, data)
        self.tender.checkpoint = self.log.witness(self.anchored_at + 1_000)

    def path(self, name: str = "first.test") -> str:
        return f"tst/{self.size}/{name}-{self.at}.tsr"

    def anchor(self, path: str, data: bytes) -> None:
        body = {
            "gen_time": self.at,
            "root": base64.b64decode(self.head.split("\n")[2]).hex(),
            "size": self.size,
            "token_sha256": hex_digest(data),
            "tsa": path.split("/")[2].rpartition("-")[0],
        }
        self.log.append("tst.anchored", body, at=self.anchored_at, subject="tsa:x", procedure=None)

    def report(self, kind: str = "audit", tier: str = "audit") -> Report:
        return verify_told(self.tender, kind, tier)


@pytest.fixture(scope="module")
def story() -> StampedStory:
    """Not to be changed."""
    return StampedStory()


@pytest.mark.parametrize(("kind", "tier"), [("public", "bidders"), ("auditor", "audit"), ("audit", "audit")])
def test_bundles_with_tokens_pass(story: StampedStory, kind: str, tier: str) -> None:
    report = story.report(kind, tier)
    assert failures(report) == {}
    assert (state_of(report, "AL-11"), state_of(report, "TE-08")) == (STATE_OK, STATE_OK)
    assert report.exit_code == 0


def test_a_bundle_without_tokens_says_so() -> None:
    report = verify_told(told_once("clean"), "audit", "audit")
    assert (state_of(report, "AL-11"), state_of(report, "TE-08")) == (STATE_ABSENT, STATE_ABSENT)


def with_tokens(story: StampedStory, change: Callable[[StampedStory, dict[str, bytes]], object]) -> Report:
    """Verify the story's bundle with other token files."""
    files = make_bundle(story.tender, "audit", "audit")
    tokens = {path: files.pop(path) for path in list(files) if path.startswith("tst/")}
    change(story, tokens)
    header = {key: value for key, value in json.loads(files.pop("bundle.json")).items() if key != "files"}
    return verify(with_list({**files, **tokens}, header), story.tender)


def renamed(story: StampedStory, tokens: dict[str, bytes], path: str) -> None:
    tokens[path] = tokens.pop(story.path())


BROKEN: dict[str, tuple[str, Callable[[StampedStory, dict[str, bytes]], object]]] = {
    "a flipped bit": ("signature", lambda s, t: t.update({s.path(): t[s.path()][:-1] + bytes([t[s.path()][-1] ^ 1])})),
    "another genTime in its name": ("its genTime is", lambda s, t: renamed(s, t, s.path().replace(str(s.at), "5"))),
    "another size": ("says no size", lambda s, t: renamed(s, t, s.path().replace(f"/{s.size}/", "/3/"))),
    "the name of the other authority": ("no chain", lambda s, t: renamed(s, t, s.path("second.test"))),
    "a lost token": ("is missing", lambda s, t: t.pop(s.path())),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tokens_fail(story: StampedStory, name: str) -> None:
    text, change = BROKEN[name]
    report = with_tokens(story, change)
    assert list(failures(report)) == ["AL-11"]
    assert any(text in each for each in failures(report)["AL-11"])


def test_a_form_that_is_unknown_is_not_checked(story: StampedStory) -> None:
    report = with_tokens(story, lambda s, t: t.update({s.path("x.test"): b"?"}))
    assert (state_of(report, "AL-11"), report.exit_code) == (STATE_GAP, 2)  # nobody pins x.test
    third = StampedStory()
    third.log.tokens[third.path()] = hashed_otherwise()
    report = third.report("public", "bidders")
    assert (state_of(report, "AL-11"), report.exit_code) == (STATE_GAP, 2)


def test_a_token_over_another_checkpoint_fails() -> None:
    report = StampedStory(text="log.example/audit\n3\nAAAA\n").report("public", "bidders")
    assert state_of(report, "AL-11") == STATE_FAIL


@pytest.mark.parametrize(("before_ms", "holds"), [(AHEAD_MS - 1, True), (AHEAD_MS, True), (AHEAD_MS + 1, False)])
def test_gen_time_and_anchor(before_ms: int, *, holds: bool) -> None:
    """Before, at and after 60 s; a clock of an authority that far ahead contradicts the witnesses as well (TE-08)."""
    report = StampedStory(ahead_ms=70_000, anchored_ms=-before_ms).report()
    assert (state_of(report, "AL-11") == STATE_OK) == holds


@pytest.mark.parametrize("ms", [SANDWICH_MS - 1, SANDWICH_MS, SANDWICH_MS + 1])
def test_gen_time_and_the_last_entry(story: StampedStory, ms: int) -> None:
    """Witnesses had not been shown the last stamped entry at an instant; genTime may be 5 s before it, not more."""
    policy = read_trust(*trust_file(story.tender)).policy
    smaller = [notes[-1].encode() for size, notes in story.log.notes.items() if size < story.size]
    unseen = max(verify_checkpoint(note, policy, story.log.origin).t_low or 0 for note in smaller)
    early = StampedStory(ahead_ms=1_000 * unseen - ms - story.at)
    assert early.at == 1_000 * unseen - ms
    assert (state_of(early.report(), "TE-08") == STATE_OK) == (ms <= SANDWICH_MS)


@pytest.mark.parametrize("ms", [SANDWICH_MS - 1, SANDWICH_MS, SANDWICH_MS + 1])
def test_gen_time_and_the_anchor(ms: int) -> None:
    """Witnesses saw the anchor by an instant, rounded up to 999 ms; genTime may be 5 s after it, not more."""
    late = StampedStory(ahead_ms=ms - SANDWICH_MS - 1, anchored_ms=-6_999 - ms + SANDWICH_MS)
    seen = -(-(late.anchored_at + 1_000) // 1_000) * 1_000 + 999
    assert late.at == seen + ms
    assert (state_of(late.report(), "TE-08") == STATE_OK) == (ms <= SANDWICH_MS)


def test_a_receipt_with_its_tokens(story: StampedStory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The receipt names the checkpoint that was stamped; its token files lie beside it."""
    before = told("clean")
    authority = OwnAuthority("first.test", FixedClock(before.now))
    before.log.stampers["first.test"] = authority.root.der
    data = answer(authority.signer, question(before.log.text().encode()), serial=1, at_ms=before.now)
    (tmp_path / "trust.json").write_bytes(trust_file(before)[0])
    (tmp_path / "r.tlog-proof").write_bytes(before.log.proof(before.log.entries[5], before.checkpoint))
    own, other = tmp_path / f"first.test-{before.now}.tsr", tmp_path / "x.tsr"
    own.write_bytes(data)
    other.write_bytes(story.log.tokens[story.path()])
    words = [str(tmp_path / "r.tlog-proof"), "--trust", str(tmp_path / "trust.json")]
    assert main([*words, "--token", str(own)]) == 0
    assert "receipt: STAMPED, entry 5" in capsys.readouterr().out
    assert main(words) == 0
    assert "receipt: WITNESSED, entry 5" in capsys.readouterr().out
    assert main([*words, "--token", str(other)]) == 1
    assert "something else than this checkpoint" in capsys.readouterr().out
