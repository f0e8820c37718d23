"""What a list of history shows and searches of a row: ids, date, title, buyer and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.history.rules.faults import is_record, releases_in

_LONGEST: Final = 500
_MOST_WORDS: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Texts as the row has them, None where it has none; ``words`` is what a search looks in, in small letters."""

    kind: str
    ocid: str | None
    release_id: str | None
    date: str | None
    title: str | None
    buyer: str | None
    words: str


def digest(value: object) -> Digest:
    """Return what is shown of a row; of a record, what its compiled or last release says."""
    if not isinstance(value, dict):
        return Digest(kind="broken", ocid=None, release_id=None, date=None, title=None, buyer=None, words="")
    record = is_record(value)
    *_, (release, _path) = [({}, ""), *releases_in(value)]
    tender, buyer = (_mapping(release.get(name)) for name in ("tender", "buyer"))
    return Digest(
        kind="record" if record else "release",
        ocid=_text(value.get("ocid")) or _text(release.get("ocid")),
        release_id="" if record else _text(value.get("id")),
        date=_text(release.get("date")),
        title=_text(tender.get("title")) or _text(_mapping(release.get("planning")).get("rationale")),
        buyer=_text(buyer.get("name")),
        words=" ".join(_words(release, tender))[:_MOST_WORDS].casefold(),
    )


def _words(release: Mapping[str, Any], tender: Mapping[str, Any]) -> Iterator[str]:
    buyer = _mapping(release.get("buyer"))
    texts = [release.get("ocid"), release.get("id"), buyer.get("name"), tender.get("title"), tender.get("description")]
    parties = release.get("parties")
    texts += [_mapping(each).get("name") for each in (parties if isinstance(parties, list) else ())]
    yield from filter(None, map(_text, texts))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    # The database has no place for U+0000, nor UTF-8 for half of a pair; the row's own bytes are kept as they are.
    return str(value)[:_LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
