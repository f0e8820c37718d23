"""References inside a release that lead nowhere: a contract without its award, an organisation that is no party."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Members that refer to an organisation of ``parties``.
_ORGANISATIONS = ("buyer", "procuringEntity", "suppliers", "tenderers")


def missing(release: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield (path, id) of every reference whose target is not in the release; of lists that are there at all."""
    tender, awards = release.get("tender"), release.get("awards")
    lots = _ids(tender.get("lots")) if isinstance(tender, dict) else None
    known = {"awardID": _ids(awards), "relatedLot": lots, "relatedLots": lots}
    parties = _ids(release.get("parties"))
    yield from _walk(release, "", known, parties)


def _walk(
    value: object, path: str, known: Mapping[str, frozenset[str] | None], parties: frozenset[str] | None
) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, f"{path}/{number}", known, parties)
        return
    for name, each in value.items() if isinstance(value, dict) else ():
        at = f"{path}/{name}".lstrip("/")
        listed = each if isinstance(each, list) else [each]
        targets = known.get(name)
        if targets is not None:
            yield from ((at, one) for one in listed if isinstance(one, str | int) and str(one) not in targets)
        if name in _ORGANISATIONS and parties is not None:
            ids = [one.get("id") for one in listed if isinstance(one, dict)]
            yield from ((f"{at}/id", one) for one in ids if isinstance(one, str | int) and str(one) not in parties)
        yield from _walk(each, at, known, parties)


def _ids(listed: object) -> frozenset[str] | None:
    if not isinstance(listed, list):
        return None
    return frozenset(str(each.get("id")) for each in listed if isinstance(each, dict))
