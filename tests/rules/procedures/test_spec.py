"""The specification: every bad field is named by its path, and nothing but form is judged here."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.tenders import CLOSE_AT, item, lot, spec
from trading.kernel import canonical
from trading.kernel.errors import InvalidInput
from trading.procedures.rules.fields import FieldError, InvalidFields
from trading.procedures.rules.policies import Method, TieRule
from trading.procedures.rules.spec import Sealing, Windows, parse_spec


def errors(value: object) -> list[tuple[str, str]]:
    """Return path and code of every error."""
    try:
        parse_spec(value)
    except InvalidFields as invalid:
        return [(error.path, error.code) for error in invalid.errors]
    return []


def sealing(**changes: Any) -> dict[str, Any]:
    return {"bidder_factor": True, "k": 3, "n": 5, "price_bytes": 4096} | changes


def test_a_good_specification_round_trips() -> None:
    parsed = parse_spec(spec())
    assert parsed.to_json() == spec()
    assert parse_spec(canonical.loads_object(parsed.document())) == parsed
    assert parsed.sealing == Sealing()
    assert parsed.windows == Windows()
    assert parsed.close == CLOSE_AT
    assert parsed.lots[0].method is Method.LOWEST_EVALUATED_PRICE
    assert parsed.lots[0].tie_rule is TieRule.PRICE_IDENTITY_LOTTERY
    assert parsed.lots[0].items[0].quantity == "12.5"


# Fields of later editions of the form: absent and null (or empty) mean the same.
LATER = {"bid_validity_days", "documents", "extension_rule", "questions_until"}


@pytest.mark.parametrize("name", sorted(set(spec()) - LATER))
def test_each_missing_field_is_named_alone(name: str) -> None:
    without = {key: value for key, value in spec().items() if key != name}
    assert errors(without) == [(name, "required")]


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_later_field_may_be_absent_and_is_always_written(name: str) -> None:
    without = {key: value for key, value in spec().items() if key != name}
    assert parse_spec(without).to_json() == spec()


def document(**changes: Any) -> dict[str, Any]:
    row = {"media": "application/pdf", "name": "招标文件.pdf", "sha256": "ab" * 32, "size": 1}
    return row | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"documents": [document()]}, []),
        ({"documents": [document(), document()]}, [("documents", "duplicate")]),
        ({"documents": [document(sha256="AB" * 32)]}, [("documents.0.sha256", "bad_form")]),
        ({"documents": [document(size=0)]}, [("documents.0.size", "out_of_range")]),
        ({"documents": [document(media="pdf")]}, [("documents.0.media", "bad_form")]),
        ({"documents": [document(path="/etc")]}, [("documents.0.path", "unknown")]),
        ({"documents": [document(name=f"{n}.pdf") for n in range(50)]}, []),
        ({"documents": [document(name=f"{n}.pdf") for n in range(51)]}, [("documents", "out_of_range")]),
        ({"questions_until": CLOSE_AT}, []),
        ({"questions_until": -1}, [("questions_until", "out_of_range")]),
        ({"bid_validity_days": 90}, []),
        ({"bid_validity_days": 0}, [("bid_validity_days", "out_of_range")]),
        ({"lots": [lot(budget=1)]}, []),
        ({"lots": [lot(budget=0)]}, [("lots.0.budget", "out_of_range")]),
    ],
)
def test_documents_questions_validity_and_budget(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert errors(spec(**changes)) == expected


def rule(**changes: Any) -> dict[str, Any]:
    row = {"extend_ms": 7_200_000, "look_back_ms": 7_200_000, "min_outage_ms": 600_000, "triggers": ["clock"]}
    return {"extension_rule": row | changes}


WEEK = 7 * 86_400_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (rule(), []),
        (rule(extend_ms=1_800_000), []),
        (rule(extend_ms=1_799_999), [("extension_rule.extend_ms", "out_of_range")]),
        (rule(extend_ms=WEEK), []),
        (rule(extend_ms=WEEK + 1), [("extension_rule.extend_ms", "out_of_range")]),
        (rule(look_back_ms=0, min_outage_ms=0), []),
        (rule(look_back_ms=-1), [("extension_rule.look_back_ms", "out_of_range")]),
        (rule(triggers=[]), [("extension_rule.triggers", "not_a_choice")]),
        (rule(triggers=["weather"]), [("extension_rule.triggers", "not_a_choice")]),
        (rule(triggers=["clock", 1]), [("extension_rule.triggers", "not_a_choice")]),
        (rule(triggers=["clock", "clock"]), [("extension_rule.triggers", "out_of_order")]),
        (rule(triggers="clock"), [("extension_rule.triggers", "not_array")]),
        (rule(after_ms=1), [("extension_rule.after_ms", "unknown")]),
        ({"extension_rule": "yes"}, [("extension_rule", "not_object")]),
    ],
)
def test_consent_to_an_extension_by_rule(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:  # MB-03
    assert errors(spec(**changes)) == expected
    if not expected:
        assert parse_spec(spec(**changes)).to_json() == spec(**changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra": 1}, [("extra", "unknown")]),
        ({"title_zh": "  "}, [("title_zh", "blank")]),
        ({"title_zh": 5}, [("title_zh", "not_text")]),
        ({"title_zh": None}, [("title_zh", "not_text")]),
        ({"title_zh": "标" * 200}, []),
        ({"title_zh": "标" * 201}, [("title_zh", "too_long")]),
        ({"title_en": "a\x00b"}, [("title_en", "bad_characters")]),
        ({"title_en": "a\tb"}, [("title_en", "bad_characters")]),
        ({"text_en": "a\nb"}, []),
        ({"title_en": "e\u0301"}, [("title_en", "bad_characters")]),
        ({"kind": "Open Tender"}, [("kind", "bad_form")]),
        ({"buyer": "911100001000099990"}, [("buyer", "bad_credit_code")]),
        ({"buyer": "9" * 19}, [("buyer", "too_long")]),
        ({"close": CLOSE_AT + 1}, [("close", "not_whole_second")]),
        ({"close": True}, [("close", "not_integer")]),
        ({"close": float(CLOSE_AT)}, [("close", "not_integer")]),
        ({"close": -1000}, [("close", "out_of_range")]),
        ({"supply_ends_at": "soon"}, [("supply_ends_at", "not_integer")]),
        ({"supply_ends_at": CLOSE_AT}, []),
        ({"windows": []}, [("windows", "not_object")]),
        ({"windows": spec()["windows"] | {"rescue_ms": 999}}, [("windows.rescue_ms", "out_of_range")]),
        ({"windows": spec()["windows"] | {"rescue_ms": 1000}}, []),
        ({"sealing": sealing(k=2)}, []),
        ({"sealing": sealing(k=1)}, [("sealing.k", "out_of_range")]),
        ({"sealing": sealing(k=4)}, []),
        ({"sealing": sealing(k=5)}, [("sealing.k", "bad_threshold")]),
        ({"sealing": sealing(n=16)}, []),
        ({"sealing": sealing(n=17)}, [("sealing.n", "out_of_range")]),
        ({"sealing": sealing(bidder_factor=False, k=2)}, [("sealing.k", "bad_threshold")]),
        ({"sealing": sealing(bidder_factor=False, k=3)}, []),
        ({"sealing": sealing(bidder_factor="yes")}, [("sealing.bidder_factor", "not_boolean")]),
        ({"sealing": sealing(price_bytes=4096)}, []),
        ({"sealing": sealing(price_bytes=0)}, [("sealing.price_bytes", "out_of_range")]),
        ({"sealing": sealing(price_bytes=4097)}, [("sealing.price_bytes", "bad_size")]),
        ({"sealing": sealing(price_bytes=524_288)}, []),
        (
            {"sealing": sealing(price_bytes=524_289)},
            [("sealing.price_bytes", "out_of_range"), ("sealing.price_bytes", "bad_size")],
        ),
        ({"lots": []}, [("lots", "out_of_range")]),
        ({"lots": "all"}, [("lots", "not_array")]),
        ({"lots": [5]}, [("lots.0", "not_object")]),
        ({"lots": [lot("1"), lot("2")]}, []),
        ({"lots": [lot("1"), lot("1")]}, [("lots", "duplicate")]),
        ({"lots": [lot("2"), lot("1")]}, [("lots", "out_of_order")]),
        ({"lots": [lot("0")]}, [("lots.0.lot", "bad_form")]),
        ({"lots": [lot(ceiling=0)]}, [("lots.0.ceiling", "out_of_range")]),
        ({"lots": [lot(ceiling=1)]}, []),
        ({"lots": [lot(ceiling=None)]}, []),
        ({"lots": [lot(currency="yuan")]}, [("lots.0.currency", "too_long")]),
        ({"lots": [lot(currency="cny")]}, [("lots.0.currency", "bad_form")]),
        ({"lots": [lot(method="beauty")]}, [("lots.0.method", "not_a_choice")]),
        ({"lots": [lot(tie_rule=None)]}, [("lots.0.tie_rule", "not_a_choice")]),
        ({"lots": [lot(items=[item(quantity="0.00")])]}, [("lots.0.items.0.quantity", "bad_form")]),
        ({"lots": [lot(items=[item(quantity="0.01")])]}, []),
        ({"lots": [lot(items=[item(), item()])]}, [("lots.0.items", "duplicate")]),
        (
            {"lots": [lot(items=[item(), item(code="2", unit="", note=1)])]},
            [
                ("lots.0.items.1.unit", "blank"),
                ("lots.0.items.1.note", "unknown"),
            ],
        ),
    ],
)
def test_each_bad_field_is_named(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert errors(spec(**changes)) == expected


def test_all_errors_are_collected_in_the_order_of_reading() -> None:
    bad = spec(title_zh="", close="x", lots=[lot(ceiling="x")], extra=1)
    assert errors(bad) == [
        ("title_zh", "blank"),
        ("close", "not_integer"),
        ("lots.0.ceiling", "not_integer"),
        ("extra", "unknown"),
    ]


def test_something_that_is_no_object() -> None:
    assert errors([]) == [(".", "not_object")]
    assert errors(None) == [(".", "not_object")]


def test_the_error_is_malformed_input_for_the_edge() -> None:
    with pytest.raises(InvalidInput) as invalid:
        parse_spec({**spec(), "close": None})
    assert invalid.value.code == "fields.invalid"
    assert isinstance(invalid.value, InvalidFields)
    assert invalid.value.errors == (FieldError(path="close", code="not_integer"),)
    assert "close: not_integer" in str(invalid.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.sampled_from([*spec(), "x"]), child, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(spec())), JSON)
@settings(max_examples=200)
def test_any_value_in_any_field_is_read_or_named(name: str, value: object) -> None:
    """Whatever stands in a field, the answer is a specification that round-trips, or errors under that field's path."""
    changed = spec(**{name: value})
    found = errors(changed)
    if found:
        assert all(path.split(".")[0] == name for path, _ in found)
    elif not (name in LATER and value is None):
        assert parse_spec(changed).to_json() == changed
