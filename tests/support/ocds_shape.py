"""The shape that imports are held against, derived anew from the official schema: trading/history/rules/shape.toml.

``python -m tests.support.ocds_shape`` prints it where the data are at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.support.ocds_schema import release_schema

_WORDS: Final = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean", "object": "object"}
_FORMATS: Final = {"date-time": "instant", "uri": "uri"}
HEAD: Final = """\
# What the members of a release are, object by object: OCDS 1.1.5 with the extensions bids, lots and bidOpening.
# Derived from the schemas of the Open Contracting Partnership (Apache-2.0) by tests/support/ocds_shape.py.
# A word says what a value is; "id" is a text or an integer, "any" is not looked into; a name in capitals is an object
# below; [] is a list, []+ one with at least one item; | parts the codes of a closed list; ? may be null; ! must be.
"""


def shape() -> dict[str, dict[str, str]]:
    """Return object → member → word. An object that the schema writes inside another one is named after both."""
    schema = release_schema()
    waiting = [("Release", schema)]
    waiting += [(name, part) for name, part in sorted(schema["definitions"].items()) if "properties" in part]
    found: dict[str, dict[str, str]] = {}
    for name, part in waiting:
        required = set(part.get("required", ()))
        found[name] = {}
        for member, each in sorted(part["properties"].items()):
            inside = "properties" in each
            if inside:
                waiting.append((f"{name}{member.capitalize()}", each))
            null = "?" if "null" in each.get("type", ()) else ""
            word = f"{name}{member.capitalize()}{null}" if inside else _word(each, schema)
            found[name][member] = word + ("!" if member in required else "")
    return found


def _word(each: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in each:
        name = each["$ref"].rpartition("/")[2]
        return name if "properties" in schema["definitions"].get(name, {}) else "any"
    kinds = [each["type"]] if isinstance(each.get("type"), str) else list(each.get("type", ()))
    null = "?" if "null" in kinds else ""
    kinds = [kind for kind in kinds if kind != "null"]
    if "array" in kinds:
        item = each.get("items", {})
        closed = item.get("enum")
        word = "|".join(filter(None, closed)) if closed else _word(item, schema)
        return f"[{word}]{'+' if each.get('minItems') else ''}{null}"
    if each.get("enum"):
        return "|".join(filter(None, each["enum"])) + null
    if set(kinds) == {"string", "integer"}:
        return f"id{null}"
    if kinds == ["string"]:
        return _FORMATS.get(each.get("format", ""), "text") + null
    return (_WORDS[kinds[0]] if len(kinds) == 1 else "any") + null


def lines() -> Iterator[str]:
    """Yield the file."""
    yield HEAD
    for name, members in shape().items():
        yield f"[{name}]\n"
        yield from (f'{member} = "{word}"\n' for member, word in members.items())
        yield "\n"


if __name__ == "__main__":
    print("".join(lines()).rstrip("\n"))  # noqa: T201 - a program
