"""An expression is taken apart into texts that are LogQL again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.rules_test.expression import LogWindow, comparisons_of, parts_of, windows_of

RULES = Path(__file__).parents[3] / "loki/rules"
S = 1_000_000_000


def test_parts_keep_the_parentheses_they_need() -> None:
    """(a + b) / c is not a + b / c; parentheses around the whole are none of its own."""
    text = '((rate({a="b"}[1m]) + 1) / 2) > (3 * (4))'
    assert [(part.text, part.depth) for part in parts_of(text)] == [
        (text, 0),
        ('(rate({a="b"}[1m]) + 1) / 2', 1),
        ('rate({a="b"}[1m]) + 1', 2),
        ('rate({a="b"}[1m])', 3),
        ("3 * (4)", 1),
    ]


def test_every_part_of_the_projects_rules_is_logql() -> None:
    """Each can be asked for by itself."""
    exprs = [
        rule["expr"]
        for path in RULES.glob("*.yaml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    parts = [part for expr in exprs for part in parts_of(expr)]
    assert len(parts) > len(exprs)
    for part in parts:
        parse(part.text)
        assert "\n" not in part.shown
    for window in (window for expr in exprs for window in windows_of(expr)):
        parse(window.query)


def test_a_grouped_range_is_not_asked_for_without_its_group() -> None:
    """By itself it would be a series for every line."""
    assert len(parts_of('sum by (a) (count_over_time({b="c"} | json a="a" [1m]))')) == 1


def test_comparisons_are_told_with_both_sides() -> None:
    """Pipelines are left out where people read it."""
    (first, second) = comparisons_of('sum(rate({a="b"} | json | x="y" [1m])) > 1 and sum(rate({a="b"}[1m])) <= 2')
    assert (first.left_shown, first.op, first.right_shown) == ('sum(rate({a="b"} … [1m]))', ">", "1")
    assert first.left == 'sum(rate({a="b"} | json | x="y" [1m]))'
    assert (second.op, second.right_shown) == ("<=", "2")


@pytest.mark.parametrize(
    ("text", "query", "offset_s"),
    [
        ('rate({a="b"}[1m])', '{a="b"}', 0),
        ('rate({a="b"} |= "x" [1m] offset 30s)', '{a="b"} |= "x"', 30),
        ('rate({a="b"}[1m] offset 30s |= "x")', '{a="b"} |= "x"', 30),
        ('rate(({a="b"} | json)[1m])', '{a="b"} | json', 0),
        ('sum_over_time({a="b"} | json x="x" | unwrap x | __error__="" [1m])', '{a="b"} | json x="x"', 0),
        ('sum_over_time({a="b"}[1m] | json x="x" | unwrap x | __error__="")', '{a="b"} | json x="x"', 0),
        ('max_over_time({a="b"} | unwrap duration(x) [1m]) by (c)', '{a="b"}', 0),
    ],
)
def test_the_lines_behind_a_range_are_a_query_without_unwrap(text: str, query: str, offset_s: int) -> None:
    """Wherever the range stands."""
    assert windows_of(text) == [LogWindow(query, 60 * S, offset_s * S)]


def test_equal_windows_are_read_once_and_foreign_logql_has_no_parts() -> None:
    """A ratio reads one set of lines; what the parser does not know stays whole."""
    assert len(windows_of('sum(rate({a="b"}[1m])) / sum(rate({a="b"}[1m]))')) == 1
    assert parts_of("no logql (") == []
    assert windows_of("no logql (") == []
    assert comparisons_of("no logql (") == []
