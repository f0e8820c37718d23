"""Both languages are complete, obey the copy rules of ux 5, and say the three things a refusal must say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trading.web import catalogues, refusals
from trading.web.locale import LANGUAGES

ROOT = catalogues.ROOT
BANNED = {
    "en": re.compile(r"\b(?:please|sorry|valid|invalid|forbidden|illegal|oops)\b", re.IGNORECASE),
    "zh": re.compile("请稍后再试|系统繁忙|非法|无效|操作失败|未知错误|参数错误"),
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def texts(language: str) -> dict[str, str]:
    """Every text of one language, by where it stands."""
    found: dict[str, str] = {}
    for message in catalogues.read(LANGUAGES[language]):
        if message.id:
            strings = message.string if isinstance(message.string, tuple | list) else [message.string]
            found |= {f"{message.id} [{place}]": str(string) for place, string in enumerate(strings)}
    for code, refusal in refusals.catalogue().items():
        found[code] = refusal.texts[language].joined(" ") + refusal.detailed.get(language, "")
    return found


def test_catalogues_are_complete() -> None:
    assert list(catalogues.problems()) == []


def test_the_check_sees_a_missing_text(tmp_path: Path) -> None:
    """Negative control: a catalogue with an emptied and a forgotten text is not complete."""
    for locale in LANGUAGES.values():
        source = catalogues.po_path(locale).read_text(encoding="utf-8")
        target = catalogues.po_path(locale, tmp_path)
        target.parent.mkdir(parents=True)
        source = source.replace('msgid "Ranking"', 'msgid "Rankings"') if locale == "en" else source
        target.write_text(re.sub(r'(msgid "Home"\nmsgstr) ".*"', r'\1 ""', source), encoding="utf-8")
    found = list(catalogues.problems(tmp_path))
    assert any("not translated: Home" in line for line in found)
    assert any("en: not in the catalogue: Ranking" in line for line in found)
    assert any("en: no longer used: Rankings" in line for line in found)


def test_updating_changes_nothing_when_nothing_changed(tmp_path: Path) -> None:
    for locale in LANGUAGES.values():
        target = catalogues.po_path(locale, tmp_path)
        target.parent.mkdir(parents=True)
        target.write_bytes(catalogues.po_path(locale).read_bytes())
    catalogues.update(tmp_path)
    for locale in LANGUAGES.values():
        assert catalogues.po_path(locale, tmp_path).read_bytes() == catalogues.po_path(locale).read_bytes()


@pytest.mark.parametrize("language", BANNED)
def test_banned_words(language: str) -> None:
    assert [key for key, text in texts(language).items() if BANNED[language].search(text)] == []


def test_everybody_is_addressed_alike() -> None:
    polite = {key for key, text in texts("zh").items() if "您" in text}
    plain = {key for key, text in texts("zh").items() if "你" in text}
    assert polite == set()
    assert len(plain) > 100  # control: the texts do address people


def test_the_banned_words_are_seen() -> None:
    assert BANNED["en"].search("This is not valid.")
    assert not BANNED["en"].search("The check validates.")
    assert BANNED["zh"].search("操作失败，请重试")


def test_chinese_texts_are_chinese_and_english_ones_are_not() -> None:
    assert [key for key, text in texts("en").items() if CHINESE.search(text)] == []
    # A few Chinese texts have no Chinese character at all: names of formats.
    assert [key for key, text in texts("zh").items() if not CHINESE.search(text)] == []


def test_placeholders_agree() -> None:
    pattern = re.compile(r"%\((\w+)\)[sd]")
    for message in catalogues.read(LANGUAGES["zh"]):
        if message.id:
            source = message.id if isinstance(message.id, str) else message.id[1]
            target = message.string if isinstance(message.string, str) else (message.string or [""])[0]
            assert sorted(pattern.findall(source)) == sorted(pattern.findall(target)), source


@pytest.mark.parametrize("code", refusals.catalogue())
def test_a_refusal_says_three_things(code: str) -> None:
    refusal = refusals.catalogue()[code]
    for language in refusals.LANGUAGES:
        text = refusal.texts[language]
        for sentence in (text.happened, text.stands, text.next):
            assert sentence.strip().endswith("。" if language == "zh" else "."), sentence
        facts = dict.fromkeys(refusal.facts, 1_778_558_400_000)
        assert "{" not in refusal.say(language, facts).joined()
        assert refusal.say(language, {}) == text


def test_every_code_in_the_source_has_a_text() -> None:
    raised = re.compile(r'(?:RuleBroken|InvalidInput)\(\s*"([a-z_]+(?:\.[a-z_]+)*)"')
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "trading").rglob("*.py"))
    codes = set(raised.findall(source))
    assert "bid.late" in codes
    assert sorted(code for code in codes if not refusals.is_covered(code)) == []


def test_the_codes_of_the_protocols_have_texts_of_their_own() -> None:
    listed = (
        "bid.late bid.closed bid.version_conflict bid.copied bid.part_missing bid.part_mismatch bid.part_shape",
        "bid.part_too_large bid.too_many_versions policy.mismatch policy.superseded clock.hold busy",
        "doc.not_canonical doc.unknown_field doc.bad_field doc.too_large sig.missing sig.invalid sig.key_unknown",
        "sig.key_revoked factor.mismatch factor.late",
    )
    codes = [code for line in listed for code in line.split()]
    assert [code for code in codes if code not in refusals.catalogue()] == []


def test_no_text_stands_outside_the_catalogues() -> None:
    """What a reader sees comes from gettext or from data: no bare word between tags or in a spoken attribute."""
    hidden = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
    tones = re.compile(r"\{% macro \w+_tone\(.*?endmacro %\}", re.DOTALL)  # names of colours, not texts
    spoken = re.compile(r'(?:title|aria-label|placeholder|alt)="([^"]*)"')
    words = re.compile(r"[A-Za-z\u4e00-\u9fff]{2,}")
    # The name on the seal, the two languages in their own words, commands, a hash function and a path.
    allowed = {"明标", "中文", "English", "SHA", "verify", "python", "sha", "sum", "py", "bundle", "zip", "trust"}
    allowed |= {"json", "against", "checkpoint", "log", "tile", "mingbiao", "experts", "import", "draw"}
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = tones.sub(" ", path.read_text(encoding="utf-8"))
        text = hidden.sub(" ", text)
        seen = " ".join([*spoken.findall(text), re.sub(r"<[^>]*>", " ", text)])
        assert {word for word in words.findall(seen) if word not in allowed} == set(), path
