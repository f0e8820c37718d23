"""The verifier's own tables say the same as the platform's: kinds of records, their fields, public documents."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import pytest

from trading.kernel.events import EventKind
from verifier.fields import FieldFault
from verifier.records import BODY_RULES, NAMED_DOCUMENTS


def platform_kinds() -> dict[str, EventKind]:
    modules = sorted(path.parent.name for path in Path("trading").glob("*/model.py"))
    events = [getattr(importlib.import_module(f"trading.{name}.model"), "EVENTS", ()) for name in modules]
    return {kind.name: kind for kind in itertools.chain(*events)}


KINDS = platform_kinds()


def complaints(kind: str, body: dict[str, object]) -> str:
    try:
        BODY_RULES[kind](body, kind)
    except FieldFault as fault:
        return str(fault)
    return ""


def test_every_kind_of_the_platform_is_known_here() -> None:
    assert KINDS.keys() - BODY_RULES.keys() == set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_bodies_have_the_same_fields(kind: str) -> None:
    declared = KINDS[kind]
    wanted = declared.fields | declared.optional
    for name in [*wanted, "no_such_field"]:
        filled: dict[str, object] = dict.fromkeys(wanted | {name})
        others = [f"{kind}.{field}: unknown field" for field in filled]
        assert complaints(kind, filled) not in {text for text in others if "no_such" not in text}
    for name in declared.fields:
        assert complaints(kind, {field: None for field in declared.fields if field != name})
    empty = complaints(kind, {})
    assert bool(empty) == bool(declared.fields)


def test_named_documents_are_fields_of_their_kind() -> None:
    for kind, names in NAMED_DOCUMENTS.items():
        assert names.keys() <= KINDS[kind].fields | KINDS[kind].optional if kind in KINDS else True
