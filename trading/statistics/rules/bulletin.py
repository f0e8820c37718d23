"""The bulletin of a month (月报): canonical bytes that anybody makes again from the published releases of its days.

What happened in a month is in the pictures released in it and on the day after it: every opening, award and failure
makes a release. The bulletin names the first and last release that were read, their number and the SHA-256 of their
lines, so that whoever has the files of these days knows whether they are the same. Later corrections change the page of
statistics, never a bulletin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trading.kernel.canonical import dumps, loads_object
from trading.notices.rules import exact_json
from trading.notices.rules.ocds import date_time
from trading.statistics.rules.cube import BY, By, Figure, Sum, cube, grouped, select, total
from trading.statistics.rules.facts import Picture, keep, read
from trading.statistics.rules.indicators import INDICATORS
from trading.statistics.rules.months import Month

TYPE: Final = "mb.bulletin"
_LIMIT: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class Reading:
    """Releases as they are read, in the order of publication: pictures, how many, first and last, digest of lines."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    count: int = 0
    first: str | None = None
    last: str | None = None
    lines: Any = field(default_factory=hashlib.sha256)

    def add(self, raw: bytes) -> None:
        """Read one release, byte for byte as it was published.

        Raises:
            ValueError: It is no release.
        """
        picture = read(raw)
        keep(self.pictures, picture)
        self.count += 1
        self.last = picture.place[2]
        self.first = self.first or self.last
        self.lines.update(raw + b"\n")


def bulletin(month: Month, releases: Iterable[bytes]) -> bytes:
    """Return the bulletin of a month.

    Args:
        month: Which has ended.
        releases: Those published from its beginning to the end of the day after it, in the order of publication.

    Raises:
        ValueError: One is no release, or a sum exceeds 2^53 − 1.
    """
    seen = Reading()
    for raw in releases:
        seen.add(raw)
    whole = cube(each.tender for each in seen.pictures.values())
    found = select(whole, lambda key: key.month == month.name)
    content: dict[str, Any] = {
        "typ": TYPE,
        "v": 1,
        "month": month.name,
        "from": date_time(month.start),
        "until": date_time(month.end),
        "read_until": date_time(month.read_until),
        "releases": {
            "count": seen.count,
            "first": seen.first,
            "last": seen.last,
            "lines_sha256": seen.lines.hexdigest(),
        },
        "figures": [told(each) for each in total(found)],
        **{
            f"by_{by}": [told(each, found.agencies) for rows in grouped(found, by).values() for each in rows]
            for by in BY
            if by != "month"
        },
    }
    return dumps(content)


def told(figure: Figure, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a figure as the bulletin and the JSON of the page tell it; ``names`` are those of agencies."""
    group = {"group": figure.group} if figure.group else {}
    name = {"name": names[figure.group]} if names and figure.group in names else {}
    return {
        "indicator": figure.indicator.code,
        **group,
        **name,
        "numerator": figure.sum.numerator,
        "denominator": None if figure.indicator.unit == "count" else figure.sum.denominator,
        "value": figure.text,
        "left_out": [{"reason": reason, "count": count} for reason, count in figure.sum.left],
    }


def parse(raw: bytes) -> dict[str, Any]:
    """Read a bulletin.

    Raises:
        InvalidInput: The bytes are not canonical.
    """
    return loads_object(raw, _LIMIT)


def figures(content: Mapping[str, Any], by: By | None = None) -> list[Figure]:
    """Return the figures that a bulletin tells, in all or by a dimension."""
    known = {each.code: each for each in INDICATORS}
    return [
        Figure(
            indicator=known[row["indicator"]],
            group=row.get("group", ""),
            sum=Sum(
                row["numerator"],
                row["denominator"] or 0,
                tuple((left["reason"], left["count"]) for left in row["left_out"]),
            ),
        )
        for row in content["figures" if by is None else f"by_{by}"]
    ]


def slice_of(lines: Sequence[bytes], first: str | None, last: str | None) -> Sequence[bytes] | None:
    """Return the releases from the first to the last named, in the order given; None if one of them is not there."""
    if first is None or last is None:
        return []
    names = [exact_json.loads(each).get("id") for each in lines]
    if first not in names or last not in names:
        return None
    return lines[names.index(first) : len(names) - names[::-1].index(last)]


def differing(told_by: dict[str, Any], made: dict[str, Any]) -> list[str]:
    """Return where two bulletins differ, as paths."""
    found: list[str] = []
    _compare("", told_by, made, found)
    return found


def _compare(path: str, one: object, other: object, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            _compare(f"{path}/{name}", one.get(name), other.get(name), found)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            _compare(f"{path}/{number}", left, right, found)
    elif one != other:
        found.append(path)
