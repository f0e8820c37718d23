"""Items of the Atom feed (RFC 4287) and the feed itself, paged by links (RFC 5005).

What is published of an entry is an item in both languages; its id never changes. The feed is written from the items in
the language of the reader, so that one publication is one entry of the feed in either language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from trading.kernel import canonical
from trading.kernel.fields import Table, instant, matching, text
from trading.notices.rules.ocds.terms import date_time

_ATOM: Final = "http://www.w3.org/2005/Atom"
_FIELDS: Final = Table(
    "mb.feed-item",
    {
        "category": text,
        "id": text,
        "published": instant,
        "summary_en": text,
        "summary_zh": text,
        "title_en": text,
        "title_zh": text,
        "url": matching(r"https?://\S+"),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of the feed; ``published`` is the instant (ms) of the record, ``category`` its kind."""

    id: str
    category: str
    published: int
    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    url: str

    def document(self) -> bytes:
        """Return the canonical bytes that are kept and hashed."""
        return canonical.dumps(
            {**{name: getattr(self, name) for name in self.__slots__}, "typ": "mb.feed-item", "v": 1}
        )


def parse_item(raw: bytes) -> Item:
    """Read what ``Item.document`` returns.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return Item(**_FIELDS.read(raw))


def item_id(origin: str, at: int, h: str) -> str:
    """Return the id of the item of an entry: a tag URI (RFC 4151) of the log's name, the entry's day and commitment."""
    authority, _slash, _rest = origin.partition("/")
    return f"tag:{authority},{date_time(at)[:10]}:{h}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the feed; ``links`` by relation: self, first, next, previous, alternate."""

    language: str  # zh or en
    address: str  # of the first page in this language: the id of the feed
    updated: int
    items: Sequence[Item]
    links: Mapping[str, str]


def write_feed(page: Page) -> bytes:
    """Return the page as an Atom document."""
    english = page.language == "en"
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": "en" if english else "zh-Hans-CN"})
    _add(root, "id", page.address)
    _add(root, "title", "Mingbiao: published notices" if english else "明标：已发布的公告")
    _add(root, "updated", date_time(page.updated))
    author = ET.SubElement(root, "author")
    _add(author, "name", "Mingbiao" if english else "明标公共资源交易平台")
    for relation, url in page.links.items():
        ET.SubElement(root, "link", {"rel": relation, "href": url})
    for item in page.items:
        _add_item(root, item, english=english)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _add_item(root: ET.Element, item: Item, *, english: bool) -> None:
    entry = ET.SubElement(root, "entry")
    _add(entry, "id", item.id)
    _add(entry, "title", item.title_en if english else item.title_zh)
    _add(entry, "published", date_time(item.published))
    _add(entry, "updated", date_time(item.published))
    _add(entry, "summary", item.summary_en if english else item.summary_zh)
    ET.SubElement(entry, "category", {"term": item.category})
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": item.url})


def _add(parent: ET.Element, name: str, content: Any) -> None:  # noqa: ANN401 - text
    ET.SubElement(parent, name).text = str(content)
