"""The compiled release: all releases of a procedure merged by the rules of OCDS 1.1.

Releases are taken in the order of their dates. A later value replaces an earlier one and null removes it; lists of
objects with ids are merged by id, other lists and the named ones are replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

# Fields with omitWhenMerged, and names of lists with wholeListMerge, of release schema 1.1.5 and the three extensions.
_OMITTED: Final = frozenset({"date", "id", "tag"})
_WHOLE: Final = frozenset({"additionalClassifications", "additionalIdentifiers", "identifiers"})


def compiled(releases: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the compiled release; its date is that of the newest release.

    Raises:
        ValueError: No release, or releases of several procedures.
    """
    ordered = sorted(releases, key=lambda each: str(each["date"]))
    if len({each["ocid"] for each in ordered}) != 1:
        raise ValueError("a compiled release is made of the releases of one procedure")
    newest = ordered[-1]
    merged: dict[str, Any] = {}
    for each in ordered:
        _merge(merged, {name: item for name, item in each.items() if name not in _OMITTED})
    head = {"ocid": newest["ocid"], "id": f"{newest['ocid']}-{newest['date']}", "date": newest["date"]}
    return {**head, "tag": ["compiled"], **{name: item for name, item in merged.items() if name != "ocid"}}


def _merge(into: dict[str, Any], update: Mapping[str, Any]) -> None:
    for name, item in update.items():
        before = into.get(name)
        if item is None:
            into.pop(name, None)
        elif isinstance(item, dict):
            into[name] = dict(before) if isinstance(before, dict) else {}
            _merge(into[name], item)
        elif isinstance(item, list) and name not in _WHOLE and _identified(item):
            into[name] = _merged_list(before if isinstance(before, list) else [], item)
        else:
            into[name] = item


def _identified(items: list[Any]) -> bool:
    """Whether a list is one of objects with ids."""
    return bool(items) and all(isinstance(item, dict) and item.get("id") is not None for item in items)


def _merged_list(before: list[Any], update: list[Any]) -> list[Any]:
    found: dict[object, dict[str, Any]] = {}
    for item in [*before, *update]:
        mine = dict(found.get(item["id"], {}))
        _merge(mine, item)
        found[item["id"]] = mine
    return list(found.values())
