"""Every text has 4.5:1 on its ground and every boundary that means something 3:1, in the light and the dark scheme."""

from __future__ import annotations

import re

import pytest

from trading.app import ROOT

CSS = (ROOT / "static" / "mingbiao.css").read_text(encoding="utf-8")
GROUNDS = ("paper", "sheet", "open-ground", "wait-ground", "done-ground", "stop-ground")
INKS: dict[str, tuple[str, ...]] = {
    "ink": (*GROUNDS, "add-ground", "del-ground"),
    "ink-soft": GROUNDS,
    "link": GROUNDS,
    "link-over": GROUNDS,
    "seal": ("paper", "sheet"),
    "open": ("open-ground", "sheet"),
    "wait": ("wait-ground", "sheet"),
    "done": ("done-ground",),
    "stop": ("stop-ground", "sheet"),
    "sheet": ("link", "link-over"),
    "seal-ink": ("seal",),
}
EDGES = {
    "line-strong": ("paper", "sheet"),
    "seal": ("paper",),
    "done": ("sheet",),
    "focus": ("focus-halo",),
}


def pairs(of: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(front, ground) for front, grounds in of.items() for ground in grounds]


def scheme(name: str) -> dict[str, str]:
    """Read the colours of the light scheme, or of the dark one laid over it."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    text = light if name == "light" else light + dark
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


def luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """The ratio of WCAG 2.2."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_contrast(name: str) -> None:
    colours = scheme(name)
    weak = {f"{ink} on {ground}": round(contrast(colours[ink], colours[ground]), 2) for ink, ground in pairs(INKS)}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    edges = {f"{edge} on {ground}": contrast(colours[edge], colours[ground]) for edge, ground in pairs(EDGES)}
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}
    for ground in ("demo", "stamp"):
        assert contrast("#ffffff", colours[ground]) >= 4.5


def test_the_arithmetic() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54
    assert contrast("#888888", "#ffffff") < 4.5


def test_the_style_sheet_loads_nothing_and_stays_small() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert len(CSS.encode()) < 40_000  # it serves every desk; a whole page may weigh 150 kB (ux 3.1)
    for feature in ("prefers-color-scheme: dark", "@media print", "forced-colors: active", ":focus-visible"):
        assert feature in CSS
