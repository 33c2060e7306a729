"""Parsed queries say what they consist of and where; errors point at the cause."""

from __future__ import annotations

import pytest

from logging_pkg.pipeline.logql import LogQLError, ast, parse
from logging_pkg.pipeline.logql.tokens import tokenize

QUERY = """quantile_over_time(0.95,
  {event="http.request_finished", env!="test"}
  | json ms="response_time_ms", route  # named keys
  | route=~"/a/.*" | unwrap ms | __error__=""
  [5m] offset 30s
) by (service_name, route) > 0.8 * 600"""


def test_every_part_knows_its_place() -> None:
    """The offsets of names, strings, ranges and stages cut exactly them out of the query."""
    comparison = parse(QUERY)
    assert isinstance(comparison, ast.BinaryOperation)
    quantile = comparison.left
    assert isinstance(quantile, ast.RangeAggregation)
    json = quantile.query.stages[0]
    assert isinstance(json, ast.ParserStage)
    parts = [
        (quantile, QUERY[: QUERY.index(" > ")]),
        (quantile.op, "quantile_over_time"),
        (quantile.query.selector, '{event="http.request_finished", env!="test"}'),
        (quantile.query.selector.matchers[1].name, "env"),
        (quantile.query.selector.matchers[1].value, '"test"'),
        (json, 'json ms="response_time_ms", route'),
        (json.extractions[0].path, '"response_time_ms"'),
        (json.extractions[1].path, "route"),
        (quantile.unwrap, "unwrap ms"),
        (quantile.range, "[5m]"),
        (quantile.offset, "30s"),
        (quantile.grouping, "by (service_name, route)"),
        (comparison.right, "0.8 * 600"),
    ]
    for part, text in parts:
        assert part is not None
        assert QUERY[part.start : part.end] == text


def test_values_are_read() -> None:
    """Quantile, window, offset, filter values and strings are what the query says."""
    comparison = parse(QUERY)
    assert isinstance(comparison, ast.BinaryOperation)
    quantile = comparison.left
    assert isinstance(quantile, ast.RangeAggregation)
    assert quantile.parameter == 0.95
    assert quantile.range.seconds == 300
    assert quantile.offset is not None
    assert quantile.offset.seconds == 30
    assert quantile.query.selector.matchers[0].value.text == "http.request_finished"
    errors = quantile.query.stages[-1]
    assert errors == ast.LabelFilter((ast.Condition(ast.Name("__error__", 157, 166), "=", "", "string"),))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("25h", 90_000), ("1d", 86_400), ("100ms", 0.1), ("1.5h", 5400), ("-5m", -300)],
)
def test_durations_of_prometheus_and_go(text: str, seconds: float) -> None:
    """Both ways to write a duration give seconds."""
    token = tokenize(text)[0]
    assert (token.kind, token.value) == ("duration", pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "value"),
    [(r'"a\"b\\c\n\t"', 'a"b\\c\n\t'), (r'"\x41\u00e9\101"', "AéA"), (r"`a\d`", r"a\d"), ('"日本"', "日本")],
)
def test_strings_are_unquoted_as_go_does(text: str, value: str) -> None:
    """Escapes of double quotes are resolved; backquotes have none."""
    assert tokenize(text)[0].value == value


def test_binary_operators_bind_as_in_loki() -> None:
    """From loosest to tightest: or, and, comparison, sum, product, power; power binds to the right."""
    tree = parse('rate({a="b"}[1m]) or rate({a="b"}[1m]) and vector(1) > 1 + 2 * 3 ^ 2 ^ 2')
    shape = []
    while isinstance(tree, ast.BinaryOperation):
        shape.append(tree.op)
        tree = tree.right
    assert shape == ["or", "and", ">", "+", "*", "^", "^"]


def test_a_range_that_grafana_fills_in_is_a_variable() -> None:
    """`[$__auto]` parses and is marked, so that no check takes it for a length."""
    rate = parse('rate({event="a"}[$__auto])')
    assert isinstance(rate, ast.RangeAggregation)
    assert rate.range.variable
    assert not parse('rate({event="a"}[5m])').range.variable


@pytest.mark.parametrize(
    ("query", "reason", "place"),
    [
        ('rate({event="a"}[5 m])', '"5 m" is not a duration such as 30s, 5m or 1h', "[5 m]"),
        ('{event="a"} | json json="b"', 'found "json"', "json="),
        ('sum by (offset) (rate({event="a"}[5m]))', '("offset" is a word of LogQL), found "offset"', "offset"),
        ("{event='a'}", "double quotes or backquotes", "'"),
        (r'{event="a\d"}', "is not an escape", r"\d"),
        ('{event=~"("}', "this regular expression does not compile", '"("'),
        ('rate({event="a"}[5m]) by (a)', "rate takes no grouping; write sum by (…) (rate(…))", "by (a)"),
        ('sum_over_time({event="a"}[5m])', "sum_over_time needs values: add | unwrap <label>", "sum_over_time"),
        ('deriv(rate({event="a"}[5m]))', "compute this in Prometheus", "deriv"),
        ('sum({event="a"})', "expected a metric", '{event="a"}'),
        ('{event="a"', 'expected "}", found the end of the query', ""),
        ("(" * 100_000, "nested too deeply", "("),
    ],
)
def test_an_error_says_what_was_expected_where(query: str, reason: str, place: str) -> None:
    """The reason names the expectation; the offsets point at the offending text."""
    with pytest.raises(LogQLError) as caught:
        parse(query)
    assert reason in caught.value.reason
    assert query[caught.value.start :].startswith(place)
