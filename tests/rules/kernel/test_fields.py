from __future__ import annotations

from typing import Any

import pytest

from trading.kernel import canonical, fields
from trading.kernel.errors import InvalidInput

TABLE = fields.Table(
    "mb.example",
    {
        "n": fields.integer(0, 10),
        "rows": fields.sorted_by(lambda row: row["id"], fields.record({"id": fields.text})),
        "note": fields.text,
        "raw": fields.hex_of(2),
        "long": fields.b64u_of(1, 3),
        "yes": fields.flag,
        "maybe": fields.nullable(fields.decimal),
    },
    optional=frozenset({"note"}),
)
GOOD: dict[str, Any] = {
    "n": 1,
    "rows": [{"id": "a"}, {"id": "b"}],
    "raw": "00ff",
    "long": "AQ",
    "yes": False,
    "maybe": None,
    "typ": "mb.example",
    "v": 1,
}


def test_reads_and_converts() -> None:
    value = TABLE.read(canonical.dumps(GOOD))
    assert value == {
        "n": 1,
        "rows": ({"id": "a"}, {"id": "b"}),
        "raw": b"\x00\xff",
        "long": b"\x01",
        "yes": False,
        "maybe": None,
    }
    assert TABLE.read(canonical.dumps({**GOOD, "note": "x", "maybe": "-1.5"}))["note"] == "x"
    assert fields.type_of(canonical.dumps(GOOD)) == "mb.example"


@pytest.mark.parametrize("key", ["extra", "note2"])
def test_an_unknown_field_has_its_own_code(key: str) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.unknown_field"):
        TABLE.read(canonical.dumps({**GOOD, key: 1}))
    with pytest.raises(InvalidInput, match=r"doc\.unknown_field: mb\.example: rows: 0: extra"):
        TABLE.read(canonical.dumps({**GOOD, "rows": [{"id": "a", "extra": 1}]}))


@pytest.mark.parametrize("missing", sorted(set(GOOD)))
def test_every_missing_field_is_refused(missing: str) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        TABLE.read(canonical.dumps({name: item for name, item in GOOD.items() if name != missing}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("typ", "mb.other"),
        ("v", 2),
        ("v", True),
        ("v", "1"),
        ("n", 11),
        ("n", -1),
        ("n", True),
        ("n", "1"),
        ("n", None),
        ("rows", {}),
        ("rows", [{"id": "b"}, {"id": "a"}]),
        ("rows", [{"id": "a"}, {"id": "a"}]),
        ("rows", [[]]),
        ("rows", [{"id": ""}]),
        ("rows", [{"id": 1}]),
        ("raw", "00FF"),
        ("raw", "00ff00"),
        ("raw", 0),
        ("long", ""),
        ("long", "AQ=="),
        ("long", "AR"),
        ("long", "AQAAAA"),
        ("long", None),
        ("yes", 0),
        ("yes", None),
        ("maybe", "01"),
        ("maybe", "1.0"),
        ("maybe", "1."),
        ("maybe", 1),
        ("maybe", "1\n"),
    ],
)
def test_ill_typed_fields_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        TABLE.read(canonical.dumps({**GOOD, name: value}))


def test_a_document_that_is_no_object_or_no_json_is_refused() -> None:
    for raw, code in [(b"[]", "doc.bad_field"), (b"{", "doc.not_canonical")]:
        with pytest.raises(InvalidInput) as caught:
            TABLE.read(raw)
        assert caught.value.code == code
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        fields.type_of(b'{"a":1}')
    small = fields.Table("mb.example", TABLE.fields, TABLE.optional, limit=10)
    with pytest.raises(InvalidInput, match=r"doc\.too_large"):
        small.read(canonical.dumps(GOOD))


def test_what_is_written_fits_the_table() -> None:
    body = {name: item for name, item in GOOD.items() if name not in {"typ", "v"}}
    assert TABLE.write(body) == canonical.dumps(GOOD)
    with pytest.raises(ValueError, match="unknown_field"):
        TABLE.write({**body, "extra": 1})


def test_readers_of_choices_and_lengths() -> None:
    with pytest.raises(ValueError, match="not one of"):
        fields.one_of("a", "b")("c")
    with pytest.raises(ValueError, match="does not match"):
        fields.matching("[a-z]+")("a\n")
    with pytest.raises(ValueError, match="3 items"):
        fields.array(fields.text, most=2)(["a", "b", "c"])
    assert fields.itself("a") == "a"
