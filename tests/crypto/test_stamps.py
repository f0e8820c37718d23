"""Time stamps: what is granted by a real authority is kept; everything else is refused under its name (TE1 T8, T12)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.authorities import OpensslAuthority, forged_signer, openssl_accepts, question
from tests.support.forgeries import AT, FORGERIES, MESSAGE, ROOT, SIGNER, stamped, with_certificates_reversed
from trading.crypto.authority import (
    new_authority,
    open_authority,
    read_question,
    response,
    roots_in,
    token,
    tst_info,
)
from trading.crypto.stamps import make_request, verify_stamp
from trading.kernel import der
from trading.kernel.clock import SystemClock
from trading.kernel.errors import InvalidInput


def refusal(data: bytes, *, roots: tuple[bytes, ...] = (ROOT.der,), nonce: int | None = 77) -> str:
    with pytest.raises(InvalidInput) as caught:
        verify_stamp(data, MESSAGE, roots, nonce=nonce)
    return caught.value.code


def test_the_request_is_random_and_asks_for_the_certificate() -> None:
    requests = [make_request(MESSAGE) for _ in range(20)]
    assert len({each.nonce for each in requests}) == 20
    assert max(each.nonce for each in requests).bit_length() > 56
    for each in requests:
        asked = read_question(each.data)
        assert (asked.imprint, asked.nonce) == (sha256(MESSAGE).digest(), each.nonce)
        assert der.one(each.data).children[-1].raw == b"\x01\x01\xff"  # certReq


def test_the_imprint_of_the_vector() -> None:
    assert sha256(MESSAGE).hexdigest() == "103aa4d1d1603361a45fb65120290dfe6736c9395fde4907fb9e00b3253401ba"


@pytest.mark.parametrize("rsa", [False, True])
def test_a_real_authority(tmp_path: Path, *, rsa: bool) -> None:
    authority = OpensslAuthority(tmp_path / "tsa", "tsa", rsa=rsa)
    request, before = make_request(MESSAGE), SystemClock().now_ms()
    reply = authority.reply(request.data)
    stamp = verify_stamp(reply, MESSAGE, [authority.root], nonce=request.nonce)
    assert stamp.imprint == sha256(MESSAGE).digest()
    assert before - 1_000 <= stamp.gen_time <= SystemClock().now_ms()
    assert openssl_accepts(reply, MESSAGE, authority.root, tmp_path, at_ms=stamp.gen_time)


def test_our_own_authority_is_one_to_openssl(tmp_path: Path) -> None:
    assert verify_stamp(stamped(), MESSAGE, [ROOT.der], nonce=77).gen_time == AT
    assert verify_stamp(stamped(at_ms=AT - 123), MESSAGE, [ROOT.der], nonce=77).gen_time == AT - 123
    assert openssl_accepts(stamped(), MESSAGE, ROOT.der, tmp_path, at_ms=AT)


def test_an_unsorted_set_of_certificates_is_read(tmp_path: Path) -> None:
    """With ``certs`` openssl adds the root after the signer, in whatever order their encodings have."""
    authority = OpensslAuthority(tmp_path / "tsa", "tsa", "certs = root.pem")
    request = make_request(MESSAGE)
    reply = authority.reply(request.data)
    assert verify_stamp(reply, MESSAGE, [authority.root], nonce=request.nonce).gen_time > 0
    reversed_set = with_certificates_reversed(reply)
    assert reversed_set != reply
    assert verify_stamp(reversed_set, MESSAGE, [authority.root], nonce=request.nonce).gen_time > 0


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_refused_is_named(name: str) -> None:
    code, make = FORGERIES[name]
    assert refusal(make()) == code


def test_openssl_refuses_them_too(tmp_path: Path) -> None:
    taken = [
        name for name, (_, make) in FORGERIES.items() if openssl_accepts(make(), MESSAGE, ROOT.der, tmp_path, at_ms=AT)
    ]
    assert taken == ["something behind it"]  # it reads the first element of a file


def test_the_nonce_is_that_of_the_request() -> None:
    assert refusal(stamped(), nonce=78) == "stamp.nonce"
    without = response(token(SIGNER, tst_info(question(MESSAGE, None), serial=1, at_ms=AT)))
    assert refusal(without) == "stamp.nonce"
    assert (
        verify_stamp(without, MESSAGE, [ROOT.der]).gen_time > 0
    )  # a token that was kept is judged without its request


def test_an_authority_without_a_root_is_not_trusted() -> None:
    assert refusal(stamped(), roots=()) == "stamp.unknown_root"


def test_the_certificate_is_judged_at_gen_time() -> None:
    """It has expired long since, as every certificate of an old log has."""
    short = forged_signer(ROOT, AT, days=(-1, 1))
    assert verify_stamp(stamped(short), MESSAGE, [ROOT.der], nonce=77).gen_time > 0
    last = int(short.certificate.not_valid_after_utc.timestamp()) * 1000
    assert verify_stamp(stamped(short, at_ms=last - 1), MESSAGE, [ROOT.der], nonce=77).gen_time == last - 1
    assert refusal(stamped(short, at_ms=last)) == "stamp.expired"
    assert refusal(stamped(short, at_ms=last + 1)) == "stamp.expired"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x00", make_request(MESSAGE).data[:-1], stamped()],
    ids=["nothing", "a tag", "empty", "cut off", "an answer"],
)
def test_what_is_no_request_is_not_answered(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"stamp\.malformed"):
        read_question(data)


def test_an_authority_of_a_demonstration_is_kept_in_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        new_authority(tmp_path / "authorities" / name, name, AT)
    roots = roots_in(tmp_path / "authorities")
    signer = open_authority(tmp_path / "authorities" / "one")
    assert verify_stamp(stamped(signer), MESSAGE, [roots["one"]], nonce=77).gen_time == AT
    assert refusal(stamped(signer), roots=(roots["two"],)) == "stamp.unknown_root"
    key = tmp_path / "authorities" / "one" / "signer.key"
    assert key.stat().st_mode & 0o077 == 0
    assert len(list(key.parent.iterdir())) == 3  # the key of the root is not kept
    key.chmod(0o644)
    with pytest.raises(InvalidInput, match=r"key\.file_mode"):
        open_authority(key.parent)
    assert roots_in(tmp_path / "nowhere") == {}
