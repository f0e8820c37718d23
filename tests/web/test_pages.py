"""Every page in every state, in both languages: it renders, it is well formed, and nobody is left out."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from flask.testing import FlaskClient
from typing_extensions import override

from tests.build.pages import Sample
from tests.build.samples import samples
from trading.app import ROOT
from trading.web.banner import TEXT

SAMPLES = {sample.name: sample for sample in samples()}
LANGUAGES = {"zh": "zh-Hans-CN", "en": "en"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
# SVG shapes close themselves.
SHAPES = {"circle", "line", "path", "rect"}


class Outline(HTMLParser):
    """What the checks below ask about a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.problems: list[str] = []
        self.tables = 0
        self.captions = 0
        self.headings: list[int] = []
        self.feed(text)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if len(values) != len(attrs):
            self.problems.append(f"<{tag}> names an attribute twice")
        self.tags.append((tag, values))
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.tables += tag == "table"
        self.captions += tag == "caption" and self.open[-1:] == ["table"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "p" and "p" in self.open:
            self.problems.append("a paragraph inside a paragraph")
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in SHAPES | VOID:
            self.problems.append(f"<{tag}/> does not close itself")

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")


def fetch(client: FlaskClient, name: str, language: str) -> tuple[str, Outline]:
    answer = client.get(f"/gallery/{name}?lang={language}")
    assert answer.status_code == 200
    return answer.text, Outline(answer.text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_page(samples_client: FlaskClient, name: str, language: str) -> None:
    text, outline = fetch(samples_client, name, language)
    assert outline.problems == []
    assert outline.open == []
    _check_structure(outline)
    _check_names(outline)
    _check_nothing_runs(text, outline)
    assert dict(outline.tags)["html"] == {"lang": LANGUAGES[language]}
    assert text.count(TEXT) == 1
    assert len(gzip.compress(text.encode())) < 30_000, "ux 3.1: far below 150 KB in total as it travels"


def _check_structure(outline: Outline) -> None:
    assert outline.headings.count(1) == 1, "one h1"
    content = outline.headings[outline.headings.index(1) :]
    assert all(after <= before + 1 for before, after in pairwise(content)), content
    assert outline.tables == outline.captions, "every table has a caption"
    assert len(outline.ids) == len(set(outline.ids)), [each for each in outline.ids if outline.ids.count(each) > 1]
    tags = [tag for tag, _ in outline.tags]
    drawings = [values for tag, values in outline.tags if tag == "svg"]
    pictures = sum(values.get("role") == "img" for values in drawings)
    assert all(values.get("role") == "img" or values.get("aria-hidden") == "true" for values in drawings)
    for landmark in ("header", "main", "footer", "title"):
        assert tags.count(landmark) == (1 + pictures if landmark == "title" else 1), landmark
    assert ("a", {"class": "skip", "href": "#main"}) in outline.tags


def _check_names(outline: Outline) -> None:
    """Whatever points at an id points at one that exists; every field has a label, every header a scope."""
    labels = {values.get("for") for tag, values in outline.tags if tag == "label"}
    for tag, values in outline.tags:
        for attribute in ("aria-labelledby", "aria-describedby"):
            for target in (values.get(attribute) or "").split():
                assert target in outline.ids, (tag, attribute, target)
        href = values.get("href") or ""
        assert href != "#"
        if href.startswith("#"):
            assert href[1:] in outline.ids, href
        if tag in {"input", "select"} and values.get("type") != "hidden":
            assert values.get("id") in labels, values
        if tag == "th":
            assert values.get("scope") in {"row", "col"}
        if values.get("class") == "scroller":
            assert values.get("tabindex") == "0", "a scrolling region can be reached with the keyboard"
        if tag == "nav":
            assert values.get("aria-label")


def _check_nothing_runs(text: str, outline: Outline) -> None:
    """No script in the page, no inline style, nothing from elsewhere: the content security policy would stop it all."""
    for tag, values in outline.tags:
        assert tag not in {"style", "iframe", "object", "embed"}
        if tag == "script" and (values.get("src") or "").startswith("/static/seal/"):
            assert values.get("integrity"), "what holds secrets demands its scripts (F41)"
        if tag == "script":
            assert re.fullmatch(r"/static/(?:[a-z]+/)?[a-z]+\.js", values.get("src") or ""), (
                "a file of our own, never a script in the page"
            )
        assert "style" not in values
        assert not [name for name in values if name.startswith("on")]
        for name in ("src", "href", "action"):
            value = values.get(name) or ""
            assert not re.match(r"(?:[a-z]+:)?//|javascript:", value), value
    assert "None" not in re.sub(r"<[^>]*>", "", text).split(), "a missing value reached the page"


@pytest.mark.parametrize("name", SAMPLES)
def test_each_language_stays_in_its_own(samples_client: FlaskClient, name: str) -> None:
    """The English page differs from the Chinese one, and both have the language switch to the same address."""
    chinese, _ = fetch(samples_client, name, "zh")
    english, _ = fetch(samples_client, name, "en")
    assert chinese != english
    assert f'href="/gallery/{name}?lang=en"' in chinese
    assert f'href="/gallery/{name}?lang=zh"' in english
    assert "公共资源交易平台" in chinese
    assert "公共资源交易平台" not in english


def test_a_table_has_a_caption_control() -> None:
    """Negative control for the checks above: each broken page is caught."""
    frame = (
        '<html lang="en"><title></title><a class="skip" href="#main"></a><header></header>{}<footer></footer></html>'
    )
    broken = {
        "no caption": '<main id="main"><h1></h1><table><tr></tr></table></main>',
        "two h1": '<main id="main"><h1></h1><h1></h1></main>',
        "skipped level": '<main id="main"><h1></h1><h3></h3></main>',
        "same id": '<main id="main"><h1 id="main"></h1></main>',
    }
    _check_structure(Outline(frame.format('<main id="main"><h1></h1></main>')))
    for name, body in broken.items():
        with pytest.raises(AssertionError):
            _check_structure(Outline(frame.format(body)))
        assert name
    assert Outline("<p><b></p></b>").problems


def test_every_template_is_shown() -> None:
    """A template that no sample shows is unused or untested; fragments begin with an underscore."""
    shown = {sample.template for sample in SAMPLES.values()} | {"layout.html", "error.html"}
    there = {
        str(path.relative_to(ROOT / "templates"))
        for path in (ROOT / "templates").rglob("*.html")
        if not path.name.startswith("_")
    }
    assert there == shown


def test_samples_have_names_of_their_own() -> None:
    assert len(SAMPLES) == len(list(samples()))
    assert all(isinstance(sample, Sample) for sample in SAMPLES.values())
