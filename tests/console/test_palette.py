"""The colours keep WCAG 2.2 AA: text 4.5:1 (1.4.3), lines, bars and borders of fields 3:1 (1.4.11), in light and in dark.

In: console.css. Out: assertions on contrast ratios. Never: a colour that is not in the style sheet.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import logging_pkg.console

CSS = (Path(logging_pkg.console.__file__).parent / "static/logging_pkg/console/console.css").read_text(encoding="utf-8")
_BLOCKS = {
    "light": CSS[CSS.index(":root {") : CSS.index("@media (prefers-color-scheme: dark)")],
    "dark": CSS[CSS.index("@media (prefers-color-scheme: dark)") : CSS.index(':root[data-theme="dark"]')],
    "dark by choice": CSS[CSS.index(':root[data-theme="dark"]') : CSS.index("* { box-sizing")],
}
PALETTES = {name: dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block)) for name, block in _BLOCKS.items()}
GROUNDS = ("page", "card", "raised")
TEXTS = [
    *((text, ground) for text in ("text", "muted", "accent", "good", "bad", "warn") for ground in GROUNDS),
    ("good", "good-ground"),
    ("bad", "bad-ground"),
    ("warn", "warn-ground"),
    ("accent", "accent-ground"),
    ("text", "accent-ground"),
    ("muted", "accent-ground"),
    ("warn", "accent-ground"),
    ("bad", "accent-ground"),
    ("on-accent", "accent"),
    ("s4", "card"),
    ("s4", "page"),
]
LINES = [
    *((f"s{number}", "card") for number in range(1, 9)),
    *(
        (bar, ground)
        for bar in ("bar", "bar-wait", "bar-gap", "bar-folded", "bar-failed")
        for ground in ("card", "page")
    ),
    *(("control", ground) for ground in GROUNDS),
]


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_is_the_known_one() -> None:
    """Black on white is 21, and #767676 on white the well-known first grey over 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("name", PALETTES)
def test_text_can_be_read(name: str) -> None:
    """Each pair that the style sheet uses."""
    palette = PALETTES[name]
    assert {
        pair: round(ratio, 2) for pair in TEXTS if (ratio := contrast(palette[pair[0]], palette[pair[1]])) < 4.5
    } == {}


@pytest.mark.parametrize("name", PALETTES)
def test_lines_bars_and_fields_can_be_seen(name: str) -> None:
    """Of charts, of waterfalls, of forms."""
    palette = PALETTES[name]
    assert {
        pair: round(ratio, 2) for pair in LINES if (ratio := contrast(palette[pair[0]], palette[pair[1]])) < 3
    } == {}


def test_dark_is_dark_however_it_was_chosen() -> None:
    """By the system or by the switch, the colours are the same; and no rule has a colour of its own."""
    assert PALETTES["dark"] == PALETTES["dark by choice"]
    assert PALETTES["dark"].keys() == PALETTES["light"].keys()
    assert len(PALETTES["light"]) > 25
    rules = CSS[CSS.index("* { box-sizing") :]
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []
