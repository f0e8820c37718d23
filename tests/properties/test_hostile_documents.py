"""Whatever arrives, a parser either admits it or refuses it with a code; it never fails in another way."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.bid_documents import CONTEXT, CUSTODIAN_KEY, ENVELOPE, POLICY, SCHEDULE, raw
from tests.build.sealed_lot import Lot
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.manifest import build_manifest, parse_manifest, read_main, write_main
from trading.bids.rules.policy import parse_custodian_key, parse_policy
from trading.bids.rules.price import build_price, parse_price_document
from trading.bids.rules.schedule import parse_schedule
from trading.bids.rules.trust import parse_trust
from trading.crypto.envelope import age_header_length, encrypt_part, identity_string
from trading.crypto.signatures import SignedDocument
from trading.kernel import canonical
from trading.kernel.errors import InvalidInput

MAIN = b"".join(write_main(build_manifest(CONTEXT, [], []), []))
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "envelope": (parse_envelope, raw(ENVELOPE)),
    "policy": (parse_policy, raw(POLICY)),
    "custodian-key": (parse_custodian_key, raw(CUSTODIAN_KEY)),
    "schedule": (parse_schedule, raw(SCHEDULE)),
    "trust": (parse_trust, Lot().trust_bytes),
    "price": (parse_price_document, build_price(CONTEXT, currency="CNY", total=1)),
    "manifest": (parse_manifest, build_manifest(CONTEXT, [], [])),
    "main": (lambda data: read_main(io.BytesIO(data), CONTEXT), MAIN[:2048].ljust(65536, b"\0")),
    "age": (age_header_length, encrypt_part(identity_string(b"\x01" * 32), b"x")),
    "wire": (SignedDocument.from_wire, canonical.dumps(SignedDocument(b"{}").wire())),
}
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "ab" * 32, "AQ", "all", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcijk"), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", sorted(PARSERS))
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**30), st.integers(0, 3), st.binary(max_size=3))
def test_changed_bytes(name: str, where: int, cut: int, put: bytes) -> None:
    parse, good = PARSERS[name]
    parse(good)  # the control: unchanged it is admitted
    at = where % (len(good) + 1)
    with suppress(InvalidInput):
        parse(good[:at] + put + good[at + cut :])


@pytest.mark.parametrize(
    "name", ["envelope", "policy", "custodian-key", "schedule", "trust", "price", "manifest", "wire"]
)
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_values(name: str, data: st.DataObject) -> None:
    parse, good = PARSERS[name]
    document = canonical.loads_object(good)
    place: Any = document
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    with suppress(InvalidInput):
        parse(canonical.dumps(document))
