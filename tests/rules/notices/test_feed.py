"""The Atom feed: well-formed, stable ids, both languages, links between pages; and what is said of each entry."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.build.ocds_cases import REFERENCE, whole_tender
from trading.kernel.errors import InvalidInput
from trading.notices.rules.announcement import item, page_of
from trading.notices.rules.feed import Item, Page, parse_item, write_feed

ORIGIN = "log.ggzy.example/audit"
NAMESPACE = {"a": "http://www.w3.org/2005/Atom"}
ADDRESS = "https://ggzy.example/feed.atom?lang=zh"


def items() -> list[Item]:
    tender = next(tender for name, tender in whole_tender() if name == "failed the other lot")
    return [item(case, ORIGIN) for case in tender.published_cases()]


def feed(language: str, shown: list[Item]) -> ET.Element:
    links = {"self": f"{ADDRESS}&before=9", "first": ADDRESS, "next": f"{ADDRESS}&before=4"}
    page = Page(language=language, address=ADDRESS, updated=1_772_413_200_000, items=shown, links=links)
    return ET.fromstring(write_feed(page))  # noqa: S314 - our own


def text(element: ET.Element, path: str) -> str:
    found = element.find(path, NAMESPACE)
    assert found is not None, path
    return found.text or ""


def test_what_rfc_4287_asks_of_a_feed_and_its_entries() -> None:
    for language in ("zh", "en"):
        root = feed(language, items())
        assert root.tag == "{http://www.w3.org/2005/Atom}feed"
        for path in ("a:id", "a:title", "a:updated", "a:author/a:name"):
            assert len(root.findall(path, NAMESPACE)) == 1
            assert text(root, path)
        entries = root.findall("a:entry", NAMESPACE)
        assert len(entries) == len(items())
        for entry in entries:
            for path in ("a:id", "a:title", "a:updated", "a:published", "a:summary"):
                assert len(entry.findall(path, NAMESPACE)) == 1
                assert text(entry, path)
            assert [link.get("rel") for link in entry.findall("a:link", NAMESPACE)] == ["alternate"]


def test_ids_are_the_same_in_both_languages_and_differ_from_each_other() -> None:
    zh, en = (
        [text(entry, "a:id") for entry in feed(language, items()).findall("a:entry", NAMESPACE)]
        for language in ("zh", "en")
    )
    assert zh == en
    assert len(set(zh)) == len(zh)
    assert all(each.startswith("tag:log.ggzy.example,2026-03-02:") for each in zh)


def test_pages_are_linked() -> None:
    links = {link.get("rel"): link.get("href") for link in feed("zh", []).findall("a:link", NAMESPACE)}
    assert links == {"self": f"{ADDRESS}&before=9", "first": ADDRESS, "next": f"{ADDRESS}&before=4"}


def test_every_entry_leads_to_its_page() -> None:
    tender = next(tender for name, tender in whole_tender() if name == "failed the other lot")
    paths = [page_of(case).partition(REFERENCE)[2] for case in tender.published_cases()]
    assert paths == [
        "/notices/1",
        "/notices/2",
        "/questions",
        "/lots/1/opening",
        "/lots/2/opening",
        "/notices/3",
        "/notices/4",
        "",
    ]


def test_the_deadline_is_told_while_bids_may_be_submitted() -> None:
    first, second, *_rest = items()
    assert "投标截止 2026-03-31T10:00:00+08:00" in first.summary_zh
    assert "deadline 2026-04-15T10:00:00+08:00" in second.summary_en
    assert first.title_en == "Tender notice: Servers"
    assert "1 Lot 1; 2 Lot 2" in first.summary_en
    assert not any("deadline" in each.summary_en for each in items()[2:])


def test_an_item_is_read_as_it_was_kept() -> None:
    for each in items():
        assert parse_item(each.document()) == each
    with pytest.raises(InvalidInput):
        parse_item(items()[0].document().replace(b"https://", b"file:///"))


def test_markup_in_a_title_stays_text() -> None:
    bad = Item(**{name: getattr(items()[0], name) for name in Item.__slots__} | {"title_zh": "<b>&</b>"})
    (entry,) = feed("zh", [bad]).findall("a:entry", NAMESPACE)
    assert text(entry, "a:title") == "<b>&</b>"
