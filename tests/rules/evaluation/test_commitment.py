"""A sheet as it is signed: its bytes are those of the vector, and only lawful ones are taken (EXP-22, DOC-15)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.build import sheets
from tests.build.scores import CRITERIA
from trading.evaluation.rules.commitment import (
    Heading,
    make_sheet,
    read_sheet,
    require_committed,
    require_digest,
    require_lawful,
)
from trading.evaluation.rules.sheets import check_sheet
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken

HEADING = Heading(
    tender="T-2026-7k3m9q2d", lot="1", stage="all", seat="m-6t1v3n8ryc0e", version=2, reason="of a change"
)
Change = Callable[[dict[str, Any]], object]


def code(act: Callable[[], object]) -> tuple[str, object]:
    with pytest.raises(RuleBroken) as broken:
        act()
    return broken.value.code, broken.value.facts.get("fault")


def test_the_vector_is_what_this_program_makes() -> None:
    found = json.loads(sheets.FILE.read_text())
    assert found == sheets.vector()
    assert sha256_hex(found["document"].encode()) == found["sha256"]
    require_lawful(read_sheet(found["document"].encode()), HEADING, CRITERIA, sorted(sheets.CELLS))


def test_equal_scores_have_unequal_digests_and_a_salt_has_its_length() -> None:
    items = check_sheet(CRITERIA, list(sheets.CELLS), sheets.typed())
    assert make_sheet(HEADING, items, bytes(32)).commit != make_sheet(HEADING, items, bytes([1] * 32)).commit
    with pytest.raises(ValueError, match="32 bytes"):
        make_sheet(HEADING, items, bytes(15))


@pytest.mark.parametrize(
    "commit", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "30 points" + "0" * 55, "a" * 64 + "\n"]
)
def test_only_a_digest_is_signed(commit: str) -> None:
    assert code(lambda: require_digest(commit))[0] == "sheet.digest_wrong"


def test_only_the_committed_bytes_are_taken() -> None:
    sheet = sheets.made()
    require_committed(sheet.raw, sheet.commit)
    assert code(lambda: require_committed(sheet.raw + b" ", sheet.commit))[0] == "sheet.other_document"
    assert code(lambda: read_sheet(b"{}"))[0] == "sheet.no_document"


def first(document: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = document["items"][0]["scores"][1]
    return row


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda it: first(it).update(points="50.5"), ("sheet.invalid", "score.out_of_range")),
        (lambda it: first(it).update(points="-1"), ("sheet.invalid", "score.out_of_range")),
        (lambda it: first(it).update(points="0", comment=None), ("sheet.invalid", "score.comment_missing")),
        (lambda it: it["items"][0]["scores"].pop(), ("sheet.invalid", "sheet.incomplete")),
        (lambda it: it["items"][0]["scores"].reverse(), ("sheet.invalid", "sheet.incomplete")),
        (lambda it: it["items"].append({"bid": "b-other", "scores": []}), ("sheet.invalid", "sheet.incomplete")),
        (lambda it: it["items"].pop(), ("sheet.invalid", "sheet.incomplete")),
        (lambda it: it.update(seat="m-other"), ("sheet.invalid", "sheet.other_place")),
        (lambda it: it.update(version=1), ("sheet.invalid", "sheet.other_place")),
        (lambda it: it.update(tender="T-2026-other"), ("sheet.invalid", "sheet.other_place")),
        (lambda it: it.update(reason=None), ("sheet.reason_missing", None)),
        (lambda it: it.update(reason="x" * 1_001), ("examination.reason_long", None)),
    ],
)
def test_an_unlawful_sheet_is_named_without_its_scores(change: Change, expected: tuple[str, object]) -> None:
    document = json.loads(sheets.made().raw)
    change(document)
    assert code(lambda: require_lawful(document, HEADING, CRITERIA, sorted(sheets.CELLS))) == expected
