"""Durations and series, in promtool's notation."""

from __future__ import annotations

import pytest

from logging_pkg.pipeline.rules_test.values import duration_ns, duration_text, series

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0m", 0),
        ("30s", 30 * S),
        ("5m", 300 * S),
        ("1h30m", 5400 * S),
        ("1m30s", 90 * S),
        ("250ms", S // 4),
        ("5m250ms", 300 * S + S // 4),
        ("1d", 86_400 * S),
        ("1w", 604_800 * S),
        ("-20h", -72_000 * S),
    ],
)
def test_a_duration_is_read(text: str, expected: int) -> None:
    """Units from the largest to the smallest, a sign before them."""
    assert duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "1.5m", "30s5m", "5m5m", "- 5m", "5 m", "1y"])
def test_what_is_no_duration_says_what_is_one(text: str) -> None:
    """A number without a unit could mean anything."""
    with pytest.raises(ValueError, match="expected a duration such as 30s, 5m or 1h30m"):
        duration_ns(text)


@pytest.mark.parametrize("text", ["0m", "30s", "1m30s", "1h10m29s", "-20h", "24h30s", "1ms"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """So that messages say what the file says."""
    assert duration_text(duration_ns(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 5", [1, 2, 5]),
        ("1+2x3", [1, 3, 5, 7]),
        ("10-5x2", [10, 5, 0]),
        ("7x2", [7, 7, 7]),
        ("-1-1x1", [-1, -2]),
        ("_", [None]),
        ("_x3 4", [None, None, None, 4]),
        ("0.1+0.1x2", [0.1, 0.2, 0.3]),
        ("1e3 .5", [1000, 0.5]),
        ("", []),
    ],
)
def test_a_series_is_unrolled(text: str, expected: list[float | None]) -> None:
    """`x3` means three more; arithmetic is decimal, and whole numbers stay whole (a schema may ask for that)."""
    values = series(text)
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


@pytest.mark.parametrize("text", ["a", "1+2", "1+x3", "x3", "1x", "1 2,3", "stale", "1x999999999"])
def test_what_is_no_series_says_so(text: str) -> None:
    """`1+2` without a count is a slip, not a 3."""
    with pytest.raises(ValueError, match="expected"):
        series(text)
