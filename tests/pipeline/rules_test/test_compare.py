"""A difference names what was expected and what came instead, and nothing else."""

from __future__ import annotations

import math

import pytest

from logging_pkg.pipeline.rules_test.compare import FoundAlert, compare_alerts, compare_samples, is_close
from logging_pkg.pipeline.rules_test.model import ExpectedAlert, ExpectedSample
from logging_pkg.pipeline.rules_test.report import _marks


def sample(value: float, tolerance: float = 1e-9, **labels: str) -> ExpectedSample:
    return ExpectedSample(labels, value, tolerance)


def expected(value: float | None = None, *, annotations: dict[str, str] | None = None, **labels: str) -> ExpectedAlert:
    return ExpectedAlert(labels, annotations or {}, value, 1e-9)


@pytest.mark.parametrize(
    ("found", "wanted", "tolerance", "close"),
    [
        (1.0, 1.0, 0, True),
        (1.0, 1.0000001, 1e-9, False),
        (101, 100, 0.01, True),
        (101.1, 100, 0.01, False),
        (-101, -100, 0.01, True),
        (1e-10, 0, 1e-9, True),
        (1e-8, 0, 1e-9, False),
        (math.nan, math.nan, 0, True),
        (1, math.nan, 0, False),
        (math.nan, 1, 0, False),
        (math.inf, math.inf, 0, True),
        (math.inf, 1e300, 0.5, False),
        (-math.inf, math.inf, 1, False),
    ],
)
def test_a_tolerance_is_relative_to_what_is_expected(
    found: float, wanted: float, tolerance: float, close: bool
) -> None:
    """Absolute where 0 is expected; NaN is NaN, and infinity nothing else."""
    assert is_close(found, wanted, tolerance) is close


def test_samples_are_compared_by_all_their_labels() -> None:
    """Order does not matter; a label without a value is none."""
    assert (
        compare_samples([sample(1, a="x"), sample(2, a="y")], [({"a": "y"}, 2), ({"a": "x", "b": ""}, 1)]).pairs == ()
    )


def test_a_wrong_value_a_missing_and_an_additional_series_are_told() -> None:
    """What is missing stands beside what is too much: most often a label differs."""
    pairs = compare_samples([sample(1, a="x"), sample(2, a="y")], [({"a": "x"}, 1.5), ({"a": "z"}, 3)]).pairs
    assert pairs == (('{a="x"} 1', '{a="x"} 1.5'), ('{a="y"} 2', '{a="z"} 3'))
    assert compare_samples([], [({}, 0.25)]).pairs == (("", "{} 0.25"),)
    assert compare_samples([sample(1, tolerance=0.1)], []).pairs == (("{} 1 ± 0.1 of it", ""),)


def test_alerts_are_compared_by_labels_then_value_then_the_annotations_given() -> None:
    """An annotation that is not named is not compared."""
    found = FoundAlert({"a": "x"}, 3, {"summary": "three", "other": "anything"})
    assert compare_alerts("A", [expected(a="x")], [found]).pairs == ()
    assert compare_alerts("A", [expected(3, a="x", annotations={"summary": "three"})], [found]).pairs == ()
    wrong = compare_alerts("A", [expected(2, a="x", annotations={"summary": "two", "gone": "?"})], [found])
    assert wrong.pairs == (
        ('A{a="x"}   value 2', 'A{a="x"}   value 3'),
        ("summary: two", "summary: three"),
        ("gone: ?", ""),
    )


def test_no_alert_where_one_is_expected_and_the_other_way_round() -> None:
    """Either side may be empty."""
    assert compare_alerts("A", [expected(a="x")], []).pairs == (('A{a="x"}', ""),)
    assert compare_alerts("A", [], [FoundAlert({"a": "x"}, 1)]).pairs == (("", 'A{a="x"}   value 1'),)
    assert compare_alerts("A", [], []).pairs == ()


@pytest.mark.parametrize(
    ("wanted", "got", "marks"),
    [
        ('A{a="x"}', 'A{a="y"}   value 1', "     ^"),
        ("p95 1000 ms", "p95 1045 ms", "      ^^"),
        ("abc", "abcd", "   ^"),
        ("abcd", "abc", "   ^"),
    ],
)
def test_marks_stand_under_what_differs(wanted: str, got: str, marks: str) -> None:
    """Not under the value that an alert has where none was asked for."""
    assert _marks(wanted, got) == marks
