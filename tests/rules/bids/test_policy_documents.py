from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.build.bid_documents import CUSTODIAN_KEY, POLICY, SCHEDULE, VECTORS, raw, without
from trading.bids.rules.policy import (
    PolicyPackage,
    check_package,
    parse_custodian_key,
    parse_policy,
    require_admissible,
)
from trading.bids.rules.trust import Institution, TrustFile, parse_trust
from trading.kernel import canonical
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument

ROWS: list[dict[str, Any]] = POLICY["custodians"]


def test_the_vectors_parse() -> None:
    policy = parse_policy(VECTORS["sb1_open"]["policy"].encode())
    key = parse_custodian_key(VECTORS["sb1_ceremony"]["custodian_key"].encode())
    assert key.sha256 == VECTORS["sb1_ceremony"]["custodian_key_sha256"]
    assert key.hpke_pk == policy.custodians[0].hpke_pk
    require_admissible(policy)


@pytest.mark.parametrize("name", sorted(set(POLICY)))
def test_every_field_of_a_policy_is_required(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_policy(without(POLICY, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"bidder_factor": 1},
        {"demo": None},
        {"k": 1},
        {"k": 17},
        {"stage": "rehearsal"},
        {"suite": "SB1-SM"},
        {"supersedes": ""},
        {"parts": []},
        {"parts": ["price", "main"]},
        {"parts": ["price", "price"]},
        {"parts": ["annex"]},
        {"price_bytes": None},
        {"price_bytes": 0},
        {"price_bytes": 4097},
        {"price_bytes": 524_288 + 4096},
        {"parts": ["main"]},
        {"custodians": ROWS[:2]},
        {"custodians": ROWS[::-1]},
        {"custodians": [*ROWS[:4], {**ROWS[4], "i": 6}]},
        {"custodians": [*ROWS[:4], {**ROWS[4], "hpke_pk": ROWS[0]["hpke_pk"]}]},
        {"custodians": [*ROWS[:4], {**ROWS[4], "kid": ROWS[0]["kid"]}]},
        {"custodians": [*ROWS[:4], {**ROWS[4], "role": "bidder"}]},
        {"custodians": [*ROWS[:4], {**ROWS[4], "hpke_pk": ROWS[4]["hpke_pk"][:-4]}]},
    ],
)
def test_malformed_policies(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_policy(raw(POLICY, **changes))


def test_a_policy_without_a_price_has_no_price_size() -> None:
    assert parse_policy(raw(POLICY, parts=["main"], price_bytes=None)).price_bytes is None


def _roles(*roles: str) -> list[dict[str, Any]]:
    return [{**row, "role": role, "name": f"org {row['i']}"} for row, role in zip(ROWS, roles, strict=True)]


FIVE = ("agency", "operator", "supervisor", "notary", "centre")


@pytest.mark.parametrize(
    ("changes", "affiliated", "code"),
    [
        ({}, (), None),
        ({"k": 4}, (), None),
        ({"k": 2}, (), "policy.too_close"),
        ({"k": 5}, (), "policy.threshold"),
        ({}, ("org 5",), "policy.too_close"),
        ({"k": 4}, ("org 5",), None),
        ({"custodians": _roles("agency", "operator", "operator", "notary", "centre")}, (), "policy.too_close"),
        ({"custodians": [{**row, "name": "same"} for row in _roles(*FIVE)]}, (), "policy.same_organisation"),
        ({"bidder_factor": False}, (), None),
        ({"bidder_factor": False, "custodians": _roles("agency", *["centre"] * 4)}, (), "policy.factor_off"),
        (
            {"bidder_factor": False, "k": 2, "custodians": _roles("agency", "notary", *["centre"] * 3)},
            (),
            "policy.factor_off",
        ),
        ({"k": 2, "custodians": _roles("agency", "notary", *["centre"] * 3)}, (), None),
    ],
)
def test_who_may_hold_shares(changes: dict[str, Any], affiliated: tuple[str, ...], code: str | None) -> None:
    policy = parse_policy(raw({**POLICY, "custodians": _roles(*FIVE)}, **changes))
    if code is None:
        require_admissible(policy, frozenset(affiliated))
        return
    with pytest.raises(RuleBroken) as caught:
        require_admissible(policy, frozenset(affiliated))
    assert (caught.value.code, caught.value.rule_id) == (code, "SB1 S3.1")


# A signature of these tests is the key's text; the rule under test is which key is asked, not the arithmetic.
def fake_signature(key: bytes, doc: bytes) -> dict[str, str]:
    return {"alg": "ES256", "kid": sha256_hex(key), "sig": b64u(sha256_hex(key + doc).encode())}


def fake_verify(alg: str, key: bytes, doc: bytes, signature: Mapping[str, str]) -> None:
    if alg != "ES256" or dict(signature) != fake_signature(key, doc):
        raise InvalidInput("sig.invalid", "does not verify")


AGENCY, SUPERVISOR = b"agency key", b"supervisor key"
KEYS = [f"custodian key {i}".encode() for i in range(1, 6)]


def institution(key: bytes, name: str, role: str) -> dict[str, object]:
    return {"alg": "ES256", "key": b64u(key), "kid": sha256_hex(key), "name": name, "role": role}


def trust_document(**changes: object) -> dict[str, Any]:
    people = [institution(AGENCY, "buyer", "agency"), institution(SUPERVISOR, "supervisor", "supervisor")]
    people += [institution(key, f"org {i}", "custodian") for i, key in enumerate(KEYS, 1)]
    return {
        "institutions": sorted(people, key=lambda row: str(row["kid"])),
        "issued": 1,
        "log_policy": "log example",
        "origin": "log.example/audit",
        "release_sha256": [],
        "seq": 1,
        "supersedes": None,
        "tsa": [],
        "typ": "mb.trust",
        "v": 1,
        "x509_roots": [],
        **changes,
    }


def trust(**changes: object) -> TrustFile:
    return parse_trust(canonical.dumps(trust_document(**changes)))


def policy_document(**changes: object) -> dict[str, Any]:
    rows = [{**row, "kid": sha256_hex(key)} for row, key in zip(_roles(*FIVE), KEYS, strict=True)]
    return {**POLICY, "custodians": rows, "demo": False, **changes}


def signed(document: dict[str, Any], *keys: bytes) -> SignedDocument:
    doc = canonical.dumps(document)
    return SignedDocument(doc, tuple(fake_signature(key, doc) for key in keys))


def key_document(i: int, **changes: object) -> dict[str, Any]:
    row = policy_document()["custodians"][i]
    return {**CUSTODIAN_KEY, "hpke_pk": row["hpke_pk"], "name": row["name"], "role": row["role"], **changes}


def package(**changes: Any) -> PolicyPackage:  # noqa: ANN401 - any member
    members: dict[str, Any] = {
        "policy": signed(policy_document(), AGENCY),
        "custodian_keys": tuple(signed(key_document(i), key) for i, key in enumerate(KEYS)),
        "schedule": signed(SCHEDULE, AGENCY),
        **changes,
    }
    return PolicyPackage(**members)


def test_a_good_package_is_accepted_and_travels_whole() -> None:
    checked = check_package(package(), trust(), fake_verify)
    assert (checked.policy.k, checked.policy.n, checked.schedule.seq) == (3, 5, 1)
    assert checked.schedule_signed
    assert PolicyPackage.from_wire(package().wire()) == package()


def _keys(i: int, document: dict[str, Any], *signers: bytes) -> tuple[SignedDocument, ...]:
    made = list(package().custodian_keys)
    made[i] = signed(document, *signers)
    return tuple(made)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"policy": signed(policy_document())}, "sig.missing"),
        ({"policy": signed(policy_document(), SUPERVISOR)}, "sig.missing"),
        ({"policy": signed(policy_document(), b"a stranger")}, "sig.missing"),
        ({"policy": signed(policy_document(demo=True), AGENCY)}, "policy.mismatch"),
        ({"policy": signed(policy_document(lot="2"), AGENCY)}, "policy.mismatch"),
        ({"custodian_keys": ()}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2))}, "sig.missing"),
        ({"custodian_keys": _keys(2, key_document(2), KEYS[1])}, "sig.missing"),
        ({"custodian_keys": _keys(2, key_document(3), KEYS[2])}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2, lot="2"), KEYS[2])}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2, stage="tech"), KEYS[2])}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2, tender="T-2"), KEYS[2])}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2, role="other"), KEYS[2])}, "policy.mismatch"),
        ({"custodian_keys": _keys(2, key_document(2, name="other"), KEYS[2])}, "policy.mismatch"),
        ({"schedule": signed(SCHEDULE)}, "sig.missing"),
        ({"schedule": signed({**SCHEDULE, "lot": "2"}, AGENCY)}, "policy.mismatch"),
    ],
)
def test_packages_that_are_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_package(package(**changes), trust(), fake_verify)
    assert caught.value.code == code


def test_a_signature_that_does_not_verify_is_refused() -> None:
    good = package()
    forged = SignedDocument(good.policy.doc, ({**good.policy.sigs[0], "sig": b64u(b"forged")},))
    with pytest.raises(InvalidInput, match=r"sig\.invalid"):
        check_package(package(policy=forged), trust(), fake_verify)


def test_a_custodian_the_reader_does_not_pin_is_refused() -> None:
    people = trust_document()["institutions"]
    without_third = [row for row in people if row["kid"] != sha256_hex(KEYS[2])]
    renamed = [{**row, "name": "impostor"} if row["kid"] == sha256_hex(KEYS[2]) else row for row in people]
    other_role = [{**row, "role": "centre"} if row["kid"] == sha256_hex(KEYS[2]) else row for row in people]
    for institutions in (without_third, renamed, other_role):
        with pytest.raises(InvalidInput, match=r"policy\.untrusted"):
            check_package(package(), trust(institutions=institutions), fake_verify)


def test_a_package_breaks_on_admission_too() -> None:
    bad = package(policy=signed(policy_document(k=2), AGENCY))
    with pytest.raises(RuleBroken, match=r"policy\.too_close"):
        check_package(bad, trust(), fake_verify)


def test_a_derived_schedule_is_accepted_and_said_to_be_unsigned() -> None:
    derived = {**SCHEDULE, "cause": "outage", "evidence": ["ab" * 32], "seq": 2, "supersedes": "cd" * 32}
    assert not check_package(package(schedule=signed(derived)), trust(), fake_verify).schedule_signed


@pytest.mark.parametrize("member", ["policy", "schedule", "custodian_keys"])
def test_packages_that_lack_a_member(member: str) -> None:
    wire = {name: item for name, item in package().wire().items() if name != member}
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        PolicyPackage.from_wire(wire)


def test_trust_files() -> None:
    file = trust()
    assert not file.demo
    assert trust(origin="demo.example/audit").demo
    assert file.institution(sha256_hex(AGENCY)) == Institution(
        alg="ES256", key=AGENCY, kid=sha256_hex(AGENCY), name="buyer", role="agency"
    )
    assert file.institution("0" * 64) is None
    people = trust_document()["institutions"]
    for changes in (
        {"institutions": people[::-1]},
        {"institutions": [{**people[0], "key": b64u(b"another")}, *people[1:]]},
        {"institutions": [{**people[0], "role": "operator"}, *people[1:]]},
        {"seq": 2},
        {"supersedes": "ab" * 32},
        {"origin": ""},
    ):
        with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
            trust(**changes)
