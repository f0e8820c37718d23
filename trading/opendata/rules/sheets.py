"""Releases as tables: a row for each lot, bid, award … of each release; columns are named by their paths in OCDS.

Every row begins with ``ocid``, ``id``, ``date`` and ``tag`` of its release: a release is a picture of the whole
procedure, so a lot stands in as many rows as there are releases. What is a list in a row is written as JSON. A member
that has no column stands as JSON in the last one, ``other``: nothing is lost, and columns never change their places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from trading.notices.rules import exact_json

Cell: TypeAlias = str | int | Decimal | None
_RELEASE: Final = ("ocid", "id", "date", "tag")
OTHER: Final = "other"
_VALUE: Final = "value/amount value/currency"
_PERIODS: Final = "tenderPeriod/startDate tenderPeriod/endDate"
_OPENING: Final = "bidOpening/date bidOpening/address/countryName bidOpening/description"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table.

    Attributes:
        name: Of the sheet and of the CSV file.
        title_zh, title_en: What is in it.
        sources: Paths of the arrays whose objects are its rows; an empty one stands for the release itself.
        prefix: Of its columns.
        own: Its columns after those of the release.
        shared: Whether several objects of a release have such an array: then two columns say which one it was.
    """

    name: str
    title_zh: str
    title_en: str
    sources: tuple[tuple[str, ...], ...]
    prefix: str
    own: tuple[str, ...]
    shared: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the heads of all columns."""
        place = (f"{self.prefix}of", f"{self.prefix}of/id") if self.shared else ()
        return (*_RELEASE, *place, *(self.prefix + name for name in self.own), OTHER)


def _sheet(name: str, titles: tuple[str, str], sources: str, prefix: str, own: str, *, shared: bool = False) -> Sheet:
    return Sheet(
        name=name,
        title_zh=titles[0],
        title_en=titles[1],
        sources=tuple(tuple(filter(None, each.split("/"))) for each in sources.split(" ")),
        prefix=prefix,
        own=tuple(own.split()),
        shared=shared,
    )


SHEETS: Final = (
    _sheet(
        "tenders",
        ("采购项目", "procedures"),
        "",
        "",
        "language initiationType buyer/id buyer/name tender/id tender/title tender/title_en tender/description "
        "tender/description_en tender/status tender/procuringEntity/id tender/procuringEntity/name "
        "tender/procurementMethod tender/procurementMethodDetails tender/mainProcurementCategory tender/awardCriteria "
        "tender/awardCriteriaDetails tender/awardCriteriaDetails_en tender/value/amount tender/value/currency "
        "tender/submissionMethod tender/submissionMethodDetails tender/tenderPeriod/startDate "
        "tender/tenderPeriod/endDate tender/hasEnquiries tender/enquiryPeriod/endDate tender/numberOfTenderers "
        "tender/tenderers tender/bidOpening/date tender/bidOpening/address/countryName tender/bidOpening/description",
    ),
    _sheet(
        "lots",
        ("标段（包）", "lots"),
        "tender/lots",
        "tender/lots/",
        f"id title description status {_VALUE} {_PERIODS} {_OPENING}",
    ),
    _sheet(
        "items",
        ("采购标的", "items of tenders, awards and contracts"),
        "tender/items awards/items contracts/items",
        "items/",
        "id description description_en classification/scheme classification/id classification/description quantity "
        "unit/name relatedLot",
        shared=True,
    ),
    _sheet(
        "bids",
        ("已开启的投标", "bids after their opening"),
        "bids/details",
        "bids/details/",
        f"id status tenderers {_VALUE} relatedLots hasRank rank description",
    ),
    _sheet(
        "statistics",
        ("已开标标段的投标统计", "counts of bids of opened lots"),
        "bids/statistics",
        "bids/statistics/",
        "id measure value relatedLot",
    ),
    _sheet(
        "awards",
        ("中标结果和流标", "awards and failed lots"),
        "awards",
        "awards/",
        f"id status date description {_VALUE} suppliers relatedLots relatedBids",
    ),
    _sheet("contracts", ("合同", "contracts"), "contracts", "contracts/", f"id awardID status {_VALUE} dateSigned"),
    _sheet(
        "documents",
        ("公告和文件", "notices and documents"),
        "tender/documents awards/documents contracts/documents",
        "documents/",
        "id documentType title title_en url datePublished format language relatedLots",
        shared=True,
    ),
    _sheet(
        "parties",
        ("参与各方", "organisations"),
        "parties",
        "parties/",
        "id name name_en identifier/scheme identifier/id identifier/legalName roles",
    ),
    _sheet(
        "amendments",
        ("更正和顺延", "corrections and moved deadlines"),
        "tender/amendments",
        "tender/amendments/",
        "id date rationale description amendsReleaseID releaseID",
    ),
)
#: Arrays with a sheet of their own, which no other row repeats.
_APART: Final = frozenset("/".join(source) for sheet in SHEETS for source in sheet.sources if source)


def rows(sheet: Sheet, release: Mapping[str, Any]) -> Iterator[list[Cell]]:
    """Yield the rows of one release in a sheet, a cell for each column.

    Args:
        sheet: One of ``SHEETS``.
        release: As ``exact_json.loads`` reads it: numbers with a fraction are ``Decimal``.
    """
    head = [_cell(release.get(name)) for name in _RELEASE]
    for source in sheet.sources:
        for place, item in _objects(release, source):
            cells = dict(_flat(item, "", "/".join(source)))
            if not source:
                cells = {name: cell for name, cell in cells.items() if name not in _RELEASE}
            known = [cells.pop(name, None) for name in sheet.own]
            rest = exact_json.dumps(cells).decode() if cells else None
            yield [*head, *(place if sheet.shared else ()), *known, rest]


def _objects(release: Mapping[str, Any], source: Sequence[str]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Yield the objects of an array with what it stands in: name of the section, and its id."""
    if not source:
        yield ("", ""), release
        return
    section = release.get(source[0], {})
    if len(source) == 1:
        yield from ((("", ""), each) for each in section)
        return
    for parent in section if isinstance(section, list) else [section]:
        yield from (((source[0], str(parent.get("id", ""))), each) for each in parent.get(source[1], ()))


def _flat(item: Mapping[str, Any], prefix: str, where: str) -> Iterator[tuple[str, Cell]]:
    for name, value in item.items():
        path = f"{where}/{name}".lstrip("/")
        if path in _APART:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}/", path)
        else:
            yield f"{prefix}{name}", _cell(value)


def _cell(value: object) -> Cell:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return value
        case _:
            return exact_json.dumps(value).decode()
