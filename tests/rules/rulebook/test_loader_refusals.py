"""What the loader refuses: each case damages a good set of files in one place."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from trading.rulebook.keys import Key, Regime
from trading.rulebook.loader import load

DATA = Path(__file__).parents[3] / "trading" / "rulebook" / "data"
NATIONAL = "national/government_procurement.toml"
REPLAY = "jurisdictions/demo-replay.toml"
RULES = "rules.toml"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def change(data: Path, name: str, old: str, new: str) -> None:
    path = data / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_undamaged_copy_loads(data: Path) -> None:
    assert load(data).edition_on("cn", date(2026, 3, 1)).count(Key.BIDDERS_MIN, Regime.GP) == 3


CASES = [
    (NATIONAL, 'source = "87-16"\n', "", "missing.*source"),
    (NATIONAL, 'source = "87-16"', 'source = ""', "empty.*source"),
    (NATIONAL, 'title_zh = "招标文件提供期限"\n', "", "missing.*title_zh"),
    (NATIONAL, 'title_en = "Supply period of the tender documents"\n', "", "missing.*title_en"),
    (NATIONAL, 'rule = ["DOC-02"]', "rule = []", "empty.*rule"),
    (NATIONAL, 'rule = ["DOC-02"]', 'rule = ["DOC-99"]', "unknown rules"),
    (NATIONAL, 'unit = "wd"', 'unit = "fortnight"', "fortnight"),
    (NATIONAL, 'regime = ["GP"]', 'regime = ["XX"]', "XX"),
    (NATIONAL, 'key = "bidders.min"', 'key = "bidders.max"', "bidders.max"),
    (NATIONAL, 'compare = ">="', 'compare = "=>"', "=>"),
    (NATIONAL, 'confidence = "V1"', 'confidence = "sure"', "confidence"),
    (NATIONAL, "value = 20", "value = 20.0", "no value in d"),
    (NATIONAL, "value = 20", "value = true", "no value in d"),
    (NATIONAL, "value = 20", "value = -1", "no value in d"),
    (NATIONAL, "value = true", "value = 1", "no value in bool"),
    (NATIONAL, "value = 50", 'value = "fifty"', "no value in %"),
    (NATIONAL, 'starts = "tender.published"\n', "", "what starts it"),
    (NATIONAL, "valid_from = 2003-01-01", 'valid_from = "2003-01-01"', "not a day"),
    (NATIONAL, "valid_from = 2003-01-01", "valid_from = 2003-01-01T00:00:00Z", "not a day"),
    (NATIONAL, "valid_from = 2003-01-01", "valid_from = 2003-01-01\nvalid_to = 2002-12-31", "ends before"),
    (NATIONAL, "valid_from = 2003-01-01", "valid_from = 2003-01-01\nnote = 1", "unknown.*note"),
    (NATIONAL, "schema_version = 1", "schema_version = 2", "schema_version"),
    (NATIONAL, 'jurisdiction = "cn"', 'jurisdiction = "xx"', "national rows"),
    (REPLAY, 'unit = "count"', 'unit = "years"\nstarts = "x"', "elsewhere in count"),
    (RULES, 'article = "', 'article = ""\nx = "', "unknown.*x"),
    (RULES, 'id = "TIM-02"', 'id = "TIM-01"', "TIM-01 twice"),
    (RULES, 'confidence = "V1"', 'confidence = "V9"', "confidence"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), CASES)
def test_a_damaged_row_is_refused(data: Path, name: str, old: str, new: str, message: str) -> None:
    change(data, name, old, new)
    with pytest.raises(ValueError, match=message):
        load(data)


ROW = """
[[parameter]]
key = "bidders.min"
value = 4
unit = "count"
regime = ["TL", "GP"]
rule = ["OPN-02"]
source = "test"
confidence = "V1"
compare = ">="
valid_from = {start}
title_zh = "x"
title_en = "x"
"""


def succeed(data: Path, end: str, start: str) -> None:
    """End the row of ``bidders.min`` and let another one begin."""
    path = data / NATIONAL
    head, tail = path.read_text().split('key = "bidders.min"')
    tail = tail.replace("valid_from = 2003-01-01", f"valid_from = 2003-01-01\nvalid_to = {end}", 1)
    path.write_text(f'{head}key = "bidders.min"{tail}{ROW.format(start=start)}')


@pytest.mark.parametrize(
    ("end", "start", "message"),
    [
        ("2026-12-31", "2026-12-31", "overlap on 2026-12-31"),
        ("2026-12-31", "2027-01-02", "no row of bidders.min"),
    ],
)
def test_a_gap_or_an_overlap_is_refused(data: Path, end: str, start: str, message: str) -> None:
    succeed(data, end, start)
    with pytest.raises(ValueError, match=message):
        load(data)


def test_a_second_open_row_overlaps(data: Path) -> None:
    path = data / NATIONAL
    path.write_text(path.read_text() + ROW.format(start="2026-12-31"))
    with pytest.raises(ValueError, match="overlap"):
        load(data)


def test_a_changed_number_is_a_new_row(data: Path) -> None:
    succeed(data, "2026-12-31", "2027-01-01")
    book = load(data)
    days = (date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1))
    editions = [book.edition_on("cn", day) for day in days]
    assert [edition.count(Key.BIDDERS_MIN, Regime.GP) for edition in editions] == [3, 3, 4]
    assert [edition.id for edition in editions] == ["cn.2026-02-01", "cn.2026-02-01", "cn.2027-01-01"]
    assert book.newest("cn") == editions[2]


def test_a_key_without_national_row_is_refused(data: Path) -> None:
    change(data, NATIONAL, "abnormal_low.k_max", "abnormal_low.check")
    with pytest.raises(ValueError, match=r"abnormal_low|overlap"):
        load(data)


def test_two_files_of_one_jurisdiction_are_joined_and_must_agree(data: Path) -> None:
    second = (data / REPLAY).read_text().split("[[parameter]]")[0]
    (data / "jurisdictions" / "more.toml").write_text(
        second + ROW.replace("bidders.min", "x").format(start="2000-01-01")
    )
    with pytest.raises(ValueError, match="x"):
        load(data)
    row = ROW.replace("bidders.min", "bidders.min").format(start="2000-01-01")
    (data / "jurisdictions" / "more.toml").write_text(second.replace("demo.replay", "demo.other") + row)
    assert load(data).edition_on("demo.other", date(2026, 3, 1)).count(Key.BIDDERS_MIN, Regime.GP) == 4
    (data / "jurisdictions" / "more.toml").write_text(second.replace('"Demonstration', '"Other') + row)
    with pytest.raises(ValueError, match="two names"):
        load(data)


def test_overrides_of_an_installation_are_read_from_their_own_folder(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "overrides"
    folder.mkdir()
    head = 'schema_version = 1\njurisdiction = "cn.330100"\ntitle_zh = "某市"\ntitle_en = "A city"\n'
    (folder / "city.toml").write_text(head + ROW.format(start="2020-01-01"))
    edition = load(data, folder).edition_on("cn.330100", date(2026, 3, 1))
    assert (edition.count(Key.BIDDERS_MIN, Regime.GP), edition.demo) == (4, False)
